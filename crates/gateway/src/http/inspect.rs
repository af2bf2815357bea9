//! What a request is, before anybody asks whether it may be: one host, one path, one channel. Whatever has two readings
//! is refused here, before routing, with 400.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, SEC_WEBSOCKET_VERSION, UPGRADE, VIA};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};

use super::headers::{FORWARDED_FOR, FORWARDED_PROTO, PSEUDONYM};
use super::path::{PathFault, normalize};
use super::settings::{AddressRange, Limits};

/// Longer than any method that is registered, and than any name in the DNS.
const LONGEST_METHOD: usize = 32;
const LONGEST_HOST: usize = 253;
/// Gateways in front of each other are few; a request that has passed more of them goes in a circle.
const MOST_PASSES: usize = 3;

/// Why a request is refused unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the request names no host, or more than one")]
    Host,
    #[error(transparent)]
    Path(#[from] PathFault),
    #[error("the request target has a form that is not served here")]
    Target,
    #[error("path and query are longer than the configured limit")]
    LongTarget,
    #[error("a field that frames the request is listed in Connection, or Connection cannot be read")]
    Connection,
    #[error("the body's length is given twice, or not as a number")]
    Length,
    #[error("the upgrade is not a WebSocket handshake")]
    Upgrade,
    #[error("a page of another origin may not open a WebSocket here")]
    ForeignOrigin,
    #[error("a trusted proxy does not say in a readable way whose request it forwards")]
    Forwarded,
    #[error("the proxy does not say, in one way, which request it asks about")]
    Original,
    #[error("the client sends a field that only Countersign writes, or that a server may take for one")]
    Impersonation,
    #[error("the request comes round again and again")]
    Loop,
    #[error("this method is not served here")]
    Method,
    #[error("the body is larger than the configured limit")]
    TooLarge,
}

impl Fault {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Host
            | Self::Path(_)
            | Self::Target
            | Self::Connection
            | Self::Length
            | Self::Upgrade
            | Self::Original
            | Self::Impersonation
            | Self::Forwarded => StatusCode::BAD_REQUEST,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::LongTarget => StatusCode::URI_TOO_LONG,
            Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Http1,
    Http2,
    WebSocket,
    Grpc,
}

impl Channel {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "http/2",
            Self::WebSocket => "websocket",
            Self::Grpc => "grpc",
        }
    }
}

/// A request with one reading.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) channel: Channel,
    /// Lower case, without a port.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Host and port, for the application.
    pub(super) authority: HeaderValue,
    /// The one spelling, without the query.
    pub(super) path: String,
}

/// Reads what kind of request this is, or refuses it.
pub(super) fn inspect(parts: &Parts, limits: &Limits) -> Result<Inspected, Fault> {
    // Host, method and path stand in the entry of the decision: none of them may make it too large to record.
    if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > limits.target_bytes) {
        return Err(Fault::LongTarget);
    }
    if parts.method.as_str().len() > LONGEST_METHOD {
        return Err(Fault::Method);
    }
    let extended = parts.extensions.get::<hyper::ext::Protocol>();
    match (&parts.method, extended) {
        (&Method::CONNECT, Some(protocol)) if protocol.as_str() == "websocket" => {}
        (&Method::CONNECT | &Method::TRACE, _) => return Err(Fault::Method),
        _ => {}
    }
    let (host, port, authority) = host(parts)?;
    if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Fault::Target);
    }
    let path = normalize(parts.uri.path())?.into_owned();
    length(&parts.headers, limits.body_bytes)?;
    if passes(&parts.headers) > MOST_PASSES {
        return Err(Fault::Loop);
    }
    let channel = channel(parts, extended.is_some())?;
    Ok(Inspected { channel, host, port, authority, path })
}

/// The one host: `Host`, `:authority` and an absolute target must agree.
fn host(parts: &Parts) -> Result<(String, Option<u16>, HeaderValue), Fault> {
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Fault::Host);
    }
    let named = parts.uri.authority();
    let written = match (field, named) {
        (Some(field), named) => {
            let field = field.to_str().map_err(|_| Fault::Host)?;
            if named.is_some_and(|named| !named.as_str().eq_ignore_ascii_case(field)) {
                return Err(Fault::Host);
            }
            field
        }
        // HTTP/1 must say `Host`, whatever the target says.
        (None, Some(named)) if parts.version == Version::HTTP_2 => named.as_str(),
        (None, _) => return Err(Fault::Host),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let authority: Authority = written.parse().map_err(|_| Fault::Host)?;
    let name = authority.host();
    let odd = name.is_empty()
        || name.len() > LONGEST_HOST
        || name.ends_with('.')
        || name.starts_with('.')
        || name.contains("..");
    // A port that is no number, or is empty, is not the same as none.
    let port = match written.strip_prefix(name).ok_or(Fault::Host)? {
        "" => None,
        port => Some(port.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()).ok_or(Fault::Host)?),
    };
    if odd || !written.bytes().all(plain) {
        return Err(Fault::Host);
    }
    let written = HeaderValue::from_str(written).map_err(|_| Fault::Host)?;
    Ok((name.to_ascii_lowercase(), port, written))
}

fn length(headers: &HeaderMap, limit: Option<u64>) -> Result<(), Fault> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    let text = length.to_str().map_err(|_| Fault::Length)?;
    if lengths.next().is_some() || text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Length);
    }
    let length: u64 = text.parse().map_err(|_| Fault::Length)?;
    if limit.is_some_and(|limit| length > limit) { Err(Fault::TooLarge) } else { Ok(()) }
}

