//! What the policies are shown of a record, as the ledger names it: worked out when the first decision needs it, and
//! where it was last recorded. A changed record is another one, so nothing here ever changes but that place.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_ledger::{SHOWN_AGAIN, shown_id};
use countersign_model::ShownId;
use countersign_policy::{Record, Symbols};

/// Two words: most of a million subjects are asked about by nobody.
#[derive(Debug, Default)]
pub(crate) struct ShownOnce(OnceLock<Option<Box<Noted>>>);

#[derive(Debug)]
struct Noted {
    id: ShownId,
    /// One more than the index of the entry; 0 before there is one.
    recorded: AtomicU64,
}

impl ShownOnce {
    /// `None` where it cannot be recorded: it is too large for an entry.
    pub(crate) fn id(&self, record: &Record, symbols: &Symbols) -> Option<ShownId> {
        let note = || {
            let id = shown_id(&record.shown(symbols)?)?;
            Some(Box::new(Noted { id, recorded: AtomicU64::new(0) }))
        };
        self.0.get_or_init(note).as_ref().map(|noted| noted.id)
    }

    /// As [`id`](Self::id), where that has been asked before.
    pub(crate) fn known(&self) -> Option<ShownId> {
        self.0.get()?.as_ref().map(|noted| noted.id)
    }

    /// Whether the ledger, which has `reached` entries, has to be told of it before it is told of a decision.
    pub(crate) fn due(&self, reached: u64) -> bool {
        let Some(Some(noted)) = self.0.get() else { return false };
        match noted.recorded.load(Ordering::Acquire) {
            0 => true,
            place => reached.saturating_sub(place) >= SHOWN_AGAIN,
        }
    }

    /// Durable, as the entry `index`.
    pub(crate) fn recorded(&self, index: u64) {
        if let Some(Some(noted)) = self.0.get() {
            noted.recorded.fetch_max(index + 1, Ordering::AcqRel);
        }
    }
}
