//! The real binary, killed with no warning while it answers: what was answered is in the ledger, and it starts again.

use countersign::browser::Browser;
use countersign::dial::Dialler;
use hyper::{Method, StatusCode};

use crate::offline::countersign;
use crate::program::{LISTEN, PLAIN, Program};
use crate::{application, estate};

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_keeps_what_it_answered() {
    let address = application::start().await;
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{PLAIN}{LISTEN}{}", estate(address));
    let mut answered: Vec<String> = Vec::new();
    for round in 0..4 {
        let program = Program::up(directory.path(), &text);
        let url = program.url("public", "/");
        let mut browser = Browser::new(Dialler::new("", None).unwrap());
        for _ in 0..20 * (round + 1) {
            let answer = browser.send(Method::GET, &url, None).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let decision = answer.headers().get("countersign-decision").and_then(|value| value.to_str().ok());
            answered.extend(decision.map(str::to_owned));
        }
        program.kill();
    }
    // One more start recovers, and its end signs what is there.
    assert!(Program::up(directory.path(), &text).terminate().success());
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
