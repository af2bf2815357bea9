//! One question of a policy test: facts and a request as its author wrote them, what a set decides on them, and how that
//! differs from what was expected. Reading test files is the caller's.

use std::collections::BTreeSet;
use std::path::PathBuf;

use countersign_model::{
    Action, Circumstances, Decision, GroupId, Need, PolicyId, PolicyRole, Question, Remedy, Resource, Subject,
};

use crate::cedar::Case;
use crate::conditions::{Node, Walk};
use crate::decide::{Engine, Means};
use crate::facts::View;
use crate::guardrail::Guardrail;
use crate::records::{Record, Shape, Slice};
use crate::set::{Mode, PolicySet};

#[derive(Clone, Debug)]
pub struct Trial {
    pub subject: Subject,
    /// Every group that the subject is in, direct and inherited.
    pub groups: Vec<GroupId>,
    pub resource: Resource,
    pub action: Action,
    pub circumstances: Circumstances,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    Allow,
    Challenge,
    Deny,
}

impl Effect {
    pub const ALL: [Self; 3] = [Self::Allow, Self::Challenge, Self::Deny];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
        }
    }

    pub const fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Allow(_) => Self::Allow,
            Decision::Challenge(_) => Self::Challenge,
            Decision::Deny(_) => Self::Deny,
        }
    }
}

/// What a test wants. What it does not speak about may be anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    pub effect: Effect,
    /// Exactly these policies decide.
    pub by: Option<BTreeSet<PolicyId>>,
    /// Exactly these needs, as [`need_name`] writes them.
    pub needs: Option<BTreeSet<String>>,
    /// Part of the advice that whoever is refused reads.
    pub remedy: Option<String>,
}

/// A policy that came into question, and which of its conditions made it hold or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Considered {
    pub id: PolicyId,
    pub role: PolicyRole,
    pub file: PathBuf,
    pub line: usize,
    pub mode: Mode,
    /// `None` where it could not be evaluated.
    pub holds: Option<bool>,
    /// The innermost conditions that were reached: line, text and what they were.
    pub conditions: Vec<(usize, String, Option<bool>)>,
}

/// A need in one word, such as `sign-in`, `compliant-device` or `network:office`.
pub fn need_name(need: &Need) -> String {
    match need {
        Need::SignIn => "sign-in".to_owned(),
        Need::PhishingResistantSignIn => "phishing-resistant-sign-in".to_owned(),
        Need::EnrolledDevice => "enrolled-device".to_owned(),
        Need::ManagedDevice => "managed-device".to_owned(),
        Need::CompliantDevice { .. } => "compliant-device".to_owned(),
        Need::Grant => "grant".to_owned(),
        Need::Network { zone } => format!("network:{zone}"),
    }
}

/// What [`need_name`] writes, without the zones.
pub const NEEDS: [&str; 7] = [
    "sign-in",
    "phishing-resistant-sign-in",
    "enrolled-device",
    "managed-device",
    "compliant-device",
    "grant",
    "network:ZONE",
];

pub const fn remedy(decision: &Decision) -> Option<&Remedy> {
    match decision {
        Decision::Allow(_) => None,
        Decision::Challenge(challenge) => Some(&challenge.remedy),
        Decision::Deny(denial) => denial.remedy.as_ref(),
    }
}

impl Trial {
    fn question(&self) -> Question {
        Question {
            subject: self.subject.id.clone(),
            action: self.action,
            resource: self.resource.id.clone(),
            session: None,
            circumstances: self.circumstances.clone(),
        }
    }

