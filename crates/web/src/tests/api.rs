//! The API: its description is the golden file, every address in it is served, bodies are taken strictly.

use countersign_ledger::{Entry, EntryBody};

use super::*;
use crate::wire;

#[test]
fn the_description_is_the_golden_file() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let document = crate::openapi() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == document, "docs/openapi.json is not what the code says; UPDATE_GOLDEN=1 writes it");
}

#[tokio::test]
async fn every_described_address_is_served() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            // An answer without a body is enough for reading; what writes is asked with a body that it refuses.
            if path == "/api/v1/stream" || path == "/api/v1/backup" {
                continue;
            }
            count += 1;
            let part = match path.split('/').nth(1) {
                Some("device") => "device",
                Some("access") => "authzen",
                Some(".well-known") => "sign-in",
                _ => "api",
            };
            let concrete = path.replace("{id}", "human:nobody-of-this-name");
            let answer = stage.json(part, Some(&alice), method.clone(), &concrete, json!({ "unknown": 1 })).await;
            let need_not_be = path.contains('{') || path.ends_with("/under-way");
            let routed = answer.status != StatusCode::NOT_FOUND || need_not_be;
            assert!(routed, "{method} {path}: {} {}", answer.status, answer.body);
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            if !answer.status.is_success() {
                assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{method} {path}");
            }
        }
    }
    assert!(count > 35, "{count}");
}

#[tokio::test]
async fn what_is_put_is_read_back() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let alice = Some(&alice);
    let put = |path: &'static str, body: Value| stage.json("api", alice, Method::PUT, path, body);
    let answer = put("/api/v1/groups/staff", json!({ "display_name": "Staff" })).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    let answer =
        put("/api/v1/subjects/service:backup", json!({ "display_name": "Backup", "owner": "human:alice" })).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    let body = json!({ "display_name": "Wiki", "tier": "standard", "routes": [{ "host": "wiki.localhost" }],
        "upstream": { "url": "http://127.0.0.1:3000" }, "entitled": { "readers": ["staff"] } });
    let answer = put("/api/v1/resources/wiki", body).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    let wiki: wire::Resource =
        serde_json::from_value(stage.get("api", alice, "/api/v1/resources/wiki").await.json()).unwrap();
    assert_eq!((wiki.body.display_name.as_str(), wiki.body.tier), ("Wiki", wire::Tier::Standard));

    let first = stage.get("api", alice, "/api/v1/resources?limit=1").await.json();
    let next = first["next"].as_str().unwrap().to_owned();
    let second = stage.get("api", alice, &format!("/api/v1/resources?limit=1&cursor={next}")).await.json();
    assert!(second["items"][0]["id"].as_str().unwrap() > next.as_str());

    let expires = stage.administrator.now().plus(Duration::from_secs(86_400));
    let body = json!({ "subject": "service:backup", "owner": "human:alice",
        "scope": { "classes": ["read"] }, "expires": expires });
    let made = stage.json("api", alice, Method::POST, "/api/v1/keys", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert!(made.json()["secret"].as_str().unwrap().starts_with("cs_"));
    let keys = stage.get("api", alice, "/api/v1/keys").await;
    assert!(!keys.body.contains(made.json()["secret"].as_str().unwrap()));

    for (methods, allowed) in [(json!(["passkey"]), true), (json!([]), false)] {
        let question =
            json!({ "subject": "human:alice", "resource": "wiki", "action": "http:read", "methods": methods });
        let answer = stage.json("api", alice, Method::POST, "/api/v1/explain", question).await;
        assert_eq!(answer.json()["effect"] == "allow", allowed, "{}", answer.body);
    }
    for (subject, resource, names) in
        [("human:alice", "wikii", "resource wikii"), ("human:nobody", "wiki", "subject human:nobody")]
    {
        let question = json!({ "subject": subject, "resource": resource, "action": "http:read", "methods": [] });
        let answer = stage.json("api", alice, Method::POST, "/api/v1/explain", question).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(names), "{}", answer.body);
    }
    let body = json!({ "subject": "human:carol", "display_name": "Carol" });
    let invited = stage.json("api", alice, Method::POST, "/api/v1/invitations", body).await.json();
    assert!(invited["link"].as_str().unwrap().starts_with("http://countersign.localhost:8080/invite#"));
}

