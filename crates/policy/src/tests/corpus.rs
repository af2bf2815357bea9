//! Cedar's integration tests, through our evaluator.

use std::path::{Path, PathBuf};

use crate::corpus;

#[test]
fn our_own_cases_agree() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let report = corpus::run(&directory, |_| {}).unwrap();
    assert!(report.agrees(), "{report}");
    assert!(report.planned > 0 && report.fallen_back > 0, "both evaluators were at work: {report}");
}

#[test]
fn a_wrong_expectation_is_found() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus-wrong");
    let report = corpus::run(&directory, |_| {}).unwrap();
    assert_eq!((report.tests, report.failures.len()), (1, 3), "{report}");
}

/// A part of Cedar's own corpus, where the machine has it.
#[test]
fn cedars_corpus_agrees() {
    let above = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = above.join("../shared/data/cedar-corpus");
    if !directory.is_dir() {
        eprintln!("NOT RUN: Cedar's corpus is not at {}", directory.display());
        return;
    }
    let report = corpus::run(&directory, |_| {}).unwrap();
    eprintln!("{report}");
    assert!(report.agrees(), "{report}");
    assert_eq!(report.tests, 400);
}

/// Its files are foreign too: one that is nested without end is a failure of its test, and ends nothing.
#[test]
fn what_is_nested_without_end_fails_its_test_alone() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let deep = |open: &str, close: &str| format!("{}true{}", open.repeat(100_000), close.repeat(100_000));
    write("deep.cedar", &format!("permit (principal, action, resource) when {{ {} }};", deep("(", ")")));
    write("plain.cedar", "permit (principal, action, resource);");
    write("deep.cedarschema", &format!("entity A {};", deep("{ a: ", "}")));
    write("entities.json", "[]");
    for (name, policies, schema) in [("one", "deep.cedar", None), ("two", "plain.cedar", Some("deep.cedarschema"))] {
        let test = serde_json::json!({
            "policies": policies, "schema": schema, "entities": "entities.json", "shouldValidate": true, "requests": [],
        });
        write(&format!("{name}.json"), &test.to_string());
    }
    let report = corpus::run(directory.path(), |_| {}).unwrap();
    let told: Vec<&str> = report.failures.iter().map(|failure| failure.message.as_str()).collect();
    assert!(told.contains(&"policies: nested too deep to be read"), "{told:?}");
    assert!(told.contains(&"schema: nested too deep to be read"), "{told:?}");
}
