//! Exceptions that nobody wrote down: what lets more through than the policies of its tier mean to, without an owner, an end
//! or anybody's agreement. Found from what is so now; nothing is changed by it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use countersign_model::{Action, ActionClass, ResourceKind, SubjectId, SubjectKind, Tier, Timestamp, Upstream};
use countersign_policy::ask::{Population, SignIn, Wanted, each};

use super::{AskError, Conditions, DeviceCondition, Moment, RequestCondition, Tick, asker};
use crate::Administrator;
use crate::world::{ResourceRecord, SubjectRecord};

/// One deviation that no exception documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undocumented {
    pub kind: UndocumentedKind,
    /// The resource, policy or control that it is about.
    pub what: String,
    /// Why it is one, in a sentence.
    pub why: String,
    /// When it ends by itself, where it does.
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UndocumentedKind {
    /// A resource that lets through whatever policies say.
    ObservedResource,
    /// A policy that is written and not enforced.
    ObservedPolicy,
    /// A policy whose owner nobody here is.
    OwnerlessPolicy,
    /// A permit that holds where the tier asks for more.
    WiderThanTier,
    /// An application elsewhere on the network that is spoken to in the clear.
    ReachableAround,
    /// Somebody's word that a control stands, against what the evidence says. Found by whoever has the estate.
    SuppressedFinding,
}

impl UndocumentedKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::ObservedResource => "observed-resource",
            Self::ObservedPolicy => "observed-policy",
            Self::OwnerlessPolicy => "ownerless-policy",
            Self::WiderThanTier => "wider-than-tier",
            Self::ReachableAround => "reachable-around",
            Self::SuppressedFinding => "suppressed-finding",
        }
    }
}

/// Circumstances in which nobody should get anything of a tier: all that could help, but for one thing. What the tiers of
/// DESIGN ask for at least, whatever the policies say: that is the point.
const TOO_LITTLE: [(Tier, SignIn, DeviceCondition, &str); 5] = [
    (Tier::Standard, SignIn::None, DeviceCondition::Compliant, "without signing in"),
    (Tier::High, SignIn::Federated, DeviceCondition::Compliant, "signed in with a single factor"),
    (Tier::High, SignIn::Passkey, DeviceCondition::Quarantine, "from a device that nobody manages"),
    (Tier::CrownJewel, SignIn::MultiFactor, DeviceCondition::Compliant, "with a sign-in that can be phished"),
    (Tier::CrownJewel, SignIn::Passkey, DeviceCondition::Managed, "from a device whose posture does not pass"),
];

impl Administrator {
    /// Sorted by kind. Looks at everybody and everything: not for an async thread.
    pub fn undocumented(&self, tick: Tick<'_>) -> Result<Vec<Undocumented>, AskError> {
        undocumented(&Moment::of(self), tick)
    }
}

fn undocumented(moment: &Moment, tick: Tick<'_>) -> Result<Vec<Undocumented>, AskError> {
    let found = |kind, what: String, why: &str, until| Undocumented { kind, what, why: why.to_owned(), until };
    let mut all = Vec::new();
    for record in moment.resources() {
        let Some(until) = record.resource.observed_until(moment.now) else { continue };
        let why = "it is in observe mode: whatever policies deny is let through";
        all.push(found(UndocumentedKind::ObservedResource, record.resource.id.to_string(), why, Some(until)));
    }
    for info in moment.rules.policies.observed() {
        let why = "it is in observe mode: it is written and enforces nothing";
        all.push(found(UndocumentedKind::ObservedPolicy, info.id.to_string(), why, None));
    }
    for ownerless in moment.ownerless() {
        let why = format!("its owner, {}, is nobody here", ownerless.owner);
        let one =
            |id: countersign_model::PolicyId| found(UndocumentedKind::OwnerlessPolicy, id.to_string(), &why, None);
        all.extend(ownerless.policies.into_iter().map(one));
    }
    all.extend(moment.wider_than_their_tier(tick)?);
    for record in moment.resources() {
        let Some(url) = in_the_clear(&record.resource.upstream) else { continue };
        let why = format!(
            "{url} is on the network and not encrypted: only that network keeps anybody from going around the gateway"
        );
        all.push(found(UndocumentedKind::ReachableAround, record.resource.id.to_string(), &why, None));
    }
    Ok(all)
}

