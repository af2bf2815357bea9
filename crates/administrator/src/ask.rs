//! The policy asked: who can, what can somebody do, which groups reach which resources, under stated circumstances or
//! under which. The answers are exact and come from one view of the world and one set of policies (`policy`'s `ask`
//! works them out); nothing is recorded by it and nothing opened. Everything here computes for a while: not for an
//! async thread.

mod coverage;
mod done;
mod entitled;
mod entitlements;
mod matrix;
mod past;
mod situation;
mod strictness;
mod undocumented;
mod why;

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_model::{
    Action, ActionClass, DeviceId, GroupId, HttpCircumstances, Resource, ResourceId, SubjectId, SubjectKind,
    SubjectState, Timestamp, ZoneName,
};
use countersign_policy::ask::{Asker, Classes, Of, Population, Situation, Sufficient, Survey, Terrain, Wanted, each};

use crate::policies::Rules;
use crate::world::{ResourceRecord, SubjectRecord, View};
use crate::{Administrator, Page};
use past::Unknown;

pub use coverage::{Coverage, Door, Gaps, Ownerless};
pub use done::{DidError, DidFilter, Doing, Done};
pub use entitled::Enforced;
pub(crate) use entitlements::{Entitlement, EntitlementKey, Whose};
pub use matrix::{AccessMatrix, MatrixRow, Members};
pub use past::PastError;
pub use situation::{Conditions, DeviceCondition, NetworkCondition, RequestCondition};
#[cfg(test)]
pub(crate) use strictness::CLOSED_TO_UNMANAGED;
pub use strictness::{AgentBound, Strictness, Unmanaged};
pub use undocumented::{Undocumented, UndocumentedKind};
pub use why::{Chain, Provenance, Reversal, Why, WhyError};

/// Hears how many pieces of the work are done and of how many, and ends it with `Break`.
pub type Tick<'t> = &'t (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("there is no subject {0}")]
    UnknownSubject(SubjectId),
    #[error("there is no resource {0}")]
    UnknownResource(ResourceId),
    #[error("there is no group {0}")]
    UnknownGroup(GroupId),
    #[error("there is no network zone {0}")]
    UnknownZone(ZoneName),
    #[error("there is no active device {0}")]
    InactiveDevice(DeviceId),
    #[error(transparent)]
    Past(#[from] PastError),
    #[error("nobody waits for the answer any more")]
    Cancelled,
}

/// Under which circumstances is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Under {
    /// All of them, and the answer tells which suffice.
    Any,
    These(Box<Situation>),
}

#[derive(Debug, Clone)]
pub struct WhoCan {
    pub action: Action,
    pub resource: ResourceId,
    pub under: Under,
    /// The request that is meant; without it, one that stands for the action.
    pub request: RequestCondition,
    /// Only those in this group, directly or not.
    pub group: Option<GroupId>,
    pub kind: Option<SubjectKind>,
    pub page: Page,
}

#[derive(Debug, Clone)]
pub struct WhatCan {
    pub subject: SubjectId,
    /// Without it, every action.
    pub action: Option<Action>,
    pub under: Under,
    pub request: RequestCondition,
    pub page: Page,
}

/// One page of what was found, in the order of its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub items: Vec<T>,
    /// Begins the next page.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub found: usize,
    /// How many were looked at: each of them is in the answer or cannot.
    pub considered: usize,
    /// SHA-256 of the policies that answered, in hex.
    pub policy_set: String,
    /// Of the world.
    pub generation: u64,
    /// Where it is about one resource that is in observe mode: until then whoever asks is let through, and the answer is
    /// what policies say.
    pub not_enforced_until: Option<Timestamp>,
    /// What the answer does not cover.
    pub caveats: Vec<String>,
    /// Of a past time: whose facts of then are not recorded, so that they are not in the answer.
    pub unknown: Vec<String>,
}

/// Somebody who can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub subject: SubjectId,
    pub display_name: String,
    /// The weakest circumstances that suffice; empty where circumstances were stated.
    pub suffices: Arc<[Sufficient]>,
}

