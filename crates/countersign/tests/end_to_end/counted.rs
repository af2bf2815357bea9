//! What a running server counts about itself reaches the gap map and the metrics, and what its estate rests on is proven by its
//! ledger to whoever has the key.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_testkit::TestSystem;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::offline::{fails, succeeds, text};
use crate::start;

const USERS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-512",
  "Properties":{"domain":"CORP.EXAMPLE","name":"ADA@CORP.EXAMPLE","enabled":true,"hasspn":true,"pwdneverexpires":true},"Aces":[]}
],"meta":{"methods":0,"type":"users","count":1,"version":6}}"#;

/// The file imported, with what more the line says, and all of it assessed.
async fn assessed(test: &TestSystem, more: &[&str]) {
    let file = test.path("users.json");
    fs::write(&file, USERS).unwrap();
    command(test, &[&["estate", "import", text(&file)], more].concat()).await;
    test.system.estate().assess();
    test.system.estate().settled().await;
}

/// The real command, against the server that runs here.
async fn command(test: &TestSystem, words: &[&str]) -> String {
    let file = test.path("countersign.toml");
    let mut line: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    line.extend(["--config".to_owned(), text(&file).to_owned()]);
    let said = tokio::task::spawn_blocking(move || succeeds(&line.iter().map(String::as_str).collect::<Vec<_>>()));
    said.await.unwrap()
}

fn python(pack: &Path, key: &str) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/independent/verify_pack.py");
    let output = Command::new("python3").arg(script).arg(pack).args(["--key", key]).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_reaches_the_gap_map_and_the_metrics() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    assert_eq!(alice.open(&test.url("standard", "/")).await.unwrap().status(), StatusCode::OK);
    assessed(&test, &["--own"]).await;
    let map = test.operator().get("/api/v1/estate/gaps").await.unwrap();
    let metric = |id: &str| -> Value {
        map["metrics"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()["value"].clone()
    };
    assert_eq!(metric("mfa-sign-ins")["at-least"], 100.0, "a passkey");
    for id in ["phishing-resistant-sign-ins", "verified-posture", "coverage-identities", "coverage-doors"] {
        assert!(metric(id)["at-most"].is_number(), "{id}");
    }
    // Alice has been at one of the resources; at the others nobody of the group that may write.
    let unused: Value =
        serde_json::from_str(&command(&test, &["blast-radius", "--never-used", "--json"]).await).unwrap();
    let counted = test.operator().get("/api/v1/graph/blast-radius").await.unwrap();
    assert_eq!(unused, counted["never-exercised"]["edges"]);
    assert!(!unused.as_array().unwrap().is_empty(), "{counted}");
    let operations = test.system.running().operations.unwrap();
    let answer = test.browser().send(Method::GET, &format!("http://{operations}/metrics"), None).await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    for name in [
        "countersign_gap_score_percent{bound=\"lower\"}",
        "countersign_mfa_sign_ins_percent",
        "countersign_assessment_timestamp_seconds",
    ] {
        assert!(text.contains(name), "{name}");
    }
    for somebody in ["alice", "ADA", "1101"] {
        assert!(!text.contains(somebody), "{somebody} is in the metrics");
    }
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_of_the_server_is_proven_by_its_ledger() {
    let test = start().await;
    assessed(&test, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("evidence.json");
    command(&test, &["report", "--out", text(&pack), "--organisation", "Example Ltd"]).await;
    let key = test.system.ledger().verifier_key().to_string();
    test.stop().await;

    let told = succeeds(&["report", "verify", text(&pack), "--key", &key, "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(told["notes"][0].as_str().unwrap().contains("is the import of one file"), "{told}");
    assert_eq!(python(&pack, &key).0, Some(0), "{:?}", python(&pack, &key));

    // Proofs of other files, changed ones, and none.
    let whole: Value = serde_json::from_slice(&fs::read(&pack).unwrap()).unwrap();
    let with = |change: fn(&mut Value)| {
        let mut changed = whole.clone();
        change(&mut changed["ledger"]);
        let path = pack.with_file_name("changed.json");
        fs::write(&path, changed.to_string()).unwrap();
        fails(&["report", "verify", text(&path), "--key", &key], 1);
        assert_eq!(python(&path, &key).0, Some(1), "{:?}", python(&path, &key));
        succeeds(&["report", "verify", text(&path)]);
    };
    with(|ledger| ledger[0]["files"][0] = "00".repeat(32).into());
    with(|ledger| ledger[0]["files"] = Value::Array(Vec::new()));
    with(|ledger| {
        let entry = ledger[0]["proof"]["entry"].as_str().unwrap().replace("nodes +", "nodes +1");
        ledger[0]["proof"]["entry"] = entry.into();
    });
    with(|ledger| *ledger = Value::Array(Vec::new()));
    // Another ledger.
    let other = "example.org+cb63776a+AXvyb2h1jRIGYJNjZbdqFUtbjdvlmqh9aY/7d/9zoxAH";
    fails(&["report", "verify", text(&pack), "--key", other], 1);
}
