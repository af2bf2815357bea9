//! Exceptions as JSON: the register, what is asked for, and how many there are.

use std::collections::BTreeSet;

use countersign_administrator as administrator;
use countersign_model as model;
use countersign_model::{ExceptionId, GroupId, PolicyId, ResourceId, SegmentId, SubjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Class, Instant};

/// For whom × for what × for which classes of action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionScope {
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub subjects: BTreeSet<SubjectId>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub groups: BTreeSet<GroupId>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub resources: BTreeSet<ResourceId>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub segments: BTreeSet<SegmentId>,
    pub classes: Vec<Class>,
}

/// What says whether the compensating control works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExceptionProbe {
    /// A GET answers with this status; asked when an owner asks for it.
    Http {
        /// https://, without credentials and query.
        url: String,
        status: u16,
        /// Whether the address is meant to be inside the house. Then http:// will do.
        #[serde(default)]
        private: bool,
    },
    /// Every resource of the scope is in this segment.
    Segment {
        #[schema(value_type = String)]
        segment: SegmentId,
    },
    /// This policy is in force, and enforced.
    Policy {
        #[schema(value_type = String)]
        policy: PolicyId,
    },
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionBody {
    /// The human who answers for it.
    #[schema(value_type = String)]
    pub owner: SubjectId,
    pub reason: String,
    pub scope: ExceptionScope,
    /// Policies that are `@relaxable`.
    #[schema(value_type = Vec<String>)]
    pub relaxes: BTreeSet<PolicyId>,
    /// What stands in their place.
    pub control: String,
    #[serde(default)]
    pub probe: Option<ExceptionProbe>,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionReviewBody {
    /// When it ends from now on.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
    /// What was found.
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionEndBody {
    pub why: String,
}

/// One act on an exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionAct {
    /// `approved`, `reviewed` or `ended`.
    pub act: String,
    /// Absent where its owner left.
    #[schema(value_type = Option<String>)]
    pub by: Option<SubjectId>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub note: Option<String>,
    /// The end that it has since, where that was changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionProbed {
    /// `works`, `fails` or `unknown`.
    pub result: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub saw: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exception {
    #[schema(value_type = String)]
    pub id: ExceptionId,
    /// `requested`, `in-force`, `expired`, `ownerless` or `ended`.
    pub standing: String,
    #[schema(value_type = String)]
    pub requester: SubjectId,
    #[schema(value_type = String)]
    pub owner: SubjectId,
    pub reason: String,
    pub scope: ExceptionScope,
    #[schema(value_type = Vec<String>)]
    pub relaxes: BTreeSet<PolicyId>,
    pub control: String,
    pub probe: Option<ExceptionProbe>,
    /// What the probe says; absent where there is none.
    pub probed: Option<ExceptionProbed>,
    #[schema(value_type = String, format = DateTime)]
    pub requested: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
    /// What was done with it since it was requested, oldest first.
    pub history: Vec<ExceptionAct>,
}

/// The register.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exceptions {
    /// Newest first.
    pub items: Vec<Exception>,
    /// Give it as `cursor` to get the next page; absent on the last one.
    pub next: Option<String>,
    pub figures: ExceptionFigures,
}

/// How many there are, for how many policies that can be relaxed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionFigures {
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Instant,
    pub requested: u64,
    pub in_force: u64,
    /// Policies that are enforced and `@relaxable`.
    pub relaxable: u64,
    /// In force for each of them; absent where there is none.
    pub rate: Option<f64>,
    pub by_tier: Vec<ExceptionTier>,
    /// How many were in force, a week apart, oldest first.
    pub trend: Vec<ExceptionWeek>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionTier {
    pub tier: String,
    /// About a resource of this tier.
    pub in_force: u64,
    /// Resources of this tier that one of them is about, of how many.
    pub resources: u64,
    pub of: u64,
    pub rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionWeek {
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub in_force: u64,
}

/// What lets more through than its tier means to, and is in no register.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Undocumented {
    /// `observed-resource`, `observed-policy`, `ownerless-policy`, `wider-than-tier`, `reachable-around` or `suppressed-finding`.
    pub kind: String,
    /// The resource, policy or control.
    pub what: String,
    pub why: String,
    /// When it ends by itself, where it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
}

/// Which exceptions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExceptionQuery {
    /// From the `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
    /// `requested`, `in-force`, `expired`, `ownerless` or `ended`.
    pub standing: Option<String>,
    /// For this subject by name, owned or requested by it.
    #[param(value_type = Option<String>)]
    pub subject: Option<SubjectId>,
    /// About this resource by name.
    #[param(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
}

