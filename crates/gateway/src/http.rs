//! The HTTP enforcement point: HTTP/1.1, HTTP/2, WebSocket, gRPC and streams, in one pipeline. This file listens,
//! finds out what is spoken, and stops; the path of one request is in `http/pipeline.rs`.

mod access;
mod body;
mod bridge;
mod credential;
mod headers;
mod inspect;
mod path;
mod pipeline;
mod pool;
mod refuse;
mod settings;
mod sign_in;
mod tunnel;
mod upstream;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use countersign_identity::assertion::Signer;
use countersign_lease::Gate;
use countersign_model::DeviceEvidence;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tower::util::BoxCloneSyncService;

use access::{Terms, sever, sever_with};
use body::Outgoing;
pub use body::{Body, BodyError};
pub use bridge::{Told, told_to_decide_on};
pub use path::{PathFault, normalize as normalize_path};
use pipeline::Facts;
pub use settings::{AddressRange, AddressRangeError, Limits, Listener, Purpose, Settings, TlsSettings};
use upstream::Upstreams;
pub use wire::reads_one_way;
use wire::{Opened, Wire};

/// A part of Countersign that answers in this process, behind the same gate as everything else.
pub type PartService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
/// By the name in [`countersign_model::Upstream::Internal`].
pub type Parts = HashMap<String, PartService>;

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{0} is reachable from other machines, so it needs TLS: configure a certificate or listen on loopback")]
    PlainBeyondLoopback(SocketAddr),
    #[error("{0} is reachable from other machines, so who asks for decisions there has to prove who they are")]
    OpenBeyondLoopback(SocketAddr),
    #[error("cannot listen on {address}: {error}")]
    Io { address: SocketAddr, error: std::io::Error },
    #[error("the TLS settings for {address} cannot be used: {error}")]
    Tls { address: SocketAddr, error: rustls::Error },
}

/// What every connection of this node shares.
#[derive(Debug)]
struct Node {
    gate: Gate,
    parts: Parts,
    signer: Signer,
    settings: Settings,
    terms: Arc<Terms>,
    upstreams: Upstreams,
    callers: bridge::Callers,
    in_flight: AtomicUsize,
    connections: Mutex<Connections>,
    tracker: TaskTracker,
}

#[derive(Debug, Default)]
struct Connections {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Bound, not yet serving.
#[derive(Debug)]
pub struct Gateway {
    node: Arc<Node>,
    doors: Vec<Door>,
}

struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    purpose: Purpose,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({}, tls: {})", self.address, self.tls.is_some())
    }
}

impl Gateway {
    /// Listens on every configured address, or on none.
    pub async fn bind(gate: Gate, parts: Parts, signer: Signer, settings: Settings) -> Result<Self, BindError> {
        let mut sockets = Vec::with_capacity(settings.listeners.len());
        for Listener { address, tls, purpose } in &settings.listeners {
            may_listen(*address, tls.as_ref(), *purpose)?;
            let io = |error| BindError::Io { address: *address, error };
            sockets.push(TcpListener::bind(address).await.map_err(io)?);
        }
        Self::on(sockets, gate, parts, signer, settings)
    }

    /// The same on sockets that listen already, one for each listener of the settings, in their order: for who has to
    /// know the ports that the system chose before the settings can be written.
    pub fn on(
        sockets: Vec<TcpListener>,
        gate: Gate,
        parts: Parts,
        signer: Signer,
        settings: Settings,
    ) -> Result<Self, BindError> {
        let mut doors = Vec::with_capacity(settings.listeners.len());
        for (listener, Listener { address, tls, purpose }) in sockets.into_iter().zip(&settings.listeners) {
            let address = listener.local_addr().map_err(|error| BindError::Io { address: *address, error })?;
            may_listen(address, tls.as_ref(), *purpose)?;
            let tls = tls.as_ref().map(acceptor).transpose().map_err(|error| BindError::Tls { address, error })?;
            doors.push(Door { listener, address, tls, purpose: *purpose });
        }
        let terms = Arc::new(Terms {
            idle: settings.limits.idle,
            stopped: CancellationToken::new(),
            clock: Arc::clone(&settings.clock),
        });
        let node = Node {
            gate,
            parts,
            signer,
            terms,
            settings,
            upstreams: Upstreams::default(),
            callers: bridge::Callers::default(),
            in_flight: AtomicUsize::new(0),
            connections: Mutex::default(),
            tracker: TaskTracker::new(),
        };
        Ok(Self { node: Arc::new(node), doors })
    }

