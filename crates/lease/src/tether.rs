//! The line between the administrator, who can cut a lease, and whoever holds it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use countersign_model::{DecisionId, Timestamp};
use tokio::sync::Notify;

/// Why a lease was cut, and by which decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub cause: RevocationCause,
    /// When the cause was observed; what "time from cause to last byte" is measured from.
    pub at: Timestamp,
    /// The decision that no longer grants it, where there is one.
    pub decision: Option<DecisionId>,
    /// One plain sentence for the person who is cut off.
    pub message: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationCause {
    /// Decided again after a fact changed, and no longer granted.
    FactChanged,
    /// Decided again because time passed: a fact grew stale, an hour or a limit was reached.
    TimePassed,
    /// Decided again under a new policy set or configuration.
    PolicyChanged,
    /// The session ended: signed out, killed, logged out by its provider, expired.
    SessionEnded,
    /// The record that this access rests on could not be kept.
    RecordFailed,
    /// This node is going down.
    Shutdown,
}

impl RevocationCause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::FactChanged => "fact-changed",
            Self::TimePassed => "time-passed",
            Self::PolicyChanged => "policy-changed",
            Self::SessionEnded => "session-ended",
            Self::RecordFailed => "record-failed",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for RevocationCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Default)]
struct Line {
    revocation: OnceLock<Revocation>,
    cut: Notify,
}

/// The administrator's end: can cut, once. Cloned freely; holding one keeps nothing alive upstream.
#[derive(Debug, Clone, Default)]
pub struct Tether(Arc<Line>);

impl Tether {
    /// Cuts the lease. The first cause stays; whether this call was the first is returned.
    pub fn cut(&self, revocation: Revocation) -> bool {
        let first = self.0.revocation.set(revocation).is_ok();
        self.0.cut.notify_waiters();
        first
    }

    pub fn is_cut(&self) -> bool {
        self.0.revocation.get().is_some()
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.0))
    }
}

/// The holder's end: sees the cut, and can do nothing else.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Line>);

impl Watch {
    pub fn revocation(&self) -> Option<&Revocation> {
        self.0.revocation.get()
    }

    /// Completes when the lease has been cut; at once if it already was.
    pub async fn revoked(&self) -> Revocation {
        loop {
            // Registered before the check, so that a cut in between is not missed.
            let cut = self.0.cut.notified();
            if let Some(revocation) = self.0.revocation.get() {
                return revocation.clone();
            }
            cut.await;
        }
    }
}
