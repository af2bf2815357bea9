//! The decision. Default deny; a forbid wins over every permit; a forbid that fails denies, where Cedar alone would
//! skip it. Total and pure: the same slice and question always get the same decision.

use std::borrow::Cow;
use std::cell::OnceCell;

use countersign_model::{
    Action, Allowance, Circumstances, Decision, Denial, DenialCause, FactRead, PolicyFault, PolicyRole, Question,
    Reasons, SessionId,
};
use smallvec::SmallVec;

use crate::cedar::Case;
use crate::facts::{Fact, Facts, View};
use crate::plan::Number;
use crate::records::{Shape, Slice};
use crate::set::{Effective, PolicySet};

type Numbers = SmallVec<[Number; 16]>;

/// What became of the policies that came into question.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    permits: Numbers,
    forbids: Numbers,
    /// Permits whose scope held and whose condition did not.
    missed: Numbers,
    faults: Vec<(Number, String)>,
    pub(crate) forbid_failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Allow,
    Deny(DenialCause),
}

impl Outcome {
    /// The whole of the product's rule. Cedar's own differs in one arm: it skips a forbid that fails.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.forbids.is_empty(), self.forbid_failed, self.permits.is_empty()) {
            // Somebody forbids it: whatever permits it does not count.
            (false, _, _) => Verdict::Deny(DenialCause::Forbidden),
            // A forbid could not say whether it forbids: it may have.
            (true, true, _) => Verdict::Deny(DenialCause::ForbidFailed),
            // Nobody permits it.
            (true, false, true) => Verdict::Deny(DenialCause::NoPermit),
            // Somebody permits it and nobody forbids it.
            (true, false, false) => Verdict::Allow,
        }
    }

    /// Whether somebody permits it, forbidden or not.
    pub(crate) fn permitted(&self) -> bool {
        !self.permits.is_empty()
    }

    fn sort(mut self) -> Self {
        for numbers in [&mut self.permits, &mut self.forbids, &mut self.missed] {
            numbers.sort_unstable();
        }
        self.faults.sort_unstable();
        self
    }
}

/// The policies that count, at work: those that are enforced, or all of them as if they were.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine<'s> {
    pub(crate) set: &'s PolicySet,
    pub(crate) by: &'s Effective,
}

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Means {
    Plan,
    /// Cedar's own `Authorizer`, some hundred times slower: what live decisions and the tests are held against. Only the
    /// search for a remedy uses the plan.
    Authorizer,
}

impl PolicySet {
    /// Decides one question on one slice of the world, by the compiled plan of what is enforced. Whether the resource is
    /// in observe mode is not looked at: [`judge`](Self::judge) does.
    pub fn decide(&self, slice: &Slice<'_>, question: &Question) -> Decision {
        self.engine().decide(slice, question, Means::Plan)
    }

    /// The same decision by Cedar's own `Authorizer`.
    pub fn decide_by_reference(&self, slice: &Slice<'_>, question: &Question) -> Decision {
        self.engine().decide(slice, question, Means::Authorizer)
    }

    /// What decides.
    pub(crate) const fn engine(&self) -> Engine<'_> {
        Engine { set: self, by: &self.enforced }
    }

    /// `None` where the records are not a subject and a resource.
    pub(crate) fn view<'a>(
        &'a self,
        slice: &Slice<'a>,
        session: Option<SessionId>,
        circumstances: &'a Circumstances,
    ) -> Option<View<'a>> {
        let (Shape::Subject(subject), Shape::Resource(resource)) = (&slice.subject.0, &slice.resource.0) else {
            return None;
        };
        Some(View { subject, resource, circumstances, session, symbols: &self.symbols })
    }

    pub(crate) fn forbids(&self, number: Number) -> bool {
        self.info(number).is_none_or(|info| info.role == PolicyRole::Forbid)
    }
}

