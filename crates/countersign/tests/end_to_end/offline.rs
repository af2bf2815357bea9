//! The real binary on files: check, init, backup and restore, break-in, verification that finds a forged entry.

use std::path::Path;
use std::process::{Command, Output};

use hyper::StatusCode;

use crate::start;

pub(crate) fn countersign(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env_remove("COUNTERSIGN_DATA")
        .env_remove("COUNTERSIGN_CONFIG")
        .env_remove("COUNTERSIGN_SERVER")
        .env_remove("COUNTERSIGN_API_KEY")
        .output()
        .unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn succeeds(arguments: &[&str]) -> String {
    let output = countersign(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

pub(crate) fn fails(arguments: &[&str], code: i32) -> String {
    let output = countersign(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_init_writes_passes_check() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("countersign.toml");
    succeeds(&["init", text(directory.path())]);
    succeeds(&["check", "--config", text(&file)]);
    succeeds(&["check", text(directory.path())]);
    // With tests and an access matrix of its own, which hold, and are the author's to go on with.
    let policies = directory.path().join("policies");
    succeeds(&["policy", "check", "--policies", text(&policies)]);
    succeeds(&["policy", "test", "--policies", text(&policies)]);
    succeeds(&["policy", "matrix", "--policies", text(&policies)]);
    // Who answers for a programme has to be there when it is put into force, and that is worth a word.
    std::fs::write(&file, "version = 1\n[[subject]]\nid = \"service:edge\"\nowner = \"human:you\"\n").unwrap();
    let warned = countersign(&["check", "--config", text(&file)]);
    let warned = String::from_utf8(warned.stderr).unwrap();
    assert!(warned.contains("human:you is not among the subjects of this file"), "{warned}");
    std::fs::write(&file, "version = 1\ndomian = \"x\"\n").unwrap();
    assert!(fails(&["check", "--config", text(&file)], 1).contains("did you mean `domain`?"));
    assert!(fails(&["up", "--config", text(&file)], 2).contains("did you mean `domain`?"));
    fails(&["init", text(directory.path())], 1);
    fails(&["no-such-command"], 2);
}

/// What nobody can have meant, and what cannot be read, is told from what was found.
#[test]
fn a_mistaken_line_is_no_finding() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = text(directory.path()).to_owned() + "/nowhere";
    for arguments in [
        &["policy", "check", &nowhere][..],
        &["policy", "check", "--policies", &nowhere],
        &["policy", "test", "--policies", &nowhere],
        &["policy", "matrix", "--policies", &nowhere],
        &["policy", "lint", "--policies", &nowhere],
        &["policy", "prove", "--policies", &nowhere],
        &["policy", "corpus", &nowhere],
        &["policy", "fmt", &nowhere],
        &["policy", "review", "./nowhere/", "./nowhere/"],
        &["ledger", "verify", &nowhere, "--key", "a"],
        &["break-in", "service:x"],
    ] {
        fails(arguments, 2);
    }
}

#[test]
fn check_warns_of_a_lock_out() {
    let directory = tempfile::tempdir().unwrap();
    let warned = |file: &str, policy: Option<&str>| {
        std::fs::write(directory.path().join("countersign.toml"), format!("version = 1\n{file}")).unwrap();
        if let Some(policy) = policy {
            let head = "@id(\"extra\")\n@owner(\"security\")\n@review_by(\"2099-01-01\")\n@remedy(\"Wait.\")\n";
            std::fs::write(directory.path().join("policies/zz.cedar"), format!("{head}{policy}")).unwrap();
        }
        let output = countersign(&["check", text(directory.path())]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    succeeds(&["init", text(directory.path())]);
    let admins = "[[group]]\nid = \"admins\"\nmember_of = [\"owners\"]\n[[subject]]\nid = \"human:alice\"\n";
    assert_eq!(warned(&format!("{admins}groups = [\"admins\"]\n"), None), "");
    assert!(warned(admins, None).contains("is in the group owners"));
    assert!(warned(&format!("{admins}groups = [\"admins\"]\ndisabled = true\n"), None).contains("in the group owners"));
    let forbid =
        "forbid (principal, action, resource) when { resource.kind == \"countersign\" && resource.tier == \"high\" };";
    let said = warned("", Some(forbid));
    assert!(said.contains("an owner who has just used a passkey would be refused the console (by extra)"), "{said}");
    assert!(said.contains("the command line on the server's machine would be refused the API (by extra)"), "{said}");
    let elsewhere = "forbid (principal is Human, action, resource) when { resource.kind == \"countersign\" } \
                     unless { context.network.zones.contains(\"office\") };";
    assert_eq!(warned("[zones]\noffice = [\"192.0.2.0/24\"]\n", Some(elsewhere)), "", "owners at the office come in");
}

#[test]
fn completions_and_manual_pages_are_for_the_real_thing() {
    for (shell, mark) in
        [("bash", "_countersign()"), ("zsh", "#compdef countersign"), ("fish", "complete -c countersign")]
    {
        let script = succeeds(&["completions", shell]);
        assert!(script.contains(mark) && script.contains("break-in"), "{shell}");
    }
    fails(&["completions", "cmd"], 2);
    let directory = tempfile::tempdir().unwrap();
    succeeds(&["man", text(directory.path())]);
    assert!(directory.path().join("countersign.1").is_file());
    for page in ["countersign-session-kill.1", "countersign-ledger-verify.1"] {
        let page = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(page.contains(".TH") && page.contains("Example"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_exit_code_three() {
    let test = start().await;
    let file = test.path("countersign.toml");
    test.catch_up();
    succeeds(&["subject", "list", "--config", text(&file)]);
    // As after a crash: the note is still there, the server is not.
    let left = std::fs::read(test.path("data/running.json")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().join("kept");
    succeeds(&["backup", text(&kept), "--config", text(&file)]);
    std::fs::write(kept.join("running.json"), left).unwrap();
    let other = test.path("never-started");
    succeeds(&["restore", text(&kept), "--config", text(&file), "--data", text(&other)]);
    std::fs::remove_file(other.join("running.json")).unwrap();
    assert!(fails(&["lease", "list", "--data", text(&other)], 3).contains("Start one with `countersign up`"));
    test.stop().await;
    assert!(fails(&["subject", "list", "--data", text(&kept)], 3).contains("Is Countersign up there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_starts_again() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    alice.open(&test.url("standard", "/")).await.unwrap();
    let file = test.path("countersign.toml");
    let kept = test.path("backup");
    succeeds(&["backup", text(&kept), "--config", text(&file)]);
    let refused = fails(&["restore", text(&kept), "--config", text(&file), "--force"], 1);
    assert!(refused.contains("a server runs"), "{refused}");
    // What happens after the backup is not in it.
    test.operator().delete("/api/v1/subjects/human%3Abob").await.unwrap();
    let operator = test.system.directory().clone();
    test.system.ledger().checkpoint_now().unwrap();
    succeeds(&["ledger", "verify", "--config", text(&file)]);
    let data = operator.root().to_owned();
    let copy = tempfile::tempdir().unwrap();
    let restored = copy.path().join("data");
    succeeds(&["restore", text(&kept), "--config", text(&file), "--data", text(&restored)]);
    succeeds(&["ledger", "verify", "--config", text(&file), "--data", text(&restored)]);
    assert!(restored.join("keys/ledger.key").is_file() && data.join("keys/ledger.key").is_file());
    let link = succeeds(&["break-in", "human:zoe", "--config", text(&file), "--data", text(&restored)]);
    let origin = format!("http://countersign.localhost:{}", test.configuration.listen.http.unwrap().port());
    assert!(link.starts_with(&format!("{origin}/invite#")), "{link}");
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn break_in_works_beside_a_running_server() {
    let test = start().await;
    let file = test.path("countersign.toml");
    test.catch_up();
    let link = succeeds(&["break-in", "human:zoe", "--config", text(&file)]);
    let (_, secret) = link.trim().split_once('#').unwrap();
    let mut zoe = test.browser();
    zoe.enrol(&format!("{}/invite#{secret}", test.origin()), "key").await.unwrap();
    let console = zoe.open(&format!("{}/console", test.origin())).await.unwrap();
    assert_eq!(console.status(), StatusCode::OK);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_mistakes_keeps_nobody_from_the_running_server() {
    let test = start().await;
    let file = test.path("countersign.toml");
    test.catch_up();
    let good = std::fs::read_to_string(&file).unwrap();
    for (mistake, line) in [("domian = \"x\"\n", 1), ("domain = [\n", 2)] {
        std::fs::write(&file, format!("{mistake}{good}")).unwrap();
        let output = countersign(&["subject", "list", "--config", text(&file)]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("has mistakes"));
        fails(&["check", "--config", text(&file)], 1);
        fails(&["apply", text(file.parent().unwrap()), "--config", text(&file)], 2);
        let said = countersign(&["check", "--json", "--config", text(&file)]).stdout;
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        assert_eq!((&said["mistakes"][0]["file"], &said["mistakes"][0]["line"]), (&text(&file).into(), &line.into()));
    }
    std::fs::write(&file, good).unwrap();
    let said = succeeds(&["subject", "add", "service:nightly", "--owner", "human:alice", "--config", text(&file)]);
    let (_, next) = said.trim().split_once("`countersign ").unwrap();
    let mut next: Vec<&str> = next.trim_end_matches('`').split(' ').collect();
    next.extend(["--config", text(&file)]);
    succeeds(&next);
    fails(&["subject", "invite", "human:alice", "--valid", "30m", "--config", text(&file)], 2);
    fails(&["decision", "explain", "human:alice", "high", "--config", text(&file)], 1);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_entry_is_named() {
    let test = start().await;
    test.browser().open(&test.url("public", "/")).await.unwrap();
    test.system.ledger().checkpoint_now().unwrap();
    let file = test.path("countersign.toml");
    let copy = test.path("copy");
    succeeds(&["backup", text(&copy), "--config", text(&file)]);
    let mut forged = 0;
    let mut open = vec![copy.join("ledger/tile/entries")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(9).position(|window| window == b"anonymous").unwrap_or(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = b'A';
            forged += 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    assert!(forged > 0);
    let output = countersign(&["ledger", "verify", text(&copy.join("ledger")), "--config", text(&file)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("was changed"));
    test.stop().await;
}
