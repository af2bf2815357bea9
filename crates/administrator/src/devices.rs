//! Devices: enrolment with a one-time token, the certificate and its renewal, signed posture reports, and what an
//! administrator does to them. Whether a posture is good enough is for the policies.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use countersign_device::report::{self, WINDOW};
use countersign_identity::secret;
use countersign_model::{
    CredentialSecret, Device, DeviceEvidence, DeviceId, DeviceState, Fact, Posture, SignalKind, Source, SubjectId,
    SubjectKind, Timestamp,
};
use countersign_store::{Change, StoreError, TokenPurpose};

use crate::accounts::{ActError, Client, OneTimeLink, SignInError};
use crate::invitations::token;
use crate::sessions::stored;
use crate::{Actor, Administrator};

/// A certificate renews itself long before; a device that was off for longer enrols again.
const CERTIFICATE: Duration = Duration::from_secs(30 * 24 * 3600);
const LONGEST_TOKEN: Duration = Duration::from_secs(7 * 24 * 3600);

/// As a method in the record.
const POSTURE: &str = "posture-report";

/// What a device gets back for its certificate request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledDevice {
    pub device: DeviceId,
    pub certificate_pem: String,
    /// The authority's, to know the listener by.
    pub authority_pem: String,
    pub expires: Timestamp,
}

/// Why a device was not served. What exactly was wrong stays inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("the token, certificate or report does not count: enrol the device again")]
    Refused,
    #[error("the certificate request cannot be used")]
    Request,
    #[error("devices are not served now")]
    Unavailable,
}

impl From<ActError> for DeviceError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Refused(_) | ActError::NotFound(_) | ActError::LastOwner | ActError::Configured(_) => {
                Self::Refused
            }
            ActError::Unavailable => Self::Unavailable,
        }
    }
}

impl Administrator {
    /// A token with which one device is enrolled as `device`, for `owner`.
    pub async fn invite_device(
        &self,
        owner: &SubjectId,
        device: &DeviceId,
        lifetime: Duration,
        actor: &Actor,
    ) -> Result<OneTimeLink, ActError> {
        if lifetime.is_zero() || lifetime > LONGEST_TOKEN {
            return Err(ActError::Refused("a device token lasts at most seven days".to_owned()));
        }
        if owner.kind() == SubjectKind::Anonymous || !self.may_sign_in(owner) {
            return Err(ActError::NotFound(format!("active {owner}")));
        }
        if self.device(device).is_some_and(|existing| existing.owner != *owner) {
            return Err(ActError::Refused(format!("device {device} belongs to somebody else")));
        }
        let purpose = TokenPurpose::DeviceEnrolment { owner: owner.clone(), device: device.clone() };
        let (record, link) = token(purpose, &actor.subject, lifetime, self.now());
        self.record_act(actor, "device.invite", device, format!("for {owner}, until {}", link.expires)).await?;
        self.commit(vec![Change::PutToken(record)]).await?;
        Ok(link)
    }

