//! The estate as JSON: subjects, groups, segments, resources, devices, policies; what is written to it is a `…Body`.

use std::collections::BTreeMap;

use countersign_model as model;
use countersign_model::{
    DeviceId, Entitled, Finding, GroupId, PolicyId, PostureAspect, ResourceId, SegmentId, Source, SubjectId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Instant;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    #[schema(value_type = String)]
    pub id: SubjectId,
    pub display_name: String,
    pub email: Option<String>,
    #[schema(value_type = Option<String>)]
    pub owner: Option<SubjectId>,
    #[schema(value_type = Option<String>)]
    pub acts_for: Option<SubjectId>,
    pub state: State,
    /// Direct memberships.
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<GroupId>,
    pub source: String,
    #[schema(value_type = String, format = DateTime)]
    pub created: Instant,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    #[default]
    Active,
    Disabled,
}

/// A subject as it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectBody {
    pub display_name: String,
    #[serde(default)]
    pub email: Option<String>,
    /// The human who answers for a service or an agent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub owner: Option<SubjectId>,
    /// Whom an agent acts for.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub acts_for: Option<SubjectId>,
    #[serde(default)]
    pub state: State,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskBody {
    /// 0 (nothing known against it) to 100.
    #[schema(maximum = 100)]
    pub risk: u8,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    #[schema(value_type = String)]
    pub id: GroupId,
    pub display_name: String,
    #[schema(value_type = Vec<String>)]
    pub member_of: Vec<GroupId>,
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupBody {
    pub display_name: String,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub member_of: Vec<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    #[schema(value_type = String)]
    pub id: SegmentId,
    pub display_name: String,
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentBody {
    pub display_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    Public,
    Standard,
    High,
    CrownJewel,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    #[schema(value_type = String)]
    pub id: ResourceId,
    /// `http`, or `countersign` for a part of Countersign itself.
    pub kind: String,
    pub source: String,
    #[serde(flatten)]
    pub body: ResourceBody,
}

/// A resource as it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceBody {
    pub display_name: String,
    pub tier: Tier,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub segment: Option<SegmentId>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub owner: Option<SubjectId>,
    pub routes: Vec<Route>,
    pub upstream: Upstream,
    #[serde(default)]
    pub rules: Vec<ActionRule>,
    #[serde(default)]
    pub entitled: EntitledBody,
    /// Observe mode: until then, at most 90 days ahead, what policies would deny is let through, and recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub observe_until: Option<Instant>,
}

/// The groups that may use a resource at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EntitledBody {
    #[schema(value_type = Vec<String>)]
    pub readers: Vec<GroupId>,
    #[schema(value_type = Vec<String>)]
    pub writers: Vec<GroupId>,
    #[schema(value_type = Vec<String>)]
    pub administrators: Vec<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Lower case, without a port.
    pub host: String,
    #[serde(default = "root")]
    pub path_prefix: String,
}

fn root() -> String {
    "/".to_owned()
}

/// Where admitted requests go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Upstream {
    Origin(Origin),
    Internal(Internal),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    pub url: String,
    #[serde(default)]
    pub ca: Option<String>,
    #[serde(default)]
    pub preserve_host: bool,
}

/// A part of Countersign; shown, and refused where a resource is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Internal {
    pub part: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRule {
    /// Upper case; empty means every method.
    #[serde(default)]
    pub methods: Vec<String>,
    /// `/exact`, or `/prefix/*`.
    pub path: String,
    pub action: Class,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Read,
    Write,
    Administer,
    Connect,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    #[schema(value_type = String)]
    pub id: DeviceId,
    pub display_name: String,
    #[schema(value_type = String)]
    pub owner: SubjectId,
    pub managed: bool,
    pub revoked: bool,
    pub compliant: bool,
    /// Aspect → `failed`, `stale` or `unknown`.
    pub findings: BTreeMap<String, String>,
    pub posture: Vec<PostureFact>,
    #[schema(value_type = String, format = DateTime)]
    pub enrolled: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub certificate_expires: Instant,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PostureFact {
    pub aspect: String,
    pub value: String,
    pub source: String,
    #[schema(value_type = String, format = DateTime)]
    pub observed: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedBody {
    pub managed: bool,
}

/// One policy as loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    #[schema(value_type = String)]
    pub id: PolicyId,
    /// `permit` or `forbid`.
    pub role: String,
    /// `enforce`, or `observe`: it enforces nothing.
    pub mode: String,
    pub owner: String,
    /// The day on which it is due for review.
    #[schema(value_type = String, format = DateTime)]
    pub review_by: Instant,
    pub remedy: Option<String>,
    /// What has to stand in its place where an exception relaxes it; absent where none can.
    pub relaxable: Option<String>,
    pub description: Option<String>,
    /// SHA-256 of its meaning, in hex.
    pub hash: String,
    pub file: String,
    /// From 1.
    pub line: u64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicySet {
    /// SHA-256 of the whole set, in hex.
    pub hash: String,
    pub policies: Vec<Policy>,
    /// Where the policies, though valid, may not mean what they say.
    pub warnings: Vec<String>,
    /// What has to hold for every possible request, and what became of it on this server.
    pub guardrails: Vec<Guardrail>,
    /// When the guardrails were last tried on this server; absent where nobody did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub tried: Option<Instant>,
    /// The solver that answered, and its version.
    pub solver: Option<String>,
}

/// One guardrail of the set in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Guardrail {
    #[schema(value_type = String)]
    pub id: PolicyId,
    /// `never-errors`, `never-allowed`, `always-allowed`, `only-narrows` or `equivalent-to`.
    pub claim: String,
    pub description: String,
    pub owner: String,
    /// As it is written; empty of the one that is built in.
    pub text: String,
    /// `proven`, `failed`, `unknown` or `not-run`, here and for the set in force.
    pub result: String,
}

/// Files of policy text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySources {
    /// File name → text.
    pub files: BTreeMap<String, String>,
    /// Check alone, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a policy set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// Whether it is in force now. Never with `dry_run`, never with a mistake.
    pub applied: bool,
    /// The hash of the policy set, where it is valid.
    pub hash: Option<String>,
    /// Every mistake, with file, line and a caret.
    pub mistakes: Vec<String>,
    pub warnings: Vec<String>,
}

