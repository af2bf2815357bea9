//! Sign-in through an external OpenID Connect provider: authorization code with PKCE (S256), state and nonce, always.
//! What `openidconnect` leaves to its caller is done here: the `iss` of the callback (RFC 9207), `azp`, key rotation,
//! a fixed list of algorithms, time as an argument, and back-channel logout. An error never carries a token.

mod authentication_methods;
mod http_client;
mod logout;
mod provider;
mod provider_types;

pub use authentication_methods::MethodMapping;
pub use http_client::{HttpClient, HttpError};
pub use logout::LogoutToken;
pub use provider::Provider;

use std::time::Duration;

use countersign_model::{CredentialSecret, Methods, Timestamp};
use serde::{Deserialize, Serialize};

/// How far the provider's clock may differ from ours.
pub const SKEW: Duration = Duration::from_secs(60);

/// One provider, as configured.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Exactly as the provider writes it. `https`, or `http` on a loopback address.
    pub issuer: String,
    pub client_id: String,
    /// Absent for a public client, which PKCE alone protects.
    pub client_secret: Option<CredentialSecret>,
    /// Where the provider sends people back: registered there, and different for each provider.
    pub redirect_uri: String,
    /// Besides `openid`.
    pub scopes: Vec<String>,
    pub methods: MethodMapping,
}

/// What is asked of the provider beyond "who is this".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthenticationDemand {
    /// The person must prove themselves anew: for step-up.
    pub fresh: bool,
    /// The proof must not be older.
    pub max_age: Option<Duration>,
    /// `acr` values to ask for, best first.
    pub acr_values: Vec<String>,
    pub login_hint: Option<String>,
}

/// What the caller keeps between sending a browser away and its coming back: once, and bound to that browser.
#[derive(Clone, Serialize, Deserialize)]
pub struct FlowState {
    pub(crate) issuer: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) pkce_verifier: String,
    pub(crate) max_age: Option<u64>,
    pub(crate) begun: Timestamp,
}

impl FlowState {
    /// What the callback's `state` must be; its hash can serve to find this value again.
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl std::fmt::Debug for FlowState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowState").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// The query with which the browser came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    pub state: String,
    pub(crate) outcome: Result<String, String>,
    pub(crate) issuer: Option<String>,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Callback {
    /// Refuses a query in which a parameter that matters is missing or comes twice.
    pub fn parse(query: &str) -> Result<Self, OidcError> {
        if query.len() > 16 * 1024 {
            return Err(OidcError::Callback);
        }
        let (mut state, mut code, mut error, mut issuer) = (None, None, None, None);
        for (name, value) in openidconnect::url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "state" => &mut state,
                "code" => &mut code,
                "error" => &mut error,
                "iss" => &mut issuer,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(OidcError::Callback);
            }
        }
        let outcome = match (code, error) {
            (Some(code), None) => Ok(code),
            (None, Some(error)) => Err(error),
            _ => return Err(OidcError::Callback),
        };
        Ok(Self { state: state.ok_or(OidcError::Callback)?, outcome, issuer })
    }
}

/// Who the provider says this is. `issuer` and `subject` together are the identity; an address is only an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedIdentity {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    /// Whether the provider says that the address belongs to this person.
    pub email_verified: bool,
    pub name: Option<String>,
    pub methods: Methods,
    /// The provider's session, which a back-channel logout may name.
    pub sid: Option<String>,
    /// When the person last proved themselves at the provider. Never in the future.
    pub auth_time: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    #[error("the provider's settings are wrong: {0}")]
    Settings(&'static str),
    #[error("the provider cannot be reached: {0}")]
    Unreachable(HttpError),
    #[error("the provider's metadata or keys are not usable: {0}")]
    Metadata(String),
    #[error("the callback's parameters are missing, doubled or too long")]
    Callback,
    #[error("the callback does not belong to this sign-in")]
    State,
    #[error("the callback comes from another provider than the one that was asked")]
    Issuer,
    #[error("the provider refused: {0}")]
    Refused(String),
    #[error("the provider did not accept the code")]
    Code,
    #[error("the provider sent no ID token")]
    NoToken,
    #[error("the token is not acceptable: {0}")]
    Token(TokenFault),
}

/// What is wrong with a token. The token itself never appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    #[error("it cannot be read")]
    Malformed,
    #[error("its algorithm is not allowed")]
    Algorithm,
    #[error("it was signed with a key that the provider does not publish")]
    UnknownKey,
    #[error("its signature does not verify")]
    Signature,
    #[error("it was issued by somebody else")]
    Issuer,
    #[error("it is for somebody else")]
    Audience,
    #[error("it has expired or is from the future")]
    Time,
    #[error("it belongs to another sign-in")]
    Nonce,
    #[error("the proof behind it is too old, or its age is not told")]
    AuthenticationAge,
    #[error("it does not belong to the access token beside it")]
    AccessToken,
    #[error("it is not a logout token")]
    NotALogout,
}
