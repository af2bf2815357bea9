//! What policies are shown of the world beside the question: one subject and one resource, each with all that a policy
//! can look at and nothing else. It is recorded once and named by the decisions that saw it, so that each of them can be
//! made again later, under other policies, on exactly these facts.

use serde::{Deserialize, Serialize};

use crate::{Entitled, GroupId, ResourceId, ResourceKind, SegmentId, SubjectId, Tier, Timestamp};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    Subject(ShownSubject),
    Resource(ShownResource),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShownSubject {
    pub id: SubjectId,
    pub owner: Option<SubjectId>,
    pub acts_for: Option<SubjectId>,
    /// Every group that it is in, directly or not, sorted.
    pub groups: Vec<GroupId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShownResource {
    pub id: ResourceId,
    pub kind: ResourceKind,
    pub tier: Tier,
    pub segment: Option<SegmentId>,
    pub owner: Option<SubjectId>,
    /// Each sorted.
    pub entitled: Entitled,
    /// Until when it is not enforced: no policy can see it, and it is part of what is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe_until: Option<Timestamp>,
}
