//! What the ways into each resource ask for at the least, and whether agents stay within whom they act for: what the gap map
//! counts. Exact for the policies and the people that there are now; what holds whoever comes is for guardrails, and read
//! from their proofs. Nothing is changed by it.

use countersign_model::{ExceptionStanding, ProofResult, ResourceId, ResourceKind, SubjectId, SubjectKind, Tier};
use countersign_policy::ask::{Of, Place, Population, SignIn, Sufficient, Wanted, Way, each};

use super::coverage::Door;
use super::situation::LOOPBACK;
use super::{AskError, Conditions, Moment, Tick, asker};
use crate::Administrator;
use crate::world::{ResourceRecord, SubjectRecord};

/// A guardrail that comes with a new installation and says that people get in from managed devices alone. By what it claims,
/// not by its name: whoever changes it has another.
pub(crate) const CLOSED_TO_UNMANAGED: [(&str, &[Tier]); 2] = [
    // quarantine-holds
    ("f642e18dc6f532a5fd5d2f553a64717cdb4865830791909323728efbf3986b84", &[Tier::High, Tier::CrownJewel]),
    // crown-jewels-take-a-healthy-device-and-a-strong-sign-in
    ("2a1a048c67dad932f89964a76d36d16b2be6e0aef21cbaffb237c35647c825d0", &[Tier::CrownJewel]),
];

/// One resource above public that is not part of Countersign itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strictness {
    pub resource: ResourceId,
    pub tier: Tier,
    /// Nobody gets in by signing in alone: each way in asks for a stronger sign-in, a device, a network or a grant as well.
    pub beyond_sign_in: bool,
    pub unmanaged: Unmanaged,
}

/// Whether people get in from a device that nobody manages, the machine itself left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmanaged {
    /// Proven for all possible requests, and no exception in force touches the resource.
    ProvenClosed,
    /// Nobody does now, and nothing proves that nobody could.
    NotProven,
    /// Somebody does.
    Open,
}

/// One agent that is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentBound {
    pub agent: SubjectId,
    /// It acts for a person who is there and active, and may nothing that this person may not.
    pub bound: bool,
}

impl Administrator {
    /// Looks at everybody and everything: not for an async thread.
    pub fn strictness(&self, tick: Tick<'_>) -> Result<Vec<Strictness>, AskError> {
        Moment::of(self).strictness(tick)
    }

    /// The same.
    pub fn agent_bounds(&self, tick: Tick<'_>) -> Result<Vec<AgentBound>, AskError> {
        Moment::of(self).agent_bounds(tick)
    }
}

