//! A document with one of everything.

use countersign_model::Timestamp;

use crate::document::{Block, Callout, Cell, Chart, Column, Document, Figure, Item, Section, Table, Text, Tone};
use crate::drawing::{self, Bar, Gap, Mark, Paint, Point};

pub(super) const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

/// Every place where a name can stand, with this one in it.
pub(super) fn document(name: &str) -> Document {
    let mut table = Table::new(
        "A table.",
        [
            Column::text("Who", 3.0),
            Column::text("State", 2.0),
            Column::number("Count", 1.0),
            Column::text("Query", 2.0),
        ],
    );
    table.group(["Group".into(), "".into(), "".into(), "".into()]);
    table.row([
        Text::default().name(name).into(),
        Cell::Drawn(drawing::mark(Mark::Half), "partial".into()),
        "1,234".into(),
        Text::default().code(name).into(),
    ]);
    let bars = [
        Bar { label: crate::text::name(name), value: 120.0, after: Some(12.0), paint: Paint::Bad },
        Bar { label: "Another".to_owned(), value: 3.0, after: None, paint: Paint::Accent },
    ];
    let gaps = [Gap {
        label: "Identity".to_owned(),
        stage: "initial",
        at_least: 12.0,
        at_most: 80.0,
        score: "12 to 80 %".to_owned(),
        marks: vec![Mark::Full, Mark::Half, Mark::Empty, Mark::Unknown],
    }];
    let points = [(0, 10.0, 60.0), (86_400 * 30, 20.0, 55.0), (86_400 * 90, 41.0, 50.0)]
        .map(|(at, at_least, at_most)| Point { label: format!("day {}", at / 86_400), at, at_least, at_most });
    let chart = |title: &str, drawing| {
        Block::Chart(Chart {
            title: title.to_owned(),
            alternative: format!("{title}, for {}", crate::text::name(name)),
            drawing,
            figures: Some(table.clone()),
        })
    };
    let figure = Figure {
        label: "Score".to_owned(),
        value: "12 to 80 %".to_owned(),
        note: Text::new("of ").name(name),
        drawing: Some(drawing::interval(12.0, 80.0, 150.0, 9.0)),
    };
    Document {
        title: "Zero Trust report".to_owned(),
        organisation: Some(name.to_owned()),
        subtitle: "Where we stand.".to_owned(),
        as_of: NOON,
        sections: vec![
            Section {
                id: "summary",
                title: "Summary".to_owned(),
                blocks: vec![
                    Block::Figures(vec![figure.clone(), figure]),
                    Block::Text(Text::new("Plain, ").strong("strong, ").name(name).faint(" faint")),
                    Block::Callout(Callout {
                        tone: Tone::Bad,
                        title: "Weakest".to_owned(),
                        text: vec![Text::default().name(name)],
                    }),
                    Block::Steps(vec![Item { title: Text::default().name(name), lines: vec!["First.".into()] }]),
                    Block::List(vec![Text::default().name(name)]),
                    Block::Note("Small print.".into()),
                ],
            },
            Section {
                id: "charts",
                title: "Charts".to_owned(),
                blocks: vec![
                    Block::Heading("Drawn".to_owned()),
                    chart("Gap map", drawing::gap_map(&gaps, 640.0)),
                    chart("Trend", drawing::trend(&points, 640.0, 220.0)),
                    chart("Bars", drawing::bars(&bars, 640.0)),
                    Block::Folded("Folded".to_owned(), vec![Block::Table(table.clone())]),
                ],
            },
        ],
        foot: "Made by Countersign".to_owned(),
    }
}
