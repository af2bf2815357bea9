//! The result of a run of policy tests: for people, as JSON, and in the forms that continuous integration reads.

use countersign_model::PolicyRole;
use countersign_policy::{Coverage, Covered, Effect, PolicySet, need_name, remedy};
use serde_json::{Value, json};

use super::super::annotations::{Annotation, github, gitlab};
use super::super::forms::Case;
use super::Outcome;
use crate::terminal::{Terminal, Tone};

pub(in crate::commands::policy) struct Run<'s> {
    pub(super) set: &'s PolicySet,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) coverage: Coverage<'s>,
}

const fn role(role: PolicyRole) -> &'static str {
    match role {
        PolicyRole::Permit => "permit",
        PolicyRole::Forbid => "forbid",
    }
}

/// What no test has shown.
fn missing(covered: &Covered) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !covered.made_true {
        missing.push("true");
    }
    if covered.can_be_false && !covered.made_false {
        missing.push("false");
    }
    missing
}

impl Run<'_> {
    pub(in crate::commands::policy) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    pub(in crate::commands::policy) fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| !outcome.passed())
    }

    pub(in crate::commands::policy) fn passed(&self) -> bool {
        self.outcomes.iter().all(Outcome::passed)
    }

    /// How much of the policies the tests reach.
    pub(in crate::commands::policy) fn percent(&self) -> usize {
        self.coverage.percent()
    }

    /// Everything about a failure, a line each.
    pub(in crate::commands::policy) fn details(&self, outcome: &Outcome) -> Vec<String> {
        let mut lines = outcome.unmet.clone();
        for info in outcome.determining(self.set) {
            lines.push(format!("decided by {} {} ({}:{})", role(info.role), info.id, info.file.display(), info.line));
        }
        if outcome.decision.reasons().determining.is_empty() {
            lines.push("decided by no policy: nothing permits it".to_owned());
        }
        for fact in &outcome.decision.reasons().facts {
            lines.push(format!("it read {} = {}", fact.name, fact.value));
        }
        lines.extend(outcome.hints());
        lines
    }

    pub(super) fn tell(&self, terminal: &Terminal, coverage: bool) {
        for outcome in self.failed() {
            let head = terminal.paint(Tone::Bad, "failed");
            terminal.line(format!("{head}  {}  ({})", outcome.test.name, outcome.place()));
            for line in self.details(outcome) {
                terminal.line(format!("        {line}"));
            }
        }
        if coverage {
            for covered in self.coverage.all() {
                let missing = missing(covered);
                if missing.is_empty() {
                    continue;
                }
                let what = match &covered.condition {
                    Some(text) => format!("{}: `{text}` was never {}", covered.policy, missing.join(" nor ")),
                    None if !covered.made_true => format!("{}: no test made it hold", covered.policy),
                    None => format!("{}: it held in every test that it was about", covered.policy),
                };
                let head = terminal.paint(Tone::Attention, "not covered");
                terminal.line(format!("{head}  {}:{}  {what}", covered.file.display(), covered.line));
            }
        }
        let failed = self.failed().count();
        let (possible, seen) = self.coverage.outcomes();
        let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
        let summary = format!("{} tests, {failed} failed", self.outcomes.len());
        terminal.line(format!(
            "{}; {seen} of {possible} outcomes of policies and conditions covered ({} %)",
            terminal.paint(tone, &summary),
            self.coverage.percent()
        ));
    }

    pub(in crate::commands::policy) fn json(&self) -> Value {
        let tests: Vec<Value> = self.outcomes.iter().map(|outcome| self.test(outcome)).collect();
        let (possible, seen) = self.coverage.outcomes();
        let uncovered: Vec<Value> = self
            .coverage
            .all()
            .filter(|covered| !missing(covered).is_empty())
            .map(|covered| {
                json!({
                    "policy": covered.policy, "file": covered.file, "line": covered.line,
                    "condition": covered.condition, "never": missing(covered),
                })
            })
            .collect();
        let failed = self.failed().count();
        json!({
            "tests": tests,
            "passed": self.outcomes.len() - failed,
            "failed": failed,
            "coverage": {"percent": self.coverage.percent(), "possible": possible, "seen": seen, "missing": uncovered},
        })
    }

    fn test(&self, outcome: &Outcome) -> Value {
        let determining: Vec<Value> = outcome
            .determining(self.set)
            .into_iter()
            .map(|info| json!({"id": info.id, "role": role(info.role), "file": info.file, "line": info.line}))
            .collect();
        let remedy = remedy(&outcome.decision);
        let needs: Vec<String> = remedy.into_iter().flat_map(|remedy| &remedy.needs).map(need_name).collect();
        json!({
            "name": outcome.test.name,
            "file": outcome.test.file,
            "line": outcome.test.line,
            "passed": outcome.passed(),
            "expected": outcome.test.expectation.effect.name(),
            "got": Effect::of(&outcome.decision).name(),
            "unmet": outcome.unmet,
            "determining": determining,
            "facts": outcome.decision.reasons().facts,
            "needs": needs,
            "remedy": remedy.and_then(|remedy| remedy.advice.as_deref()),
            "hints": if outcome.passed() { Vec::new() } else { outcome.hints() },
        })
    }

    pub(super) fn cases(&self) -> Vec<Case> {
        let case = |outcome: &Outcome| Case {
            name: outcome.test.name.clone(),
            file: outcome.test.file.clone(),
            line: outcome.test.line,
            failure: (!outcome.passed()).then(|| (outcome.unmet.join("; "), self.details(outcome))),
        };
        self.outcomes.iter().map(case).collect()
    }

    fn annotations(&self) -> impl Iterator<Item = Annotation<'_>> {
        self.failed().map(|outcome| Annotation {
            file: &outcome.test.file,
            line: outcome.test.line,
            error: true,
            title: &outcome.test.name,
            message: self.details(outcome).join("\n"),
        })
    }

    pub(super) fn github(&self, terminal: &Terminal) {
        self.annotations().for_each(|annotation| terminal.line(github(&annotation)));
        terminal.line(format!("{} tests, {} failed", self.outcomes.len(), self.failed().count()));
    }

    pub(super) fn gitlab(&self) -> Value {
        gitlab(self.annotations())
    }
}
