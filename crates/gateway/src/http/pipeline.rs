//! The path of one request, on every channel: read it, take out what the client may not say, ask, and only then pass it
//! on. There is no other path.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use countersign_lease::{Arrival, RefusalKind};
use countersign_model::{
    AccessRequest, Action, ActionClass, Credential, DeviceEvidence, EnforcementPoint, HttpRequestFacts,
};
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tracing::Instrument;

use super::Node;
use super::body::Outgoing;
use super::credential;
use super::headers;
use super::inspect::{self, Channel, Inspected};
use super::refuse::{Form, No};
use super::settings::Purpose;
use super::sign_in::{self, Detour, Place, Return};
use super::upstream::{self, Exchange};
use super::wire::Opened;

/// What is known of a connection before the first request on it.
pub(super) struct Facts {
    pub(super) peer: std::net::IpAddr,
    pub(super) encrypted: bool,
    pub(super) device: DeviceEvidence,
    pub(super) purpose: Purpose,
    pub(super) opened: Opened,
}

/// A place among the requests that this node works on.
pub(super) struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    pub(super) fn enter(count: &'a AtomicUsize, most: usize) -> Option<Self> {
        let entered = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < most).then_some(entered)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers one request, whatever happens.
pub(super) async fn answer(
    node: Arc<Node>,
    facts: Arc<Facts>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let form = Form::of(request.method(), request.headers());
    let Some(_place) = InFlight::enter(&node.in_flight, node.settings.limits.max_in_flight) else {
        metrics::counter!("countersign_http_requests_total", "channel" => "unread", "outcome" => "overloaded")
            .increment(1);
        return Ok(No::Overloaded.response(form, &node.settings.issuer));
    };
    let (parts, body) = request.into_parts();
    let http2 = parts.version == Version::HTTP_2;
    let request = match inspect::inspect(&parts, &node.settings.limits) {
        Ok(request) => request,
        Err(fault) => {
            tracing::debug!(%fault, "request refused unread");
            metrics::counter!("countersign_http_requests_total", "channel" => "unread", "outcome" => "ambiguous")
                .increment(1);
            return Ok(refused(&node, &No::Fault(fault), form, http2));
        }
    };
    let channel = request.channel;
    let span = tracing::debug_span!(
        "request",
        channel = channel.name(),
        method = %parts.method,
        host = %request.host,
        path = %request.path,
        decision = tracing::field::Empty,
    );
    let began = Instant::now();
    let served = serve(&node, &facts, parts, body, &request, form).instrument(span).await;
    let outcome = match &served {
        Ok(_) => "passed",
        Err(no) => no.reason(),
    };
    metrics::counter!("countersign_http_requests_total", "channel" => channel.name(), "outcome" => outcome)
        .increment(1);
    metrics::histogram!("countersign_http_response_head_seconds", "channel" => channel.name()).record(began.elapsed());
    let response = served.unwrap_or_else(|no| refused(&node, &no, form, http2));
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        facts.opened.set();
    }
    Ok(response)
}

/// The refusal; after a request that could not be read, nothing more is read from an HTTP/1 connection.
fn refused(node: &Node, no: &No, form: Form, http2: bool) -> Response<Outgoing> {
    let mut response = no.response(form, &node.settings.issuer);
    if matches!(no, No::Fault(_)) && !http2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn serve(
    node: &Arc<Node>,
    facts: &Facts,
    mut parts: http::request::Parts,
    body: Incoming,
    request: &Inspected,
    form: Form,
) -> Result<Response<Outgoing>, No> {
    let nonce = sign_in::nonce(&parts.headers);
    let credential = credential::take(&mut parts.headers, &request.host);
    let (address, encrypted) =
        inspect::client(&parts.headers, facts.peer, facts.encrypted, &node.settings.trusted_proxies)
            .map_err(No::Fault)?;
    let scheme = if encrypted { "https" } else { "http" };
    let websocket = request.channel == Channel::WebSocket;
    if websocket {
        inspect::same_origin(&parts.headers, scheme, &request.authority).map_err(No::Fault)?;
    }
    let trailers = headers::strip_request(&mut parts.headers).map_err(No::Fault)?;

    // People sign in behind the same door by which they came.
    let beside = || match request.port {
        Some(port) => format!("{scheme}://{}:{port}", node.settings.control_host),
        None => format!("{scheme}://{}", node.settings.control_host),
    };
    if sign_in::reserved(&request.path) {
        let query = parts.uri.query();
        let place = Place { control_host: &node.settings.control_host, origin: beside(), port: None };
        let detour = Detour { place, request, query, nonce: nonce.clone(), known: false };
        if let Some(response) = detour.asked_for(&parts.method) {
            return Ok(response);
        }
        let returning = Return {
            method: &parts.method,
            request,
            query,
            nonce,
            device: facts.device.clone(),
            address,
            now: node.settings.clock.now(),
        };
        return returning.redeem(&node.gate).await;
    }

    let method = if websocket { Method::GET } else { parts.method.clone() };
    let catalog = node.gate.catalog();
    let resource = catalog.find(&request.host, &request.path).cloned();
    let action = match &resource {
        Some(resource) => resource.http_action(method.as_str(), &request.path, websocket),
        // Nothing to look it up in; the authority refuses it by the resource that is missing.
        None => Action::http(if websocket { ActionClass::Connect } else { ActionClass::Write }),
    };
    let known = matches!(credential, Credential::SessionCookie { .. });
    let asked = AccessRequest {
        point: EnforcementPoint { node: node.settings.node.clone(), channel: request.channel.name(), caller: None },
        credential,
        device: facts.device.clone(),
        action,
        resource: resource.as_ref().map(|resource| resource.id.clone()),
        address,
        encrypted,
        http: Some(HttpRequestFacts {
            method: method.as_str().to_owned(),
            host: request.host.clone(),
            path: request.path.clone(),
        }),
    };
    let lease = match node.gate.open(asked).await {
        Ok(lease) => lease,
        Err(refusal) => {
            if let Some(decision) = refusal.decision {
                tracing::Span::current().record("decision", tracing::field::display(decision));
            }
            // Where signing in is a part of what is missing it comes first: until somebody is known, nobody can be told
            // what else they, and not just anybody, would need. Once they are signed in it is not missing any more.
            if let (
                RefusalKind::Challenged { remedy } | RefusalKind::Denied { remedy: Some(remedy) },
                Form::Page { navigation: true },
            ) = (&refusal.kind, form)
            {
                let place = Place { control_host: &node.settings.control_host, origin: beside(), port: None };
                let detour = Detour { place, request, query: parts.uri.query(), nonce, known };
                if let Some(response) = detour.response(&refusal, remedy) {
                    return Ok(response);
                }
            }
            return Err(No::Refused(refusal));
        }
    };
    tracing::Span::current().record("decision", tracing::field::display(lease.decision()));
    let Some(resource) = resource else {
        // A lease for what has no place in the catalog: nothing could be opened with it.
        return Err(No::UpstreamFailed(Some(lease.decision())));
    };
    let arrival = Arrival {
        device: facts.device.clone(),
        address,
        encrypted,
        scheme,
        host: request.host.clone(),
        port: request.port,
        decision: lease.decision(),
    };
    upstream::open(node, lease, Exchange { parts, body, request, resource: &resource, arrival, trailers }).await
}
