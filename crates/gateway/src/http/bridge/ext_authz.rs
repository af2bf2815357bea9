//! Envoy's external authorization over gRPC, version 3: one message in, one out. The messages are those of
//! `envoy/service/auth/v3/external_auth.proto` and what it uses, with the fields that are read or written here; what
//! else stands in a message is skipped, as protocol buffers have it. An error is a status of gRPC and never an answer,
//! so Envoy treats it as its own `failure_mode_allow` says: the shipped configuration refuses.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use countersign_model::{DeviceEvidence, SubjectId};
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use prost::Message;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::original::{Original, Written};
use super::{Granted, Refused, ask, form as form_of, outcome, text, words};
use crate::http::Node;
use crate::http::body::Outgoing;
use crate::http::inspect::Fault;
use crate::http::refuse::{Form, No};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Beside the request's head there is a certificate at most; a body is not asked for.
const BESIDE_HEAD: usize = 64 * 1024;

/// Whether this is a call of `Check`.
pub(super) fn asked(parts: &http::request::Parts) -> bool {
    parts.uri.path() == CHECK && parts.method == Method::POST
}

/// How whoever asks at this address is told that they may not.
pub(super) fn form(uri: &Uri) -> Form {
    if uri.path() == CHECK { Form::Grpc } else { Form::Problem }
}

/// Answers `Check`.
pub(super) async fn check(
    node: &Node,
    caller: Option<SubjectId>,
    body: Incoming,
) -> (&'static str, Response<Outgoing>) {
    let limit = node.settings.limits.header_bytes.saturating_add(BESIDE_HEAD);
    let Some(request) = message(body, limit).await else {
        return ("unreadable", No::Fault(Fault::Original).response(Form::Grpc, &node.settings.issuer));
    };
    let original = original(request);
    let form = original.as_ref().map_or(Form::Problem, form_of);
    let decided = match original {
        Ok(original) => ask(node, original, caller, "ext-authz", form).await,
        Err(fault) => Err(fault.into()),
    };
    let outcome = outcome(&decided);
    let answer = match decided {
        Ok(granted) => allowed(&granted),
        Err(refused) => denied(refused, form, node),
    };
    (outcome, framed(&answer))
}

/// The one message of a call; `None` if it is none, is compressed, or is longer than it can be.
async fn message(body: Incoming, limit: usize) -> Option<CheckRequest> {
    let bytes = Limited::new(body, limit).collect().await.ok()?.to_bytes();
    let (head, message) = bytes.split_at_checked(5)?;
    let (&0, length) = head.split_first()? else { return None };
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    if length == message.len() { CheckRequest::decode(message).ok() } else { None }
}

fn framed(answer: &CheckResponse) -> Response<Outgoing> {
    let length = answer.encoded_len();
    let mut framed = BytesMut::with_capacity(length.saturating_add(5));
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    framed.put_slice(&answer.encode_to_vec());
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let mut response = Response::new(Outgoing::message(framed.freeze(), trailers));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// What one message tells of.
pub(super) fn read(message: &[u8]) -> Result<Original, Fault> {
    CheckRequest::decode(message).map_err(|_| Fault::Original).and_then(original)
}

/// The request as Envoy got it. Without `encode_raw_headers` a field that came twice is one value with a comma, as far
/// as Envoy says; a host with a comma in it is none.
fn original(request: CheckRequest) -> Result<Original, Fault> {
    let attributes = request.attributes.ok_or(Fault::Original)?;
    let source = attributes.source.ok_or(Fault::Forwarded)?;
    let address = source.address.and_then(|address| address.socket_address).ok_or(Fault::Forwarded)?.address;
    let address = address.parse::<std::net::IpAddr>().map_err(|_| Fault::Forwarded)?.to_canonical();
    let http = attributes.request.and_then(|request| request.http).ok_or(Fault::Original)?;
    let encrypted = match http.scheme.as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(Fault::Original),
    };
    let raw = http.header_map.map(|map| map.headers).unwrap_or_default();
    let plain = http.headers.into_iter().map(|(name, value)| (name, Bytes::from(value)));
    let named: Vec<(String, Bytes)> =
        if raw.is_empty() { plain.collect() } else { raw.into_iter().map(HeaderField::into_pair).collect() };
    let mut fields = HeaderMap::with_capacity(named.len());
    for (name, value) in named.into_iter().filter(|(name, _)| !name.starts_with(':')) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Fault::Original)?;
        fields.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| Fault::Original)?);
    }
    // Envoy has made `:authority` of it; a second one would be a second request.
    if fields.remove(http::header::HOST).is_some_and(|host| host.as_bytes() != http.host.as_bytes()) {
        return Err(Fault::Host);
    }
    let device = device(&source.certificate)?;
    let (method, host, target) = (&*http.method, &*http.host, &*http.path);
    Written { method, host, target, fields, address, encrypted }.read(device)
}