/// Something that somebody can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub resource: ResourceId,
    pub display_name: String,
    pub action: Action,
    pub suffices: Arc<[Sufficient]>,
    /// Where the resource is in observe mode.
    pub not_enforced_until: Option<Timestamp>,
}

/// The world and the policies, as they are when the question is put.
struct Moment {
    view: Arc<View>,
    rules: Arc<Rules>,
    now: Timestamp,
    /// Of the past, whose facts of then nobody knows.
    unknown: Option<Unknown>,
}

impl Moment {
    fn of(administrator: &Administrator) -> Self {
        Self {
            view: Arc::clone(&administrator.0.world.view()),
            rules: administrator.0.rules.load_full(),
            now: administrator.now(),
            unknown: None,
        }
    }

    /// Whether its facts are not known, or those of whom it acts for.
    fn is_unknown(&self, record: &SubjectRecord) -> bool {
        let unknown = |id: &SubjectId| self.unknown.as_ref().is_some_and(|all| all.subjects.contains(id));
        unknown(record.id()) || record.acts_for().is_some_and(unknown)
    }

    /// By name, sorted.
    fn unknown_subjects(&self) -> Vec<String> {
        let Some(unknown) = &self.unknown else { return Vec::new() };
        let affected = self.view.subjects().filter(|record| self.is_unknown(record)).map(|record| record.id());
        affected.chain(&unknown.subjects).collect::<BTreeSet<_>>().into_iter().map(ToString::to_string).collect()
    }

    /// Everybody who is let in at all, sorted: what is disabled, or acts for somebody who is, can nothing.
    fn subjects(&self, fits: impl Fn(&SubjectRecord) -> bool) -> Vec<&SubjectRecord> {
        let anonymous = self.view.subject(&SubjectId::anonymous());
        let all = self.view.subjects().chain(anonymous).map(AsRef::as_ref);
        let mut subjects: Vec<&SubjectRecord> =
            all.filter(|it| self.view.answers(it) && !self.is_unknown(it) && fits(it)).collect();
        subjects.sort_by_cached_key(|record| record.id().to_string());
        subjects
    }

    fn subject(&self, id: &SubjectId) -> Result<&SubjectRecord, AskError> {
        if self.unknown.as_ref().is_some_and(|all| all.subjects.contains(id)) {
            return Err(PastError::Unknown(id.to_string()).into());
        }
        let found = self.view.subject(id).ok_or_else(|| AskError::UnknownSubject(id.clone()))?;
        if self.is_unknown(found) { Err(PastError::Unknown(id.to_string()).into()) } else { Ok(found) }
    }

    fn resource(&self, id: &ResourceId) -> Result<&ResourceRecord, AskError> {
        if self.unknown.as_ref().is_some_and(|all| all.resources.contains(id)) {
            return Err(PastError::Unknown(id.to_string()).into());
        }
        self.view.resource(id).map(AsRef::as_ref).ok_or_else(|| AskError::UnknownResource(id.clone()))
    }

    fn resources(&self) -> Vec<&ResourceRecord> {
        let unknown = |id: &ResourceId| self.unknown.as_ref().is_some_and(|all| all.resources.contains(id));
        let all = self.view.resources().map(AsRef::as_ref);
        let mut resources: Vec<&ResourceRecord> = all.filter(|record| !unknown(&record.resource.id)).collect();
        resources.sort_unstable_by(|a, b| a.resource.id.cmp(&b.resource.id));
        resources
    }

    /// Every circumstance that the policies tell apart, as of the time and from the places that this installation knows.
    fn terrain(&self, of: Of) -> Terrain {
        let situation = Conditions::default().situation(&self.rules, self.now);
        let named = self.rules.settings.zones.iter();
        let mut places: Vec<(ZoneName, IpAddr)> =
            named.filter_map(|(zone, networks)| Some((zone.clone(), networks.first()?.address()))).collect();
        if let Ok(loopback) = ZoneName::new(situation::LOOPBACK) {
            places.push((loopback, std::net::Ipv4Addr::LOCALHOST.into()));
        }
        let zones_of = |address: IpAddr| -> BTreeSet<ZoneName> { self.rules.zones(address) };
        Terrain::new(&self.rules.policies, of, &situation, &places, &zones_of)
    }

