//! The five areas with their controls and the indicators of each: a table, and the words to write it in. What can only be said by a person
//! is a control without indicators.

mod device;
mod governance;
mod identity;
mod network;
mod privileged;

use super::Sequence;
use crate::interval::Scale;
use crate::own::Told;
use crate::steps::Effort;

#[derive(Debug)]
pub(crate) struct AreaDefined {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) controls: &'static [ControlDefined],
}

#[derive(Debug)]
pub(crate) struct ControlDefined {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) requirement: &'static str,
    pub(crate) sequence: Sequence,
    /// None: nothing can be measured, and somebody has to answer for it.
    pub(crate) probes: &'static [Probe],
}

/// What an indicator is read from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// An indicator of the health check, or one of those that only the map asks, by its id.
    Asked(&'static str),
    /// A running server counts it.
    Own { told: Told, title: &'static str, remedy: &'static str },
    /// The age of what was imported.
    Sources,
}

/// What mending it does to the graph, so that its effect can be counted before it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cure {
    /// It changes nothing that the graph has, or nobody can say which edge.
    None,
    /// The accounts that were found are disabled.
    Disable,
    /// Their memberships are taken away.
    LeaveGroups,
    /// The membership of one group in another is taken away, at the first place on their way to tier zero.
    Unnest,
    /// The first right on their way to tier zero is taken away.
    RemoveRight,
    /// Privileged accounts sign in on the devices that were found no more.
    EndSessions,
}

/// How much work it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// One change for all of them.
    Once(Effort),
    /// Each by itself.
    Each,
}

/// One indicator of a control.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) measure: Measure,
    /// The stage of the area is never better than its.
    pub(crate) gating: bool,
    pub(crate) scale: Scale,
    pub(crate) cure: Cure,
    pub(crate) work: Work,
    /// That it concerns nobody is known, wherever there are accounts at all.
    pub(crate) vacuous: bool,
}

impl Probe {
    pub(crate) const fn id(&self) -> &'static str {
        match self.measure {
            Measure::Asked(id) => id,
            Measure::Own { told, .. } => told.name(),
            Measure::Sources => "sources-current",
        }
    }

    const fn gating(self) -> Self {
        Self { gating: true, ..self }
    }

    const fn strict(self) -> Self {
        Self { scale: Scale::STRICT, ..self }
    }

    const fn cure(self, cure: Cure) -> Self {
        Self { cure, ..self }
    }

    const fn once(self, effort: Effort) -> Self {
        Self { work: Work::Once(effort), ..self }
    }

    const fn vacuous(self) -> Self {
        Self { vacuous: true, ..self }
    }
}

const fn probe(measure: Measure) -> Probe {
    Probe { measure, gating: false, scale: Scale::GROWING, cure: Cure::None, work: Work::Each, vacuous: false }
}

const fn asked(id: &'static str) -> Probe {
    probe(Measure::Asked(id))
}

const fn own(told: Told, title: &'static str, remedy: &'static str) -> Probe {
    probe(Measure::Own { told, title, remedy }).once(Effort::Medium)
}

/// All of them, in the order of the requirements.
pub(crate) const fn areas() -> &'static [AreaDefined] {
    &AREAS
}

static AREAS: [AreaDefined; 5] = [
    AreaDefined { id: "identity", title: "Identity", controls: &identity::CONTROLS },
    AreaDefined { id: "device", title: "Device", controls: &device::CONTROLS },
    AreaDefined { id: "network", title: "Network", controls: &network::CONTROLS },
    AreaDefined { id: "privileged-access", title: "Privileged access", controls: &privileged::CONTROLS },
    AreaDefined {
        id: "visibility-and-governance",
        title: "Visibility and governance",
        controls: &governance::CONTROLS,
    },
];