impl From<ExceptionScope> for model::ExceptionScope {
    fn from(scope: ExceptionScope) -> Self {
        let ExceptionScope { subjects, groups, resources, segments, classes } = scope;
        let classes = classes.into_iter().map(Into::into).collect();
        Self { subjects, groups, resources, segments, classes }
    }
}

impl From<&model::ExceptionScope> for ExceptionScope {
    fn from(scope: &model::ExceptionScope) -> Self {
        let model::ExceptionScope { subjects, groups, resources, segments, classes } = scope.clone();
        let classes = classes.into_iter().map(Into::into).collect();
        Self { subjects, groups, resources, segments, classes }
    }
}

impl From<ExceptionProbe> for model::Probe {
    fn from(probe: ExceptionProbe) -> Self {
        match probe {
            ExceptionProbe::Http { url, status, private } => Self::Http { url, status, private },
            ExceptionProbe::Segment { segment } => Self::Segment { segment },
            ExceptionProbe::Policy { policy } => Self::Policy { policy },
        }
    }
}

impl From<&model::Probe> for ExceptionProbe {
    fn from(probe: &model::Probe) -> Self {
        match probe.clone() {
            model::Probe::Http { url, status, private } => Self::Http { url, status, private },
            model::Probe::Segment { segment } => Self::Segment { segment },
            model::Probe::Policy { policy } => Self::Policy { policy },
        }
    }
}

impl From<ExceptionBody> for administrator::NewException {
    fn from(body: ExceptionBody) -> Self {
        let ExceptionBody { owner, reason, scope, relaxes, control, probe, expires } = body;
        let control = model::CompensatingControl { description: control, probe: probe.map(Into::into) };
        Self { owner, reason, scope: scope.into(), relaxes, control, expires }
    }
}

impl From<&administrator::ProbeResult> for ExceptionProbed {
    fn from(result: &administrator::ProbeResult) -> Self {
        Self { result: result.works.name().to_owned(), at: result.at, saw: result.saw.clone() }
    }
}

/// Oldest first.
fn history(exception: &model::Exception) -> Vec<ExceptionAct> {
    let act = |act: &str, by, at, note, expires| ExceptionAct { act: act.to_owned(), by, at, note, expires };
    let approved = exception.approval.iter().map(|it| act("approved", Some(it.by.clone()), it.at, None, None));
    let reviewed = exception
        .reviews
        .iter()
        .map(|it| act("reviewed", Some(it.by.clone()), it.at, Some(it.note.clone()), Some(it.expires)));
    let ended = exception.end.iter().map(|it| act("ended", it.by.clone(), it.at, Some(it.why.clone()), None));
    approved.chain(reviewed).chain(ended).collect()
}

impl From<&administrator::ExceptionView> for Exception {
    fn from(view: &administrator::ExceptionView) -> Self {
        let exception = &view.exception;
        Self {
            id: exception.id.clone(),
            standing: view.standing.name().to_owned(),
            requester: exception.requester.clone(),
            owner: exception.owner.clone(),
            reason: exception.reason.clone(),
            scope: (&exception.scope).into(),
            relaxes: exception.relaxes.clone(),
            control: exception.control.description.clone(),
            probe: exception.control.probe.as_ref().map(Into::into),
            probed: view.works.as_ref().map(Into::into),
            requested: exception.requested,
            expires: exception.expires,
            history: history(exception),
        }
    }
}

impl From<administrator::ExceptionFigures> for ExceptionFigures {
    fn from(figures: administrator::ExceptionFigures) -> Self {
        let tier = |it: administrator::TierFigures| ExceptionTier {
            tier: it.tier.name().to_owned(),
            in_force: it.in_force as u64,
            resources: it.resources as u64,
            of: it.of as u64,
            rate: it.rate,
        };
        Self {
            as_of: figures.as_of,
            requested: figures.requested as u64,
            in_force: figures.in_force as u64,
            relaxable: figures.relaxable as u64,
            rate: figures.rate,
            by_tier: figures.by_tier.into_iter().map(tier).collect(),
            trend: figures.trend.into_iter().map(|(at, n)| ExceptionWeek { at, in_force: n as u64 }).collect(),
        }
    }
}

impl From<administrator::Undocumented> for Undocumented {
    fn from(found: administrator::Undocumented) -> Self {
        let administrator::Undocumented { kind, what, why, until } = found;
        Self { kind: kind.name().to_owned(), what, why, until }
    }
}