impl Moment {
    /// For each resource and each thing that its tier asks for: whoever is allowed without it, and by which policy.
    fn wider_than_their_tier(&self, tick: Tick<'_>) -> Result<Vec<Undocumented>, AskError> {
        // A service has a key and no device; what it may is a matter of its scope, and of the guardrails.
        let people = |it: &SubjectRecord| matches!(it.id().kind(), SubjectKind::Human | SubjectKind::Anonymous);
        let subjects = self.subjects(people);
        let resources = self.resources();
        let mut all = Vec::new();
        for (tier, sign_in, device, without) in TOO_LITTLE {
            let of_tier: Vec<&ResourceRecord> = resources.iter().copied().filter(|it| asks(it, tier)).collect();
            let wanted: Vec<(Action, &ResourceRecord)> = of_tier
                .iter()
                .flat_map(|record| ActionClass::ALL.map(|class| (Action::http(class), *record)))
                .collect();
            let requests: Vec<Wanted<'_>> = wanted
                .iter()
                .map(|(action, record)| super::wanted(*action, record, &RequestCondition::default()))
                .collect();
            let conditions = Conditions { sign_in, device, ..Conditions::default() };
            let situation = conditions.situation(&self.rules, self.now);
            let askers = subjects.iter().map(|record| asker(record)).collect();
            let population = Population::new(&self.rules.policies, askers, &requests);
            let survey = population.under(&situation);
            let first = |at: usize| {
                let classes = survey.classes(at);
                let answers = survey.answers(&classes);
                classes.spread(&answers).position(|allowed| *allowed)
            };
            let step = |done: usize| tick(done, requests.len());
            let firsts = each(requests.len(), &step, first).ok_or(AskError::Cancelled)?;
            let mut told = BTreeSet::new();
            for ((action, record), first) in wanted.iter().zip(firsts) {
                let Some(somebody) = first.and_then(|at| subjects.get(at)) else { continue };
                let resource = &record.resource.id;
                for policy in self.permitting(somebody.id(), *action, record, &conditions)? {
                    if told.insert((policy.clone(), resource.clone())) {
                        let why = format!("it permits {} of {resource}, {tier}, {without}", action.class.name());
                        let kind = UndocumentedKind::WiderThanTier;
                        all.push(Undocumented { kind, what: policy, why, until: None });
                    }
                }
            }
        }
        Ok(all)
    }

    fn permitting(
        &self,
        subject: &SubjectId,
        action: Action,
        record: &ResourceRecord,
        conditions: &Conditions,
    ) -> Result<Vec<String>, AskError> {
        let what = (subject, action, &record.resource.id);
        let mut question = self.question(what, conditions, None, &RequestCondition::default())?;
        // What an exception lets through is documented.
        question.circumstances.exception = None;
        let subject = self.subject(subject)?;
        let slice = countersign_policy::Slice { subject: &subject.record, resource: &record.record };
        let decision = self.rules.policies.decide(&slice, &question);
        let policies = decision.reasons().determining.iter().map(|policy| policy.id.to_string());
        Ok(if decision.name() == "allow" { policies.collect() } else { Vec::new() })
    }
}

/// The address of an application that nothing but the network stands before: on another machine, and without TLS, so that neither
/// side proves itself to the other. What is on this machine is reached from within it alone.
fn in_the_clear(upstream: &Upstream) -> Option<&str> {
    let Upstream::Origin { url, .. } = upstream else { return None };
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let host = host.to_ascii_lowercase();
    let here = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    (!scheme.eq_ignore_ascii_case("https") && !here).then_some(url)
}

fn asks(record: &ResourceRecord, tier: Tier) -> bool {
    record.resource.kind == ResourceKind::Http && record.resource.tier == tier
}
