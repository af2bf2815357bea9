//! From a proof to a session and back: starting, renewing and ending one. How the proof is made is elsewhere
//! (`passkeys`, `federated`); whether the session may do anything is for the policies.

use std::collections::BTreeMap;

use countersign_identity::secret;
use countersign_lease::SessionCookie;
use countersign_ledger::{ActEntry, EntryBody};
use countersign_model::{CredentialSecret, DeviceId, Methods, SessionId, SubjectId, Timestamp};
use countersign_store::{Change, ProviderSession, SessionRecord};

use crate::accounts::{ActError, Client, SignInError};
use crate::sessions::stored;
use crate::{Actor, Administrator};

/// A person who has just proved who they are.
#[derive(Debug)]
pub struct SignedIn {
    pub session: SessionId,
    pub subject: SubjectId,
    /// For the control host.
    pub cookie: SessionCookie,
}

/// A session as its owner and administrators may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    pub id: SessionId,
    pub subject: SubjectId,
    pub device: Option<DeviceId>,
    pub address: std::net::IpAddr,
    pub methods: Methods,
    pub authenticated: Timestamp,
    pub created: Timestamp,
    pub last_used: Timestamp,
    /// By age or by rest, whichever comes first.
    pub expires: Timestamp,
    /// Where it has a cookie.
    pub hosts: Vec<String>,
}

/// Empty fields mean any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    pub subject: Option<SubjectId>,
    pub device: Option<DeviceId>,
}

/// What a proof was made with.
#[derive(Debug)]
pub(crate) struct SignInProof {
    pub(crate) subject: SubjectId,
    pub(crate) methods: Methods,
    pub(crate) at: Timestamp,
    pub(crate) passkey: Option<String>,
    pub(crate) provider: Option<ProviderSession>,
}

impl Administrator {
    /// A new session. `also` goes into the same transaction: an invitation consumed, a passkey's new counter.
    ///
    /// Crash after the store: a session whose secret nobody knows; it expires. Crash after the record: the same, and
    /// the record of a sign-in that reached nobody.
    pub(crate) async fn start_session(
        &self,
        proof: SignInProof,
        client: &Client,
        method: &str,
        also: Vec<Change>,
    ) -> Result<SignedIn, SignInError> {
        let subject = proof.subject;
        let Ok(device) = self.device_of(&client.device) else {
            return Err(self.refuse_sign_in(Some(&subject), method, "unknown device", client.address).await);
        };
        if !self.may_sign_in(&subject) {
            return Err(self.refuse_sign_in(Some(&subject), method, "disabled", client.address).await);
        }
        let now = self.now();
        let settings = self.settings();
        let (plain, hash) = secret::generate();
        let record = SessionRecord {
            id: SessionId::timed(now, secret::random_u128()),
            subject: subject.clone(),
            device,
            address: client.address,
            methods: proof.methods,
            authenticated: proof.at,
            created: now,
            last_used: now,
            expires: now.plus(settings.session_lifetime),
            passkey: proof.passkey,
            provider: proof.provider,
            secrets: BTreeMap::from([(settings.control_host.clone(), stored(&hash))]),
        };
        let mut changes = also;
        changes.push(Change::PutSession(record.clone()));
        if let Err(error) = self.commit(changes).await {
            return Err(match error {
                countersign_store::StoreError::AlreadyUsed | countersign_store::StoreError::Conflict(_) => {
                    self.refuse_sign_in(Some(&subject), method, error, client.address).await
                }
                _ => SignInError::Unavailable,
            });
        }
        let body = EntryBody::SessionStarted {
            session: record.id,
            subject: subject.clone(),
            device: record.device.clone(),
            methods: record.methods.clone(),
            provider: record.provider.as_ref().map(|provider| provider.issuer.clone()),
            address: Some(client.address),
            expires: record.expires,
        };
        if self.record(body).await.is_err() {
            let _ = self.commit(vec![Change::RemoveSession(record.id)]).await;
            return Err(SignInError::Unavailable);
        }
        let signed_in = self.signed_in(&record, plain);
        self.0.accounts.sessions.put(record);
        // Between the check above and this line the subject or its device may have been taken away, and whoever did it
        // found no session to end.
        if !self.may_sign_in(&subject) || self.live_session(signed_in.session, client).is_none() {
            self.end_session(signed_in.session, "disabled", None).await;
            return Err(SignInError::Refused);
        }
        Ok(signed_in)
    }

