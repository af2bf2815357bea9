//! Reviews as JSON: campaigns, their lines, what is decided, and what is left to do elsewhere.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_administrator as administrator;
use countersign_model as model;
use countersign_model::{GroupId, PolicyId, ResourceId, ReviewId, SegmentId, SubjectId, SubjectKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Class, Instant};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whose access to what. An empty part does not narrow; a resource is in it by name or by its segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewScope {
    #[schema(value_type = Vec<String>)]
    pub groups: BTreeSet<GroupId>,
    /// `human`, `service` or `agent`.
    #[schema(value_type = Vec<String>)]
    pub kinds: BTreeSet<SubjectKind>,
    #[schema(value_type = Vec<String>)]
    pub resources: BTreeSet<ResourceId>,
    #[schema(value_type = Vec<String>)]
    pub segments: BTreeSet<SegmentId>,
}

/// What is to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBody {
    pub title: String,
    /// `access` or `policies`.
    pub about: String,
    #[serde(default)]
    pub scope: ReviewScope,
    #[schema(value_type = String, format = DateTime)]
    pub deadline: Instant,
    /// Who reviews where nobody else answers, or may; in this order.
    #[schema(value_type = Vec<String>)]
    pub fallbacks: Vec<SubjectId>,
    /// Days of the ledger over which use is counted; 90 if absent.
    #[serde(default = "ninety")]
    pub days: u32,
}

const fn ninety() -> u32 {
    90
}

impl ReviewBody {
    /// Absent where `about` is neither.
    pub fn asked(self) -> Option<administrator::NewReview> {
        let Self { title, about, scope, deadline, fallbacks, days } = self;
        let ReviewScope { groups, kinds, resources, segments } = scope;
        let about = match about.as_str() {
            "access" => model::ReviewAbout::Access { scope: model::ReviewScope { groups, kinds, resources, segments } },
            "policies" => model::ReviewAbout::Policies,
            _ => return None,
        };
        Some(administrator::NewReview { title, about, deadline, fallbacks, days })
    }
}

/// What is decided of some lines, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewVerdictBody {
    pub lines: Vec<u32>,
    /// `keep` or `revoke`.
    pub decision: String,
    /// May be empty where something is kept that was used.
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewEndBody {
    /// `close`: what is not confirmed is revoked now. `withdraw`: what is not decided stays as it is.
    pub how: String,
    pub why: String,
}

/// A campaign, without its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    #[schema(value_type = String)]
    pub id: ReviewId,
    pub title: String,
    /// `access` or `policies`.
    pub about: String,
    pub scope: ReviewScope,
    #[schema(value_type = String)]
    pub made_by: SubjectId,
    #[schema(value_type = String, format = DateTime)]
    pub opened: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub deadline: Instant,
    /// `due in 3 days`, `overdue`, or how it ended.
    pub standing: String,
    #[schema(value_type = Vec<String>)]
    pub fallbacks: Vec<SubjectId>,
    #[schema(value_type = String, format = DateTime)]
    pub counted_from: Instant,
    /// SHA-256 of the lines as they were frozen.
    pub population: String,
    pub lines: u64,
    pub undecided: u64,
    pub kept: u64,
    pub revoked: u64,
    /// Something was left to do elsewhere: see the export.
    pub left: u64,
}

/// One line. Those of access name a subject and a resource, those of policies a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewLine {
    pub number: u32,
    /// `access` or `policy`.
    pub kind: String,
    /// Absent where it is everybody.
    #[schema(value_type = Option<String>)]
    pub subject: Option<SubjectId>,
    #[schema(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    pub tier: Option<String>,
    pub classes: Vec<Class>,
    /// The group that leads there; absent where a policy gives it without one.
    #[schema(value_type = Option<String>)]
    pub through: Option<GroupId>,
    /// Who says that it is so: `configuration`, `administrator`, `open-id-connect`, ….
    pub source: Option<String>,
    #[schema(value_type = Option<String>)]
    pub policy: Option<PolicyId>,
    /// `permit` or `forbid`.
    pub role: Option<String>,
    pub owner: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub review_by: Option<Instant>,
    /// When another meaning of the policy was put in force since counting began, newest first.
    pub changes: Vec<ReviewChange>,
    /// Guardrails of the set that were proven, of how many.
    pub proven: Option<u32>,
    pub guardrails: Option<u32>,
    /// Accesses, or decisions of the policy, since counting began.
    pub used: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Instant>,
    #[schema(value_type = Vec<String>)]
    pub reviewers: Vec<SubjectId>,
    /// `resource-owner`, `policy-owner` or `fallback`.
    pub because: String,
    /// Who would have reviewed it, were it not their own.
    #[schema(value_type = Option<String>)]
    pub instead_of: Option<SubjectId>,
    /// `kept`, `revoked`, `gone` or `unconfirmed`; absent while it is undecided.
    pub decided: Option<String>,
    /// Absent where the deadline decided.
    #[schema(value_type = Option<String>)]
    pub by: Option<SubjectId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Instant>,
    pub reason: Option<String>,
    /// Whether it was taken away here.
    pub carried_out: bool,
    /// What is left to do elsewhere.
    pub left: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewChange {
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    #[schema(value_type = Option<String>)]
    pub by: Option<SubjectId>,
}

