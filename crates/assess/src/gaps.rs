//! The gap map: five areas and their controls, each decided from indicators over evidence. An indicator keeps how many passed, of how
//! many, how many of those could be told, and the query that shows them; a score is an interval; the stage of an area is that of
//! its weakest gating indicator. Nothing that was not assessed reads as passed. What it all means stands in docs/gaps.md.

mod areas;
mod gauge;
mod more;

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::Checked;
use crate::interval::{INITIAL, Interval, Points, Stage, WHOLE};
use crate::own::Attestation;

pub(crate) use areas::{ControlDefined, Cure, Measure, Probe, Work, areas};
pub(crate) use gauge::{Evidence, Gauge, Raw};
pub(crate) use more::more;

/// Whether a control is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    NotInPlace,
    NotAssessed,
    Partial,
    InPlace,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotInPlace => "not in place",
            Self::NotAssessed => "not assessed",
            Self::Partial => "partial",
            Self::InPlace => "in place",
        }
    }

    /// Of several together: in place only if all are, and partial as soon as something is. `None`: of none.
    pub(crate) fn together(states: impl Iterator<Item = Self>) -> Option<Self> {
        let (mut all, mut some, mut none, mut any) = (true, false, false, false);
        for state in states {
            any = true;
            all &= state == Self::InPlace;
            some |= matches!(state, Self::InPlace | Self::Partial);
            none |= state == Self::NotInPlace;
        }
        any.then_some(match (all, some, none) {
            (true, ..) => Self::InPlace,
            (_, true, _) => Self::Partial,
            (_, _, true) => Self::NotInPlace,
            _ => Self::NotAssessed,
        })
    }
}

/// The right order: what each step rests on is what stands before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sequence {
    Identity,
    InventoryAndClassification,
    TrustBoundariesAndFlows,
    MfaAndConditionalAccess,
    DevicePosture,
    SegmentationOfCriticalAssets,
    ContinuousMonitoring,
}

impl Sequence {
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::InventoryAndClassification,
        Self::TrustBoundariesAndFlows,
        Self::MfaAndConditionalAccess,
        Self::DevicePosture,
        Self::SegmentationOfCriticalAssets,
        Self::ContinuousMonitoring,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::InventoryAndClassification => "inventory and classification",
            Self::TrustBoundariesAndFlows => "trust boundaries and flows",
            Self::MfaAndConditionalAccess => "MFA and conditional access",
            Self::DevicePosture => "device posture",
            Self::SegmentationOfCriticalAssets => "segmentation of critical assets",
            Self::ContinuousMonitoring => "continuous monitoring",
        }
    }
}

/// The whole map.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GapMap {
    /// The mean of the areas.
    pub score: Interval,
    /// In the order of the requirements; [`GapMap::weakest_first`] is another.
    pub areas: Vec<Area>,
    /// The earliest step of the right order that does not stand: whatever is done in a later one rests on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest_skipped: Option<Sequence>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Area {
    pub id: &'static str,
    pub title: &'static str,
    /// The mean of its controls.
    pub score: Interval,
    pub stage: Stage,
    /// The indicator that the stage is that of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gating: Option<&'static str>,
    pub controls: Vec<Control>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Control {
    pub id: &'static str,
    pub title: &'static str,
    pub requirement: &'static str,
    pub sequence: Sequence,
    pub state: State,
    /// The mean of its indicators. Without any: what is attested, or unknown.
    pub score: Interval,
    pub measured: Vec<Measured>,
    /// In force on the date; beside evidence it is shown and no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attested: Option<Attestation>,
    /// The last attestation, where none is in force any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Attestation>,
}

/// One indicator, measured. `numerator <= assessed <= population`.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    pub id: &'static str,
    pub title: String,
    /// What is certain to be as it should.
    pub numerator: u64,
    /// Everybody whom it concerns, or of whom that is not known.
    pub population: u64,
    /// Of how many it could be told.
    pub assessed: u64,
    pub score: Interval,
    /// `None`: there is nobody whom it concerns.
    pub state: Option<State>,
    pub stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
    /// Selects what is wrong: a query of the inventory, or the command that lists what a running server counted.
    pub query: String,
    /// Selects what could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_not_assessed: Option<String>,
    pub gating: bool,
    /// The chief reason why something could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_assessed: Option<&'static str>,
    pub remedy: String,
}

impl Measured {
    /// How many are known to be wrong.
    pub fn found(&self) -> u64 {
        self.assessed.saturating_sub(self.numerator)
    }

