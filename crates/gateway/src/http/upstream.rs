//! The way upstream. [`open`] is the only function that leads there, whatever the channel and whatever is at the other
//! end, and it takes the lease by value.

use std::collections::HashMap;
use std::path::{Component, Path};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_lease::{Arrival, Lease};
use countersign_model::{Resource, Upstream};
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TE, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use parking_lot::RwLock;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tower::ServiceExt;

use super::Node;
use super::access::{Access, unfed};
use super::body::{Outgoing, RequestBody, Source};
use super::headers::{self, Forwarding};
use super::inspect::{Channel, Fault, Inspected};
use super::pool::{Connection, Lent, Origin, OriginError, Trust};
use super::refuse::No;
use super::settings::Limits;
use super::tunnel;

/// One admitted request, with nothing left in it that must not pass.
pub(super) struct Exchange<'a> {
    pub(super) parts: Parts,
    pub(super) body: Incoming,
    pub(super) request: &'a Inspected,
    pub(super) resource: &'a Resource,
    pub(super) arrival: Arrival,
    /// Whether the client reads trailers.
    pub(super) trailers: bool,
}

/// The origins that have been used, with their connections.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    origins: RwLock<HashMap<Upstream, Arc<Origin>>>,
}

impl Upstreams {
    fn origin(&self, upstream: &Upstream, node: &Node) -> Result<Arc<Origin>, OriginError> {
        if let Some(origin) = self.origins.read().get(upstream) {
            return Ok(Arc::clone(origin));
        }
        let Upstream::Origin { url, ca, .. } = upstream else { return Err(OriginError::Url) };
        let Limits { upstream_connect, upstream_keep, .. } = node.settings.limits;
        let directory = node.settings.certificate_authorities.as_deref();
        let origin = Origin::new(url, || trust(ca.as_deref(), directory), upstream_connect, upstream_keep)?;
        Ok(Arc::clone(self.origins.write().entry(upstream.clone()).or_insert_with(|| Arc::new(origin))))
    }

    pub(super) fn sweep(&self) {
        for origin in self.origins.read().values() {
            origin.sweep();
        }
    }
}

/// Whom an `https` upstream must be vouched for by.
fn trust(ca: Option<&str>, directory: Option<&Path>) -> Result<Trust, OriginError> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(name) => {
            // A name of a file in the configured directory, and not a way out of it.
            let mut components = Path::new(name).components();
            let plain = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
            let directory = directory.filter(|_| plain).ok_or(OriginError::CertificateAuthority)?;
            let pem = std::fs::read(directory.join(name)).map_err(|_| OriginError::CertificateAuthority)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|_| OriginError::CertificateAuthority)?;
                roots.add(certificate).map_err(|_| OriginError::CertificateAuthority)?;
            }
        }
    }
    if roots.is_empty() {
        return Err(OriginError::CertificateAuthority);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| OriginError::CertificateAuthority)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let offering = |protocols: &[&[u8]]| {
        let mut config = config.clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    };
    Ok(Trust { any: offering(&[b"h2", b"http/1.1"]), http1: offering(&[b"http/1.1"]) })
}

/// Opens what the lease permits. The response, or the tunnel, holds the lease from here on.
pub(super) async fn open(node: &Arc<Node>, lease: Lease, exchange: Exchange<'_>) -> Result<Response<Outgoing>, No> {
    let access = Access::new(lease, &node.terms);
    let decision = Some(access.decision());
    let too_large = Arc::new(AtomicBool::new(false));
    let cut = access.cut();
    let answer = match &exchange.resource.upstream {
        Upstream::Internal { part } => {
            let Some(service) = node.parts.get(part).cloned() else { return Err(No::UpstreamFailed(decision)) };
            let request = for_part(&access, exchange, node.settings.limits.body_bytes, &too_large)?;
            Answer::Part(Box::pin(service.oneshot(request)))
        }
        upstream @ Upstream::Origin { preserve_host, .. } => {
            let origin = node.upstreams.origin(upstream, node).map_err(|error| {
                tracing::warn!(resource = %exchange.resource.id, %error, "the resource's upstream cannot be used");
                No::UpstreamFailed(decision)
            })?;
            Answer::Wire(Box::pin(over_the_wire(node, &access, origin, *preserve_host, exchange, &too_large)))
        }
    };
    let waiting = unfed(access.usage(), node.settings.limits.upstream_response);
    let response = tokio::select! {
        biased;
        _ = cut => Err(ended(&access)),
        response = answer.wait(&access) => response,
        () = waiting => Err(No::UpstreamSlow(decision)),
    };
    match response {
        Err(_) if too_large.load(Ordering::Relaxed) => Err(No::TooLarge(decision)),
        Err(_) if access.revocation().is_some() => Err(ended(&access)),
        response => response,
    }
}

