//! A person signs in with a passkey, is handed to an application, and is known there and nowhere else.

use hyper::{Method, StatusCode};

use crate::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_is_handed_over() {
    let test = start().await;
    let mut stranger = test.browser();
    let public = stranger.open(&test.url("public", "/")).await.unwrap();
    assert_eq!((public.status(), public.body().as_ref()), (StatusCode::OK, b"anonymous ".as_slice()));
    let asked = stranger.send(Method::GET, &test.url("standard", "/"), None).await.unwrap();
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);

    let mut alice = test.person("human:alice", &[], None).await;
    let standard = alice.open(&test.url("standard", "/page?x=1")).await.unwrap();
    assert_eq!((standard.status(), standard.body().as_ref()), (StatusCode::OK, b"human:alice ".as_slice()));
    // The tier above wants a device too, and says so to somebody who is known.
    let high = alice.open(&test.url("high", "/")).await.unwrap();
    assert_eq!(high.status(), StatusCode::FORBIDDEN);
    let why = alice.send(Method::GET, &test.url("high", "/"), None).await.unwrap();
    assert!(String::from_utf8_lossy(why.body()).contains("managed-device"), "{:?}", why.body());
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_works_once() {
    let test = start().await;
    let body = serde_json::json!({"subject": "human:alice", "hours": 1});
    let invited = test.operator().post("/api/v1/invitations", &body).await.unwrap();
    let link = format!("{}/invite#{}", test.origin(), invited["link"].as_str().unwrap().split_once('#').unwrap().1);
    test.browser().enrol(&link, "first").await.unwrap();
    assert!(test.browser().enrol(&link, "second").await.is_err());
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_session_outlives_a_restart() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    alice.open(&test.url("standard", "/")).await.unwrap();
    let test = test.restart().await;
    let again = alice.send(Method::GET, &test.url("standard", "/"), None).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn console_api_and_metrics_answer() {
    let test = start().await;
    let mut owner = test.person("human:carol", &["owners"], None).await;
    let console = owner.open(&format!("{}/console", test.origin())).await.unwrap();
    assert_eq!(console.status(), StatusCode::OK);
    let status = test.operator().get("/api/v1/status").await.unwrap();
    assert_eq!(status["ready"], true);
    let mut bob = test.person("human:bob", &[], None).await;
    let refused = bob.open(&format!("{}/console", test.origin())).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let operations = test.system.running().operations.unwrap();
    for (path, expected) in [("readyz", "ready"), ("healthz", "alive"), ("metrics", "")] {
        let url = format!("http://{operations}/{path}");
        let answer = test.browser().send(Method::GET, &url, None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(String::from_utf8_lossy(answer.body()).contains(expected));
    }
    test.stop().await;
}

/// The request that ends its own session is answered, each time: the browser forgets the cookie, and hears why.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_is_always_answered() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    for round in 0..40 {
        assert_eq!(alice.open(&test.url("standard", "/")).await.unwrap().status(), StatusCode::OK);
        let out = alice.send(Method::POST, &format!("{}/sign-in/sign-out", test.origin()), None).await.unwrap();
        assert_eq!((out.status(), round), (StatusCode::SEE_OTHER, round), "{:?}", out.body());
        assert_eq!(out.headers()["location"], "/sign-in/signed-out");
        assert!(out.headers()["set-cookie"].to_str().unwrap().ends_with("Max-Age=0"));
        let after = alice.send(Method::GET, &test.url("standard", "/"), None).await.unwrap();
        assert_eq!(after.status(), StatusCode::UNAUTHORIZED);
    }
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_application_is_told_who_comes_if_they_sign_in_there() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    let page = test.url("public", "/page");
    assert_eq!(alice.open(&page).await.unwrap().body().as_ref(), b"anonymous ");
    let known = alice.open(&test.url("public", "/.countersign/sign-in?return=/page")).await.unwrap();
    assert_eq!((known.status(), known.body().as_ref()), (StatusCode::OK, b"human:alice ".as_slice()));
    assert_eq!(alice.open(&page).await.unwrap().body().as_ref(), b"human:alice ");
    test.stop().await;
}

/// The longest path, spelled so that it grows threefold, still fits into the entry of its decision.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_short_enough_to_be_read_can_be_recorded() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    alice.open(&test.url("standard", "/")).await.unwrap();
    for (bytes, status) in [(8190, StatusCode::OK), (8192, StatusCode::URI_TOO_LONG)] {
        let url = test.url("standard", &format!("/{}", "|".repeat(bytes)));
        assert_eq!(alice.send(Method::GET, &url, None).await.unwrap().status(), status, "{bytes}");
    }
    test.stop().await;
}
