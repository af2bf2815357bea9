//! Access looked at again by somebody who answers for it: a campaign with a frozen population, a reviewer of each line, a
//! deadline, and what was decided. It says what was confirmed; it gives nothing. What a campaign is about, and when it counts
//! as over, is read here and nowhere else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ActionClass, GroupId, PolicyId, PolicyRole, ResourceId, ReviewId, SegmentId, Source, SubjectId, SubjectKind, Tier,
    Timestamp,
};

/// One campaign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Review {
    pub id: ReviewId,
    pub title: String,
    pub about: ReviewAbout,
    pub made_by: SubjectId,
    pub opened: Timestamp,
    /// The first instant at which nothing can be decided any more.
    pub deadline: Timestamp,
    /// Who reviews where nobody else answers, or may; in this order.
    pub fallbacks: Vec<SubjectId>,
    /// Use was counted from then on.
    pub counted_from: Timestamp,
    /// SHA-256 of the lines as they were frozen, in lower-case hex.
    pub population: String,
    pub end: Option<ReviewEnd>,
    /// In the order of their numbers, which begin at 1.
    pub lines: Vec<ReviewLine>,
}

/// What a campaign is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum ReviewAbout {
    Access { scope: ReviewScope },
    Policies,
}

impl ReviewAbout {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Access { .. } => "access",
            Self::Policies => "policies",
        }
    }
}

/// Whose access to what. An empty part does not narrow.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewScope {
    /// Subjects in these, directly or not.
    pub groups: BTreeSet<GroupId>,
    pub kinds: BTreeSet<SubjectKind>,
    pub resources: BTreeSet<ResourceId>,
    pub segments: BTreeSet<SegmentId>,
}

impl ReviewScope {
    /// Either way in is enough: by name, or by the segment.
    pub fn covers(&self, resource: &ResourceId, segment: Option<&SegmentId>) -> bool {
        (self.resources.is_empty() && self.segments.is_empty())
            || self.resources.contains(resource)
            || segment.is_some_and(|segment| self.segments.contains(segment))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewEnd {
    /// Nobody, where the deadline came.
    pub by: Option<SubjectId>,
    pub at: Timestamp,
    pub how: ReviewEnding,
    pub why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewEnding {
    /// Every line was decided in time.
    Finished,
    /// The deadline came first.
    Deadline,
    /// Somebody closed it before, and what was not confirmed was revoked.
    Closed,
    /// Somebody withdrew it: what was not decided stays as it was.
    Withdrawn,
}

impl ReviewEnding {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Deadline => "deadline",
            Self::Closed => "closed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One thing to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewLine {
    /// From 1.
    pub number: u32,
    pub about: Reviewed,
    /// Any one of them decides.
    pub reviewers: Vec<SubjectId>,
    pub because: ReviewerBecause,
    /// Who would have reviewed it, were it not their own.
    pub instead_of: Option<SubjectId>,
    pub verdict: Option<ReviewVerdict>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Reviewed {
    Access(ReviewedAccess),
    Policy(ReviewedPolicy),
}

/// Somebody's way to a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewedAccess {
    /// Absent where it is everybody, through the group `everyone`.
    pub subject: Option<SubjectId>,
    pub resource: ResourceId,
    pub tier: Tier,
    pub classes: BTreeSet<ActionClass>,
    /// The group that it is in directly and that leads there; absent where a policy gives it without one.
    pub through: Option<GroupId>,
    /// Who says that it is so: of the membership, or of the resource for everybody.
    pub source: Source,
    /// Accesses by these classes since counting began.
    pub used: u64,
    pub last_used: Option<Timestamp>,
}

/// A policy in force, and what became of it since it was looked at last.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewedPolicy {
    pub policy: PolicyId,
    pub role: PolicyRole,
    pub owner: String,
    pub review_by: Timestamp,
    /// SHA-256 of its meaning, as it was frozen.
    pub hash: String,
    /// Newest first: when another meaning of it was put in force, and by whom.
    pub changes: Vec<ReviewedChange>,
    /// Decisions that it determined since counting began.
    pub decisions: u64,
    pub last_decision: Option<Timestamp>,
    /// Guardrails of the set that are proven, and of how many.
    pub proven: u32,
    pub guardrails: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewedChange {
    pub at: Timestamp,
    pub by: Option<SubjectId>,
}

/// Why they are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewerBecause {
    ResourceOwner,
    PolicyOwner,
    Fallback,
}

impl ReviewerBecause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResourceOwner => "resource-owner",
            Self::PolicyOwner => "policy-owner",
            Self::Fallback => "fallback",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewVerdict {
    pub decided: ReviewDecided,
    /// Nobody, where the deadline or the end of the campaign decided.
    pub by: Option<SubjectId>,
    pub at: Timestamp,
    pub reason: Option<String>,
    /// Whether it was taken away here.
    pub carried_out: bool,
    /// What is left to do elsewhere.
    pub left: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewDecided {
    Kept,
    Revoked,
    /// It was not there any more.
    Gone,
    /// Of a policy: nobody confirmed it. It stays in force, since taking a forbid away would give.
    Unconfirmed,
}

impl ReviewDecided {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Revoked => "revoked",
            Self::Gone => "gone",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl Review {
    /// Whether something can be decided still.
    pub const fn is_open(&self, now: Timestamp) -> bool {
        self.end.is_none() && now.millis() < self.deadline.millis()
    }

    /// Whether its time is over and nobody has drawn the consequence yet.
    pub const fn is_due(&self, now: Timestamp) -> bool {
        self.end.is_none() && self.deadline.millis() <= now.millis()
    }

    pub fn undecided(&self) -> impl Iterator<Item = &ReviewLine> {
        self.lines.iter().filter(|line| line.verdict.is_none())
    }

    pub fn decided(&self, wanted: ReviewDecided) -> usize {
        self.lines.iter().filter(|line| line.verdict.as_ref().is_some_and(|it| it.decided == wanted)).count()
    }

    /// Finished before its deadline; absent where that cannot be said yet, or it was withdrawn.
    pub fn in_time(&self, now: Timestamp) -> Option<bool> {
        match &self.end {
            Some(end) if end.how == ReviewEnding::Withdrawn => None,
            Some(end) => Some(end.how == ReviewEnding::Finished),
            None => self.is_due(now).then_some(false),
        }
    }
}

impl Reviewed {
    /// Whether nobody used it since counting began.
    pub const fn is_unused(&self) -> bool {
        match self {
            Self::Access(access) => access.used == 0,
            Self::Policy(policy) => policy.decisions == 0,
        }
    }
}
