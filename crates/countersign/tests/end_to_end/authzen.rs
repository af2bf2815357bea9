//! AuthZEN through the real HTTP interface: the questions and answers in `tests/authzen/scenario.json`, written from the
//! specification; what no question may do to the facts; and searches beside every evaluation that they stand for.

use countersign_testkit::TestSystem;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::estate::{NOWHERE, STAFF, WRITTEN, application, enforcement_point};

const SCENARIO: &str = include_str!("../../../../tests/authzen/scenario.json");

/// Beside the staff: somebody who is in no group, somebody who is disabled, an agent of Alice's, and the service that asks.
fn estate() -> String {
    let people = "[[subject]]\nid = \"human:carol\"\n[[subject]]\nid = \"human:dave\"\ngroups = [\"staff\"]\ndisabled = true\n\
        [[subject]]\nid = \"agent:planner\"\nowner = \"human:alice\"\nacts_for = \"human:alice\"\ngroups = [\"staff\"]\n";
    let rules = format!("{WRITTEN}\nrules = [{{ path = \"/admin/*\", action = \"administer\" }}]");
    let record = format!("{WRITTEN}\nhosts = [\"record-1.localhost\"]");
    [
        STAFF,
        people,
        &enforcement_point("shop"),
        &enforcement_point("till"),
        &application("record/record-1", "public", NOWHERE, &record),
        &application("wiki", "standard", NOWHERE, "readers = [\"staff\"]"),
        &application("payroll", "high", NOWHERE, &rules),
    ]
    .concat()
}

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
    let test = TestSystem::start(&estate()).await;
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
    let test = TestSystem::start(&estate()).await;
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
    let known = ask(&test, Some(&key), "/.well-known/authzen-configuration", json, String::new()).await;
    assert_eq!((known.status, &known.body), (StatusCode::OK, &metadata.body), "with a key that is for asking alone");
    let expect = json!({
        "policy_decision_point": origin,
        "access_evaluation_endpoint": format!("{origin}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{origin}/access/v1/evaluations"),
        "search_subject_endpoint": format!("{origin}/access/v1/search/subject"),
        "search_resource_endpoint": format!("{origin}/access/v1/search/resource"),
        "search_action_endpoint": format!("{origin}/access/v1/search/action"),
    });
    assert_eq!(metadata.body, expect);
    test.stop().await;
}

/// Looks at the request and at the device, so that searches have both to get right.
const PARTICULAR: &str = r#"
@id("nothing-secret")
@owner("security")
@review_by("2099-01-01")
@remedy("Ask for something else.")
forbid (principal, action, resource)
when { context has http && context.http.path like "/secret/*" };

@id("the-laptop-alone-connects")
@owner("security")
@review_by("2099-01-01")
@remedy("Use the laptop.")
forbid (principal is Human, action in Action::"connect", resource)
when { resource.kind == "http" && context has http }
unless { context has device && context.device.id == Device::"laptop" };
"#;

fn contexts() -> Vec<Value> {
    let federated = json!({"methods": ["federated-multi-factor"], "age": 60});
    let http = |path: &str| json!({"host": "payroll.localhost", "path": path});
    vec![
        json!({}),
        json!({"ip_address": "127.0.0.1", "encrypted": true, "authentication": federated}),
        json!({"encrypted": true, "device": "laptop", "authentication": federated, "http": http("/admin/x")}),
        json!({"encrypted": true, "device": "nobodys", "authentication": federated, "http": http("/a")}),
        json!({"ip_address": "127.0.0.1", "device": "laptop", "authentication": {"methods": ["federated-phishing-resistant"]}, "http": http("/secret/x")}),
        json!({"encrypted": true, "authentication": {"methods": ["api-key"]}, "http": http("/list")}),
    ]
}

/// All that a search finds, page by page.
async fn search(test: &TestSystem, key: &str, of: &str, question: &Value) -> Vec<Value> {
    let (mut all, mut page) = (Vec::new(), json!({"limit": 5}));
    loop {
        let mut question = question.clone();
        question["page"] = page;
        let path = format!("/access/v1/search/{of}");
        let found = ask(test, Some(key), &path, "application/json", question.to_string()).await;
        assert_eq!(found.status, StatusCode::OK, "{question}: {}", found.body);
        let results = found.body["results"].as_array().unwrap();
        assert_eq!(found.body["page"]["count"], results.len());
        all.extend(results.iter().cloned());
        let next = found.body["page"]["next_token"].as_str().unwrap();
        if next.is_empty() {
            assert_eq!(found.body["page"]["total"], all.len());
            return all;
        }
        assert_eq!(results.len(), 5);
        page = json!({"token": next});
    }
}

