//! What the policy engine is asked: who wants to do what to which resource, under which circumstances. Freshness is
//! settled before: a posture that is too old arrives here as not compliant, whatever it said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Action, ActionClass, DeviceId, ExceptionId, Finding, GrantId, PolicyId, PostureAspect, ResourceId, SessionId,
    SubjectId, Timestamp, ZoneName,
};

/// One question for the policy engine. What it does not carry (groups, tier, segment, owner) is in the world slice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    pub subject: SubjectId,
    pub action: Action,
    pub resource: ResourceId,
    pub session: Option<SessionId>,
    pub circumstances: Circumstances,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Circumstances {
    pub authentication: Option<Authentication>,
    pub device: Option<DeviceCircumstances>,
    pub network: NetworkCircumstances,
    pub time: TimeCircumstances,
    /// 0 (nothing known against it) to 100.
    pub risk: u8,
    pub grant: Option<GrantCircumstances>,
    pub exception: Option<ExceptionCircumstances>,
    pub http: Option<Arc<HttpCircumstances>>,
}

/// How, and when, the subject proved who it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Authentication {
    pub methods: Methods,
    /// The last full proof, not the last request.
    pub at: Timestamp,
    /// Seconds since then.
    pub age: u64,
}

pub type Methods = BTreeSet<AuthenticationMethod>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationMethod {
    /// WebAuthn with user verification, at Countersign itself.
    Passkey,
    /// An external provider's word that the sign-in was phishing-resistant (`amr` or `acr`, as configured).
    FederatedPhishingResistant,
    /// An external provider's word that there were several factors.
    FederatedMultiFactor,
    /// An external provider, nothing known about how.
    Federated,
    ApiKey,
    /// A short-lived assertion signed by the key in the data directory.
    LocalOperator,
    /// A one-time link, followed.
    Invitation,
}

impl AuthenticationMethod {
    pub const ALL: [Self; 7] = [
        Self::Passkey,
        Self::FederatedPhishingResistant,
        Self::FederatedMultiFactor,
        Self::Federated,
        Self::ApiKey,
        Self::LocalOperator,
        Self::Invitation,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::FederatedPhishingResistant => "federated-phishing-resistant",
            Self::FederatedMultiFactor => "federated-multi-factor",
            Self::Federated => "federated",
            Self::ApiKey => "api-key",
            Self::LocalOperator => "local-operator",
            Self::Invitation => "invitation",
        }
    }

    /// Whether a person who is tricked onto the wrong site still gives nothing away.
    pub const fn phishing_resistant(self) -> bool {
        matches!(self, Self::Passkey | Self::FederatedPhishingResistant)
    }

    pub const fn multi_factor(self) -> bool {
        matches!(self, Self::Passkey | Self::FederatedPhishingResistant | Self::FederatedMultiFactor)
    }
}

impl fmt::Display for AuthenticationMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Authentication {
    pub fn phishing_resistant(&self) -> bool {
        self.methods.iter().any(|method| method.phishing_resistant())
    }

    pub fn multi_factor(&self) -> bool {
        self.methods.iter().any(|method| method.multi_factor())
    }
}

/// The device that proved itself on this very connection, judged at this very moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceCircumstances {
    pub id: DeviceId,
    pub managed: bool,
    pub compliant: bool,
    /// Why it is not compliant, by aspect.
    pub findings: BTreeMap<PostureAspect, Finding>,
    /// Seconds since the oldest posture fact that counted; absent when none did.
    pub posture_age: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkCircumstances {
    pub address: IpAddr,
    pub zones: BTreeSet<ZoneName>,
    /// Whether the client's connection to the enforcement point was encrypted.
    pub encrypted: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimeCircumstances {
    pub now: Timestamp,
    /// 0 to 23, in `zone`.
    pub hour: u8,
    /// 1 (Monday) to 7 (Sunday), in `zone`.
    pub weekday: u8,
    /// IANA name of the organisation's time zone.
    pub zone: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GrantCircumstances {
    pub id: GrantId,
    pub class: ActionClass,
    pub expires: Timestamp,
}

/// Documented deviations that are in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExceptionCircumstances {
    /// Those in force for this subject, resource and class of action.
    pub ids: BTreeSet<ExceptionId>,
    /// The policies that they relax.
    pub relaxes: BTreeSet<PolicyId>,
    /// When the first of them ends.
    pub expires: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HttpCircumstances {
    /// Upper case.
    pub method: String,
    /// Without a port, lower case.
    pub host: String,
    /// Normalized, without the query: a query carries secrets.
    pub path: String,
}
