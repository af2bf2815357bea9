//! The score over time: a band between what was certain and what was possible at each assessment that is kept, drawn here and coloured by
//! the style sheet, with the figures beside it for whoever does not see it.

use countersign_assess::{Interval, Snapshot};
use countersign_govern::Past;
use countersign_model::Timestamp;

/// How many assessments the table has; the API has all of them.
const ROWS: usize = 60;
/// Where in the drawing the whole and nothing are, the first date and the last.
const TOP: f64 = 8.0;
const BOTTOM: f64 = 158.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 620.0;

pub(super) struct Trend {
    /// `None`: one assessment is no trend.
    pub(super) drawing: Option<Drawing>,
    /// The newest first.
    pub(super) rows: Vec<Row>,
    pub(super) damaged: Vec<String>,
}

pub(super) struct Drawing {
    /// Coordinates, as SVG takes them.
    pub(super) band: String,
    pub(super) low: String,
    pub(super) high: String,
    /// Of what was certain, at each assessment.
    pub(super) dots: Vec<(f64, f64)>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

pub(super) struct Row {
    pub(super) at: Timestamp,
    pub(super) score: Interval,
    pub(super) reach_tier_zero: u64,
    pub(super) steps: u64,
    /// Whether the inventory that it was counted from is the one that is kept.
    pub(super) at_hand: bool,
}

impl Trend {
    pub(super) fn of(past: &Past, inventory_sha256: &str) -> Self {
        let row = |snapshot: &Snapshot| Row {
            at: snapshot.as_of,
            score: snapshot.score,
            reach_tier_zero: snapshot.reach_tier_zero,
            steps: snapshot.steps.len() as u64,
            at_hand: snapshot.inventory_sha256 == inventory_sha256,
        };
        Self {
            drawing: draw(&past.snapshots),
            rows: past.snapshots.iter().rev().take(ROWS).map(row).collect(),
            damaged: past.damaged.clone(),
        }
    }
}

fn draw(snapshots: &[Snapshot]) -> Option<Drawing> {
    let (from, to) = (snapshots.first()?.as_of, snapshots.last()?.as_of);
    let span = to.millis() - from.millis();
    if span <= 0 {
        return None;
    }
    let tenth = |place: f64| (place * 10.0).round() / 10.0;
    let x = |at: Timestamp| tenth(LEFT + (RIGHT - LEFT) * ((at.millis() - from.millis()) as f64 / span as f64));
    let y = |percent: f64| tenth(BOTTOM - (BOTTOM - TOP) * percent.clamp(0.0, 100.0) / 100.0);
    let line = |percent: fn(&Interval) -> f64| -> Vec<(f64, f64)> {
        snapshots.iter().map(|snapshot| (x(snapshot.as_of), y(percent(&snapshot.score)))).collect()
    };
    let (dots, high) = (line(|score| score.at_least), line(|score| score.at_most));
    let band: Vec<(f64, f64)> = high.iter().chain(dots.iter().rev()).copied().collect();
    Some(Drawing { band: coordinates(&band), low: coordinates(&dots), high: coordinates(&high), dots, from, to })
}

fn coordinates(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}
