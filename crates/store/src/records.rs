//! What is kept beside the inventory: credentials, sessions and one-time links. No record holds a secret, only hashes
//! of secrets and public keys.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use countersign_model::{ActionClass, DeviceId, KeyId, Methods, ResourceId, SessionId, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

/// SHA-256 of a secret of at least 256 random bits: needs no salt and no stretching.
pub type Hash = [u8; 32];

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskRecord {
    pub subject: SubjectId,
    /// 0 to 100.
    pub risk: u8,
    pub reason: String,
    pub changed: Timestamp,
}

/// One passkey of one person: the public credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyRecord {
    /// The credential id, base64url without padding.
    pub credential: String,
    pub subject: SubjectId,
    /// The random number that stands for the person inside an authenticator; the same for all their passkeys.
    pub user_handle: u128,
    /// What its owner calls it.
    pub name: String,
    /// As the identity crate serialises it.
    pub public_key: String,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// What an API key may be used for. An empty set of classes allows nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyScope {
    /// `None` for every resource that policy lets the subject reach.
    pub resources: Option<BTreeSet<ResourceId>>,
    pub classes: BTreeSet<ActionClass>,
}

impl KeyScope {
    pub fn covers(&self, resource: &ResourceId, class: ActionClass) -> bool {
        self.classes.contains(&class) && self.resources.as_ref().is_none_or(|resources| resources.contains(resource))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRecord {
    pub id: KeyId,
    pub hash: Hash,
    /// The service or agent that the key authenticates.
    pub subject: SubjectId,
    /// The human who answers for it.
    pub owner: SubjectId,
    pub scope: KeyScope,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub last_used: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    pub id: SessionId,
    pub subject: SubjectId,
    /// The device that made it, and the only one it counts from.
    pub device: Option<DeviceId>,
    /// Where it was made from.
    pub address: IpAddr,
    pub methods: Methods,
    /// The last full proof.
    pub authenticated: Timestamp,
    pub created: Timestamp,
    pub last_used: Timestamp,
    /// Absolute, whatever the use.
    pub expires: Timestamp,
    /// The passkey that made it: removing that one ends it.
    pub passkey: Option<String>,
    /// The external session it came from, for back-channel logout.
    pub provider: Option<ProviderSession>,
    /// One secret per host.
    pub secrets: BTreeMap<String, Hash>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderSession {
    pub issuer: String,
    pub subject: String,
    /// The provider's `sid`, where it gives one.
    pub session: Option<String>,
}

/// What a one-time link lets its bearer do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenPurpose {
    /// Enrol a passkey as this person.
    Invitation { subject: SubjectId },
    /// Have one device certificate issued, for a device of this person.
    DeviceEnrolment { owner: SubjectId, device: DeviceId },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRecord {
    pub hash: Hash,
    pub purpose: TokenPurpose,
    pub made_by: SubjectId,
    pub created: Timestamp,
    pub expires: Timestamp,
}

/// An account at an external provider that signs somebody in here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkRecord {
    pub issuer: String,
    pub provider_subject: String,
    pub subject: SubjectId,
    pub linked: Timestamp,
}
