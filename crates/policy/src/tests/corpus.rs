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