    /// The device's first certificate, or its first after it lost its key. It starts unmanaged and with no posture:
    /// in quarantine.
    ///
    /// Crash after the token is consumed: no certificate, and somebody has to invite the device again.
    pub async fn enroll_device(
        &self,
        token: &CredentialSecret,
        csr_pem: &str,
        client: &Client,
    ) -> Result<EnrolledDevice, DeviceError> {
        let now = self.now();
        let hash = stored(&secret::hash(token.expose()));
        let found = self.stored(move |store| store.token(&hash, now)).await.map_err(|_| DeviceError::Unavailable)?;
        let Some(TokenPurpose::DeviceEnrolment { owner, device: id }) = found.map(|token| token.purpose) else {
            let cause = "unknown, used or expired token";
            return Err(self.refuse_device(None, "device-enrolment", cause, client.address).await);
        };
        let existing = self.device(&id);
        if !self.may_sign_in(&owner) || existing.as_ref().is_some_and(|existing| existing.owner != owner) {
            let cause = format!("device {id}: not its owner any more");
            return Err(self.refuse_device(Some(&owner), "device-enrolment", cause, client.address).await);
        }
        let enrolled = self.certify(&id, csr_pem)?;
        let actor = Actor { subject: owner.clone(), decision: client.decision };
        self.record_act(&actor, "device.enroll", &id, enrolled.1.clone()).await?;
        match self.commit(vec![Change::ConsumeToken { hash, now }]).await {
            Ok(()) => {}
            Err(error @ StoreError::AlreadyUsed) => {
                return Err(self.refuse_device(Some(&owner), "device-enrolment", error, client.address).await);
            }
            Err(_) => return Err(DeviceError::Unavailable),
        }
        // Whatever was signed in from the device under its former key was not this key.
        self.end_sessions(|session| session.device.as_ref() == Some(&id), "device enrolled again", None).await;
        let device = Device {
            display_name: id.to_string(),
            id,
            owner,
            managed: false,
            state: DeviceState::Active,
            certificate: enrolled.1,
            certificate_expires: enrolled.0.expires,
            enrolled: now,
            posture: Posture::new(),
        };
        self.signal(SignalKind::DevicePut { device }, Source::Enrolment, &actor).await?;
        Ok(enrolled.0)
    }

    /// A new certificate for a device that has proved with its current one, on this connection, that it is that device.
    pub async fn renew_device(&self, client: &Client, csr_pem: &str) -> Result<EnrolledDevice, DeviceError> {
        let device = self.proven_device(client, "device-renewal").await?;
        let id = device.id.clone();
        if !self.may_sign_in(&device.owner) {
            let cause = format!("device {id}: its owner is disabled or gone");
            return Err(self.refuse_device(Some(&device.owner), "device-renewal", cause, client.address).await);
        }
        let (enrolled, fingerprint) = self.certify(&id, csr_pem)?;
        // The answer goes out on the connection that the former certificate proved.
        let actor = Actor { subject: device.owner.clone(), decision: client.decision };
        self.record_act(&actor, "device.renew", &id, fingerprint.clone()).await?;
        let device = Device { certificate: fingerprint, certificate_expires: enrolled.expires, ..device };
        self.signal(SignalKind::DevicePut { device }, Source::Enrolment, &actor).await?;
        Ok(enrolled)
    }

    /// The device that `evidence` proves; that it proves none is recorded.
    async fn proven_device(&self, client: &Client, method: &str) -> Result<Device, DeviceError> {
        let device = self.device_of(&client.device).ok().flatten().and_then(|id| self.device(&id));
        let Some(device) = device else {
            // The certificate may be one that counted before: then it is known whose.
            let former = match &client.device {
                DeviceEvidence::Certificate { fingerprint } => self.device_by_certificate(fingerprint),
                DeviceEvidence::Absent => None,
            };
            let owner = former.and_then(|id| self.device(&id)).map(|device| device.owner);
            let cause = "the certificate does not count";
            return Err(self.refuse_device(owner.as_ref(), method, cause, client.address).await);
        };
        Ok(device)
    }

    async fn refuse_device(
        &self,
        owner: Option<&SubjectId>,
        method: &str,
        cause: impl fmt::Display,
        address: IpAddr,
    ) -> DeviceError {
        match self.refuse_sign_in(owner, method, cause, address).await {
            SignInError::Unavailable => DeviceError::Unavailable,
            SignInError::Refused | SignInError::StepUpNeeded => DeviceError::Refused,
        }
    }

    fn certify(&self, device: &DeviceId, csr_pem: &str) -> Result<(EnrolledDevice, String), DeviceError> {
        let authority = self.0.accounts.device_authority.as_ref().ok_or(DeviceError::Unavailable)?;
        let issued = authority.sign_request(csr_pem, device, CERTIFICATE, self.now());
        let issued = issued.map_err(|_| DeviceError::Request)?;
        let enrolled = EnrolledDevice {
            device: device.clone(),
            certificate_pem: issued.pem,
            authority_pem: authority.certificate_pem().to_owned(),
            expires: issued.expires,
        };
        Ok((enrolled, issued.fingerprint))
    }

