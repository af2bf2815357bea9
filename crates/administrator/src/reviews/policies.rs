//! The population of a policy review: each policy in force, with what became of it since it was looked at last. Its owner looks
//! at it; where that is nobody here, somebody else does.

use std::collections::{BTreeMap, HashMap};

use countersign_ledger::{EntryBody, ReadError};
use countersign_model::{
    GroupId, PolicyId, ProofResult, ReviewAbout, ReviewEnding, Reviewed, ReviewedChange, ReviewedPolicy,
    ReviewerBecause, SubjectId, SubjectKind, Timestamp,
};

use super::frozen::{Asked, Frozen, line};
use crate::Administrator;
use crate::accounts::ActError;
use crate::world::View;

/// Entries that are read back at most.
const MOST: usize = 5_000_000;
/// Of a group that owns a policy.
const MOST_REVIEWERS: usize = 16;

/// A set that was put in force.
struct Published {
    at: Timestamp,
    by: Option<SubjectId>,
    hash: String,
    policies: BTreeMap<PolicyId, String>,
}

/// What the ledger tells of policies.
#[derive(Default)]
struct Told {
    decisions: HashMap<PolicyId, (u64, Timestamp)>,
    /// Newest first.
    published: Vec<Published>,
    /// Where reading ended early.
    since: Option<Timestamp>,
}

impl Administrator {
    pub(super) fn freeze_policies(&self, fallbacks: &[SubjectId], from: Timestamp) -> Result<Frozen, ActError> {
        let told = self.told_of_policies(self.last_policy_review().unwrap_or(from));
        let told = told.map_err(|error| ActError::Refused(error.to_string()))?;
        let set = self.policies();
        let proofs = set.proven();
        let is_proven = |id| proofs.as_ref().is_some_and(|proofs| proofs.result(id) == ProofResult::Proven);
        let proven = set.guardrails().iter().filter(|it| is_proven(&it.id)).count();
        let view = self.0.world.view();
        let lines = set.policies().iter().map(|policy| {
            let (decisions, last) =
                told.decisions.get(&policy.id).map_or((0, None), |(count, last)| (*count, Some(*last)));
            let about = Reviewed::Policy(ReviewedPolicy {
                policy: policy.id.clone(),
                role: policy.role,
                owner: policy.owner.clone(),
                review_by: policy.review_by,
                hash: policy.hash.clone(),
                changes: told.changes(&policy.id),
                decisions,
                last_decision: last,
                proven: u32::try_from(proven).unwrap_or(u32::MAX),
                guardrails: u32::try_from(set.guardrails().len()).unwrap_or(u32::MAX),
            });
            line(about, who_owns(&view, &policy.owner, fallbacks))
        });
        let counted_from = told.since.unwrap_or_else(|| self.last_policy_review().unwrap_or(from));
        Ok(Frozen { lines: lines.collect(), counted_from })
    }

    /// When the last one was opened that was not withdrawn.
    fn last_policy_review(&self) -> Option<Timestamp> {
        let counts = |review: &std::sync::Arc<countersign_model::Review>| {
            review.about == ReviewAbout::Policies
                && review.end.as_ref().is_some_and(|end| end.how != ReviewEnding::Withdrawn)
        };
        self.reviews().into_iter().find(counts).map(|review| review.opened)
    }

    fn told_of_policies(&self, from: Timestamp) -> Result<Told, ReadError> {
        let ledger = self.ledger();
        let mut told = Told::default();
        for (read, entry) in ledger.scan_back(ledger.size()).enumerate() {
            let entry = match entry {
                Ok((_, entry)) => entry,
                Err(ReadError::Archived { .. }) => return Ok(told),
                Err(error) => return Err(error),
            };
            if entry.at < from {
                return Ok(told);
            }
            if read >= MOST {
                told.since = Some(entry.at);
                return Ok(told);
            }
            match entry.body {
                EntryBody::Decision(decision) => {
                    for reference in &decision.decision.reasons().determining {
                        let known = told.decisions.entry(reference.id.clone()).or_insert((0, entry.at));
                        *known = (known.0 + 1, known.1.max(entry.at));
                    }
                }
                EntryBody::PolicyPublished { hash, policies, by, .. } => {
                    let policies = policies.into_iter().map(|policy| (policy.id, policy.hash));
                    match told.published.last_mut().filter(|newer| newer.hash == hash) {
                        // Another part of the same, or the same set put in force before.
                        Some(newer) => {
                            newer.policies.extend(policies);
                            (newer.at, newer.by) = (entry.at, by);
                        }
                        None => {
                            let policies = policies.collect();
                            told.published.push(Published { at: entry.at, by, hash, policies });
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(told)
    }
}

impl Told {
    fn changes(&self, policy: &PolicyId) -> Vec<ReviewedChange> {
        let pairs = self.published.iter().zip(self.published.iter().skip(1));
        let changed = pairs.filter(|(newer, older)| newer.policies.get(policy) != older.policies.get(policy));
        changed.map(|(newer, _)| ReviewedChange { at: newer.at, by: newer.by.clone() }).collect()
    }
}

/// A person, or the people of a group.
fn who_owns(view: &View, owner: &str, fallbacks: &[SubjectId]) -> Asked {
    let fits = |id: &SubjectId| id.kind() == SubjectKind::Human && view.is_active(id);
    let mut reviewers: Vec<SubjectId> = owner.parse::<SubjectId>().ok().filter(|id| fits(id)).into_iter().collect();
    if let (true, Ok(group)) = (reviewers.is_empty(), GroupId::new(owner)) {
        let below = view.below(&group);
        let within = view.subjects().filter(|it| it.groups().iter().any(|group| below.contains(group)));
        reviewers = within.map(|it| it.id().clone()).filter(|id| fits(id)).collect();
        reviewers.sort_unstable();
        reviewers.truncate(MOST_REVIEWERS);
    }
    if reviewers.is_empty() {
        let reviewers = fallbacks.first().cloned().into_iter().collect();
        return Asked { reviewers, because: ReviewerBecause::Fallback, instead_of: None };
    }
    Asked { reviewers, because: ReviewerBecause::PolicyOwner, instead_of: None }
}
