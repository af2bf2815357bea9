//! One discovered provider: where to send a person, and what their coming back proves.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_model::Timestamp;
use openidconnect::core::{
    CoreAuthPrompt, CoreClientAuthMethod, CoreGenderClaim, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreResponseType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthenticationContextClass, AuthenticationFlow, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DiscoveryError, IdTokenClaims, IssuerUrl, LoginHint,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use parking_lot::Mutex;

use super::http_client::acceptable;
use super::logout::{self, LogoutToken};
use super::provider_types::{Metadata, OidcClient, SessionClaims, Token};
use super::{
    AuthenticationDemand, Callback, FederatedIdentity, FlowState, HttpClient, HttpError, OidcError, ProviderSettings,
    SKEW, TokenFault,
};
use crate::passkey::Url;
use crate::secret;

/// Asymmetric only: with `HS256` anybody who can read a client secret could sign, and `none` is nobody.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A token with an unknown key makes us ask for the keys again, and a stranger can send such tokens: not more often
/// than this.
const KEYS_REFETCH: Duration = Duration::from_secs(60);

/// A key that the provider has withdrawn, perhaps because it was stolen, is believed no longer than this, or twice this
/// while the provider does not answer.
const KEYS_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long a person may take at the provider.
const FLOW_LIFETIME: Duration = Duration::from_secs(15 * 60);

type Claims = IdTokenClaims<SessionClaims, CoreGenderClaim>;

/// A provider that has been discovered. Shared; its keys renew themselves.
pub struct Provider {
    settings: ProviderSettings,
    http: HttpClient,
    metadata: Metadata,
    keys: Mutex<Keys>,
}

#[derive(Clone)]
struct Keys {
    set: CoreJsonWebKeySet,
    fetched: Timestamp,
    /// The last time they were asked for, with or without an answer.
    asked: Timestamp,
}

impl Provider {
    /// Reads the provider's metadata and keys.
    pub async fn discover(settings: ProviderSettings, http: HttpClient, now: Timestamp) -> Result<Self, OidcError> {
        let issuer =
            IssuerUrl::new(settings.issuer.clone()).map_err(|_| OidcError::Settings("the issuer is no URL"))?;
        if !secure(issuer.as_str()) {
            return Err(OidcError::Settings("the issuer must be https, or http on a loopback address"));
        }
        RedirectUrl::new(settings.redirect_uri.clone())
            .map_err(|_| OidcError::Settings("the redirect address is no URL"))?;
        let metadata = Metadata::discover_async(issuer, &http).await.map_err(discovery)?;
        if !secure(metadata.authorization_endpoint().as_str()) {
            return Err(OidcError::Metadata("the authorization endpoint is not secure".to_owned()));
        }
        if metadata.token_endpoint().is_none() {
            return Err(OidcError::Metadata("there is no token endpoint".to_owned()));
        }
        let keys = Mutex::new(Keys { set: metadata.jwks().clone(), fetched: now, asked: now });
        Ok(Self { settings, http, metadata, keys })
    }

    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where to send the browser, and what to keep until it comes back.
    pub fn begin(&self, demand: &AuthenticationDemand, now: Timestamp) -> Result<(Url, FlowState), OidcError> {
        let client = self.client(self.metadata.jwks().clone())?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let token = || secret::generate().0.expose().to_owned();
        let (state, nonce) = (token(), token());
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let (for_state, for_nonce) = (CsrfToken::new(state.clone()), Nonce::new(nonce.clone()));
        let mut request = client
            .authorize_url(flow, move || for_state, move || for_nonce)
            .set_pkce_challenge(challenge)
            .add_scopes(self.settings.scopes.iter().filter(|&scope| scope != "openid").cloned().map(Scope::new));
        // Prompting alone proves nothing: a browser can leave it out of the address. `max_age` makes the provider tell, in
        // the signed token, when the person last proved themselves; for a fresh proof that is after now.
        let max_age = if demand.fresh { Some(0) } else { demand.max_age.map(|age| age.as_secs()) };
        if demand.fresh {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        if let Some(seconds) = max_age {
            request = request.set_max_age(Duration::from_secs(seconds));
        }
        if let Some(hint) = &demand.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.clone()));
        }
        for acr in &demand.acr_values {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        let (url, _, _) = request.url();
        let flow = FlowState {
            issuer: self.settings.issuer.clone(),
            state,
            nonce,
            pkce_verifier: verifier.secret().clone(),
            max_age,
            begun: now,
        };
        Ok((url, flow))
    }

    /// What the browser's coming back proves. The flow state is used up, whatever comes of it.
    pub async fn finish(
        &self,
        callback: Callback,
        flow: FlowState,
        now: Timestamp,
    ) -> Result<FederatedIdentity, OidcError> {
        let code = self.check_callback(callback, &flow, now)?;
        let client = self.client(self.keys.lock().set.clone())?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| OidcError::Metadata("there is no token endpoint".to_owned()))?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.pkce_verifier.clone()))
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(error) => OidcError::Unreachable(error),
                RequestTokenError::ServerResponse(_) => OidcError::Code,
                RequestTokenError::Parse(..) | RequestTokenError::Other(_) => OidcError::Token(TokenFault::Malformed),
            })?;
        let token = answer.id_token().ok_or(OidcError::NoToken)?;
        let claims = self.verified(token, answer.access_token(), &flow, now).await?;
        let told = self.user_info(&client, &claims, answer.access_token().clone()).await?;
        Ok(self.identity(&claims, told.as_ref(), now))
    }

    /// Verifies a back-channel logout token. Whether its `jti` was seen before is for the caller.
    pub async fn verify_logout_token(&self, token: &str, now: Timestamp) -> Result<LogoutToken, OidcError> {
        let expected = logout::Expected { issuer: &self.settings.issuer, client_id: &self.settings.client_id };
        let keys = self.keys(now).await?;
        match logout::verify(token, &keys, &expected, now) {
            Err(TokenFault::UnknownKey) => {
                let keys = self.refetch(now).await?.ok_or(OidcError::Token(TokenFault::UnknownKey))?;
                logout::verify(token, &keys, &expected, now)
            }
            verdict => verdict,
        }
        .map_err(OidcError::Token)
    }

    fn check_callback(&self, callback: Callback, flow: &FlowState, now: Timestamp) -> Result<String, OidcError> {
        // The issuer first: with a mixed-up provider neither its code nor its error means anything.
        let told = self.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match &callback.issuer {
            Some(issuer) if *issuer != self.settings.issuer => return Err(OidcError::Issuer),
            None if told => return Err(OidcError::Issuer),
            _ => {}
        }
        if flow.issuer != self.settings.issuer {
            return Err(OidcError::Issuer);
        }
        let late = now < flow.begun || now >= flow.begun.plus(FLOW_LIFETIME);
        if late || secret::hash(&callback.state) != secret::hash(&flow.state) {
            return Err(OidcError::State);
        }
        callback.outcome.map_err(|error| OidcError::Refused(word(&error)))
    }

    async fn verified(
        &self,
        token: &Token,
        access_token: &AccessToken,
        flow: &FlowState,
        now: Timestamp,
    ) -> Result<Claims, OidcError> {
        let keys = self.keys(now).await?;
        let claims = match self.verify(token, keys, access_token, flow, now) {
            Err(OidcError::Token(TokenFault::UnknownKey)) => {
                let keys = self.refetch(now).await?.ok_or(OidcError::Token(TokenFault::UnknownKey))?;
                self.verify(token, keys, access_token, flow, now)?
            }
            verdict => verdict?,
        };
        Ok(claims)
    }

    fn verify(
        &self,
        token: &Token,
        keys: CoreJsonWebKeySet,
        access_token: &AccessToken,
        flow: &FlowState,
        now: Timestamp,
    ) -> Result<Claims, OidcError> {
        let client = self.client(keys)?;
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || system_time(now.minus(SKEW)).into())
            .set_issue_time_verifier_fn(move |issued| {
                let issued = Timestamp::from_seconds(issued.timestamp());
                let recent = issued <= now.plus(SKEW) && issued.plus(FLOW_LIFETIME).plus(SKEW) > now;
                recent.then_some(()).ok_or_else(|| "issued at another time".to_owned())
            });
        let fault = |fault| Err(OidcError::Token(fault));
        let claims = token.claims(&verifier, &Nonce::new(flow.nonce.clone())).map_err(|error| {
            OidcError::Token(match error {
                ClaimsVerificationError::Expired(_) => TokenFault::Time,
                ClaimsVerificationError::InvalidAudience(_) => TokenFault::Audience,
                ClaimsVerificationError::InvalidIssuer(_) => TokenFault::Issuer,
                ClaimsVerificationError::InvalidNonce(_) => TokenFault::Nonce,
                ClaimsVerificationError::SignatureVerification(error) => signature_fault(&error),
                _ => TokenFault::Malformed,
            })
        })?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.settings.client_id) {
            return fault(TokenFault::Audience);
        }
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|_| OidcError::Token(TokenFault::Algorithm))?;
            let key = token.signing_key(&verifier).map_err(|_| OidcError::Token(TokenFault::UnknownKey))?;
            let actual = AccessTokenHash::from_token(access_token, algorithm, key);
            if !actual.is_ok_and(|actual| actual == *expected) {
                return fault(TokenFault::AccessToken);
            }
        }
        if let Some(max_age) = flow.max_age {
            let proven = claims.auth_time().map(|at| Timestamp::from_seconds(at.timestamp()));
            // Fresh (0 seconds) means: proven after this flow began.
            let oldest = flow.begun.minus(Duration::from_secs(max_age)).minus(SKEW);
            if !proven.is_some_and(|at| at >= oldest && at <= now.plus(SKEW)) {
                return fault(TokenFault::AuthenticationAge);
            }
        }
        Ok(claims.clone())
    }

    /// Many providers tell name and address only there.
    async fn user_info(
        &self,
        client: &OidcClient,
        claims: &Claims,
        access_token: AccessToken,
    ) -> Result<Option<UserInfoClaims<SessionClaims, CoreGenderClaim>>, OidcError> {
        if claims.email().is_some() || self.metadata.userinfo_endpoint().is_none() {
            return Ok(None);
        }
        let subject: SubjectIdentifier = claims.subject().clone();
        let Ok(request) = client.user_info(access_token, Some(subject)) else { return Ok(None) };
        match request.request_async(&self.http).await {
            Ok(told) => Ok(Some(told)),
            // About somebody else, or signed wrongly: an attack, not a provider that has nothing to tell.
            Err(openidconnect::UserInfoError::ClaimsVerification(_)) => Err(OidcError::Token(TokenFault::Audience)),
            Err(_) => Ok(None),
        }
    }

    fn identity(
        &self,
        claims: &Claims,
        told: Option<&UserInfoClaims<SessionClaims, CoreGenderClaim>>,
        now: Timestamp,
    ) -> FederatedIdentity {
        let email = claims.email().or_else(|| told?.email()).map(|email| email.to_string());
        let verified = match claims.email() {
            Some(_) => claims.email_verified(),
            None => told.and_then(|told| told.email_verified()),
        };
        let name = claims.name().or_else(|| told?.name()).and_then(|name| name.get(None)).map(|name| name.to_string());
        let amr = claims.auth_method_refs().map(Vec::as_slice).unwrap_or_default();
        let acr = claims.auth_context_ref().map(|acr| acr.as_str());
        FederatedIdentity {
            issuer: self.settings.issuer.clone(),
            subject: claims.subject().to_string(),
            email_verified: email.is_some() && verified == Some(true),
            email,
            name,
            methods: self.settings.methods.methods(amr.iter().map(|word| word.as_str()), acr),
            sid: claims.additional_claims().sid.clone(),
            auth_time: claims.auth_time().map(|at| Timestamp::from_seconds(at.timestamp()).min(now)),
        }
    }

    fn client(&self, keys: CoreJsonWebKeySet) -> Result<OidcClient, OidcError> {
        let settings = &self.settings;
        let redirect = RedirectUrl::new(settings.redirect_uri.clone())
            .map_err(|_| OidcError::Settings("the redirect address is no URL"))?;
        let secret = settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let metadata = self.metadata.clone().set_jwks(keys);
        let methods = metadata.token_endpoint_auth_methods_supported();
        let offers = |wanted: &CoreClientAuthMethod| methods.is_some_and(|methods| methods.contains(wanted));
        let post = offers(&CoreClientAuthMethod::ClientSecretPost) && !offers(&CoreClientAuthMethod::ClientSecretBasic);
        let client = OidcClient::from_provider_metadata(metadata, ClientId::new(settings.client_id.clone()), secret);
        Ok(client.set_redirect_uri(redirect).set_auth_type(if post {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        }))
    }

    /// The keys to verify with.
    async fn keys(&self, now: Timestamp) -> Result<CoreJsonWebKeySet, OidcError> {
        let known = self.keys.lock().clone();
        if now < known.fetched.plus(KEYS_LIFETIME) {
            return Ok(known.set);
        }
        match self.refetch(now).await {
            Ok(Some(set)) => Ok(set),
            // Somebody else is asking at this moment, or the provider does not answer.
            _ if now < known.fetched.plus(KEYS_LIFETIME * 2) => Ok(known.set),
            Ok(None) => Err(OidcError::Token(TokenFault::UnknownKey)),
            Err(error) => Err(error),
        }
    }

    /// The provider's keys as they are now; `None` when they were fetched too recently to ask again.
    async fn refetch(&self, now: Timestamp) -> Result<Option<CoreJsonWebKeySet>, OidcError> {
        {
            let mut keys = self.keys.lock();
            if now < keys.asked.plus(KEYS_REFETCH) {
                return Ok(None);
            }
            // Before the answer: many bad tokens at once make one question, and a provider that is down is not hammered.
            keys.asked = now;
        }
        let set = CoreJsonWebKeySet::fetch_async(self.metadata.jwks_uri(), &self.http).await.map_err(discovery)?;
        let mut keys = self.keys.lock();
        keys.set = set.clone();
        keys.fetched = now;
        Ok(Some(set))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

fn secure(url: &str) -> bool {
    url.parse().is_ok_and(|uri| acceptable(&uri))
}

fn system_time(instant: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(instant.millis()).unwrap_or(0))
}

fn signature_fault(error: &SignatureVerificationError) -> TokenFault {
    match error {
        SignatureVerificationError::NoMatchingKey | SignatureVerificationError::AmbiguousKeyId(_) => {
            TokenFault::UnknownKey
        }
        SignatureVerificationError::DisallowedAlg(_)
        | SignatureVerificationError::UnsupportedAlg(_)
        | SignatureVerificationError::NoSignature => TokenFault::Algorithm,
        _ => TokenFault::Signature,
    }
}

fn discovery(error: DiscoveryError<HttpError>) -> OidcError {
    match error {
        DiscoveryError::Request(error) => OidcError::Unreachable(error),
        DiscoveryError::Validation(_) => OidcError::Metadata("they name another issuer".to_owned()),
        DiscoveryError::Parse(error) => OidcError::Metadata(format!("{} cannot be read", error.path())),
        DiscoveryError::Response(status, ..) => OidcError::Metadata(format!("the answer was {status}")),
        _ => OidcError::Metadata("they cannot be read".to_owned()),
    }
}

/// An error code of the provider, fit to print: the registered ones are lower-case words.
fn word(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect()
}
