//! Which credential a request carries. Countersign's own never goes upstream; an application's own passes through.
//!
//! | session cookie | `Authorization` | credential | goes upstream |
//! |---|---|---|---|
//! | – | none, or not ours | absent | as it is |
//! | – | ours | bearer | nothing |
//! | one | none, or not ours | cookie | as it is |
//! | one | ours | ambiguous | nothing |
//! | several | any | ambiguous | nothing |
//! | any | several lines | ambiguous | nothing |

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Credential, CredentialSecret};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::headers::{cookies, strip_cookies};

pub(super) const SESSION_COOKIE: &str = "__Host-countersign";
pub(super) const NONCE_COOKIE: &str = "__Host-countersign-nonce";

/// Takes the credential out of the headers, and with it everything that is Countersign's own.
pub(super) fn take(headers: &mut HeaderMap, host: &str) -> Credential {
    let session = one(cookies(headers).filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value));
    let session = session.map(|value| value.map(CredentialSecret::new));
    strip_cookies(headers);
    let bearers = one(headers.get_all(AUTHORIZATION).iter().map(|value| bearer(value.as_bytes())));
    let bearers = bearers.and_then(|value| value.map_or(Ok(None), |value| value.map(Some)));
    let credential = match (session, bearers) {
        (Ok(None), Ok(None | Some(None))) => return Credential::Absent,
        (Ok(Some(secret)), Ok(None | Some(None))) => {
            return Credential::SessionCookie { secret, host: host.to_owned() };
        }
        (Ok(None), Ok(Some(Some(token)))) => Credential::Bearer(CredentialSecret::new(token)),
        (Ok(Some(_)), Ok(Some(Some(_)))) | (Err(Several), _) | (_, Err(Several)) => Credential::Ambiguous,
    };
    headers.remove(AUTHORIZATION);
    credential
}

struct Several;

fn one<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Several> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Several),
    }
}

/// The token, if it is Countersign's own. Its own under another scheme, or among other words, is no credential, but
/// must not pass for the application's either.
fn bearer(value: &[u8]) -> Result<Option<String>, Several> {
    let value = String::from_utf8_lossy(value);
    let mut words = value.split(|c: char| c.is_ascii_whitespace() || c == ',').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(scheme), Some(token), None) if scheme.eq_ignore_ascii_case("bearer") && is_ours(token) => {
            Ok(Some(token.to_owned()))
        }
        _ if value.split(|c: char| c.is_ascii_whitespace() || c == ',').any(is_ours) => Err(Several),
        _ => Ok(None),
    }
}

/// An API key, or a token whose header says that Countersign made it. Whether it is genuine is not for here.
fn is_ours(token: &str) -> bool {
    if token.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("cs_")) {
        return true;
    }
    let header = token.split('.').next().filter(|header| header.len() <= 1024).unwrap_or_default();
    URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok())
        .and_then(|header| header.get("typ")?.as_str().map(str::to_ascii_lowercase))
        .is_some_and(|typ| typ.trim_start_matches("application/").starts_with("countersign-"))
}
