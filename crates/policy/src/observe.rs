//! Observe mode: what counts, and beside it what would count if everything were enforced. A policy in observe mode takes part
//! in no decision that counts. A resource in observe mode lets through what policies deny or challenge, until its end. What is
//! refused before policies are asked is not known here, and a forbid that fails denies in either mode.

use countersign_model::{
    Action, Allowance, Circumstances, Decision, Observed, ObservedBecause, PolicyRole, Question, Reasons, SessionId,
};

use crate::decide::{Engine, Means, Outcome, Verdict};
use crate::facts::View;
use crate::records::Slice;
use crate::set::PolicySet;
use crate::trial::Effect;

/// A decision that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    pub decision: Decision,
    /// Where the resource let it through, or where observed policies would have another effect.
    pub observed: Option<Observed>,
}

impl PolicySet {
    /// Decides one question, and what observe mode makes of it. Where nothing is in observe mode this is
    /// [`decide`](Self::decide).
    pub fn judge(&self, slice: &Slice<'_>, question: &Question) -> Judged {
        self.judged(slice, question, Means::Plan)
    }

    /// The same by Cedar's own `Authorizer`.
    pub fn judge_by_reference(&self, slice: &Slice<'_>, question: &Question) -> Judged {
        self.judged(slice, question, Means::Authorizer)
    }

    /// Which of the three [`judge`](Self::judge) answers, without reasons, and without looking further for a remedy than
    /// tells a challenge from a deny: for deciding millions of questions again.
    pub fn effect(
        &self,
        slice: &Slice<'_>,
        action: Action,
        session: Option<SessionId>,
        circumstances: &Circumstances,
    ) -> Effect {
        let Some(view) = self.view(slice, session, circumstances) else { return Effect::Deny };
        if is_observed(&view) && self.engine().outcome(&view, action).is_denied_by_policy() {
            return Effect::Allow;
        }
        self.engine().effect(&view, action)
    }

    /// What would decide if everything were enforced, where that is not what decides.
    pub(crate) fn all_engine(&self) -> Option<Engine<'_>> {
        self.all.as_deref().map(|by| Engine { set: self, by })
    }

    fn judged(&self, slice: &Slice<'_>, question: &Question, means: Means) -> Judged {
        let decision = self.engine().decide(slice, question, means);
        let all = self.all_engine();
        let view = self.view(slice, question.session, &question.circumstances);
        if view.as_ref().is_some_and(is_observed) && is_denied_by_policy(&decision) {
            let as_enforced = match all {
                Some(all) => all.decide(slice, question, means),
                None => decision,
            };
            return Judged {
                // No policy allows it, and none is said to.
                decision: Decision::Allow(Allowance { reasons: Reasons::default() }),
                observed: Some(Observed { because: ObservedBecause::Resource, decision: as_enforced }),
            };
        }
        let (Some(all), Some(view)) = (all, view) else { return Judged { decision, observed: None } };
        let effect = Effect::of(&decision);
        let same = match means {
            // Reasons are worked out for what differs only.
            Means::Plan => all.effect(&view, question.action) == effect,
            Means::Authorizer => false,
        };
        let as_enforced = (!same).then(|| all.decide(slice, question, means));
        let observed = as_enforced.filter(|as_enforced| Effect::of(as_enforced) != effect);
        let observed = observed.map(|decision| Observed { because: ObservedBecause::Policies, decision });
        Judged { decision, observed }
    }
}

impl Engine<'_> {
    fn effect(&self, view: &View<'_>, action: Action) -> Effect {
        match self.verdict(view, action) {
            Verdict::Allow => Effect::Allow,
            Verdict::Deny(cause) if self.mends_at_once(view, action, cause) => Effect::Challenge,
            Verdict::Deny(_) => Effect::Deny,
        }
    }
}

impl Outcome {
    /// A forbid that failed may have forbidden anything: then it is nothing that observe mode lets through.
    fn is_denied_by_policy(&self) -> bool {
        !self.forbid_failed && matches!(self.verdict(), Verdict::Deny(cause) if cause.is_of_policy())
    }
}

/// The same of a decision.
fn is_denied_by_policy(decision: &Decision) -> bool {
    let by_policy = match decision {
        Decision::Allow(_) => false,
        Decision::Challenge(_) => true,
        Decision::Deny(denial) => denial.cause.is_of_policy(),
    };
    by_policy && !decision.reasons().faults.iter().any(|fault| fault.policy.role == PolicyRole::Forbid)
}

fn is_observed(view: &View<'_>) -> bool {
    view.resource.observe_until.is_some_and(|until| view.circumstances.time.now < until)
}
