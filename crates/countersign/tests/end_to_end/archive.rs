//! What leaves the data directory: old entries into an archive, everything into a backup while it is written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use countersign::browser::Browser;
use countersign::dial::Dialler;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::offline::{fails, succeeds, text};
use crate::program::{LISTEN, PLAIN, Program};
use crate::{application, estate, start};

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_log_still_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::up(directory.path(), &format!("{PLAIN}{LISTEN}{}", estate(application::start().await)));
    let url = program.url("public", "/");
    let mut browser = Browser::new(Dialler::new("", None).unwrap());
    for _ in 0..300 {
        assert_eq!(browser.send(Method::GET, &url, None).await.unwrap().status(), StatusCode::OK);
    }
    let file = program.file.clone();
    let config = ["--config", text(&file)];
    let to = directory.path().join("archive");
    let archive = [&["ledger", "archive", "--before", "300", "--to", text(&to)], &config[..]].concat();
    assert!(fails(&archive, 1).contains("stop it first"), "the server has it");
    assert!(program.terminate().success());
    assert!(succeeds(&archive).contains("entries 0 to 255"));
    assert!(to.join("tile/entries/000").is_file());
    assert!(!directory.path().join("data/ledger/tile/entries/000").exists());
    let verified = succeeds(&[&["ledger", "verify"], &config[..]].concat());
    assert!(verified.contains("verified"), "{verified}");
    let early = [&["ledger", "prove", "3"], &config[..]].concat();
    assert!(fails(&early, 1).contains("--archive"));
    assert!(succeeds(&[&early[..], &["--archive", text(&to)]].concat()).contains("\"index\": 3"));
    succeeds(&[&["ledger", "verify", "--archive", text(&to)], &config[..]].concat());
    let proof = succeeds(&[&["ledger", "prove", "257"], &config[..]].concat());
    assert!(proof.contains("\"index\""), "{proof}");
    // And it goes on.
    let program = Program::up(directory.path(), &std::fs::read_to_string(&file).unwrap());
    let url = program.url("public", "/");
    assert_eq!(browser.send(Method::GET, &url, None).await.unwrap().status(), StatusCode::OK);
    assert!(program.terminate().success());
    succeeds(&[&["ledger", "verify"], &config[..]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_whole() {
    let test = start().await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let (mut browser, url) = (test.browser(), test.url("public", "/"));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = browser.send(Method::GET, &url, None).await.unwrap();
                    assert_eq!(answer.status(), StatusCode::OK);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let file = test.path("countersign.toml");
    let config = ["--config".to_owned(), text(&file).to_owned()];
    for round in 0..3 {
        let kept = test.path(&format!("backup-{round}"));
        let restored = test.path(&format!("restored-{round}"));
        let before = answered.load(Ordering::Relaxed);
        let config = config.clone();
        let entries = tokio::task::spawn_blocking(move || {
            let [option, file] = &config;
            succeeds(&["backup", text(&kept), option, file]);
            succeeds(&["restore", text(&kept), option, file, "--data", text(&restored)]);
            let verified = succeeds(&["ledger", "verify", option, file, "--data", text(&restored), "--json"]);
            serde_json::from_str::<Value>(&verified).unwrap()["entries"].as_u64().unwrap()
        });
        // What was answered before the backup began is in it.
        assert!(entries.await.unwrap() >= before as u64);
    }
    stop.store(true, Ordering::Relaxed);
    for one in load {
        one.await.unwrap();
    }
    test.stop().await;
}

/// What was imported is in a backup, and a restored server answers from it.
#[tokio::test(flavor = "multi_thread")]
async fn the_estate_comes_back_from_a_backup() {
    let directory = tempfile::tempdir().unwrap();
    let organisation = estate(application::start().await);
    let mut program = Program::up(directory.path(), &format!("{PLAIN}{LISTEN}{organisation}"));
    let export = directory.path().join("hosts.txt");
    let host = "countersign-host 1 web1.example.com\n== passwd\n ana:x:1000:1000::/home/ana:/bin/bash\n== group\n \
                sudo:x:27:ana\n== end\n";
    std::fs::write(&export, host).unwrap();
    program.tell(&["estate", "import", text(&export)]);
    let all =
        |program: &Program| -> Value { serde_json::from_str(&program.tell(&["estate", "list", "--json"])).unwrap() };
    let before = all(&program);
    assert!(before.as_array().unwrap().iter().any(|one| one["name"] == "ana on web1.example.com"), "{before}");
    let kept = directory.path().join("kept");
    program.tell(&["backup", text(&kept)]);
    // What comes later is not in it.
    std::fs::write(&export, host.replace("web1", "web2")).unwrap();
    program.tell(&["estate", "import", text(&export)]);
    assert_ne!(all(&program), before);
    let file = program.file.clone();
    assert!(program.terminate().success());
    succeeds(&["restore", text(&kept), "--config", text(&file), "--force"]);
    let inventory = std::fs::metadata(directory.path().join("data/estate/inventory.jsonl")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&inventory.permissions()) & 0o777, 0o600);
    program = Program::up(directory.path(), &std::fs::read_to_string(&file).unwrap());
    assert_eq!(all(&program), before);
    let changes = program.tell(&["estate", "skipped"]);
    assert!(!changes.contains("web2"), "{changes}");
    assert!(program.terminate().success());
}
