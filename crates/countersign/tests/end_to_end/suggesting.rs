//! `policy suggest` through the real program: from what people did at a running server to policies that pass every check,
//! allow it again, and refuse the rest.

use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::offline::{countersign, fails, succeeds, text};
use crate::start;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_what_is_left() {
    let test = start().await;
    let mut alice = test.person("human:alice", &[], None).await;
    let mut bob = test.person("human:bob", &[], None).await;
    let url = test.url("standard", "/");
    for _ in 0..3 {
        assert_eq!(alice.open(&url).await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(bob.open(&test.url("public", "/")).await.unwrap().status(), StatusCode::OK);
    test.system.ledger().checkpoint_now().unwrap();
    let file = test.path("countersign.toml");
    let (out, observed) = (test.path("narrower"), test.path("observed"));
    let suggest = |more: &[&str]| -> Vec<String> {
        let all = ["policy", "suggest", "--config", text(&file)].into_iter().chain(more.iter().copied());
        all.map(ToOwned::to_owned).collect()
    };
    let run = |more: &[&str]| {
        // The operator's word is good for seconds by the server's clock.
        test.catch_up();
        let arguments = suggest(more);
        succeeds(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };

    let said: Value = serde_json::from_str(&run(&["--excess", "0", "--out", text(&out), "--json"])).unwrap();
    assert_eq!((&said["check"]["lost"], &said["members_known"]), (&0.into(), &true.into()));
    assert_eq!(said["written"]["findings"].as_array().unwrap().len(), 0);
    let at = |name: &str| {
        let all = said["resources"].as_array().unwrap();
        all.iter().find(|at| at["resource"] == name).unwrap_or_else(|| panic!("{name}: {said}")).clone()
    };
    let used = &at("standard")["used"][0];
    assert_eq!((&used["class"], &used["cover"]["people"][0]), (&"read".into(), &"human:alice".into()), "{used}");
    assert!(at("standard")["taken"].as_array().unwrap().iter().any(|it| it["class"] == "write"), "{said}");

    // It is a policy directory like any other.
    succeeds(&["policy", "check", text(&out)]);
    succeeds(&["policy", "lint", "--policies", text(&out), "--deny", "warnings", "--config", text(&file)]);
    assert_eq!(succeeds(&["policy", "fmt", "--policies", text(&out), "--check"]), "");
    assert!(out.join("guardrails/starter.cedar").is_file());
    // Again it changes nothing, and it never writes over what is something else.
    run(&["--excess", "0", "--out", text(&out)]);
    std::fs::write(out.join("tiers.cedar"), "// mine\n").unwrap();
    test.catch_up();
    let arguments = suggest(&["--out", text(&out)]);
    let refused = fails(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    assert!(refused.contains("tiers.cedar is there and is something else"), "{refused}");

    let nowhere = suggest(&["--resource", "nothere"]);
    let refused = fails(&nowhere.iter().map(String::as_str).collect::<Vec<_>>(), 2);
    assert!(refused.contains("nothing is known of a resource nothere"), "{refused}");

    // To be tried: nothing is refused by it. Offline, from the ledger as files, it says the same.
    let people = run(&["--observe", "--out", text(&observed), "--ledger", text(&test.path("data/ledger"))]);
    assert!(people.contains("no recorded use is refused") && people.contains("in observe mode"), "{people}");
    let trial = std::fs::read_to_string(observed.join("suggested.cedar")).unwrap();
    assert!(trial.contains("@mode(\"observe\")"), "{trial}");
    // What is younger than the window takes nothing away.
    let young = run(&["--since", "30d"]);
    assert!(young.contains("later than asked for") && young.contains("nothing is proposed"), "{young}");
    let help = countersign(&["policy", "suggest", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Nothing is put in force"));

    // In force: what was used goes on, the rest is refused, and a stranger is asked to sign in.
    std::fs::copy(out.join("suggested.cedar"), test.path("data/policies/suggested.cedar")).unwrap();
    test.reloader().reload(&test.system).await;
    assert_eq!(alice.open(&url).await.unwrap().status(), StatusCode::OK);
    assert_eq!(alice.send(Method::POST, &url, None).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(bob.open(&url).await.unwrap().status(), StatusCode::FORBIDDEN);
    let stranger = test.browser().send(Method::GET, &url, None).await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    test.stop().await;
}
