//! Open connections end when a fact changes: posture, a session that is killed, time.

use std::time::Duration;

use countersign::browser::Browser;
use countersign::dial::BoxStream;
use countersign::laptop::Laptop;
use countersign_model::{Clock as _, PostureValue};
use countersign_testkit::TestSystem;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::offline::{fails, succeeds, text};
use crate::start;

/// A download that only a cut ends, with its first piece read.
pub(crate) async fn endless(test: &TestSystem, browser: &mut Browser, application: &str) -> Incoming {
    browser.open(&test.url(application, "/")).await.unwrap();
    let answer = browser.download(&test.url(application, "/endless")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    body.frame().await.unwrap().unwrap();
    body
}

/// Reads until it breaks off. A test that waits for ever is a failed one.
pub(crate) async fn breaks_off(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firewall_turned_off_ends_what_depended_on_it() {
    let test = start().await;
    let laptop = test.laptop("laptop", "human:alice").await;
    let mut alice = test.person("human:alice", &[], Some(&laptop)).await;
    let body = endless(&test, &mut alice, "high").await;
    laptop.report(Laptop::health(PostureValue::Off), test.clock.now()).await.unwrap();
    breaks_off(body).await;
    let denied = alice.send(Method::GET, &test.url("high", "/"), None).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_session_ends_at_once() {
    let test = start().await;
    let mut bob = test.person("human:bob", &[], None).await;
    let body = endless(&test, &mut bob, "standard").await;
    let operator = test.operator();
    let sessions = operator.get("/api/v1/sessions?subject=human%3Abob").await.unwrap();
    let id = sessions["items"][0]["id"].as_str().unwrap();
    operator.delete(&format!("/api/v1/sessions/{id}")).await.unwrap();
    breaks_off(body).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posture_that_grows_stale_ends_it_too() {
    let test = start().await;
    let laptop = test.laptop("laptop", "human:alice").await;
    let mut alice = test.person("human:alice", &[], Some(&laptop)).await;
    let body = endless(&test, &mut alice, "high").await;
    test.clock.advance(Duration::from_secs(16 * 60));
    breaks_off(body).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_risk_ends_what_is_open_until_it_falls() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    let body = endless(&test, &mut alice, "standard").await;
    let file = test.path("countersign.toml");
    let risk = ["subject", "risk", "human:alice", "--config", text(&file)];
    test.catch_up();
    let said = succeeds(&[&risk[..], &["80", "--reason", "signed in from two continents"]].concat());
    assert!(said.contains("the risk of human:alice is 80"), "{said}");
    breaks_off(body).await;
    let denied = alice.send(Method::GET, &test.url("standard", "/"), None).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    test.catch_up();
    succeeds(&[&risk[..], &["0", "--reason", "it was an aeroplane"]].concat());
    let again = alice.send(Method::GET, &test.url("standard", "/"), None).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    fails(&[&risk[..], &["101", "--reason", "too much"]].concat(), 2);
    test.catch_up();
    fails(&["subject", "risk", "human:nobody", "5", "--reason", "x", "--config", text(&file)], 1);
    test.stop().await;
}

/// What a person has open at one application: a body that pours, one that waits for its next event, a socket.
struct Open {
    download: Incoming,
    events: Incoming,
    socket: WebSocketStream<BoxStream>,
}

impl Open {
    async fn at(test: &TestSystem, browser: &mut Browser, application: &str) -> Self {
        let download = endless(test, browser, application).await;
        let events = browser.download(&test.url(application, "/events")).await.unwrap();
        assert_eq!(events.status(), StatusCode::OK);
        let socket = browser.web_socket(&test.url(application, "/socket")).await.unwrap();
        let mut open = Self { download, events: events.into_body(), socket: socket.unwrap() };
        let first = open.events.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "data: first\n\n");
        open.flows().await;
        open
    }

    /// What is sent now comes back, so that it was not cut before.
    async fn flows(&mut self) {
        self.socket.send(Message::text("still there")).await.unwrap();
        assert_eq!(self.socket.next().await.unwrap().unwrap(), Message::text("still there"));
        self.download.frame().await.unwrap().unwrap();
    }

    async fn ends(mut self) {
        breaks_off(self.download).await;
        let end = self.events.frame().await;
        assert!(matches!(end, Some(Err(_))), "events that broke off do not look complete");
        match self.socket.next().await {
            // 1008: against a policy.
            Some(Ok(Message::Close(Some(close)))) => assert_eq!(u16::from(close.code), 1008),
            other => panic!("the socket was not closed with its reason: {other:?}"),
        }
    }
}

/// Exactly as the register, the policy and the score read it: while it is in force everything flows, and from the instant at which it is
/// not, nothing does.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_exception_let_through_is_cut_at_the_instant_it_ends() {
    for end in ["its time", "its owner leaves", "it is withdrawn"] {
        let test = start().await;
        let operator = test.operator();
        let laptop = test.laptop("laptop", "human:alice").await;
        laptop.report(Laptop::health(PostureValue::Off), test.clock.now()).await.unwrap();
        let mut alice = test.person("human:alice", &[], Some(&laptop)).await;
        let mut olivia = test.person("human:olivia", &["owners"], None).await;
        let _carl = test.person("human:carl", &[], None).await;
        alice.open(&test.url("high", "/")).await.unwrap();
        let status =
            async |alice: &mut Browser| alice.send(Method::GET, &test.url("high", "/"), None).await.unwrap().status();
        assert_eq!(status(&mut alice).await, StatusCode::FORBIDDEN, "no firewall, no exception");

        let expires = test.clock.now().plus(Duration::from_secs(300));
        let wanted = json!({
            "owner": "human:carl", "reason": "The laptop is in repair.", "relaxes": ["high-needs-healthy-device"],
            "scope": {"subjects": ["human:alice"], "resources": ["high"], "classes": ["read", "connect"]},
            "control": "Carl sits beside her.", "expires": expires,
        });
        let asked = operator.post("/api/v1/exceptions", &wanted).await.unwrap();
        let at = format!("/api/v1/exceptions/{}", asked["id"].as_str().unwrap());
        assert_eq!(status(&mut alice).await, StatusCode::FORBIDDEN, "nobody has agreed");
        olivia.post(&format!("{}{at}/approve", test.origin()), &json!({})).await.unwrap();

        let mut open = Open::at(&test, &mut alice, "high").await;
        test.clock.advance(Duration::from_millis(299_999));
        open.flows().await;
        let standing = match end {
            "its time" => {
                test.clock.advance(Duration::from_millis(1));
                "expired"
            }
            "its owner leaves" => {
                let state = json!({"state": "disabled"});
                operator.put("/api/v1/subjects/human%3Acarl/state", &state).await.unwrap();
                "ended"
            }
            _ => {
                operator.post(&format!("{at}/end"), &json!({"why": "repaired"})).await.unwrap();
                "ended"
            }
        };
        open.ends().await;
        assert_eq!(status(&mut alice).await, StatusCode::FORBIDDEN, "{end}");
        assert_eq!(operator.get(&at).await.unwrap()["standing"], standing, "{end}");
        test.stop().await;
    }
}
