//! A service has its key: within its scope, until it is revoked.

use bytes::Bytes;
use countersign_testkit::TestSystem;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};

use crate::start;

async fn ask(test: &TestSystem, key: &str, method: Method, application: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(test.url(application, "/"));
    let request = request.header("authorization", format!("Bearer {key}")).body(Full::<Bytes>::default()).unwrap();
    test.dialler(None).fetch(request).await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_within_its_scope_until_it_is_revoked() {
    let test = start().await;
    let key = test.key("service:backup", "human:alice", &["standard"], &["read"]).await;
    assert_eq!(ask(&test, &key, Method::GET, "standard").await, StatusCode::OK);
    assert_eq!(ask(&test, &key, Method::POST, "standard").await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&test, &key, Method::GET, "high").await, StatusCode::FORBIDDEN);
    let operator = test.operator();
    let keys = operator.get("/api/v1/keys").await.unwrap();
    operator.delete(&format!("/api/v1/keys/{}", keys["items"][0]["id"].as_str().unwrap())).await.unwrap();
    assert_eq!(ask(&test, &key, Method::GET, "standard").await, StatusCode::FORBIDDEN);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_an_end_is_refused() {
    let test = start().await;
    let body = serde_json::json!({
        "subject": "service:backup", "owner": "human:alice", "scope": {"classes": ["read"]}, "expires": null,
    });
    assert!(test.operator().post("/api/v1/keys", &body).await.is_err());
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_service_is_no_operator() {
    let test = start().await;
    let key = test.key("service:backup", "human:alice", &["standard"], &["read"]).await;
    assert!(test.with_key(&key).get("/api/v1/subjects").await.is_err());
    test.stop().await;
}
