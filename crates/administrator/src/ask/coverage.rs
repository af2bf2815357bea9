//! What policy does not speak for: doors (a resource, methods, a path, an action), identities and devices for which
//! nothing but the default denies, doors that open only with a grant or an exception, and policies whose owner nobody
//! here is. A forbid covers nothing by itself: it takes away from what somebody is permitted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_model::{
    Action, ActionClass, DeviceCircumstances, DeviceId, HttpCircumstances, PolicyId, Resource, ResourceId,
    ResourceKind, SubjectId, SubjectKind, Tier, Timestamp,
};
use countersign_policy::ask::{Of, Population, Proven, SignIn, Situation, Survey, Wanted, Way, each};

use super::{AskError, Conditions, Moment, RequestCondition, Tick, asker};
use crate::Administrator;
use crate::world::{DeviceRecord, ResourceRecord, SubjectRecord};

/// More than a page or a terminal shows; beyond it only the number is told.
const LISTED: usize = 10_000;

/// What policy does not speak for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub doors: Gaps<Door>,
    /// Identities that nothing permits anything, but what is public and their own pages.
    pub subjects: Gaps<SubjectId>,
    /// Active devices from which their owner can do nothing more, with a passkey, than without any device.
    pub devices: Gaps<DeviceId>,
    pub exceptional: Vec<(Door, Way)>,
    pub ownerless: Vec<Ownerless>,
    /// Resources in observe mode, and until when.
    pub observed_resources: Vec<(ResourceId, Timestamp)>,
    /// Policies in observe mode: nothing here rests on them.
    pub observed_policies: Vec<PolicyId>,
    pub policy_set: String,
    pub generation: u64,
    pub caveats: Vec<String>,
}

/// What was found of a kind, of how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps<T> {
    /// In order; no more than can be shown.
    pub items: Vec<T>,
    pub found: usize,
    pub of: usize,
}

/// A way into a resource. Methods and path are those of the resource's own rules; what no rule is about has no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    pub resource: ResourceId,
    pub action: Action,
    pub methods: Vec<String>,
    pub path: Option<String>,
}

/// Policies whose owner is no subject and no group that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownerless {
    pub owner: String,
    pub policies: Vec<PolicyId>,
}

impl Door {
    pub(super) fn of(resource: &Resource) -> Vec<Self> {
        let door = |action, methods: &[&str], path| Self {
            resource: resource.id.clone(),
            action: Action::http(action),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            path,
        };
        let mut doors: Vec<Self> = resource
            .rules
            .iter()
            .map(|rule| {
                let methods: Vec<&str> = rule.methods.iter().map(String::as_str).collect();
                door(rule.action, &methods, Some(rule.path.0.clone()))
            })
            .collect();
        doors.push(door(ActionClass::Read, &["GET", "HEAD", "OPTIONS"], None));
        doors.push(door(ActionClass::Write, &["POST", "PUT", "PATCH", "DELETE"], None));
        doors.push(door(ActionClass::Connect, &["CONNECT"], None));
        doors
    }

    pub(super) fn wanted<'r>(&self, record: &'r ResourceRecord) -> Wanted<'r> {
        let route = record.resource.routes.first();
        let prefix = route.map(|route| route.path_prefix.clone()).unwrap_or_default();
        let http = HttpCircumstances {
            method: self.methods.first().cloned().unwrap_or_else(|| "GET".to_owned()),
            host: route.map(|route| route.host.clone()).unwrap_or_default(),
            path: self.path.as_ref().map_or(prefix, |path| path.strip_suffix("/*").unwrap_or(path).to_owned()),
        };
        Wanted { action: self.action, record: &record.record, http: Some(Arc::new(http)) }
    }
}

/// What everybody has is no sign that somebody thought of it.
fn is_common(resource: &Resource) -> bool {
    resource.tier == Tier::Public || (resource.kind == ResourceKind::Countersign && resource.tier == Tier::Standard)
}

