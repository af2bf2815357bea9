//! A change of facts, as it arrives. The administrator applies it to the world, records it, and decides again what
//! depended on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Device, DeviceId, DeviceState, Exception, Fact, Group, GroupId, PostureAspect, PostureValue, Resource, ResourceId,
    Segment, SegmentId, Source, Subject, SubjectId, SubjectState, Timestamp,
};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signal {
    pub at: Timestamp,
    pub source: Source,
    /// Who caused it, where somebody did.
    pub by: Option<SubjectId>,
    pub kind: SignalKind,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "kebab-case")]
pub enum SignalKind {
    SubjectPut {
        subject: Subject,
    },
    SubjectState {
        id: SubjectId,
        state: SubjectState,
    },
    SubjectRemoved {
        id: SubjectId,
    },
    GroupPut {
        group: Group,
    },
    GroupRemoved {
        id: GroupId,
    },
    MembershipChanged {
        subject: SubjectId,
        groups: Vec<GroupId>,
    },
    RiskChanged {
        subject: SubjectId,
        risk: u8,
        reason: String,
    },
    DevicePut {
        device: Device,
    },
    DeviceManaged {
        id: DeviceId,
        managed: bool,
    },
    DeviceState {
        id: DeviceId,
        state: DeviceState,
    },
    PostureReported {
        device: DeviceId,
        facts: Vec<(PostureAspect, Fact<PostureValue>)>,
    },
    ResourcePut {
        resource: Resource,
    },
    ResourceRemoved {
        id: ResourceId,
    },
    SegmentPut {
        segment: Segment,
    },
    SegmentRemoved {
        id: SegmentId,
    },
    /// As it is from now on: requested, approved, reviewed or ended.
    ExceptionPut {
        exception: Box<Exception>,
    },
}

impl SignalKind {
    /// The same word as in the serialized form.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SubjectPut { .. } => "subject-put",
            Self::SubjectState { .. } => "subject-state",
            Self::SubjectRemoved { .. } => "subject-removed",
            Self::GroupPut { .. } => "group-put",
            Self::GroupRemoved { .. } => "group-removed",
            Self::MembershipChanged { .. } => "membership-changed",
            Self::RiskChanged { .. } => "risk-changed",
            Self::DevicePut { .. } => "device-put",
            Self::DeviceManaged { .. } => "device-managed",
            Self::DeviceState { .. } => "device-state",
            Self::PostureReported { .. } => "posture-reported",
            Self::ResourcePut { .. } => "resource-put",
            Self::ResourceRemoved { .. } => "resource-removed",
            Self::SegmentPut { .. } => "segment-put",
            Self::SegmentRemoved { .. } => "segment-removed",
            Self::ExceptionPut { .. } => "exception-put",
        }
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
