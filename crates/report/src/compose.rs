//! From an assessment to what a reader is told, block by block: the summary that a board reads first, then what it rests on.
//! Nothing is judged here and no figure is made; figures are chosen, put in order, and said in words.

mod changes;
mod crosswalk;
mod findings;
mod gaps;
mod metrics;
mod radius;
mod sources;
mod steps;
mod summary;

use countersign_assess::{Interval, Severity, State};

use crate::Content;
use crate::document::{Cell, Document, Tone};
use crate::drawing::{Mark, interval, mark};
use crate::text::percents;

/// So many rows of one list are shown; all of them are in the evidence pack.
const SHOWN: usize = 20;

pub(crate) fn document(content: &Content<'_>) -> Document {
    let assessment = content.assessment;
    let sections = vec![
        summary::section(content),
        gaps::section(&assessment.gaps),
        steps::section(&assessment.steps),
        radius::section(&assessment.radius),
        changes::section(content),
        findings::section(&assessment.health),
        metrics::section(&assessment.metrics),
        crosswalk::section(&assessment.crosswalk),
        sources::section(content),
    ];
    Document {
        title: "Zero Trust report".to_owned(),
        organisation: assessment.organisation.clone(),
        subtitle: "Where we stand, by evidence: what is wrong, how far it reaches, and what to do first.".to_owned(),
        as_of: assessment.as_of,
        sections,
        foot: format!(
            "Made by Countersign {} from the estate {}…",
            env!("CARGO_PKG_VERSION"),
            crate::text::visible(&assessment.inventory_sha256.chars().take(16).collect::<String>())
        ),
    }
}

fn mark_of(state: State) -> Mark {
    match state {
        State::InPlace => Mark::Full,
        State::Partial => Mark::Half,
        State::NotInPlace => Mark::Empty,
        State::NotAssessed => Mark::Unknown,
    }
}

/// A state as its sign and its word.
fn state(state: State) -> Cell {
    Cell::Drawn(mark(mark_of(state)), state.name().into())
}

/// A score as its bar and its numbers.
pub(crate) fn score(score: Interval) -> Cell {
    Cell::Drawn(interval(score.at_least, score.at_most, 84.0, 9.0), words(score).into())
}

fn words(score: Interval) -> String {
    if score.is_unknown() { "not known".to_owned() } else { percents(score.at_least, score.at_most) }
}

fn tone(score: Interval) -> Tone {
    if score.at_least >= 80.0 {
        Tone::Good
    } else if score.at_least >= 40.0 {
        Tone::Warn
    } else {
        Tone::Bad
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}

/// The text with a capital letter.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