impl Engine<'_> {
    pub(crate) fn decide(&self, slice: &Slice<'_>, question: &Question, means: Means) -> Decision {
        let Some(view) = self.set.view(slice, question.session, &question.circumstances) else {
            return Decision::Deny(Denial {
                cause: DenialCause::Unavailable,
                reasons: Reasons::default(),
                remedy: None,
            });
        };
        let outcome = match means {
            Means::Plan => self.outcome(&view, question.action),
            Means::Authorizer => self.reference_outcome(&view, question.action),
        };
        let outcome = outcome.sort();
        match outcome.verdict() {
            Verdict::Allow => Decision::Allow(Allowance {
                reasons: self.reasons(&view, &outcome, &outcome.permits, &outcome.permits),
            }),
            Verdict::Deny(cause) => {
                let forbids = |number: &Number| self.set.forbids(*number);
                let failed: Numbers = outcome.faults.iter().map(|(number, _)| *number).filter(forbids).collect();
                let (determining, looked_at) = match cause {
                    DenialCause::Forbidden => (&outcome.forbids, &outcome.forbids),
                    DenialCause::ForbidFailed => (&failed, &failed),
                    // What the permits that came into question looked at tells why none of them held.
                    _ => (&outcome.permits, &outcome.missed),
                };
                let reasons = self.reasons(&view, &outcome, determining, looked_at);
                self.with_remedy(&view, question.action, cause, reasons, &outcome.forbids)
            }
        }
    }

    pub(crate) fn outcome(&self, view: &View<'_>, action: Action) -> Outcome {
        self.outcome_of(view, action, |_, _| true)
    }

    /// The verdict of the [`outcome`](Self::outcome), and no more than it takes: once a forbid holds nothing else
    /// matters, and once a permit does no other permit.
    pub(crate) fn verdict(&self, view: &View<'_>, action: Action) -> Verdict {
        let open = |outcome: &Outcome, forbids| outcome.forbids.is_empty() && (forbids || outcome.permits.is_empty());
        self.outcome_of(view, action, open).verdict()
    }

    /// Of the policies whose scope holds, those that are `wanted` in view of what has come out so far.
    fn outcome_of(&self, view: &View<'_>, action: Action, wanted: impl Fn(&Outcome, bool) -> bool) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(plan) = self.by.plan(view.subject.kind, action) else { return outcome };
        let case = OnceCell::new();
        plan.applicable(view, |number, condition| {
            if !wanted(&outcome, self.set.forbids(number)) {
                return;
            }
            let satisfied = condition.holds(view).or_else(|_uncovered| {
                let case = case.get_or_init(|| Case::new(view, action)).as_ref().map_err(Clone::clone)?;
                self.set.policies.get(number as usize).map_or(Ok(false), |policy| case.evaluate(policy))
            });
            self.count(&mut outcome, number, satisfied);
        });
        outcome
    }

    fn reference_outcome(&self, view: &View<'_>, action: Action) -> Outcome {
        let mut outcome = Outcome::default();
        let number = |id: &str| {
            let found = self.set.infos.binary_search_by(|info| info.id.as_str().cmp(id)).ok();
            found.and_then(|at| Number::try_from(at).ok())
        };
        match Case::new(view, action) {
            Ok(case) => {
                let answer = case.authorize(&self.by.cedar);
                for number in answer.reasons.iter().filter_map(|id| number(id)) {
                    self.count(&mut outcome, number, Ok(true));
                }
                for (id, message) in answer.errors {
                    if let Some(number) = number(&id) {
                        self.count(&mut outcome, number, Err(message));
                    }
                }
            }
            // Facts that do not fit the schema: as if every forbid had failed.
            Err(_) => outcome.forbid_failed = true,
        }
        if outcome.permits.is_empty() && outcome.forbids.is_empty() {
            // Cedar does not name the permits that came into question; which facts to show is the plan's to say.
            outcome.missed = self.outcome(view, action).missed;
        }
        outcome
    }

    fn count(&self, outcome: &mut Outcome, number: Number, satisfied: Result<bool, String>) {
        match (satisfied, self.set.forbids(number)) {
            (Ok(true), true) => outcome.forbids.push(number),
            (Ok(true), false) => outcome.permits.push(number),
            (Ok(false), true) => {}
            (Ok(false), false) => outcome.missed.push(number),
            (Err(message), forbids) => {
                outcome.faults.push((number, message));
                outcome.forbid_failed |= forbids;
            }
        }
    }

    fn reasons(&self, view: &View<'_>, outcome: &Outcome, determining: &[Number], looked_at: &[Number]) -> Reasons {
        let mut read: SmallVec<[Fact; 16]> = SmallVec::new();
        for number in looked_at {
            for fact in self.set.reads.get(*number as usize).into_iter().flatten() {
                if !read.contains(fact) {
                    read.push(*fact);
                }
            }
        }
        let show = |fact: Fact| FactRead {
            name: Cow::Borrowed(fact.path()),
            value: match view.read(fact.slot()) {
                Ok(Some(value)) => value.show(view.symbols),
                Ok(None) => Cow::Borrowed("absent"),
                Err(_) => Cow::Borrowed(if view.has(fact.slot()) == Ok(true) { "present" } else { "absent" }),
            },
        };
        Reasons {
            determining: determining.iter().filter_map(|number| self.set.reference(*number)).collect(),
            faults: outcome
                .faults
                .iter()
                .filter_map(|(number, message)| {
                    Some(PolicyFault { policy: self.set.reference(*number)?, message: message.clone() })
                })
                .collect(),
            facts: read.into_iter().map(show).collect(),
        }
    }
}
