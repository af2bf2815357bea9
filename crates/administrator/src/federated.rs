//! Sign-in through an external provider: which of our subjects its identity is, and its word that somebody has left.
//! The protocol is `identity`'s. An address is never an identity: issuer and subject together are.

use std::net::IpAddr;
use std::time::Duration;

use countersign_identity::oidc::{
    AuthenticationDemand, Callback, FederatedIdentity, FlowState, MethodMapping, OidcError, Provider,
};
use countersign_identity::secret;
use countersign_model::{
    AuthenticationMethod, CredentialSecret, Name, SessionId, SignalKind, Source, Subject, SubjectId, SubjectKind,
    SubjectState, Timestamp,
};
use countersign_store::{Change, Hash, LinkRecord, ProviderSession, SessionRecord, StoreError, TokenPurpose};
use tokio::sync::OnceCell;

use crate::accounts::{Client, ProviderParts, Provision, SignInError};
use crate::one_time::OneTime;
use crate::sessions::stored;
use crate::sign_in::{SignInProof, SignedIn};
use crate::{Actor, Administrator, OWNERS};

/// As a method in the record.
const LOGOUT: &str = "back-channel-logout";

/// Why a session ended.
const SIGNED_OUT: &str = "signed out at the provider";

const FLOW: Duration = Duration::from_secs(10 * 60);

/// Where to send the browser, and what it has to bring back.
#[derive(Debug)]
pub struct FederatedStart {
    pub url: String,
    /// For a cookie of this browser only: whoever comes back has to be who was sent.
    pub flow: CredentialSecret,
}

#[derive(Debug)]
pub(crate) struct Providers {
    slots: Vec<Slot>,
    flows: OneTime<Flow>,
}

#[derive(Debug)]
struct Slot {
    parts: ProviderParts,
    discovered: OnceCell<Provider>,
}

/// A browser that is at the provider.
#[derive(Debug)]
struct Flow {
    provider: String,
    state: FlowState,
    purpose: Purpose,
    continuation: String,
}

#[derive(Debug, Clone)]
enum Purpose {
    SignIn,
    StepUp(SessionId),
    Enrol { invitation: Hash, subject: SubjectId },
}

impl Providers {
    pub(crate) fn new(parts: Vec<ProviderParts>) -> Self {
        let slots = parts.into_iter().map(|parts| Slot { parts, discovered: OnceCell::new() }).collect();
        Self { slots, flows: OneTime::new(FLOW) }
    }

    pub(crate) fn forget_expired(&self, now: Timestamp) {
        self.flows.forget_expired(now);
    }

    /// Discovered at the first need; a failure is tried again at the next.
    async fn get(&self, name: &str, now: Timestamp) -> Result<(&ProviderParts, &Provider), SignInError> {
        let slot = self.slots.iter().find(|slot| slot.parts.name == name).ok_or(SignInError::Refused)?;
        let discover = || Provider::discover(slot.parts.settings.clone(), slot.parts.http.clone(), now);
        let provider = slot.discovered.get_or_try_init(discover).await.map_err(|error| {
            tracing::warn!(provider = name, %error, "the provider cannot be discovered");
            SignInError::Unavailable
        })?;
        Ok((&slot.parts, provider))
    }
}

/// Anew, and with the best that the provider is configured to have words for. What it then did, its token tells.
fn strongest(methods: &MethodMapping) -> AuthenticationDemand {
    let best_first = methods.phishing_resistant_acr.iter().chain(&methods.multi_factor_acr);
    AuthenticationDemand { fresh: true, acr_values: best_first.cloned().collect(), ..AuthenticationDemand::default() }
}

impl Administrator {
    /// The names of the configured providers, in their order.
    pub fn providers(&self) -> Vec<String> {
        self.0.accounts.providers.slots.iter().map(|slot| slot.parts.name.clone()).collect()
    }

    /// `continuation` comes back with the person. With `step_up` the person of that session proves again who they are.
    pub async fn begin_federated(
        &self,
        provider: &str,
        step_up: Option<SessionId>,
        continuation: String,
        client: &Client,
    ) -> Result<FederatedStart, SignInError> {
        let purpose = match step_up {
            None => Purpose::SignIn,
            Some(session) => {
                let session = self.live_session(session, client).ok_or(SignInError::Refused)?;
                Purpose::StepUp(session.id)
            }
        };
        self.send_to_provider(provider, purpose, continuation, client).await
    }

    /// Follows an invitation with an account at a provider instead of a passkey.
    pub async fn begin_federated_enrolment(
        &self,
        provider: &str,
        invitation: &CredentialSecret,
        continuation: String,
        client: &Client,
    ) -> Result<FederatedStart, SignInError> {
        let hash = stored(&secret::hash(invitation.expose()));
        let now = self.now();
        let token = self.stored(move |store| store.token(&hash, now)).await.map_err(|_| SignInError::Unavailable)?;
        let Some(TokenPurpose::Invitation { subject }) = token.map(|token| token.purpose) else {
            return Err(self.refuse_sign_in(None, "invitation", "unknown, used or expired", client.address).await);
        };
        let purpose = Purpose::Enrol { invitation: hash, subject };
        self.send_to_provider(provider, purpose, continuation, client).await
    }

