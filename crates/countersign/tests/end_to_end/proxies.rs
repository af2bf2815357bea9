//! The proxies that people have already, real ones, with the very files under `examples`, in front of an application
//! that takes nobody's word but a signed one: every attack against every proxy. A proxy is a column, an attack a row, and
//! neither can be added without the other.

mod attacks;
mod edge;
mod encrypted;
mod example;
mod upstream;

use std::net::SocketAddr;
use std::time::Duration;

use countersign_model::{Clock as _, Timestamp};
use countersign_testkit::TestSystem;
use futures_util::future::join_all;
use hyper::StatusCode;

use crate::estate::{STAFF, WRITTEN, application, enforcement_point};
use attacks::Attack;
use edge::{Asked, Edge, Kind};
use upstream::Upstream;

/// Two applications on one proxy would be one too many: what another host would be allowed is what attacks ask for.
fn estate(upstream: SocketAddr, encrypted: bool) -> String {
    let rules = format!("{WRITTEN}\nrules = [{{ path = \"/admin/*\", action = \"administer\" }}]");
    format!(
        "[bridge]\nlisten = \"127.0.0.1:0\"\ntls = {encrypted}\n{STAFF}{}{}{}",
        enforcement_point("edge"),
        application("app", "standard", upstream, &rules),
        application("open", "public", upstream, "")
    )
}

/// Countersign, an application, and a proxy between it and its clients.
struct House {
    test: TestSystem,
    upstream: Upstream,
    edge: Edge,
    /// May read and write, and open no channel.
    key: String,
}

impl House {
    async fn start(kind: Kind) -> Self {
        let (test, asked) = countersign(kind).await;
        let key = test.key("service:backup", "human:alice", &["app"], &["read", "write"]).await;
        let upstream = Upstream::start(&test).await;
        let mut edge = Edge::start(kind, &asked, upstream.address).await;
        edge.answers(401).await;
        Self { test, upstream, edge, key }
    }
}

/// Countersign, and how a proxy of this kind asks it.
async fn countersign(kind: Kind) -> (TestSystem, Asked) {
    let test = TestSystem::start(&estate(SocketAddr::from(([127, 0, 0, 1], 1)), kind.is_encrypted())).await;
    let asked = Asked::of(kind, &test).await;
    (test, asked)
}

async fn holds(kind: Kind) {
    let house = House::start(kind).await;
    for attack in Attack::ALL {
        eprintln!("{attack:?} × {kind:?}");
        attack.run(&house).await;
    }
    serves(&house).await;
    web_sockets_pass(&house).await;
    people_sign_in(&house).await;
    observe_mode_lets_through(&house).await;
    let House { test, upstream, edge, key } = house;
    // Countersign goes away: nothing passes any more.
    test.system.stop().await;
    upstream.forget();
    let answer = edge.ask(&format!("GET /a HTTP/1.1\r\nHost: app.localhost\r\nAuthorization: Bearer {key}\r\n")).await;
    assert!(answer.status >= 400, "{kind:?}: {answer:?}");
    assert_eq!(upstream.seen().len(), 0, "{kind:?}");
}

/// What is allowed arrives, with who asks, and without what is Countersign's.
async fn serves(house: &House) {
    let kind = house.edge.kind;
    house.upstream.forget();
    let request = format!(
        "POST /a/b%20c?x=%2F&y HTTP/1.1\r\nHost: app.localhost\r\nAuthorization: Bearer {}\r\nCookie: mine=1\r\n\
         X-Mine: kept\r\nContent-Length: 5\r\n",
        house.key
    );
    let answer = house.edge.ask_with(&request, "hello").await;
    assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
    let seen = house.upstream.seen().pop().unwrap();
    assert_eq!((seen.line.as_str(), seen.body.as_str()), ("POST /a/b%20c?x=%2F&y", "hello"), "{kind:?}");
    assert_eq!(seen.one("countersign-subject"), "service:backup", "{kind:?}");
    assert_eq!(seen.one("countersign-groups"), "staff", "{kind:?}");
    assert_eq!((seen.one("cookie"), seen.one("x-mine")), ("mine=1", "kept"), "{kind:?}");
    assert_eq!((seen.one("countersign-email"), seen.one("countersign-device")), ("", ""), "{kind:?}");
    assert_eq!((seen.one("authorization"), seen.one("countersign-proxy-key")), ("", ""), "{kind:?}");
    let recorded = attacks::last_decision(&house.test);
    assert_eq!(recorded.id.to_string(), seen.one("countersign-decision"), "{kind:?}");
    assert_eq!(recorded.point.caller.unwrap().to_string(), "service:edge", "{kind:?}");
    let circumstances = &recorded.question.circumstances;
    assert_eq!(circumstances.http.as_ref().unwrap().path, "/a/b%20c", "{kind:?}");
}