    fn with_slice<T>(&self, set: &PolicySet, then: impl FnOnce(&Slice<'_>) -> T) -> T {
        let subject = Record::subject(&set.symbols, &self.subject, &self.groups);
        let resource = Record::resource(&set.symbols, &self.resource);
        then(&Slice { subject: &subject, resource: &resource })
    }

    /// By the compiled plan; `Err` is what Cedar's own `Authorizer` says where that is something else, which is a fault
    /// of the engine and no matter of policy.
    pub fn decide(&self, set: &PolicySet) -> Result<Decision, Box<Decision>> {
        self.decide_by(set, set.engine())
    }

    /// The same, as if the policies in observe mode were enforced.
    pub fn decide_as_enforced(&self, set: &PolicySet) -> Result<Decision, Box<Decision>> {
        self.decide_by(set, set.all_engine().unwrap_or_else(|| set.engine()))
    }

    fn decide_by(&self, set: &PolicySet, engine: Engine<'_>) -> Result<Decision, Box<Decision>> {
        let question = self.question();
        self.with_slice(set, |slice| {
            let decision = engine.decide(slice, &question, Means::Plan);
            let reference = engine.decide(slice, &question, Means::Authorizer);
            if decision == reference { Ok(decision) } else { Err(Box::new(reference)) }
        })
    }

    pub(crate) fn decide_by_plan(&self, set: &PolicySet) -> Decision {
        self.with_slice(set, |slice| set.decide(slice, &self.question()))
    }

    /// Cedar's own form of it; `None` where the facts do not fit the schema.
    pub(crate) fn case(&self, set: &PolicySet) -> Option<Case> {
        self.with_slice(set, |slice| {
            let (Shape::Subject(subject), Shape::Resource(resource)) = (&slice.subject.0, &slice.resource.0) else {
                return None;
            };
            let circumstances = &self.circumstances;
            let view = View { subject, resource, circumstances, session: None, symbols: &set.symbols };
            Case::new(&view, self.action).ok()
        })
    }

    /// Whether a guardrail is about this; `None` where its condition cannot be evaluated.
    pub fn is_described(&self, set: &PolicySet, guardrail: &Guardrail) -> Option<bool> {
        match &guardrail.describes {
            None => Some(true),
            Some(policy) => self.case(set)?.evaluate(policy).ok(),
        }
    }

    /// Every policy whose scope holds, in the order of the set.
    pub fn considered(&self, set: &PolicySet) -> Vec<Considered> {
        let Some(case) = self.case(set) else { return Vec::new() };
        let walk = Walk::new(&case);
        let mut considered = Vec::new();
        for (policy, info) in set.policies.iter().zip(&set.infos) {
            if !walk.in_scope(policy) {
                continue;
            }
            let mut conditions = Vec::new();
            let holds = match policy.non_scope_constraints().map(Node::of) {
                None => Some(true),
                Some(node) => walk.run(&node, &mut |node, truth| {
                    if node.parts().is_empty() {
                        let (line, text) = node.place();
                        conditions.push((line, text, truth));
                    }
                }),
            };
            considered.push(Considered {
                id: info.id.clone(),
                role: info.role,
                file: info.file.clone(),
                line: info.line,
                mode: info.mode,
                holds,
                conditions,
            });
        }
        considered
    }
}

impl Expectation {
    /// Each way in which a decision is not what was expected; none if it is.
    pub fn unmet(&self, decision: &Decision) -> Vec<String> {
        let mut unmet = Vec::new();
        if self.effect != Effect::of(decision) {
            unmet.push(format!("expected {}, got {}", self.effect.name(), decision.name()));
        }
        let list = |names: BTreeSet<String>| match names.is_empty() {
            true => "none".to_owned(),
            false => names.into_iter().collect::<Vec<_>>().join(", "),
        };
        if let Some(by) = &self.by {
            let got: BTreeSet<_> = decision.reasons().determining.iter().map(|policy| policy.id.clone()).collect();
            if *by != got {
                let names = |ids: &BTreeSet<PolicyId>| list(ids.iter().map(ToString::to_string).collect());
                unmet.push(format!("expected by {}, got {}", names(by), names(&got)));
            }
        }
        let remedy = remedy(decision);
        if let Some(needs) = &self.needs {
            let got: BTreeSet<String> = remedy.into_iter().flat_map(|remedy| &remedy.needs).map(need_name).collect();
            if *needs != got {
                unmet.push(format!("expected needs {}, got {}", list(needs.clone()), list(got)));
            }
        }
        if let Some(text) = &self.remedy {
            let got = remedy.and_then(|remedy| remedy.advice.as_deref()).unwrap_or_default();
            if !got.contains(text.as_str()) {
                unmet.push(format!("expected a remedy with {text:?}, got {got:?}"));
            }
        }
        unmet
    }
}
