//! Header fields on their way through: what a client may not say, what belongs to one connection only, and what
//! Countersign says itself. One function for requests and one for responses, on every channel.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_identity::assertion::{Assertion, LIFETIME, Signer};
use countersign_lease::Principal;
use countersign_model::{DecisionId, Timestamp};
use http::HeaderMap;
use http::header::{
    ALT_SVC, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};

use super::inspect::Fault;

pub(super) const SUBJECT: HeaderName = HeaderName::from_static("countersign-subject");
const EMAIL: HeaderName = HeaderName::from_static("countersign-email");
const GROUPS: HeaderName = HeaderName::from_static("countersign-groups");
const DEVICE: HeaderName = HeaderName::from_static("countersign-device");
pub(super) const DECISION: HeaderName = HeaderName::from_static("countersign-decision");
const ASSERTION: HeaderName = HeaderName::from_static("countersign-assertion");
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// All that Countersign says of whoever asks.
pub(super) const IDENTITY: [HeaderName; 6] = [SUBJECT, EMAIL, GROUPS, DEVICE, DECISION, ASSERTION];
/// What `Via` calls a gateway.
pub(super) const PSEUDONYM: &str = "countersign";
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// One connection's own business (RFC 9110, 7.6.1), and what the gateway answers itself.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
    EXPECT,
];

/// What a name is compared as: lower case, with `-` for all that is neither letter nor digit, since servers and CGI
/// fold such characters into each other.
fn folded(name: &HeaderName) -> Cow<'_, str> {
    let name = name.as_str();
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect())
}

/// What says where a request ends and whose it is. Not a connection's to take away: that would change which request
/// this is.
const ESSENTIAL: [HeaderName; 5] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, COOKIE, http::header::AUTHORIZATION];

/// Whether some server would fold the name into one that is the gateway's to read, such as `content_length`.
fn poses(name: &HeaderName) -> bool {
    match folded(name) {
        Cow::Borrowed(_) => false,
        Cow::Owned(folded) => HOP_BY_HOP.iter().chain(&ESSENTIAL).any(|name| name.as_str() == folded),
    }
}

/// Beginnings of names by which one product or another says who somebody is, or what is really meant.
const RESERVED_PREFIXES: [&str; 28] = [
    "countersign-",
    "x-countersign-",
    "x-forwarded-",
    "x-auth-user",
    "x-auth-email",
    "x-auth-group",
    "x-auth-name",
    "x-auth-role",
    "x-auth-request-",
    "x-ssl-client-",
    "ssl-client-",
    "x-client-cert",
    "x-remote-",
    "x-webauth-",
    "x-original-",
    "impersonate-",
    "x-authentik-",
    "x-pomerium-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-amzn-oidc-",
    "x-ms-client-principal",
    "cf-access-",
    "tailscale-",
    "teleport-",
    "remote-user",
    "remote-group",
    "client-cert",
];

/// Names that say who somebody is, where a request comes from, or what it really asks for: never the client's to say.
fn reserved(name: &HeaderName) -> bool {
    let name = folded(name);
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            &*name,
            "countersign"
                | "x-countersign"
                | "forwarded"
                | "x-real-ip"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "true-client-ip"
                | "cf-connecting-ip"
                | "client-ip"
                | "remote-email"
                | "remote-name"
                | "x-authenticated-user"
                | "x-forwarded"
                | "x-script-name"
                | "x-rewrite-url"
                | "x-host"
                | "x-http-method"
                | "x-http-method-override"
                | "x-method-override"
                | "proxy"
        )
}

/// Whether some server may take the name for one that only Countersign writes.
fn own(name: &str) -> bool {
    let name = name.strip_prefix("x-").unwrap_or(name);
    name == "countersign" || name.starts_with("countersign-")
}

/// Fields of another proxy's client that must not reach an application. A field that only Countersign writes, or whose
/// name some server folds into one that is reserved, is not left to that proxy: the request is refused.
pub(super) fn spoofed(headers: &HeaderMap) -> Result<Vec<HeaderName>, Fault> {
    let disguised = |name: &HeaderName| matches!(folded(name), Cow::Owned(_)) && (reserved(name) || poses(name));
    if headers.keys().any(|name| own(&folded(name)) || disguised(name)) {
        return Err(Fault::Impersonation);
    }
    // These two every proxy writes itself.
    let written = |name: &HeaderName| *name == FORWARDED_FOR || *name == FORWARDED_PROTO;
    Ok(headers.keys().filter(|name| reserved(name) && !written(name)).cloned().collect())
}

