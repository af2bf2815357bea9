//! The measures that every decision or every lease touches, looked up once. What happens rarely looks its own up where it
//! happens.

use std::fmt;
use std::time::Duration;

use countersign_model::Decision;
use metrics::{Counter, Gauge, Histogram};

pub(crate) struct Metrics {
    pub(crate) leases: Gauge,
    pub(crate) cause_to_cut: Histogram,
    decision: Histogram,
    allowed: Counter,
    challenged: Counter,
    denied: Counter,
}

impl Metrics {
    /// Of the recorder that is installed now; nothing is counted where none is.
    pub(crate) fn find() -> Self {
        let decisions = |effect: &'static str| metrics::counter!("countersign_decisions_total", "effect" => effect);
        Self {
            leases: metrics::gauge!("countersign_leases"),
            cause_to_cut: metrics::histogram!("countersign_cause_to_cut_seconds"),
            decision: metrics::histogram!("countersign_decision_seconds"),
            allowed: decisions("allow"),
            challenged: decisions("challenge"),
            denied: decisions("deny"),
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
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