    /// A report signed by the device's current key, from wherever it came: it names its certificate itself, so it may
    /// come by any way.
    pub async fn report_posture(&self, signed: &str, address: IpAddr) -> Result<DeviceId, DeviceError> {
        let now = self.now();
        let fingerprint = match report::claimed_fingerprint(signed) {
            Ok(fingerprint) => fingerprint,
            Err(error) => return Err(self.refuse_device(None, POSTURE, error, address).await),
        };
        let device = DeviceEvidence::Certificate { fingerprint: fingerprint.clone() };
        let device = self.proven_device(&Client { device, address, decision: None }, POSTURE).await?;
        let id = device.id.clone();
        let refuse = |cause: String| {
            let owner = device.owner.clone();
            let cause = format!("device {id}: {cause}");
            async move { self.refuse_device(Some(&owner), POSTURE, cause, address).await }
        };
        let report = match report::verify_by_fingerprint(signed, &fingerprint, now) {
            Ok(report) => report,
            Err(error) => return Err(refuse(error.to_string()).await),
        };
        // An older report that was held back must not undo a newer one.
        let newest = device.posture.values().filter(|fact| fact.source == Source::DeviceReport);
        let newest = newest.map(|fact| fact.observed).max();
        if report.device != id {
            return Err(refuse("the report is about another".to_owned()).await);
        }
        if newest.is_some_and(|newest| report.issued.min(now) < newest) {
            return Err(refuse("the report is older than one before".to_owned()).await);
        }
        let once = Change::UseOnce {
            purpose: "posture-report",
            id: format!("{id} {}", report.id),
            expires: report.issued.plus(WINDOW).plus(WINDOW),
        };
        match self.commit(vec![once]).await {
            Ok(()) => {}
            Err(error @ StoreError::AlreadyUsed) => return Err(refuse(error.to_string()).await),
            Err(_) => return Err(DeviceError::Unavailable),
        }
        let max_age = self.settings().posture.max_age;
        // A device whose clock is a little ahead does not report from the future.
        let observed = report.issued.min(now);
        let fact = |value| Fact { value, source: Source::DeviceReport, observed, max_age };
        let facts = report.facts.into_iter().map(|(aspect, value)| (aspect, fact(value))).collect();
        let actor = Actor { subject: device.owner, decision: None };
        let kind = SignalKind::PostureReported { device: id.clone(), facts };
        self.signal(kind, Source::DeviceReport, &actor).await?;
        Ok(id)
    }

    pub async fn set_managed(&self, id: &DeviceId, managed: bool, actor: &Actor) -> Result<(), ActError> {
        self.device(id).ok_or_else(|| ActError::NotFound(format!("device {id}")))?;
        let verb = if managed { "device.manage" } else { "device.unmanage" };
        self.record_act(actor, verb, id, "").await?;
        self.signal(SignalKind::DeviceManaged { id: id.clone(), managed }, Source::Administrator, actor).await
    }

    /// Lost, sold, stolen: its certificate and the sessions made from it prove nothing any more.
    pub async fn revoke_device(&self, id: &DeviceId, actor: &Actor) -> Result<(), ActError> {
        self.device(id).ok_or_else(|| ActError::NotFound(format!("device {id}")))?;
        self.record_act(actor, "device.revoke", id, "").await?;
        let kind = SignalKind::DeviceState { id: id.clone(), state: DeviceState::Revoked };
        self.signal(kind, Source::Administrator, actor).await?;
        let from_it = |session: &countersign_store::SessionRecord| session.device.as_ref() == Some(id);
        self.end_sessions(from_it, "device revoked", Some(actor)).await;
        Ok(())
    }
}
