//! An enforcement point whose answer goes to another proxy: nginx, Caddy, Traefik, HAProxy or Envoy asks for each
//! request of its clients whether it may pass it on. What the client sent is read by the functions that read the
//! gateway's own requests, and goes through the same gate under its own channel name, with the proxy's name beside it.
//!
//! Not here: anything that opens a way. The lease ends with the answer, because what the proxy opened nobody here can
//! close; and no header is believed but from a caller who has proved to be one of the proxies.
//!
//! | address | how it is asked | who asks so |
//! |---|---|---|
//! | `/forward-auth` | the request in `X-Forwarded-*`; the answer goes to the client as it is | Caddy, Traefik, HAProxy |
//! | `/auth-request` | the same; 200, 401 and 403 are all that is understood | nginx |
//! | `/ext-authz/…` | the request itself, below this prefix | Envoy over HTTP |
//! | `/envoy.service.auth.v3.Authorization/Check` | the request in a message | Envoy over gRPC |

mod caller;
mod ext_authz;
mod original;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use countersign_lease::{Lease, RefusalKind};
use countersign_model::{
    AccessRequest, Action, ActionClass, Credential, DeviceEvidence, EnforcementPoint, HttpRequestFacts, SubjectId,
};
use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::Node;
use super::body::Outgoing;
use super::credential;
use super::headers;
use super::inspect::{self, Channel, Fault, Inspected};
use super::pipeline::{Facts, InFlight};
use super::refuse::{Form, No};
use super::settings::Limits;
use super::sign_in::{self, Detour, Place, Return};

pub(super) use caller::Callers;
use original::Original;

/// For whoever cannot show the body of a refusal.
const REASON: HeaderName = HeaderName::from_static("countersign-reason");

const FORWARD_AUTH: &str = "/forward-auth";
const AUTH_REQUEST: &str = "/auth-request";
const EXT_AUTHZ: &str = "/ext-authz";

/// How a proxy asks over plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Convention {
    ForwardAuth,
    AuthRequest,
    ExtAuthz,
}

impl Convention {
    fn of(path: &str) -> Option<Self> {
        match path {
            FORWARD_AUTH => Some(Self::ForwardAuth),
            AUTH_REQUEST => Some(Self::AuthRequest),
            _ => path.strip_prefix(EXT_AUTHZ).filter(|rest| rest.starts_with('/')).map(|_| Self::ExtAuthz),
        }
    }

    const fn channel(self) -> &'static str {
        match self {
            Self::ForwardAuth | Self::AuthRequest => "forward-auth",
            Self::ExtAuthz => "ext-authz",
        }
    }
}

/// What an allowed request goes upstream with.
struct Granted {
    /// Who asks, plainly and signed, and what is left of the client's `Cookie` and `Authorization`. A field that is
    /// empty here has to be empty or absent upstream, whatever the client sent in it.
    headers: HeaderMap,
    /// Fields of the client's that must not go upstream.
    spoofed: Vec<HeaderName>,
    subject: String,
    decision: String,
}

/// What the client gets instead.
enum Refused {
    No(No),
    /// To sign in, or back from it.
    Elsewhere(Box<Response<Outgoing>>),
}

impl From<No> for Refused {
    fn from(no: No) -> Self {
        Self::No(no)
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::No(No::Fault(fault))
    }
}

/// Answers one proxy about one request, whatever happens.
pub(super) async fn answer(node: &Node, facts: &Facts, open: bool, request: Request<Incoming>) -> Response<Outgoing> {
    let began = Instant::now();
    let Some(_place) = InFlight::enter(&node.in_flight, node.settings.limits.max_in_flight) else {
        return told(&No::Overloaded, Form::Problem, node);
    };
    let (mut parts, body) = request.into_parts();
    let asks =
        async { if open { Ok(None) } else { node.callers.admit(node, facts, &mut parts.headers).await.map(Some) } };
    let caller = match asks.await {
        Ok(caller) => caller,
        Err(no) => return told(&no, ext_authz::form(&parts.uri), node),
    };
    let (channel, outcome, response) = if ext_authz::asked(&parts) {
        let (outcome, response) = ext_authz::check(node, caller, body).await;
        ("ext-authz", outcome, response)
    } else {
        let Some(convention) = Convention::of(parts.uri.path()) else {
            return told(&No::Nothing, Form::Problem, node);
        };
        let original = match convention {
            Convention::ForwardAuth | Convention::AuthRequest => {
                original::forwarded(parts, &node.settings.trusted_proxies)
            }
            Convention::ExtAuthz => original::below(EXT_AUTHZ, parts, &node.settings.trusted_proxies),
        };
        let form = original.as_ref().map_or(Form::Problem, form);
        let decided = match original {
            Ok(original) => ask(node, original, caller, convention.channel(), form).await,
            Err(fault) => Err(fault.into()),
        };
        let outcome = outcome(&decided);
        let response = match decided {
            Ok(granted) => allowed(granted),
            Err(refused) => refusal(refused, form, convention, node),
        };
        (convention.channel(), outcome, response)
    };
    metrics::counter!("countersign_bridge_requests_total", "channel" => channel, "outcome" => outcome).increment(1);
    metrics::histogram!("countersign_bridge_seconds", "channel" => channel).record(began.elapsed());
    response
}

