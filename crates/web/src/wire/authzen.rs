//! The Authorization API 1.0 of OpenID AuthZEN, in its words. Unlike the rest of the API it takes members that it does
//! not know: the standard has them ignored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Remedy;

/// May this subject do this to that resource?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    pub subject: Entity,
    pub action: ActionName,
    pub resource: Entity,
    #[serde(default)]
    pub context: StatedContext,
}

/// A subject (`human`, also called `user`; `service`; `agent`) or a resource (`resource`; of any other type T the one with
/// the id `T/ID`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entity {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    /// Not looked at: what counts about a subject or a resource is known here.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub properties: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionName {
    /// `read`, `write`, `administer`, `connect`, or a method of HTTP, which the resource's rules translate.
    pub name: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub properties: Map<String, Value>,
}

/// What the caller vouches for. Posture, groups, risk and time are nobody's to state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct StatedContext {
    /// The subject's address.
    #[schema(value_type = Option<String>)]
    pub ip_address: Option<std::net::IpAddr>,
    /// Whether the subject's connection is encrypted.
    pub encrypted: bool,
    /// The device that has proved itself to the caller.
    pub device: Option<String>,
    pub authentication: Option<StatedAuthentication>,
    pub http: Option<StatedHttp>,
}

/// How the subject proved itself to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatedAuthentication {
    /// `federated`, `federated-multi-factor`, `federated-phishing-resistant`, `api-key`.
    pub methods: Vec<String>,
    /// Seconds since then.
    #[serde(default)]
    pub age: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatedHttp {
    pub host: String,
    pub path: String,
}

/// Several questions at once. What stands beside `evaluations` counts for each that does not say it itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluations {
    #[schema(value_type = Option<Entity>)]
    pub subject: Option<Value>,
    #[schema(value_type = Option<ActionName>)]
    pub action: Option<Value>,
    #[schema(value_type = Option<Entity>)]
    pub resource: Option<Value>,
    #[schema(value_type = Option<StatedContext>)]
    pub context: Option<Value>,
    /// Absent or empty: one question, answered as by `/access/v1/evaluation`.
    #[serde(default)]
    #[schema(value_type = Vec<Evaluation>)]
    pub evaluations: Vec<Map<String, Value>>,
    #[serde(default)]
    pub options: EvaluationOptions,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EvaluationOptions {
    pub evaluations_semantic: Semantic,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    #[default]
    ExecuteAll,
    /// The answer ends with the first denial.
    DenyOnFirstDeny,
    /// The answer ends with the first permission.
    PermitOnFirstPermit,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    pub decision: bool,
    pub context: VerdictContext,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdicts {
    pub evaluations: Vec<Verdict>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerdictContext {
    /// The recorded decision: look it up with `countersign decision show`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// `allow`, `deny` or `challenge`: in the last case the subject can do now what `remedy` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Why not: `no-permit`, `forbidden`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// What would have been decided without observe mode, where that makes a difference. `decision` is what counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<VerdictObserved>,
    /// Why this question could not be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<VerdictError>,
}

/// A decision that was not enforced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerdictObserved {
    /// `resource`: it is in observe mode, and that alone let it through. `policies`: some are in observe mode.
    pub because: String,
    /// `allow`, `deny` or `challenge`.
    pub effect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictError {
    pub status: u16,
    pub message: String,
}

/// Which subjects of this type may do that?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectSearch {
    pub subject: EntityType,
    pub action: ActionName,
    pub resource: Entity,
    #[serde(default)]
    pub context: StatedContext,
    #[serde(default)]
    pub page: SearchPage,
}

/// With which resources of this type may the subject do that?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceSearch {
    pub subject: Entity,
    pub action: ActionName,
    pub resource: EntityType,
    #[serde(default)]
    pub context: StatedContext,
    #[serde(default)]
    pub page: SearchPage,
}

/// What may the subject do with the resource?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionSearch {
    pub subject: Entity,
    pub resource: Entity,
    #[serde(default)]
    pub context: StatedContext,
    #[serde(default)]
    pub page: SearchPage,
}

/// What is sought has a type. Its id is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntityType {
    #[serde(rename = "type")]
    pub kind: String,
}

/// Which part of what is found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SearchPage {
    /// `next_token` of the page before; then everything else is as it was.
    pub token: Option<String>,
    /// Results at most: 1,000 where nothing is said, 10,000 at most.
    pub limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundPage {
    /// Of the next page; empty where there is none.
    pub next_token: String,
    /// On this page.
    pub count: u64,
    /// On all pages.
    pub total: u64,
}

/// Subjects or resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundEntities {
    pub page: FoundPage,
    pub results: Vec<Entity>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundActions {
    pub page: FoundPage,
    pub results: Vec<ActionName>,
}

/// `/.well-known/authzen-configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionPoint {
    pub policy_decision_point: String,
    pub access_evaluation_endpoint: String,
    pub access_evaluations_endpoint: String,
    pub search_subject_endpoint: String,
    pub search_resource_endpoint: String,
    pub search_action_endpoint: String,
}
