//! Solvers that are absent, strangers, slow, undecided, or wrong.

use std::time::Duration;

use super::fixtures::{options, outcome, pretender, run, set};
use crate::{Options, Report, Solver, SolverError, Verdict};

const PERMIT: &str = "permit (principal is Human, action, resource);";
const GUARDRAIL: &str = "forbid (principal is Service, action, resource);";
/// Takes a solver: nothing of it is settled by the types alone.
const HARD: &str = "forbid (principal is Human, action, resource) when { context.risk > 100 };";

fn with(script: &str, timeout: Duration) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let solver = Solver::at(&pretender(directory.path(), script)).unwrap();
    run(&set(&[PERMIT], &[GUARDRAIL, HARD]), &solver, &Options { timeout, ..options() })
}

#[test]
fn a_solver_that_is_not_there_names_the_package() {
    let error = Solver::at(std::path::Path::new("/nonexistent/cvc5")).unwrap_err();
    assert!(matches!(error, SolverError::Start { .. }), "{error}");
    assert!(SolverError::Missing.to_string().contains("package cvc5"));
}

#[test]
fn what_does_not_introduce_itself_as_cvc5_is_not_asked() {
    for script in ["echo 'Z3 version 4.8.12'", "echo cvc5", "true", "exit 1"] {
        let directory = tempfile::tempdir().unwrap();
        let path = pretender(directory.path(), "");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        let error = Solver::at(&path).unwrap_err();
        assert!(matches!(error, SolverError::Stranger { .. }), "{script}: {error}");
    }
}

#[test]
fn too_slow_is_unknown_and_leaves_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    // The shell becomes the sleeper: its process is the one that is ended.
    let report = with(&format!("echo $$ >> {}; exec /bin/sleep 600", pids.display()), Duration::from_millis(600));
    let hard = outcome(&report, "g1");
    assert!(matches!(&hard.verdict, Verdict::Unknown(why) if why.contains("not done in time")), "{:?}", hard.verdict);
    assert!(!report.proven());
    for pid in std::fs::read_to_string(pids).unwrap().lines() {
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "{pid} is still there");
    }
}

#[test]
fn undecided_is_unknown() {
    let report = with("cat > /dev/null; echo unknown", Duration::from_secs(60));
    let hard = outcome(&report, "g1");
    assert!(matches!(&hard.verdict, Verdict::Unknown(why) if why.contains("does not know")), "{:?}", hard.verdict);
}

#[test]
fn what_is_no_answer_is_unknown() {
    for script in ["cat > /dev/null; echo '(error \"no\")'", "exit 1", "cat > /dev/null; echo UNSAT", "yes"] {
        // `yes` never ends by itself, and says more than any answer has.
        let report = with(&script.replace("yes", "exec yes | head -c 100000"), Duration::from_secs(20));
        assert!(matches!(outcome(&report, "g1").verdict, Verdict::Unknown(_)), "{script}");
    }
}

/// A solver that finds what is not there is not believed: its example is not one.
#[test]
fn an_example_that_is_none_is_not_shown() {
    let report = with("cat > /dev/null; printf 'sat\\n(\\n)\\n'", Duration::from_secs(60));
    let verdict = &outcome(&report, "g1").verdict;
    assert!(matches!(verdict, Verdict::Unknown(_) | Verdict::Fault(_)), "{verdict:?}");
    assert!(!report.proven());
}

/// What the types alone settle takes no solver at all.
#[test]
fn what_needs_no_solver_asks_none() {
    let report = with("exit 1", Duration::from_secs(60));
    assert!(matches!(outcome(&report, "policies-never-error").verdict, Verdict::Proven));
}