fn outcome(decided: &Result<Granted, Refused>) -> &'static str {
    match decided {
        Ok(_) => "allowed",
        Err(Refused::No(no)) => no.reason(),
        Err(Refused::Elsewhere(_)) => "sign-in",
    }
}

/// How the client wants to be told. A status for gRPC is none for a proxy: it stands in an answer of 200, and that is
/// what lets a request pass.
fn form(original: &Original) -> Form {
    match Form::of(&original.parts.method, &original.parts.headers) {
        Form::Grpc => Form::Problem,
        form => form,
    }
}

const fn scheme(encrypted: bool) -> &'static str {
    if encrypted { "https" } else { "http" }
}

/// One request of a proxy's client, read as the gateway reads its own.
struct Read {
    /// Without what is Countersign's own.
    parts: Parts,
    request: Inspected,
    spoofed: Vec<HeaderName>,
    nonce: Option<String>,
    credential: Credential,
    address: IpAddr,
    encrypted: bool,
    device: DeviceEvidence,
    websocket: bool,
}

impl Read {
    fn of(original: Original, limits: &Limits) -> Result<Self, Fault> {
        let Original { mut parts, address, encrypted, device } = original;
        let request = inspect::inspect(&parts, limits)?;
        let spoofed = headers::spoofed(&parts.headers)?;
        let nonce = sign_in::nonce(&parts.headers);
        let credential = credential::take(&mut parts.headers, &request.host);
        let websocket = request.channel == Channel::WebSocket;
        if websocket {
            inspect::same_origin(&parts.headers, scheme(encrypted), &request.authority)?;
        }
        Ok(Self { parts, request, spoofed, nonce, credential, address, encrypted, device, websocket })
    }
}

/// A request of its client's, as another proxy tells of it.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// In fields beside the client's own: names and values.
    Forwarded(&'a [(&'a [u8], &'a [u8])]),
    /// As a request of its own, to this target.
    Below(&'a str, &'a [(&'a [u8], &'a [u8])]),
    /// In the message that Envoy sends.
    Check(&'a [u8]),
}

/// The host and the path that would be decided on, however a stranger makes a proxy tell of a request; `None` where it is
/// refused. Nobody is asked for anything.
pub fn told_to_decide_on(told: Told<'_>) -> Option<(String, String)> {
    let asking = |target: &str, fields: &[(&[u8], &[u8])]| {
        let mut parts = Request::get(target).body(()).ok()?.into_parts().0;
        for (name, value) in fields {
            parts.headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some(parts)
    };
    let original = match told {
        Told::Forwarded(fields) => original::forwarded(asking(FORWARD_AUTH, fields)?, &[]),
        Told::Below(target, fields) => original::below(EXT_AUTHZ, asking(target, fields)?, &[]),
        Told::Check(message) => ext_authz::read(message),
    };
    let Read { request, .. } = Read::of(original.ok()?, &Limits::default()).ok()?;
    Some((request.host, request.path))
}

/// Decides about one request of a proxy's client.
async fn ask(
    node: &Node,
    original: Original,
    caller: Option<SubjectId>,
    channel: &'static str,
    form: Form,
) -> Result<Granted, Refused> {
    let Read { parts, request, spoofed, nonce, credential, address, encrypted, device, websocket } =
        Read::of(original, &node.settings.limits)?;
    let scheme = scheme(encrypted);
    let place = || Place {
        control_host: &node.settings.control_host,
        origin: node.settings.issuer.clone(),
        port: Some(request.port.unwrap_or(if encrypted { 443 } else { 80 })),
    };
    let query = parts.uri.query();
    if sign_in::reserved(&request.path) {
        let detour = Detour { place: place(), request: &request, query, nonce: nonce.clone(), known: false };
        if let Some(response) = detour.asked_for(&parts.method) {
            return Err(Refused::Elsewhere(Box::new(response)));
        }
        let (method, now) = (&parts.method, node.settings.clock.now());
        let returning = Return { method, request: &request, query, nonce, device, address, now };
        let mut response = returning.redeem(&node.gate).await?;
        whole(response.headers_mut(), scheme, &request)?;
        return Err(Refused::Elsewhere(Box::new(response)));
    }
    let known = matches!(credential, Credential::SessionCookie { .. });
    let seen = Seen { credential, device, address, encrypted, websocket, method: &parts.method, request: &request };
    let point = EnforcementPoint { node: node.settings.node.clone(), channel, caller };
    let lease = match node.gate.open(seen.asked(node, point)).await {
        Ok(lease) => lease,
        Err(refusal) => {
            if let (
                RefusalKind::Challenged { remedy } | RefusalKind::Denied { remedy: Some(remedy) },
                Form::Page { navigation: true },
            ) = (&refusal.kind, form)
            {
                let detour = Detour { place: place(), request: &request, query, nonce, known };
                if let Some(response) = detour.response(&refusal, remedy) {
                    return Err(Refused::Elsewhere(Box::new(response)));
                }
            }
            return Err(No::Refused(refusal).into());
        }
    };
    grant(node, &lease, &parts.headers, spoofed)
}

/// A path is a place at the host that is asked. For a browser that is the application's; a proxy may take it for the
/// bridge, and send the browser there.
fn whole(headers: &mut HeaderMap, scheme: &str, request: &Inspected) -> Result<(), Refused> {
    let Some(path) = headers.get(LOCATION).map(text).filter(|path| path.starts_with('/')) else { return Ok(()) };
    let there = format!("{scheme}://{}{path}", text(&request.authority));
    headers.insert(LOCATION, HeaderValue::try_from(there).map_err(|_| No::HandOff)?);
    Ok(())
}

/// What the gate is asked.
struct Seen<'a> {
    credential: Credential,
    device: DeviceEvidence,
    address: IpAddr,
    encrypted: bool,
    websocket: bool,
    method: &'a Method,
    request: &'a Inspected,
}

impl Seen<'_> {
    fn asked(self, node: &Node, point: EnforcementPoint) -> AccessRequest {
        let Self { credential, device, address, encrypted, websocket, method, request } = self;
        let catalog = node.gate.catalog();
        // Countersign's own parts are behind its own door: another proxy would only lead there.
        let resource =
            catalog.find(&request.host, &request.path).filter(|_| request.host != node.settings.control_host);
        let action = match resource {
            Some(resource) => resource.http_action(method.as_str(), &request.path, websocket),
            None => Action::http(if websocket { ActionClass::Connect } else { ActionClass::Write }),
        };
        AccessRequest {
            point,
            credential,
            device,
            action,
            resource: resource.map(|resource| resource.id.clone()),
            address,
            encrypted,
            http: Some(HttpRequestFacts {
                method: method.as_str().to_owned(),
                host: request.host.clone(),
                path: request.path.clone(),
            }),
        }
    }
}

