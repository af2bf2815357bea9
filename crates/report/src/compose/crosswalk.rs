//! The crosswalk: what the same evidence says in the words of frameworks.

use countersign_assess::{Framework, State};

use super::state;
use crate::document::{Block, Column, Section, Table, Text};
use crate::text::grouped;

pub(super) fn section(frameworks: &[Framework]) -> Section {
    let intro = "The same indicators, under the headings of frameworks. A row that an access platform cannot evidence reads “not assessed”, \
                 whatever else is done about it.";
    let mut blocks = vec![Block::Text(intro.into())];
    for framework in frameworks {
        blocks.push(Block::Heading(format!("{} {}", framework.title, framework.version).trim().to_owned()));
        let of = |state: State| framework.rows.iter().filter(|row| row.state == state).count() as u64;
        blocks.push(Block::Text(Text::new(format!(
            "Of {} rows: {} in place, {} partial, {} not in place, {} not assessed.",
            grouped(framework.rows.len() as u64),
            grouped(of(State::InPlace)),
            grouped(of(State::Partial)),
            grouped(of(State::NotInPlace)),
            grouped(of(State::NotAssessed)),
        ))));
        let columns =
            [Column::text("Id", 1.2), Column::text("Title", 4.0), Column::text("State", 1.6), Column::text("Why", 3.2)];
        let mut table = Table::new(framework.title.to_string(), columns);
        for row in &framework.rows {
            table.row([
                row.id.to_string().into(),
                row.title.to_string().into(),
                state(row.state),
                row.why.to_string().into(),
            ]);
        }
        blocks.push(Block::Folded("Every row".to_owned(), vec![Block::Table(table)]));
    }
    Section { id: "crosswalk", title: "Crosswalk".to_owned(), blocks }
}
