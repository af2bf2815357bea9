//! Who did, and what somebody did: allowed decisions of the ledger in a span of time, each access counted once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use countersign_ledger::{Entry, EntryBody, Ledger, ReadError};
use countersign_model::{Action, Decision, DecisionId, ObservedBecause, ResourceId, SubjectId, Timestamp};

use super::{AskError, Tick};
use crate::Administrator;

/// Entries that one question reads at most.
const MOST: usize = 5_000_000;

/// What is absent does not narrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidFilter {
    pub subject: Option<SubjectId>,
    pub resource: Option<ResourceId>,
    pub action: Option<Action>,
    /// The first instant that counts.
    pub from: Timestamp,
    /// The first instant that does not count any more.
    pub to: Timestamp,
}

/// Somebody's use of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    pub subject: SubjectId,
    pub resource: ResourceId,
    pub action: Action,
    pub count: u64,
    /// How many of them only observe mode of the resource let through.
    pub observed: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The last decision that allowed it.
    pub decision: DecisionId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// By subject, resource and action.
    pub items: Vec<Doing>,
    /// How many entries were read.
    pub read: usize,
    /// Where the answer ends early: entries before this index are archived.
    pub archived: Option<u64>,
    /// The earliest instant that the answer reaches back to, where the span holds more entries than are read.
    pub since: Option<Timestamp>,
}

/// Why the ledger gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DidError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// The first entry that is not before `instant`: entries stand in the order of their time.
fn first_at(ledger: &Ledger, instant: Timestamp) -> Result<u64, ReadError> {
    let (mut low, mut high) = (0, ledger.size());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = match ledger.entry(middle) {
            Ok(entry) => entry.is_some_and(|entry| entry.at < instant),
            Err(ReadError::Archived { .. }) => true,
            Err(error) => return Err(error),
        };
        if before { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

impl Administrator {
    /// Reads files.
    pub fn did(&self, filter: &DidFilter, tick: Tick<'_>) -> Result<Done, DidError> {
        let ledger = self.ledger();
        let end = first_at(ledger, filter.to)?;
        let mut found: BTreeMap<(SubjectId, ResourceId, String), Doing> = BTreeMap::new();
        let mut done = Done { items: Vec::new(), read: 0, archived: None, since: None };
        for entry in ledger.scan_back(end) {
            let (_, entry) = match entry {
                Ok(entry) => entry,
                Err(ReadError::Archived { before }) => {
                    done.archived = Some(before);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            if entry.at < filter.from {
                break;
            }
            if done.read >= MOST {
                done.since = Some(entry.at);
                break;
            }
            done.read += 1;
            if done.read.is_multiple_of(4096) && tick(done.read, 0) == ControlFlow::Break(()) {
                return Err(AskError::Cancelled.into());
            }
            let Some(one) = allowed(entry, filter) else { continue };
            let key = (one.subject.clone(), one.resource.clone(), one.action.to_string());
            match found.get_mut(&key) {
                Some(known) => {
                    known.count += 1;
                    known.observed += one.observed;
                    known.first = known.first.min(one.first);
                }
                None => {
                    found.insert(key, one);
                }
            }
        }
        done.items = found.into_values().collect();
        Ok(done)
    }
}

/// A first decision that gave access; one that was made again while access lasted is the same access.
fn allowed(entry: Entry, filter: &DidFilter) -> Option<Doing> {
    let EntryBody::Decision(decision) = entry.body else { return None };
    let allowed = matches!(decision.decision, Decision::Allow(_)) && decision.supersedes.is_none();
    let (asked, at) = (decision.question, entry.at);
    let resource = asked.resource.filter(|_| allowed)?;
    let fits = filter.subject.as_ref().is_none_or(|subject| *subject == asked.subject)
        && filter.resource.as_ref().is_none_or(|wanted| *wanted == resource)
        && filter.action.is_none_or(|action| action == asked.action);
    let one = Doing {
        subject: asked.subject,
        resource,
        action: asked.action,
        count: 1,
        observed: u64::from(
            decision.observed.as_ref().is_some_and(|observed| observed.because == ObservedBecause::Resource),
        ),
        first: at,
        last: at,
        decision: decision.id,
    };
    fits.then_some(one)
}
