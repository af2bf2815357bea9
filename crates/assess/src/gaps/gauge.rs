//! One indicator of the gap map, read: from what was asked of the inventory, from what a running server counted, or from the age
//! of the sources; and what the reading would be if something were otherwise.

use std::time::Duration;

use countersign_model::Timestamp;

use super::{Measure, Measured, Probe, State, find};
use crate::health::{Checked, Imported, Severity};
use crate::interval::{INITIAL, Points, Stage, WHOLE};
use crate::own::Own;

/// What is read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'e> {
    /// The indicators of the health check and those that only this map has.
    pub(crate) checked: &'e [&'e Checked],
    pub(crate) own: &'e Own,
    pub(crate) sources: &'e [Imported],
    pub(crate) as_of: Timestamp,
    /// A source that was imported longer ago is not current.
    pub(crate) source_days: u64,
    /// Whether there is any account at all: only then does an empty population say something.
    pub(crate) accounts: bool,
}

const NOBODY: &str = "there is nobody whom it concerns";
const NOTHING: &str = "nothing of the kind is in any source";
const OFFLINE: &str = "a running Countersign counts this; nothing was told";

/// The numbers behind a score.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Raw {
    /// `good + bad <= of`; the rest is not known.
    Share {
        good: u64,
        bad: u64,
        of: u64,
    },
    /// So many may be; so many there certainly are, and so many more there may be.
    Allowed {
        number: u64,
        count: u64,
        perhaps: u64,
    },
    NobodyConcerned,
}

impl Raw {
    /// As it would be if everything that was found were mended.
    pub(crate) fn mended(self) -> Self {
        match self {
            Self::Share { good, bad, of } => Self::Share { good: good + bad, bad: 0, of },
            Self::Allowed { number, count, perhaps } => Self::Allowed { number, count: count.min(number), perhaps },
            Self::NobodyConcerned => self,
        }
    }

    /// As it would be if all that is not known turned out well.
    pub(crate) fn known_good(self) -> Self {
        match self {
            Self::Share { bad, of, .. } => Self::Share { good: of.saturating_sub(bad), bad, of },
            Self::Allowed { number, count, .. } => Self::Allowed { number, count, perhaps: 0 },
            Self::NobodyConcerned => self,
        }
    }

    fn share(self) -> Option<Points> {
        match self {
            Self::Share { good, bad, of } => Some(Points::share(good, bad, of)),
            Self::Allowed { number, count, perhaps } => {
                let least = |count: u64| if count <= number { WHOLE } else { Points::share(number, 0, count).low };
                Some(Points { low: least(count.saturating_add(perhaps)), high: least(count) })
            }
            Self::NobodyConcerned => None,
        }
    }
}

/// One indicator with its reading.
#[derive(Debug)]
pub(crate) struct Gauge {
    pub(crate) probe: &'static Probe,
    /// What a server counts has none of its own and stands in the middle.
    pub(crate) severity: Severity,
    pub(crate) raw: Raw,
    title: String,
    numerator: u64,
    pub(crate) population: u64,
    pub(crate) assessed: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    pub(crate) query: String,
    pub(crate) query_not_assessed: Option<String>,
    pub(crate) why_not: Option<&'static str>,
    pub(crate) remedy: String,
}

impl Gauge {
    pub(crate) fn of(probe: &'static Probe, evidence: &Evidence<'_>) -> Self {
        match probe.measure {
            Measure::Asked(id) => match find(evidence.checked, id) {
                Some(checked) => Self::asked(probe, checked, evidence.accounts),
                None => Self::unread(probe, id.to_owned(), String::new(), NOTHING, String::new()),
            },
            Measure::Own { told, title, remedy } => {
                let mut gauge =
                    Self::unread(probe, title.to_owned(), told.look().to_owned(), OFFLINE, remedy.to_owned());
                if let Some(tally) = evidence.own.tally(told) {
                    gauge.count(tally.good, tally.known, tally.of);
                    (gauge.oldest, gauge.newest) = (Some(tally.oldest), Some(tally.newest));
                    gauge.why_not = match (tally.of, tally.of - tally.known) {
                        (0, _) => Some(NOTHING),
                        (_, 0) => None,
                        _ => Some("of some of them it is not known"),
                    };
                }
                gauge
            }
            Measure::Sources => Self::sources(probe, evidence),
        }
    }

    fn unread(probe: &'static Probe, title: String, query: String, why: &'static str, remedy: String) -> Self {
        Self {
            probe,
            severity: Severity::Medium,
            raw: Raw::Share { good: 0, bad: 0, of: 0 },
            title,
            numerator: 0,
            population: 0,
            assessed: 0,
            oldest: None,
            newest: None,
            query,
            query_not_assessed: None,
            why_not: Some(why),
            remedy,
        }
    }

