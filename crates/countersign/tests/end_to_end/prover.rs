//! The real binary and the real solver for whoever writes guardrails: proven, failed with a request to keep, unknown; and
//! what happens where there is no solver. On small sets, so that it is quick.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::offline::text;
use crate::program::{LISTEN, PLAIN, Program};

pub(crate) const POLICIES: &str = r#"
@id("staff-use-it") @owner("o") @review_by("2027-01-01")
permit (principal in Group::"staff", action, resource);

@id("risk-stops") @owner("o") @review_by("2027-01-01") @remedy("Ask.")
forbid (principal, action, resource) when { context.risk >= 70 && resource.tier != "public" };
"#;

pub(crate) const GUARDRAILS: &str = r#"
@id("high-risk-changes-nothing") @owner("o") @review_by("2027-01-01") @description("Whoever is at high risk changes nothing that is not public.")
forbid (principal is Human, action in Action::"write", resource) when { context.risk >= 70 && resource.tier != "public" };
"#;

/// A directory as `apply` takes it, and its policies.
fn files() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let policies = directory.path().join("policies");
    std::fs::create_dir_all(policies.join("guardrails")).unwrap();
    std::fs::create_dir_all(policies.join("tests")).unwrap();
    std::fs::write(policies.join("own.cedar"), POLICIES).unwrap();
    std::fs::write(policies.join("guardrails/own.cedar"), GUARDRAILS).unwrap();
    std::fs::write(directory.path().join("countersign.toml"), "version = 1\n").unwrap();
    (directory, policies)
}

fn run(arguments: &[&str], environment: &[(&str, &str)], code: i32) -> (String, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env_remove("COUNTERSIGN_DATA")
        .env_remove("COUNTERSIGN_CONFIG")
        .env_remove("COUNTERSIGN_CVC5")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let noted = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{noted}");
    (said, noted)
}

fn weaken(policies: &Path) {
    std::fs::write(policies.join("own.cedar"), POLICIES.replace("context.risk >= 70", "context.risk >= 90")).unwrap();
}

#[test]
fn guardrails_are_proven_and_remembered() {
    let (directory, policies) = files();
    let cache = directory.path().join("cache");
    let prove = ["policy", "prove", "--policies", text(&policies), "--cache", text(&cache)];
    let (said, noted) = run(&prove, &[], 0);
    assert!(said.contains("2 guardrails: 2 proven, 0 failed, 0 unknown, 0 not run; cvc5 "), "{said}");
    assert!(noted.is_empty(), "progress is for terminals: {noted}");
    let (said, _) = run(&[&prove[..], &["high-risk-changes-nothing"]].concat(), &[], 0);
    assert!(said.contains("proven    high-risk-changes-nothing  (cached; "), "{said}");
    let (said, _) = run(&["check", text(directory.path()), "--prove", "--cache", text(&cache)], &[], 0);
    assert!(said.contains("every guardrail proven"), "{said}");
    let (_, noted) = run(&[&prove[..], &["high-risk"]].concat(), &[], 2);
    assert!(noted.contains("there is no guardrail high-risk"), "{noted}");
}

