//! Open connections end when a fact changes: posture, a session that is killed, time.

use std::time::Duration;

use countersign::browser::Browser;
use countersign::laptop::Laptop;
use countersign_model::{Clock as _, PostureValue};
use countersign_testkit::TestSystem;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};

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
