//! The request that a proxy asks about, put back into the form in which the gateway reads its own: method, target and
//! fields of the client, and nothing of the proxy's. What the proxy says of it has to be said once and readably.

use std::net::IpAddr;

use countersign_model::DeviceEvidence;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use crate::http::headers;
use crate::http::inspect::{self, Fault};
use crate::http::settings::AddressRange;

const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const HOST_NAME: HeaderName = HeaderName::from_static("x-forwarded-host");
const TARGET: HeaderName = HeaderName::from_static("x-forwarded-uri");
const PROTOCOL: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// One client's request, as the proxy got it.
pub(super) struct Original {
    pub(super) parts: Parts,
    pub(super) address: IpAddr,
    pub(super) encrypted: bool,
    /// What the client proved to the proxy in its TLS handshake.
    pub(super) device: DeviceEvidence,
}

/// From `X-Forwarded-Method`, `-Host`, `-Uri`, `-For` and `-Proto` of the proxy's own request.
pub(super) fn forwarded(parts: Parts, trusted: &[AddressRange]) -> Result<Original, Fault> {
    let mut fields = parts.headers;
    let method = one(&fields, &METHOD)?.to_owned();
    let host = one(&fields, &HOST_NAME)?.to_owned();
    let target = one(&fields, &TARGET)?.to_owned();
    let (address, encrypted) = inspect::forwarded(&fields, trusted)?;
    for name in [HOST, METHOD, HOST_NAME, TARGET, PROTOCOL] {
        fields.remove(name);
    }
    Written { method: &method, host: &host, target: &target, fields, address, encrypted }.read(DeviceEvidence::Absent)
}

/// From the proxy's request itself, whose target is the client's below `prefix`.
pub(super) fn below(prefix: &str, parts: Parts, trusted: &[AddressRange]) -> Result<Original, Fault> {
    let Parts { method, uri, headers: mut fields, .. } = parts;
    let host = match (fields.contains_key(HOST), uri.authority()) {
        (true, None) => one(&fields, &HOST)?.to_owned(),
        (false, Some(authority)) => authority.to_string(),
        (true, Some(authority)) if one(&fields, &HOST)? == authority.as_str() => authority.to_string(),
        (true, Some(_)) | (false, None) => return Err(Fault::Host),
    };
    let target = uri.path_and_query().and_then(|target| target.as_str().strip_prefix(prefix));
    let target = target.ok_or(Fault::Original)?;
    let (address, encrypted) = inspect::forwarded(&fields, trusted)?;
    fields.remove(HOST);
    Written { method: method.as_str(), host: &host, target, fields, address, encrypted }.read(DeviceEvidence::Absent)
}

fn one<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Fault> {
    let mut values = fields.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
    value.filter(|value| !value.is_empty()).ok_or(Fault::Original)
}

/// What a proxy wrote, whatever the form.
pub(super) struct Written<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// Path and query, as they go upstream.
    pub(super) target: &'a str,
    /// The client's, and what is left of the proxy's own.
    pub(super) fields: HeaderMap,
    pub(super) address: IpAddr,
    pub(super) encrypted: bool,
}

impl Written<'_> {
    pub(super) fn read(self, device: DeviceEvidence) -> Result<Original, Fault> {
        let Self { method, host, target, mut fields, address, encrypted } = self;
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::from_bytes(method.as_bytes()).map_err(|_| Fault::Original)?;
        // A URI would be read without its fragment, and goes upstream with it.
        let plain =
            target.starts_with('/') && !target.contains('#') && target.bytes().all(|byte| byte.is_ascii_graphic());
        let target = Some(target).filter(|_| plain).ok_or(Fault::Original)?;
        parts.uri = Uri::from(PathAndQuery::try_from(target).map_err(|_| Fault::Original)?);
        let usual = if encrypted { ":443" } else { ":80" };
        let host = HeaderValue::from_str(host.strip_suffix(usual).unwrap_or(host)).map_err(|_| Fault::Host)?;
        // The framing is of the proxy's own request.
        fields.remove(CONTENT_LENGTH);
        fields.remove(TRANSFER_ENCODING);
        if headers::lists_essential(&fields) {
            return Err(Fault::Impersonation);
        }
        fields.remove(CONNECTION);
        upgrade(&mut fields)?;
        fields.insert(HOST, host);
        parts.headers = fields;
        Ok(Original { parts, address, encrypted, device })
    }
}

/// A WebSocket's handshake, of which proxies keep `Connection` and often `Upgrade` to themselves, is one if any of it
/// is left. Any other upgrade would open a channel that nobody looks into, and here it cannot be taken out.
fn upgrade(fields: &mut HeaderMap) -> Result<(), Fault> {
    let mut upgrades = fields.get_all(UPGRADE).iter();
    let named = upgrades.next();
    let other = named.is_some_and(|named| !named.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if other || upgrades.next().is_some() {
        return Err(Fault::Upgrade);
    }
    if named.is_some() || fields.keys().any(|name| name.as_str().starts_with("sec-websocket-")) {
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    Ok(())
}