    /// The assessed share, in percent.
    pub fn assessed_share(&self) -> Interval {
        Interval::share(self.assessed, self.population.saturating_sub(self.assessed), self.population)
    }
}

impl GapMap {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Gauged {
        let areas = areas()
            .iter()
            .map(|area| GaugedArea {
                id: area.id,
                title: area.title,
                controls: area.controls.iter().map(|control| GaugedControl::of(control, evidence)).collect(),
            })
            .collect();
        Gauged { areas }
    }

    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.areas.iter().flat_map(|area| &area.controls)
    }

    pub fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.controls().flat_map(|control| &control.measured)
    }

    pub fn find(&self, indicator: &str) -> Option<&Measured> {
        self.measured().find(|measured| measured.id == indicator)
    }

    /// Where somebody's word stands against evidence: a control that is said to be in place while something of it is known to be
    /// wrong, or said to be begun while it is not; with what is most wrong.
    pub fn contradicted(&self) -> impl Iterator<Item = (&Control, &Attestation, &Measured)> {
        self.controls().filter_map(|control| {
            let word = control.attested.as_ref()?;
            let against = match word.claim {
                State::InPlace => true,
                State::Partial => control.state == State::NotInPlace,
                State::NotInPlace | State::NotAssessed => false,
            };
            let wrong = control.measured.iter().filter(|measured| measured.found() > 0);
            let worst = wrong.max_by_key(|measured| (measured.gating, measured.found()))?;
            against.then_some((control, word, worst))
        })
    }

    /// The areas, the weakest link first.
    pub fn weakest_first(&self) -> Vec<&Area> {
        let mut areas: Vec<&Area> = self.areas.iter().collect();
        areas.sort_by(|one, other| {
            let low = one.score.at_least.total_cmp(&other.score.at_least);
            one.stage.cmp(&other.stage).then(low).then(one.score.at_most.total_cmp(&other.score.at_most))
        });
        areas
    }
}

/// The map with what it was counted from, so that it can be counted again with something changed.
#[derive(Debug)]
pub(crate) struct Gauged {
    pub(crate) areas: Vec<GaugedArea>,
}

#[derive(Debug)]
pub(crate) struct GaugedArea {
    pub(crate) id: &'static str,
    title: &'static str,
    pub(crate) controls: Vec<GaugedControl>,
}

#[derive(Debug)]
pub(crate) struct GaugedControl {
    pub(crate) defined: &'static ControlDefined,
    pub(crate) gauges: Vec<Gauge>,
    attested: Option<Attestation>,
    lapsed: Option<Attestation>,
}

impl GaugedControl {
    fn of(defined: &'static ControlDefined, evidence: &Evidence<'_>) -> Self {
        let gauges: Vec<Gauge> = defined.probes.iter().map(|probe| Gauge::of(probe, evidence)).collect();
        let (attested, lapsed) = evidence.own.attested(defined.id, evidence.as_of);
        Self { defined, gauges, attested: attested.cloned(), lapsed: lapsed.cloned() }
    }

    /// With one of its gauges read otherwise. `None`: it concerns nobody.
    fn points(&self, instead: Option<(&Gauge, Raw)>) -> Option<Points> {
        if self.gauges.is_empty() {
            // INVARIANT: somebody's word counts only where nothing can be measured.
            return Some(match self.attested.as_ref().map(|word| word.claim) {
                Some(State::InPlace) => Points::ALL,
                Some(State::Partial) => Points { low: INITIAL, high: WHOLE },
                Some(State::NotInPlace) => Points { low: 0, high: INITIAL },
                Some(State::NotAssessed) | None => Points::UNKNOWN,
            });
        }
        Points::mean(self.gauges.iter().filter_map(|gauge| match instead {
            Some((other, raw)) if std::ptr::eq(other, gauge) => gauge.read(raw),
            _ => gauge.points(),
        }))
    }

    fn state(&self) -> State {
        let claim = self.attested.as_ref().map(|word| word.claim);
        if self.gauges.is_empty() {
            return claim.unwrap_or(State::NotAssessed);
        }
        let states = || self.gauges.iter().filter_map(|gauge| Some((gauge.state()?, gauge.probe.gating)));
        if states().any(|(state, gating)| gating && state == State::NotInPlace) {
            return State::NotInPlace;
        }
        match State::together(states().map(|(state, _)| state)).unwrap_or(State::NotAssessed) {
            // INVARIANT: an attestation never outranks evidence, and where evidence is possible never says "in place".
            State::NotAssessed => claim.map_or(State::NotAssessed, |claim| claim.min(State::Partial)),
            state => state,
        }
    }