impl Administrator {
    pub fn coverage(&self, tick: Tick<'_>) -> Result<Coverage, AskError> {
        let moment = Moment::of(self);
        let policies = &moment.rules.policies;
        let terrain = moment.terrain(Of::Permits);
        let subjects = moment.subjects(|_| true);
        let resources = moment.resources();
        let doors: Vec<(Door, &ResourceRecord)> = resources
            .iter()
            .flat_map(|record| Door::of(&record.resource).into_iter().map(move |door| (door, *record)))
            .collect();
        let wanted: Vec<Wanted<'_>> = doors.iter().map(|(door, record)| door.wanted(record)).collect();
        let population = Population::new(policies, subjects.iter().map(|record| asker(record)).collect(), &wanted);
        let own: Vec<&DeviceRecord> = moment.active_devices(moment.now);
        let work = doors.len() + own.len();
        let survey = population.permitted(&terrain);
        let open = |at: usize| Opening::of(&survey, at);
        let openings = each(doors.len(), &|done| tick(done, work), open).ok_or(AskError::Cancelled)?;
        let mut gaps = Vec::new();
        let mut exceptional = Vec::new();
        let mut known: BTreeSet<usize> = BTreeSet::new();
        for ((door, record), opening) in doors.iter().zip(openings) {
            match opening.way {
                None => gaps.push(door.clone()),
                Some(Way::Standing) => {}
                Some(way) => exceptional.push((door.clone(), way)),
            }
            if !is_common(&record.resource) {
                known.extend(opening.permitted);
            }
        }
        let unknown = subjects.iter().enumerate().filter(|(at, _)| !known.contains(at));
        let unknown: Vec<SubjectId> = unknown.map(|(_, record)| record.id().clone()).filter(is_identity).collect();
        let devices = moment.idle_devices(&own, &resources, &|done| tick(doors.len() + done, work))?;
        let identities = subjects.iter().filter(|record| is_identity(record.id())).count();
        Ok(Coverage {
            doors: Gaps::new(gaps, doors.len()),
            subjects: Gaps::new(unknown, identities),
            devices: Gaps::new(devices, own.len()),
            exceptional,
            ownerless: moment.ownerless(),
            observed_resources: resources
                .iter()
                .filter_map(|record| Some((record.resource.id.clone(), record.resource.observed_until(moment.now)?)))
                .collect(),
            observed_policies: policies.observed().map(|info| info.id.clone()).collect(),
            policy_set: policies.hash().to_owned(),
            generation: moment.view.generation,
            caveats: moment.caveats(),
        })
    }
}

fn is_identity(id: &SubjectId) -> bool {
    id.kind() != SubjectKind::Anonymous
}

impl<T> Gaps<T> {
    fn new(mut items: Vec<T>, of: usize) -> Self {
        let found = items.len();
        items.truncate(LISTED);
        Self { items, found, of }
    }
}

/// Whom a door is open to.
struct Opening {
    /// The plainest way in which it is open to anybody.
    way: Option<Way>,
    /// Those who are permitted, by their place in the population.
    permitted: Vec<usize>,
}

impl Opening {
    fn of(survey: &Survey<'_, '_, Option<Way>>, at: usize) -> Self {
        let classes = survey.classes(at);
        let ways = survey.answers(&classes);
        let permitted = classes.spread(&ways).enumerate().filter(|(_, way)| way.is_some()).map(|(at, _)| at).collect();
        Self { way: ways.into_iter().flatten().min(), permitted }
    }
}

impl Moment {
    fn active_devices(&self, now: Timestamp) -> Vec<&DeviceRecord> {
        let mut devices: Vec<&DeviceRecord> =
            self.view.devices().map(AsRef::as_ref).filter(|device| device.proves(now)).collect();
        devices.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        devices
    }

