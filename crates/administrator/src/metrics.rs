//! The measures that every decision or every lease touches, looked up once. What happens rarely looks its own up where it
//! happens.

use std::fmt;
use std::time::Duration;

use countersign_model::{Decision, Observed, ObservedBecause};
use metrics::{Counter, Gauge, Histogram};

pub(crate) struct Metrics {
    pub(crate) leases: Gauge,
    pub(crate) cause_to_cut: Histogram,
    decision: Histogram,
    allowed: Counter,
    challenged: Counter,
    denied: Counter,
    observed_resource: Counter,
    observed_policies: Counter,
}

impl Metrics {
    /// Of the recorder that is installed now; nothing is counted where none is.
    pub(crate) fn find() -> Self {
        let decisions = |effect: &'static str| metrics::counter!("countersign_decisions_total", "effect" => effect);
        let observed = |because: ObservedBecause| metrics::counter!("countersign_observed_decisions_total", "because" => because.name());
        Self {
            leases: metrics::gauge!("countersign_leases"),
            cause_to_cut: metrics::histogram!("countersign_cause_to_cut_seconds"),
            decision: metrics::histogram!("countersign_decision_seconds"),
            allowed: decisions("allow"),
            challenged: decisions("challenge"),
            denied: decisions("deny"),
            observed_resource: observed(ObservedBecause::Resource),
            observed_policies: observed(ObservedBecause::Policies),
        }
    }

    pub(crate) fn decided(&self, decision: &Decision, took: Duration) {
        self.decision.record(took.as_secs_f64());
        match decision {
            Decision::Allow(_) => &self.allowed,
            Decision::Challenge(_) => &self.challenged,
            Decision::Deny(_) => &self.denied,
        }
        .increment(1);
    }

    /// A decision in which observe mode made a difference.
    pub(crate) fn observed(&self, observed: Option<&Observed>) {
        match observed.map(|observed| observed.because) {
            Some(ObservedBecause::Resource) => self.observed_resource.increment(1),
            Some(ObservedBecause::Policies) => self.observed_policies.increment(1),
            None => {}
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
