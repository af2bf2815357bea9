//! The cache: what it answers, and what nobody can make it answer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::fixtures::{options, outcome, pretender, run, set, solver, starter};
use crate::{Cache, Options, Solver, Verdict};

const HUMANS: &str = "permit (principal is Human, action, resource);";
const RISK: &str = "forbid (principal, action, resource) when { context.risk >= 70 };";
const HOLDS: &str = "forbid (principal, action, resource) when { context.risk > 80 };";

fn with(directory: &Path) -> Options {
    Options { cache: Some(Cache::open(directory).unwrap()), ..options() }
}

#[test]
fn the_second_time_nobody_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let options = with(&directory.path().join("a/b"));
    let set = set(&[HUMANS, RISK], &[HOLDS]);
    let first = run(&set, &solver(), &options);
    assert!(first.proven() && !outcome(&first, "g0").cached);
    let again = run(&set, &solver(), &options);
    assert!(again.proven() && outcome(&again, "g0").cached);
    // The same answers under the name of the same solver: it is not even started.
    let broken = Solver::at(&pretender(directory.path(), "exit 1")).unwrap();
    assert!(broken.version() != solver().version() || run(&set, &broken, &options).proven());
}

/// What holds of no more than the requests that there can be is remembered too: that it does not hold of more is an answer.
#[test]
fn every_guardrail_of_the_starter_policies_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let options = with(directory.path());
    let set = starter();
    assert!(run(&set, &solver(), &options).proven());
    let again = run(&set, &solver(), &options);
    assert!(again.proven());
    let asked: Vec<&str> = again.outcomes.iter().filter(|it| !it.cached).map(|it| it.guardrail.id.as_str()).collect();
    assert_eq!(asked, Vec::<&str>::new());
}

/// A set that is otherwise has other questions, and finds none of the answers.
#[test]
fn another_policy_is_another_question() {
    let directory = tempfile::tempdir().unwrap();
    let options = with(directory.path());
    assert!(run(&set(&[HUMANS, RISK], &[HOLDS]), &solver(), &options).proven());
    let weaker = "forbid (principal, action, resource) when { context.risk >= 90 };";
    let report = run(&set(&[HUMANS, weaker], &[HOLDS]), &solver(), &options);
    assert!(matches!(outcome(&report, "g0").verdict, Verdict::Failed(_)));
}

/// Whatever is put in the place of an answer, of another question or of none, proves nothing.
#[test]
fn a_damaged_cache_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = with(directory.path());
    let failing = set(&[HUMANS], &[HOLDS]);
    assert!(run(&set(&[HUMANS, RISK], &[HOLDS]), &solver(), &options).proven());
    run(&failing, &solver(), &options);
    let files = || fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let unsat = files().map(|path| fs::read(path).unwrap()).find(|text| text.ends_with(b"\nunsat\n")).unwrap();
    for text in [b"".as_slice(), b"unsat\n", b"proven", &[0xff; 100], &unsat] {
        files().for_each(|path| fs::write(path, text).unwrap());
        let report = run(&failing, &solver(), &options);
        assert!(matches!(outcome(&report, "g0").verdict, Verdict::Failed(_)));
    }
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    Cache::open(directory.path()).unwrap_err();
}
