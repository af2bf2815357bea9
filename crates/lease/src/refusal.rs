//! No lease. A refusal is a value with a reason, not an error.

use countersign_model::{DecisionId, Remedy};

/// What an enforcement point may know of a refusal. The whole decision is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Absent only where nothing could be recorded.
    pub decision: Option<DecisionId>,
    pub kind: RefusalKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalKind {
    /// Denied, unknown resource, unknown subject: from outside all the same. `remedy` is what the configuration lets
    /// this subject be told.
    Denied { remedy: Option<Remedy> },
    /// The subject can do something about it now.
    Challenged { remedy: Remedy },
    /// Nothing could be recorded, or the world is too old: no record, no access.
    Unavailable,
    /// Shed before it was decided.
    Overloaded,
}
