//! Envoy asks over TLS: it knows Countersign by its authority, and Countersign knows its machine by the certificate that a
//! policy here makes it show. That what arrives then is decided like anything else is in the column of its own.

use countersign_device::Authority;
use countersign_model::Clock as _;
use http_body_util::Full;
use hyper::Request;

use super::edge::{Asked, Edge, Kind};
use super::upstream::Upstream;
use super::{attacks, countersign};

/// A key alone is not enough: it has to come from a machine that is managed.
const FROM_MANAGED_MACHINES: &str = r#"
@id("enforcement-points-are-managed")
@owner("security")
@review_by("2099-01-01")
@remedy("Ask from a managed machine.")
forbid (principal in Group::"enforcement-points", action, resource == Resource::"countersign-bridge")
unless { context.network.encrypted && context has device && context.device.managed };
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_proves_its_machine_and_knows_whom_it_asks() {
    let (test, asked) = countersign(Kind::EnvoyTls).await;
    std::fs::write(test.path("data/policies/zz-machines.cedar"), FROM_MANAGED_MACHINES).unwrap();
    let mut reloader = test.reloader();
    reloader.reload(&test.system).await;
    let key = test.key("service:backup", "human:alice", &["app"], &["read"]).await;
    let request = format!("GET /a HTTP/1.1\r\nHost: app.localhost\r\nAuthorization: Bearer {key}\r\n");
    let upstream = Upstream::start(&test).await;

    let mut edge = Edge::start(Kind::EnvoyTls, &asked, upstream.address).await;
    edge.answers(401).await;
    assert_eq!(edge.ask(&request).await.status, 200, "{}", edge.log());
    assert_eq!(attacks::last_decision(&test).point.caller.unwrap().to_string(), "service:edge");
    let entrance = attacks::last_of(&test, "bridge");
    assert_eq!(entrance.question.circumstances.device.unwrap().id.to_string(), "edge-1");
    assert!(entrance.question.circumstances.network.encrypted);
    upstream.forget();

    // Without its certificate: the key is nobody's.
    let bare = |text: &str| {
        text.lines().filter(|line| !line.contains("tls_certificates:")).map(|it| format!("{it}\n")).collect()
    };
    let edge = Edge::start_with(Kind::EnvoyTls, &asked, upstream.address, bare).await;
    assert_eq!(edge.ask(&request).await.status, 503, "{}", edge.log());
    assert!(attacks::last_of(&test, "bridge").question.circumstances.device.is_none());

    // Whoever is not the one that it trusts is not asked: neither another authority's, nor another name's.
    let other = Authority::create(test.clock.now(), "another").unwrap().certificate_pem().to_owned();
    let files = asked.files.iter().map(|(name, text)| (*name, if *name == "authority.pem" { &other } else { text }));
    let files = files.map(|(name, text)| (name, text.clone())).collect();
    let strange = Asked { bridge: asked.bridge, key: asked.key.clone(), files };
    let edge = Edge::start(Kind::EnvoyTls, &strange, upstream.address).await;
    assert_eq!(edge.ask(&request).await.status, 503, "{}", edge.log());
    let misnamed = |text: &str| text.replace("exact: countersign.localhost", "exact: elsewhere.localhost");
    let edge = Edge::start_with(Kind::EnvoyTls, &asked, upstream.address, misnamed).await;
    assert_eq!(edge.ask(&request).await.status, 503, "{}", edge.log());
    assert_eq!(upstream.seen().len(), 0);

    // What is not encrypted is not answered.
    let plain = Request::get(format!("http://{}/forward-auth", asked.bridge)).body(Full::default()).unwrap();
    assert!(test.dialler(None).fetch(plain).await.is_err());
    test.stop().await;
}
