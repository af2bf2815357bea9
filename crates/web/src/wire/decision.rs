//! Decisions as JSON: what was asked, what was decided, on which facts, what would change it, and the proof.

use std::collections::BTreeMap;

use countersign_ledger::{DecisionEntry, Entry};
use countersign_model as model;
use countersign_model::{
    DecisionId, DeviceId, ExceptionId, GrantId, LeaseId, PolicyId, ResourceId, SessionId, SubjectId, ZoneName,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    Allow,
    Challenge,
    Deny,
}

impl Effect {
    pub(crate) const fn of(decision: &model::Decision) -> Self {
        match decision {
            model::Decision::Allow(_) => Self::Allow,
            model::Decision::Challenge(_) => Self::Challenge,
            model::Decision::Deny(_) => Self::Deny,
        }
    }
}

/// A recorded decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    #[schema(value_type = String)]
    pub id: DecisionId,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// Its position in the ledger.
    pub index: u64,
    pub effect: Effect,
    /// Why it was denied: `no-permit`, `forbidden`, `unknown-resource`, ….
    pub cause: Option<String>,
    #[schema(value_type = String)]
    pub subject: SubjectId,
    /// PROTOCOL:CLASS, such as `http:read`.
    pub action: String,
    /// Absent where no resource was found at the address.
    #[schema(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    #[schema(value_type = Option<String>)]
    pub session: Option<SessionId>,
    pub circumstances: Circumstances,
    /// The policies that decided.
    pub policies: Vec<PolicyReference>,
    /// Policies that could not be evaluated.
    pub faults: Vec<PolicyFault>,
    /// What the policies looked at.
    pub facts: Vec<FactRead>,
    pub remedy: Option<Remedy>,
    pub node: String,
    pub channel: String,
    /// Whoever enforces what was decided, where that is not the node itself: another proxy, or an application.
    #[schema(value_type = Option<String>)]
    pub caller: Option<SubjectId>,
    /// SHA-256 of the policy set, in hex.
    pub policy_set: String,
    /// Of the world.
    pub generation: u64,
    pub credential_kind: String,
    #[schema(value_type = Option<String>)]
    pub lease: Option<LeaseId>,
    /// The decision that this one takes the place of.
    #[schema(value_type = Option<String>)]
    pub supersedes: Option<DecisionId>,
    /// What would have been decided without observe mode, where that made a difference.
    pub observed: Option<Observed>,
}

/// A decision that was not enforced: as if every policy and the resource were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Observed {
    /// `resource`: it is in observe mode, and that alone let it through. `policies`: some are in observe mode.
    pub because: String,
    #[serde(flatten)]
    pub decision: Explanation,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Circumstances {
    pub authentication: Option<Authentication>,
    pub device: Option<DeviceCircumstances>,
    #[schema(value_type = String)]
    pub address: std::net::IpAddr,
    #[schema(value_type = Vec<String>)]
    pub zones: Vec<ZoneName>,
    pub encrypted: bool,
    pub hour: u8,
    /// 1 (Monday) to 7 (Sunday).
    pub weekday: u8,
    pub time_zone: String,
    /// 0 to 100.
    pub risk: u8,
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// Exceptions that were in force for it.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub exceptions: Vec<ExceptionId>,
    pub http: Option<Http>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Authentication {
    pub methods: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub age_seconds: u64,
    pub phishing_resistant: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceCircumstances {
    #[schema(value_type = String)]
    pub id: DeviceId,
    pub managed: bool,
    pub compliant: bool,
    /// Aspect → `failed`, `stale` or `unknown`.
    pub findings: BTreeMap<String, String>,
    pub posture_age_seconds: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Http {
    pub method: String,
    pub host: String,
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyReference {
    #[schema(value_type = String)]
    pub id: PolicyId,
    /// `permit` or `forbid`.
    pub role: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyFault {
    pub policy: PolicyReference,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FactRead {
    pub name: String,
    pub value: String,
}

/// What would change the decision: all of `needs` together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Remedy {
    pub needs: Vec<Need>,
    pub advice: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "need", rename_all = "kebab-case")]
pub enum Need {
    SignIn,
    PhishingResistantSignIn,
    EnrolledDevice,
    ManagedDevice,
    CompliantDevice {
        failing: Vec<String>,
    },
    Grant,
    Network {
        #[schema(value_type = String)]
        zone: ZoneName,
    },
}

/// One page of decisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decisions {
    pub items: Vec<Decision>,
    /// Give it as `cursor` to get the next page; absent on the last one.
    pub next: Option<String>,
    /// Entries of the ledger before this index are archived, and the list ends there: `countersign ledger show --archive`
    /// reads them. Absent where nothing was left out.
    pub archived: Option<u64>,
}

/// Where a decision stands in the ledger, and the proof that it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordedDecision {
    pub decision: Decision,
    /// Absent until a checkpoint covers the entry.
    pub proof: Option<Inclusion>,
}

/// An inclusion proof (RFC 6962, section 2.1.1): what `countersign ledger verify` and others check offline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Inclusion {
    pub v: u8,
    pub index: u64,
    /// Exactly the bytes that the tree holds: themselves JSON.
    pub entry: String,
    /// From the leaf to the root, each hash in base64.
    pub path: Vec<String>,
    /// The signed note that the proof leads to.
    pub checkpoint: String,
}

/// Which decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DecisionQuery {
    /// From the `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
    /// `allow`, `challenge` or `deny`.
    #[param(inline)]
    pub effect: Option<Effect>,
    #[param(value_type = Option<String>)]
    pub subject: Option<SubjectId>,
    #[param(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    #[param(value_type = Option<String>)]
    pub device: Option<DeviceId>,
    /// Only those in which observe mode made a difference, or only the others.
    pub observed: Option<bool>,
}

