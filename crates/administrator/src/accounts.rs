//! What sign-in, keys, devices and the inventory share: their state, who a caller is, how an act is recorded, and the
//! two ways it can fail. What each does is in its own file.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_device::Authority as DeviceAuthority;
use countersign_identity::assertion::PublicKey;
use countersign_identity::oidc::{HttpClient, ProviderSettings};
use countersign_identity::passkey::Passkeys;
use countersign_lease::Arrival;
use countersign_ledger::{ActEntry, EntryBody};
use countersign_model::{
    CredentialSecret, DecisionId, DeviceEvidence, DeviceId, DeviceState, GroupId, SessionId, SubjectId, SubjectState,
    Timestamp,
};
use countersign_store::{Change, SessionRecord, Store, StoreError};

use crate::federated::Providers;
use crate::hand_off::HandOffCode;
use crate::one_time::OneTime;
use crate::passkeys::PasskeyCeremony;
use crate::refusals::Refusals;
use crate::sessions::{OperatorAccess, Sessions};
use crate::{Actor, Administrator, SignalError};

/// How long a person may take in front of their authenticator.
const CEREMONY: Duration = Duration::from_secs(5 * 60);
const HAND_OFF: Duration = Duration::from_secs(60);

/// What sign-in, keys and devices need. Whatever is absent is refused, not skipped.
#[derive(Debug, Default)]
pub struct AccountParts {
    pub passkeys: Option<Passkeys>,
    /// The key in the data directory that the command line of this machine signs with.
    pub operator: Option<PublicKey>,
    /// The control host's origins, without and with TLS: what an operator assertion may be addressed to.
    pub origins: Vec<String>,
    pub device_authority: Option<Arc<DeviceAuthority>>,
    pub providers: Vec<ProviderParts>,
}

/// One external provider. It is discovered when it is first needed, so that its absence stops nothing else.
#[derive(Debug)]
pub struct ProviderParts {
    /// In addresses and on the sign-in page.
    pub name: String,
    pub settings: ProviderSettings,
    pub provision: Provision,
    pub http: HttpClient,
}

/// Whom an external provider may sign in that was not linked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provision {
    /// Nobody.
    LinkedOnly,
    /// Whoever's address it has verified, in one of these domains (lower case). A subject of that address is linked when
    /// it has no other way in; where there is none, one is made, with these groups.
    VerifiedEmail { domains: Vec<String>, groups: Vec<GroupId> },
}

#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) sessions: Sessions,
    pub(crate) passkeys: Option<Passkeys>,
    pub(crate) ceremonies: OneTime<PasskeyCeremony>,
    pub(crate) hand_offs: OneTime<HandOffCode>,
    pub(crate) providers: Providers,
    pub(crate) device_authority: Option<Arc<DeviceAuthority>>,
    pub(crate) refusals: Refusals,
    /// Of whom nobody knows: their refused requests.
    pub(crate) strangers: Refusals,
    /// Changes of the inventory check first and act then; they take turns, so that what was checked still holds.
    pub(crate) acting: tokio::sync::Mutex<()>,
}

impl Accounts {
    pub(crate) fn load(parts: AccountParts, store: &dyn Store, now: Timestamp) -> Result<Self, StoreError> {
        let operator = parts.operator.map(|key| OperatorAccess { key, origins: parts.origins });
        Ok(Self {
            sessions: Sessions::load(store, operator, now)?,
            passkeys: parts.passkeys,
            ceremonies: OneTime::new(CEREMONY),
            hand_offs: OneTime::new(HAND_OFF),
            providers: Providers::new(parts.providers),
            device_authority: parts.device_authority,
            refusals: Refusals::default(),
            strangers: Refusals::default(),
            acting: tokio::sync::Mutex::new(()),
        })
    }
}

/// Where somebody who is signing in sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub device: DeviceEvidence,
    pub address: IpAddr,
    /// Of the request that this is about, where it came through a gateway.
    pub decision: Option<DecisionId>,
}

impl From<&Arrival> for Client {
    fn from(arrival: &Arrival) -> Self {
        Self { device: arrival.device.clone(), address: arrival.address, decision: Some(arrival.decision) }
    }
}

/// A secret for a link or a command line, shown once: what is kept is its hash.
#[derive(Debug)]
pub struct OneTimeLink {
    pub secret: CredentialSecret,
    pub expires: Timestamp,
}

/// Why somebody was not signed in. What exactly was wrong is in the ledger: from outside it is all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    #[error("that did not work: begin again")]
    Refused,
    /// The person has to prove who they are again before this.
    #[error("prove who you are again first")]
    StepUpNeeded,
    #[error("sign-in is not available now")]
    Unavailable,
}

/// Why an administrative act was not done. For the eyes of whoever may act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    #[error("{0}")]
    Refused(String),
    #[error("there is no {0}")]
    NotFound(String),
    #[error(
        "this would leave nobody in the group owners, and nobody who could undo it: put somebody else into owners first"
    )]
    LastOwner,
    #[error("{0} comes from the configuration: remove it there")]
    Configured(String),
    #[error("the act could not be recorded or stored, and was not done")]
    Unavailable,
}

