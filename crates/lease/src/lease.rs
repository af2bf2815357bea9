//! A live permission. Not `Clone`, no public constructor: only the gate makes one, and dropping it records its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_ledger::Receipt;
use countersign_model::{DecisionId, LeaseId};

use crate::{Admission, Authority, Principal, Revocation, Tether, Watch};

/// Holds the access open. Whatever was opened with it must be closed when [`Watch::revoked`] completes; the body or
/// the tunnel that owns the lease sees to that.
#[derive(Debug)]
pub struct Lease {
    admission: Admission,
    tether: Tether,
    usage: Arc<Usage>,
    authority: Arc<dyn Authority>,
}

/// Bytes that went through, counted by the enforcement point.
#[derive(Debug, Default)]
pub struct Usage {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Usage {
    /// Towards the client.
    pub fn add_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// From the client.
    pub fn add_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// What the authority is told when a lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub lease: LeaseId,
    pub decision: DecisionId,
    pub reason: EndReason,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// Either side was done.
    Completed,
    Revoked(Revocation),
}

impl Lease {
    // INVARIANT: called by `Gate::open` alone.
    pub(crate) fn new(admission: Admission, tether: Tether, authority: Arc<dyn Authority>) -> Self {
        Self { admission, tether, usage: Arc::default(), authority }
    }

    pub const fn id(&self) -> LeaseId {
        self.admission.lease
    }

    pub const fn decision(&self) -> DecisionId {
        self.admission.decision
    }

    /// Where in the ledger the decision stands.
    pub const fn receipt(&self) -> &Receipt {
        &self.admission.receipt
    }

    pub fn principal(&self) -> &Principal {
        &self.admission.principal
    }

    /// For the parts of one access that the lease itself does not sit in, such as the request body.
    pub fn watch(&self) -> Watch {
        self.tether.watch()
    }

    /// For an enforcement point that must end its accesses itself, such as a node that stops. It can only take away.
    pub fn tether(&self) -> Tether {
        self.tether.clone()
    }

    pub fn usage(&self) -> Arc<Usage> {
        Arc::clone(&self.usage)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let reason = match self.tether.watch().revocation() {
            Some(revocation) => EndReason::Revoked(revocation.clone()),
            None => EndReason::Completed,
        };
        self.authority.end(Ended {
            lease: self.admission.lease,
            decision: self.admission.decision,
            reason,
            bytes_sent: self.usage.sent(),
            bytes_received: self.usage.received(),
        });
    }
}