    async fn send_to_provider(
        &self,
        name: &str,
        purpose: Purpose,
        continuation: String,
        client: &Client,
    ) -> Result<FederatedStart, SignInError> {
        let now = self.now();
        let (parts, provider) = self.0.accounts.providers.get(name, now).await?;
        let demand = match purpose {
            Purpose::SignIn | Purpose::Enrol { .. } => AuthenticationDemand::default(),
            Purpose::StepUp(_) => strongest(&parts.settings.methods),
        };
        let (url, state) = provider.begin(&demand, now).map_err(|_| SignInError::Unavailable)?;
        let flow = Flow { provider: name.to_owned(), state, purpose, continuation };
        let flow = self.0.accounts.providers.flows.put(flow, client.address, now);
        Ok(FederatedStart { url: url.into(), flow })
    }

    /// The person is back: `flow` from the browser's cookie, `query` as received. What was kept is used up, whatever
    /// comes of it.
    pub async fn finish_federated(
        &self,
        flow: &CredentialSecret,
        query: &str,
        client: &Client,
    ) -> Result<(SignedIn, String), SignInError> {
        let now = self.now();
        let providers = &self.0.accounts.providers;
        let Some(flow) = providers.flows.take(flow, now) else {
            return Err(self.refuse_sign_in(None, "oidc", "unknown, used or expired flow", client.address).await);
        };
        let (parts, provider) = providers.get(&flow.provider, now).await?;
        let identity = match Callback::parse(query) {
            Ok(callback) => provider.finish(callback, flow.state, now).await,
            Err(error) => Err(error),
        };
        let identity = match identity {
            Ok(identity) => identity,
            Err(OidcError::Unreachable(_)) => return Err(SignInError::Unavailable),
            Err(error) => return Err(self.refuse_sign_in(None, "oidc", error, client.address).await),
        };
        // Until the session and its link are stored: two accounts that find the same subject free must take turns.
        let _turn = self.0.accounts.acting.lock().await;
        let (subject, mut also) = self.subject_of(&identity, &flow.purpose, &parts.provision, client).await?;
        // A proof of unknown age is as old as one can be; a step-up makes the provider tell.
        let at = identity.auth_time.unwrap_or_else(|| now.minus(self.settings().session_lifetime)).min(now);
        let mut methods = identity.methods.clone();
        let provider = ProviderSession { issuer: identity.issuer, subject: identity.subject, session: identity.sid };
        if let Purpose::Enrol { invitation, .. } = &flow.purpose {
            methods.insert(AuthenticationMethod::Invitation);
            also.push(Change::ConsumeToken { hash: *invitation, now });
        }
        let proof = SignInProof { subject, methods, at, passkey: None, provider: Some(provider) };
        let signed_in = match flow.purpose {
            Purpose::SignIn | Purpose::Enrol { .. } => self.start_session(proof, client, "oidc", also).await?,
            Purpose::StepUp(session) => {
                let Some(session) = self.live_session(session, client) else {
                    let cause = "the session has ended";
                    return Err(self.refuse_sign_in(Some(&proof.subject), "oidc", cause, client.address).await);
                };
                if session.subject != proof.subject {
                    let cause = "somebody else's account";
                    return Err(self.refuse_sign_in(Some(&session.subject), "oidc", cause, client.address).await);
                }
                self.renew_session(session, proof, also).await?
            }
        };
        Ok((signed_in, flow.continuation))
    }

    /// Which subject this is, and the link to be made with the session where there is none yet.
    async fn subject_of(
        &self,
        identity: &FederatedIdentity,
        purpose: &Purpose,
        provision: &Provision,
        client: &Client,
    ) -> Result<(SubjectId, Vec<Change>), SignInError> {
        let (issuer, provider_subject) = (identity.issuer.clone(), identity.subject.clone());
        let linked = self.stored(move |store| store.link(&issuer, &provider_subject)).await;
        let linked = linked.map_err(|_| SignInError::Unavailable)?.map(|link| link.subject);
        let link = |subject: SubjectId| {
            let link = LinkRecord {
                issuer: identity.issuer.clone(),
                provider_subject: identity.subject.clone(),
                subject: subject.clone(),
                linked: self.now(),
            };
            (subject, vec![Change::PutLink(link)])
        };
        let cause = match (linked, purpose, provision) {
            (Some(linked), Purpose::Enrol { subject, .. }, _) if linked != *subject => {
                "the account belongs to somebody else here"
            }
            (Some(linked), ..) => return Ok((linked, Vec::new())),
            (None, Purpose::Enrol { subject, .. }, _) => return Ok(link(subject.clone())),
            (None, Purpose::StepUp(_), _) | (None, _, Provision::LinkedOnly) => "the account is not linked to anybody",
            (None, Purpose::SignIn, Provision::VerifiedEmail { domains, groups }) => {
                match self.provisioned(identity, domains, groups).await? {
                    Some(subject) => return Ok(link(subject)),
                    None => "the address is not verified, not in an allowed domain, or taken",
                }
            }
        };
        Err(self.refuse_sign_in(None, "oidc", cause, client.address).await)
    }

