//! The smallest changes that turn a decision around: for a refusal what would allow it, for an allowance what would have
//! to go. Each is tried on the plan that decided; the circumstances are otherwise as they were.

use std::fmt;

use countersign_model::{
    AuthenticationMethod, Circumstances, Decision, GroupId, Methods, Need, Question, Remedy, ZoneName,
};
use countersign_policy::Record;
use countersign_policy::ask::Wanted;

use super::{Moment, as_stated, is_somebody};
use crate::world::{ResourceRecord, SubjectRecord};

/// More groups at once than this are not tried one by one.
const TOGETHER: usize = 3;
/// Nobody is in more groups that count than are tried in threes.
const TRIED: usize = 24;

/// One change, enough by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reversal {
    /// What the subject can do about it: all of it together.
    Needs(Vec<Need>),
    /// Be put into this group, and then, where something is still missing, do this.
    Join(GroupId, Vec<Need>),
    /// A risk of no more than this.
    RiskAtMost(u8),
    Enable,
    /// Out of all of these groups, which it is in directly.
    Leave(Vec<GroupId>),
    Disable,
    NotSignedIn,
    /// A sign-in without this quality.
    SignInWithout(&'static str),
    /// A sign-in that is this many seconds old.
    SignInAge(u64),
    NoDevice,
    DeviceNotManaged,
    DeviceNotCompliant,
    /// A posture that is this many seconds old.
    PostureAge(u64),
    OutOfZone(ZoneName),
    NotEncrypted,
    RiskAtLeast(u8),
    NoGrant,
    NoException,
}

impl Reversal {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Needs(_) => "needs",
            Self::Join(..) => "join-group",
            Self::RiskAtMost(_) => "risk-at-most",
            Self::Enable => "enable",
            Self::Leave(_) => "leave-groups",
            Self::Disable => "disable",
            Self::NotSignedIn => "not-signed-in",
            Self::SignInWithout(_) => "weaker-sign-in",
            Self::SignInAge(_) => "sign-in-age",
            Self::NoDevice => "no-device",
            Self::DeviceNotManaged => "device-not-managed",
            Self::DeviceNotCompliant => "device-not-compliant",
            Self::PostureAge(_) => "posture-age",
            Self::OutOfZone(_) => "out-of-zone",
            Self::NotEncrypted => "not-encrypted",
            Self::RiskAtLeast(_) => "risk-at-least",
            Self::NoGrant => "no-grant",
            Self::NoException => "no-exception",
        }
    }
}

fn steps(needs: &[Need]) -> String {
    let steps = Remedy { needs: needs.to_vec(), advice: None }.steps();
    steps.join(" ")
}

impl fmt::Display for Reversal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needs(needs) => f.write_str(&steps(needs)),
            Self::Join(group, needs) if needs.is_empty() => write!(f, "Be put into the group {group}."),
            Self::Join(group, needs) => write!(f, "Be put into the group {group}, and then: {}", steps(needs)),
            Self::RiskAtMost(risk) => write!(f, "A risk of {risk} or less."),
            Self::Enable => f.write_str("Enable the subject, and whom it acts for."),
            Self::Leave(groups) => {
                let names: Vec<&str> = groups.iter().map(GroupId::as_str).collect();
                write!(f, "Leave the group{} {}.", if names.len() == 1 { "" } else { "s" }, names.join(" and "))
            }
            Self::Disable => f.write_str("Disable the subject."),
            Self::NotSignedIn => f.write_str("Not signed in."),
            Self::SignInWithout(quality) => write!(f, "A sign-in that is not {quality}."),
            Self::SignInAge(age) => write!(f, "A sign-in {age} seconds ago or earlier."),
            Self::NoDevice => f.write_str("No device that proves itself."),
            Self::DeviceNotManaged => f.write_str("Take the device out of management."),
            Self::DeviceNotCompliant => f.write_str("A device whose posture does not pass."),
            Self::PostureAge(age) => write!(f, "A posture reported {age} seconds ago or earlier."),
            Self::OutOfZone(zone) => write!(f, "From outside the network {zone}."),
            Self::NotEncrypted => f.write_str("Over a connection that is not encrypted."),
            Self::RiskAtLeast(risk) => write!(f, "A risk of {risk} or more."),
            Self::NoGrant => f.write_str("End the grant."),
            Self::NoException => f.write_str("End the exception."),
        }
    }
}

struct Turning<'m> {
    moment: &'m Moment,
    subject: &'m SubjectRecord,
    resource: &'m ResourceRecord,
    question: &'m Question,
}