/// Whether `Connection` lists a field that has to arrive: some proxies would remove what Countersign wrote there.
pub(super) fn lists_essential(headers: &HeaderMap) -> bool {
    listed(headers).map_or(true, |names| names.iter().any(|name| own(&folded(name))))
}

/// The names that `Connection` lists, which end here too.
fn listed(headers: &HeaderMap) -> Result<Vec<HeaderName>, Fault> {
    let mut names = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let value = value.to_str().map_err(|_| Fault::Connection)?;
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Fault::Connection)?;
            if ESSENTIAL.contains(&name) {
                return Err(Fault::Connection);
            }
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes from a request what must not pass. Whether it wants trailers in the response is returned.
pub(super) fn strip_request(headers: &mut HeaderMap) -> Result<bool, Fault> {
    let trailers = headers.get_all(TE).iter().any(|value| {
        value.to_str().is_ok_and(|te| te.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers")))
    });
    if headers.contains_key(CONNECTION) {
        for name in listed(headers)? {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    let spoofed: Vec<HeaderName> = headers.keys().filter(|name| reserved(name) || poses(name)).cloned().collect();
    for name in spoofed {
        headers.remove(name);
    }
    Ok(trailers)
}

/// Removes from a response what must not pass. `foreign` when an application sent it and not a part of Countersign.
pub(super) fn strip_response(headers: &mut HeaderMap, foreign: bool) {
    for name in listed(headers).unwrap_or_default() {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        // `Trailer` announces what comes at the end and is as good for the client as for the gateway.
        if name != TRAILER {
            headers.remove(name);
        }
    }
    if !foreign {
        return;
    }
    // It would send the browser round the gateway.
    headers.remove(ALT_SVC);
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| folded(name).starts_with("countersign-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    let forged = |value: &HeaderValue| {
        // Of a cookie without a name browsers send back the value alone, which then reads as a name.
        let mut value = value.as_bytes();
        while let [b' ' | b'\t' | b'=', rest @ ..] = value {
            value = rest;
        }
        let prefix = value.get(..COOKIE_PREFIX.len()).unwrap_or_default();
        prefix.eq_ignore_ascii_case(COOKIE_PREFIX.as_bytes())
    };
    if headers.get_all(SET_COOKIE).iter().any(forged) {
        let honest: Vec<HeaderValue> =
            headers.get_all(SET_COOKIE).iter().filter(|value| !forged(value)).cloned().collect();
        headers.remove(SET_COOKIE);
        for value in honest {
            headers.append(SET_COOKIE, value);
        }
    }
    if headers.contains_key(CLEAR_SITE_DATA) {
        let harmless = clearing_no_cookies(headers);
        headers.remove(CLEAR_SITE_DATA);
        if let Some(value) = harmless {
            headers.insert(CLEAR_SITE_DATA, value);
        }
    }
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// What may be cleared at an application's word. `"cookies"` and `"*"` reach the cookies of every host of the domain,
/// Countersign's among them.
fn clearing_no_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = headers.get_all(CLEAR_SITE_DATA).iter().filter_map(|value| value.to_str().ok());
    let kept: Vec<&str> = values
        .flat_map(|value| value.split(',').map(str::trim))
        .filter(|kind| {
            ["\"cache\"", "\"storage\"", "\"executionContexts\"", "\"clientHints\"", "\"prefetchCache\""].contains(kind)
        })
        .collect();
    if kept.is_empty() { None } else { HeaderValue::try_from(kept.join(", ")).ok() }
}

/// Every cookie of Countersign's own begins so; browsers let nobody but the host itself set one.
const COOKIE_PREFIX: &str = "__Host-countersign";

fn is_ours(name: &str) -> bool {
    name.get(..COOKIE_PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(COOKIE_PREFIX))
}

/// The cookies of a request, by name and value.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .flat_map(|value| value.split(';'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.trim(), value.trim()))
}

/// Removes Countersign's cookies and leaves one `Cookie` line at most. A line that is not text goes altogether.
pub(super) fn strip_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    let clean = |value: &HeaderValue| {
        std::str::from_utf8(value.as_bytes())
            .is_ok_and(|line| !line.split(';').any(|pair| is_ours(pair.split('=').next().unwrap_or_default().trim())))
    };
    match (lines.next(), lines.next()) {
        (None, _) => return,
        (Some(only), None) if clean(only) => return,
        _ => {}
    }
    let mut kept = String::new();
    for (name, value) in
        cookies(headers).filter(|(name, value)| !is_ours(name) && (!name.is_empty() || !value.is_empty()))
    {
        let separator = if kept.is_empty() { "" } else { "; " };
        let _ = write!(kept, "{separator}{name}={value}");
    }
    headers.remove(COOKIE);
    if let Some(value) = Some(kept).filter(|kept| !kept.is_empty()).and_then(|kept| HeaderValue::try_from(kept).ok()) {
        headers.insert(COOKIE, value);
    }
}

/// How the client reached us, for the application.
pub(super) struct Forwarding<'a> {
    pub(super) address: std::net::IpAddr,
    pub(super) scheme: &'static str,
    pub(super) host: &'a HeaderValue,
}