    fn count(&mut self, good: u64, known: u64, of: u64) {
        self.raw = Raw::Share { good, bad: known - good, of };
        (self.numerator, self.assessed, self.population) = (good, known, of);
    }

    fn asked(probe: &'static Probe, checked: &Checked, accounts: bool) -> Self {
        let mut gauge =
            Self::unread(probe, checked.title.clone(), checked.query.clone(), NOTHING, checked.remedy.clone());
        gauge.severity = checked.severity;
        (gauge.oldest, gauge.newest) = (checked.evidence_from, checked.evidence_until);
        gauge.query_not_assessed = Some(checked.query_not_assessed.clone());
        gauge.why_not = checked.reasons.iter().max_by_key(|reason| reason.count).map(|reason| reason.why);
        gauge.population = checked.population;
        match checked.allowed {
            _ if checked.population == 0 && !(probe.vacuous && accounts) => gauge.why_not = Some(NOTHING),
            // None at all are no more than may be.
            Some(allowed) => {
                gauge.assessed = checked.population.saturating_sub(checked.not_assessed);
                gauge.numerator = gauge.assessed.saturating_sub(allowed.beyond);
                gauge.raw =
                    Raw::Allowed { number: allowed.number, count: allowed.count, perhaps: checked.not_assessed };
            }
            None if checked.population == 0 => {
                (gauge.raw, gauge.why_not) = (Raw::NobodyConcerned, Some(NOBODY));
            }
            None => {
                // Whoever may not be concerned at all has not certainly passed.
                let good = checked.passed.saturating_sub(checked.passed_perhaps);
                gauge.count(good, good + checked.found, checked.population);
            }
        }
        if gauge.why_not.is_none() && gauge.assessed < gauge.population {
            gauge.why_not = Some("of some it is not known whether it concerns them");
        }
        gauge
    }

    /// Whether what is known is known of lately.
    fn sources(probe: &'static Probe, evidence: &Evidence<'_>) -> Self {
        let limit = evidence.as_of.minus(Duration::from_secs(evidence.source_days.saturating_mul(86_400)));
        let mut gauge = Self::unread(
            probe,
            format!("Sources imported within {} days", evidence.source_days),
            "countersign estate list".to_owned(),
            NOTHING,
            "Import each source again, and let it be done by a schedule.".to_owned(),
        );
        let of = evidence.sources.len() as u64;
        let good = evidence.sources.iter().filter(|source| source.at >= limit).count() as u64;
        gauge.count(good, of, of);
        gauge.oldest = evidence.sources.iter().map(|source| source.at).min();
        gauge.newest = evidence.sources.iter().map(|source| source.at).max();
        if of > 0 {
            gauge.why_not = None;
        }
        gauge
    }

    pub(crate) const fn id(&self) -> &'static str {
        self.probe.id()
    }

    pub(crate) fn read(&self, raw: Raw) -> Option<Points> {
        raw.share().map(|share| self.probe.scale.score(share))
    }

    /// `None`: there is nobody whom it concerns.
    pub(crate) fn points(&self) -> Option<Points> {
        self.read(self.raw)
    }

    /// Nothing could be told.
    fn is_dark(&self, points: Points) -> bool {
        self.assessed == 0 && points.low == 0
    }

    pub(crate) fn state(&self) -> Option<State> {
        let points = self.points()?;
        Some(match points {
            _ if self.is_dark(points) => State::NotAssessed,
            Points { low: WHOLE, .. } => State::InPlace,
            Points { high, .. } if high < INITIAL => State::NotInPlace,
            _ if self.numerator > 0 => State::Partial,
            _ => State::NotAssessed,
        })
    }

    pub(crate) fn stage(&self) -> Option<Stage> {
        let points = self.points()?;
        Some(if self.is_dark(points) { Stage::NotAssessed } else { Stage::of(points) })
    }

    pub(crate) fn found(&self) -> u64 {
        self.assessed.saturating_sub(self.numerator)
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn told(&self) -> Measured {
        Measured {
            id: self.id(),
            title: self.title.clone(),
            numerator: self.numerator,
            population: self.population,
            assessed: self.assessed,
            score: self.points().unwrap_or(Points::UNKNOWN).into(),
            state: self.state(),
            stage: self.stage(),
            oldest: self.oldest,
            newest: self.newest,
            query: self.query.clone(),
            query_not_assessed: self.query_not_assessed.clone(),
            gating: self.probe.gating,
            why_not_assessed: self.why_not,
            remedy: self.remedy.clone(),
        }
    }
}