    /// Where it listens, in the order of the settings, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().map(|door| door.address).collect()
    }

    /// Serves until `shutdown`; then takes nothing new, lets open exchanges finish within the configured time, and cuts
    /// what is left with [`countersign_lease::RevocationCause::Shutdown`].
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { node, doors } = self;
        let draining = CancellationToken::new();
        for door in doors {
            tokio::spawn(watch_door(door, Arc::clone(&node), draining.clone()));
        }
        let mut shutdown = pin!(shutdown);
        let mut sweep = tokio::time::interval(Duration::from_secs(30));
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                _ = sweep.tick() => {
                    node.upstreams.sweep();
                    node.callers.sweep();
                }
            }
        }
        draining.cancel();
        node.callers.clear();
        node.tracker.close();
        if tokio::time::timeout(node.settings.limits.drain, node.tracker.wait()).await.is_err() {
            tracing::info!("time to drain is over; cutting what is still open");
        }
        node.terms.stopped.cancel();
        node.tracker.wait().await;
    }
}

fn may_listen(address: SocketAddr, tls: Option<&TlsSettings>, purpose: Purpose) -> Result<(), BindError> {
    match (address.ip().to_canonical().is_loopback(), tls, purpose) {
        (true, _, _) => Ok(()),
        (false, None, _) => Err(BindError::PlainBeyondLoopback(address)),
        (false, Some(_), Purpose::Decisions { open: true }) => Err(BindError::OpenBeyondLoopback(address)),
        (false, Some(_), Purpose::Applications | Purpose::Decisions { open: false }) => Ok(()),
    }
}

