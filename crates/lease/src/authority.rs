//! What stands behind the gate: the policy administrator, in this process or, later, on another node.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use countersign_ledger::Receipt;
use countersign_model::{
    AccessRequest, CredentialSecret, DecisionId, DeviceEvidence, DeviceId, LeaseId, ResourceId, SessionId, SubjectId,
    Timestamp,
};

use crate::{Catalog, Ended, Refusal, Tether};

pub type AuthorityFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The policy administrator as an enforcement point sees it.
pub trait Authority: Send + Sync + fmt::Debug + 'static {
    /// Decides, records, and only then admits. The tether is enlisted before the decision counts, so that a change
    /// between the two cuts it.
    fn admit(&self, request: AccessRequest, tether: Tether) -> AuthorityFuture<'_, Result<Admission, Refusal>>;

    /// A lease has ended. Never blocks; the record follows.
    fn end(&self, ended: Ended);

    /// The current routing table.
    fn catalog(&self) -> Arc<Catalog>;

    /// Exchanges a one-time hand-off code for a session cookie at one host.
    fn redeem(&self, hand_off: HandOff) -> AuthorityFuture<'_, Result<SessionCookie, HandOffError>>;
}

/// What a signed-in person brings back from the sign-in host.
#[derive(Debug, Clone)]
pub struct HandOff {
    pub code: CredentialSecret,
    /// The value of the browser's own sign-in cookie at this host: whoever brings the code must be who was sent.
    pub nonce: CredentialSecret,
    /// Lower case, without a port.
    pub host: String,
    pub device: DeviceEvidence,
    /// The client's.
    pub address: IpAddr,
}

/// A fresh session cookie for one host.
#[derive(Debug, Clone)]
pub struct SessionCookie {
    pub secret: CredentialSecret,
    pub expires: Timestamp,
    /// Where the person wanted to go: a path and query at the same host, never a URL.
    pub return_to: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandOffError {
    #[error("the hand-off code is unknown, used, expired, or was made for another browser or host")]
    Invalid,
    #[error("the sign-in could not be recorded")]
    Unavailable,
}

/// Permission as the authority gives it. Only a [`crate::Gate`] turns it into a lease, and it takes the ledger's
/// receipt to make one: no record, no access.
#[derive(Debug)]
pub struct Admission {
    pub(crate) lease: LeaseId,
    pub(crate) decision: DecisionId,
    pub(crate) receipt: Receipt,
    pub(crate) principal: Arc<Principal>,
}

impl Admission {
    pub fn new(lease: LeaseId, decision: DecisionId, receipt: Receipt, principal: impl Into<Arc<Principal>>) -> Self {
        Self { lease, decision, receipt, principal: principal.into() }
    }
}

/// Who was admitted to what: what goes upstream in signed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub subject: SubjectId,
    pub display_name: String,
    pub email: Option<String>,
    /// Direct and inherited, sorted.
    pub groups: Vec<String>,
    pub session: Option<SessionId>,
    pub device: Option<DeviceId>,
    pub resource: ResourceId,
}
