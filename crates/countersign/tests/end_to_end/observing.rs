//! Observe mode through the real binary: a resource and a policy in it, what is recorded, and where it is said.

use countersign::browser::Browser;
use countersign::dial::Dialler;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::offline::{countersign, fails};
use crate::program::{LISTEN, PLAIN, Program};
use crate::{application, estate};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_observed_is_let_through_recorded_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let good = format!("{PLAIN}{LISTEN}{}", estate(application::start().await));
    let mut program = Program::up(directory.path(), &good);
    let config = program.file.to_str().unwrap().to_owned();
    let ask = async |program: &Program, application: &str| {
        let mut stranger = Browser::new(Dialler::new("", None).unwrap());
        stranger.send(Method::GET, &program.url(application, "/"), None).await.unwrap().status()
    };
    let newest = |program: &Program| -> Value {
        let list = program.tell(&["decision", "list", "--observed", "--json"]);
        serde_json::from_str::<Value>(&list).unwrap()[0].take()
    };
    let coverage = || -> Value {
        let output = tokio::task::block_in_place(|| countersign(&["coverage", "--json", "--config", &config]));
        serde_json::from_slice(&output.stdout).unwrap()
    };

    // A resource: whoever asks is let through, for as long as it was said.
    assert_eq!(ask(&program, "standard").await, StatusCode::UNAUTHORIZED);
    let said = program.tell(&["resource", "observe", "standard", "--for", "1d"]);
    assert!(said.contains("standard is not enforced until"), "{said}");
    assert_eq!(ask(&program, "standard").await, StatusCode::OK);
    let decision = newest(&program);
    assert_eq!((&decision["effect"], &decision["subject"]), (&"allow".into(), &"anonymous".into()), "{decision}");
    let observed = &decision["observed"];
    assert_eq!((&observed["because"], &observed["effect"]), (&"resource".into(), &"challenge".into()), "{decision}");
    let id = decision["id"].as_str().unwrap();
    let shown = program.tell(&["decision", "show", id]);
    assert!(shown.contains("the resource is in observe mode; enforced it would be challenge"), "{shown}");
    let who = program.tell(&["ask", "who-can", "http:read", "standard", "--json"]);
    let who: Value = serde_json::from_str(&who).unwrap();
    assert!(who["not_enforced_until"].is_string(), "{who}");
    assert!(who["items"].as_array().unwrap().iter().all(|one| one["subject"] != "anonymous"), "{who}");
    assert_eq!(coverage()["observed_resources"][0]["resource"], "standard");
    // Whatever form the answer has, and whether or not observe mode makes a difference.
    for more in [&[][..], &["--csv"], &["--json"]] {
        let asked = [&["ask", "why", "anonymous", "http:read", "standard", "--config", &config], more].concat();
        let told = tokio::task::block_in_place(|| countersign(&asked));
        let told = [told.stdout, told.stderr].concat();
        assert!(String::from_utf8_lossy(&told).contains("standard is in observe mode"), "{asked:?}");
    }
    let never = |id: &str, span: &str| {
        let arguments = ["resource", "observe", id, "--for", span, "--config", &config];
        tokio::task::block_in_place(|| fails(&arguments, 1))
    };
    never("countersign-console", "1d");
    let late = ["resource", "observe", "high", "--until", "2020-01-01T00:00:00Z", "--config", &config];
    assert!(tokio::task::block_in_place(|| fails(&late, 2)).contains("still to come"));
    // What was never observed is not touched, and stays the configuration's.
    let said = program.tell(&["resource", "enforce", "high"]);
    assert!(said.contains("high is not in observe mode"), "{said}");
    assert!(program.tell(&["resource", "show", "high"]).contains("configuration"));
    assert!(never("high", "91d").contains("within 90 days"));
    program.tell(&["resource", "enforce", "standard"]);
    assert_eq!(ask(&program, "standard").await, StatusCode::UNAUTHORIZED);

    // A policy: what it would change is told, and it changes nothing.
    let policy = directory.path().join("data/policies/zz-tried.cedar");
    let head =
        "@id(\"tried\")\n@owner(\"security\")\n@review_by(\"2099-01-01\")\n@remedy(\"Wait.\")\n@mode(\"observe\")\n";
    let forbid = "forbid (principal, action, resource) when { resource.kind == \"http\" };\n";
    std::fs::write(&policy, format!("{head}{forbid}")).unwrap();
    program.logged("in force now: policies");
    assert_eq!(ask(&program, "public").await, StatusCode::OK);
    let decision = newest(&program);
    let observed = &decision["observed"];
    assert_eq!((&observed["because"], &observed["effect"]), (&"policies".into(), &"deny".into()), "{decision}");
    assert_eq!(observed["policies"][0]["id"], "tried", "{decision}");
    assert!(program.tell(&["policy", "show", "tried"]).contains("in observe mode: it enforces nothing"));
    let why = program.tell(&["ask", "why", decision["id"].as_str().unwrap()]);
    assert!(why.contains("policies are in observe mode; enforced it would be deny: forbid tried"), "{why}");
    assert_eq!(coverage()["observed_policies"][0], "tried");
    std::fs::write(&policy, format!("{head}{forbid}").replace("@mode(\"observe\")\n", "")).unwrap();
    program.logged("in force now: policies");
    assert_ne!(ask(&program, "public").await, StatusCode::OK);
    assert!(program.terminate().success());
}