#[test]
fn what_does_not_hold_is_a_request_and_a_test_to_keep() {
    let (directory, policies) = files();
    let (shown, tests) = (text(&policies).to_owned(), policies.join("tests"));
    let before = directory.path().join("before");
    std::fs::create_dir(&before).unwrap();
    std::fs::copy(policies.join("own.cedar"), before.join("own.cedar")).unwrap();
    weaken(&policies);
    let prove = ["policy", "prove", "--policies", &shown, "--no-cache"];
    let (said, _) = run(&[&prove[..], &["--write-tests", text(&tests)]].concat(), &[], 1);
    for part in [
        "failed    high-risk-changes-nothing",
        "this request is allowed",
        "who       human:somebody, in staff",
        "what      write some-resource (tier ",
        "allow, by permit staff-use-it (",
        "2 guardrails: 1 proven, 1 failed, 0 unknown, 0 not run",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The test fails as the guardrail does, and passes once that is mended.
    let (said, _) = run(&["policy", "test", "--policies", &shown], &[], 1);
    assert!(
        said.contains("high-risk-changes-nothing, by its guardrail") && said.contains("expected deny, got allow"),
        "{said}"
    );
    std::fs::write(policies.join("own.cedar"), POLICIES).unwrap();
    run(&["policy", "test", "--policies", &shown], &[], 0);

    weaken(&policies);
    let json: Value = serde_json::from_str(&run(&[&prove[..], &["--json"]].concat(), &[], 1).0).unwrap();
    assert_eq!(json["proven"], false);
    let failed = &json["guardrails"][1];
    assert_eq!((failed["result"].as_str(), failed["line"].as_u64()), (Some("failed"), Some(2)));
    assert_eq!(failed["example"]["decision"], "allow");
    assert!(failed["example"]["test"].as_str().unwrap().contains("[[test]]"));
    let (tap, _) = run(&[&prove[..], &["--format", "tap"]].concat(), &[], 1);
    assert!(tap.starts_with("TAP version 14\n1..2\nok 1 - policies-never-error\nnot ok 2 - high-risk"), "{tap}");
    let (github, _) = run(&[&prove[..], &["--format", "github"]].concat(), &[], 1);
    assert!(github.contains("::error file=") && github.contains("line=2,title=high-risk-changes-nothing"), "{github}");
    // Against what was before, the change does not only take away.
    let only = ["--only-narrows", text(&before), "policies-never-error"];
    let (said, _) = run(&[&prove[..], &only[..]].concat(), &[], 1);
    assert!(said.contains("this request is allowed, and was not"), "{said}");
    // And nothing of it goes anywhere: it fails before any server is looked for.
    let (said, _) = run(
        &["apply", text(directory.path()), "--prove", "--no-cache"],
        &[("COUNTERSIGN_DATA", text(directory.path()))],
        1,
    );
    assert!(said.contains("1 failed"), "{said}");
}

/// A solver takes any number for an age, and a test has to be able to say it.
#[test]
fn an_example_with_an_age_can_be_kept() {
    let (directory, policies) = files();
    let before = directory.path().join("before");
    std::fs::create_dir(&before).unwrap();
    std::fs::copy(policies.join("own.cedar"), before.join("own.cedar")).unwrap();
    for limit in [600_u64, 5_000_000_000] {
        let stale = format!(
            "@id(\"stale\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"Report.\")\nforbid (principal, action, resource) \
             when {{ context has device && context.device has posture_age && context.device.posture_age > {limit} }};"
        );
        std::fs::write(policies.join("stale.cedar"), stale).unwrap();
        let prove = ["policy", "prove", "--policies", text(&policies), "--no-cache", "--equivalent-to", text(&before)];
        let (said, _) = run(&[&prove[..], &["policies-never-error"]].concat(), &[], 1);
        assert!(said.contains("this request is decided otherwise"), "{said}");
        assert!(said.contains(&format!("posture_age = {}", limit + 1)), "{said}");
    }
}

/// The files of an author, of which one guardrail does not hold, put in force in a server that proves what it enforces.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_says_which_guardrail_does_not_hold() {
    let (directory, policies) = files();
    let ways_in = include_str!("../../../../policies/countersign.cedar");
    std::fs::write(policies.join("own.cedar"), ways_in).unwrap();
    let server = directory.path().join("server");
    std::fs::create_dir(&server).unwrap();
    let program = Program::up(&server, &format!("{}{LISTEN}", PLAIN.replace("\"off\"", "\"record\"")));
    let config = text(&program.file);
    let broken = r#"
@id("nobody-reads") @owner("o") @review_by("2027-01-01") @description("Nobody reads anything of Countersign.")
forbid (principal is Human, action in Action::"read", resource) when { resource.kind == "countersign" };
"#;
    std::fs::write(policies.join("guardrails/own.cedar"), broken).unwrap();
    tokio::task::block_in_place(|| {
        let (_, noted) = run(&["apply", text(directory.path()), "--config", config], &[], 0);
        let hint =
            "nobody-reads does not hold of the policies in force: `countersign policy prove --in-force nobody-reads`";
        assert!(noted.contains(hint), "{noted}");
        let prove = ["policy", "prove", "--in-force", "nobody-reads", "--no-cache", "--config", config];
        let (said, _) = run(&prove, &[], 1);
        assert!(said.contains("this request is allowed") && said.contains("own.cedar:"), "{said}");
    });
    assert!(program.terminate().success());
}

#[test]
fn without_a_solver_nothing_is_proven() {
    let (directory, policies) = files();
    let prove = ["policy", "prove", "--policies", text(&policies), "--no-cache"];
    let (said, noted) = run(&prove, &[("PATH", text(directory.path()))], 1);
    assert!(said.is_empty() && noted.contains("install the package cvc5"), "{said}{noted}");
    let (said, noted) = run(&prove, &[("COUNTERSIGN_CVC5", "/bin/true")], 1);
    assert!(said.is_empty() && noted.contains("/bin/true is no cvc5"), "{said}{noted}");
}

/// A guardrail with a misspelt tier would be proven of nothing.
#[test]
fn a_mistaken_guardrail_is_a_mistake_of_the_set() {
    let (_directory, policies) = files();
    let file = policies.join("guardrails/own.cedar");
    let mistaken = GUARDRAILS.replace("\"public\"", "\"pulbic\"").replace("@owner(\"o\")", "@remedy(\"r\")");
    std::fs::write(&file, mistaken).unwrap();
    let (_, noted) = run(&["policy", "prove", "--policies", text(&policies)], &[], 2);
    for part in ["there is no tier \"pulbic\"", "@remedy is no annotation", "has no @owner"] {
        assert!(noted.contains(part), "{part}: {noted}");
    }
}
