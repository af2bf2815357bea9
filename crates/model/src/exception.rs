//! A documented deviation: who asked, who answers for it, who agreed, for whom and what, which policies it relaxes, what
//! stands in their place, and when it ends. Whether one is in force is read here and nowhere else, so that policy, register
//! and rate cannot come to differ. Which policies can be relaxed at all is theirs to say (`@relaxable`).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ActionClass, ExceptionId, GroupId, PolicyId, ResourceId, SegmentId, SubjectId, Timestamp};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exception {
    pub id: ExceptionId,
    pub requester: SubjectId,
    /// The people behind the requester when it asked: who answers for a service, its keys or an agent.
    pub behind: BTreeSet<SubjectId>,
    /// The human who answers for it. It ends when they leave.
    pub owner: SubjectId,
    pub reason: String,
    pub scope: ExceptionScope,
    /// The policies that do not apply within the scope.
    pub relaxes: BTreeSet<PolicyId>,
    pub control: CompensatingControl,
    pub requested: Timestamp,
    /// The first instant at which it is over.
    pub expires: Timestamp,
    pub approval: Option<ExceptionApproval>,
    pub end: Option<ExceptionEnd>,
    /// Oldest first.
    pub reviews: Vec<ExceptionReview>,
}

/// For whom × for what × for which classes of action. Every part names something: nobody is excepted by default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ExceptionScope {
    pub subjects: BTreeSet<SubjectId>,
    pub groups: BTreeSet<GroupId>,
    pub resources: BTreeSet<ResourceId>,
    pub segments: BTreeSet<SegmentId>,
    pub classes: BTreeSet<ActionClass>,
}

/// What stands in the place of what is relaxed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CompensatingControl {
    pub description: String,
    /// What says whether it works, where something can.
    pub probe: Option<Probe>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum Probe {
    /// A GET answers with this status. `private` says that the address is meant to be inside the house.
    Http { url: String, status: u16, private: bool },
    /// Every resource of the scope is in this segment.
    Segment { segment: SegmentId },
    /// This policy is in force, and enforced.
    Policy { policy: PolicyId },
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { url, status, private } => {
                write!(f, "GET {url} answers {status}{}", if *private { ", inside the house" } else { "" })
            }
            Self::Segment { segment } => write!(f, "every resource is in segment {segment}"),
            Self::Policy { policy } => write!(f, "policy {policy} is enforced"),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExceptionApproval {
    pub by: SubjectId,
    pub at: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExceptionEnd {
    /// Nobody, where its owner left.
    pub by: Option<SubjectId>,
    pub at: Timestamp,
    pub why: String,
}

/// Somebody looked at it again, and found that it is still needed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExceptionReview {
    pub by: SubjectId,
    pub at: Timestamp,
    pub note: String,
    /// The end that it had until then.
    pub before: Timestamp,
    /// The end that it has since.
    pub expires: Timestamp,
}

/// What an exception is at an instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionStanding {
    /// Nobody has agreed yet.
    Requested,
    InForce,
    Expired,
    /// Whoever answers for it is gone or disabled.
    Ownerless,
    /// Withdrawn, refused or ended.
    Ended,
}

impl ExceptionStanding {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::InForce => "in-force",
            Self::Expired => "expired",
            Self::Ownerless => "ownerless",
            Self::Ended => "ended",
        }
    }
}

impl Exception {
    /// INVARIANT: the one reading of an exception. Decisions, the register, the health of the estate and the rate all call it,
    /// with the instant and whether the owner is there and active in the world that they look at.
    pub const fn standing(&self, now: Timestamp, owner_active: bool) -> ExceptionStanding {
        match (&self.end, &self.approval) {
            // Whatever the clock of whoever wrote it said: an end is an end.
            (Some(_), _) => ExceptionStanding::Ended,
            _ if self.expires.millis() <= now.millis() => ExceptionStanding::Expired,
            _ if !owner_active => ExceptionStanding::Ownerless,
            (None, Some(_)) => ExceptionStanding::InForce,
            (None, None) => ExceptionStanding::Requested,
        }
    }

    /// Whether it was in force at an instant of the past, as its history has it.
    pub fn was_in_force(&self, then: Timestamp) -> bool {
        self.approval.as_ref().is_some_and(|approval| approval.at <= then)
            && then < self.expires
            && self.end.as_ref().is_none_or(|end| then < end.at)
    }

    /// Whether it could still come into force or is.
    pub const fn is_open(&self, now: Timestamp) -> bool {
        self.end.is_none() && now.millis() < self.expires.millis()
    }
}

impl ExceptionScope {
    /// `within` says of a group whether the subject is in it, directly or not.
    pub fn covers_subject(&self, subject: &SubjectId, within: impl Fn(&GroupId) -> bool) -> bool {
        self.subjects.contains(subject) || self.groups.iter().any(within)
    }

    pub fn covers_resource(&self, resource: &ResourceId, segment: Option<&SegmentId>) -> bool {
        self.resources.contains(resource) || segment.is_some_and(|segment| self.segments.contains(segment))
    }
}
