//! The gap map: areas and controls with their intervals, and every indicator behind them.

use std::collections::BTreeMap;

use countersign_assess::{Area, Control, GapMap, Measured};

use super::{mark_of, score, state, words};
use crate::document::{Block, Cell, Chart, Column, Section, Table, Text};
use crate::drawing::{Gap, gap_map};
use crate::text::{counted, date, grouped};

pub(super) fn section(gaps: &GapMap) -> Section {
    let intro = "Each control is decided from indicators over evidence. A score is an interval: at least, if all that is not known had \
                 failed; at most, if it had passed. The stage of an area is that of its weakest gating indicator.";
    let mut blocks = vec![Block::Text(intro.into())];
    let columns = [
        Column::text("Control", 2.8),
        Column::text("State", 1.7),
        Column::text("Score", 1.9),
        Column::text("Rests on", 3.6),
    ];
    let mut table = Table::new("Areas and controls.", columns);
    for area in &gaps.areas {
        let stage = format!("stage: {}", area.stage.name());
        table.group([area.title.into(), stage.into(), score(area.score), gating(area).into()]);
        area.controls.iter().for_each(|control| row(&mut table, control));
    }
    blocks.push(Block::Table(table));
    blocks.push(Block::Folded("Every indicator of the gap map, with its query".to_owned(), indicators(gaps)));
    Section { id: "gap-map", title: "Gap map".to_owned(), blocks }
}

/// The areas at a glance, for the first page.
pub(super) fn chart(gaps: &GapMap) -> Block {
    let rows: Vec<Gap> = gaps
        .areas
        .iter()
        .map(|area| Gap {
            label: area.title.to_owned(),
            stage: area.stage.name(),
            at_least: area.score.at_least,
            at_most: area.score.at_most,
            score: words(area.score),
            marks: area.controls.iter().map(|control| mark_of(control.state)).collect(),
        })
        .collect();
    let said: Vec<String> =
        rows.iter().map(|row| format!("{}: {}, stage {}", row.label, row.score, row.stage)).collect();
    Block::Chart(Chart {
        title: "Five areas: score, stage and controls".to_owned(),
        alternative: format!("Score and stage of each area. {}. The gap map has every control.", said.join(". ")),
        drawing: gap_map(&rows, 640.0),
        figures: None,
    })
}

fn gating(area: &Area) -> Text {
    let measured = || area.controls.iter().flat_map(|control| &control.measured);
    match area.gating.and_then(|id| measured().find(|measured| measured.id == id)) {
        Some(measured) => Text::new(format!("held by: {}", measured.title)),
        None => Text::default(),
    }
}

fn row(table: &mut Table, control: &Control) {
    let mut rests = Text::default();
    for (place, measured) in control.measured.iter().enumerate() {
        rests = rests.plain(if place > 0 { "; " } else { "" }).plain(short(measured));
    }
    if control.measured.is_empty() {
        rests = rests.plain(if control.attested.is_some() { "" } else { "nothing that these sources say" });
    }
    for (word, how) in [(&control.attested, "attested by "), (&control.lapsed, "no longer attested by ")] {
        if let Some(word) = word {
            let before = if rests.is_empty() { "" } else { "; " };
            rests = rests.plain(before).plain(how).name(&word.by);
            rests = rests.plain(format!(" on {}, until {}", date(word.at), date(word.until)));
        }
    }
    table.row([control.title.into(), state(control.state), score(control.score), rests.into()]);
}

/// `3 of 40 wrong, 5 not known`
fn short(measured: &Measured) -> String {
    let unknown = measured.population.saturating_sub(measured.assessed);
    let mut words = vec![];
    if measured.population == 0 {
        let told = if measured.why_not_assessed.is_some() { "not known" } else { "concerns nobody" };
        words.push(told.to_owned());
    } else if measured.assessed == 0 {
        words.push(format!("none of {} could be assessed", grouped(measured.population)));
    } else {
        words.push(format!("{} of {} as they should be", grouped(measured.numerator), grouped(measured.population)));
        if unknown > 0 {
            words.push(format!("{} not assessed", grouped(unknown)));
        }
    }
    format!("{}: {}", measured.title, words.join(", "))
}

fn indicators(gaps: &GapMap) -> Vec<Block> {
    let columns = [
        Column::text("Indicator", 3.0),
        Column::number("As they should be", 1.0),
        Column::number("Assessed", 1.1),
        Column::number("Population", 1.25),
        Column::text("Evidence", 1.8),
        Column::text("Query of what is wrong", 3.2),
    ];
    let mut table = Table::new(
        format!(
            "{}; those marked “gating” set the stage of their area.",
            counted(gaps.measured().count() as u64, "indicator", "indicators")
        ),
        columns,
    );
    // What concerns nobody, or nobody told of, has no numbers: said below, in one paragraph for each reason.
    let (told, empty): (Vec<&Measured>, Vec<&Measured>) = gaps.measured().partition(|one| one.population > 0);
    for measured in told {
        let title = Text::new(measured.title.clone()).faint(if measured.gating { " · gating" } else { "" });
        let evidence: Cell = match (measured.oldest, measured.newest, measured.why_not_assessed) {
            (Some(oldest), Some(newest), _) if oldest == newest => date(newest).into(),
            (Some(oldest), Some(newest), _) => format!("{} to {}", date(oldest), date(newest)).into(),
            (_, _, Some(why)) => why.into(),
            _ => "none".into(),
        };
        table.row([
            title.into(),
            grouped(measured.numerator).into(),
            grouped(measured.assessed).into(),
            grouped(measured.population).into(),
            evidence,
            Text::default().code(&measured.query).into(),
        ]);
    }
    let mut blocks = vec![Block::Table(table)];
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for measured in empty {
        let why = measured.why_not_assessed.unwrap_or("there is nobody whom it concerns");
        reasons.entry(why).or_default().push(format!("{} ({})", measured.title, measured.query));
    }
    for (why, titles) in reasons {
        blocks
            .push(Block::Note(Text::default().strong(super::sentence(why)).plain(format!(": {}.", titles.join("; ")))));
    }
    blocks
}