impl Moment {
    fn strictness(&self, tick: Tick<'_>) -> Result<Vec<Strictness>, AskError> {
        // A service has a key and no device; what it may is a matter of its scope, and of the guardrails.
        let people = |it: &SubjectRecord| matches!(it.id().kind(), SubjectKind::Human | SubjectKind::Anonymous);
        let subjects = self.subjects(people);
        let resources: Vec<&ResourceRecord> = self.resources();
        let counts = |record: &ResourceRecord| {
            record.resource.tier != Tier::Public && record.resource.kind != ResourceKind::Countersign
        };
        let resources: Vec<&ResourceRecord> = resources.into_iter().filter(|record| counts(record)).collect();
        let doors: Vec<(usize, Wanted<'_>)> = resources
            .iter()
            .enumerate()
            .flat_map(|(at, record)| Door::of(&record.resource).into_iter().map(move |door| (at, door.wanted(record))))
            .collect();
        let wanted: Vec<Wanted<'_>> = doors.iter().map(|(_, wanted)| wanted.clone()).collect();
        let askers = subjects.iter().map(|record| asker(record)).collect();
        let population = Population::new(&self.rules.policies, askers, &wanted);
        let terrain = self.terrain(Of::All);
        let survey = population.sufficient(&terrain);
        let weakest = |at: usize| -> (bool, bool) {
            let found = survey.answers(&survey.classes(at));
            // With a grant or an exception is more than a sign-in, and documented elsewhere.
            let standing = || found.iter().flat_map(|all| all.iter()).filter(|it| it.way == Way::Standing);
            (standing().any(is_sign_in_alone), standing().any(from_unmanaged))
        };
        let count = wanted.len();
        let found = each(count, &|done| tick(done, count), weakest).ok_or(AskError::Cancelled)?;
        let all = resources.iter().enumerate().map(|(at, record)| {
            let of = |fact: fn(&(bool, bool)) -> bool| {
                doors.iter().zip(&found).any(|((resource, _), found)| *resource == at && fact(found))
            };
            let unmanaged = match (of(|(_, open)| *open), self.closed_by_proof(record)) {
                (true, _) => Unmanaged::Open,
                (false, true) => Unmanaged::ProvenClosed,
                (false, false) => Unmanaged::NotProven,
            };
            Strictness {
                resource: record.resource.id.clone(),
                tier: record.resource.tier,
                beyond_sign_in: !of(|(alone, _)| *alone),
                unmanaged,
            }
        });
        Ok(all.collect())
    }

    fn closed_by_proof(&self, record: &ResourceRecord) -> bool {
        let policies = &self.rules.policies;
        let Some(proofs) = policies.proven() else { return false };
        let resource = &record.resource;
        let excepted = self.view.exceptions().any(|it| {
            self.view.standing(it, self.now) == ExceptionStanding::InForce
                && it.scope.covers_resource(&resource.id, resource.segment.as_ref())
        });
        let closes = |hash: &str| {
            CLOSED_TO_UNMANAGED.iter().any(|(claim, tiers)| *claim == hash && tiers.contains(&resource.tier))
        };
        let mut guardrails = policies.guardrails().iter();
        !excepted && guardrails.any(|it| closes(&it.hash) && proofs.result(&it.id) == ProofResult::Proven)
    }

    fn agent_bounds(&self, tick: Tick<'_>) -> Result<Vec<AgentBound>, AskError> {
        let agents =
            self.view.subjects().filter(|it| it.id().kind() == SubjectKind::Agent && self.view.is_active(it.id()));
        let mut agents: Vec<&SubjectRecord> = agents.map(AsRef::as_ref).collect();
        agents.sort_unstable_by_key(|record| record.id().to_string());
        let person = |record: &SubjectRecord| {
            let id = record.acts_for()?;
            let person = self.view.subject(id).filter(|it| it.id().kind() == SubjectKind::Human);
            person.filter(|it| self.view.is_active(it.id())).map(AsRef::as_ref)
        };
        let pairs: Vec<(&SubjectRecord, &SubjectRecord)> =
            agents.iter().filter_map(|agent| Some((*agent, person(agent)?))).collect();
        let resources = self.resources();
        let wanted: Vec<Wanted<'_>> = resources
            .iter()
            .flat_map(|record| Door::of(&record.resource).into_iter().map(move |door| door.wanted(record)))
            .collect();
        let askers = pairs.iter().flat_map(|(agent, person)| [asker(agent), asker(person)]).collect();
        let population = Population::new(&self.rules.policies, askers, &wanted);
        let situation = Conditions::best().situation(&self.rules, self.now);
        let survey = population.under(&situation);
        let beyond = |at: usize| -> Vec<usize> {
            let classes = survey.classes(at);
            let answers = survey.answers(&classes);
            let can: Vec<bool> = classes.spread(&answers).copied().collect();
            let beyond = can.chunks(2).enumerate().filter(|(_, pair)| matches!(pair, [true, false]));
            beyond.map(|(pair, _)| pair).collect()
        };
        let count = wanted.len();
        let found = each(count, &|done| tick(done, count), beyond).ok_or(AskError::Cancelled)?;
        let beyond: std::collections::BTreeSet<usize> = found.into_iter().flatten().collect();
        let bound = |agent: &SubjectRecord| {
            pairs.iter().enumerate().any(|(at, (one, _))| one.id() == agent.id() && !beyond.contains(&at))
        };
        Ok(agents.into_iter().map(|agent| AgentBound { agent: agent.id().clone(), bound: bound(agent) }).collect())
    }
}

fn is_sign_in_alone(it: &Sufficient) -> bool {
    let weak = it.sign_in.is_none_or(|bound| bound.strength.is_none_or(|strength| strength <= SignIn::Federated));
    weak && it.device.is_none() && it.place.is_none()
}

fn from_unmanaged(it: &Sufficient) -> bool {
    let here = matches!(&it.place, Some(Place::Zone(zone)) if zone.as_str() == LOOPBACK);
    !here && !it.device.is_some_and(|device| device.managed)
}