/// Which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewLineQuery {
    /// From the `next` of the page before.
    pub cursor: Option<u32>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
    /// `undecided`, `decided`, or `left`: revoked, and something is left to do elsewhere.
    pub only: Option<String>,
    /// To be decided by this person.
    #[param(value_type = Option<String>)]
    pub reviewer: Option<SubjectId>,
}

/// What else goes when a resource goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decommission {
    #[schema(value_type = String)]
    pub resource: ResourceId,
    /// In the order in which to do it.
    pub goes: Vec<Goes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Goes {
    /// `resource`, `policy`, `guardrail`, `key`, `exception`, `group` or `segment`.
    pub kind: String,
    pub name: String,
    /// `remove`, or `change` where it is about something else as well.
    pub what: String,
    pub why: String,
}

/// How it stands, in words.
pub fn standing(review: &model::Review, now: Instant) -> String {
    match &review.end {
        Some(end) => end.how.name().to_owned(),
        None if review.is_due(now) => "overdue".to_owned(),
        None => match review.deadline.since(now).as_secs() / DAY.as_secs() {
            0 => "due within a day".to_owned(),
            1 => "due in 1 day".to_owned(),
            days => format!("due in {days} days"),
        },
    }
}

impl Review {
    pub fn of(review: &model::Review, now: Instant) -> Self {
        let scope = match &review.about {
            model::ReviewAbout::Access { scope } => scope.clone(),
            model::ReviewAbout::Policies => model::ReviewScope::default(),
        };
        let model::ReviewScope { groups, kinds, resources, segments } = scope;
        let left = review.lines.iter().filter(|line| line.verdict.as_ref().is_some_and(|it| it.left.is_some()));
        Self {
            id: review.id.clone(),
            title: review.title.clone(),
            about: review.about.name().to_owned(),
            scope: ReviewScope { groups, kinds, resources, segments },
            made_by: review.made_by.clone(),
            opened: review.opened,
            deadline: review.deadline,
            standing: standing(review, now),
            fallbacks: review.fallbacks.clone(),
            counted_from: review.counted_from,
            population: review.population.clone(),
            lines: review.lines.len() as u64,
            undecided: review.undecided().count() as u64,
            kept: review.decided(model::ReviewDecided::Kept) as u64,
            revoked: review.decided(model::ReviewDecided::Revoked) as u64,
            left: left.count() as u64,
        }
    }
}

/// A word of the model as it stands in JSON.
fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

impl From<&model::ReviewLine> for ReviewLine {
    fn from(line: &model::ReviewLine) -> Self {
        let verdict = line.verdict.as_ref();
        let mut wire = Self {
            number: line.number,
            kind: String::new(),
            subject: None,
            resource: None,
            tier: None,
            classes: Vec::new(),
            through: None,
            source: None,
            policy: None,
            role: None,
            owner: None,
            review_by: None,
            changes: Vec::new(),
            proven: None,
            guardrails: None,
            used: 0,
            last_used: None,
            reviewers: line.reviewers.clone(),
            because: line.because.name().to_owned(),
            instead_of: line.instead_of.clone(),
            decided: verdict.map(|it| it.decided.name().to_owned()),
            by: verdict.and_then(|it| it.by.clone()),
            at: verdict.map(|it| it.at),
            reason: verdict.and_then(|it| it.reason.clone()),
            carried_out: verdict.is_some_and(|it| it.carried_out),
            left: verdict.and_then(|it| it.left.clone()),
        };
        match line.about.clone() {
            model::Reviewed::Access(access) => {
                wire.kind = "access".to_owned();
                wire.subject = access.subject;
                wire.resource = Some(access.resource);
                wire.tier = Some(access.tier.name().to_owned());
                wire.classes = access.classes.into_iter().map(Into::into).collect();
                wire.through = access.through;
                wire.source = word(&access.source);
                (wire.used, wire.last_used) = (access.used, access.last_used);
            }
            model::Reviewed::Policy(policy) => {
                wire.kind = "policy".to_owned();
                wire.policy = Some(policy.policy);
                wire.role = word(&policy.role);
                wire.owner = Some(policy.owner);
                wire.review_by = Some(policy.review_by);
                let change = |it: model::ReviewedChange| ReviewChange { at: it.at, by: it.by };
                wire.changes = policy.changes.into_iter().map(change).collect();
                (wire.proven, wire.guardrails) = (Some(policy.proven), Some(policy.guardrails));
                (wire.used, wire.last_used) = (policy.decisions, policy.last_decision);
            }
        }
        wire
    }
}

impl From<administrator::Decommission> for Decommission {
    fn from(plan: administrator::Decommission) -> Self {
        let goes = |it: administrator::Goes| Goes {
            kind: it.kind.to_owned(),
            name: it.name,
            what: it.what.to_owned(),
            why: it.why,
        };
        Self { resource: plan.resource, goes: plan.goes.into_iter().map(goes).collect() }
    }
}
