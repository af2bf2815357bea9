//! Sets of policies and of guardrails from text, and a solver that is a script.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_policy::{GUARDRAILS, PolicySet, SourceFile, Symbols};

use crate::{Options, Outcome, Report, Solver, Verdict, prove};

pub(super) fn solver() -> Solver {
    Solver::find().expect("the package cvc5")
}

pub(super) fn options() -> Options {
    Options { timeout: Duration::from_secs(60), jobs: 2, together: Options::TOGETHER, cache: None }
}

fn load(policies: Vec<SourceFile>) -> PolicySet {
    PolicySet::load(policies, &Arc::new(Symbols::default())).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Policies without annotations: each gets an id by its place.
pub(super) fn set(policies: &[&str], guardrails: &[&str]) -> PolicySet {
    let annotated = |kind: &str, more: &str, texts: &[&str]| -> String {
        texts
            .iter()
            .zip(0..)
            .map(|(text, at)| format!("@id(\"{kind}{at}\") @owner(\"o\") @review_by(\"2027-01-01\") {more}\n{text}\n"))
            .collect()
    };
    load(vec![
        SourceFile { path: "test.cedar".into(), text: annotated("p", "@remedy(\"r\")", policies) },
        SourceFile {
            path: PathBuf::from(GUARDRAILS).join("test.cedar"),
            text: annotated("g", "@description(\"d\")", guardrails),
        },
    ])
}

pub(super) fn starter() -> PolicySet {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut paths = Vec::new();
    for directory in [directory.clone(), directory.join(GUARDRAILS)] {
        paths.extend(std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    load(paths.into_iter().map(|path| SourceFile { text: std::fs::read_to_string(&path).unwrap(), path }).collect())
}

pub(super) fn run(set: &PolicySet, solver: &Solver, options: &Options) -> Report {
    prove(set, set.guardrails(), &BTreeMap::new(), solver, options, &|_| {})
}

/// Of one guardrail.
pub(super) fn outcome<'r>(report: &'r Report, id: &str) -> &'r Outcome {
    report.outcomes.iter().find(|outcome| outcome.guardrail.id.as_str() == id).unwrap()
}

/// What became of the first guardrail of a set.
pub(super) fn verdict(policies: &[&str], guardrail: &str) -> Verdict {
    let set = set(policies, &[guardrail]);
    let mut report = run(&set, &solver(), &options());
    report.outcomes.remove(1).verdict
}

/// A programme that introduces itself as cvc5 and then does what `script` says.
pub(super) fn pretender(directory: &Path, script: &str) -> PathBuf {
    let path = directory.join("cvc5");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'This is cvc5 version 1.0.3 [git]'; exit 0; fi\n{script}\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