#[tokio::test]
async fn bodies_are_taken_strictly() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let check = async |path: &str, content_type: &str, body: &str, expected: StatusCode| {
        let body = Some((content_type, body.to_owned()));
        let answer = stage.ask("api", Some(&alice), Method::PUT, path, body).await;
        assert_eq!(answer.status, expected, "{path} {}", answer.body);
    };
    let json = "application/json";
    check("/api/v1/groups/g", "text/plain", r#"{"display_name":"G"}"#, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    check("/api/v1/groups/g", json, r#"{"display_name":"G","unknown":1}"#, StatusCode::BAD_REQUEST).await;
    check("/api/v1/groups/g", json, "{", StatusCode::BAD_REQUEST).await;
    check("/api/v1/status", json, "{}", StatusCode::METHOD_NOT_ALLOWED).await;
    check("/api/v1/groups/%20g", json, r#"{"display_name":"G"}"#, StatusCode::NOT_FOUND).await;
    let unknown = r#"{"display_name":"W","tier":"high","routes":[],"upstream":{"url":"http://x"},"oops":1}"#;
    check("/api/v1/resources/w", json, unknown, StatusCode::BAD_REQUEST).await;
    let internal = r#"{"display_name":"W","tier":"high","routes":[],"upstream":{"part":"console"}}"#;
    check("/api/v1/resources/w", json, internal, StatusCode::UNPROCESSABLE_ENTITY).await;
    check("/api/v1/groups/g", json, &"x".repeat(9 << 20), StatusCode::PAYLOAD_TOO_LARGE).await;
}

#[tokio::test]
async fn policies_are_judged_before_they_count() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let before = stage.administrator.policies().hash().to_owned();
    let broken = json!({ "files": { "x.cedar": "permit (principal, action" } });
    let answer = stage.json("api", Some(&alice), Method::PUT, "/api/v1/policies", broken).await.json();
    assert_eq!(answer["applied"], false);
    assert!(answer["mistakes"][0].as_str().unwrap().contains("x.cedar"), "{answer}");
    let dry = json!({ "files": policies(), "dry_run": true });
    let answer = stage.json("api", Some(&alice), Method::PUT, "/api/v1/policies", dry).await.json();
    assert_eq!((&answer["applied"], &answer["hash"]), (&json!(false), &json!(before)));
    let real = json!({ "files": policies() });
    let answer = stage.json("api", Some(&alice), Method::PUT, "/api/v1/policies", real).await.json();
    assert_eq!(answer["applied"], true);
}

#[tokio::test]
async fn a_decision_comes_with_its_proof_and_a_backup_with_its_bytes() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.administrator.ledger().checkpoint_now().unwrap();
    let answer = stage.get("api", Some(&alice), &format!("/api/v1/decisions/{}", alice.decision)).await;
    let recorded: wire::RecordedDecision = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(recorded.decision.subject.to_string(), "human:alice");
    assert!(recorded.proof.is_some());
    let listed = stage.get("api", Some(&alice), "/api/v1/decisions?effect=allow&subject=human%3Aalice").await.json();
    assert_eq!(listed["items"][0]["id"], alice.decision.to_string());
    let checkpoint = stage.get("ledger", Some(&alice), "/ledger/checkpoint").await;
    assert!(checkpoint.body.starts_with("test.example/ledger\n"), "{}", checkpoint.body);
    let backup = stage.ask("api", Some(&alice), Method::POST, "/api/v1/backup", None).await;
    assert_eq!(backup.status, StatusCode::OK, "{}", backup.body);
    assert!(backup.body.starts_with("SQLite format 3"));
}

