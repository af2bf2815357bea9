//! AuthZEN through the real HTTP interface: the questions and answers in `tests/authzen/scenario.json`, written from the
//! specification, and what no question may do to the facts.

use countersign_testkit::TestSystem;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

const SCENARIO: &str = include_str!("../../../../tests/authzen/scenario.json");

const ESTATE: &str = r#"
[[group]]
id = "staff"
[[subject]]
id = "human:alice"
groups = ["staff"]
[[subject]]
id = "human:bob"
groups = ["staff"]
disabled = true
[[subject]]
id = "human:carol"
[[subject]]
id = "service:backup"
owner = "human:alice"
groups = ["staff"]
[[subject]]
id = "service:shop"
owner = "human:alice"
groups = ["enforcement-points"]
[[resource]]
id = "record/record-1"
tier = "public"
hosts = ["record-1.localhost"]
upstream = "http://127.0.0.1:1"
writers = ["staff"]
[[resource]]
id = "wiki"
tier = "standard"
upstream = "http://127.0.0.1:1"
readers = ["staff"]
[[resource]]
id = "payroll"
tier = "high"
upstream = "http://127.0.0.1:1"
writers = ["staff"]
rules = [{ path = "/admin/*", action = "administer" }]
"#;

struct Asked {
    status: StatusCode,
    request_id: Option<String>,
    body: Value,
}

async fn ask(test: &TestSystem, key: Option<&str>, path: &str, kind: &str, body: String) -> Asked {
    let method = if body.is_empty() { Method::GET } else { Method::POST };
    let mut request = Request::builder().method(method).uri(format!("{}{path}", test.origin()));
    request = request.header("content-type", kind).header("x-request-id", "request-7");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let answer = test.dialler(None).fetch(request.body(Full::from(body)).unwrap()).await.unwrap();
    let request_id = answer.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
    let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    Asked { status: answer.status(), request_id, body }
}

/// Whether all that `expect` says is so in `is`.
fn holds(expect: &Value, is: &Value) -> bool {
    match (expect, is) {
        (Value::Object(expect), Value::Object(is)) => {
            expect.iter().all(|(name, expect)| is.get(name).is_some_and(|is| holds(expect, is)))
        }
        (Value::Array(expect), Value::Array(is)) => {
            expect.len() == is.len() && expect.iter().zip(is).all(|(expect, is)| holds(expect, is))
        }
        (expect, is) => expect == is,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scenario_is_answered_as_the_standard_says() {
    let test = TestSystem::start(ESTATE).await;
    let key = test.key("service:shop", "human:alice", &["countersign-authzen"], &["write"]).await;
    let scenario: Value = serde_json::from_str(SCENARIO).unwrap();
    for case in scenario.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let kind = case.get("content_type").and_then(Value::as_str).unwrap_or("application/json");
        let body = match &case["request"] {
            Value::String(text) => text.clone(),
            request => request.to_string(),
        };
        let asked = ask(&test, Some(&key), case["path"].as_str().unwrap(), kind, body).await;
        let status = case.get("status").and_then(Value::as_u64).unwrap_or(200);
        assert_eq!(u64::from(asked.status.as_u16()), status, "{name}: {}", asked.body);
        assert!(holds(&case["response"], &asked.body), "{name}: {}", asked.body);
        assert_eq!(asked.request_id.as_deref(), Some("request-7"), "{name}");
    }
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_proves_it_and_stands_in_the_record() {
    let test = TestSystem::start(ESTATE).await;
    let body = json!({
        "subject": {"type": "human", "id": "alice"}, "action": {"name": "write"}, "resource": {"type": "resource", "id": "payroll"},
        "context": {"authentication": {"methods": ["federated-multi-factor"]}},
    })
    .to_string();
    let path = "/access/v1/evaluation";
    let json = "application/json";
    assert_eq!(ask(&test, None, path, json, body.clone()).await.status, StatusCode::UNAUTHORIZED);
    let other = test.key("service:backup", "human:alice", &["countersign-authzen"], &["write"]).await;
    assert_eq!(ask(&test, Some(&other), path, json, body.clone()).await.status, StatusCode::FORBIDDEN);
    let narrow = test.key("service:shop", "human:alice", &["countersign-bridge"], &["connect"]).await;
    assert_eq!(ask(&test, Some(&narrow), path, json, body.clone()).await.status, StatusCode::FORBIDDEN);

    let key = test.key("service:shop", "human:alice", &["countersign-authzen"], &["write"]).await;
    let asked = ask(&test, Some(&key), path, json, body).await;
    assert_eq!((asked.status, &asked.body["decision"]), (StatusCode::OK, &json!(false)));
    let context = &asked.body["context"];
    assert_eq!((&context["effect"], &context["reason"]), (&json!("deny"), &json!("forbidden")));
    assert_eq!(context["remedy"]["needs"][0]["need"], "enrolled-device");
    let id = context["decision"].as_str().unwrap();
    let recorded = test.operator().get(&format!("/api/v1/decisions/{id}")).await.unwrap();
    let decision = &recorded["decision"];
    assert_eq!((&decision["subject"], &decision["resource"]), (&json!("human:alice"), &json!("payroll")));
    assert_eq!((&decision["channel"], &decision["caller"]), (&json!("authzen"), &json!("service:shop")));
    assert_eq!((&decision["lease"], &decision["effect"]), (&Value::Null, &json!("deny")));

    let metadata = ask(&test, None, "/.well-known/authzen-configuration", json, String::new()).await;
    assert_eq!(metadata.status, StatusCode::OK);
    let origin = test.system.origin();
    let expect = json!({
        "policy_decision_point": origin,
        "access_evaluation_endpoint": format!("{origin}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{origin}/access/v1/evaluations"),
    });
    assert_eq!(metadata.body, expect);
    test.stop().await;
}
