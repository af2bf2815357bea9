//! Recorded decisions decided again, by the real binary: on the server with what is open, from its published ledger, from
//! the data directory, from a copy; and in a report that names nobody.

use std::path::Path;

use serde_json::Value;

use crate::offline::{countersign, succeeds, text};
use crate::program::{LISTEN, PLAIN, Program};
use crate::{application, estate};

const CLOSED: &str = r#"@id("closed") @owner("security") @review_by("2099-01-01") @remedy("After the audit.")
forbid (principal, action, resource == Resource::"standard");
"#;

const TESTS: &str = r#"version = 1
[[test]]
name = "what is public is read by everybody"
subject = "human:alice"
groups = []
resource = "public"
tier = "public"
expect = "allow"
"#;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn says(arguments: &[&str], code: i32) -> String {
    let output = countersign(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_replayed_on_the_server_from_its_ledger_and_from_a_copy() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::up(directory.path(), &format!("{PLAIN}{LISTEN}{}", estate(application::start().await)));
    let current = directory.path().join("data/policies");
    let proposed = directory.path().join("proposed");
    copy(&current, &proposed);
    std::fs::write(proposed.join("closed.cedar"), CLOSED).unwrap();
    let proposed = text(&proposed);
    succeeds(&["policy", "matrix", "--policies", proposed, "--write"]);
    let mut alice = program.person("human:alice").await;
    assert!(alice.open(&program.url("standard", "/")).await.unwrap().status().is_success());
    let socket = alice.web_socket(&program.url("standard", "/socket")).await.unwrap().unwrap();

    // On the server, with what is open now.
    let said = program.tell(&["policy", "replay", "--policies", proposed]);
    for words in ["newly denied: ", "human:alice", "closed forbids", "newly allowed: none", "open now 1 would be cut"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let file = program.file.clone();
    let config = ["--config", text(&file)];
    let failing = |what: &str, code| {
        let replay = ["policy", "replay", "--policies", proposed, "--fail-on", what];
        tokio::task::block_in_place(|| says(&[&replay[..], &config].concat(), code))
    };
    failing("newly-denied", 1);
    failing("cut", 1);
    failing("newly-allowed,unknown", 0);
    let markdown = program.tell(&["policy", "replay", "--policies", proposed, "--format", "markdown"]);
    assert!(markdown.starts_with("### Replay of recorded decisions\n"), "{markdown}");
    assert!(markdown.contains("| `human:alice` | ") && markdown.contains("**Now:** of "), "{markdown}");
    let unchanged = program.tell(&["policy", "replay", "--policies", text(&current)]);
    assert!(unchanged.contains("newly denied: none") && unchanged.contains("all stay"), "{unchanged}");

    // As it is published: as far as the checkpoint reaches, which follows.
    let json = |arguments: &[&str]| -> Value {
        let replay = ["policy", "replay", "--policies", proposed, "--json"];
        serde_json::from_str(&tokio::task::block_in_place(|| says(&[&replay[..], &config, arguments].concat(), 0)))
            .unwrap()
    };
    let denied = |found: &Value| found["newly_denied"]["all"]["count"].as_u64().unwrap();
    let live = json(&[]);
    assert!(denied(&live) > 0 && live["live"]["leases"].as_u64().unwrap() > 0, "{live}");
    let url = program.url("countersign", "/ledger");
    let published = (0..200).map(|_| json(&["--ledger", &url])).find(|found| denied(found) == denied(&live));
    let published = published.unwrap();
    assert_eq!(published["newly_denied"]["people"], live["newly_denied"]["people"]);
    assert!(published.get("live").is_none());
    drop(socket);
    assert!(program.terminate().success());

    // Without a server: from the data directory, and from a copy with nothing but the key.
    let offline = json(&[]);
    assert_eq!(denied(&offline), denied(&live));
    assert!(offline.get("live").is_none());
    let copied = directory.path().join("copy");
    copy(&directory.path().join("data/ledger"), &copied);
    let checkpoint: Value =
        serde_json::from_str(&succeeds(&[&["ledger", "checkpoint", "--json"], &config[..]].concat())).unwrap();
    let key = directory.path().join("ledger.vkey");
    std::fs::write(&key, checkpoint["key"].as_str().unwrap()).unwrap();
    let from = ["--ledger", text(&copied), "--key-file", text(&key)];
    let replay = ["policy", "replay", "--policies", proposed, "--json"];
    let found: Value = serde_json::from_str(&says(&[&replay[..], &from].concat(), 0)).unwrap();
    assert_eq!(found, offline);

    // Whatever is tested, a report is not about it here.
    for policies in [current.as_path(), Path::new(proposed)] {
        std::fs::create_dir_all(policies.join("tests")).unwrap();
        std::fs::write(policies.join("tests/own.toml"), TESTS).unwrap();
    }
    // In a report: who loses something is no objection unless it is asked for, and nobody has to be named.
    let review = [&["policy", "review", text(&current), proposed, "--no-prove"], &from[..]].concat();
    let named = says(&review, 0);
    assert!(named.contains("`human:alice`") && named.contains("| pass | replay | of "), "{named}");
    let counted = says(&[&review[..], &["--no-names"]].concat(), 0);
    assert!(!counted.contains("alice") && counted.contains("2 who asked, not named here."), "{counted}");
    let json = says(&[&review[..], &["--no-names", "--json", "--object-to", "newly-denied"]].concat(), 1);
    assert!(!json.contains("human:alice"), "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["found"]["replay"]["newly_denied"]["people"], 2);
    assert_eq!(json["checks"][6]["result"], "fail");
    // The other way round somebody gains what they did not have.
    let back = [&["policy", "review", proposed, text(&current), "--no-prove"], &from[..]].concat();
    assert!(says(&back, 1).contains("allow more"), "{back:?}");
    let other = directory.path().join("none");
    std::fs::create_dir(&other).unwrap();
    let lost = [
        &["policy", "review", text(&current), proposed, "--no-prove"],
        &["--ledger", text(&other), "--key-file", text(&key)][..],
    ];
    assert_eq!(countersign(&lost.concat()).status.code(), Some(2));
}
