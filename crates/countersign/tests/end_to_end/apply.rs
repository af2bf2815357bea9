//! `apply`: a directory of configuration and policies is put into force, all of it or none, and stays.

use std::path::{Path, PathBuf};

use countersign_testkit::TestSystem;
use hyper::{Method, StatusCode};

use crate::offline::{countersign, fails, succeeds, text};
use crate::{application, estate, start};

/// A directory as `apply` takes it. Its policies are the starter set and, at the end, `extra`.
fn directory(test: &TestSystem, configuration: &str, extra: &str) -> PathBuf {
    let directory = test.path("estate");
    if !directory.exists() {
        succeeds(&["init", text(&directory)]);
    }
    std::fs::write(directory.join("countersign.toml"), format!("version = 1\n{configuration}")).unwrap();
    std::fs::write(directory.join("policies/zz-extra.cedar"), extra).unwrap();
    directory
}

const CLOSED: &str = "@id(\"closed\")\n@owner(\"security\")\n@review_by(\"2099-01-01\")\n@remedy(\"Wait.\")\n\
                      forbid (principal, action, resource) when { resource.kind == \"http\" && resource.tier == \"public\" };\n";

async fn status(test: &TestSystem, application: &str) -> StatusCode {
    test.browser().send(Method::GET, &test.url(application, "/"), None).await.unwrap().status()
}