    /// The caller holds the turn. The subject of a verified address: made now, or there already and without any other way in. Somebody who has a
    /// passkey or another account is not taken over by whoever controls an address.
    async fn provisioned(
        &self,
        identity: &FederatedIdentity,
        domains: &[String],
        groups: &[countersign_model::GroupId],
    ) -> Result<Option<SubjectId>, SignInError> {
        let email = match &identity.email {
            Some(email) if identity.email_verified => email.to_ascii_lowercase(),
            _ => return Ok(None),
        };
        let allowed = email.rsplit_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !name.contains('@') && domains.iter().any(|allowed| allowed == domain)
        });
        let Ok(name) = Name::new(email.clone()) else { return Ok(None) };
        if !allowed || !email.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(None);
        }
        let id = SubjectId::new(SubjectKind::Human, name);
        if self.subject(&id).is_some() {
            let whose = id.clone();
            let free = self
                .stored(move |store| Ok(store.passkeys_of(&whose)?.is_empty() && store.links_of(&whose)?.is_empty()));
            let free = free.await.map_err(|_| SignInError::Unavailable)?;
            // An owner is invited, never found by address.
            let owner = self.owners().contains(&id);
            return Ok((free && !owner).then_some(id));
        }
        let display_name = identity.name.clone().filter(|name| Name::new(name.as_str()).is_ok());
        let subject = Subject {
            id: id.clone(),
            display_name: display_name.unwrap_or_else(|| email.clone()),
            email: Some(email),
            owner: None,
            acts_for: None,
            state: SubjectState::Active,
            groups: groups
                .iter()
                .filter(|group| group.as_str() != OWNERS && self.group(group).is_some())
                .cloned()
                .collect(),
            source: Source::OpenIdConnect,
            created: self.now(),
            last_used: None,
        };
        let actor = Actor { subject: id.clone(), decision: None };
        let recorded = self.record_act(&actor, "subject.provision", &id, identity.issuer.clone()).await;
        recorded.map_err(|_| SignInError::Unavailable)?;
        let made = self.signal(SignalKind::SubjectPut { subject }, Source::OpenIdConnect, &actor).await;
        made.map_err(|_| SignInError::Unavailable)?;
        Ok(Some(id))
    }

    /// The provider's signed word that a session, or all of a person's, ended there: they end here too. How many did.
    pub async fn back_channel_logout(
        &self,
        provider: &str,
        token: &str,
        address: IpAddr,
    ) -> Result<usize, SignInError> {
        let now = self.now();
        let (_, provider) = self.0.accounts.providers.get(provider, now).await?;
        let logout = match provider.verify_logout_token(token, now).await {
            Ok(logout) => logout,
            Err(OidcError::Unreachable(_)) => return Err(SignInError::Unavailable),
            Err(error) => return Err(self.refuse_sign_in(None, LOGOUT, error, address).await),
        };
        let named = |session: &SessionRecord| {
            session.provider.as_ref().is_some_and(|provider| {
                provider.issuer == logout.issuer
                    && logout.sid.as_ref().is_none_or(|sid| provider.session.as_ref() == Some(sid))
                    && logout.subject.as_ref().is_none_or(|subject| provider.subject == *subject)
                    && (logout.sid.is_some() || logout.subject.is_some())
            })
        };
        let ending = self.0.accounts.sessions.sessions(named);
        // One transaction: a crash leaves neither a used token with its sessions alive, nor the reverse.
        let mut changes = vec![Change::UseOnce {
            purpose: "logout-token",
            id: format!("{} {}", logout.issuer, logout.jti),
            expires: logout.expires,
        }];
        changes.extend(ending.iter().map(|session| Change::RemoveSession(session.id)));
        match self.commit(changes).await {
            Ok(()) => {}
            Err(error @ StoreError::AlreadyUsed) => {
                return Err(self.refuse_sign_in(None, LOGOUT, error, address).await);
            }
            // Taking away does not wait for the store. The provider is told to send it again.
            Err(_) => {
                self.end_sessions(named, SIGNED_OUT, None).await;
                return Err(SignInError::Unavailable);
            }
        }
        Ok(self.end_sessions(named, SIGNED_OUT, None).await)
    }
}