fn channel(parts: &Parts, extended: bool) -> Result<Channel, Fault> {
    let headers = &parts.headers;
    if extended {
        return Ok(Channel::WebSocket);
    }
    if parts.version != Version::HTTP_2 && headers.contains_key(UPGRADE) && lists(headers, "upgrade") {
        let mut upgrades = headers.get_all(UPGRADE).iter();
        let one = upgrades.next().filter(|_| upgrades.next().is_none()).map(HeaderValue::as_bytes);
        let websocket = one.is_some_and(|one| one.eq_ignore_ascii_case(b"websocket"));
        let mentioned = headers
            .get_all(UPGRADE)
            .iter()
            .any(|value| value.as_bytes().to_ascii_lowercase().windows(9).any(|word| word == b"websocket"));
        if websocket {
            let version = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
            let bodiless = !headers.contains_key(http::header::TRANSFER_ENCODING)
                && headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
            let handshake = version && bodiless && headers.contains_key(http::header::SEC_WEBSOCKET_KEY);
            return if handshake && parts.method == Method::GET { Ok(Channel::WebSocket) } else { Err(Fault::Upgrade) };
        }
        if mentioned {
            return Err(Fault::Upgrade);
        }
        // Any other upgrade is an offer, and a server may decline it by answering as if it had not been made.
    }
    let grpc = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    Ok(match parts.version {
        _ if grpc => Channel::Grpc,
        Version::HTTP_2 => Channel::Http2,
        _ => Channel::Http1,
    })
}

fn lists(headers: &HeaderMap, option: &str) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        value.to_str().is_ok_and(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(option)))
    })
}

/// How often the request has passed a gateway like this one.
fn passes(headers: &HeaderMap) -> usize {
    let hops = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    hops.filter(|hop| hop.split_ascii_whitespace().nth(1) == Some(PSEUDONYM)).count()
}

/// Browsers send the cookies of this host with a WebSocket that any page opens, and always say which page it is. A
/// programme says nothing. `scheme` as the client saw it: a page that came unencrypted is anybody's on the way.
pub(super) fn same_origin(headers: &HeaderMap, scheme: &str, authority: &HeaderValue) -> Result<(), Fault> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let page = origin.to_str().ok().filter(|_| origins.next().is_none());
    let page = page.and_then(|page| page.strip_prefix(scheme)?.strip_prefix("://"));
    let same = page.is_some_and(|page| page.as_bytes().eq_ignore_ascii_case(authority.as_bytes()));
    if same { Ok(()) } else { Err(Fault::ForeignOrigin) }
}

/// The client's address and scheme: the connection's own, unless a trusted proxy says otherwise.
pub(super) fn client(
    headers: &HeaderMap,
    peer: IpAddr,
    encrypted: bool,
    trusted: &[AddressRange],
) -> Result<(IpAddr, bool), Fault> {
    if !trusted.iter().any(|range| range.contains(peer)) {
        return Ok((peer, encrypted));
    }
    let address = last_untrusted(headers, peer, trusted)?;
    let mut schemes = headers.get_all(FORWARDED_PROTO).iter();
    let encrypted = match (schemes.next(), schemes.next()) {
        (None, _) => encrypted,
        (Some(scheme), None) => encrypted_scheme(scheme),
        (Some(_), Some(_)) => false,
    };
    Ok((address, encrypted))
}

/// The same from a proxy that has proved to be one: it has to say both.
pub(super) fn forwarded(headers: &HeaderMap, trusted: &[AddressRange]) -> Result<(IpAddr, bool), Fault> {
    if !headers.contains_key(FORWARDED_FOR) {
        return Err(Fault::Forwarded);
    }
    // Where nothing is listed this is not used: the first entry read is either not trusted or replaces it.
    let address = last_untrusted(headers, Ipv6Addr::UNSPECIFIED.into(), trusted)?;
    let mut schemes = headers.get_all(FORWARDED_PROTO).iter();
    match (schemes.next(), schemes.next()) {
        (Some(scheme), None) if scheme == "http" || scheme == "ws" => Ok((address, false)),
        (Some(scheme), None) if encrypted_scheme(scheme) => Ok((address, true)),
        (_, _) => Err(Fault::Forwarded),
    }
}

/// Some proxies say `wss` of a WebSocket.
fn encrypted_scheme(scheme: &HeaderValue) -> bool {
    scheme == "https" || scheme == "wss"
}

fn last_untrusted(headers: &HeaderMap, peer: IpAddr, trusted: &[AddressRange]) -> Result<IpAddr, Fault> {
    // From the right, which is what our own proxies wrote, to the first address that is not one of them; what
    // stands left of that is anybody's. Before it, what cannot be read is refused: the proxy's own address, often
    // loopback, is not the client's.
    let mut address = peer;
    let chain = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|value| std::str::from_utf8(value.as_bytes()).unwrap_or_default().rsplit(',').map(str::trim));
    for hop in chain {
        address = forwarded_address(hop).ok_or(Fault::Forwarded)?;
        if !trusted.iter().any(|range| range.contains(address)) {
            break;
        }
    }
    Ok(address)
}

/// An address, with or without a port, brackets and quotes, as proxies write it.
fn forwarded_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"')).unwrap_or(hop);
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = hop.parse::<IpAddr>().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}
