//! The real binary, killed with no warning while it answers: what was answered is in the ledger, and it starts again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use countersign::browser::Browser;
use countersign::dial::Dialler;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::offline::countersign;
use crate::{application, estate};

/// Starts the binary and returns it with what it says of itself.
fn up(directory: &std::path::Path, environment: &str) -> (Child, Value) {
    std::fs::write(directory.join("countersign.toml"), environment).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["up", "--json", "--config", directory.join("countersign.toml").to_str().unwrap()])
        .env_remove("COUNTERSIGN_DATA")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        said += &line;
        if line == "}" {
            break;
        }
    }
    (child, serde_json::from_str(&said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_keeps_what_it_answered() {
    let address = application::start().await;
    let directory = tempfile::tempdir().unwrap();
    let head = "version = 1\ndata_directory = \"data\"\n[listen]\nhttp = \"127.0.0.1:0\"\nhttps = \"off\"\noperations = \"off\"\n";
    let mut answered: Vec<String> = Vec::new();
    for round in 0..4 {
        let (mut child, said) = up(directory.path(), &format!("{head}{}", estate(address)));
        let port = said["listeners"][0].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
        let url = format!("http://public.localhost:{port}/");
        let mut browser = Browser::new(Dialler::new("", None).unwrap());
        for _ in 0..20 * (round + 1) {
            let answer = browser.send(Method::GET, &url, None).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let decision = answer.headers().get("countersign-decision").and_then(|value| value.to_str().ok());
            answered.extend(decision.map(str::to_owned));
        }
        // SIGKILL: no handler runs, nothing is flushed.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // One more start recovers, and its end signs what is there.
    let (mut child, _) = up(directory.path(), &format!("{head}{}", estate(address)));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success() && child.wait().unwrap().success());
    let config = directory.path().join("countersign.toml");
    let verified = countersign(&["ledger", "verify", "--config", config.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let shown =
        countersign(&["ledger", "show", "0", "--limit", "100000", "--json", "--config", config.to_str().unwrap()]);
    let entries = String::from_utf8(shown.stdout).unwrap();
    let decisions = entries.matches("\"credential_kind\"").count();
    assert!(decisions >= 200, "{decisions} decisions are in the ledger, 200 were answered");
    for decision in answered {
        assert!(entries.contains(&decision), "the answered decision {decision} is lost");
    }
}
