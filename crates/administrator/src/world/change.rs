//! The next view in the making: one signal, or several as one change. What it refuses leaves the world as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_model::{
    Device, DeviceId, Exception, Fact, Group, GroupId, PostureAspect, PostureValue, Resource, ResourceId, ResourceKind,
    Route, SegmentId, Signal, SignalKind, Source, Subject, SubjectId, Timestamp,
};
use countersign_policy::{Record, Symbols};
use countersign_store::Store;
use parking_lot::MutexGuard;

use super::records::{
    CertificateRecord, DeviceRecord, Fingerprint, GroupRecord, ResourceRecord, SegmentRecord, SubjectRecord,
};
use super::{FillError, Members, ShownOnce, View, WorldError};
use crate::built_in;

/// What a change replaced: whose leases are to be decided again.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) subjects: Vec<SubjectId>,
    pub(crate) devices: Vec<DeviceId>,
    pub(crate) resources: Vec<ResourceId>,
}

pub(super) struct Draft<'a> {
    pub(super) view: View,
    pub(super) touched: Touched,
    pub(super) members: MutexGuard<'a, Members>,
    symbols: &'a Arc<Symbols>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(current: &View, symbols: &'a Arc<Symbols>, members: MutexGuard<'a, Members>) -> Self {
        Self { view: current.clone(), touched: Touched::default(), members, symbols }
    }

    /// Total over every kind of signal.
    pub(super) fn apply(&mut self, signal: &Signal) -> Result<(), WorldError> {
        match &signal.kind {
            SignalKind::SubjectPut { subject: Subject { id, .. } }
            | SignalKind::SubjectState { id, .. }
            | SignalKind::SubjectRemoved { id }
            | SignalKind::MembershipChanged { subject: id, .. }
                if built_in::is_subject(id) && signal.source != Source::Countersign =>
            {
                Err(WorldError::BuiltIn(id.to_string()))
            }
            SignalKind::SubjectPut { subject } => {
                let risk = self.view.subject(&subject.id).map_or(0, |record| record.risk);
                self.put_subject(subject.clone(), risk)
            }
            SignalKind::SubjectState { id, state } => self.edit_subject(id, |subject| subject.state = *state),
            SignalKind::SubjectRemoved { id } => {
                if self.view.subjects.remove(id).is_some() {
                    self.touched.subjects.push(id.clone());
                }
                Ok(())
            }
            SignalKind::GroupPut { group } => self.put_group(group.clone()),
            SignalKind::GroupRemoved { id } => self.remove_group(id),
            SignalKind::MembershipChanged { subject, groups } => {
                self.edit_subject(subject, |subject| subject.groups.clone_from(groups))
            }
            SignalKind::RiskChanged { subject, risk, reason: _ } => {
                let record = self.known_subject(subject)?.subject();
                self.put_subject(record, *risk)
            }
            SignalKind::DevicePut { device } => self.put_device(device.clone()),
            SignalKind::DeviceManaged { id, managed } => self.edit_device(id, |device| device.managed = *managed),
            SignalKind::DeviceState { id, state } => self.edit_device(id, |device| device.state = *state),
            SignalKind::PostureReported { device, facts } => {
                self.edit_device(device, |device| merge(&mut device.posture, facts, signal.at))
            }
            SignalKind::ResourcePut { resource } => self.put_resource(resource.clone()),
            SignalKind::ResourceRemoved { id } => self.remove_resource(id),
            SignalKind::SegmentPut { segment } => {
                self.view.segments.put(Arc::new(SegmentRecord(segment.clone())));
                Ok(())
            }
            SignalKind::SegmentRemoved { id } => self.remove_segment(id),
            SignalKind::ExceptionPut { exception } => {
                self.put_exception(exception);
                Ok(())
            }
        }
    }

    /// In an order in which nothing refers to what is not there yet.
    pub(super) fn fill(&mut self, store: &dyn Store) -> Result<(), FillError> {
        for segment in store.segments()? {
            self.view.segments.put(Arc::new(SegmentRecord(segment)));
        }
        for group in in_order_of_membership(store.groups()?) {
            self.put_group(group)?;
        }
        let mut failure = None;
        store.each_subject(&mut |subject| {
            if failure.is_none() {
                failure = self.put_subject(subject, 0).err();
            }
        })?;
        store.each_device(&mut |device| {
            if failure.is_none() {
                failure = self.put_device(device).err();
            }
        })?;
        store.each_risk(&mut |risk| {
            let subject = self.view.subject(&risk.subject).map(|record| record.subject());
            if failure.is_none()
                && let Some(subject) = subject
            {
                failure = self.put_subject(subject, risk.risk).err();
            }
        })?;
        for resource in store.resources()? {
            self.put_resource(resource)?;
        }
        let exceptions = (*self.view.exceptions).clone().with(store.exceptions()?);
        self.view.exceptions = Arc::new(exceptions);
        self.touched = Touched::default();
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn known_subject(&self, id: &SubjectId) -> Result<&Arc<SubjectRecord>, WorldError> {
        self.view.subject(id).ok_or_else(|| WorldError::UnknownSubject(id.clone()))
    }

    fn edit_subject(&mut self, id: &SubjectId, edit: impl FnOnce(&mut Subject)) -> Result<(), WorldError> {
        let record = self.known_subject(id)?;
        let (mut subject, risk) = (record.subject(), record.risk);
        edit(&mut subject);
        self.put_subject(subject, risk)
    }

    pub(super) fn put_subject(&mut self, mut subject: Subject, risk: u8) -> Result<(), WorldError> {
        if risk > 100 {
            return Err(WorldError::Risk(risk));
        }
        subject.groups.sort_unstable();
        subject.groups.dedup();
        for group in &mut subject.groups {
            // The group's own copy of its name is shared by its members.
            let known = self.view.groups.get(group).ok_or_else(|| WorldError::UnknownGroup(group.clone()))?;
            group.clone_from(&known.group.id);
            self.members.entry(group.clone()).or_default().insert(subject.id.clone());
        }
        self.touched.subjects.push(subject.id.clone());
        self.set_subject(subject, risk);
        Ok(())
    }

    fn set_subject(&mut self, subject: Subject, risk: u8) {
        let closed = self.view.closure(&subject.groups);
        let record = Record::subject(self.symbols, &subject, &closed);
        self.view.subjects.put(Arc::new(SubjectRecord::new(subject, risk, record)));
    }

    fn put_group(&mut self, mut group: Group) -> Result<(), WorldError> {
        group.member_of.sort_unstable();
        group.member_of.dedup();
        for parent in &group.member_of {
            let known = self.view.groups.get(parent).ok_or_else(|| WorldError::UnknownGroup(parent.clone()))?;
            if *parent == group.id || known.closed.contains(&group.id) {
                return Err(WorldError::Cycle(group.id.clone()));
            }
        }
        let id = group.id.clone();
        let moved = self.view.group(&id).is_none_or(|former| former.member_of != group.member_of);
        self.set_group(group);
        if moved {
            self.close_below(&id);
        }
        Ok(())
    }

    fn set_group(&mut self, group: Group) {
        let mut closed = self.view.closure(&group.member_of);
        closed.push(group.id.clone());
        closed.sort_unstable();
        self.view.groups.put(Arc::new(GroupRecord { group, closed: closed.into_boxed_slice() }));
    }

    fn remove_group(&mut self, id: &GroupId) -> Result<(), WorldError> {
        if built_in::is_group(id) {
            return Err(WorldError::BuiltIn(format!("group {id}")));
        }
        if self.view.groups.remove(id).is_none() {
            return Ok(());
        }
        let children: Vec<Group> = self.view.groups().filter(|group| group.member_of.contains(id)).cloned().collect();
        for mut child in children {
            child.member_of.retain(|parent| parent != id);
            let child_id = child.id.clone();
            self.set_group(child);
            self.close_below(&child_id);
        }
        for member in self.members.remove(id).into_iter().flatten() {
            let Some(record) = self.view.subject(&member) else { continue };
            let (mut subject, risk) = (record.subject(), record.risk);
            subject.groups.retain(|group| group != id);
            self.touched.subjects.push(member);
            self.set_subject(subject, risk);
        }
        Ok(())
    }

    /// Works out again the ancestors of every group below `top`, and of the subjects in any of them.
    fn close_below(&mut self, top: &GroupId) {
        let mut below: BTreeSet<GroupId> = BTreeSet::from([top.clone()]);
        let mut fresh = vec![top.clone()];
        while let Some(parent) = fresh.pop() {
            for child in self.view.groups().filter(|group| group.member_of.contains(&parent)) {
                if below.insert(child.id.clone()) {
                    fresh.push(child.id.clone());
                }
            }
        }
        // Parents before children, so that each finds its parents closed.
        let affected: Vec<Group> = below.iter().filter_map(|id| self.view.group(id)).cloned().collect();
        for group in in_order_of_membership(affected) {
            self.set_group(group);
        }
        let mut subjects: BTreeSet<SubjectId> = BTreeSet::new();
        for id in &below {
            let view = &self.view;
            if let Some(members) = self.members.get_mut(id) {
                members.retain(|member| view.subject(member).is_some_and(|record| record.groups().contains(id)));
                subjects.extend(members.iter().cloned());
            }
        }
        for id in subjects {
            let Some(record) = self.view.subject(&id) else { continue };
            let (subject, risk) = (record.subject(), record.risk);
            self.touched.subjects.push(id);
            self.set_subject(subject, risk);
        }
    }

    fn edit_device(&mut self, id: &DeviceId, edit: impl FnOnce(&mut Device)) -> Result<(), WorldError> {
        let record = self.view.device(id).ok_or_else(|| WorldError::UnknownDevice(id.clone()))?;
        let mut device = record.device();
        edit(&mut device);
        self.put_device(device)
    }

    pub(super) fn put_device(&mut self, mut device: Device) -> Result<(), WorldError> {
        let fingerprint = match device.certificate.as_str() {
            "" => None,
            text => Some(Fingerprint::parse(text).ok_or_else(|| WorldError::Fingerprint(device.id.clone()))?),
        };
        if let Some(holder) = fingerprint.and_then(|it| self.view.certificate_holder(&device, it)) {
            return Err(WorldError::CertificateTaken { device: device.id, holder: holder.clone() });
        }
        if let Some(owner) = self.view.subject(&device.owner) {
            device.owner.clone_from(owner.id());
        }
        let former = self.view.device(&device.id).and_then(|record| record.certificate());
        if former != fingerprint {
            if let Some(former) = former {
                self.view.certificates.remove(&former);
            }
            if let Some(fingerprint) = fingerprint {
                let record = CertificateRecord { fingerprint, device: device.id.clone() };
                self.view.certificates.put(Arc::new(record));
            }
        }
        self.touched.devices.push(device.id.clone());
        self.view.devices.put(Arc::new(DeviceRecord::new(device, fingerprint)));
        Ok(())
    }

    fn put_resource(&mut self, resource: Resource) -> Result<(), WorldError> {
        let former = self.view.resource(&resource.id).map(|record| record.resource.kind);
        let built_in = resource.kind == ResourceKind::Countersign || former == Some(ResourceKind::Countersign);
        if built_in && resource.source != Source::Countersign {
            return Err(WorldError::BuiltIn(format!("resource {}", resource.id)));
        }
        if let Some(segment) = &resource.segment
            && self.view.segment(segment).is_none()
        {
            return Err(WorldError::UnknownSegment(segment.clone()));
        }
        for other in self.view.resources().map(|record| &record.resource).filter(|other| other.id != resource.id) {
            // Beside a part of Countersign nothing else is served: a path there could be mistaken for one of its own.
            let alone = (other.kind == ResourceKind::Countersign) != built_in;
            let taken = |route: &&Route| {
                let same = |it: &Route| alone || it.path_prefix.eq_ignore_ascii_case(&route.path_prefix);
                other.routes.iter().any(|it| it.host == route.host && same(it))
            };
            if let Some(route) = resource.routes.iter().find(taken) {
                return Err(WorldError::RouteTaken {
                    host: route.host.clone(),
                    path: route.path_prefix.clone(),
                    holder: other.id.clone(),
                });
            }
        }
        self.touched.resources.push(resource.id.clone());
        let record = Record::resource(self.symbols, &resource);
        self.view.resources.put(Arc::new(ResourceRecord {
            resource: Arc::new(resource),
            record,
            shown: ShownOnce::default(),
        }));
        Ok(())
    }

    fn remove_segment(&mut self, id: &SegmentId) -> Result<(), WorldError> {
        let inside = self.view.resources().find(|record| record.resource.segment.as_ref() == Some(id));
        if let Some(record) = inside {
            return Err(WorldError::SegmentInUse { segment: id.clone(), resource: record.resource.id.clone() });
        }
        self.view.segments.remove(id);
        Ok(())
    }

    /// Whether it counts may change for whatever it is about; a mere request touches nothing.
    fn put_exception(&mut self, exception: &Exception) {
        let former = self.view.exception(&exception.id);
        if exception.approval.is_some() || former.is_some_and(|former| former.approval.is_some()) {
            let resources = self.view.resources_of(exception);
            self.touched.resources.extend(resources);
        }
        self.view.exceptions = Arc::new((*self.view.exceptions).clone().with([exception.clone()]));
    }

    fn remove_resource(&mut self, id: &ResourceId) -> Result<(), WorldError> {
        if self.view.resource(id).is_some_and(|record| record.resource.kind == ResourceKind::Countersign) {
            return Err(WorldError::BuiltIn(format!("resource {id}")));
        }
        if self.view.resources.remove(id).is_some() {
            self.touched.resources.push(id.clone());
        }
        Ok(())
    }
}

/// The later observation stands, whichever arrives first. One from the future is not believed and is replaced by
/// anything.
fn merge(posture: &mut countersign_model::Posture, facts: &[(PostureAspect, Fact<PostureValue>)], now: Timestamp) {
    for (aspect, fact) in facts {
        let newer = posture.get(aspect).is_none_or(|known| known.observed <= fact.observed || known.observed > now);
        if newer {
            posture.insert(*aspect, fact.clone());
        }
    }
}

/// Parents before children. What is in a cycle, which the store should not hold, comes last and is refused.
fn in_order_of_membership(groups: Vec<Group>) -> Vec<Group> {
    let mut waiting: BTreeSet<GroupId> = groups.iter().map(|group| group.id.clone()).collect();
    let mut rest = groups;
    let mut ordered = Vec::with_capacity(rest.len());
    loop {
        let (ready, blocked): (Vec<Group>, Vec<Group>) =
            rest.into_iter().partition(|group| !group.member_of.iter().any(|parent| waiting.contains(parent)));
        if ready.is_empty() {
            ordered.extend(blocked);
            return ordered;
        }
        for group in &ready {
            waiting.remove(&group.id);
        }
        ordered.extend(ready);
        rest = blocked;
    }
}
