//! What to do next: one step for each indicator that found something, and one for each that could not be told. What a step gains is
//! counted, by counting the score again as if it were done, and by thinking its edges away from the graph; nothing is
//! estimated but the effort. A step is made from evidence each time: when the evidence is mended, it is there no more.

mod cure;
mod export;

use std::cmp::Reverse;

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gaps::{Cure, Gauge, Gauged, Measure, Raw, Sequence, Work};
use crate::health::Severity;
use crate::interval::Interval;
use crate::own::Own;
use crate::radius::Spread;

pub(crate) use cure::Cures;
pub use export::{csv, markdown};

/// How much work it is: an hour or two, days, a project.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    Small,
    Medium,
    Large,
}

impl Effort {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// Where each is a change of its own.
    const fn of(count: u64) -> Self {
        match count {
            0..=20 => Self::Small,
            21..=200 => Self::Medium,
            _ => Self::Large,
        }
    }

    const fn weight(self) -> i64 {
        match self {
            Self::Small => 1,
            Self::Medium => 2,
            Self::Large => 3,
        }
    }
}

/// Whether something is mended, or found out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    Mend,
    /// Nothing is known to be wrong; it is not known to be right either.
    Assess,
}

/// The effect of a step on the graph, before and after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BeforeAfter {
    /// Enabled identities that reach tier zero, or are of it.
    pub before: u64,
    pub after: u64,
    /// How far identities reach, before and after: for the steps that cut off most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<(Spread, Spread)>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Stays the same as long as there is something to do: the indicator's id, or `assess-` and that id.
    pub id: String,
    pub title: String,
    pub kind: StepKind,
    pub area: &'static str,
    pub control: &'static str,
    pub indicator: &'static str,
    pub severity: Severity,
    pub sequence: Sequence,
    /// How many there are: to mend, or to find out about. 0: not even that is known.
    pub count: u64,
    /// Points of the whole score that it gains, from the lower bound's to the upper bound's.
    pub gain: Interval,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<BeforeAfter>,
    pub effort: Effort,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Due before the date of the assessment.
    pub overdue: bool,
    /// Earlier steps of the right order that do not stand yet: what is done here rests on them.
    pub waits_for: Vec<Sequence>,
    /// Selects what is to be done: a query of the inventory, or a command.
    pub query: String,
    pub remedy: String,
}

/// In the order in which they should be done.
pub(crate) fn steps(gauged: &Gauged, cures: &mut Cures<'_>, own: &Own, as_of: Timestamp) -> Vec<Step> {
    let standing: Vec<(Sequence, bool)> =
        Sequence::ALL.into_iter().map(|sequence| (sequence, gauged.stands(sequence))).collect();
    let missing = |until: Sequence| {
        let earlier = standing.iter().filter(move |(sequence, stands)| *sequence < until && !stands);
        earlier.map(|(sequence, _)| *sequence)
    };
    let mut steps = Vec::new();
    for area in &gauged.areas {
        for control in &area.controls {
            for gauge in &control.gauges {
                for (kind, count) in to_do(gauge) {
                    let id = match kind {
                        StepKind::Mend => gauge.id().to_owned(),
                        StepKind::Assess => format!("assess-{}", gauge.id()),
                    };
                    let assigned = own.assigned.get(&id);
                    let due = assigned.and_then(|assigned| assigned.due);
                    steps.push(Step {
                        title: title(kind, gauge),
                        kind,
                        area: area.id,
                        control: control.defined.id,
                        indicator: gauge.id(),
                        severity: gauge.severity,
                        sequence: control.defined.sequence,
                        count,
                        gain: gain(gauged, gauge, kind),
                        radius: match (kind, gauge.probe.cure) {
                            (StepKind::Assess, _) | (_, Cure::None) => None,
                            (StepKind::Mend, cure) => cures.try_out(cure, gauge.id()),
                        },
                        effort: effort(gauge, kind, count),
                        owner: assigned.map(|assigned| assigned.owner.clone()),
                        due,
                        overdue: due.is_some_and(|due| due < as_of),
                        waits_for: missing(control.defined.sequence).collect(),
                        query: query(kind, gauge),
                        remedy: remedy(kind, gauge),
                        id,
                    });
                }
            }
        }
    }
    let earliest = standing.iter().find(|(_, stands)| !stands).map(|(sequence, _)| *sequence);
    let identities = cures.identities();
    steps.sort_by_cached_key(|step| {
        // What would not be seen in the score, nor in the graph, is said last.
        let idle = step.kind == StepKind::Assess && step.gain.at_most <= 0.0;
        // Within a part of the order the worst comes first, as in the health check: worth alone would have thousands of idle accounts
        // tidied up before the few rights by which all of them get to tier zero, since a strict score moves with the last of these only.
        let worth = Reverse(worth(step, identities));
        (idle, Some(step.sequence) != earliest, step.kind, step.severity, worth, step.id.clone())
    });
    steps
}