    fn answer<T>(
        &self,
        (items, next): (Vec<T>, Option<String>),
        found: usize,
        considered: usize,
        unknown: Vec<String>,
    ) -> Answer<T> {
        Answer {
            items,
            next,
            found,
            considered,
            policy_set: self.rules.policies.hash().to_owned(),
            generation: self.view.generation,
            not_enforced_until: None,
            caveats: self.caveats(),
            unknown,
        }
    }

    fn caveats(&self) -> Vec<String> {
        let policies = &self.rules.policies;
        let mut caveats = Vec::new();
        let mut say = |caveat: &str| caveats.push(caveat.to_owned());
        if self.unknown.is_some() {
            say("networks, time zone and Countersign's own pages are those of today");
        }
        if !policies.ignores_request() {
            say("a policy looks at the method, host or path: the answer is for the request that stands for the action");
        }
        if policies.time().continuous {
            say("a policy computes with ages or with the time: the answer is for now");
        } else if !policies.time().instants.is_empty() {
            say("a policy names an instant: the answer is for now");
        }
        let in_force = |it: &&Arc<countersign_model::Exception>| {
            self.view.standing(it, self.now) == countersign_model::ExceptionStanding::InForce
        };
        match self.view.exceptions().filter(in_force).count() {
            0 => {}
            1 => say("an exception is in force, which is for somebody: it is counted where one subject is asked about"),
            more => say(&format!(
                "{more} exceptions are in force, each for somebody: they are counted where one subject is asked about"
            )),
        }
        match policies.observed().count() {
            0 => {}
            1 => say("a policy is in observe mode: it takes no part in the answer"),
            more => say(&format!("{more} policies are in observe mode: they take no part in the answer")),
        }
        caveats
    }

    /// Until when a resource is in observe mode, where it is at the instant that is asked about.
    fn not_enforced_until(&self, resource: &ResourceRecord, under: &Under) -> Option<Timestamp> {
        resource.resource.observed_until(match under {
            Under::Any => self.now,
            Under::These(situation) => situation.circumstances.time.now,
        })
    }
}

fn not_enforced(resource: &ResourceId, until: Timestamp) -> String {
    format!(
        "{resource} is in observe mode: it is not enforced until {until}, and whoever asks is let through. The answer is what \
         policies say"
    )
}

fn asker(record: &SubjectRecord) -> Asker<'_> {
    Asker { record: &record.record, risk: record.risk }
}

fn wanted<'r>(action: Action, record: &'r ResourceRecord, request: &RequestCondition) -> Wanted<'r> {
    Wanted { action, record: &record.record, http: request.of(&record.resource, action).map(Arc::new) }
}

/// The request that stands for an action: where the resource's own rules say what the action is, what they say.
fn representative(resource: &Resource, action: Action) -> HttpCircumstances {
    let route = resource.routes.first();
    let rule = resource.rules.iter().find(|rule| rule.action == action.class);
    let method = match (rule.and_then(|rule| rule.methods.first()), action.class) {
        (Some(method), _) => method.clone(),
        (None, ActionClass::Write) => "POST".to_owned(),
        (None, ActionClass::Read | ActionClass::Administer | ActionClass::Connect) => "GET".to_owned(),
    };
    let path = match rule {
        Some(rule) => rule.path.0.strip_suffix("/*").unwrap_or(&rule.path.0).to_owned(),
        None => route.map(|route| route.path_prefix.clone()).unwrap_or_default(),
    };
    let path = if path.is_empty() { "/".to_owned() } else { path };
    HttpCircumstances { method, host: route.map(|route| route.host.clone()).unwrap_or_default(), path }
}

/// The items of one page of `all`, which is in order, and where the next page begins.
fn page<T>(all: impl Iterator<Item = T>, page: &Page, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let mut items: Vec<T> = all
        .skip_while(|item| page.after.as_ref().is_some_and(|after| id(item) <= *after))
        .take(page.limit + 1)
        .collect();
    let more = items.len() > page.limit;
    items.truncate(page.limit);
    let next = items.last().filter(|_| more).map(&id);
    (items, next)
}

