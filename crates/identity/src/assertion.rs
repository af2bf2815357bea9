//! Assertions that Countersign signs itself: who was admitted, for the application behind the gateway. JSON Web Tokens,
//! Ed25519 only. A verifier here takes one algorithm, one `typ`, and its key from the caller, never from the token.

use std::fmt;
use std::time::Duration;

use countersign_model::Timestamp;
use ed25519_dalek::{Signer as _, SigningKey};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::encoding::{base64url, from_base64url};

/// The `typ` of the assertion that goes upstream.
pub const TYPE: &str = "countersign-assertion+jwt";

/// How long the assertion that goes upstream counts.
pub const LIFETIME: Duration = Duration::from_secs(60);

/// How far two machines' clocks may differ.
pub const SKEW: Duration = Duration::from_secs(5);

/// What an application learns about the request in front of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// The control host's origin.
    pub iss: String,
    /// The resource id.
    pub aud: String,
    /// The subject, with its kind: `human:alice@example.org`.
    pub sub: String,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
    pub decision: String,
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("the assertion is not a JSON Web Token of the expected type and algorithm")]
    Shape,
    #[error("the assertion's signature does not verify")]
    Signature,
    #[error("the assertion is for somebody else")]
    Audience,
    #[error("the assertion was issued by somebody else")]
    Issuer,
    #[error("the assertion has expired, is not valid yet, or is valid for too long")]
    Time,
}

/// An Ed25519 key that signs assertions.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    public: PublicKey,
}

/// The other half, for whoever verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; 32],
    kid: String,
}

impl Signer {
    /// From the 32 bytes that are kept in the data directory.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::from_bytes(key.verifying_key().to_bytes());
        Self { key, public }
    }

    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// Signs the assertion that goes upstream.
    pub fn sign(&self, assertion: &Assertion) -> String {
        self.sign_as(TYPE, assertion)
    }

    /// The JWK set to publish at `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.public.jwk()] })
    }

    /// Written out rather than left to `jsonwebtoken`, which derives the public key anew for each token: this runs for
    /// each request that goes upstream.
    pub(crate) fn sign_as<T: Serialize>(&self, typ: &str, claims: &T) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.public.kid, "typ": typ });
        // Plain structures of texts and numbers always serialize; an empty payload would be refused by every verifier.
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let mut token = format!("{}.{}", base64url(header.to_string()), base64url(claims));
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        token.push_str(&base64url(signature.to_bytes()));
        token
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

impl PublicKey {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        // RFC 7638: the members that make the key, in lexical order, without white space.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(bytes));
        let kid = base64url(Sha256::digest(canonical.as_bytes()));
        Self { bytes, kid }
    }

    /// From one entry of a JWK set, as an application reads it.
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let member = |name: &str| jwk.get(name).and_then(Value::as_str);
        if member("kty") != Some("OKP") || member("crv") != Some("Ed25519") {
            return None;
        }
        Some(Self::from_bytes(from_base64url(member("x")?)?.try_into().ok()?))
    }

    /// The key's thumbprint (RFC 7638).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": base64url(self.bytes),
            "alg": "EdDSA", "use": "sig", "kid": self.kid,
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

/// Verifies an upstream assertion as an application should: signature, type, issuer, audience, time.
pub fn verify(
    token: &str,
    key: &PublicKey,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Assertion, AssertionError> {
    let assertion: Assertion = open(token, key, TYPE)?;
    if assertion.iss != issuer {
        return Err(AssertionError::Issuer);
    }
    if assertion.aud != audience {
        return Err(AssertionError::Audience);
    }
    check_times(assertion.iat, assertion.exp, LIFETIME, now)?;
    Ok(assertion)
}

/// The claims of a token with exactly this type, signed by exactly this key. Times are for the caller.
pub(crate) fn open<T: DeserializeOwned>(token: &str, key: &PublicKey, typ: &str) -> Result<T, AssertionError> {
    use jsonwebtoken::errors::ErrorKind;

    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let header = jsonwebtoken::decode_header(token).map_err(|_| AssertionError::Shape)?;
    let named = header.kid.as_deref().is_none_or(|kid| kid == key.kid());
    if header.typ.as_deref() != Some(typ) || header.crit.is_some() || !named {
        return Err(AssertionError::Shape);
    }
    let decoding = DecodingKey::from_ed_der(&key.bytes);
    let opened = jsonwebtoken::decode::<T>(token, &decoding, &validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => AssertionError::Signature,
        _ => AssertionError::Shape,
    })?;
    Ok(opened.claims)
}

/// Whether `now` lies between the two, give or take [`SKEW`], and they are not further apart than `lifetime`.
pub(crate) fn check_times(iat: i64, exp: i64, lifetime: Duration, now: Timestamp) -> Result<(), AssertionError> {
    let (issued, expires) = (Timestamp::from_seconds(iat), Timestamp::from_seconds(exp));
    let begun = issued <= now.plus(SKEW);
    let ended = expires.plus(SKEW) <= now;
    let bounded = issued <= expires && expires.since(issued) <= lifetime;
    if begun && !ended && bounded { Ok(()) } else { Err(AssertionError::Time) }
}
