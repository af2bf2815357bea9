//! What a change of facts takes the place of, as the changes that would bring it back. They are recorded before the
//! change: so the world of any past instant is the world of today with everything since taken back, whatever became of
//! each change after its record (docs/decisions/0013). Devices are not among them: nobody asks about their past.

use countersign_model::{Exception, GroupId, Signal, SignalKind, Subject};

use crate::world::View;

/// Put back from the last to the first they make of the world after `signal` what it was in `before`; total over every
/// kind.
pub(crate) fn former(before: &View, signal: &Signal) -> Vec<SignalKind> {
    let subject = |id| match before.subject(id) {
        Some(record) => SignalKind::SubjectPut { subject: record.subject() },
        None => SignalKind::SubjectRemoved { id: id.clone() },
    };
    let risk = |id| {
        let risk = before.subject(id).map_or(0, |record| record.risk);
        SignalKind::RiskChanged { subject: id.clone(), risk, reason: String::new() }
    };
    match &signal.kind {
        SignalKind::SubjectPut { subject: Subject { id, .. } }
        | SignalKind::SubjectState { id, .. }
        | SignalKind::MembershipChanged { subject: id, .. } => vec![subject(id)],
        SignalKind::SubjectRemoved { id } => vec![risk(id), subject(id)],
        SignalKind::RiskChanged { subject: id, .. } => vec![risk(id)],
        SignalKind::GroupPut { group } => vec![former_group(before, &group.id)],
        SignalKind::GroupRemoved { id } => {
            let members = before.subjects().filter(|record| record.groups().contains(id));
            let members = members.map(|record| SignalKind::SubjectPut { subject: record.subject() });
            let children = before.groups().filter(|group| group.member_of.contains(id));
            let children = children.map(|group| SignalKind::GroupPut { group: group.clone() });
            members.chain(children).chain([former_group(before, id)]).collect()
        }
        SignalKind::ResourcePut { resource } => vec![former_resource(before, &resource.id)],
        SignalKind::ResourceRemoved { id } => vec![former_resource(before, id)],
        SignalKind::SegmentPut { segment } => vec![former_segment(before, &segment.id)],
        SignalKind::SegmentRemoved { id } => vec![former_segment(before, id)],
        // One that is new was in force for nobody before, which a mere request is too.
        SignalKind::ExceptionPut { exception } => {
            let former = before.exception(&exception.id).map(|former| former.as_ref().clone());
            let request = || Exception { approval: None, end: None, ..exception.as_ref().clone() };
            vec![SignalKind::ExceptionPut { exception: Box::new(former.unwrap_or_else(request)) }]
        }
        SignalKind::DevicePut { .. }
        | SignalKind::DeviceManaged { .. }
        | SignalKind::DeviceState { .. }
        | SignalKind::PostureReported { .. } => Vec::new(),
    }
}

fn former_group(before: &View, id: &GroupId) -> SignalKind {
    match before.group(id) {
        Some(group) => SignalKind::GroupPut { group: group.clone() },
        None => SignalKind::GroupRemoved { id: id.clone() },
    }
}

fn former_resource(before: &View, id: &countersign_model::ResourceId) -> SignalKind {
    match before.resource(id) {
        Some(record) => SignalKind::ResourcePut { resource: record.resource.as_ref().clone() },
        None => SignalKind::ResourceRemoved { id: id.clone() },
    }
}

fn former_segment(before: &View, id: &countersign_model::SegmentId) -> SignalKind {
    match before.segment(id) {
        Some(segment) => SignalKind::SegmentPut { segment: segment.clone() },
        None => SignalKind::SegmentRemoved { id: id.clone() },
    }
}
