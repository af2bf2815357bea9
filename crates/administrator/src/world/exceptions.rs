//! The exceptions of the world, found by what they are about. Which of them count for a question is worked out here, from
//! the one reading that the model has; what they relax is for policies to say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use countersign_model::{
    ActionClass, Exception, ExceptionCircumstances, ExceptionId, ExceptionStanding, ResourceId, SegmentId, SubjectId,
    SubjectState, Timestamp,
};

use super::{ResourceRecord, SubjectRecord, View};

/// Every one that there ever was. Rebuilt with each change: they are few, and decisions read them all the time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exceptions {
    all: BTreeMap<ExceptionId, Arc<Exception>>,
    /// Those that somebody agreed to and nobody ended.
    by_resource: HashMap<ResourceId, Vec<Arc<Exception>>>,
    by_segment: HashMap<SegmentId, Vec<Arc<Exception>>>,
}

impl Exceptions {
    pub(super) fn with(mut self, exceptions: impl IntoIterator<Item = Exception>) -> Self {
        self.all.extend(exceptions.into_iter().map(|exception| (exception.id.clone(), Arc::new(exception))));
        self.by_resource.clear();
        self.by_segment.clear();
        for exception in self.all.values().filter(|it| it.approval.is_some() && it.end.is_none()) {
            for resource in &exception.scope.resources {
                self.by_resource.entry(resource.clone()).or_default().push(Arc::clone(exception));
            }
            for segment in &exception.scope.segments {
                self.by_segment.entry(segment.clone()).or_default().push(Arc::clone(exception));
            }
        }
        self
    }

    fn about<'e>(
        &'e self,
        resource: &ResourceId,
        segment: Option<&SegmentId>,
    ) -> impl Iterator<Item = &'e Arc<Exception>> {
        let in_segment = segment.and_then(|segment| self.by_segment.get(segment));
        self.by_resource.get(resource).into_iter().chain(in_segment).flatten()
    }
}

impl View {
    /// In the order of their ids.
    pub(crate) fn exceptions(&self) -> impl Iterator<Item = &Arc<Exception>> {
        self.exceptions.all.values()
    }

    pub(crate) fn exception(&self, id: &ExceptionId) -> Option<&Arc<Exception>> {
        self.exceptions.all.get(id)
    }

    pub(crate) fn standing(&self, exception: &Exception, now: Timestamp) -> ExceptionStanding {
        exception.standing(now, self.is_active(&exception.owner))
    }

    pub(crate) fn is_active(&self, subject: &SubjectId) -> bool {
        self.subject(subject).is_some_and(|record| record.state == SubjectState::Active)
    }

    /// The exceptions in force for a subject that wants something of a resource, as one; nothing where there is none.
    pub(crate) fn relaxing(
        &self,
        subject: &SubjectRecord,
        resource: &ResourceRecord,
        class: ActionClass,
        now: Timestamp,
    ) -> Option<ExceptionCircumstances> {
        let resource = &resource.resource;
        let mut found: Option<ExceptionCircumstances> = None;
        for exception in self.exceptions.about(&resource.id, resource.segment.as_ref()) {
            let scope = &exception.scope;
            let covered = scope.classes.contains(&class)
                && scope.covers_subject(subject.id(), |group| self.is_in(subject, group))
                && self.standing(exception, now) == ExceptionStanding::InForce;
            if !covered {
                continue;
            }
            let found = found.get_or_insert_with(|| ExceptionCircumstances {
                ids: BTreeSet::new(),
                relaxes: BTreeSet::new(),
                expires: exception.expires,
            });
            found.ids.insert(exception.id.clone());
            found.relaxes.extend(exception.relaxes.iter().cloned());
            found.expires = found.expires.min(exception.expires);
        }
        found
    }

    fn is_in(&self, subject: &SubjectRecord, group: &countersign_model::GroupId) -> bool {
        let closed = |own| self.groups.get(own).is_some_and(|record| record.closed.binary_search(group).is_ok());
        subject.groups().iter().any(closed)
    }

    /// What an exception is about: whose leases it may touch.
    pub(super) fn resources_of(&self, exception: &Exception) -> Vec<ResourceId> {
        let scope = &exception.scope;
        let about = |resource: &ResourceRecord| {
            let resource = &resource.resource;
            scope.covers_resource(&resource.id, resource.segment.as_ref())
        };
        self.resources().filter(|record| about(record)).map(|record| record.resource.id.clone()).collect()
    }
}