/// A question to the policy engine, answered and not acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    #[schema(value_type = String)]
    pub subject: SubjectId,
    #[schema(value_type = String)]
    pub resource: ResourceId,
    /// PROTOCOL:CLASS, such as `http:read`.
    pub action: String,
    /// As if from this device, in the state it is in now.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// As if from this address; 127.0.0.1 if absent.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub address: Option<std::net::IpAddr>,
    /// As if proven in these ways just now; empty for not signed in.
    #[serde(default)]
    pub methods: Vec<String>,
}

/// What the policy engine would decide now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    pub effect: Effect,
    pub cause: Option<String>,
    pub policies: Vec<PolicyReference>,
    pub faults: Vec<PolicyFault>,
    pub facts: Vec<FactRead>,
    pub remedy: Option<Remedy>,
}

/// What would be decided now, with observe mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    #[serde(flatten)]
    pub decision: Explanation,
    /// What would be decided without observe mode, where that makes a difference.
    pub observed: Option<Observed>,
}

/// One line of the stream: a decision in short, or something else that was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamItem {
    /// Its position in the ledger, where it is known already.
    pub index: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// `decision`, `lease-ended`, `signal`, `session-started`, ….
    pub kind: String,
    pub decision: Option<Decision>,
    /// With kind `missed`: how many items a reader that was too slow has not got.
    pub missed: Option<u64>,
}

impl Decision {
    pub(crate) fn new(index: u64, at: Instant, entry: &DecisionEntry) -> Self {
        let explanation = Explanation::from(&entry.decision);
        let question = &entry.question;
        Self {
            id: entry.id,
            at,
            index,
            effect: explanation.effect,
            cause: explanation.cause,
            subject: question.subject.clone(),
            action: question.action.to_string(),
            resource: question.resource.clone(),
            session: question.session,
            circumstances: Circumstances::from(&question.circumstances),
            policies: explanation.policies,
            faults: explanation.faults,
            facts: explanation.facts,
            remedy: explanation.remedy,
            node: entry.point.node.clone(),
            channel: entry.point.channel.clone(),
            caller: entry.point.caller.clone(),
            policy_set: entry.policy_set.clone(),
            generation: entry.generation,
            credential_kind: entry.credential_kind.clone(),
            lease: entry.lease,
            supersedes: entry.supersedes,
            observed: entry.observed.as_deref().map(Observed::from),
        }
    }
}

