//! A gateway on loopback with everything scripted around it: an authority that says what the test wants (and records it
//! in a real ledger, since nothing else gives a receipt), an application, and the same application as a part.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign_identity::assertion::Signer;
use countersign_lease::{
    Admission, Authority, AuthorityFuture, Catalog, Ended, Gate, HandOff, HandOffError, Principal, Refusal,
    RefusalKind, Revocation, RevocationCause, SessionCookie, Tether,
};
use countersign_ledger::{ActEntry, Entry, EntryBody, Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, ActionClass, ActionRule, Clock, Credential, CredentialSecret, DecisionId, DeviceId, Entitled,
    LeaseId, Need, PathPattern, Remedy, Resource, ResourceId, ResourceKind, Route, Source, SubjectId, Tier, Timestamp,
    Upstream, Wait,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tower::util::BoxCloneSyncService;

use crate::http::settings::{Limits, Listener, Purpose, Settings};
use crate::http::{Body, BodyError, Gateway, Parts};

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(super) const SESSION: &str = "__Host-countersign=good";
pub(super) const KEY: &str = "Bearer cs_good_key";

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn wait_until(&self, _: Timestamp) -> Wait<'_> {
        Box::pin(std::future::pending())
    }
}

/// What reached the application.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) principal: Option<Principal>,
}

/// Everything the test looks at, and the switches it has.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) seen: Vec<Seen>,
    pub(super) asked: Vec<AccessRequest>,
    pub(super) ended: Vec<Ended>,
    pub(super) redeemed: Vec<HandOff>,
    /// Bodies at the application that were dropped or failed before their end.
    pub(super) broken: usize,
    /// First bytes of an upload that have arrived at the application.
    pub(super) arrived: usize,
    pub(super) opened: usize,
    /// Pieces of a flood that the gateway has taken or that wait for it.
    pub(super) poured: usize,
    tethers: Vec<Tether>,
}

#[derive(Debug)]
pub(super) struct Script {
    observed: Mutex<Observed>,
    changed: Notify,
    ledger: Ledger,
    catalog: Arc<Catalog>,
    ids: AtomicU64,
    _directory: tempfile::TempDir,
}

#[derive(Debug, Clone)]
pub(super) struct Scripted(pub(super) Arc<Script>);

impl Script {
    pub(super) fn change(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.observed.lock());
        self.changed.notify_waiters();
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Observed) -> T) -> T {
        look(&self.observed.lock())
    }

    /// Completes once `met` holds.
    pub(super) async fn until(&self, what: &str, met: impl Fn(&Observed) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if self.look(&met) {
                    return;
                }
                changed.await;
            }
        };
        within(what, waiting).await;
    }

    /// Cuts every lease that was ever given.
    pub(super) fn cut(&self) {
        self.cut_by(RevocationCause::FactChanged);
    }

    pub(super) fn cut_by(&self, cause: RevocationCause) {
        for tether in self.look(|observed| observed.tethers.clone()) {
            tether.cut(Revocation {
                cause,
                at: NOW,
                decision: Some(DecisionId::from_random(99)),
                message: "The device is no longer compliant.".to_owned(),
            });
        }
    }

    /// From here on nothing can be recorded.
    pub(super) fn lose_the_ledger(&self) {
        self.ledger.clone().close();
    }

    fn verdict(&self, request: &AccessRequest) -> Result<(), RefusalKind> {
        if request.resource.is_none() {
            return Err(RefusalKind::Denied { remedy: None });
        }
        match &request.credential {
            Credential::SessionCookie { secret, .. } if secret.expose() == "good" => Ok(()),
            Credential::Bearer(secret) if secret.expose() == "cs_good_key" => Ok(()),
            Credential::Absent => {
                Err(RefusalKind::Challenged { remedy: Remedy { needs: vec![Need::SignIn], advice: None } })
            }
            _ => Err(RefusalKind::Denied { remedy: None }),
        }
    }
}