/// The certificate that the client proved to have in its handshake with Envoy: PEM, percent-encoded.
fn device(certificate: &str) -> Result<DeviceEvidence, Fault> {
    if certificate.is_empty() {
        return Ok(DeviceEvidence::Absent);
    }
    let pem = percent_decoded(certificate).ok_or(Fault::Original)?;
    let der = CertificateDer::from_pem_slice(&pem).map_err(|_| Fault::Original)?;
    Ok(DeviceEvidence::Certificate { fingerprint: hex::encode(Sha256::digest(&der)) })
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        decoded.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    Some(decoded)
}

fn allowed(granted: &Granted) -> CheckResponse {
    let empty = |value: &HeaderValue| value.is_empty();
    let kept = granted.headers.iter().filter(|(_, value)| !empty(value));
    let emptied = granted.headers.iter().filter(|(_, value)| empty(value)).map(|(name, _)| name);
    let remove = emptied.chain(&granted.spoofed).map(|name| name.as_str().to_owned());
    let ok = OkResponse {
        headers: kept.map(|(name, value)| HeaderOption::put(name, value)).collect(),
        headers_to_remove: remove.collect(),
    };
    let told = [("subject", &granted.subject), ("decision", &granted.decision)];
    CheckResponse {
        status: Some(Status { code: 0 }),
        http_response: Some(HttpResponse::Ok(ok)),
        dynamic_metadata: Some(Struct::of(told.map(|(name, value)| (name.to_owned(), value.clone())))),
    }
}

fn denied(refused: Refused, form: Form, node: &Node) -> CheckResponse {
    let (head, body) = words(refused, form, node).into_parts();
    let told = ["countersign-decision", "countersign-reason"].into_iter().filter_map(|name| {
        let value = head.headers.get(name)?;
        Some((name.trim_start_matches("countersign-").to_owned(), text(value).into_owned()))
    });
    let denied = DeniedResponse {
        status: Some(HttpStatus { code: i32::from(head.status.as_u16()) }),
        headers: head.headers.iter().map(|(name, value)| HeaderOption::put(name, value)).collect(),
        body: String::from_utf8_lossy(&body.words()).into_owned(),
    };
    const PERMISSION_DENIED: i32 = 7;
    CheckResponse {
        status: Some(Status { code: PERMISSION_DENIED }),
        dynamic_metadata: Some(Struct::of(told)),
        http_response: Some(HttpResponse::Denied(denied)),
    }
}

#[derive(Clone, PartialEq, Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<AttributesRequest>,
}

#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
    #[prost(string, tag = "5")]
    certificate: String,
}

#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket_address: Option<SocketAddress>,
}

#[derive(Clone, PartialEq, Message)]
struct SocketAddress {
    #[prost(string, tag = "2")]
    address: String,
}

#[derive(Clone, PartialEq, Message)]
struct AttributesRequest {
    #[prost(message, optional, tag = "2")]
    http: Option<HttpAttributes>,
}

#[derive(Clone, PartialEq, Message)]
struct HttpAttributes {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(string, tag = "6")]
    scheme: String,
    #[prost(message, optional, tag = "13")]
    header_map: Option<Fields>,
}

#[derive(Clone, PartialEq, Message)]
struct Fields {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<HeaderField>,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderField {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "bytes", tag = "3")]
    raw_value: Bytes,
}

impl HeaderField {
    fn into_pair(self) -> (String, Bytes) {
        let value = if self.raw_value.is_empty() { Bytes::from(self.value) } else { self.raw_value };
        (self.key, value)
    }
}

#[derive(Clone, PartialEq, Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    http_response: Option<HttpResponse>,
    #[prost(message, optional, tag = "4")]
    dynamic_metadata: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedResponse),
    #[prost(message, tag = "3")]
    Ok(OkResponse),
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct DeniedResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, Message)]
struct HttpStatus {
    /// The numbers of `envoy.type.v3.StatusCode` are those of HTTP.
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct OkResponse {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    header: Option<HeaderField>,
    #[prost(message, optional, tag = "2")]
    append: Option<BoolValue>,
}

impl HeaderOption {
    /// In place of whatever the client sent, but for cookies, of which there may be several: what says neither is added.
    fn put(name: &HeaderName, value: &HeaderValue) -> Self {
        let field =
            HeaderField { key: name.as_str().to_owned(), value: text(value).into_owned(), raw_value: Bytes::new() };
        Self { header: Some(field), append: (*name != SET_COOKIE).then_some(BoolValue { value: false }) }
    }
}

#[derive(Clone, PartialEq, Message)]
struct BoolValue {
    #[prost(bool, tag = "1")]
    value: bool,
}

/// `google.protobuf.Struct`, with texts in it.
#[derive(Clone, PartialEq, Message)]
struct Struct {
    #[prost(map = "string, message", tag = "1")]
    fields: HashMap<String, Value>,
}

impl Struct {
    fn of(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { fields: fields.into_iter().map(|(name, string)| (name, Value { string })).collect() }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "3")]
    string: String,
}

#[cfg(test)]
mod tests;