impl Administrator {
    /// `conditions` as the circumstances of a question.
    pub fn situation(&self, conditions: &Conditions) -> Result<Situation, AskError> {
        let rules = self.0.rules.load();
        conditions.check(&rules)?;
        Ok(conditions.situation(&rules, self.now()))
    }

    /// Everybody who can.
    pub fn who_can(&self, asked: &WhoCan, tick: Tick<'_>) -> Result<Answer<Holder>, AskError> {
        self.who_could(asked, None, tick)
    }

    /// Everybody who could at that time. Reads files.
    pub fn who_could(
        &self,
        asked: &WhoCan,
        as_of: Option<Timestamp>,
        tick: Tick<'_>,
    ) -> Result<Answer<Holder>, AskError> {
        let moment = Moment::at(self, as_of, tick)?;
        let policies = &moment.rules.policies;
        let resource = moment.resource(&asked.resource)?;
        if let Some(group) = asked.group.as_ref().filter(|group| !moment.knows(group)) {
            return Err(AskError::UnknownGroup(group.clone()));
        }
        let members = asked.group.as_ref().map(|group| (group, moment.view.below(group)));
        let subjects = moment.subjects(|record| {
            asked.kind.is_none_or(|kind| record.id().kind() == kind)
                && members.as_ref().is_none_or(|(group, below)| is_within(record, group, below))
        });
        let wanted = wanted(asked.action, resource, &asked.request);
        let askers = subjects.iter().map(|record| asker(record)).collect();
        let population = Population::new(policies, askers, std::slice::from_ref(&wanted));
        let (classes, suffices): (Classes, Vec<Option<Arc<[Sufficient]>>>) = match &asked.under {
            Under::These(situation) => {
                let (classes, found) = all_classes(&population.under(situation), tick)?;
                (classes, found.into_iter().map(|allowed| allowed.then(Arc::default)).collect())
            }
            Under::Any => {
                let terrain = moment.terrain(Of::All);
                let (classes, found) = all_classes(&population.sufficient(&terrain), tick)?;
                (classes, found.into_iter().map(|found| (!found.is_empty()).then_some(found)).collect())
            }
        };
        let can: Vec<(&SubjectRecord, &Arc<[Sufficient]>)> = subjects
            .iter()
            .zip(classes.spread(&suffices))
            .filter_map(|(record, suffices)| Some((*record, suffices.as_ref()?)))
            .collect();
        let found = can.len();
        let (items, next) = page(can.into_iter(), &asked.page, |(record, _)| record.id().to_string());
        let holder = |(record, suffices): (&SubjectRecord, &Arc<[Sufficient]>)| Holder {
            subject: record.id().clone(),
            display_name: record.display_name().to_owned(),
            suffices: Arc::clone(suffices),
        };
        let items = items.into_iter().map(holder).collect();
        let mut answer = moment.answer((items, next), found, subjects.len(), moment.unknown_subjects());
        answer.not_enforced_until = moment.not_enforced_until(resource, &asked.under);
        answer.caveats.extend(answer.not_enforced_until.map(|until| not_enforced(&asked.resource, until)));
        Ok(answer)
    }

    /// Everything that somebody can do.
    pub fn what_can(&self, asked: &WhatCan, tick: Tick<'_>) -> Result<Answer<Reach>, AskError> {
        self.what_could(asked, None, tick)
    }

