//! The way to sign-in and back. No secret is ever in an address: the browser keeps a nonce in a cookie of this host, the
//! address carries its hash, and the one-time code that comes back counts only together with the nonce.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_lease::{Gate, HandOff, HandOffError, Refusal};
use countersign_model::{CredentialSecret, DecisionId, DeviceEvidence, Need, Remedy, Timestamp};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::body::Outgoing;
use super::credential::{NONCE_COOKIE, SESSION_COOKIE};
use super::headers::cookies;
use super::inspect::Inspected;
use super::refuse::No;

/// Everything below this path is Countersign's own, at every host.
const RESERVED: &str = "/.countersign";
const CALLBACK: &str = "/.countersign/callback";
/// Where an application that can be read by anybody sends whoever wants to be known to it.
const BEGIN: &str = "/.countersign/sign-in";

/// Whether the path is Countersign's own, at whatever host.
pub(super) fn reserved(path: &str) -> bool {
    path.strip_prefix(RESERVED).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where people sign in.
pub(super) struct Place<'a> {
    pub(super) control_host: &'a str,
    pub(super) origin: String,
    /// Where the browser comes back to, if that is another port than it signs in at.
    pub(super) port: Option<u16>,
}

/// Where to send a browser that has to sign in first.
pub(super) struct Detour<'a> {
    pub(super) place: Place<'a>,
    pub(super) request: &'a Inspected,
    pub(super) query: Option<&'a str>,
    /// The browser's nonce, if it is on its way to sign-in already, in another tab.
    pub(super) nonce: Option<String>,
    /// Whether it brought a session cookie of this host.
    pub(super) known: bool,
}

/// The nonce among the cookies, if it is one of ours.
pub(super) fn nonce(headers: &HeaderMap) -> Option<String> {
    let mut nonces = cookies(headers).filter(|(name, _)| *name == NONCE_COOKIE).map(|(_, value)| value);
    let nonce = nonces.next().filter(|_| nonces.next().is_none())?;
    let genuine = nonce.len() == 43 && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    genuine.then(|| nonce.to_owned())
}

impl Detour<'_> {
    /// `None` if signing in is no part of what is missing.
    pub(super) fn response(self, refusal: &Refusal, remedy: &Remedy) -> Option<Response<Outgoing>> {
        if !remedy.needs.iter().any(Need::immediate) {
            return None;
        }
        let target = match self.query {
            Some(query) => format!("{}?{query}", self.request.path),
            None => self.request.path.clone(),
        };
        // Who is new at this host may have proved enough at the control host a moment ago: they are asked for more only
        // when they come back and it was not enough.
        let step_up = self.known && remedy.needs.contains(&Need::PhishingResistantSignIn);
        self.towards(&encoded(&target), step_up, refusal.decision)
    }

    /// For whoever follows an application's link to sign in, although nothing demands it. The same way as any other, so
    /// that whoever has a session at the control host is back at once; where to is checked there, like everything that
    /// an address says. `None` if this is not such a request.
    pub(super) fn asked_for(self, method: &Method) -> Option<Response<Outgoing>> {
        if self.request.path != BEGIN || method != Method::GET {
            return None;
        }
        let mut wishes = self.query.unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("return="));
        let target = wishes.next().filter(|_| wishes.next().is_none()).unwrap_or("/");
        self.towards(target, false, None)
    }

    /// `target` is where to come back to, encoded for a query.
    fn towards(self, target: &str, step_up: bool, decision: Option<DecisionId>) -> Option<Response<Outgoing>> {
        let (request, place) = (self.request, self.place);
        let mut location = format!("{}/sign-in?host={}&return={target}", place.origin, encoded(&request.host));
        if let Some(port) = place.port {
            location.push_str(&format!("&port={port}"));
        }
        let mut response = Response::new(Outgoing::local(""));
        *response.status_mut() = StatusCode::SEE_OTHER;
        if request.host != place.control_host {
            let nonce = self.nonce.unwrap_or_else(|| URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
            let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&nonce));
            location.push_str(&format!("&nonce={hash}"));
            let cookie = format!("{NONCE_COOKIE}={nonce}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600");
            response.headers_mut().insert(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
        }
        location.push_str(if step_up { "&step_up=1" } else { "&step_up=0" });
        if let Some(decision) = decision {
            location.push_str(&format!("&decision={decision}"));
        }
        response.headers_mut().insert(LOCATION, HeaderValue::try_from(location).ok()?);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}

/// What a signed-in browser brings back, before any routing.
pub(super) struct Return<'a> {
    pub(super) method: &'a Method,
    pub(super) request: &'a Inspected,
    pub(super) query: Option<&'a str>,
    pub(super) nonce: Option<String>,
    pub(super) device: DeviceEvidence,
    pub(super) address: IpAddr,
    pub(super) now: Timestamp,
}

impl Return<'_> {
    pub(super) async fn redeem(self, gate: &Gate) -> Result<Response<Outgoing>, No> {
        if self.request.path != CALLBACK || self.method != Method::GET {
            return Err(No::Nothing);
        }
        let mut codes =
            self.query.unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("code=")).map(str::to_owned);
        let code = codes.next().filter(|code| {
            codes.next().is_none() && (16..=256).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic())
        });
        let (Some(code), Some(nonce)) = (code, self.nonce) else { return Err(No::HandOff) };
        let hand_off = HandOff {
            code: CredentialSecret::new(code),
            nonce: CredentialSecret::new(nonce),
            host: self.request.host.clone(),
            device: self.device,
            address: self.address,
        };
        let cookie = gate.redeem(hand_off).await.map_err(|error| match error {
            HandOffError::Invalid => No::HandOff,
            HandOffError::Unavailable => {
                No::Refused(Refusal { decision: None, kind: countersign_lease::RefusalKind::Unavailable })
            }
        })?;
        let age = cookie.expires.since(self.now).as_secs();
        let session = format!(
            "{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}",
            cookie.secret.expose()
        );
        let mut session = HeaderValue::try_from(session).map_err(|_| No::HandOff)?;
        session.set_sensitive(true);
        let spent = format!("{NONCE_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        let mut response = Response::new(Outgoing::local(""));
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        headers.append(SET_COOKIE, session);
        headers.append(SET_COOKIE, HeaderValue::try_from(spent).map_err(|_| No::HandOff)?);
        headers.insert(
            LOCATION,
            HeaderValue::from_str(local(&cookie.return_to)).unwrap_or_else(|_| HeaderValue::from_static("/")),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(response)
    }
}

/// A path and query at this very host, or `/`.
fn local(target: &str) -> &str {
    let path = target.starts_with('/')
        && !matches!(target.as_bytes().get(1), Some(b'/' | b'\\'))
        && target.bytes().all(|byte| byte.is_ascii_graphic());
    if path { target } else { "/" }
}

/// For a value in a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
