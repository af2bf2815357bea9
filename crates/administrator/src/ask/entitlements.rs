//! Through which group somebody has what. Nothing is read out of names or rules: for each group that somebody is in, the
//! policies are asked again as if they were in that one alone, so that the answer is right for any policy. What no single
//! group gives, a policy gives without one. In no world: nothing is changed by it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_model::{
    Action, ActionClass, GroupId, Resource, ResourceId, ResourceKind, ReviewScope, Signal, SignalKind, Source,
    SubjectId, SubjectKind, Tier,
};
use countersign_policy::EVERYONE;
use countersign_policy::ask::{Asker, Of, Population, Survey, Wanted};

use super::{AskError, Moment, PastError, RequestCondition, Tick, is_within};
use crate::world::{ResourceRecord, SubjectRecord, View, World};
use crate::{Administrator, built_in};

/// A way to a resource, under the most favourable circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entitlement {
    pub(crate) key: EntitlementKey,
    pub(crate) tier: Tier,
    pub(crate) classes: BTreeSet<ActionClass>,
    pub(crate) source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntitlementKey {
    pub(crate) resource: ResourceId,
    /// Absent where it is every human.
    pub(crate) subject: Option<SubjectId>,
    /// Of those that the subject is in directly; absent where a policy gives it without one.
    pub(crate) through: Option<GroupId>,
}

/// Whose, and to what.
#[derive(Debug)]
pub(crate) struct Whose<'a> {
    pub(crate) scope: &'a ReviewScope,
    /// Nobody else, where it is given.
    pub(crate) only: Option<&'a BTreeSet<SubjectId>>,
    /// Whether what every human has, and what somebody has without a group, is asked for too: then everybody is looked at.
    pub(crate) everybody: bool,
}

/// A bit for each class of action.
type Bits = u8;

fn bit(class: ActionClass) -> Bits {
    1 << ActionClass::ALL.iter().position(|it| *it == class).unwrap_or_default()
}

fn classes(bits: Bits) -> BTreeSet<ActionClass> {
    ActionClass::ALL.into_iter().filter(|class| bits & bit(*class) != 0).collect()
}

impl Administrator {
    /// In the order of their keys; nothing where there are more than `most`. Looks at everybody: not for an async thread.
    pub(crate) fn entitlements(
        &self,
        whose: &Whose<'_>,
        most: usize,
        tick: Tick<'_>,
    ) -> Result<Option<Vec<Entitlement>>, AskError> {
        let moment = Moment::of(self);
        let scope = whose.scope;
        let below: Vec<_> = scope.groups.iter().map(|group| (group, moment.view.below(group))).collect();
        let asked_for = |record: &SubjectRecord| {
            (scope.kinds.is_empty() || scope.kinds.contains(&record.id().kind()))
                && (below.is_empty() || below.iter().any(|(group, below)| is_within(record, group, below)))
                && whose.only.is_none_or(|only| only.contains(record.id()))
        };
        // Every human is looked at, so that what all of them have is told once.
        let subjects = moment.subjects(|record| {
            let counts = whose.everybody && record.id().kind() == SubjectKind::Human;
            !built_in::is_subject(record.id()) && (counts || asked_for(record))
        });
        let chosen: Vec<bool> = subjects.iter().map(|record| asked_for(record)).collect();
        let mut resources = moment.resources();
        resources.retain(|record| scope.covers(&record.resource.id, record.resource.segment.as_ref()));

        let mut views =
            vec![Arc::clone(&moment.view), Arc::new(moment.regrouped(self, &moment.view, &subjects, None)?)];
        let deepest = subjects.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(it, _)| it.groups().len());
        for place in 0..deepest.max().unwrap_or_default() {
            let alone = views.get(1).unwrap_or(&moment.view);
            let view = moment.regrouped(self, alone, &subjects, Some(place))?;
            views.push(Arc::new(view));
        }
        let shut = moment.shut(self, views.get(1).unwrap_or(&moment.view), &resources)?;
        let wanted = all_of(resources.iter().copied());
        let wanted_shut = all_of(resources.iter().filter_map(|it| shut.resource(&it.resource.id)).map(AsRef::as_ref));
        let terrain = moment.terrain(Of::All);
        let policies = &moment.rules.policies;
        let populations: Vec<Population<'_>> =
            views.iter().map(|view| Population::new(policies, askers(view, &subjects), &wanted)).collect();
        let shut_population = Population::new(policies, askers(&shut, &subjects), &wanted_shut);
        let surveys: Vec<Survey<'_, '_, _>> = populations.iter().map(|it| it.sufficient(&terrain)).collect();
        let shut_survey = shut_population.sufficient(&terrain);

        let mut found = BTreeMap::new();
        for (place, record) in resources.iter().enumerate() {
            let can: Vec<Vec<Bits>> = surveys.iter().map(|survey| reach(survey, place, subjects.len())).collect();
            let shut = reach(&shut_survey, place, subjects.len());
            of_resource(record, &subjects, &chosen, &can, &shut, whose, &mut found);
            if found.len() > most {
                return Ok(None);
            }
            if tick(place + 1, resources.len()) == ControlFlow::Break(()) {
                return Err(AskError::Cancelled);
            }
        }
        Ok(Some(found.into_values().collect()))
    }
}