/// What configuration says there is. What came from configuration before and is not in it any more is removed; what
/// came from elsewhere stays. All mistakes are found before anything is changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bundle {
    #[schema(value_type = BTreeMap<String, SegmentBody>)]
    pub segments: BTreeMap<SegmentId, SegmentBody>,
    #[schema(value_type = BTreeMap<String, GroupBody>)]
    pub groups: BTreeMap<GroupId, GroupBody>,
    #[schema(value_type = BTreeMap<String, SubjectBody>)]
    pub subjects: BTreeMap<SubjectId, SubjectBody>,
    #[schema(value_type = BTreeMap<String, ResourceBody>)]
    pub resources: BTreeMap<ResourceId, ResourceBody>,
    /// File name → text of the whole policy set; absent to leave the policies as they are.
    pub policies: Option<BTreeMap<String, String>>,
    /// The text of a `countersign.toml`; absent to leave the settings as they are. Those that count while the server runs
    /// are put into force; one that counts from a start only, and is not what the server has, is a mistake.
    pub settings: Option<String>,
    /// Check and tell what would change, and change nothing.
    pub dry_run: bool,
}

/// What applying a bundle did, or would do. Each thing by its kind and name; of the policies only what is different.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    pub applied: bool,
    pub created: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub unchanged: Vec<String>,
    /// Why nothing was applied; for policies and settings with file, line and a caret.
    pub mistakes: Vec<String>,
    pub warnings: Vec<String>,
}

pub(crate) fn source(source: Source) -> String {
    match source {
        Source::Configuration => "configuration",
        Source::Administrator => "administrator",
        Source::Enrolment => "enrolment",
        Source::OpenIdConnect => "open-id-connect",
        Source::DeviceReport => "device-report",
        Source::Countersign => "countersign",
    }
    .to_owned()
}

pub(crate) fn findings(findings: &BTreeMap<PostureAspect, Finding>) -> BTreeMap<String, String> {
    let word = |finding: &Finding| match finding {
        Finding::Failed => "failed",
        Finding::Stale => "stale",
        Finding::Unknown => "unknown",
    };
    findings.iter().map(|(aspect, finding)| (aspect.name().to_owned(), word(finding).to_owned())).collect()
}

impl From<model::SubjectState> for State {
    fn from(state: model::SubjectState) -> Self {
        match state {
            model::SubjectState::Active => Self::Active,
            model::SubjectState::Disabled => Self::Disabled,
        }
    }
}

impl From<State> for model::SubjectState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Disabled => Self::Disabled,
        }
    }
}

impl From<&model::Subject> for Subject {
    fn from(subject: &model::Subject) -> Self {
        let model::Subject {
            id,
            display_name,
            email,
            owner,
            acts_for,
            state,
            groups,
            source: from,
            created,
            last_used,
        } = subject.clone();
        let (state, source) = (state.into(), source(from));
        Self { id, display_name, email, owner, acts_for, state, groups, source, created, last_used }
    }
}

impl From<&model::Group> for Group {
    fn from(group: &model::Group) -> Self {
        let model::Group { id, display_name, member_of, source: from } = group.clone();
        Self { id, display_name, member_of, source: source(from) }
    }
}

impl From<&model::Segment> for Segment {
    fn from(segment: &model::Segment) -> Self {
        let model::Segment { id, display_name, source: from } = segment.clone();
        Self { id, display_name, source: source(from) }
    }
}

impl From<model::Tier> for Tier {
    fn from(tier: model::Tier) -> Self {
        match tier {
            model::Tier::Public => Self::Public,
            model::Tier::Standard => Self::Standard,
            model::Tier::High => Self::High,
            model::Tier::CrownJewel => Self::CrownJewel,
        }
    }
}

