//! Back-channel logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6): a provider says that a session, or
//! all sessions of a person, ended. Anybody can send one, so the rules are as strict as for signing in, and a token that
//! was made for signing in is refused.

use std::time::Duration;

use countersign_model::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use openidconnect::core::CoreJsonWebKeySet;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{SKEW, TokenFault};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How old a logout token may be: the specification suggests two minutes.
const MAX_AGE: Duration = Duration::from_secs(120);

/// A verified logout: of one session when `sid` is there, else of every session of `subject`. One of them always is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    pub issuer: String,
    pub subject: Option<String>,
    pub sid: Option<String>,
    /// Remember it until `expires`, and refuse it when it comes again.
    pub jti: String,
    pub issued: Timestamp,
    /// The last instant at which this token is still accepted.
    pub expires: Timestamp,
}

pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: i64,
    exp: Option<i64>,
    jti: String,
    sub: Option<String>,
    sid: Option<String>,
    events: Map<String, Value>,
    #[serde(default)]
    nonce: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn is(&self, client_id: &str) -> bool {
        match self {
            Self::One(audience) => audience == client_id,
            Self::Many(audiences) => matches!(audiences.as_slice(), [audience] if audience == client_id),
        }
    }
}

pub(crate) fn verify(
    token: &str,
    keys: &CoreJsonWebKeySet,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<LogoutToken, TokenFault> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(TokenFault::Algorithm);
    }
    // The type is recommended only; where it is written it must be right. An ID token says `JWT`, or nothing, and
    // fails below for want of the event.
    let typed = header.typ.as_deref().is_none_or(|typ| {
        let typ = typ.to_ascii_lowercase();
        matches!(typ.strip_prefix("application/").unwrap_or(&typ), "logout+jwt" | "jwt")
    });
    if !typed || header.crit.is_some() {
        return Err(TokenFault::NotALogout);
    }
    let claims = open(token, keys, header.kid.as_deref(), header.alg)?;
    if claims.iss != expected.issuer {
        return Err(TokenFault::Issuer);
    }
    if !claims.aud.is(expected.client_id) {
        return Err(TokenFault::Audience);
    }
    let event = claims.events.get(EVENT).is_some_and(Value::is_object);
    let named = claims.sub.is_some() || claims.sid.is_some();
    if !event || !named || claims.nonce.is_some() || claims.jti.is_empty() || claims.jti.len() > 256 {
        return Err(TokenFault::NotALogout);
    }
    let issued = Timestamp::from_seconds(claims.iat);
    let told = claims.exp.map_or(Timestamp::FOREVER, Timestamp::from_seconds);
    let expires = issued.plus(MAX_AGE).min(told).plus(SKEW);
    if issued > now.plus(SKEW) || expires <= now {
        return Err(TokenFault::Time);
    }
    Ok(LogoutToken { issuer: claims.iss, subject: claims.sub, sid: claims.sid, jti: claims.jti, issued, expires })
}

/// The claims, signed by the provider's key that the header names, or by its only fitting one. The header chooses among
/// the provider's keys, never brings one.
fn open(token: &str, keys: &CoreJsonWebKeySet, kid: Option<&str>, alg: Algorithm) -> Result<Claims, TokenFault> {
    let keys =
        serde_json::to_value(keys).and_then(serde_json::from_value::<JwkSet>).map_err(|_| TokenFault::UnknownKey)?;
    let fits = |jwk: &&Jwk| {
        let common = &jwk.common;
        kid.is_none_or(|kid| common.key_id.as_deref() == Some(kid))
            && matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && DecodingKey::from_jwk(jwk).is_ok_and(|key| key.family() == alg.family())
    };
    let mut fitting = keys.keys.iter().filter(fits);
    let (Some(jwk), None) = (fitting.next(), fitting.next()) else { return Err(TokenFault::UnknownKey) };
    let key = DecodingKey::from_jwk(jwk).map_err(|_| TokenFault::UnknownKey)?;
    let mut validation = Validation::new(alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let opened = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenFault::Signature,
        _ => TokenFault::Malformed,
    })?;
    Ok(opened.claims)
}
