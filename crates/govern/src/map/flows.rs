//! Who really reached what: the newest decisions of the ledger that let somebody through, on the map. What no policy lets through and what
//! nobody answers for is named: it is trust that nobody decided on.

use std::collections::BTreeMap;

use countersign_administrator::Administrator;
use countersign_estate::System;
use countersign_ledger::ReadError;
use countersign_model::{Decision, ObservedBecause, ResourceId, ResourceKind, SubjectId, Timestamp};
use serde::Serialize;

use super::Placed;
use crate::estate::Estate;
use crate::standing::Standing;

/// How many of the newest entries of the ledger are looked at.
const LOOK_AT: usize = 5_000;
/// How many kinds of implicit trust, and how many sums between two boxes, are told.
const MOST: usize = 50;

/// Accesses of one subject to one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    pub subject: SubjectId,
    pub resource: ResourceId,
    pub count: u64,
    pub last: Timestamp,
    pub implicit: Option<&'static str>,
}

/// Access that neither a policy nor a person decided on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImplicitTrust {
    pub subject: String,
    pub resource: String,
    pub count: u64,
    pub last: Timestamp,
    pub why: &'static str,
}

/// What the newest part of the ledger shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flows {
    pub flows: Vec<Flow>,
    /// How many entries were looked at, and when the oldest of them was made.
    pub entries: u64,
    pub since: Option<Timestamp>,
}

impl Flows {
    /// The first of what is implicit trust, the most frequent first, and how many there are.
    pub fn implicit(&self) -> (Vec<ImplicitTrust>, usize) {
        let mut found: Vec<ImplicitTrust> = self
            .flows
            .iter()
            .filter_map(|flow| {
                Some(ImplicitTrust {
                    subject: flow.subject.to_string(),
                    resource: flow.resource.to_string(),
                    count: flow.count,
                    last: flow.last,
                    why: flow.implicit?,
                })
            })
            .collect();
        found.sort_by(|one, other| {
            other
                .count
                .cmp(&one.count)
                .then_with(|| (&one.subject, &one.resource).cmp(&(&other.subject, &other.resource)))
        });
        let all = found.len();
        found.truncate(MOST);
        (found, all)
    }
}

/// Accesses from one thing on the map to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MapFlow {
    /// Places in the list of items.
    pub from: usize,
    pub to: usize,
    pub count: u64,
    /// Of them, those that neither a policy nor a person decided on.
    pub implicit: u64,
    pub last: Timestamp,
}

impl Estate {
    /// What the newest part of the ledger shows. Reads files, on a thread for that.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn flows(&self) -> Result<Flows, ReadError> {
        let administrator = self.0.administrator.clone();
        let read = tokio::task::spawn_blocking(move || observed(&administrator)).await;
        // A thread that broke off has told why.
        read.unwrap_or_else(|_| Ok(Flows::default()))
    }
}

fn observed(administrator: &Administrator) -> Result<Flows, ReadError> {
    let ledger = administrator.ledger();
    let mut seen = Flows::default();
    let mut flows: BTreeMap<(SubjectId, ResourceId), Flow> = BTreeMap::new();
    for found in ledger.scan_back(ledger.size()).take(LOOK_AT) {
        let (_, entry) = match found {
            Err(ReadError::Archived { .. }) => break,
            found => found?,
        };
        seen.entries += 1;
        seen.since = Some(entry.at);
        let at = entry.at;
        let Some(decision) = entry.body.into_decision() else { continue };
        // A lease that was decided again is no new access.
        if decision.supersedes.is_some() || !matches!(decision.decision, Decision::Allow(_)) {
            continue;
        }
        let Some(id) = decision.question.resource else { continue };
        let known = administrator.resource(&id);
        if known.as_ref().is_some_and(|resource| resource.kind == ResourceKind::Countersign) {
            continue;
        }
        let unenforced = decision.observed.is_some_and(|observed| observed.because == ObservedBecause::Resource);
        let nobody = known.is_some_and(|resource| resource.owner.is_none() && resource.segment.is_none());
        let implicit = match (unenforced, nobody) {
            (true, _) => Some("no policy allows it: observe mode let it through"),
            (false, true) => Some("nobody answers for the resource, and it is in no segment"),
            (false, false) => None,
        };
        let subject = decision.question.subject;
        let flow = flows.entry((subject.clone(), id.clone())).or_insert_with(|| Flow {
            subject,
            resource: id,
            count: 0,
            last: at,
            implicit: None,
        });
        flow.count += 1;
        // Newest first: the first instant stays.
        flow.implicit = flow.implicit.or(implicit);
    }
    seen.flows = flows.into_values().collect();
    Ok(seen)
}

/// Flows by the boxes that they are between.
pub(super) struct PlacedFlows {
    pub(super) between: Vec<MapFlow>,
    pub(super) inner: u64,
    pub(super) more: u64,
    pub(super) unplaced: u64,
}

impl Standing<'_> {
    pub(super) fn place_flows(&self, placed: &Placed, flows: &[Flow]) -> PlacedFlows {
        let parts = self.inventory.parts().iter().map(|(part, _)| part);
        let own: Vec<&str> = parts.filter(|part| part.system == System::Countersign).map(|part| &*part.realm).collect();
        let place = |what: &str| {
            let found = own.iter().find_map(|realm| self.named.graph().find(&format!("countersign:{realm}/{what}")));
            found.and_then(|id| placed.at(id.index()))
        };
        let mut between: BTreeMap<(usize, usize), MapFlow> = BTreeMap::new();
        let (mut inner, mut unplaced) = (0, 0);
        for flow in flows {
            let ends = (place(&flow.subject.to_string()), place(&format!("resource:{}", flow.resource)));
            let (Some(from), Some(to)) = ends else {
                unplaced += flow.count;
                continue;
            };
            if from == to {
                inner += flow.count;
                continue;
            }
            let sum = between.entry((from, to)).or_insert(MapFlow { from, to, count: 0, implicit: 0, last: flow.last });
            sum.count += flow.count;
            sum.implicit += if flow.implicit.is_some() { flow.count } else { 0 };
            sum.last = sum.last.max(flow.last);
        }
        let mut between: Vec<MapFlow> = between.into_values().collect();
        between.sort_by_key(|flow| (std::cmp::Reverse((flow.implicit, flow.count)), flow.from, flow.to));
        let left = between.split_off(MOST.min(between.len()));
        PlacedFlows { between, inner, more: left.iter().map(|flow| flow.count).sum(), unplaced }
    }
}