impl Moment {
    /// The world with each of them in the group at this place of their own alone; in none without a place. Of a view where they
    /// are in none, only those move who have one there.
    fn regrouped(
        &self,
        administrator: &Administrator,
        view: &View,
        subjects: &[&SubjectRecord],
        place: Option<usize>,
    ) -> Result<View, AskError> {
        let groups = |record: &SubjectRecord| match place {
            None => Some(Vec::new()),
            Some(place) => record.groups().get(place).map(|group| vec![group.clone()]),
        };
        let signal = |record: &&SubjectRecord| {
            let kind = SignalKind::MembershipChanged { subject: record.id().clone(), groups: groups(record)? };
            Some(Signal { at: self.now, source: Source::Countersign, by: None, kind })
        };
        let changes: Vec<Signal> = subjects.iter().filter_map(signal).collect();
        changed(administrator, view, &changes)
    }

    /// The world where none of these names everyone.
    fn shut(
        &self,
        administrator: &Administrator,
        view: &View,
        resources: &[&ResourceRecord],
    ) -> Result<View, AskError> {
        let others = |group: &GroupId| group.as_str() != EVERYONE;
        let put = |record: &&ResourceRecord| {
            let mut resource = Resource::clone(&record.resource);
            let entitled = &mut resource.entitled;
            for groups in [&mut entitled.readers, &mut entitled.writers, &mut entitled.administrators] {
                groups.retain(others);
            }
            let kind = SignalKind::ResourcePut { resource };
            Signal { at: self.now, source: Source::Countersign, by: None, kind }
        };
        let own = |record: &&&ResourceRecord| record.resource.kind != ResourceKind::Countersign;
        let changes: Vec<Signal> = resources.iter().filter(own).map(put).collect();
        changed(administrator, view, &changes)
    }
}

fn changed(administrator: &Administrator, view: &View, changes: &[Signal]) -> Result<View, AskError> {
    let changed = World::taken_back(view, administrator.symbols(), changes);
    changed.map_err(|error| PastError::Unreadable(error.to_string()).into())
}

/// Each class of action at each of them.
fn all_of<'r>(resources: impl Iterator<Item = &'r ResourceRecord>) -> Vec<Wanted<'r>> {
    let each = resources.flat_map(|record| ActionClass::ALL.map(|class| (class, record)));
    each.map(|(class, record)| super::wanted(Action::http(class), record, &RequestCondition::default())).collect()
}

/// As a view has them, in the same order. Risk passes: it is no reason to have something or not.
fn askers<'v>(view: &'v View, subjects: &[&SubjectRecord]) -> Vec<Asker<'v>> {
    let asker = |it: &&SubjectRecord| view.subject(it.id()).map(|it| Asker { record: &it.record, risk: 0 });
    subjects.iter().filter_map(asker).collect()
}

/// What each of them can, at the resource of this place.
fn reach<T: Clone + Default + AsRef<[E]>, E>(survey: &Survey<'_, '_, T>, place: usize, subjects: usize) -> Vec<Bits> {
    let mut can = vec![0; subjects];
    for (at, class) in ActionClass::ALL.into_iter().enumerate() {
        let classes = survey.classes(place * ActionClass::ALL.len() + at);
        let found = survey.answers(&classes);
        for (bits, suffices) in can.iter_mut().zip(classes.spread(&found)) {
            if !suffices.as_ref().is_empty() {
                *bits |= bit(class);
            }
        }
    }
    can
}

/// `can`: as they are, in no group at all, and then in one group of theirs after the other. `shut`: in no group, where the
/// resource does not name everyone.
fn of_resource(
    record: &ResourceRecord,
    subjects: &[&SubjectRecord],
    chosen: &[bool],
    can: &[Vec<Bits>],
    shut: &[Bits],
    whose: &Whose<'_>,
    found: &mut BTreeMap<EntitlementKey, Entitlement>,
) {
    let resource = &record.resource;
    let mut put = |subject: Option<&SubjectId>, through: Option<&GroupId>, bits: Bits, source: Source| {
        if bits != 0 {
            let key =
                EntitlementKey { resource: resource.id.clone(), subject: subject.cloned(), through: through.cloned() };
            let it = Entitlement { key: key.clone(), tier: resource.tier, classes: classes(bits), source };
            found.insert(key, it);
        }
    };
    let at = |view: usize, subject: usize| can.get(view).and_then(|can| can.get(subject)).copied().unwrap_or_default();
    let humans = || subjects.iter().enumerate().filter(|(_, it)| it.id().kind() == SubjectKind::Human);
    let common_to = |can: &[Bits]| {
        let bits = humans().filter_map(|(subject, _)| can.get(subject).copied());
        bits.reduce(|all, one| all & one).unwrap_or_default()
    };
    let common = can.get(1).map_or(0, |alone| common_to(alone));
    // Its own pages are everybody's or nobody's by the policies that came with it.
    let parts = resource.kind == ResourceKind::Countersign;
    let scope = whose.scope;
    let of_humans = scope.kinds.is_empty() || scope.kinds.contains(&SubjectKind::Human);
    if whose.everybody && scope.groups.is_empty() && of_humans && !parts {
        // What is public is meant to be read.
        let told = if resource.tier == Tier::Public { common & !bit(ActionClass::Read) } else { common };
        let without = common_to(shut);
        put(None, GroupId::new(EVERYONE).ok().as_ref(), told & !without, resource.source);
        put(None, None, told & without, resource.source);
    }
    for (subject, record) in subjects.iter().enumerate().filter(|(at, _)| chosen.get(*at) == Some(&true)) {
        let (now, without) = (at(0, subject), at(1, subject));
        let mut given = without;
        for (place, group) in record.groups().iter().enumerate() {
            let gives = at(place + 2, subject) & now & !without;
            given |= gives;
            put(Some(record.id()), Some(group), gives, record.source());
        }
        let public = if resource.tier == Tier::Public { bit(ActionClass::Read) } else { 0 };
        let own = if parts { 0 } else { without & now & !common & !public };
        if whose.everybody {
            put(Some(record.id()), None, own | (now & !given), record.source());
        }
    }
}