/// Who may open a channel opens one.
async fn web_sockets_pass(house: &House) {
    let kind = house.edge.kind;
    let key = house.test.key("service:backup", "human:alice", &["app"], &["connect"]).await;
    let answer = house
        .edge
        .ask(&format!(
            "GET /socket HTTP/1.1\r\nHost: app.localhost\r\nAuthorization: Bearer {key}\r\nConnection: upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        ))
        .await;
    assert_eq!(answer.status, 101, "{kind:?}: {answer:?}");
    assert_eq!(attacks::last_decision(&house.test).question.action.to_string(), "http:connect", "{kind:?}");
}

/// A person comes by a browser, signs in at the control host, and comes back.
async fn people_sign_in(house: &House) {
    let kind = house.edge.kind;
    let mut browser = house.test.person("human:alice", &["staff"], None).await;
    house.upstream.forget();
    let answer = browser.open(&house.edge.url("/welcome?page=1")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{kind:?}: {answer:?}");
    let seen = house.upstream.seen().pop().unwrap();
    assert_eq!(seen.line, "GET /welcome?page=1", "{kind:?}");
    assert_eq!(seen.one("countersign-subject"), "human:alice", "{kind:?}");
    assert!(!seen.one("cookie").contains("countersign"), "{kind:?}: {seen:?}");

    let mut stranger = house.test.browser();
    let refused = stranger.send(hyper::Method::GET, &house.edge.url("/"), None).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{kind:?}");
}

/// A proxy is told to let pass whom policies would refuse, as nobody in particular and on record; and no longer than that.
async fn observe_mode_lets_through(house: &House) {
    let kind = house.edge.kind;
    let operator = house.test.operator();
    let observe = async |until: Option<Timestamp>| {
        let mut resource = operator.get("/api/v1/resources/app").await.unwrap();
        let body = resource.as_object_mut().unwrap();
        body.retain(|told, _| !["id", "kind", "source"].contains(&told.as_str()));
        body.insert("observe_until".to_owned(), serde_json::json!(until));
        operator.put("/api/v1/resources/app", &resource).await.unwrap();
    };
    let stranger = "GET /a HTTP/1.1\r\nHost: app.localhost\r\n";
    assert_eq!(house.edge.ask(stranger).await.status, 401, "{kind:?}");
    house.upstream.forget();
    observe(Some(house.test.clock.now().plus(Duration::from_secs(3600)))).await;
    assert_eq!(house.edge.ask(stranger).await.status, 200, "{kind:?}");
    assert_eq!(house.upstream.seen().pop().unwrap().one("countersign-subject"), "anonymous", "{kind:?}");
    let recorded = attacks::last_decision(&house.test);
    assert_eq!(recorded.decision.name(), "allow", "{kind:?}");
    assert_eq!(recorded.observed.unwrap().decision.name(), "challenge", "{kind:?}");
    observe(None).await;
    assert_eq!(house.edge.ask(stranger).await.status, 401, "{kind:?}");
}

/// What keeps connections may ask on one that leads elsewhere. It shows only when many ask at once, and then not always.
#[tokio::test(flavor = "multi_thread")]
async fn caddy_asks_countersign_and_nobody_else() {
    const AT_ONCE: usize = 64;
    const WAVES: usize = 30;
    let house = House::start(Kind::Caddy).await;
    let request = format!("GET /busy HTTP/1.1\r\nHost: app.localhost\r\nAuthorization: Bearer {}\r\n", house.key);
    house.upstream.forget();
    for _ in 0..WAVES {
        for answer in join_all((0..AT_ONCE).map(|_| house.edge.ask(&request))).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    let seen = house.upstream.seen();
    assert_eq!(seen.len(), AT_ONCE * WAVES);
    assert!(seen.iter().all(|seen| seen.line == "GET /busy"), "the application was asked in place of Countersign");
}

macro_rules! columns {
    ($($name:ident $kind:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                holds(Kind::$kind).await;
            }
        )*

        #[test]
        fn every_proxy_has_its_column() {
            assert_eq!(Kind::ALL, [$(Kind::$kind),*]);
        }
    };
}

columns! {
    nginx_lets_nothing_past Nginx;
    caddy_lets_nothing_past Caddy;
    traefik_lets_nothing_past Traefik;
    haproxy_lets_nothing_past HaProxy;
    envoy_lets_nothing_past Envoy;
    envoy_over_http_lets_nothing_past EnvoyHttp;
    envoy_over_tls_lets_nothing_past EnvoyTls;
}