    /// The same person has proved again who they are: the facts are renewed and so is the secret of the control host. A
    /// secret of another host goes on proving what it proved before (other tabs stay open), and learns nothing of the
    /// new proof: for that its host has to get a new secret. So whoever holds an old one gains nothing by a step-up.
    pub(crate) async fn renew_session(
        &self,
        session: SessionRecord,
        proof: SignInProof,
        also: Vec<Change>,
    ) -> Result<SignedIn, SignInError> {
        let (plain, hash) = secret::generate();
        let now = self.now();
        let record = SessionRecord {
            methods: proof.methods,
            authenticated: proof.at,
            last_used: now,
            passkey: proof.passkey.or(session.passkey.clone()),
            provider: proof.provider.or(session.provider.clone()),
            secrets: BTreeMap::from([(self.settings().control_host.clone(), stored(&hash))]),
            ..session
        };
        let mut changes = also;
        changes.push(Change::PutSession(record.clone()));
        let act = ActEntry {
            by: record.subject.clone(),
            decision: None,
            verb: "session.step-up".to_owned(),
            target: record.id.to_string(),
            detail: record.methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(" "),
        };
        self.record(EntryBody::Act(act)).await.map_err(|_| SignInError::Unavailable)?;
        self.commit(changes).await.map_err(|_| SignInError::Unavailable)?;
        // A session that was killed meanwhile stays dead.
        if !self.0.accounts.sessions.replace(record.clone()) {
            let _ = self.commit(vec![Change::RemoveSession(record.id)]).await;
            return Err(SignInError::Refused);
        }
        self.session_changed(record.id, None);
        Ok(self.signed_in(&record, plain))
    }

    fn signed_in(&self, record: &SessionRecord, secret: CredentialSecret) -> SignedIn {
        let cookie = SessionCookie { secret, expires: record.expires, return_to: "/".to_owned() };
        SignedIn { session: record.id, subject: record.subject.clone(), cookie }
    }

    /// Ends a session: in memory first, so that nothing passes any more whatever happens to the record. The request that
    /// asks for it is not cut itself: whoever ends their own session has to hear that it is over.
    pub(crate) async fn end_session(&self, id: SessionId, cause: &str, by: Option<&Actor>) -> bool {
        let Some(session) = self.0.accounts.sessions.remove(id) else { return false };
        self.session_changed(id, by.and_then(|actor| actor.decision));
        if let Err(error) = self.commit(vec![Change::RemoveSession(id)]).await {
            tracing::error!(%error, session = %id, "an ended session is still in the store");
        }
        let by = by.map(|actor| actor.subject.clone());
        let body = EntryBody::SessionEnded { session: id, subject: session.subject, cause: cause.to_owned(), by };
        if self.record(body).await.is_err() {
            tracing::error!(session = %id, "the end of a session could not be recorded");
        }
        true
    }

    /// Ends every session for which `wanted` holds, and tells how many that were.
    pub(crate) async fn end_sessions(
        &self,
        wanted: impl Fn(&SessionRecord) -> bool,
        cause: &str,
        by: Option<&Actor>,
    ) -> usize {
        let mut ended = 0;
        for session in self.0.accounts.sessions.sessions(wanted) {
            ended += usize::from(self.end_session(session.id, cause, by).await);
        }
        ended
    }

    /// The person leaves. Signing out twice is no error.
    pub async fn sign_out(&self, session: SessionId, actor: &Actor) {
        self.end_session(session, "sign-out", Some(actor)).await;
    }

    /// Somebody else's session, or one's own on another device.
    pub async fn kill_session(&self, session: SessionId, actor: &Actor) -> Result<(), ActError> {
        if self.0.accounts.sessions.session(session).is_none() {
            return Err(ActError::NotFound(format!("session {session}")));
        }
        // Taking away does not wait for the record.
        self.end_session(session, "killed", Some(actor)).await;
        self.record_act(actor, "session.kill", session, "").await
    }

    /// Newest first.
    pub fn sessions(&self, filter: &SessionFilter) -> Vec<SessionView> {
        let wanted = |session: &SessionRecord| {
            filter.subject.as_ref().is_none_or(|subject| *subject == session.subject)
                && filter.device.as_ref().is_none_or(|device| Some(device) == session.device.as_ref())
        };
        self.0.accounts.sessions.sessions(wanted).into_iter().filter_map(|session| self.view_of(session)).collect()
    }

    /// Whether the cookie that the session has at `host` is from before its last step-up, and so proves less than it.
    pub fn outdated_at(&self, session: SessionId, host: &str) -> bool {
        self.0.accounts.sessions.outdated_at(session, host)
    }

    /// One live session, without looking at the others.
    pub fn session(&self, id: SessionId) -> Option<SessionView> {
        self.view_of(self.0.accounts.sessions.session(id)?)
    }

    /// Nothing, where it is over.
    fn view_of(&self, session: SessionRecord) -> Option<SessionView> {
        let expires = session.expires.min(session.last_used.plus(self.settings().session_idle));
        (self.now() < expires).then(|| SessionView {
            id: session.id,
            subject: session.subject,
            device: session.device,
            address: session.address,
            methods: session.methods,
            authenticated: session.authenticated,
            created: session.created,
            last_used: session.last_used,
            expires,
            hosts: self.0.accounts.sessions.hosts(session.id),
        })
    }
}