fn to_do(gauge: &Gauge) -> Vec<(StepKind, u64)> {
    if gauge.raw == Raw::NobodyConcerned {
        return Vec::new();
    }
    let unknown = gauge.population.saturating_sub(gauge.assessed);
    let mut to_do = Vec::new();
    if gauge.found() > 0 {
        to_do.push((StepKind::Mend, gauge.found()));
    }
    if unknown > 0 || gauge.population == 0 {
        to_do.push((StepKind::Assess, unknown));
    }
    to_do
}

/// The score is counted again as if the step were done.
fn gain(gauged: &Gauged, gauge: &Gauge, kind: StepKind) -> Interval {
    let before = gauged.points(None);
    let points = |from: u32, to: u32| f64::from(to.saturating_sub(from)) / 100.0;
    match kind {
        StepKind::Mend => {
            let after = gauged.points(Some((gauge, gauge.raw.mended())));
            let (low, high) = (points(before.low, after.low), points(before.high, after.high));
            Interval { at_least: low.min(high), at_most: low.max(high) }
        }
        // It may turn out that all of it is wrong.
        StepKind::Assess => {
            let known = match gauge.raw {
                Raw::Share { of: 0, .. } => Raw::Share { good: 1, bad: 0, of: 1 },
                raw => raw.known_good(),
            };
            let after = gauged.points(Some((gauge, known)));
            Interval { at_least: 0.0, at_most: points(before.low, after.low) }
        }
    }
}

fn effort(gauge: &Gauge, kind: StepKind, count: u64) -> Effort {
    match (kind, gauge.probe.work) {
        (_, Work::Once(effort)) => effort,
        (StepKind::Mend, Work::Each) => Effort::of(count),
        // One more source to import.
        (StepKind::Assess, Work::Each) => Effort::Small,
    }
}

fn title(kind: StepKind, gauge: &Gauge) -> String {
    match kind {
        StepKind::Mend => gauge.title().to_owned(),
        StepKind::Assess => format!("Find out: {}", gauge.title()),
    }
}

fn query(kind: StepKind, gauge: &Gauge) -> String {
    match (kind, gauge.query_not_assessed.as_deref()) {
        (StepKind::Assess, Some(query)) => query.to_owned(),
        _ => gauge.query.clone(),
    }
}

fn remedy(kind: StepKind, gauge: &Gauge) -> String {
    match kind {
        StepKind::Mend => gauge.remedy.clone(),
        StepKind::Assess => {
            let why = gauge.why_not.unwrap_or("it is not known why");
            let what = match gauge.probe.measure {
                Measure::Own { .. } => &*gauge.remedy,
                Measure::Asked(_) | Measure::Sources => "Import or connect what says it.",
            };
            format!("Not assessed: {why}. {what}")
        }
    }
}

/// Hundredths of points of score, and of percent of the identities that no longer reach tier zero, for the effort.
fn worth(step: &Step, identities: u64) -> i64 {
    let gain = (step.gain.at_least + step.gain.at_most) * 50.0;
    let cut = step.radius.as_ref().map_or(0, |radius| radius.before.saturating_sub(radius.after));
    let cut = Interval::share(cut, 0, identities).at_least * 100.0;
    // Both are at most ten thousand.
    (gain + cut) as i64 / step.effort.weight()
}
