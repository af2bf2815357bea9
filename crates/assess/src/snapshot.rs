//! The figures of one assessment, small enough to keep for years, with the hashes of the evidence that they were counted from: whoever has that
//! evidence counts them again and gets the same bytes. Several of them are a trend; two of them are what changed.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessment::Assessment;
use crate::gaps::State;
use crate::health::{Imported, Parameters};
use crate::interval::{Interval, Stage};
use crate::metrics::Figure;
use crate::radius::Spread;

const FORMAT: &str = "countersign-snapshot";
const VERSION: u32 = 1;

/// What is remembered of an assessment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Snapshot {
    format: String,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    pub as_of: Timestamp,
    pub parameters: Parameters,
    /// The evidence: the inventory in its saved form, and what the running server told.
    pub inventory_sha256: String,
    pub own_sha256: String,
    pub sources: Vec<Imported>,
    pub score: Interval,
    pub areas: BTreeMap<String, AreaThen>,
    pub controls: BTreeMap<String, State>,
    pub indicators: BTreeMap<String, IndicatorThen>,
    pub metrics: BTreeMap<String, Figure>,
    /// What the health check found, by indicator.
    pub findings: BTreeMap<String, u64>,
    pub radius: Spread,
    pub reach_tier_zero: u64,
    /// Open steps, with how many each is about.
    pub steps: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AreaThen {
    pub score: Interval,
    pub stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IndicatorThen {
    pub numerator: u64,
    pub population: u64,
    pub assessed: u64,
}

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFault {
    #[error("not a snapshot: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("not a snapshot of version {VERSION}")]
    Version,
}

impl Snapshot {
    pub fn of(assessment: &Assessment) -> Self {
        let gaps = &assessment.gaps;
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            organisation: assessment.organisation.clone(),
            as_of: assessment.as_of,
            parameters: assessment.health.parameters,
            inventory_sha256: assessment.inventory_sha256.clone(),
            own_sha256: assessment.own_sha256.clone(),
            sources: assessment.sources.clone(),
            score: gaps.score,
            areas: gaps
                .areas
                .iter()
                .map(|area| (area.id.to_owned(), AreaThen { score: area.score, stage: area.stage }))
                .collect(),
            controls: gaps.controls().map(|control| (control.id.to_owned(), control.state)).collect(),
            indicators: gaps
                .measured()
                .map(|measured| {
                    let then = IndicatorThen {
                        numerator: measured.numerator,
                        population: measured.population,
                        assessed: measured.assessed,
                    };
                    (measured.id.to_owned(), then)
                })
                .collect(),
            metrics: assessment
                .metrics
                .iter()
                .filter_map(|metric| Some((metric.id.to_owned(), metric.value?)))
                .collect(),
            findings: assessment.health.indicators.iter().map(|one| (one.id.to_owned(), one.found)).collect(),
            radius: assessment.radius.radius.clone(),
            reach_tier_zero: assessment.radius.reach_tier_zero,
            steps: assessment.steps.iter().map(|step| (step.id.clone(), step.count)).collect(),
        }
    }

    /// One line of JSON in an order of its own: the same figures are the same bytes.
    ///
    /// # Errors
    /// When a figure cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SnapshotFault> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// # Errors
    /// When it is none, or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotFault> {
        let snapshot: Self = serde_json::from_slice(bytes)?;
        if snapshot.format != FORMAT || snapshot.version != VERSION {
            return Err(SnapshotFault::Version);
        }
        Ok(snapshot)
    }

    /// What is otherwise than it was in an earlier one.
    pub fn since(&self, before: &Self) -> Since {
        let keys = |steps: &BTreeMap<String, u64>| steps.keys().cloned().collect::<BTreeSet<String>>();
        let (then, now) = (keys(&before.steps), keys(&self.steps));
        let state = |control: &String| before.controls.get(control).copied();
        let controls = self.controls.iter().filter_map(|(control, now)| {
            let before = state(control)?;
            (before != *now).then(|| Moved { id: control.clone(), before, now: *now })
        });
        let findings = self.findings.iter().filter_map(|(indicator, now)| {
            let before = before.findings.get(indicator).copied().unwrap_or(0);
            (before != *now).then(|| Moved { id: indicator.clone(), before, now: *now })
        });
        Since {
            before: before.as_of,
            now: self.as_of,
            score: Moved { id: "score".to_owned(), before: before.score, now: self.score },
            controls: controls.collect(),
            findings: findings.collect(),
            closed: then.difference(&now).cloned().collect(),
            opened: now.difference(&then).cloned().collect(),
        }
    }
}

/// What changed from one snapshot to another.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Since {
    pub before: Timestamp,
    pub now: Timestamp,
    pub score: Moved<Interval>,
    pub controls: Vec<Moved<State>>,
    pub findings: Vec<Moved<u64>>,
    /// Steps that the evidence closed.
    pub closed: Vec<String>,
    pub opened: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moved<T> {
    pub id: String,
    pub before: T,
    pub now: T,
}

/// One figure over time, the oldest first. Where a snapshot does not have it there is none.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trend {
    pub of: String,
    pub points: Vec<(Timestamp, Option<Figure>)>,
}

/// The score, each area and each metric over some snapshots, in whichever order these come; of two of one date the later in the
/// list counts.
pub fn trend(snapshots: &[Snapshot]) -> Vec<Trend> {
    let by_date: BTreeMap<Timestamp, &Snapshot> = snapshots.iter().map(|snapshot| (snapshot.as_of, snapshot)).collect();
    let line = |of: String, value: &dyn Fn(&Snapshot) -> Option<Figure>| Trend {
        of,
        points: by_date.iter().map(|(at, snapshot)| (*at, value(snapshot))).collect(),
    };
    let names = |of: &dyn Fn(&Snapshot) -> Vec<String>| -> BTreeSet<String> {
        by_date.values().flat_map(|snapshot| of(snapshot)).collect()
    };
    let mut lines = vec![line("score".to_owned(), &|snapshot| Some(Figure::Share(snapshot.score)))];
    for area in names(&|snapshot| snapshot.areas.keys().cloned().collect()) {
        let value = |snapshot: &Snapshot| Some(Figure::Share(snapshot.areas.get(&area)?.score));
        lines.push(line(format!("area {area}"), &value));
    }
    for metric in names(&|snapshot| snapshot.metrics.keys().cloned().collect()) {
        let value = |snapshot: &Snapshot| snapshot.metrics.get(&metric).copied();
        lines.push(line(metric.clone(), &value));
    }
    lines
}
