//! Sessions, leases, keys, invitations and the state of the system as JSON.

use std::collections::BTreeSet;

use countersign_administrator::LeaseView;
use countersign_model::{DecisionId, DeviceId, GroupId, KeyId, LeaseId, ResourceId, SessionId, SubjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Class, Instant};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    #[schema(value_type = String)]
    pub id: SessionId,
    #[schema(value_type = String)]
    pub subject: SubjectId,
    /// The only device that it counts from.
    #[schema(value_type = Option<String>)]
    pub device: Option<DeviceId>,
    /// Where it was made from.
    #[schema(value_type = String)]
    pub address: std::net::IpAddr,
    pub methods: Vec<String>,
    /// The last full proof.
    #[schema(value_type = String, format = DateTime)]
    pub authenticated: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub created: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub last_used: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
    /// The hosts at which it is signed in.
    pub hosts: Vec<String>,
    /// Connections that are open under it.
    pub leases: u64,
}

/// Which sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// From the `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
    #[param(value_type = Option<String>)]
    pub subject: Option<SubjectId>,
    #[param(value_type = Option<String>)]
    pub device: Option<DeviceId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    #[schema(value_type = String)]
    pub id: LeaseId,
    #[schema(value_type = String)]
    pub decision: DecisionId,
    #[schema(value_type = String)]
    pub subject: SubjectId,
    #[schema(value_type = Option<String>)]
    pub session: Option<SessionId>,
    #[schema(value_type = Option<String>)]
    pub device: Option<DeviceId>,
    #[schema(value_type = String)]
    pub resource: ResourceId,
    pub action: String,
    pub channel: String,
    /// Method, host and path.
    pub request: Option<String>,
    #[schema(value_type = String)]
    pub address: std::net::IpAddr,
    #[schema(value_type = String, format = DateTime)]
    pub opened: Instant,
}

impl From<&LeaseView> for Lease {
    fn from(view: &LeaseView) -> Self {
        Self {
            id: view.id,
            decision: view.decision,
            subject: view.subject.clone(),
            session: view.session,
            device: view.device.clone(),
            resource: view.resource.clone(),
            action: view.action.to_string(),
            channel: view.channel.to_owned(),
            request: view.request.clone(),
            address: view.address,
            opened: view.opened,
        }
    }
}

/// Which leases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeaseQuery {
    /// From the `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
    #[param(value_type = Option<String>)]
    pub subject: Option<SubjectId>,
    #[param(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    #[param(value_type = Option<String>)]
    pub session: Option<SessionId>,
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    #[schema(value_type = String)]
    pub id: KeyId,
    /// The service or agent that it authenticates.
    #[schema(value_type = String)]
    pub subject: SubjectId,
    /// The human who answers for it.
    #[schema(value_type = String)]
    pub owner: SubjectId,
    pub scope: Scope,
    #[schema(value_type = String, format = DateTime)]
    pub created: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Instant>,
}

/// What a key may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Absent: every resource that policy lets the subject reach.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub resources: Option<BTreeSet<ResourceId>>,
    pub classes: BTreeSet<Class>,
}

/// A key to be made. There is no key without an expiry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    #[schema(value_type = String)]
    pub subject: SubjectId,
    /// The human who answers for it; the caller if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub owner: Option<SubjectId>,
    pub scope: Scope,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
}

/// A key, shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MadeKey {
    pub key: Key,
    pub secret: String,
}

impl std::fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Whom to invite. A person who is not in the inventory yet is put there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    #[schema(value_type = String)]
    pub subject: SubjectId,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<GroupId>,
    /// Hours until the link ends: 1 to 168; 72 if absent.
    #[serde(default)]
    pub hours: Option<u16>,
}

/// A one-time token for a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentBody {
    /// Whose device it will be.
    #[schema(value_type = String)]
    pub owner: SubjectId,
    /// The name it will have.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Hours until the token ends: 1 to 168; 24 if absent.
    #[serde(default)]
    pub hours: Option<u16>,
}

/// A one-time secret, shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OneTime {
    /// For a person: where to open it. The secret stands after the `#`, which a browser sends to nobody.
    pub link: Option<String>,
    /// For a device: the token itself.
    pub token: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
}

impl std::fmt::Debug for OneTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneTime").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// An invitation that can still be used, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// What to withdraw it by.
    pub id: String,
    #[schema(value_type = String)]
    pub subject: SubjectId,
    #[schema(value_type = String)]
    pub made_by: SubjectId,
    #[schema(value_type = String, format = DateTime)]
    pub created: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
}

/// A certificate request with the token that entitles to it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolDevice {
    pub token: String,
    /// PKCS #10, PEM.
    pub csr: String,
}

impl std::fmt::Debug for EnrolDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolDevice").finish_non_exhaustive()
    }
}

/// A new certificate for a device that proves itself with its present one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewDevice {
    /// PKCS #10, PEM.
    pub csr: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceCertificate {
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// PEM.
    pub certificate: String,
    /// The authority's, PEM: to know Countersign's own listener by.
    pub authority: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
}

/// A posture report, signed by the device's key (compact JWS, `typ` `countersign-posture+jwt`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportDevice {
    pub report: String,
}

/// How the system is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub node: String,
    pub version: String,
    /// Whether anything can be admitted.
    pub ready: bool,
    #[schema(value_type = String, format = DateTime)]
    pub now: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub started: Instant,
    pub policy_set: String,
    /// Of the world.
    pub generation: u64,
    pub policies: u64,
    pub subjects: u64,
    pub groups: u64,
    pub devices: u64,
    pub resources: u64,
    pub sessions: u64,
    pub leases: u64,
    /// Admissions that wait for the ledger now.
    pub in_flight: u64,
    pub ledger: LedgerStatus,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerStatus {
    /// Durable entries.
    pub size: u64,
    /// Entries under the latest checkpoint.
    pub checkpoint_size: u64,
    /// Entries on the way to the disk.
    pub queued: u64,
    /// Entries that have been moved to an archive.
    pub archived: u64,
    /// Why it refuses entries, if it does: then nothing is let through.
    pub broken: Option<String>,
}