impl Forwarding<'_> {
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(address) = HeaderValue::try_from(self.address.to_string()) {
            headers.insert(FORWARDED_FOR, address);
        }
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(self.scheme));
        headers.insert(FORWARDED_HOST, self.host.clone());
        if let Ok(via) = HeaderValue::try_from(format!("1.1 {PSEUDONYM}")) {
            headers.append(VIA, via);
        }
    }
}

/// Writes who asks, plainly and signed. `false` if a value cannot stand in a header: then nothing may go upstream.
#[must_use]
pub(super) fn write_identity(
    headers: &mut HeaderMap,
    signer: &Signer,
    issuer: &str,
    principal: &Principal,
    decision: DecisionId,
    jti: String,
    now: Timestamp,
) -> bool {
    let decision = decision.to_string();
    let subject = principal.subject.to_string();
    let device = principal.device.as_ref().map(|device| device.as_str());
    let plain = [
        (SUBJECT, Some(text(&subject))),
        (EMAIL, principal.email.as_deref().map(text)),
        (GROUPS, Some(list(&principal.groups))),
        (DEVICE, device.map(text)),
        (DECISION, Some(Cow::Borrowed(&*decision))),
    ];
    for (name, value) in plain {
        let Some(value) = value else { continue };
        let Ok(value) = HeaderValue::from_str(&value) else { return false };
        headers.insert(name, value);
    }
    let assertion = signer.sign(&Assertion {
        iss: issuer.to_owned(),
        aud: principal.resource.to_string(),
        sub: subject,
        iat: now.seconds(),
        exp: now.plus(LIFETIME).seconds(),
        jti,
        decision,
        groups: principal.groups.clone(),
        name: Some(principal.display_name.clone()),
        email: principal.email.clone(),
        device: device.map(str::to_owned),
    });
    let Ok(assertion) = HeaderValue::try_from(assertion) else { return false };
    headers.insert(ASSERTION, assertion);
    true
}

/// Printable ASCII stands as it is; anything else as an RFC 2047 encoded word, which no plain value can be taken for.
fn text(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !value.starts_with("=?") {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("=?UTF-8?B?{}?=", STANDARD.encode(value)))
}

/// Comma-separated; a name with a comma, a quote or beyond ASCII is an encoded word, so that no group can pose as two.
fn list(values: &[String]) -> Cow<'_, str> {
    let mut joined = String::new();
    for value in values {
        let separator = if joined.is_empty() { "" } else { "," };
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'"' | b'\\'));
        let _ = if plain && !value.starts_with("=?") {
            write!(joined, "{separator}{value}")
        } else {
            write!(joined, "{separator}=?UTF-8?B?{}?=", STANDARD.encode(value))
        };
    }
    Cow::Owned(joined)
}