fn ended(access: &Access) -> No {
    match access.revocation() {
        Some(revocation) => No::Revoked(access.decision(), revocation.clone()),
        None => No::UpstreamSlow(Some(access.decision())),
    }
}

type Waiting<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The two places that an answer can come from.
enum Answer<'a> {
    Part(Waiting<'a, Result<Response<super::Body>, std::convert::Infallible>>),
    Wire(Waiting<'a, Result<Response<Outgoing>, No>>),
}

impl Answer<'_> {
    async fn wait(self, access: &Arc<Access>) -> Result<Response<Outgoing>, No> {
        match self {
            Self::Wire(answer) => answer.await,
            Self::Part(answer) => {
                let Ok(response) = answer.await;
                let (mut parts, body) = response.into_parts();
                headers::strip_response(&mut parts.headers, false);
                Ok(Response::from_parts(parts, Outgoing::leased(Source::Part(body), Arc::clone(access), false, None)))
            }
        }
    }
}

/// For a part of Countersign, which learns who asks from the extensions and nowhere else.
fn for_part(
    access: &Arc<Access>,
    exchange: Exchange<'_>,
    limit: Option<u64>,
    too_large: &Arc<AtomicBool>,
) -> Result<Request<super::Body>, No> {
    if exchange.request.channel == Channel::WebSocket {
        return Err(No::Fault(Fault::Upgrade));
    }
    let body = RequestBody::new(exchange.body, access, limit, Arc::clone(too_large));
    let mut parts = exchange.parts;
    parts.uri = Uri::from(target(&parts.uri, &exchange.request.path)?);
    parts.headers.insert(HOST, exchange.request.authority.clone());
    parts.extensions.clear();
    parts.extensions.insert(access.principal().clone());
    parts.extensions.insert(exchange.arrival);
    Ok(Request::from_parts(parts, body.boxed_unsync()))
}

/// The path that was decided on, with the query as it came.
fn target(uri: &Uri, path: &str) -> Result<PathAndQuery, No> {
    match uri.path_and_query() {
        Some(target) if target.path() == path => Ok(target.clone()),
        target => {
            let query = target.and_then(PathAndQuery::query);
            let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
            PathAndQuery::try_from(text).map_err(|_| No::Fault(Fault::Target))
        }
    }
}