impl From<StoreError> for ActError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(_) => Self::Refused("it refers to something that does not exist".to_owned()),
            StoreError::Conflict(_) => Self::Refused("it collides with something that exists".to_owned()),
            other => {
                tracing::error!(error = %other, "the store refused a change");
                Self::Unavailable
            }
        }
    }
}

impl From<SignalError> for ActError {
    fn from(error: SignalError) -> Self {
        match error {
            SignalError::Refused(error) => Self::Refused(error.to_string()),
            SignalError::Store(error) => error.into(),
            SignalError::Record(_) | SignalError::Stopping => Self::Unavailable,
        }
    }
}

impl Administrator {
    /// Runs `work` on the store off the runtime's threads.
    pub(crate) async fn stored<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.0.store);
        let done = tokio::task::spawn_blocking(move || work(&*store)).await;
        done.unwrap_or_else(|_| Err(StoreError::Unavailable("the store's thread stopped".to_owned())))
    }

    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.stored(move |store| store.commit(&changes)).await
    }

    /// Records an act before it is done: no record, no act. A crash in between leaves the record of an act that was
    /// attempted, never an act without one. Public for acts on what is kept elsewhere, such as the estate.
    pub async fn record_act(
        &self,
        actor: &Actor,
        verb: &str,
        target: impl fmt::Display,
        detail: impl Into<String>,
    ) -> Result<(), ActError> {
        self.record_act_at(actor, verb, target, detail).await.map(drop)
    }

    /// The same, and says at which index of the ledger it stands.
    pub async fn record_act_at(
        &self,
        actor: &Actor,
        verb: &str,
        target: impl fmt::Display,
        detail: impl Into<String>,
    ) -> Result<u64, ActError> {
        let act = ActEntry {
            by: actor.subject.clone(),
            decision: actor.decision,
            verb: verb.to_owned(),
            target: target.to_string(),
            detail: detail.into(),
        };
        let receipt = self.record(EntryBody::Act(act)).await.map_err(|_| ActError::Unavailable)?;
        Ok(receipt.index())
    }

    /// Records why somebody was turned away, unless there are too many of them ([`Refusals`]). Failing to record changes
    /// nothing: they stay out.
    pub(crate) async fn refuse_sign_in(
        &self,
        subject: Option<&SubjectId>,
        method: &str,
        cause: impl fmt::Display,
        address: impl Into<Option<IpAddr>>,
    ) -> SignInError {
        let address = address.into();
        if !self.0.accounts.refusals.records(address, self.now()) {
            return SignInError::Refused;
        }
        let (subject, method, cause) = (subject.cloned(), method.to_owned(), cause.to_string());
        let body = EntryBody::SignInRefused { subject, method, cause, address };
        match self.record(body).await {
            Ok(_) => SignInError::Refused,
            Err(_) => SignInError::Unavailable,
        }
    }

    /// The device that a connection proved; an error when it proved one that does not count.
    pub(crate) fn device_of(&self, evidence: &DeviceEvidence) -> Result<Option<DeviceId>, UnknownDevice> {
        let DeviceEvidence::Certificate { fingerprint } = evidence else { return Ok(None) };
        let device = self.device_by_certificate(fingerprint).and_then(|id| self.device(&id)).ok_or(UnknownDevice)?;
        let counts = device.state == DeviceState::Active
            && device.certificate == *fingerprint
            && self.now() < device.certificate_expires;
        if counts { Ok(Some(device.id)) } else { Err(UnknownDevice) }
    }

    /// A session that counts now, for this very client.
    pub(crate) fn live_session(&self, id: SessionId, client: &Client) -> Option<SessionRecord> {
        let device = self.device_of(&client.device).ok()?;
        let session = self.0.accounts.sessions.session(id)?;
        let expires = session.expires.min(session.last_used.plus(self.settings().session_idle));
        (session.device == device && self.now() < expires && self.may_sign_in(&session.subject)).then_some(session)
    }

    pub(crate) fn may_sign_in(&self, subject: &SubjectId) -> bool {
        self.subject(subject).is_some_and(|subject| subject.state == SubjectState::Active)
    }

    /// What has to happen now and then: what was last used reaches the store, what has expired goes.
    pub(crate) async fn housekeep_accounts(&self) {
        let now = self.now();
        let accounts = &self.0.accounts;
        accounts.ceremonies.forget_expired(now);
        accounts.hand_offs.forget_expired(now);
        accounts.providers.forget_expired(now);
        self.record_summary_of_refusals();
        for session in accounts.sessions.expired(self.settings().session_idle, now) {
            self.end_session(session, "expired", None).await;
        }
        let mut changes = accounts.sessions.take_changes();
        changes.push(Change::Forget { before: now });
        if let Err(error) = self.commit(changes).await {
            tracing::error!(%error, "what was last used could not be stored");
        }
    }
}

/// A certificate that chains to the device authority, of a device that is revoked, unknown or has a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device certificate does not count")]
pub(crate) struct UnknownDevice;

#[cfg(test)]
mod tests;