impl Authority for Scripted {
    fn admit(&self, request: AccessRequest, tether: Tether) -> AuthorityFuture<'_, Result<Admission, Refusal>> {
        Box::pin(async move {
            let id = self.0.ids.fetch_add(1, Ordering::Relaxed);
            let decision = DecisionId::from_random(u128::from(id));
            let act = ActEntry {
                by: SubjectId::anonymous(),
                decision: Some(decision),
                verb: "admit".to_owned(),
                target: String::new(),
                detail: String::new(),
            };
            let recorded = self.0.ledger.append(&Entry { at: NOW, body: EntryBody::Act(act) }).await;
            let verdict = self.0.verdict(&request);
            let resource = request.resource.clone();
            self.0.change(|observed| observed.asked.push(request));
            let Ok(receipt) = recorded else {
                return Err(Refusal { decision: None, kind: RefusalKind::Unavailable });
            };
            verdict.map_err(|kind| Refusal { decision: Some(decision), kind })?;
            self.0.change(|observed| observed.tethers.push(tether));
            let principal = Principal {
                subject: SubjectId::human("alice@example.org").unwrap(),
                display_name: "Alice".to_owned(),
                email: Some("alice@example.org".to_owned()),
                groups: vec!["staff".to_owned(), "x,owners".to_owned()],
                session: None,
                device: Some(DeviceId::new("laptop").unwrap()),
                resource: resource.unwrap(),
            };
            Ok(Admission::new(LeaseId::from_random(u128::from(id)), decision, receipt, principal))
        })
    }

    fn end(&self, ended: Ended) {
        self.0.change(|observed| observed.ended.push(ended));
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.catalog)
    }

    fn redeem(&self, hand_off: HandOff) -> AuthorityFuture<'_, Result<SessionCookie, HandOffError>> {
        Box::pin(async move {
            let good = hand_off.code.expose() == "a-one-time-code-of-length";
            let wild = hand_off.code.expose() == "a-code-that-leads-astray";
            self.0.change(|observed| observed.redeemed.push(hand_off));
            if !good && !wild {
                return Err(HandOffError::Invalid);
            }
            let return_to = if good { "/wiki?page=1" } else { "//evil.example/" };
            Ok(SessionCookie {
                secret: CredentialSecret::new("good"),
                expires: NOW.plus(Duration::from_secs(3600)),
                return_to: return_to.to_owned(),
            })
        })
    }
}

/// A running gateway.
pub(super) struct Fixture {
    pub(super) address: SocketAddr,
    pub(super) script: Arc<Script>,
    pub(super) signer: Signer,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

pub(super) async fn start() -> Fixture {
    start_with(|_| ()).await
}

pub(super) async fn start_with(adjust: impl FnOnce(&mut Settings)) -> Fixture {
    start_beside(None, adjust).await
}

/// With one more resource, `other`.
pub(super) async fn start_beside(other: Option<Upstream>, adjust: impl FnOnce(&mut Settings)) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = upstream.local_addr().unwrap();
    let resource = |name: &str, upstream: Upstream| {
        Arc::new(Resource {
            id: ResourceId::new(name).unwrap(),
            display_name: name.to_owned(),
            kind: ResourceKind::Http,
            tier: Tier::Standard,
            segment: None,
            owner: None,
            source: Source::Configuration,
            entitled: Entitled::default(),
            routes: vec![Route { host: format!("{name}.localhost"), path_prefix: "/".to_owned() }],
            upstream,
            rules: vec![ActionRule {
                methods: vec![],
                path: PathPattern("/admin/*".to_owned()),
                action: ActionClass::Administer,
            }],
            observe_until: None,
        })
    };
    let origin = |scheme: &str| Upstream::Origin { url: format!("{scheme}://{at}"), ca: None, preserve_host: false };
    let mut resources = vec![
        resource("app", origin("http")),
        resource("grpc", origin("h2c")),
        resource("part", Upstream::Internal { part: "echo".to_owned() }),
        resource("gone", Upstream::Origin { url: "http://127.0.0.1:1".to_owned(), ca: None, preserve_host: true }),
    ];
    resources.extend(other.map(|upstream| resource("other", upstream)));
    let catalog = Catalog::new(resources);
    let ledger =
        Ledger::open(directory.path(), Options::new("test.example/log", SigningKey::from_seed([7; 32]))).unwrap();
    let script = Arc::new(Script {
        observed: Mutex::default(),
        changed: Notify::new(),
        ledger,
        catalog: Arc::new(catalog),
        ids: AtomicU64::new(1),
        _directory: directory,
    });
    tokio::spawn(run_application(upstream, Arc::clone(&script)));
    let echo = Arc::clone(&script);
    let service = tower::service_fn(move |request: Request<Body>| {
        let script = Arc::clone(&echo);
        async move { Ok::<_, Infallible>(respond(request, script).await) }
    });
    let parts: Parts = HashMap::from([("echo".to_owned(), BoxCloneSyncService::new(service))]);
    let signer = Signer::from_seed(&[9; 32]);
    let mut settings = Settings {
        node: "node-1".to_owned(),
        control_host: "countersign.localhost".to_owned(),
        issuer: "http://countersign.localhost".to_owned(),
        listeners: vec![Listener {
            address: "127.0.0.1:0".parse().unwrap(),
            tls: None,
            purpose: Purpose::Applications,
        }],
        trusted_proxies: vec![],
        limits: Limits { body_bytes: Some(1 << 20), drain: Duration::ZERO, ..Limits::default() },
        certificate_authorities: None,
        clock: Arc::new(Stopped),
    };
    adjust(&mut settings);
    let gate = Gate::new(Arc::new(Scripted(Arc::clone(&script))));
    let gateway = Gateway::bind(gate, parts, signer.clone(), settings).await.unwrap();
    let address = gateway.addresses()[0];
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(gateway.serve(async { stopped.await.unwrap_or(()) }));
    Fixture { address, script, signer, stop: Some(stop), served }
}

