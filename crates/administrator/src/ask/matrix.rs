//! The access matrix of the estate: how many of each group can do something at each resource.

use std::collections::HashSet;

use countersign_model::{Action, GroupId, ResourceId, SubjectKind, Timestamp};
use countersign_policy::ask::{Population, Situation, Wanted, each};

use super::{AskError, Moment, RequestCondition, Tick, asker, is_within, wanted};
use crate::Administrator;
use crate::world::{ResourceRecord, SubjectRecord};

/// Whom a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Everybody of this kind.
    Kind(SubjectKind),
    /// Everybody in this group, directly or not.
    Group(GroupId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRow {
    pub of: Members,
    /// How many there are who are let in at all.
    pub members: usize,
    /// How many of them can, for each resource.
    pub can: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessMatrix {
    pub action: Action,
    pub resources: Vec<ResourceId>,
    /// Those that are in observe mode, and until when: there whoever asks is let through.
    pub not_enforced: Vec<(ResourceId, Timestamp)>,
    pub rows: Vec<MatrixRow>,
    pub policy_set: String,
    pub generation: u64,
}

impl Administrator {
    /// A row for each of `of`, a column for each of `resources` that exists.
    pub fn access_matrix(
        &self,
        action: Action,
        of: &[Members],
        resources: &[ResourceId],
        situation: &Situation,
        tick: Tick<'_>,
    ) -> Result<AccessMatrix, AskError> {
        let moment = Moment::of(self);
        let policies = &moment.rules.policies;
        let records: Vec<&ResourceRecord> = resources.iter().filter_map(|id| moment.resource(id).ok()).collect();
        let subjects = moment.subjects(|_| true);
        let request = RequestCondition::default();
        let all: Vec<Wanted<'_>> = records.iter().map(|record| wanted(action, record, &request)).collect();
        let population = Population::new(policies, subjects.iter().map(|record| asker(record)).collect(), &all);
        let rows: Vec<Vec<u32>> = of.iter().map(|of| moment.members(&subjects, of)).collect();
        let survey = population.under(situation);
        let column = |at: usize| -> Vec<usize> {
            let classes = survey.classes(at);
            let found = survey.answers(&classes);
            let can = |member: &&u32| {
                let class = classes.of().get(**member as usize).map(|class| *class as usize);
                class.and_then(|class| found.get(class).copied()).unwrap_or(false)
            };
            rows.iter().map(|members| members.iter().filter(can).count()).collect()
        };
        let count = all.len();
        let columns = each(count, &|done| tick(done, count), column).ok_or(AskError::Cancelled)?;
        let row = |(at, of): (usize, &Members)| MatrixRow {
            of: of.clone(),
            members: rows.get(at).map_or(0, Vec::len),
            can: columns.iter().filter_map(|column| column.get(at).copied()).collect(),
        };
        Ok(AccessMatrix {
            action,
            resources: records.iter().map(|record| record.resource.id.clone()).collect(),
            not_enforced: records
                .iter()
                .filter_map(|record| {
                    let until = record.resource.observed_until(situation.circumstances.time.now)?;
                    Some((record.resource.id.clone(), until))
                })
                .collect(),
            rows: of.iter().enumerate().map(row).collect(),
            policy_set: policies.hash().to_owned(),
            generation: moment.view.generation,
        })
    }
}

impl Moment {
    /// By their place in `subjects`.
    pub(super) fn members(&self, subjects: &[&SubjectRecord], of: &Members) -> Vec<u32> {
        let below = match of {
            Members::Kind(_) => HashSet::new(),
            Members::Group(group) => self.view.below(group),
        };
        let is = |record: &SubjectRecord| match of {
            Members::Kind(kind) => record.id().kind() == *kind,
            Members::Group(group) => is_within(record, group, &below),
        };
        subjects.iter().zip(0_u32..).filter(|(record, _)| is(record)).map(|(_, at)| at).collect()
    }
}
