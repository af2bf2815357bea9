//! The real binary for whoever writes policies: test, matrix, lint and fmt, on the starter policies and on a copy of them
//! that is spoilt.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::offline::{countersign, fails, succeeds, text};

fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

/// A copy of the starter policies with their tests and their matrix.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let policies = directory.path().join("policies");
    std::fs::create_dir_all(policies.join("tests")).unwrap();
    for (from, to) in [(starter(), policies.clone()), (starter().join("tests"), policies.join("tests"))] {
        for path in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    (directory, policies)
}

fn replace(file: &Path, from: &str, to: &str) {
    let before = std::fs::read_to_string(file).unwrap();
    assert!(before.contains(from), "{from}");
    std::fs::write(file, before.replace(from, to)).unwrap();
}

/// What it prints to standard output, whatever the exit code, which has to be `code`.
fn says(arguments: &[&str], code: i32) -> String {
    let output = countersign(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{error}");
    said
}

#[test]
fn the_starter_policies_pass_their_tests_and_are_covered() {
    let starter = starter();
    let policies = text(&starter);
    let said = succeeds(&["policy", "test", "--policies", policies, "--require-coverage", "100"]);
    assert!(said.contains(" tests, 0 failed") && said.contains("100 %"), "{said}");
    let json: Value = serde_json::from_str(&succeeds(&["policy", "test", "--policies", policies, "--json"])).unwrap();
    assert_eq!(json["failed"], 0);
    assert_eq!(json["coverage"]["missing"].as_array().unwrap().len(), 0);
    succeeds(&["policy", "matrix", "--policies", policies]);
    succeeds(&["policy", "lint", "--policies", policies, "--as-of", "2026-11-01", "--deny", "warnings"]);
    succeeds(&["policy", "fmt", "--policies", policies, "--check"]);
}

#[test]
fn a_changed_policy_fails_its_tests_and_shows_why() {
    let (_directory, policies) = copy();
    let policies = text(&policies);
    replace(
        &Path::new(policies).join("tiers.cedar"),
        "context.authentication.age <= 3600",
        "context.authentication.age <= 7200",
    );
    let test = |format: &str| says(&["policy", "test", "--policies", policies, "--format", format], 1);
    let said = test("human");
    for part in [
        "crown jewels ask again after an hour",
        "expected challenge, got allow",
        "decided by permit administrators-administer (",
        "entitlement.cedar:",
        "it read resource.administrators = ",
        "does not forbid it: `context.authentication.age <= 7200` (line",
        " tests, 1 failed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "colours are for terminals");
    let tap = test("tap");
    assert!(tap.starts_with("TAP version 14\n1..") && tap.contains("\nnot ok ") && tap.contains("\nok 1 - "), "{tap}");
    let junit = test("junit");
    assert!(junit.contains("failures=\"1\"") && junit.contains("&lt;= 7200"), "{junit}");
    let github = test("github");
    assert!(github.contains("::error file=") && github.contains("%0Adecided by"), "{github}");
    let gitlab: Value = serde_json::from_str(&test("gitlab")).unwrap();
    assert_eq!(gitlab[0]["check_name"], "crown jewels ask again after an hour");
    assert!(gitlab[0]["location"]["lines"]["begin"].as_u64().unwrap() > 1);
    let json: Value = serde_json::from_str(&says(&["policy", "test", "--policies", policies, "--json"], 1)).unwrap();
    assert_eq!(json["failed"], 1);

    let changes = says(&["policy", "matrix", "--policies", policies], 1);
    assert!(changes.contains("new subject: human, administrators, passkey 2h 1s ago\n"), "{changes}");
    assert!(changes.contains("no more subject: human, administrators, passkey 1h 1s ago\n"), "{changes}");
    replace(&Path::new(policies).join("risk.cedar"), "resource.tier != \"public\"", "resource.tier == \"high\"");
    let changes = says(&["policy", "matrix", "--policies", policies], 1);
    let one = "managed device, compliant, risk 70 / human, readers, passkey / standard: read deny → allow\n";
    assert!(changes.contains(one), "{changes}");
    succeeds(&["policy", "matrix", "--policies", policies, "--write"]);
    assert!(succeeds(&["policy", "matrix", "--policies", policies]).contains("no change in "));
}

#[test]
fn what_could_not_have_failed_is_no_pass() {
    let (_directory, policies) = copy();
    let shown = text(&policies);
    let file = policies.join("tests/starter.toml");
    let test = |more: &[&str], code| {
        let mut arguments = vec!["policy", "test", "--policies", shown];
        arguments.extend(more);
        fails(&arguments, code)
    };
    std::fs::write(&file, "version = 1\n").unwrap();
    assert!(test(&[], 2).contains("there is no test in this file"));
    std::fs::remove_file(&file).unwrap();
    assert!(test(&[], 2).contains("there is no .toml file in "));
    std::fs::remove_dir(policies.join("tests")).unwrap();
    assert!(test(&[], 2).contains("cannot be read"));
    let mistaken = "version = 1
[[subject]]
id = \"human:alice\"
grops = []
[[test]]
name = \"a\"
subject = \"human:alcie\"
resource = \"wiki\"
tier = \"standart\"
request = \"POST /a/../b?c\"
device = \"helthy\"
expect = \"alow\"
";
    std::fs::write(policies.join("own.toml"), mistaken).unwrap();
    let own = policies.join("own.toml");
    let said = test(&[text(&own)], 2);
    for part in [
        "own.toml:4:1: unknown key `subject.grops`",
        "did you mean `groups`?",
        "own.toml:7:11: there is no subject human:alcie in this file",
        "did you mean \"human:alice\"?",
        "own.toml:9:8: test.tier: \"standart\" is none of public, standard, high, crown-jewel",
        "own.toml:10:11: test.request: ",
        "own.toml:11:10: there is no device \"helthy\" in this file",
        "own.toml:12:10: test.expect: \"alow\" is none of allow, challenge, deny",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let five = "version = 1
[[test]]
name = \"a stranger reads nothing\"
subject = \"human:mallory\"
groups = []
resource = \"wiki\"
tier = \"standard\"
expect = \"deny\"
by = [\"no-such-policy\"]
";
    std::fs::write(&own, five).unwrap();
    assert!(test(&[text(&own)], 2).contains("names the policy no-such-policy, and there is none"));
    std::fs::write(&own, five.replace("by = [\"no-such-policy\"]\n", "authentication = \"passkey\"\n")).unwrap();
    assert!(test(&[text(&own), "--require-coverage", "50"], 1).contains("and 50 % are required"));
    let uncovered = says(&["policy", "test", "--policies", shown, text(&own), "--coverage"], 0);
    assert!(
        uncovered.contains("risk.cedar:") && uncovered.contains("`context.risk >= 70` was never true"),
        "{uncovered}"
    );
}

#[test]
fn lint_and_fmt_find_and_mend() {
    let (directory, policies) = copy();
    let shown = text(&policies);
    let extra = policies.join("extra.cedar");
    let head = "@id(\"extra\")\n@owner(\"security\")\n@review_by(\"2026-01-31\")\n@remedy(\"Wait.\")\n";
    std::fs::write(&extra, format!("{head}// why\nforbid(principal in Group::\"stuff\",action,resource);\n")).unwrap();
    std::fs::write(directory.path().join("countersign.toml"), "version = 1\n").unwrap();
    let file = directory.path().join("countersign.toml");
    let lint = |more: &[&str], code| {
        let mut arguments =
            vec!["policy", "lint", "--policies", shown, "--as-of", "2026-11-01", "--config", text(&file)];
        arguments.extend(more);
        says(&arguments, code)
    };
    let said = lint(&[], 0);
    assert!(!said.contains("countersign.cedar"), "what is built in has a name: {said}");
    assert!(said.contains("extra.cedar:1: warning[review-overdue]: extra: its review was due on 2026-01-31"), "{said}");
    assert!(said.contains("warning[unknown-entity]: extra: the configuration has no group \"stuff\""), "{said}");
    assert!(lint(&["--deny", "warnings", "--format", "github"], 1).contains("::warning file="));
    let gitlab: Value = serde_json::from_str(&lint(&["--format", "gitlab"], 0)).unwrap();
    assert_eq!(gitlab[0]["check_name"], "review-overdue");
    let json: Value = serde_json::from_str(&lint(&["--json"], 0)).unwrap();
    assert_eq!(json["findings"][0]["rule"], "review-overdue");
    fails(&["policy", "lint", "--policies", shown, "--as-of", "tomorrow"], 2);

    assert!(says(&["policy", "fmt", "--policies", shown, "--check"], 1).contains("extra.cedar"));
    assert!(succeeds(&["policy", "fmt", text(&extra)]).contains("formatted"));
    assert_eq!(says(&["policy", "fmt", "--policies", shown, "--check"], 0), "");
    let formatted = std::fs::read_to_string(&extra).unwrap();
    assert!(formatted.contains("// why\n") && formatted.contains("    action,\n"), "{formatted}");
    std::fs::write(&extra, "permit (").unwrap();
    assert!(fails(&["policy", "fmt", text(&extra)], 2).contains("extra.cedar"));
    assert_eq!(std::fs::read_to_string(&extra).unwrap(), "permit (", "what cannot be read stays as it is");
    assert!(lint(&[], 1).contains("error[invalid]"));
}
