//! A claim about many policies, taken apart. What a solver takes grows with the square of what policies name, so a set that
//! names much is put as questions that each name little. Every question is about more requests than there are: more is
//! permitted, or less is forbidden. What never happens there never happens; a request that is found there counts only where
//! the policy engine confirms it, and otherwise the whole set is asked about.

use cedar_policy_core::ast::{Effect, Expr, Policy};
use countersign_policy::{Claim, PolicySet};

use crate::possible;
use crate::query::{Answer, Asking, Sources, named};
use crate::run::{Claiming, Settled};

/// How many of them are in one question: more questions of less, since each takes the square of what it names.
const APART: usize = 4;

/// The policies of a set, by what they name.
pub(crate) struct Parts {
    /// Those that name neither anybody nor anything.
    general_permits: Vec<Policy>,
    general_forbids: Vec<Policy>,
    /// All of them: the general ones, then the others, a few at a time.
    permits: Vec<Vec<Policy>>,
    forbids: Vec<Vec<Policy>>,
}

impl Parts {
    /// `None` where the set names so little that it is asked about as a whole: no more than `together` policies do.
    pub(crate) fn of(set: &PolicySet, together: usize) -> Option<Self> {
        // In one order: the same set has to be the same questions again.
        let mut all: Vec<Policy> = set.cedar().policies().cloned().collect();
        all.sort_by(|one, other| one.id().cmp(other.id()));
        let (general, special): (Vec<Policy>, Vec<Policy>) = all.into_iter().partition(is_general);
        if special.len() <= together {
            return None;
        }
        let of = |policies: &[Policy], effect| -> Vec<Policy> {
            policies.iter().filter(|policy| policy.effect() == effect).cloned().collect()
        };
        let apart = |general: &[Policy], special: &[Policy]| {
            let few = special.chunks(together.clamp(1, APART)).map(<[Policy]>::to_vec);
            std::iter::once(general.to_vec()).chain(few).filter(|part| !part.is_empty()).collect()
        };
        let (general_permits, general_forbids) = (of(&general, Effect::Permit), of(&general, Effect::Forbid));
        Some(Self {
            permits: apart(&general_permits, &of(&special, Effect::Permit)),
            forbids: apart(&general_forbids, &of(&special, Effect::Forbid)),
            general_permits,
            general_forbids,
        })
    }
}

fn is_general(policy: &Policy) -> bool {
    possible::literals([policy]).iter().all(|uid| uid.entity_type().to_string() == "Action")
}

impl Claiming<'_, '_> {
    /// `None` where it takes the whole set.
    pub(crate) fn in_parts(
        &self,
        parts: &Parts,
        describes: &Policy,
        sources: &mut Sources,
    ) -> Result<Option<Settled>, String> {
        let kinds = self.run.subject.kinds;
        // The other half is for the whole set.
        let asking = self.asking.part(2);
        let described = |beside: &[Policy]| {
            let possible = possible::condition(beside.iter().chain([describes]))?;
            kinds.compile(vec![describes.clone(), possible::forbid_impossible(&possible)], self.kind)
        };
        // Of a kind that it says nothing about.
        if asking.any(sources, &described(&[])?) == Some(false) {
            return Ok(Some(Settled::Holds));
        }
        // What is never to be allowed is asked of each part for itself.
        let questions: Vec<Vec<Policy>> = if self.guardrail.claim == Claim::NeverAllowed {
            let everything = named(Effect::Permit, Expr::val(true), "everything");
            let most = kinds.compile([parts.general_forbids.clone(), vec![everything]].concat(), self.kind)?;
            if let Answer::Never = asking.both(sources, &most, &described(&[])?) {
                return Ok(Some(Settled::Holds));
            }
            parts.permits.iter().map(|part| [part.clone(), parts.general_forbids.clone()].concat()).collect()
        } else {
            // Always allowed is what something permits and no forbid is about.
            let permits = kinds.compile(parts.general_permits.clone(), self.kind)?;
            let Answer::Never = asking.only_first(sources, &described(&parts.general_permits)?, &permits) else {
                return Ok(None);
            };
            let about = |policy: &Policy| {
                Policy::from_when_clause(Effect::Permit, policy.condition(), policy.id().clone(), None)
            };
            parts.forbids.iter().map(|part| part.iter().map(about).collect()).collect()
        };
        for policies in questions {
            let described = described(&policies)?;
            let policies = kinds.compile(policies, self.kind)?;
            if let Answer::Never = asking.both(sources, &policies, &described) {
                continue;
            }
            let found = Asking { example: true, ..asking }.both(sources, &policies, &described);
            return Ok(match found {
                Answer::Once(Some(found)) => self.example(&found, None).ok().map(Settled::Breaks),
                _ => None,
            });
        }
        Ok(Some(Settled::Holds))
    }
}