    /// Whether something of it is certainly begun.
    fn stands(&self) -> bool {
        let begun = |gauge: &Gauge| gauge.points().is_none_or(|points| points.low >= INITIAL);
        let gating = self.gauges.iter().filter(|gauge| gauge.probe.gating);
        matches!(self.state(), State::InPlace | State::Partial) && gating.into_iter().all(begun)
    }

    fn told(&self) -> Control {
        Control {
            id: self.defined.id,
            title: self.defined.title,
            requirement: self.defined.requirement,
            sequence: self.defined.sequence,
            state: self.state(),
            score: self.points(None).unwrap_or(Points::UNKNOWN).into(),
            measured: self.gauges.iter().map(Gauge::told).collect(),
            attested: self.attested.clone(),
            lapsed: self.lapsed.clone(),
        }
    }
}

impl GaugedArea {
    fn points(&self, instead: Option<(&Gauge, Raw)>) -> Points {
        let controls = self.controls.iter().filter_map(|control| control.points(instead));
        Points::mean(controls).unwrap_or(Points::UNKNOWN)
    }

    /// The weakest gating indicator; of two the one with the lower score.
    fn weakest(&self) -> Option<(Stage, &Gauge)> {
        let gauges = self.controls.iter().flat_map(|control| &control.gauges).filter(|gauge| gauge.probe.gating);
        let staged = gauges.filter_map(|gauge| Some((gauge.stage()?, gauge.points()?, gauge)));
        staged
            .min_by_key(|(stage, points, _)| (*stage, points.low, points.high))
            .map(|(stage, _, gauge)| (stage, gauge))
    }

    fn told(&self) -> Area {
        let weakest = self.weakest();
        Area {
            id: self.id,
            title: self.title,
            score: self.points(None).into(),
            stage: weakest.map_or(Stage::NotAssessed, |(stage, _)| stage),
            gating: weakest.map(|(_, gauge)| gauge.id()),
            controls: self.controls.iter().map(GaugedControl::told).collect(),
        }
    }
}

impl Gauged {
    /// The whole score, with one gauge read otherwise.
    pub(crate) fn points(&self, instead: Option<(&Gauge, Raw)>) -> Points {
        Points::mean(self.areas.iter().map(|area| area.points(instead))).unwrap_or(Points::UNKNOWN)
    }

    /// Whether all controls of a step stand.
    pub(crate) fn stands(&self, sequence: Sequence) -> bool {
        let controls = self.areas.iter().flat_map(|area| &area.controls);
        controls.into_iter().filter(|control| control.defined.sequence == sequence).all(GaugedControl::stands)
    }

    pub(crate) fn map(&self) -> GapMap {
        GapMap {
            score: self.points(None).into(),
            areas: self.areas.iter().map(GaugedArea::told).collect(),
            earliest_skipped: Sequence::ALL.into_iter().find(|sequence| !self.stands(*sequence)),
        }
    }
}

/// A control or indicator as it is defined, for documentation and help: area, control and its indicators' ids.
pub fn definitions() -> impl Iterator<Item = Defined> {
    let controls = areas().iter().flat_map(|area| area.controls.iter().map(move |control| (area.id, control)));
    controls.map(|(area, control)| Defined {
        area,
        control: control.id,
        title: control.title,
        requirement: control.requirement,
        sequence: control.sequence,
        indicators: control
            .probes
            .iter()
            .map(|probe| DefinedIndicator { id: probe.id(), gating: probe.gating, bands: probe.scale.percent() })
            .collect(),
    })
}

/// A control, before anything was measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Defined {
    pub area: &'static str,
    pub control: &'static str,
    pub title: &'static str,
    pub requirement: &'static str,
    pub sequence: Sequence,
    /// None: it can only be attested.
    pub indicators: Vec<DefinedIndicator>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DefinedIndicator {
    pub id: &'static str,
    pub gating: bool,
    /// Initial, advanced and optimal begin at these shares, in percent.
    pub bands: [u32; 3],
}

/// What was asked of the inventory under this id.
pub(crate) fn find<'c>(checked: &[&'c Checked], id: &str) -> Option<&'c Checked> {
    checked.iter().copied().find(|one| one.id == id)
}