fn acceptor(tls: &TlsSettings) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &tls.client_verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(&tls.certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn watch_door(door: Door, node: Arc<Node>, draining: CancellationToken) {
    let Door { listener, tls, address, purpose } = door;
    loop {
        let accepted = tokio::select! {
            () = draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: give connections time to end, and do not spin.
                tracing::warn!(%address, %error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let peer = peer.ip().to_canonical();
        let Some(place) = Place::take(&node, peer) else {
            metrics::counter!("countersign_http_connections_refused_total").increment(1);
            continue;
        };
        let (tls, draining) = (tls.clone(), draining.clone());
        let serving = Arc::clone(&node);
        node.tracker.spawn(async move {
            let _place = place;
            greet(serving, stream, (peer, purpose), tls, draining).await;
        });
    }
}

/// Who counts as one: an IPv6 customer has a network of 64 bits at least.
fn party(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// One of the connections that this node takes.
struct Place {
    node: Arc<Node>,
    peer: IpAddr,
}

impl Place {
    fn take(node: &Arc<Node>, peer: IpAddr) -> Option<Self> {
        let limits = &node.settings.limits;
        let mut connections = node.connections.lock();
        if connections.count >= limits.max_connections {
            return None;
        }
        let counted = !peer.is_loopback() && !node.settings.trusted_proxies.iter().any(|it| it.contains(peer));
        let peer = party(peer);
        if let Some(most) = limits.max_connections_per_address.filter(|_| counted) {
            let here = connections.by_address.entry(peer).or_default();
            if *here >= most {
                return None;
            }
            *here += 1;
        }
        connections.count += 1;
        metrics::gauge!("countersign_http_connections").increment(1);
        Some(Self { node: Arc::clone(node), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.node.connections.lock();
        connections.count = connections.count.saturating_sub(1);
        if let Some(here) = connections.by_address.get_mut(&self.peer) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                connections.by_address.remove(&self.peer);
            }
        }
        metrics::gauge!("countersign_http_connections").decrement(1);
    }
}

/// Finds out who connects and what is spoken, within the time for a request head.
async fn greet(
    node: Arc<Node>,
    stream: TcpStream,
    (peer, purpose): (IpAddr, Purpose),
    tls: Option<TlsAcceptor>,
    draining: CancellationToken,
) {
    let limit = node.settings.limits.header_timeout;
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(tls) = tls else {
        let (encrypted, device) = (false, DeviceEvidence::Absent);
        let facts = Facts { peer, encrypted, device, purpose, opened: Opened::default() };
        return converse(node, stream, facts, draining).await;
    };
    let stream = match tokio::time::timeout(limit, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "TLS handshake failed");
            return;
        }
        Err(_) => return,
    };
    let device = match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
        Some(certificate) => DeviceEvidence::Certificate { fingerprint: hex::encode(Sha256::digest(certificate)) },
        None => DeviceEvidence::Absent,
    };
    converse(node, stream, Facts { peer, encrypted: true, device, purpose, opened: Opened::default() }, draining).await;
}

async fn converse<S>(node: Arc<Node>, mut stream: S, facts: Facts, draining: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = node.settings.limits.clone();
    let sniffed = tokio::select! {
        () = draining.cancelled() => return,
        sniffed = tokio::time::timeout(limits.header_timeout, wire::sniff(&mut stream)) => sniffed,
    };
    let Ok(Ok(sniffed)) = sniffed else { return };
    let http2 = sniffed.http2;
    let wire = TokioIo::new(Wire::new(stream, sniffed, facts.opened.clone()));
    let facts = Arc::new(facts);
    let stopped = node.terms.stopped.clone();
    let begun = Arc::new(AtomicUsize::new(0));
    let mut rest = Rest::new(Arc::clone(&begun), limits.header_timeout.saturating_mul(4));
    let service = service_fn(move |request| {
        begun.fetch_add(1, Ordering::Relaxed);
        answer(Arc::clone(&node), Arc::clone(&facts), request)
    });
    let mut drain = Drain(Some(Box::pin(draining.cancelled_owned())));
    let conversation = async {
        let failed = if http2 {
            let connection = http2::Builder::new(Streams)
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
                .max_concurrent_streams(limits.max_streams)
                .keep_alive_interval(limits.header_timeout)
                .keep_alive_timeout(limits.header_timeout)
                .enable_connect_protocol()
                .serve_connection(wire, service);
            sever_with(connection, |connection, cx| {
                if drain.begins(cx) || rest.is_over(cx) {
                    connection.graceful_shutdown();
                }
            })
            .await
        } else {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.header_timeout)
                .max_headers(limits.header_count)
                .max_header_size(limits.header_bytes)
                .max_buf_size(limits.header_bytes.max(8192))
                .serve_connection(wire, service)
                .with_upgrades();
            sever_with(connection, |connection, cx| {
                if drain.begins(cx) {
                    connection.graceful_shutdown();
                }
            })
            .await
        };
        if let Some(Err(error)) = failed {
            tracing::debug!(%error, "connection ended early");
        }
    };
    tokio::select! {
        () = conversation => {}
        // Accesses have been cut; this is for whoever never came as far as one.
        () = async { stopped.cancelled().await; tokio::time::sleep(Duration::from_secs(1)).await } => {}
    }
}

async fn answer(
    node: Arc<Node>,
    facts: Arc<Facts>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    match facts.purpose {
        Purpose::Applications => pipeline::answer(node, facts, request).await,
        Purpose::Decisions { open } => Ok(bridge::answer(&node, &facts, open, request).await),
    }
}

/// Tells a connection once that the node is about to stop.
struct Drain(Option<Pin<Box<WaitForCancellationFutureOwned>>>);

impl Drain {
    fn begins(&mut self, cx: &mut Context<'_>) -> bool {
        let begins = self.0.as_mut().is_some_and(|draining| draining.as_mut().poll(cx).is_ready());
        if begins {
            self.0 = None;
        }
        begins
    }
}

/// Tells an HTTP/2 connection once to take nothing new, when no request has begun on it for `span`: a client that only
/// answers pings would keep it for ever. What is open goes on.
struct Rest {
    begun: Arc<AtomicUsize>,
    seen: usize,
    span: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Rest {
    fn new(begun: Arc<AtomicUsize>, span: Duration) -> Self {
        Self { begun, seen: 0, span, timer: Some(Box::pin(tokio::time::sleep(span))) }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(timer) = &mut self.timer else { return false };
        while timer.as_mut().poll(cx).is_ready() {
            let begun = self.begun.load(Ordering::Relaxed);
            if std::mem::replace(&mut self.seen, begun) == begun {
                self.timer = None;
                return true;
            }
            timer.as_mut().reset(Instant::now() + self.span);
        }
        false
    }
}

/// Runs each HTTP/2 stream on a task of its own, tied to the lease that it depends on.
#[derive(Debug, Clone, Copy)]
struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        tokio::spawn(sever(stream));
    }
}