    /// Everything that somebody could do at that time. Reads files.
    pub fn what_could(
        &self,
        asked: &WhatCan,
        as_of: Option<Timestamp>,
        tick: Tick<'_>,
    ) -> Result<Answer<Reach>, AskError> {
        let moment = Moment::at(self, as_of, tick)?;
        let policies = &moment.rules.policies;
        let subject = moment.subject(&asked.subject)?;
        let resources = if moment.view.answers(subject) { moment.resources() } else { Vec::new() };
        let actions: Vec<Action> = asked.action.map_or_else(|| Action::all().collect(), |action| vec![action]);
        let all: Vec<(Action, &ResourceRecord)> =
            resources.iter().flat_map(|record| actions.iter().map(|action| (*action, *record))).collect();
        let wanted: Vec<Wanted<'_>> =
            all.iter().map(|(action, record)| wanted(*action, record, &asked.request)).collect();
        let population = Population::new(policies, vec![asker(subject)], &wanted);
        let count = wanted.len();
        let tick = |done| tick(done, count);
        let suffices: Vec<Option<Arc<[Sufficient]>>> = match &asked.under {
            Under::These(situation) => {
                let survey = population.under(situation);
                each(count, &tick, |at| survey.answer(&survey.classes(at), 0).then(Arc::default))
            }
            Under::Any => {
                let terrain = moment.terrain(Of::All);
                let survey = population.sufficient(&terrain);
                each(count, &tick, |at| Some(survey.answer(&survey.classes(at), 0)).filter(|found| !found.is_empty()))
            }
        }
        .ok_or(AskError::Cancelled)?;
        let reach = |((action, record), suffices): (&(Action, &ResourceRecord), Option<Arc<[Sufficient]>>)| {
            Some(Reach {
                resource: record.resource.id.clone(),
                display_name: record.resource.display_name.clone(),
                action: *action,
                suffices: suffices?,
                not_enforced_until: moment.not_enforced_until(record, &asked.under),
            })
        };
        let all: Vec<Reach> = all.iter().zip(suffices).filter_map(reach).collect();
        let (found, considered) = (all.len(), count);
        let page = page(all.into_iter(), &asked.page, |reach| format!("{} {}", reach.resource, order(reach.action)));
        let unknown = moment.unknown.iter().flat_map(|all| &all.resources).map(ToString::to_string).collect();
        Ok(moment.answer(page, found, considered, unknown))
    }

    /// Which of all actions somebody is allowed at a resource under these circumstances.
    pub fn which_actions(
        &self,
        subject: &SubjectId,
        resource: &ResourceId,
        request: &RequestCondition,
        situation: &Situation,
    ) -> Result<Vec<Action>, AskError> {
        let moment = Moment::of(self);
        let (subject, resource) = (moment.subject(subject)?, moment.resource(resource)?);
        let allowed = |action: &Action| {
            let wanted = wanted(*action, resource, request);
            moment.view.answers(subject) && moment.rules.policies.allows(&asker(subject), &wanted, situation)
        };
        Ok(Action::all().filter(allowed).collect())
    }
}

/// The classes of the only thing that is asked for, and the answer for each.
fn all_classes<T: Clone + Default + Send + Sync>(
    survey: &Survey<'_, '_, T>,
    tick: Tick<'_>,
) -> Result<(Classes, Vec<T>), AskError> {
    let classes = survey.classes(0);
    let count = classes.len();
    let found = each(count, &|done| tick(done, count), |class| survey.answer(&classes, class));
    Ok((classes, found.ok_or(AskError::Cancelled)?))
}

/// The place of an action in the order of all, so that pages follow it.
fn order(action: Action) -> usize {
    Action::all().position(|other| other == action).unwrap_or_default()
}

impl Moment {
    fn knows(&self, group: &GroupId) -> bool {
        group.as_str() == countersign_policy::EVERYONE || self.view.group(group).is_some()
    }

    fn within(&self, record: &SubjectRecord, group: &GroupId) -> bool {
        is_within(record, group, &self.view.below(group))
    }
}

/// Whether somebody is in a group, directly or not; every person is in `everyone`. `below` are the group itself and all
/// that are in it.
fn is_within(record: &SubjectRecord, group: &GroupId, below: &HashSet<GroupId>) -> bool {
    (group.as_str() == countersign_policy::EVERYONE && record.id().kind() == SubjectKind::Human)
        || record.groups().iter().any(|direct| below.contains(direct))
}

impl View {
    /// Whether it is let in at all: active, and not acting for somebody who is not.
    pub(crate) fn answers(&self, record: &SubjectRecord) -> bool {
        let active = |id: &SubjectId| self.subject(id).is_some_and(|record| record.state == SubjectState::Active);
        record.state == SubjectState::Active && record.acts_for().is_none_or(active)
    }
}
