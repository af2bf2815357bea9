//! `policy test`: the tests beside the policies, decided by the very engine that decides live, and what they cover. It
//! needs no server. A run that could not have failed (no file, no test) is a mistake and never a pass.

mod report;

pub(super) use report::Run;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use countersign_model::{Decision, PolicyId, PolicyRole};
use countersign_policy::{
    Considered, Coverage, Effect, Mode, PolicyInfo, PolicySet, SourceFile, Symbols, need_name, remedy,
};

use super::forms;
use crate::command_line::{Global, PolicyTest as Options, TestFormat};
use crate::commands::{Found, Mistaken, Misused};
use crate::configuration::{Mistakes, PolicyTest, parse_policy_tests};
use crate::policies;
use crate::terminal::Terminal;

/// One test and what became of it.
pub(super) struct Outcome {
    pub(super) test: PolicyTest,
    decision: Decision,
    /// Empty where it passed.
    unmet: Vec<String>,
    considered: Vec<Considered>,
}

impl Outcome {
    pub(super) fn passed(&self) -> bool {
        self.unmet.is_empty()
    }

    fn place(&self) -> String {
        format!("{}:{}", self.test.file.display(), self.test.line)
    }

    /// The policies that decided, with their places.
    fn determining<'s>(&self, set: &'s PolicySet) -> Vec<&'s PolicyInfo> {
        let of = |id: &PolicyId| set.policies().iter().find(|info| info.id == *id);
        self.decision.reasons().determining.iter().filter_map(|policy| of(&policy.id)).collect()
    }

    /// What would have to be otherwise, as far as it can be said in a line each.
    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if let Some(remedy) = remedy(&self.decision) {
            let needs: Vec<String> = remedy.needs.iter().map(need_name).collect();
            if !needs.is_empty() {
                hints.push(format!("it would be allowed with: {}", needs.join(" and ")));
            }
            hints.extend(remedy.advice.iter().map(|advice| format!("its remedy: {advice}")));
        }
        // An allow that nobody wanted: what could have forbidden it. A refusal that nobody wanted: what forbade it, or
        // what could have permitted it.
        let refused = Effect::of(&self.decision) != Effect::Allow;
        let nobody = self.decision.reasons().determining.is_empty();
        let counts = |policy: &&Considered| policy.mode == Mode::Enforce || self.test.mode == Mode::Observe;
        for policy in self.considered.iter().filter(counts) {
            let (told, verb) = match (policy.role, policy.holds) {
                (PolicyRole::Forbid, Some(true)) => (refused, "forbids it"),
                (PolicyRole::Forbid, Some(false)) => (!refused, "does not forbid it"),
                (PolicyRole::Permit, Some(false)) => (refused && nobody, "does not permit it"),
                (PolicyRole::Permit, Some(true)) => (false, ""),
                (_, None) => (true, "cannot be evaluated"),
            };
            // The condition that was reached last is the one that settled it.
            let because = match policy.conditions.last() {
                Some((line, text, Some(truth))) => format!(": `{text}` (line {line}) is {truth}"),
                Some((line, text, None)) => format!(": `{text}` (line {line}) fails"),
                None => String::new(),
            };
            if told {
                hints.push(format!("{} ({}:{}) {verb}{because}", policy.id, policy.file.display(), policy.line));
            }
        }
        if hints.is_empty() && refused {
            hints.push("no policy is about this subject, action and resource".to_owned());
        }
        hints
    }
}

pub(super) fn test(global: &Global, options: &Options, terminal: &Terminal) -> anyhow::Result<()> {
    let directory = super::directory(global, &options.policies)?;
    let set = PolicySet::load(policies::read(&directory)?, &Arc::new(Symbols::default()))?;
    let set = if options.as_enforced { set.as_enforced() } else { set };
    let files = if options.files.is_empty() { test_files(&directory.join("tests"))? } else { options.files.clone() };
    let read = |path: PathBuf| -> anyhow::Result<SourceFile> {
        let text =
            std::fs::read_to_string(&path).with_context(|| Misused(format!("{} cannot be read", path.display())))?;
        Ok(SourceFile { path, text })
    };
    let files = files.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let tests = parse(&files).map_err(|mistakes| {
        mistakes.iter().for_each(|mistakes| terminal.note(mistakes.to_string()));
        Mistaken
    })?;
    if let Some(nobody) = nobody(&set, &tests) {
        return Err(Misused(nobody).into());
    }
    let run = run(&set, tests);
    let short = options.require_coverage.is_some_and(|percent| run.percent() < usize::from(percent));
    match (terminal.json, options.format) {
        (true, _) => terminal.json(&run.json())?,
        (false, TestFormat::Human) => run.tell(terminal, options.coverage || short),
        (false, TestFormat::Tap) => terminal.line(forms::tap(&run.cases()).trim_end()),
        (false, TestFormat::Junit) => terminal.line(forms::junit(&run.cases()).trim_end()),
        (false, TestFormat::Github) => run.github(terminal),
        (false, TestFormat::Gitlab) => terminal.json(&run.gitlab())?,
    }
    if short {
        let percent = options.require_coverage.unwrap_or_default();
        terminal.note(format!("the tests cover {} % of the policies, and {percent} % are required", run.percent()));
    }
    if !short && run.passed() { Ok(()) } else { Err(Found.into()) }
}

/// Decides every test of `tests` by `set`.
pub(super) fn run(set: &PolicySet, tests: Vec<PolicyTest>) -> Run<'_> {
    let mut coverage = Coverage::of(set);
    let decided = |test: PolicyTest| {
        coverage.observe(&test.trial);
        let considered = test.trial.considered(set);
        let decided = match test.mode {
            Mode::Enforce => test.trial.decide(set),
            Mode::Observe => test.trial.decide_as_enforced(set),
        };
        let (decision, unmet) = match decided {
            Ok(decision) => {
                let unmet = test.expectation.unmet(&decision);
                (decision, unmet)
            }
            Err(reference) => {
                let fault = "the compiled policies and Cedar's own authorizer differ: please report this";
                (*reference, vec![fault.to_owned()])
            }
        };
        Outcome { test, decision, unmet, considered }
    };
    let outcomes = tests.into_iter().map(decided).collect();
    Run { set, outcomes, coverage }
}

/// What is wrong with a test that names a policy which nobody has.
pub(super) fn nobody(set: &PolicySet, tests: &[PolicyTest]) -> Option<String> {
    let unknown = |id: &PolicyId| !set.policies().iter().any(|info| info.id == *id);
    tests.iter().find_map(|test| {
        let id = test.expectation.by.iter().flatten().find(|id| unknown(id))?;
        let place = format!("{}:{}", test.file.display(), test.line);
        Some(format!("{place}: the test {:?} names the policy {id}, and there is none", test.name))
    })
}

/// Every `.toml` file of a directory, in order of their names.
fn test_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || Misused(format!("the tests in {} cannot be read", directory.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Misused(format!("there is no .toml file in {}: nothing was tested", directory.display())).into());
    }
    Ok(files)
}

/// Every test of every file; or every mistake, by file.
pub(super) fn parse(files: &[SourceFile]) -> Result<Vec<PolicyTest>, Vec<Mistakes>> {
    let (mut tests, mut mistaken) = (Vec::new(), Vec::new());
    for file in files {
        match parse_policy_tests(&file.path, &file.text) {
            Ok(more) => tests.extend(more),
            Err(mistakes) => mistaken.push(mistakes),
        }
    }
    if mistaken.is_empty() { Ok(tests) } else { Err(mistaken) }
}
