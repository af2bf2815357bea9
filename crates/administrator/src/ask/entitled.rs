//! What the groups that resources name may do there, by policy: whether a grant in the inventory lets anybody in at all. Exact for the
//! policies and the people that there are now; nothing is changed by it.

use std::collections::BTreeMap;

use countersign_model::{Action, ActionClass, GroupId, ResourceId, SubjectId};
use countersign_policy::ask::{Of, Population, Wanted, Way, each};

use super::{AskError, Members, Moment, RequestCondition, Tick, asker, wanted};
use crate::Administrator;
use crate::world::{ResourceRecord, SubjectRecord};

/// A group that a resource names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforced {
    pub resource: ResourceId,
    pub group: GroupId,
    /// Named as administrators, and not as readers or writers.
    pub administers: bool,
    /// Whether policies let somebody of the group do what it is named for, under the weakest circumstances that suffice; unknown of a
    /// group that nobody is in.
    pub lets: Option<bool>,
}

impl Administrator {
    /// Looks at everybody and everything: not for an async thread.
    pub fn enforced(&self, tick: Tick<'_>) -> Result<Vec<Enforced>, AskError> {
        Moment::of(self).enforced(tick)
    }
}

/// The classes that being named gives, beside what a lesser name gives.
fn named(record: &ResourceRecord) -> [(&[GroupId], bool, &'static [ActionClass]); 3] {
    let entitled = &record.resource.entitled;
    [
        (&entitled.readers, false, &[ActionClass::Read]),
        (&entitled.writers, false, &[ActionClass::Write, ActionClass::Connect]),
        (&entitled.administrators, true, &[ActionClass::Administer]),
    ]
}

impl Moment {
    fn enforced(&self, tick: Tick<'_>) -> Result<Vec<Enforced>, AskError> {
        let subjects: Vec<&SubjectRecord> = self.subjects(|record| *record.id() != SubjectId::anonymous());
        let resources = self.resources();
        let asked: Vec<(&ResourceRecord, ActionClass)> =
            resources.iter().flat_map(|record| ActionClass::ALL.map(|class| (*record, class))).collect();
        let request = RequestCondition::default();
        let requests: Vec<Wanted<'_>> =
            asked.iter().map(|(record, class)| wanted(Action::http(*class), record, &request)).collect();
        let mut members: BTreeMap<&GroupId, Vec<u32>> = BTreeMap::new();
        for (groups, ..) in resources.iter().flat_map(|record| named(record)) {
            for group in groups {
                members.entry(group).or_insert_with(|| self.members(&subjects, &Members::Group(group.clone())));
            }
        }
        let population =
            Population::new(&self.rules.policies, subjects.iter().map(|record| asker(record)).collect(), &requests);
        let terrain = self.terrain(Of::All);
        let survey = population.sufficient(&terrain);
        // The groups of which somebody is let, for one thing that is asked for.
        let let_in = |at: usize| -> Vec<(GroupId, bool)> {
            let Some((record, class)) = asked.get(at) else { return Vec::new() };
            let classes = survey.classes(at);
            // With an exception is not what the group is named for.
            let found = survey.answers(&classes);
            let lets: Vec<bool> = found.iter().map(|all| all.iter().any(|one| one.way != Way::Exception)).collect();
            let can = |member: &u32| {
                let class = classes.of().get(*member as usize).map(|class| *class as usize);
                class.and_then(|class| lets.get(class).copied()).unwrap_or(false)
            };
            let all = named(record).into_iter().filter(|(.., given)| given.contains(class));
            let groups = all.flat_map(|(groups, administers, _)| groups.iter().map(move |group| (group, administers)));
            let somebody = groups.filter(|(group, _)| members.get(group).is_some_and(|of| of.iter().any(can)));
            somebody.map(|(group, administers)| (group.clone(), administers)).collect()
        };
        let count = asked.len();
        let found = each(count, &|done| tick(done, count), let_in).ok_or(AskError::Cancelled)?;
        let mut all: BTreeMap<(ResourceId, GroupId, bool), Option<bool>> = BTreeMap::new();
        for record in &resources {
            for (groups, administers, _) in named(record) {
                for group in groups {
                    let nobody = members.get(group).is_none_or(Vec::is_empty);
                    let key = (record.resource.id.clone(), group.clone(), administers);
                    all.insert(key, if nobody { None } else { Some(false) });
                }
            }
        }
        for ((record, _), groups) in asked.iter().zip(found) {
            for (group, administers) in groups {
                all.insert((record.resource.id.clone(), group, administers), Some(true));
            }
        }
        let row = |((resource, group, administers), lets)| Enforced { resource, group, administers, lets };
        Ok(all.into_iter().map(row).collect())
    }
}