/// The arguments, for now.
fn apply<'a>(test: &TestSystem, directory: &'a Path, file: &'a Path) -> [&'a str; 4] {
    test.catch_up();
    ["apply", text(directory), "--config", text(file)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_put_into_force_and_outlives_a_restart() {
    let address = application::start().await;
    let test = TestSystem::start("").await;
    let file = test.path("countersign.toml");
    let settings = "[posture]\nmax_age = \"5m\"\nscreen_lock = true\n[sessions]\nidle = \"20m\"\n\
                    [zones]\noffice = [\"192.0.2.0/24\"]\n";
    let whole = directory(&test, &format!("{settings}{}", estate(address)), CLOSED);
    let dry = succeeds(&[&apply(&test, &whole, &file)[..], &["--dry-run"]].concat());
    assert!(dry.contains("+ resource standard") && dry.contains("~ setting posture"), "{dry}");
    assert!(dry.contains("nothing was changed"), "{dry}");
    assert_eq!(test.system.administrator().settings().session_idle.as_secs(), 3600);
    assert!(test.operator().get("/api/v1/resources/standard").await.is_err());

    let before = test.system.administrator().policies().hash().to_owned();
    let said = succeeds(&apply(&test, &whole, &file));
    assert!(said.contains("+ resource standard") && said.contains("~ setting zones"), "{said}");
    assert!(said.contains("in force now"), "{said}");
    let in_force = async |test: &TestSystem| {
        let settings = test.system.administrator().settings();
        assert_eq!(settings.posture.max_age.as_secs(), 300);
        assert_eq!((settings.session_idle.as_secs(), settings.session_lifetime.as_secs()), (1200, 12 * 3600));
        assert_ne!(test.system.administrator().policies().hash(), before);
        assert_eq!(status(test, "standard").await, StatusCode::UNAUTHORIZED);
        assert_eq!(
            status(test, "public").await,
            StatusCode::UNAUTHORIZED,
            "closed, and nobody is told more than anywhere"
        );
    };
    in_force(&test).await;
    assert!(succeeds(&apply(&test, &whole, &file)).contains("(8 unchanged)"), "nothing is left to do");

    // Reading the own files again, and starting again, undo nothing.
    let mut reloader = test.reloader();
    reloader.reload(&test.system).await;
    in_force(&test).await;
    let test = test.restart().await;
    in_force(&test).await;

    // The last change wins: the own file says something new.
    let mut reloader = test.reloader();
    test.rewrite("[sessions]\nidle = \"40m\"\n");
    reloader.reload(&test.system).await;
    let settings = test.system.administrator().settings();
    assert_eq!((settings.session_idle.as_secs(), settings.posture.max_age.as_secs()), (2400, 900));
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_told_and_nothing_is_changed() {
    let test = start().await;
    let file = test.path("countersign.toml");
    let wrong = "time_zone = \"Mars\"\n[[resource]]\nid = \"wiki\"\nupstream = \"ftp://wiki\"\n";
    let bad = directory(&test, wrong, "permit (principal, action, resource) when { context.nonsense };\n");
    let entries = test.system.ledger().size();
    let said = fails(&apply(&test, &bad, &file), 2);
    for expected in ["\"Mars\" is no time zone", "ftp://wiki", "zz-extra.cedar", "nonsense"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(test.system.ledger().size(), entries, "the server was not even asked");
    let json = countersign(&[&apply(&test, &bad, &file)[..], &["--json"]].concat());
    assert_eq!(json.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["applied"].as_bool(), json["mistakes"].as_array().unwrap().len()), (Some(false), 2));

    // What only the server knows.
    let policies = test.system.administrator().policies().hash().to_owned();
    let elsewhere = "node = \"other\"\n[listen]\nhttp = \"127.0.0.1:1\"\n[sessions]\nidle = \"1m\"\n";
    let said = fails(&apply(&test, &directory(&test, elsewhere, CLOSED), &file), 2);
    for key in ["node", "listen.http"] {
        assert!(said.contains(&format!("{key} counts from a start only")), "{said}");
    }
    assert_eq!(test.system.administrator().policies().hash(), policies);
    assert_eq!(test.system.administrator().settings().session_idle.as_secs(), 3600);
    assert_eq!(status(&test, "public").await, StatusCode::OK);

    let missing = test.path("no-such-directory");
    let said = fails(&apply(&test, &missing, &file), 2);
    assert!(said.contains("countersign init"), "{said}");
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_is_not_applied_away() {
    let test = TestSystem::start("").await;
    let file = test.path("countersign.toml");
    let alice = |groups: &str| format!("[[subject]]\nid = \"human:alice\"\ngroups = [{groups}]\n");
    let said = countersign(&apply(&test, &directory(&test, &alice("\"owners\""), ""), &file));
    assert!(said.status.success());
    let warned = String::from_utf8(said.stderr).unwrap();
    assert!(warned.contains("nobody who would be in the group owners can sign in"), "{warned}");

    let owner = test.person("human:alice", &["owners"], None).await;
    for without in [alice(""), String::new()] {
        let refused = fails(&apply(&test, &directory(&test, &without, ""), &file), 1);
        assert!(refused.contains("put somebody else into owners first"), "{refused}");
    }
    // Another owner who cannot sign in yet is allowed, and worth a word.
    let bob = "[[subject]]\nid = \"human:bob\"\ngroups = [\"owners\"]\n";
    let dry = countersign(&[&apply(&test, &directory(&test, bob, ""), &file)[..], &["--dry-run"]].concat());
    assert!(dry.status.success(), "{dry:?}");
    assert!(String::from_utf8(dry.stderr).unwrap().contains("nobody who would be in the group owners can sign in"));
    let shut = "@id(\"shut\")\n@owner(\"security\")\n@review_by(\"2099-01-01\")\n@remedy(\"Wait.\")\n\
                forbid (principal is Human, action, resource) when { resource.kind == \"countersign\" };\n";
    let dry = countersign(
        &[&apply(&test, &directory(&test, &alice("\"owners\""), shut), &file)[..], &["--dry-run"]].concat(),
    );
    let warned = String::from_utf8(dry.stderr).unwrap();
    assert!(warned.contains("would be refused the console (by shut)"), "{warned}");
    drop(owner);
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_leaves_every_group() {
    let test = start().await;
    let file = test.path("countersign.toml");
    let groups = |arguments: &[&str]| {
        test.catch_up();
        succeeds(&[arguments, &["--config", text(&file)]].concat());
        test.catch_up();
        let shown = succeeds(&["subject", "show", "human:bob", "--json", "--config", text(&file)]);
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()["groups"].clone()
    };
    assert_eq!(groups(&["subject", "set", "human:bob", "--name", "Bob"]), serde_json::json!(["staff"]));
    assert_eq!(groups(&["subject", "set", "human:bob", "--no-groups"]), serde_json::json!([]));
    assert_eq!(groups(&["subject", "add", "human:bob", "--group", "staff"]), serde_json::json!(["staff"]));
    fails(&["subject", "set", "human:bob", "--no-groups", "--group", "staff"], 2);
    test.stop().await;
}