/// The lease is borrowed: it ends when its one use, this answer, has been written down.
fn grant(node: &Node, lease: &Lease, client: &HeaderMap, spoofed: Vec<HeaderName>) -> Result<Granted, Refused> {
    if let Some(revocation) = lease.watch().revocation() {
        return Err(No::Revoked(lease.decision(), revocation.clone()).into());
    }
    let mut headers = HeaderMap::with_capacity(10);
    for name in headers::IDENTITY.iter().chain(&[COOKIE, AUTHORIZATION]) {
        let own = client.get(name).filter(|_| *name == COOKIE || *name == AUTHORIZATION);
        headers.insert(name, own.cloned().unwrap_or(HeaderValue::from_static("")));
    }
    let wrote = headers::write_identity(
        &mut headers,
        &node.signer,
        &node.settings.issuer,
        lease.principal(),
        lease.decision(),
        format!("{:032x}", rand::random::<u128>()),
        node.settings.clock.now(),
    );
    if !wrote {
        let kind = RefusalKind::Unavailable;
        return Err(No::Refused(countersign_lease::Refusal { decision: Some(lease.decision()), kind }).into());
    }
    let subject = lease.principal().subject.to_string();
    Ok(Granted { headers, spoofed, subject, decision: lease.decision().to_string() })
}

/// The one answer that lets a request pass.
fn allowed(granted: Granted) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::local(""));
    *response.headers_mut() = granted.headers;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal as the client is to see it.
fn words(refused: Refused, form: Form, node: &Node) -> Response<Outgoing> {
    let response = match refused {
        Refused::No(no) => told(&no, form, node),
        Refused::Elsewhere(response) => *response,
    };
    not_passing(response)
}

fn refusal(refused: Refused, form: Form, convention: Convention, node: &Node) -> Response<Outgoing> {
    let mut response = words(refused, form, node);
    if convention == Convention::AuthRequest {
        *response.status_mut() = match response.status() {
            StatusCode::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
            _ if response.headers().contains_key(LOCATION) => StatusCode::UNAUTHORIZED,
            status if status.is_server_error() => status,
            _ => StatusCode::FORBIDDEN,
        };
    }
    response
}

fn told(no: &No, form: Form, node: &Node) -> Response<Outgoing> {
    let mut response = no.response(form, &node.settings.issuer);
    response.headers_mut().insert(REASON, HeaderValue::from_static(no.reason()));
    response
}

/// INVARIANT: no refusal has a status that a proxy takes for a yes.
fn not_passing(mut response: Response<Outgoing>) -> Response<Outgoing> {
    if response.status().is_success() || response.status().is_informational() {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// A header's value as text, where it is one.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}
