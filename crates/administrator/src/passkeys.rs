//! Passkey ceremonies: enrolment by invitation, sign-in, step-up, and the passkeys that a person has. The cryptography
//! is `identity`'s; here is what a ceremony is for, who may finish it, and that it happens once.

use countersign_identity::passkey::{AuthenticationState, Passkey, Passkeys, RegistrationState, Uuid, Verified};
use countersign_identity::secret;
use countersign_model::{
    AuthenticationMethod, CredentialSecret, Methods, Name, SessionId, Subject, SubjectId, SubjectKind, Timestamp,
};
use countersign_store::{Change, Hash, PasskeyRecord, StoreError, TokenPurpose};
use serde_json::Value;

use crate::accounts::{ActError, Client, SignInError};
use crate::sessions::stored;
use crate::sign_in::{SignInProof, SignedIn};
use crate::{Actor, Administrator};

/// A person who adds a passkey has proved who they are at most this long ago: a stolen session must not become a key.
const FRESH: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Nobody needs more; each is sent to the browser at every registration.
const MOST_PASSKEYS: usize = 20;

/// A ceremony that has begun: `options` go to the browser's authenticator, `id` comes back with its answer, once.
#[derive(Debug)]
pub struct Ceremony {
    pub id: CredentialSecret,
    /// For `navigator.credentials`.
    pub options: Value,
    /// Whose it is, where that is known.
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyView {
    pub credential: String,
    pub name: String,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// What a ceremony is for, with what is needed to finish it.
#[derive(Debug)]
pub(crate) enum PasskeyCeremony {
    Enrol { invitation: Hash, subject: SubjectId, handle: u128, state: Box<RegistrationState> },
    Add { session: SessionId, subject: SubjectId, handle: u128, state: Box<RegistrationState> },
    SignIn { state: Box<AuthenticationState> },
    StepUp { session: SessionId, state: Box<AuthenticationState> },
}

impl From<PasskeyRecord> for PasskeyView {
    fn from(record: PasskeyRecord) -> Self {
        let PasskeyRecord { credential, name, created, last_used, .. } = record;
        Self { credential, name, created, last_used }
    }
}

/// What somebody calls their passkey, made printable.
fn passkey_name(name: &str) -> String {
    let short: String = name.trim().chars().take(64).collect();
    Name::new(short).map_or_else(|_| "Passkey".to_owned(), String::from)
}

fn readable(records: &[PasskeyRecord]) -> Result<Vec<Passkey>, SignInError> {
    let read = |record: &PasskeyRecord| serde_json::from_str(&record.public_key);
    records.iter().map(read).collect::<Result<_, _>>().map_err(|error| {
        tracing::error!(%error, "a stored passkey cannot be read");
        SignInError::Unavailable
    })
}

impl Administrator {
    fn passkey_host(&self) -> Result<&Passkeys, SignInError> {
        self.0.accounts.passkeys.as_ref().ok_or(SignInError::Unavailable)
    }

    fn keep(&self, ceremony: PasskeyCeremony, options: Value, whose: Option<String>, client: &Client) -> Ceremony {
        let id = self.0.accounts.ceremonies.put(ceremony, client.address, self.now());
        Ceremony { id, options, display_name: whose }
    }

    async fn passkey_records(&self, subject: &SubjectId) -> Result<Vec<PasskeyRecord>, SignInError> {
        let subject = subject.clone();
        let records = self.stored(move |store| store.passkeys_of(&subject)).await;
        records.map_err(|_| SignInError::Unavailable)
    }

    /// The number that authenticators know this person by, and the options to make one more passkey.
    async fn begin_registration(
        &self,
        subject: &Subject,
    ) -> Result<(u128, Value, Box<RegistrationState>), SignInError> {
        let records = self.passkey_records(&subject.id).await?;
        if records.len() >= MOST_PASSKEYS {
            return Err(SignInError::Refused);
        }
        let existing = readable(&records)?;
        let handle = records.first().map_or_else(secret::random_u128, |record| record.user_handle);
        let begun = self.passkey_host()?.begin_registration(
            Uuid::from_u128(handle),
            subject.id.name(),
            &subject.display_name,
            &existing,
        );
        let (options, state) = begun.map_err(|_| SignInError::Unavailable)?;
        Ok((handle, options, Box::new(state)))
    }

    fn registered(&self, passkey: &Passkey, subject: &SubjectId, handle: u128, name: &str) -> Option<PasskeyRecord> {
        Some(PasskeyRecord {
            credential: passkey.id(),
            subject: subject.clone(),
            user_handle: handle,
            name: passkey_name(name),
            public_key: serde_json::to_string(passkey).ok()?,
            created: self.now(),
            last_used: None,
        })
    }

    /// Follows an invitation. It stays usable until somebody finishes: a closed browser costs nothing.
    pub async fn begin_enrolment(
        &self,
        invitation: &CredentialSecret,
        client: &Client,
    ) -> Result<Ceremony, SignInError> {
        let refuse = |cause: &'static str| self.refuse_sign_in(None, "invitation", cause, client.address);
        let hash = stored(&secret::hash(invitation.expose()));
        let now = self.now();
        let token = self.stored(move |store| store.token(&hash, now)).await.map_err(|_| SignInError::Unavailable)?;
        let Some(TokenPurpose::Invitation { subject }) = token.map(|token| token.purpose) else {
            return Err(refuse("unknown, used or expired").await);
        };
        let Some(subject) = self.subject(&subject).filter(|subject| self.may_sign_in(&subject.id)) else {
            return Err(refuse("disabled").await);
        };
        let (handle, options, state) = self.begin_registration(&subject).await?;
        let ceremony = PasskeyCeremony::Enrol { invitation: hash, subject: subject.id, handle, state };
        Ok(self.keep(ceremony, options, Some(subject.display_name), client))
    }

    /// The passkey is made: the invitation is used up, the passkey kept and the person signed in, in one transaction.
    pub async fn finish_enrolment(
        &self,
        ceremony: &CredentialSecret,
        response: &Value,
        name: &str,
        client: &Client,
    ) -> Result<SignedIn, SignInError> {
        let refuse = |subject: Option<SubjectId>, cause: String| async move {
            self.refuse_sign_in(subject.as_ref(), "invitation", cause, client.address).await
        };
        let begun = self.0.accounts.ceremonies.take(ceremony, self.now());
        let Some(PasskeyCeremony::Enrol { invitation, subject, handle, state }) = begun else {
            return Err(refuse(None, "unknown, used or expired ceremony".to_owned()).await);
        };
        let passkey = match self.passkey_host()?.finish_registration(response, *state) {
            Ok(passkey) => passkey,
            Err(error) => return Err(refuse(Some(subject), error.to_string()).await),
        };
        if self.known(&passkey.id()).await? {
            return Err(refuse(Some(subject), "the passkey is registered already".to_owned()).await);
        }
        let record = self.registered(&passkey, &subject, handle, name).ok_or(SignInError::Unavailable)?;
        let now = self.now();
        let proof = SignInProof {
            subject,
            methods: Methods::from([AuthenticationMethod::Passkey, AuthenticationMethod::Invitation]),
            at: now,
            passkey: Some(record.credential.clone()),
            provider: None,
        };
        let also = vec![Change::ConsumeToken { hash: invitation, now }, Change::PutPasskey(record)];
        self.start_session(proof, client, "invitation", also).await
    }

    /// A credential id belongs to one person for ever: registering it again could move it.
    async fn known(&self, credential: &str) -> Result<bool, SignInError> {
        let credential = credential.to_owned();
        let found = self.stored(move |store| store.passkey(&credential)).await;
        found.map(|found| found.is_some()).map_err(|_| SignInError::Unavailable)
    }

    /// For whoever has a passkey. No name is asked for, so there is none to try.
    pub async fn begin_sign_in(&self, client: &Client) -> Result<Ceremony, SignInError> {
        let (options, state) = self.passkey_host()?.begin_sign_in().map_err(|_| SignInError::Unavailable)?;
        Ok(self.keep(PasskeyCeremony::SignIn { state: Box::new(state) }, options, None, client))
    }

    pub async fn finish_sign_in(
        &self,
        ceremony: &CredentialSecret,
        response: &Value,
        client: &Client,
    ) -> Result<SignedIn, SignInError> {
        let Some(PasskeyCeremony::SignIn { state }) = self.0.accounts.ceremonies.take(ceremony, self.now()) else {
            let cause = "unknown, used or expired ceremony";
            return Err(self.refuse_sign_in(None, "passkey", cause, client.address).await);
        };
        let (proof, also) = self.prove(*state, response, client).await?;
        self.start_session(proof, client, "passkey", also).await
    }

    /// The person of a session proves again who they are.
    pub async fn begin_step_up(&self, session: SessionId, client: &Client) -> Result<Ceremony, SignInError> {
        let session = self.live_session(session, client).ok_or(SignInError::Refused)?;
        let records = self.passkey_records(&session.subject).await?;
        let Some(handle) = records.first().map(|record| Uuid::from_u128(record.user_handle)) else {
            return Err(SignInError::Refused);
        };
        let begun = self.passkey_host()?.begin_step_up(handle, &readable(&records)?);
        let (options, state) = begun.map_err(|_| SignInError::Unavailable)?;
        let whose = self.subject(&session.subject).map(|subject| subject.display_name);
        let ceremony = PasskeyCeremony::StepUp { session: session.id, state: Box::new(state) };
        Ok(self.keep(ceremony, options, whose, client))
    }

    pub async fn finish_step_up(
        &self,
        session: SessionId,
        ceremony: &CredentialSecret,
        response: &Value,
        client: &Client,
    ) -> Result<SignedIn, SignInError> {
        let begun = self.0.accounts.ceremonies.take(ceremony, self.now());
        let state = match begun {
            Some(PasskeyCeremony::StepUp { session: of, state }) if of == session => state,
            _ => return Err(self.refuse_sign_in(None, "step-up", "wrong or expired ceremony", client.address).await),
        };
        let session = self.live_session(session, client).ok_or(SignInError::Refused)?;
        let (proof, also) = self.prove(*state, response, client).await?;
        if proof.subject != session.subject {
            let cause = "somebody else's passkey";
            return Err(self.refuse_sign_in(Some(&session.subject), "step-up", cause, client.address).await);
        }
        self.renew_session(session, proof, also).await
    }

    /// Verifies an answer against what the store holds of that passkey now. The changes are the passkey's new counter.
    async fn prove(
        &self,
        state: AuthenticationState,
        response: &Value,
        client: &Client,
    ) -> Result<(SignInProof, Vec<Change>), SignInError> {
        let refuse = |subject: Option<SubjectId>, cause: String| async move {
            self.refuse_sign_in(subject.as_ref(), "passkey", cause, client.address).await
        };
        let host = self.passkey_host()?;
        let claimed = match host.identify(response) {
            Ok(claimed) => claimed,
            Err(error) => return Err(refuse(None, error.to_string()).await),
        };
        let credential = claimed.credential.clone();
        let record = self.stored(move |store| store.passkey(&credential)).await;
        let record = record.map_err(|_| SignInError::Unavailable)?;
        let Some(record) = record.filter(|record| Uuid::from_u128(record.user_handle) == claimed.user) else {
            return Err(refuse(None, "unknown passkey".to_owned()).await);
        };
        let known = readable(std::slice::from_ref(&record))?;
        let verified = match host.finish_authentication(response, state, claimed.user, &known) {
            Ok(verified) => verified,
            Err(error) => return Err(refuse(Some(record.subject), error.to_string()).await),
        };
        let now = self.now();
        let changes = updated(&record, &verified, now).ok_or(SignInError::Unavailable)?;
        let proof = SignInProof {
            subject: record.subject,
            methods: Methods::from([AuthenticationMethod::Passkey]),
            at: now,
            passkey: Some(verified.credential),
            provider: None,
        };
        Ok((proof, changes))
    }

    /// Oldest first.
    pub async fn passkeys(&self, subject: &SubjectId) -> Result<Vec<PasskeyView>, ActError> {
        let subject = subject.clone();
        let records = self.stored(move |store| store.passkeys_of(&subject)).await?;
        Ok(records.into_iter().map(PasskeyView::from).collect())
    }

    /// Whether somebody has one. Reads the store: not for an async thread. Where it cannot be read, it is not known to.
    pub fn has_passkey(&self, subject: &SubjectId) -> bool {
        self.0.store.passkeys_of(subject).is_ok_and(|passkeys| !passkeys.is_empty())
    }

    /// One more passkey for somebody who is signed in and has proved it recently.
    pub async fn begin_passkey(&self, session: SessionId, client: &Client) -> Result<Ceremony, SignInError> {
        let session = self.live_session(session, client).ok_or(SignInError::Refused)?;
        let subject = self.subject(&session.subject).ok_or(SignInError::Refused)?;
        if subject.id.kind() != SubjectKind::Human {
            return Err(SignInError::Refused);
        }
        if self.now().since(session.authenticated) > FRESH {
            return Err(SignInError::StepUpNeeded);
        }
        let (handle, options, state) = self.begin_registration(&subject).await?;
        let ceremony = PasskeyCeremony::Add { session: session.id, subject: subject.id, handle, state };
        Ok(self.keep(ceremony, options, Some(subject.display_name), client))
    }

    pub async fn finish_passkey(
        &self,
        session: SessionId,
        ceremony: &CredentialSecret,
        response: &Value,
        name: &str,
        client: &Client,
    ) -> Result<PasskeyView, SignInError> {
        let refuse = |subject: Option<SubjectId>, cause: String| async move {
            self.refuse_sign_in(subject.as_ref(), "passkey.add", cause, client.address).await
        };
        let begun = self.0.accounts.ceremonies.take(ceremony, self.now());
        let (subject, handle, state) = match begun {
            Some(PasskeyCeremony::Add { session: of, subject, handle, state }) if of == session => {
                (subject, handle, state)
            }
            _ => return Err(refuse(None, "wrong or expired ceremony".to_owned()).await),
        };
        if self.live_session(session, client).is_none() {
            return Err(refuse(Some(subject), "the session has ended".to_owned()).await);
        }
        let passkey = match self.passkey_host()?.finish_registration(response, *state) {
            Ok(passkey) => passkey,
            Err(error) => return Err(refuse(Some(subject), error.to_string()).await),
        };
        if self.known(&passkey.id()).await? {
            return Err(refuse(Some(subject), "the passkey is registered already".to_owned()).await);
        }
        let record = self.registered(&passkey, &subject, handle, name).ok_or(SignInError::Unavailable)?;
        let actor = Actor { subject, decision: None };
        let recorded = self.record_act(&actor, "passkey.add", &record.credential, record.name.clone()).await;
        recorded.map_err(|_| SignInError::Unavailable)?;
        match self.commit(vec![Change::PutPasskey(record.clone())]).await {
            Ok(()) => Ok(record.into()),
            Err(error @ StoreError::Conflict(_)) => Err(refuse(Some(actor.subject), error.to_string()).await),
            Err(_) => Err(SignInError::Unavailable),
        }
    }

    /// What its owner calls it from now on.
    pub async fn rename_passkey(
        &self,
        subject: &SubjectId,
        credential: &str,
        name: &str,
        actor: &Actor,
    ) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let whose = subject.clone();
        let held = self.stored(move |store| store.passkeys_of(&whose)).await?;
        let found = held.into_iter().find(|record| record.credential == credential);
        let record = found.ok_or_else(|| ActError::NotFound("such passkey".to_owned()))?;
        let name = passkey_name(name);
        self.record_act(actor, "passkey.rename", credential, name.clone()).await?;
        self.commit(vec![Change::PutPasskey(PasskeyRecord { name, ..record })]).await?;
        Ok(())
    }

    /// Takes a passkey away, and ends the sessions that it made. The last one goes only when the person has another
    /// way back in: an open invitation, or an account at a provider.
    pub async fn remove_passkey(&self, subject: &SubjectId, credential: &str, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let (whose, now) = (subject.clone(), self.now());
        let (held, invited, linked) = self
            .stored(move |store| {
                let invitation = TokenPurpose::Invitation { subject: whose.clone() };
                let invited = store.tokens(now)?.iter().any(|token| token.purpose == invitation);
                Ok((store.passkeys_of(&whose)?, invited, !store.links_of(&whose)?.is_empty()))
            })
            .await?;
        if !held.iter().any(|record| record.credential == credential) {
            return Err(ActError::NotFound("such passkey".to_owned()));
        }
        if held.len() == 1 && !invited && !linked {
            let advice = "this is the person's last passkey: add another one, or invite them again, first";
            return Err(ActError::Refused(advice.to_owned()));
        }
        self.record_act(actor, "passkey.remove", credential, subject.to_string()).await?;
        self.commit(vec![Change::RemovePasskey { credential: credential.to_owned() }]).await?;
        let made_by_it = |session: &countersign_store::SessionRecord| session.passkey.as_deref() == Some(credential);
        self.end_sessions(made_by_it, "passkey removed", Some(actor)).await;
        Ok(())
    }
}

/// The record with what this use has changed.
fn updated(record: &PasskeyRecord, verified: &Verified, now: Timestamp) -> Option<Vec<Change>> {
    let public_key = serde_json::to_string(&verified.passkey).ok()?;
    Some(vec![Change::PutPasskey(PasskeyRecord { public_key, last_used: Some(now), ..record.clone() })])
}
