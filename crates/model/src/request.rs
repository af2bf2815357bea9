//! What an enforcement point saw. It carries evidence, not conclusions: who this is, is for the administrator to say.

use std::fmt;
use std::net::IpAddr;

use crate::{Action, ResourceId, SubjectId};

#[derive(Debug, Clone)]
pub struct AccessRequest {
    pub point: EnforcementPoint,
    pub credential: Credential,
    pub device: DeviceEvidence,
    pub action: Action,
    /// `None` where no route covers the request: recorded and refused like any other.
    pub resource: Option<ResourceId>,
    /// The client's address, after trusted proxies.
    pub address: IpAddr,
    pub encrypted: bool,
    pub http: Option<HttpRequestFacts>,
}

/// Where a request is enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnforcementPoint {
    /// The node's name.
    pub node: String,
    /// `http/1.1`, `http/2`, `websocket`, `grpc`; where somebody else enforces, how they ask: `forward-auth`,
    /// `ext-authz`, `authzen`.
    pub channel: &'static str,
    /// Who enforces what this node only decides. `None` where the node does it itself, or asks nobody who they are.
    pub caller: Option<SubjectId>,
}

/// What the client sent to prove who it is. Never logged: see the `Debug` of [`CredentialSecret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    Absent,
    /// A session cookie, as received at `host` (lower case, without a port). A cookie counts at its own host only.
    SessionCookie {
        secret: CredentialSecret,
        host: String,
    },
    /// `Authorization: Bearer …`: an API key or an assertion.
    Bearer(CredentialSecret),
    /// More than one credential, or one that cannot be read.
    Ambiguous,
}

/// A secret on its way to the one place that checks it.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialSecret(String);

impl CredentialSecret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Named so that a reader stops here.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CredentialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialSecret(…)")
    }
}

/// What the transport proved about the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvidence {
    Absent,
    /// A client certificate that chains to the device CA, proven in this connection's TLS handshake: SHA-256 of its
    /// DER in lower-case hex.
    Certificate {
        fingerprint: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequestFacts {
    /// Upper case.
    pub method: String,
    /// Lower case, without a port.
    pub host: String,
    /// Normalized, without the query.
    pub path: String,
}