impl Fixture {
    pub(super) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        within("the gateway stops", &mut self.served).await.unwrap();
    }
}

/// Nothing here takes long; a test that hangs says where.
pub(super) async fn within<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(30), waiting).await {
        Ok(value) => value,
        Err(_) => panic!("still waiting: {what}"),
    }
}

async fn run_application(listener: TcpListener, script: Arc<Script>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                let script = Arc::clone(&script);
                async move { Ok::<_, Infallible>(respond(request, script).await) }
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

/// Counts a body that goes before its end.
struct Alarm(Option<Arc<Script>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(script) = self.0.take() {
            script.change(|observed| observed.broken += 1);
        }
    }
}

/// The application, over the wire and as a part.
async fn respond<B>(mut request: Request<B>, script: Arc<Script>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Debug,
{
    let seen = Seen {
        target: request.uri().path_and_query().unwrap().to_string(),
        headers: request.headers().clone(),
        principal: request.extensions().get::<Principal>().cloned(),
    };
    let grpc = request.headers().get("content-type").is_some_and(|kind| kind == "application/grpc");
    let path = request.uri().path().to_owned();
    script.change(|observed| observed.seen.push(seen));
    if request.headers().contains_key("upgrade") {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(websocket(upgrade, Arc::clone(&script)));
        let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        return response;
    }
    if path == "/never" {
        let _alarm = Alarm(Some(script));
        return std::future::pending().await;
    }
    let mut alarm = Alarm(Some(Arc::clone(&script)));
    let mut body = request.into_body();
    let mut received = 0;
    if path == "/duplex" {
        // Answers before it has read the request, and goes on reading.
        let reading = Arc::clone(&script);
        tokio::spawn(async move {
            let _alarm = alarm;
            while let Some(Ok(_)) = body.frame().await {
                reading.change(|observed| observed.arrived += 1);
            }
        });
        return Response::new(pouring(script, false));
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Response::new(full("broken")) };
        received += frame.data_ref().map_or(0, Bytes::len);
        script.change(|observed| observed.arrived += 1);
    }
    alarm.0 = None;
    let body = match path.as_str() {
        "/stream" | "/flood" => pouring(script, path == "/flood"),
        _ if grpc => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            full(&format!("{received}")).with_trailers(std::future::ready(Some(Ok(trailers)))).boxed_unsync()
        }
        _ => full(&format!("received {received}")),
    };
    let mut response = Response::new(body);
    if grpc {
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    }
    response
}

/// A body that does not end by itself: one piece, or as many as are taken.
fn pouring(script: Arc<Script>, flood: bool) -> Body {
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, BodyError>>(1);
    tokio::spawn(async move {
        let _alarm = Alarm(Some(Arc::clone(&script)));
        let chunk = || Ok(Frame::data(Bytes::from(vec![b'x'; if flood { 64 * 1024 } else { 5 }])));
        let _ = sender.send(chunk()).await;
        while flood && sender.send(chunk()).await.is_ok() {
            script.change(|observed| observed.poured += 1);
        }
        sender.closed().await;
    });
    let stream = futures_stream(receiver);
    StreamBody::new(stream).boxed_unsync()
}

fn futures_stream(
    mut receiver: mpsc::Receiver<Result<Frame<Bytes>, BodyError>>,
) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, BodyError>> {
    futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

pub(super) fn full(text: &str) -> Body {
    Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).boxed_unsync()
}

/// Says hello in one frame, then sends back what comes, byte for byte.
async fn websocket(upgrade: hyper::upgrade::OnUpgrade, script: Arc<Script>) {
    let mut stream = TokioIo::new(upgrade.await.unwrap());
    let _alarm = Alarm(Some(Arc::clone(&script)));
    stream.write_all(b"\x81\x05hello").await.unwrap();
    script.change(|observed| observed.opened += 1);
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}