    /// Devices that make no difference to what their owner can do. Devices that no policy tells apart are looked at
    /// together, with all their owners.
    fn idle_devices(
        &self,
        devices: &[&DeviceRecord],
        resources: &[&ResourceRecord],
        tick: &(dyn Fn(usize) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<DeviceId>, AskError> {
        let policies = &self.rules.policies;
        let without = Conditions::default().situation(&self.rules, self.now);
        let without = Situation { proven: Proven::By(SignIn::Passkey, 0), ..without };
        let worth = resources.iter().filter(|record| !is_common(&record.resource));
        let wanted: Vec<Wanted<'_>> = worth
            .flat_map(|record| Action::all().map(|action| super::wanted(action, record, &RequestCondition::default())))
            .collect();
        let mut alike: BTreeMap<_, (DeviceCircumstances, Vec<&DeviceRecord>)> = BTreeMap::new();
        for device in devices {
            let (judged, ..) = self.rules.device_at(device, self.now);
            let reached = |age| policies.age_thresholds().iter().filter(|limit| **limit <= age).count();
            let age = judged.posture_age.map(|age| (reached(age), policies.time().continuous.then_some(age)));
            let one = policies.tells_devices_apart().then(|| judged.id.clone());
            let group = alike.entry((judged.managed, judged.compliant, age, one));
            group.or_insert_with(|| (judged, Vec::new())).1.push(device);
        }
        let groups: Vec<(DeviceCircumstances, Vec<&DeviceRecord>)> = alike.into_values().collect();
        let idle = |at: usize| -> Vec<DeviceId> {
            let Some((judged, devices)) = groups.get(at) else { return Vec::new() };
            let mut with = without.clone();
            with.circumstances.device = Some(judged.clone());
            let owner =
                |device: &DeviceRecord| self.subject(device.owner()).ok().filter(|owner| self.view.answers(owner));
            // An owner who is gone, or not let in, can do nothing with whatever device.
            let (known, unknown): (Vec<&DeviceRecord>, Vec<&DeviceRecord>) =
                devices.iter().copied().partition(|device| owner(device).is_some());
            let owners: Vec<&SubjectRecord> = known.iter().filter_map(|device| owner(device)).collect();
            let population = Population::new(policies, owners.iter().map(|owner| asker(owner)).collect(), &wanted);
            let mut helps = vec![false; owners.len()];
            let (with, without) = (population.under(&with), population.under(&without));
            for at in 0..wanted.len() {
                let (more, less) = (with.classes(at), without.classes(at));
                let (can, could) = (with.answers(&more), without.answers(&less));
                let better = more.spread(&can).zip(less.spread(&could)).map(|(can, could)| *can && !could);
                helps.iter_mut().zip(better).for_each(|(helps, better)| *helps |= better);
            }
            let idle = known.iter().zip(helps).filter(|(_, helps)| !helps).map(|(device, _)| device);
            idle.chain(&unknown).map(|device| device.id().clone()).collect()
        };
        let found = each(groups.len(), tick, idle).ok_or(AskError::Cancelled)?;
        let mut found: Vec<DeviceId> = found.into_iter().flatten().collect();
        found.sort_unstable();
        Ok(found)
    }

    pub(super) fn ownerless(&self) -> Vec<Ownerless> {
        let mut by_owner: BTreeMap<&str, Vec<PolicyId>> = BTreeMap::new();
        for policy in self.rules.policies.policies() {
            by_owner.entry(&policy.owner).or_default().push(policy.id.clone());
        }
        let known = |owner: &str| {
            let subject = owner.parse::<SubjectId>().or_else(|_| format!("human:{owner}").parse());
            subject.is_ok_and(|id| self.view.subject(&id).is_some())
                || countersign_model::GroupId::new(owner).is_ok_and(|id| self.view.group(&id).is_some())
        };
        let unknown = by_owner.into_iter().filter(|(owner, _)| !known(owner));
        unknown.map(|(owner, policies)| Ownerless { owner: owner.to_owned(), policies }).collect()
    }
}