impl StreamItem {
    pub(crate) fn new(index: Option<u64>, entry: &Entry) -> Self {
        let made = entry.body.decision();
        let decision = made.map(|decision| Decision::new(index.unwrap_or_default(), entry.at, decision));
        Self { index, at: entry.at, kind: entry.body.name().to_owned(), decision, missed: None }
    }
}

impl From<&model::Decision> for Explanation {
    fn from(decision: &model::Decision) -> Self {
        let (effect, cause, remedy) = match decision {
            model::Decision::Allow(_) => (Effect::Allow, None, None),
            model::Decision::Challenge(challenge) => (Effect::Challenge, None, Some(&challenge.remedy)),
            model::Decision::Deny(denial) => (Effect::Deny, Some(denial.cause.to_string()), denial.remedy.as_ref()),
        };
        let reasons = decision.reasons();
        let fault = |fault: &model::PolicyFault| PolicyFault {
            policy: PolicyReference::from(&fault.policy),
            message: fault.message.clone(),
        };
        let fact = |fact: &model::FactRead| FactRead { name: fact.name.to_string(), value: fact.value.to_string() };
        Self {
            effect,
            cause,
            policies: reasons.determining.iter().map(PolicyReference::from).collect(),
            faults: reasons.faults.iter().map(fault).collect(),
            facts: reasons.facts.iter().map(fact).collect(),
            remedy: remedy.map(Remedy::from),
        }
    }
}

impl From<&model::Observed> for Observed {
    fn from(observed: &model::Observed) -> Self {
        Self { because: observed.because.name().to_owned(), decision: Explanation::from(&observed.decision) }
    }
}

impl From<&model::PolicyReference> for PolicyReference {
    fn from(reference: &model::PolicyReference) -> Self {
        let role = match reference.role {
            model::PolicyRole::Permit => "permit",
            model::PolicyRole::Forbid => "forbid",
        };
        Self { id: reference.id.clone(), role: role.to_owned() }
    }
}

impl From<&model::Remedy> for Remedy {
    fn from(remedy: &model::Remedy) -> Self {
        Self { needs: remedy.needs.iter().map(Need::from).collect(), advice: remedy.advice.clone() }
    }
}

impl From<&model::Need> for Need {
    fn from(need: &model::Need) -> Self {
        match need {
            model::Need::SignIn => Self::SignIn,
            model::Need::PhishingResistantSignIn => Self::PhishingResistantSignIn,
            model::Need::EnrolledDevice => Self::EnrolledDevice,
            model::Need::ManagedDevice => Self::ManagedDevice,
            model::Need::CompliantDevice { failing } => {
                Self::CompliantDevice { failing: failing.iter().map(|aspect| aspect.name().to_owned()).collect() }
            }
            model::Need::Grant => Self::Grant,
            model::Need::Network { zone } => Self::Network { zone: zone.clone() },
        }
    }
}

impl From<&model::Circumstances> for Circumstances {
    fn from(circumstances: &model::Circumstances) -> Self {
        let model::Circumstances { authentication, device, network, time, risk, grant, exception, http } =
            circumstances;
        Self {
            authentication: authentication.as_ref().map(|authentication| Authentication {
                methods: authentication.methods.iter().map(|method| method.name().to_owned()).collect(),
                at: authentication.at,
                age_seconds: authentication.age,
                phishing_resistant: authentication.phishing_resistant(),
            }),
            device: device.as_ref().map(|device| DeviceCircumstances {
                id: device.id.clone(),
                managed: device.managed,
                compliant: device.compliant,
                findings: super::findings(&device.findings),
                posture_age_seconds: device.posture_age,
            }),
            address: network.address,
            zones: network.zones.iter().cloned().collect(),
            encrypted: network.encrypted,
            hour: time.hour,
            weekday: time.weekday,
            time_zone: time.zone.to_string(),
            risk: *risk,
            grant: grant.as_ref().map(|grant| grant.id),
            exceptions: exception.as_ref().map(|it| it.ids.iter().cloned().collect()).unwrap_or_default(),
            http: http.as_ref().map(|http| Http {
                method: http.method.clone(),
                host: http.host.clone(),
                path: http.path.clone(),
            }),
        }
    }
}
