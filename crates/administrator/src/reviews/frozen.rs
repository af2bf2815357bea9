//! The population of a campaign: what is so when it opens, with the use that the ledger tells of and the reviewer of each
//! line; and later, whether it still is so.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use countersign_model::{
    ActionClass, PolicyId, ResourceId, ReviewAbout, ReviewLine, ReviewScope, Reviewed, ReviewedAccess, ReviewerBecause,
    SubjectId, SubjectKind, Timestamp,
};

use super::persons::Persons;
use super::{MOST_LINES, refuse};
use crate::accounts::ActError;
use crate::ask::{EntitlementKey, Whose};
use crate::world::View;
use crate::{Administrator, DidFilter};

/// Whether what a line is about is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Still {
    Same,
    /// And gives more than it did.
    More,
    Gone,
}

pub(super) struct Frozen {
    pub(super) lines: Vec<ReviewLine>,
    pub(super) counted_from: Timestamp,
}

/// Who is asked about one line.
pub(super) struct Asked {
    pub(super) reviewers: Vec<SubjectId>,
    pub(super) because: ReviewerBecause,
    pub(super) instead_of: Option<SubjectId>,
}

impl Administrator {
    /// Looks at everybody and reads files: not for an async thread.
    pub(super) fn freeze(
        &self,
        about: &ReviewAbout,
        fallbacks: &[SubjectId],
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Frozen, ActError> {
        let mut frozen = match about {
            ReviewAbout::Access { scope } => self.freeze_access(scope, fallbacks, from, now)?,
            ReviewAbout::Policies => self.freeze_policies(fallbacks, from)?,
        };
        for (line, number) in frozen.lines.iter_mut().zip(1..) {
            line.number = number;
        }
        Ok(frozen)
    }

    fn freeze_access(
        &self,
        scope: &ReviewScope,
        fallbacks: &[SubjectId],
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Frozen, ActError> {
        let on = |_, _| ControlFlow::Continue(());
        let whose = Whose { scope, only: None, everybody: true };
        let found = self.entitlements(&whose, MOST_LINES, &on).map_err(|error| ActError::Refused(error.to_string()))?;
        let Some(found) = found else {
            return refuse(format!("it would have more than {MOST_LINES} lines: make what it is about narrower"));
        };
        let to = now.plus(std::time::Duration::from_millis(1));
        let filter = DidFilter { subject: None, resource: None, action: None, from, to };
        let done = self.did(&filter, &on).map_err(|error| ActError::Refused(error.to_string()))?;
        let mut used: BTreeMap<(Option<&SubjectId>, &ResourceId, ActionClass), (u64, Timestamp)> = BTreeMap::new();
        for it in &done.items {
            for subject in [Some(&it.subject), None] {
                let use_of = used.entry((subject, &it.resource, it.action.class)).or_insert((0, it.last));
                *use_of = (use_of.0 + it.count, use_of.1.max(it.last));
            }
        }
        let view = self.0.world.view();
        let persons = Persons::of(&view);
        let mut lines = Vec::with_capacity(found.len());
        for it in found {
            let key = it.key;
            let uses = it.classes.iter().filter_map(|class| used.get(&(key.subject.as_ref(), &key.resource, *class)));
            let (count, last) = uses.fold((0, None), |(count, last), (more, at)| (count + more, last.max(Some(*at))));
            let about = Reviewed::Access(ReviewedAccess {
                subject: key.subject,
                resource: key.resource.clone(),
                tier: it.tier,
                classes: it.classes,
                through: key.through,
                source: it.source,
                used: count,
                last_used: last,
            });
            let owner = view.resource(&key.resource).and_then(|record| record.resource.owner.clone());
            let asked = self.asked_about(&view, &persons, &about, owner, fallbacks)?;
            lines.push(line(about, asked));
        }
        let counted_from = done.since.unwrap_or(from).max(from);
        Ok(Frozen { lines, counted_from })
    }

    /// The resource's owner, or the first of `fallbacks`; nobody whose own access it is.
    fn asked_about(
        &self,
        view: &View,
        persons: &Persons,
        about: &Reviewed,
        owner: Option<SubjectId>,
        fallbacks: &[SubjectId],
    ) -> Result<Asked, ActError> {
        let owner = owner.filter(|owner| owner.kind() == SubjectKind::Human && view.is_active(owner));
        let own = |person: &SubjectId| persons.is_own(self, &persons.behind(self, person), about);
        let instead_of = match owner {
            Some(owner) if !own(&owner) => {
                return Ok(Asked { reviewers: vec![owner], because: ReviewerBecause::ResourceOwner, instead_of: None });
            }
            other => other,
        };
        let Some(other) = fallbacks.iter().find(|person| !own(person)) else {
            let what = super::wording::of_about(about);
            return refuse(format!("nobody may review {what}, which is their own: name somebody else who reviews"));
        };
        Ok(Asked { reviewers: vec![other.clone()], because: ReviewerBecause::Fallback, instead_of })
    }

    /// Of each line, by its number.
    pub(super) async fn still(&self, lines: &[ReviewLine]) -> Result<BTreeMap<u32, Still>, ActError> {
        let (this, lines) = (self.clone(), lines.to_vec());
        let found = tokio::task::spawn_blocking(move || this.still_now(&lines)).await;
        found.map_err(|_| ActError::Unavailable)?
    }

    fn still_now(&self, lines: &[ReviewLine]) -> Result<BTreeMap<u32, Still>, ActError> {
        let of = |line: &ReviewLine| match &line.about {
            Reviewed::Access(access) => Some(access.clone()),
            Reviewed::Policy(_) => None,
        };
        let all: Vec<ReviewedAccess> = lines.iter().filter_map(of).collect();
        let only: BTreeSet<SubjectId> = all.iter().filter_map(|it| it.subject.clone()).collect();
        let resources: BTreeSet<ResourceId> = all.iter().map(|it| it.resource.clone()).collect();
        let scope = ReviewScope { resources, ..ReviewScope::default() };
        let mut now: BTreeMap<EntitlementKey, BTreeSet<ActionClass>> = BTreeMap::new();
        if !all.is_empty() {
            // Whoever else there is matters only for what no group gives.
            let everybody = all.iter().any(|it| it.through.is_none() || it.subject.is_none());
            let whose = Whose { scope: &scope, only: Some(&only), everybody };
            let found = self.entitlements(&whose, usize::MAX, &|_, _| ControlFlow::Continue(()));
            let found = found.map_err(|error| ActError::Refused(error.to_string()))?;
            now = found.into_iter().flatten().map(|it| (it.key, it.classes)).collect();
        }
        let policies = self.policies();
        let hashes: BTreeMap<&PolicyId, &str> =
            policies.policies().iter().map(|policy| (&policy.id, policy.hash.as_str())).collect();
        let still = |line: &ReviewLine| match &line.about {
            Reviewed::Policy(policy) => match hashes.get(&policy.policy) {
                None => Still::Gone,
                Some(hash) if **hash == *policy.hash => Still::Same,
                Some(_) => Still::More,
            },
            Reviewed::Access(access) => {
                let key = EntitlementKey {
                    resource: access.resource.clone(),
                    subject: access.subject.clone(),
                    through: access.through.clone(),
                };
                match now.get(&key) {
                    // Who is disabled for the time being, say, has it back on the day that they are not.
                    None if self.is_member(access) => Still::Same,
                    None => Still::Gone,
                    Some(classes) if classes.is_subset(&access.classes) => Still::Same,
                    Some(_) => Still::More,
                }
            }
        };
        Ok(lines.iter().map(|line| (line.number, still(line))).collect())
    }

    fn is_member(&self, access: &ReviewedAccess) -> bool {
        let subject = access.subject.as_ref().and_then(|subject| self.subject(subject));
        subject.is_some_and(|subject| access.through.as_ref().is_some_and(|group| subject.groups.contains(group)))
    }

    /// What somebody confirmed in a review that ended since then, of everything that there is now; absent where no review ended,
    /// or there is more than one looks at. Not for an async thread.
    pub fn entitlements_reviewed(&self, since: Timestamp) -> Option<(usize, usize, Timestamp)> {
        let ended: Vec<_> = self
            .reviews()
            .into_iter()
            .filter(|review| matches!(review.about, ReviewAbout::Access { .. }))
            .filter(|review| review.end.as_ref().is_some_and(|end| end.at >= since && review.in_time(end.at).is_some()))
            .collect();
        let oldest = ended.iter().filter_map(|review| review.end.as_ref()).map(|end| end.at).min()?;
        let mut kept: BTreeMap<EntitlementKey, &BTreeSet<ActionClass>> = BTreeMap::new();
        for line in ended.iter().flat_map(|review| &review.lines) {
            let is_kept = line.verdict.as_ref().is_some_and(|it| it.decided == countersign_model::ReviewDecided::Kept);
            if let (true, Reviewed::Access(it)) = (is_kept, &line.about) {
                let (resource, subject, through) = (it.resource.clone(), it.subject.clone(), it.through.clone());
                kept.insert(EntitlementKey { resource, subject, through }, &it.classes);
            }
        }
        let whose = Whose { scope: &ReviewScope::default(), only: None, everybody: true };
        let all = self.entitlements(&whose, 4 * MOST_LINES, &|_, _| ControlFlow::Continue(())).ok()??;
        let confirmed =
            |it: &&crate::ask::Entitlement| kept.get(&it.key).is_some_and(|classes| it.classes.is_subset(classes));
        Some((all.iter().filter(confirmed).count(), all.len(), oldest))
    }
}

pub(super) fn line(about: Reviewed, asked: Asked) -> ReviewLine {
    let Asked { reviewers, because, instead_of } = asked;
    ReviewLine { number: 0, about, reviewers, because, instead_of, verdict: None }
}
