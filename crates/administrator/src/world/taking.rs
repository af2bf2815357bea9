//! What a signal takes away. That part is applied before anything is stored or recorded, so that no decision made
//! while the disk works still rests on it; what the signal gives waits until it is durable.

use std::collections::BTreeMap;

use countersign_model::{
    DeviceState, Exception, GroupId, PostureRequirements, ResourceId, Signal, SignalKind, Subject, SubjectState,
};

use super::View;

/// The part of `signal` that only takes away, as a signal of its own; `None` where it only gives.
pub(crate) fn taking(view: &View, signal: &Signal, posture: &PostureRequirements) -> Option<Signal> {
    let kind = match &signal.kind {
        SignalKind::SubjectRemoved { .. }
        | SignalKind::GroupRemoved { .. }
        | SignalKind::ResourceRemoved { .. }
        | SignalKind::SubjectState { state: SubjectState::Disabled, .. }
        | SignalKind::DeviceManaged { managed: false, .. }
        | SignalKind::DeviceState { state: DeviceState::Revoked, .. } => signal.kind.clone(),
        SignalKind::SubjectState { state: SubjectState::Active, .. }
        | SignalKind::DeviceManaged { managed: true, .. }
        | SignalKind::DeviceState { state: DeviceState::Active, .. }
        | SignalKind::SegmentPut { .. }
        // Nothing is in it any more, so nothing rests on it.
        | SignalKind::SegmentRemoved { .. } => return None,
        SignalKind::SubjectPut { subject } => {
            let former = view.subject(&subject.id)?.subject();
            let state = match subject.state {
                SubjectState::Disabled => SubjectState::Disabled,
                SubjectState::Active => former.state,
            };
            let rest = Subject { state, groups: common(&former.groups, &subject.groups), ..former.clone() };
            changed(&rest, &former)?;
            SignalKind::SubjectPut { subject: rest }
        }
        SignalKind::MembershipChanged { subject, groups } => {
            let former = view.subject(subject)?.subject().groups;
            let rest = common(&former, groups);
            changed(&rest, &former)?;
            SignalKind::MembershipChanged { subject: subject.clone(), groups: rest }
        }
        SignalKind::GroupPut { group } => {
            let former = view.group(&group.id)?;
            let mut rest = former.clone();
            rest.member_of = common(&former.member_of, &group.member_of);
            changed(&rest, former)?;
            SignalKind::GroupPut { group: rest }
        }
        SignalKind::RiskChanged { subject, risk, .. } => {
            (*risk > view.subject(subject)?.risk).then(|| signal.kind.clone())?
        }
        SignalKind::DevicePut { device } => {
            let former = view.device(&device.id)?.device();
            let mut rest = former.clone();
            rest.managed &= device.managed;
            if device.state == DeviceState::Revoked {
                rest.state = DeviceState::Revoked;
            }
            if device.owner != former.owner || device.certificate != former.certificate {
                // Another key or another owner: the old certificate proves nothing from now on.
                rest.certificate = String::new();
            }
            changed(&rest, &former)?;
            SignalKind::DevicePut { device: rest }
        }
        SignalKind::PostureReported { device, facts } => {
            let failing: Vec<_> = facts
                .iter()
                .filter(|(aspect, fact)| {
                    let alone = BTreeMap::from([(*aspect, fact.clone())]);
                    posture.assess(&alone, signal.at).findings.contains_key(aspect)
                })
                .cloned()
                .collect();
            if failing.is_empty() {
                return None;
            }
            SignalKind::PostureReported { device: device.clone(), facts: failing }
        }
        // An act never changes anything but its state and its end.
        SignalKind::ExceptionPut { exception } => {
            let counts = |it: &Exception| it.approval.is_some() && it.end.is_none();
            let former = view.exception(&exception.id).filter(|former| counts(former))?;
            (!counts(exception) || exception.expires < former.expires).then(|| signal.kind.clone())?
        }
        SignalKind::ResourcePut { resource } => {
            let former = &view.resource(&resource.id)?.resource;
            let mut rest = former.as_ref().clone();
            rest.tier = former.tier.max(resource.tier);
            rest.entitled.readers = common(&former.entitled.readers, &resource.entitled.readers);
            rest.entitled.writers = common(&former.entitled.writers, &resource.entitled.writers);
            rest.entitled.administrators = common(&former.entitled.administrators, &resource.entitled.administrators);
            // Absent is the earliest: then it is enforced at once.
            rest.observe_until = former.observe_until.min(resource.observe_until);
            changed(&rest, former)?;
            SignalKind::ResourcePut { resource: rest }
        }
    };
    Some(Signal { kind, ..signal.clone() })
}

/// Resources whose routes or upstream a signal changes: what is open to the old place is closed.
pub(crate) fn moved(view: &View, signal: &Signal) -> Option<ResourceId> {
    match &signal.kind {
        SignalKind::ResourcePut { resource } => {
            let former = &view.resource(&resource.id)?.resource;
            (former.upstream != resource.upstream || former.rules != resource.rules || former.routes != resource.routes)
                .then(|| resource.id.clone())
        }
        _ => None,
    }
}

fn common(former: &[GroupId], next: &[GroupId]) -> Vec<GroupId> {
    former.iter().filter(|group| next.contains(group)).cloned().collect()
}

fn changed<T: PartialEq>(rest: &T, former: &T) -> Option<()> {
    (rest != former).then_some(())
}
