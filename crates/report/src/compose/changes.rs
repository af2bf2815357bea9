//! The trend, and what changed since the last assessment.

use std::collections::BTreeMap;

use countersign_assess::{Assessment, Moved, Since, Snapshot, State};
use countersign_model::Timestamp;

use super::{state, words};
use crate::Content;
use crate::document::{Block, Chart, Column, Section, Table, Text};
use crate::drawing::{Point, trend};
use crate::text::{counted, date, grouped};

pub(super) fn section(content: &Content<'_>) -> Section {
    let now = Snapshot::of(content.assessment);
    let mut blocks = Vec::new();
    let by_date = dated(content, &now);
    if by_date.len() > 1 {
        blocks.push(chart(&by_date));
    }
    match content.before {
        Some(before) => changes(content.assessment, &now.since(before), before, &mut blocks),
        None if blocks.is_empty() => blocks.push(Block::Text(
            "There is no earlier assessment to compare with. The evidence pack of this one is what the next one is compared with.".into(),
        )),
        None => {}
    }
    Section { id: "changes", title: "Trend and changes".to_owned(), blocks }
}

/// In one sentence, for the summary.
pub(super) fn sentence(assessment: &Assessment, before: &Snapshot) -> String {
    let since = Snapshot::of(assessment).since(before);
    format!(
        "Since {} the score went from {} to {}; {} were closed by evidence, {} are new.",
        date(since.before),
        words(since.score.before),
        words(since.score.now),
        counted(since.closed.len() as u64, "step", "steps"),
        grouped(since.opened.len() as u64)
    )
}

fn dated<'s>(content: &'s Content<'_>, now: &'s Snapshot) -> BTreeMap<Timestamp, &'s Snapshot> {
    let all = content.trend.iter().chain(content.before).chain([now]);
    all.filter(|snapshot| snapshot.as_of <= now.as_of).map(|snapshot| (snapshot.as_of, snapshot)).collect()
}

fn chart(by_date: &BTreeMap<Timestamp, &Snapshot>) -> Block {
    let point = |(at, snapshot): (&Timestamp, &&Snapshot)| Point {
        label: date(*at),
        at: at.seconds(),
        at_least: snapshot.score.at_least,
        at_most: snapshot.score.at_most,
    };
    let mut table = Table::new(
        "Each assessment.",
        [
            Column::text("Date", 2.0),
            Column::text("Score", 2.0),
            Column::number("Reach tier zero", 1.4),
            Column::number("Median blast radius", 1.4),
            Column::number("Open steps", 1.2),
        ],
    );
    for (at, snapshot) in by_date {
        table.row([
            date(*at).into(),
            words(snapshot.score).into(),
            grouped(snapshot.reach_tier_zero).into(),
            grouped(snapshot.radius.median).into(),
            grouped(snapshot.steps.len() as u64).into(),
        ]);
    }
    let said: Vec<String> =
        by_date.iter().map(|(at, snapshot)| format!("{}: {}", date(*at), words(snapshot.score))).collect();
    Block::Chart(Chart {
        title: "Score over time, in percent".to_owned(),
        alternative: format!("The score at each date: {}.", said.join("; ")),
        drawing: trend(&by_date.iter().map(point).collect::<Vec<_>>(), 640.0, 200.0),
        figures: Some(table),
    })
}

fn changes(assessment: &Assessment, since: &Since, before: &Snapshot, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading(format!("Since {}", date(since.before))));
    if before.parameters != assessment.health.parameters {
        blocks.push(Block::Note(
            "The two were measured with different parameters, so that some figures differ for that alone.".into(),
        ));
    }
    let (then, now) = (before.reach_tier_zero, assessment.radius.reach_tier_zero);
    blocks.push(Block::Text(
        Text::new("Identities that reach tier zero: ").strong(format!("{} → {}", grouped(then), grouped(now))).plain(
            format!(
                ". Median blast radius: {} → {}.",
                grouped(before.radius.median),
                grouped(assessment.radius.radius.median)
            ),
        ),
    ));
    controls(assessment, &since.controls, blocks);
    findings(assessment, &since.findings, blocks);
    let title = |id: &String| assessment.steps.iter().find(|step| step.id == *id).map(|step| step.title.clone());
    let opened: Vec<Text> = since.opened.iter().filter_map(title).map(Text::new).collect();
    if !opened.is_empty() {
        blocks.push(Block::Heading("New steps".to_owned()));
        blocks.push(Block::List(opened));
    }
    if !since.closed.is_empty() {
        blocks.push(Block::Heading("Closed by evidence".to_owned()));
        blocks.push(Block::List(
            since.closed.iter().map(|id| Text::default().name(&indicator(assessment, id))).collect(),
        ));
    }
    if since.controls.is_empty() && since.findings.is_empty() && since.opened.is_empty() && since.closed.is_empty() {
        blocks.push(Block::Text("No control, no finding and no step is otherwise than it was.".into()));
    }
}

/// The title of an indicator, or of the step that is about it; or its id, where it is no more.
fn indicator(assessment: &Assessment, id: &str) -> String {
    let id = id.strip_prefix("assess-").unwrap_or(id);
    let measured = assessment.gaps.find(id).map(|measured| measured.title.clone());
    let checked = || assessment.health.indicators.iter().find(|checked| checked.id == id);
    measured.or_else(|| Some(checked()?.title.clone())).unwrap_or_else(|| id.to_owned())
}

fn controls(assessment: &Assessment, moved: &[Moved<State>], blocks: &mut Vec<Block>) {
    if moved.is_empty() {
        return;
    }
    let columns = [Column::text("Control", 4.0), Column::text("Before", 2.0), Column::text("Now", 2.0)];
    let mut table = Table::new("Controls whose state changed.", columns);
    for one in moved {
        let title =
            assessment.gaps.controls().find(|control| control.id == one.id).map(|control| control.title.to_string());
        table.row([
            Text::default().name(&title.unwrap_or_else(|| one.id.clone())).into(),
            state(one.before),
            state(one.now),
        ]);
    }
    blocks.push(Block::Table(table));
}

fn findings(assessment: &Assessment, moved: &[Moved<u64>], blocks: &mut Vec<Block>) {
    if moved.is_empty() {
        return;
    }
    let columns = [Column::text("Indicator", 4.0), Column::number("Before", 1.2), Column::number("Now", 1.2)];
    let mut table = Table::new("Indicators that found more, or less.", columns);
    for one in moved {
        let title = Text::default().name(&indicator(assessment, &one.id));
        table.row([title.into(), grouped(one.before).into(), grouped(one.now).into()]);
    }
    blocks.push(Block::Table(table));
}
