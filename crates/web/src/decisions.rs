//! Recorded decisions as lists and as streams, for the console and the API alike.

use std::sync::Arc;

use countersign_administrator::Recorded;
use countersign_ledger::{Entry, Ledger, ReadError};
use countersign_model::Decision;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::rows::DecisionRow;
use crate::wire::{DecisionQuery, Effect};

/// So that a filter that fits nothing ends too; the next page goes on where this one stopped.
const LOOK_AT: usize = 20_000;

/// One page of decisions, newest first.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) rows: Vec<DecisionRow>,
    /// Where the next page begins.
    pub(crate) next: Option<u64>,
    /// Where the list ended because the entries before this index are archived.
    pub(crate) archived: Option<u64>,
}

/// Entries before `before`, newest first, down to what is archived: that ends them with the index before which it is.
pub(crate) fn at_hand(
    ledger: &Ledger,
    before: u64,
) -> impl Iterator<Item = Result<Result<(u64, Entry), u64>, ReadError>> + use<> {
    ledger.scan_back(before).map(|found| match found {
        Err(ReadError::Archived { before }) => Ok(Err(before)),
        found => found.map(Ok),
    })
}

/// Reads files: not for an async thread.
pub(crate) fn page(ledger: &Ledger, query: &DecisionQuery, limit: usize) -> Result<Listed, ReadError> {
    let before = query.cursor.as_ref().and_then(|cursor| cursor.parse().ok()).unwrap_or_else(|| ledger.size());
    let mut rows = Vec::new();
    let mut last = None;
    for (looked_at, found) in at_hand(ledger, before).enumerate() {
        let found = found?;
        if found.is_ok() && (rows.len() >= limit || looked_at >= LOOK_AT) {
            return Ok(Listed { rows, next: last, archived: None });
        }
        let (index, entry) = match found {
            Ok(found) => found,
            Err(before) => return Ok(Listed { rows, next: None, archived: Some(before) }),
        };
        last = Some(index);
        rows.extend(row(index, entry).filter(|row| covers(query, row)));
    }
    Ok(Listed { rows, next: None, archived: None })
}

/// The entry, if it is a decision.
pub(crate) fn row(index: u64, entry: Entry) -> Option<DecisionRow> {
    let at = entry.at;
    entry.body.into_decision().map(|entry| DecisionRow { index, at, entry })
}

/// One decision by its id.
pub(crate) fn find(ledger: &Ledger, id: countersign_model::DecisionId) -> Result<Option<DecisionRow>, ReadError> {
    Ok(ledger.find(id)?.and_then(|(index, entry)| row(index, entry)))
}

pub(crate) fn covers(query: &DecisionQuery, row: &DecisionRow) -> bool {
    let question = &row.entry.question;
    let effect = match row.entry.decision {
        Decision::Allow(_) => Effect::Allow,
        Decision::Challenge(_) => Effect::Challenge,
        Decision::Deny(_) => Effect::Deny,
    };
    let device = || question.circumstances.device.as_ref().map(|device| &device.id);
    query.effect.is_none_or(|wanted| wanted == effect)
        && query.subject.as_ref().is_none_or(|subject| *subject == question.subject)
        && query.resource.as_ref().is_none_or(|resource| Some(resource) == question.resource.as_ref())
        && query.device.as_ref().is_none_or(|id| Some(id) == device())
        && query.observed.is_none_or(|wanted| wanted == row.entry.observed.is_some())
}

/// What a listener gets: an entry, or how many it missed because it was too slow.
#[derive(Debug, Clone)]
pub(crate) enum Heard {
    Entry(Arc<Recorded>),
    Missed(u64),
}

impl Heard {
    pub(crate) fn decision(&self) -> Option<DecisionRow> {
        match self {
            Self::Entry(recorded) => row(recorded.index, recorded.entry.clone()),
            Self::Missed(_) => None,
        }
    }
}

/// Entries as they become durable, until the listener goes away or its lease is cut.
pub(crate) fn listen(receiver: Receiver<Arc<Recorded>>) -> impl Stream<Item = Heard> + Send {
    stream::unfold(receiver, |mut receiver| async {
        match receiver.recv().await {
            Ok(recorded) => Some((Heard::Entry(recorded), receiver)),
            Err(RecvError::Lagged(missed)) => Some((Heard::Missed(missed), receiver)),
            Err(RecvError::Closed) => None,
        }
    })
}