async fn over_the_wire(
    node: &Arc<Node>,
    access: &Arc<Access>,
    origin: Arc<Origin>,
    preserve_host: bool,
    exchange: Exchange<'_>,
    too_large: &Arc<AtomicBool>,
) -> Result<Response<Outgoing>, No> {
    let Exchange { mut parts, body, request, arrival, trailers, .. } = exchange;
    let decision = Some(access.decision());
    let websocket = request.channel == Channel::WebSocket;
    let http2_client = parts.version == Version::HTTP_2;
    let client = parts.extensions.remove::<OnUpgrade>();
    parts.extensions.clear();

    let wrote = headers::write_identity(
        &mut parts.headers,
        &node.signer,
        &node.settings.issuer,
        access.principal(),
        access.decision(),
        format!("{:032x}", rand::random::<u128>()),
        node.settings.clock.now(),
    );
    if !wrote {
        return Err(No::Refused(countersign_lease::Refusal {
            decision,
            kind: countersign_lease::RefusalKind::Unavailable,
        }));
    }
    let Arrival { address, scheme, .. } = arrival;
    Forwarding { address, scheme, host: &request.authority }.write(&mut parts.headers);
    let host = if preserve_host { &request.authority } else { &origin.host };
    let target = target(&parts.uri, &request.path)?;
    if websocket {
        parts.method = Method::GET;
        parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        parts.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if http2_client {
            use base64::Engine as _;
            let key = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
            parts.headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::try_from(key).map_err(|_| No::Fault(Fault::Upgrade))?);
        }
    }
    let body = RequestBody::new(body, access, node.settings.limits.body_bytes, Arc::clone(too_large));
    let mut message = Request::from_parts(parts, body);
    let mut fresh = false;
    let (mut response, lent) = loop {
        let connection = origin.connection(access, websocket, fresh).await.map_err(|error| {
            tracing::debug!(%error, "no upstream connection");
            No::UpstreamFailed(decision)
        })?;
        address_for(&connection, &mut message, &origin, &target, host, preserve_host, trailers)?;
        let sent = match connection {
            Connection::Http1(mut sender) => {
                let sent = sender.try_send_request(message).await;
                sent.map(|response| (response, Some(Lent { origin: Arc::clone(&origin), sender })))
            }
            Connection::Http2(mut sender) => sender.try_send_request(message).await.map(|response| (response, None)),
        };
        match sent {
            Ok(sent) => break sent,
            Err(mut error) => match error.take_message() {
                // A kept connection that was closed meanwhile. Nothing was sent, so nothing is sent twice.
                Some(unsent) if !fresh => (message, fresh) = (unsent, true),
                _ => {
                    tracing::debug!(error = %error.error(), "upstream exchange failed");
                    return Err(No::UpstreamFailed(decision));
                }
            },
        }
    };
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switched {
        let agreed = response.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
        let (true, true, Some(client)) = (websocket, agreed, client) else {
            return Err(No::UpstreamFailed(decision));
        };
        let upstream = hyper::upgrade::on(&mut response);
        node.tracker.spawn(tunnel::carry(Arc::clone(access), client, upstream));
    }
    let (mut parts, body) = response.into_parts();
    headers::strip_response(&mut parts.headers, true);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    if switched {
        if http2_client {
            parts.status = StatusCode::OK;
            parts.headers.remove(SEC_WEBSOCKET_ACCEPT);
        } else {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        return Ok(Response::from_parts(parts, Outgoing::local("")));
    }
    let grpc = request.channel == Channel::Grpc && http2_client;
    Ok(Response::from_parts(parts, Outgoing::leased(Source::Wire(body), Arc::clone(access), grpc, lent)))
}

/// HTTP/1 takes a path and a `Host`, HTTP/2 a whole URI.
fn address_for(
    connection: &Connection,
    message: &mut Request<RequestBody>,
    origin: &Origin,
    target: &PathAndQuery,
    host: &HeaderValue,
    preserve_host: bool,
    trailers: bool,
) -> Result<(), No> {
    match connection {
        Connection::Http1(_) => {
            *message.uri_mut() = Uri::from(target.clone());
            *message.version_mut() = Version::HTTP_11;
            message.headers_mut().insert(HOST, host.clone());
        }
        Connection::Http2(_) => {
            let mut uri = http::uri::Parts::default();
            uri.scheme = Some(origin.scheme.clone());
            uri.authority = Some(if preserve_host {
                http::uri::Authority::try_from(host.as_bytes()).map_err(|_| No::Fault(Fault::Host))?
            } else {
                origin.authority.clone()
            });
            uri.path_and_query = Some(target.clone());
            *message.uri_mut() = Uri::from_parts(uri).map_err(|_| No::Fault(Fault::Target))?;
            *message.version_mut() = Version::HTTP_2;
            message.headers_mut().remove(HOST);
            if trailers {
                message.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            }
        }
    }
    Ok(())
}