#[tokio::test]
async fn what_is_archived_is_said_to_be_and_breaks_nothing() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let ledger = stage.administrator.ledger();
    let at = stage.administrator.now();
    for number in 0..300 {
        let body = EntryBody::Stopped { node: format!("node {number}") };
        ledger.append(&Entry { at, body }).await.unwrap();
    }
    ledger.checkpoint_now().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(ledger.archive(ledger.size(), elsewhere.path()).unwrap().entries, 0..256);
    let listed = stage.get("api", Some(&alice), "/api/v1/decisions?subject=human%3Aalice").await.json();
    assert_eq!((&listed["archived"], &listed["next"]), (&json!(256), &Value::Null));
    let path = format!("/api/v1/decisions/{}", alice.decision);
    let gone = stage.get("api", Some(&alice), &path).await;
    assert_eq!(gone.status, StatusCode::GONE, "{}", gone.body);
    assert!(gone.json()["detail"].as_str().unwrap().contains("ntries before 256 are archived"), "{}", gone.body);
    for (path, says) in [
        ("/console".to_owned(), false),
        ("/console/decisions?effect=deny".to_owned(), true),
        ("/console/decisions?subject=human:nobody".to_owned(), true),
        ("/console/ledger?before=20".to_owned(), true),
    ] {
        let page = stage.get("console", Some(&alice), &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        assert_eq!(page.body.contains("Entries before 256 are archived"), says, "{path}");
    }
    let page = stage.get("console", Some(&alice), &format!("/console/decisions/{}", alice.decision)).await;
    assert_eq!(page.status, StatusCode::GONE);
}

#[tokio::test]
async fn applying_names_the_policies_that_differ() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let mut files = policies();
    let tiers = files.remove("tiers.cedar").unwrap();
    files.insert("new.cedar".to_owned(), tiers.replacen("@id(\"", "@id(\"new-", 1));
    let apply = async |dry_run: bool| {
        let body = json!({ "policies": files, "dry_run": dry_run });
        stage.json("api", Some(&alice), Method::POST, "/api/v1/apply", body).await.json()
    };
    let named = |answer: &Value, list: &str| -> Vec<String> { serde_json::from_value(answer[list].clone()).unwrap() };
    let dry = apply(true).await;
    let (created, removed) = (named(&dry, "created"), named(&dry, "removed"));
    assert!(created.len() == 1 && created[0].starts_with("policy new-"), "{dry}");
    assert_eq!(removed, [created[0].replacen("new-", "", 1)], "{dry}");
    let done = apply(false).await;
    assert_eq!((done["applied"].clone(), named(&done, "removed")), (json!(true), removed), "{done}");
    assert_eq!(apply(true).await["removed"], json!([]));
}

#[tokio::test]
async fn a_replay_tells_its_progress_and_what_it_found() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let replay = async |body: Value| {
        let answer = stage.json("api", Some(&alice), Method::POST, "/api/v1/policies/replay", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-ndjson");
        let items = answer.body.lines().map(|line| serde_json::from_str(line).unwrap());
        items.collect::<Vec<wire::ReplayItem>>()
    };
    let items = replay(json!({ "files": policies() })).await;
    let Some(wire::ReplayItem::Replay(same)) = items.last() else { panic!("{items:?}") };
    assert!(same.covered.replayed > 0);
    assert_eq!((same.newly_denied.all.count, same.live.kept), (0, same.live.leases));
    assert!(items.iter().any(|item| matches!(item, wire::ReplayItem::Progress(it) if it.done == it.total)));

    let nobody = "@id(\"nobody\") @owner(\"t\") @review_by(\"2030-01-01\") @remedy(\"No.\") forbid (principal, action, resource);";
    let items = replay(json!({ "files": { "a.cedar": nobody }, "examples": 1 })).await;
    let Some(wire::ReplayItem::Replay(none)) = items.last() else { panic!("{items:?}") };
    assert_eq!((none.live.kept, none.unchanged.allowed), (0, 0));
    assert_eq!(none.newly_denied.all.examples.len(), 1);
    assert!(none.live.sessions.iter().any(|it| it.subject == alice.principal.subject && !it.ends.is_empty()));

    let items = replay(json!({ "files": { "a.cedar": "permit" } })).await;
    assert!(matches!(&items[..], [wire::ReplayItem::Mistakes(mistakes)] if mistakes[0].contains("a.cedar")));
}