pub(super) fn turns(
    moment: &Moment,
    subject: &SubjectRecord,
    resource: &ResourceRecord,
    question: &Question,
) -> Vec<Reversal> {
    let turning = Turning { moment, subject, resource, question };
    match moment.decide(subject, resource, question) {
        Decision::Allow(_) => turning.losses(),
        Decision::Challenge(challenge) => turning.gains(Some(&challenge.remedy)),
        Decision::Deny(denial) => turning.gains(denial.remedy.as_ref()),
    }
}

impl Turning<'_> {
    fn allowed(&self, record: &Record, circumstances: &Circumstances) -> bool {
        let question = Question { circumstances: circumstances.clone(), ..self.question.clone() };
        let wanted = Wanted {
            action: question.action,
            record: &self.resource.record,
            http: question.circumstances.http.clone(),
        };
        let asker = countersign_policy::ask::Asker { record, risk: circumstances.risk };
        self.moment.rules.policies.allows(&asker, &wanted, &as_stated(&question))
    }

    /// Whether it would be allowed with this change of circumstances.
    fn with(&self, change: impl FnOnce(&mut Circumstances)) -> bool {
        let mut circumstances = self.question.circumstances.clone();
        change(&mut circumstances);
        self.allowed(&self.subject.record, &circumstances)
    }

    fn gains(&self, remedy: Option<&Remedy>) -> Vec<Reversal> {
        let mut turns = Vec::new();
        if !self.moment.view.answers(self.subject) {
            turns.push(Reversal::Enable);
        }
        turns.extend(remedy.filter(|it| !it.needs.is_empty()).map(|it| Reversal::Needs(it.needs.clone())));
        let risk = self.question.circumstances.risk;
        turns.extend((0..risk).rev().find(|risk| self.with(|it| it.risk = *risk)).map(Reversal::RiskAtMost));
        if is_somebody(&self.question.subject) {
            turns.extend(self.groups_to_join());
        }
        turns
    }

    /// Each group that would help by itself, those first with which the least is still missing; where some help at
    /// once, those only.
    fn groups_to_join(&self) -> Vec<Reversal> {
        let mut found: Vec<(usize, usize, Reversal)> = Vec::new();
        let among = self.moment.groups_that_count(self.resource);
        for (at, (group, _)) in
            among.iter().enumerate().filter(|(_, (group, _))| !self.moment.within(self.subject, group))
        {
            let groups: Vec<GroupId> = self.subject.groups().iter().chain([group]).cloned().collect();
            let record = self.moment.record_in(self.subject, &groups);
            let needs = match self.moment.decide_as(&record, self.resource, self.question) {
                Decision::Allow(_) => Vec::new(),
                Decision::Challenge(challenge) => challenge.remedy.needs,
                Decision::Deny(denial) => match denial.remedy {
                    Some(remedy) if !remedy.needs.is_empty() => remedy.needs,
                    _ => continue,
                },
            };
            found.push((needs.len(), at, Reversal::Join(group.clone(), needs)));
        }
        // What already helps without the group is no reason to join it.
        let before = match self.moment.decide_as(&self.subject.record, self.resource, self.question) {
            Decision::Challenge(challenge) => Some(challenge.remedy.needs.len()),
            Decision::Deny(denial) => denial.remedy.map(|remedy| remedy.needs.len()).filter(|needs| *needs > 0),
            Decision::Allow(_) => None,
        };
        found.retain(|(needs, ..)| before.is_none_or(|before| *needs < before));
        found.sort_by_key(|(needs, at, _)| (*needs, *at));
        let least = found.first().map(|(needs, ..)| *needs);
        found.into_iter().filter(|(needs, ..)| Some(*needs) == least).map(|(.., turn)| turn).collect()
    }

    fn losses(&self) -> Vec<Reversal> {
        let now = &self.question.circumstances;
        let mut turns: Vec<Reversal> = self.groups_to_leave().map(Reversal::Leave).into_iter().collect();
        let mut add = |turn: Reversal, change: &dyn Fn(&mut Circumstances)| {
            if !self.with(change) {
                turns.push(turn);
            }
        };
        let policies = &self.moment.rules.policies;
        if let Some(proof) = &now.authentication {
            let only = |methods: &[AuthenticationMethod]| methods.iter().copied().collect::<Methods>();
            let weaker = |method| only(&[method]);
            if proof.phishing_resistant() {
                add(Reversal::SignInWithout("phishing-resistant"), &|it| {
                    replace(it, weaker(AuthenticationMethod::FederatedMultiFactor));
                });
            }
            if proof.multi_factor() {
                add(Reversal::SignInWithout("multi-factor"), &|it| {
                    replace(it, weaker(AuthenticationMethod::Federated))
                });
            }
            add(Reversal::NotSignedIn, &|it| it.authentication = None);
            let mut ages = policies.age_thresholds().iter().filter(|age| **age > proof.age);
            if let Some(age) = ages.find(|age| !self.with(|it| set_age(it, **age))) {
                add(Reversal::SignInAge(*age), &|it| set_age(it, *age));
            }
        }
        if let Some(device) = &now.device {
            if device.compliant {
                add(Reversal::DeviceNotCompliant, &|it| change_device(it, |device| device.compliant = false));
            }
            if device.managed {
                add(Reversal::DeviceNotManaged, &|it| change_device(it, |device| device.managed = false));
            }
            add(Reversal::NoDevice, &|it| it.device = None);
            let age = device.posture_age.unwrap_or(0);
            let set = |it: &mut Circumstances, age| change_device(it, |device| device.posture_age = Some(age));
            let mut ages = policies.age_thresholds().iter().filter(|threshold| **threshold > age);
            if let Some(age) = ages.find(|age| !self.with(|it| set(it, **age))) {
                add(Reversal::PostureAge(*age), &|it| set(it, *age));
            }
        }
        for zone in &now.network.zones {
            add(Reversal::OutOfZone(zone.clone()), &|it| {
                it.network.zones.remove(zone);
            });
        }
        if now.network.encrypted {
            add(Reversal::NotEncrypted, &|it| it.network.encrypted = false);
        }
        if let Some(risk) = (now.risk..=100).find(|risk| !self.with(|it| it.risk = *risk)) {
            add(Reversal::RiskAtLeast(risk), &|it| it.risk = risk);
        }
        if now.grant.is_some() {
            add(Reversal::NoGrant, &|it| it.grant = None);
        }
        if now.exception.is_some() {
            add(Reversal::NoException, &|it| it.exception = None);
        }
        if is_somebody(&self.question.subject) {
            turns.push(Reversal::Disable);
        }
        turns
    }

    /// The fewest groups to leave; of those that matter, since leaving any other changes nothing.
    fn groups_to_leave(&self) -> Option<Vec<GroupId>> {
        let counts = self.moment.groups_that_count(self.resource);
        let matters =
            |group: &GroupId| self.moment.view.closure([group]).iter().any(|above| counts.contains_key(above));
        let own = self.subject.groups();
        let candidates: Vec<&GroupId> = own.iter().filter(|group| matters(group)).collect();
        let without = |leave: &[&GroupId]| {
            let left: Vec<GroupId> = own.iter().filter(|group| !leave.contains(group)).cloned().collect();
            let record = self.moment.record_in(self.subject, &left);
            !self.allowed(&record, &self.question.circumstances)
        };
        // Where leaving all of them does not help, no part of them does: groups entitle.
        if candidates.is_empty() || !without(&candidates) {
            return None;
        }
        let few = if candidates.len() <= TRIED { TOGETHER } else { 1 };
        let mut chosen: Vec<Vec<&GroupId>> = vec![Vec::new()];
        for _ in 0..few {
            let mut next = Vec::new();
            for so_far in &chosen {
                let from =
                    so_far.last().and_then(|last| candidates.iter().position(|it| it == last)).map_or(0, |at| at + 1);
                for group in candidates.iter().skip(from) {
                    let mut leave = so_far.clone();
                    leave.push(group);
                    if without(&leave) {
                        return Some(leave.into_iter().cloned().collect());
                    }
                    next.push(leave);
                }
            }
            chosen = next;
        }
        Some(candidates.into_iter().cloned().collect())
    }
}

fn replace(circumstances: &mut Circumstances, methods: Methods) {
    if let Some(proof) = &mut circumstances.authentication {
        proof.methods = methods;
    }
}

fn set_age(circumstances: &mut Circumstances, age: u64) {
    let now = circumstances.time.now;
    if let Some(proof) = &mut circumstances.authentication {
        proof.age = age;
        proof.at = now.minus(std::time::Duration::from_secs(age));
    }
}

fn change_device(circumstances: &mut Circumstances, change: impl FnOnce(&mut countersign_model::DeviceCircumstances)) {
    if let Some(device) = &mut circumstances.device {
        change(device);
    }
}
