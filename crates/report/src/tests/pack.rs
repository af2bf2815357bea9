//! The evidence pack: what is changed in it is found, by us and by a programme in another language.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::estate::{Estate, FILE};
use crate::{Pack, Wrong, verify};

fn pack() -> Value {
    serde_json::from_str(&Estate::new().pack().to_json()).unwrap()
}

/// The value at a pointer set to another.
fn changed(pointer: &str, value: Value) -> Value {
    let mut pack = pack();
    *pack.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    pack
}

fn wrong(pack: &Value) -> Vec<Wrong> {
    verify(pack.to_string().as_bytes()).unwrap().wrong
}

fn python(pack: &str, more: &[&Path]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("evidence.json");
    std::fs::write(&path, pack).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/independent/verify_pack.py");
    let run = Command::new("python3").arg(script).arg(path).args(more).output();
    let output = run.unwrap_or_else(|error| panic!("python3 is needed to run the independent verifier: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("Traceback"), "{text}");
    (output.status.code(), text)
}

#[test]
fn a_pack_holds_for_both_and_names_its_sources() {
    let made = Estate::new().pack();
    let text = made.to_json();
    let verified = verify(text.as_bytes()).unwrap();
    assert_eq!(verified.wrong, []);
    assert_eq!(verified.root, made.root());
    assert!(verified.indicators >= 20 && verified.rows > 0 && verified.sources.len() == 1);
    assert_eq!(python(&text, &[]).0, Some(0));
    // The hash is of the value: blanks and the order of keys are nothing to it.
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    assert_eq!(verify(pretty.as_bytes()).unwrap().wrong, []);
    assert_eq!(python(&pretty, &[]).0, Some(0));
    // The exports are the files that are meant.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users.json");
    std::fs::write(&file, FILE).unwrap();
    assert_eq!(python(&text, &[&file]).0, Some(0));
    std::fs::write(&file, format!("{FILE} ")).unwrap();
    assert_eq!(python(&text, &[&file]).0, Some(1));
}

#[test]
fn the_same_evidence_is_the_same_pack() {
    assert_eq!(Estate::new().pack().to_json(), Estate::new().pack().to_json());
}

#[test]
fn whatever_is_changed_is_found() {
    let check = |pack: &Value, expected: &[Wrong]| {
        assert_eq!(wrong(pack), expected);
        let (status, text) = python(&pack.to_string(), &[]);
        assert_eq!(status, Some(1), "{text}");
    };
    check(
        &changed("/parts/assessment/as-of", json!("2020-01-01T00:00:00Z")),
        &[Wrong::Changed("assessment".to_owned())],
    );
    check(&changed("/manifest/organisation", json!("Somebody else")), &[Wrong::Root]);
    check(&changed("/root", json!("00")), &[Wrong::Root]);
    let mut pack = self::pack();
    pack["parts"]["more"] = json!({});
    check(&pack, &[Wrong::Unlisted("more".to_owned())]);
    let mut pack = self::pack();
    pack["parts"].as_object_mut().unwrap().remove("assessment");
    check(&pack, &[Wrong::Missing("assessment".to_owned())]);
    let mut pack = self::pack();
    pack["note"] = json!("trust me");
    check(&pack, &[Wrong::Foreign("note".to_owned())]);
}

#[test]
fn figures_that_do_not_add_up_are_found_whatever_the_hashes_say() {
    let name = "indicator/password-never-expires";
    let pointer = format!("/parts/{}", name.replace('/', "~1"));
    for (field, value) in [("found", json!(0)), ("population", json!(1000)), ("findings", json!([]))] {
        let pack = changed(&format!("{pointer}/{field}"), value);
        assert!(wrong(&pack).contains(&Wrong::Sum(name.to_owned())), "{field}");
    }
    let pack = changed(&format!("{pointer}/findings/0/evidence/0/sha256"), json!("beef"));
    let expected = Wrong::Source { part: name.to_owned(), sha256: "beef".to_owned() };
    assert!(wrong(&pack).contains(&expected));
}

#[test]
fn what_two_readers_would_read_differently_is_no_pack() {
    let text = Estate::new().pack().to_json();
    let twice = text.replacen("{\"ledger\"", "{\"root\":\"00\",\"ledger\"", 1);
    for text in [twice.as_str(), "[]", "{}", "", "{\"ledger\":[]}", &text[..text.len() / 2], &"[".repeat(100_000)] {
        assert!(verify(text.as_bytes()).is_err());
        assert_eq!(python(text, &[]).0, Some(2));
    }
}

#[test]
fn a_proof_goes_with_a_pack_and_changes_nothing_of_its_root() {
    let plain = Estate::new().pack();
    let root = plain.root().to_owned();
    let recorded: Pack = plain.recorded(json!({"v": 1, "entry": root}));
    assert_eq!(recorded.root(), root);
    let verified = verify(recorded.to_json().as_bytes()).unwrap();
    assert_eq!((verified.wrong.len(), verified.ledger.len()), (0, 1));
}

#[test]
fn the_next_report_is_compared_with_the_pack_of_the_last() {
    let estate = Estate::new();
    let snapshot = crate::snapshot(estate.pack().to_json().as_bytes()).unwrap().unwrap();
    assert_eq!(snapshot, countersign_assess::Snapshot::of(&estate.assessment));
}