impl From<Tier> for model::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Public => Self::Public,
            Tier::Standard => Self::Standard,
            Tier::High => Self::High,
            Tier::CrownJewel => Self::CrownJewel,
        }
    }
}

impl From<model::ActionClass> for Class {
    fn from(class: model::ActionClass) -> Self {
        match class {
            model::ActionClass::Read => Self::Read,
            model::ActionClass::Write => Self::Write,
            model::ActionClass::Administer => Self::Administer,
            model::ActionClass::Connect => Self::Connect,
        }
    }
}

impl From<Class> for model::ActionClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Read => Self::Read,
            Class::Write => Self::Write,
            Class::Administer => Self::Administer,
            Class::Connect => Self::Connect,
        }
    }
}

impl Resource {
    /// As it is at `now`: what observe mode was, is nobody's business any more.
    pub(crate) fn new(resource: &model::Resource, now: Instant) -> Self {
        let observe_until = resource.observed_until(now);
        let model::Resource {
            id,
            display_name,
            kind,
            tier,
            segment,
            owner,
            source: from,
            routes,
            upstream,
            rules,
            entitled,
            observe_until: _,
        } = resource.clone();
        let upstream = match upstream {
            model::Upstream::Origin { url, ca, preserve_host } => Upstream::Origin(Origin { url, ca, preserve_host }),
            model::Upstream::Internal { part } => Upstream::Internal(Internal { part }),
        };
        let route = |model::Route { host, path_prefix }| Route { host, path_prefix };
        let rule =
            |model::ActionRule { methods, path, action }| ActionRule { methods, path: path.0, action: action.into() };
        let Entitled { readers, writers, administrators } = entitled;
        Self {
            id,
            kind: kind.name().to_owned(),
            source: source(from),
            body: ResourceBody {
                display_name,
                tier: tier.into(),
                segment,
                owner,
                routes: routes.into_iter().map(route).collect(),
                upstream,
                rules: rules.into_iter().map(rule).collect(),
                entitled: EntitledBody { readers, writers, administrators },
                observe_until,
            },
        }
    }
}

/// A part of Countersign cannot be put in anybody's way by writing a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of Countersign itself cannot be written as a resource")]
pub struct InternalUpstream;

impl ResourceBody {
    pub(crate) fn resource(self, id: ResourceId, source: Source) -> Result<model::Resource, InternalUpstream> {
        let upstream = match self.upstream {
            Upstream::Origin(Origin { url, ca, preserve_host }) => model::Upstream::Origin { url, ca, preserve_host },
            Upstream::Internal(_) => return Err(InternalUpstream),
        };
        let route = |Route { host, path_prefix }| model::Route { host, path_prefix };
        let rule = |ActionRule { methods, path, action }| model::ActionRule {
            methods,
            path: model::PathPattern(path),
            action: action.into(),
        };
        let EntitledBody { readers, writers, administrators } = self.entitled;
        Ok(model::Resource {
            id,
            display_name: self.display_name,
            kind: model::ResourceKind::Http,
            tier: self.tier.into(),
            segment: self.segment,
            owner: self.owner,
            source,
            routes: self.routes.into_iter().map(route).collect(),
            upstream,
            rules: self.rules.into_iter().map(rule).collect(),
            entitled: Entitled { readers, writers, administrators },
            observe_until: self.observe_until,
        })
    }
}

impl GroupBody {
    pub(crate) fn group(self, id: GroupId, source: Source) -> model::Group {
        model::Group { id, display_name: self.display_name, member_of: self.member_of, source }
    }
}

impl SegmentBody {
    pub(crate) fn segment(self, id: SegmentId, source: Source) -> model::Segment {
        model::Segment { id, display_name: self.display_name, source }
    }
}

impl SubjectBody {
    pub(crate) fn subject(self, id: SubjectId, source: Source, now: Instant) -> model::Subject {
        let Self { display_name, email, owner, acts_for, state, groups } = self;
        let state = state.into();
        model::Subject {
            id,
            display_name,
            email,
            owner,
            acts_for,
            state,
            groups,
            source,
            created: now,
            last_used: None,
        }
    }
}

impl Device {
    pub(crate) fn new(device: &model::Device, requirements: &model::PostureRequirements, now: Instant) -> Self {
        let assessment = requirements.assess(&device.posture, now);
        let fact = |(aspect, fact): (&PostureAspect, &model::Fact<model::PostureValue>)| PostureFact {
            aspect: aspect.name().to_owned(),
            value: crate::words::posture(&fact.value),
            source: source(fact.source),
            observed: fact.observed,
            expires: fact.expires(),
        };
        let revoked = match device.state {
            model::DeviceState::Active => false,
            model::DeviceState::Revoked => true,
        };
        Self {
            id: device.id.clone(),
            display_name: device.display_name.clone(),
            owner: device.owner.clone(),
            managed: device.managed,
            revoked,
            // What it last reported counts for nothing any more.
            compliant: !revoked && assessment.compliant(),
            findings: findings(&assessment.findings),
            posture: device.posture.iter().map(fact).collect(),
            enrolled: device.enrolled,
            certificate_expires: device.certificate_expires,
        }
    }
}