/// Every question of a small world is asked, and every search for a part of it: a search finds exactly what an evaluation
/// of the same words says yes to.
#[tokio::test(flavor = "multi_thread")]
async fn searches_find_what_evaluations_allow() {
    let test = TestSystem::start(&estate()).await;
    let _laptop = test.laptop("laptop", "human:alice").await;
    std::fs::write(test.path("data/policies/zz-particular.cedar"), PARTICULAR).unwrap();
    test.reloader().reload(&test.system).await;
    assert!(
        test.system.administrator().policies().policies().iter().any(|policy| policy.id.as_str() == "nothing-secret")
    );
    let key = test.key("service:shop", "human:alice", &["countersign-authzen"], &["write"]).await;

    let entity = |(kind, id): (&str, &str)| json!({"type": kind, "id": id});
    let mut subjects: Vec<Value> =
        [("user", "alice"), ("user", "bob"), ("user", "carol"), ("user", "dave"), ("user", "nobody")]
            .map(entity)
            .into();
    subjects.extend(
        [
            ("service", "backup"),
            ("service", "shop"),
            ("service", "till"),
            ("service", "local-operator"),
            ("agent", "planner"),
        ]
        .map(entity),
    );
    let resources: Vec<Value> =
        [("resource", "wiki"), ("resource", "payroll"), ("record", "record-1"), ("record", "none")].map(entity).into();
    let actions = ["read", "write", "administer", "connect", "GET", "POST"];
    let name = |what: &Value| if let Some(name) = what.get("name") { name.clone() } else { what["id"].clone() };
    for context in contexts() {
        let actions = if context.get("http").is_some() { &actions[..] } else { &actions[..4] };
        let mut allowed = Vec::new();
        for action in actions {
            let questions = subjects.iter().flat_map(|subject| {
                resources.iter().map(move |resource| json!({"subject": subject, "resource": resource}))
            });
            let questions: Vec<Value> = questions.collect();
            let body = json!({"action": {"name": action}, "context": context, "evaluations": questions}).to_string();
            let told = ask(&test, Some(&key), "/access/v1/evaluations", "application/json", body).await.body;
            let yes = questions.into_iter().zip(told["evaluations"].as_array().unwrap());
            let yes = yes.filter(|(_, verdict)| verdict["decision"] == true);
            allowed.extend(yes.map(|(it, _)| (it["subject"].clone(), *action, it["resource"].clone())));
        }
        assert!(!allowed.is_empty());
        for action in actions {
            for resource in &resources {
                for kind in ["user", "service", "agent"] {
                    let question = json!({"subject": {"type": kind, "id": "ignored"}, "action": {"name": action},
                        "resource": resource, "context": context});
                    let found = search(&test, &key, "subject", &question).await;
                    let expected = subjects.iter().filter(|subject| {
                        subject["type"] == kind && allowed.contains(&((*subject).clone(), *action, resource.clone()))
                    });
                    let mut expected: Vec<Value> = expected.cloned().collect();
                    expected.sort_by_key(|it| it["id"].to_string());
                    assert_eq!(found, expected, "{question}");
                }
            }
            for subject in &subjects {
                for kind in ["resource", "record"] {
                    let question = json!({"subject": subject, "action": {"name": action}, "resource": {"type": kind},
                        "context": context});
                    let mut found = search(&test, &key, "resource", &question).await;
                    // Countersign's own are found too, and the one with the other type under its whole name.
                    found.retain(|it| resources.contains(it));
                    let expected = resources.iter().filter(|resource| {
                        resource["type"] == kind && allowed.contains(&(subject.clone(), *action, (*resource).clone()))
                    });
                    let mut expected: Vec<Value> = expected.cloned().collect();
                    expected.sort_by_key(|it| it["id"].to_string());
                    assert_eq!(found, expected, "{question}");
                }
            }
        }
        for subject in &subjects {
            for resource in &resources {
                let question = json!({"subject": subject, "resource": resource, "context": context});
                let mut found: Vec<Value> = search(&test, &key, "action", &question).await.iter().map(name).collect();
                found.retain(|name| actions.iter().any(|action| name == action));
                let expected =
                    actions.iter().filter(|action| allowed.contains(&(subject.clone(), **action, resource.clone())));
                let mut expected: Vec<Value> = expected.map(|action| json!(action)).collect();
                expected.sort_by_key(ToString::to_string);
                assert_eq!(found, expected, "{question}");
            }
        }
    }
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_belongs_to_its_search_and_a_search_is_on_record() {
    let test = TestSystem::start(&estate()).await;
    let key = test.key("service:shop", "human:alice", &["countersign-authzen"], &["write"]).await;
    let path = "/access/v1/search/subject";
    let question = json!({"subject": {"type": "user"}, "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"}});
    let paged = |question: &Value, page: Value| {
        let mut question = question.clone();
        question["page"] = page;
        question.to_string()
    };
    let kind = "application/json";
    let first = ask(&test, Some(&key), path, kind, paged(&question, json!({"limit": 1}))).await.body;
    assert_eq!(first["page"]["total"], 3);
    let token = first["page"]["next_token"].as_str().unwrap().to_owned();
    // The next page, as often as it is asked for, with its limit or without.
    for page in [json!({"token": token}), json!({"token": token, "limit": 1})] {
        let next = ask(&test, Some(&key), path, kind, paged(&question, page)).await.body;
        assert_eq!(next["results"], json!([{"type": "user", "id": "bob"}]));
    }
    let nothing = ask(&test, Some(&key), path, kind, paged(&question, json!({"limit": 0}))).await.body;
    assert_eq!((&nothing["results"], &nothing["page"]["total"]), (&json!([]), &json!(3)));
    assert_ne!(nothing["page"]["next_token"], "");

    // Of another search, another page, another caller, or nobody's.
    let mut others = vec![
        (path, key.clone(), paged(&question, json!({"token": token, "limit": 2}))),
        (path, key.clone(), paged(&question, json!({"token": ""}))),
        (path, key.clone(), paged(&question, json!({"token": "bm90aGluZw"}))),
        (path, key.clone(), paged(&question, json!({"limit": -1}))),
        ("/access/v1/search/action", key.clone(), paged(&question, json!({"token": token}))),
    ];
    for (member, other) in [
        ("subject", json!({"type": "service"})),
        ("action", json!({"name": "write"})),
        ("resource", json!({"type": "resource", "id": "wiki"})),
        ("context", json!({"encrypted": true})),
    ] {
        let mut question = question.clone();
        question[member] = other;
        others.push((path, key.clone(), paged(&question, json!({"token": token}))));
    }
    let mut forged = token.clone().into_bytes();
    for at in 0..forged.len() {
        let was = forged[at];
        forged[at] = if was == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(forged.clone()).unwrap();
        others.push((path, key.clone(), paged(&question, json!({"token": token}))));
        forged[at] = was;
    }
    let stranger = test.key("service:till", "human:alice", &["countersign-authzen"], &["write"]).await;
    others.push((path, stranger.clone(), paged(&question, json!({"token": token}))));
    for (path, key, body) in others {
        let told = ask(&test, Some(&key), path, kind, body.clone()).await;
        assert_eq!(told.status, StatusCode::BAD_REQUEST, "{body}: {}", told.body);
        assert_eq!(told.request_id.as_deref(), Some("request-7"));
    }
    assert_eq!(ask(&test, None, path, kind, question.to_string()).await.status, StatusCode::UNAUTHORIZED);

    let ledger = test.system.ledger();
    let acts = ledger.scan_back(ledger.size()).filter_map(|entry| match entry.unwrap().1.body {
        countersign_ledger::EntryBody::Act(act) if act.verb == "search.subject" => Some(act),
        _ => None,
    });
    let acts: Vec<_> = acts.collect();
    assert_eq!(acts.len(), 4);
    let last = acts.last().unwrap();
    assert_eq!((last.by.to_string().as_str(), last.target.as_str()), ("service:shop", "record/record-1"));
    assert!(last.decision.is_some());
    let detail: Value = serde_json::from_str(&last.detail).unwrap();
    assert_eq!((&detail["query"]["action"], &detail["found"], &detail["told"]), (&json!("read"), &json!(3), &json!(1)));
    test.stop().await;
}
