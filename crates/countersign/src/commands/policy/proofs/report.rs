//! What became of guardrails: for people, as JSON, and in the forms that continuous integration reads.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_model::{Circumstances, Decision, PolicyRole, ProofResult};
use countersign_policy::{Claim, Guardrail, PolicyInfo, PolicySet};
use countersign_prove::{Example, Outcome, Report, Verdict};
use serde_json::{Value, json};

use super::super::annotations::{Annotation, github, gitlab};
use super::super::forms::Case;
use crate::commands::answer::count as counted;
use crate::configuration::{parse_policy_tests, written_policy_test};
use crate::proofs::words;
use crate::terminal::{Terminal, Tone};

pub(in crate::commands::policy) struct Run<'a> {
    set: &'a PolicySet,
    report: &'a Report,
    directory: &'a Path,
}

/// A test that expects what the guardrail promises, or why there is none.
type Written = Result<String, String>;

impl<'a> Run<'a> {
    pub(in crate::commands::policy) const fn new(set: &'a PolicySet, report: &'a Report, directory: &'a Path) -> Self {
        Self { set, report, directory }
    }

    fn test(&self, guardrail: &Guardrail, example: &Example) -> Written {
        let name = format!("{}, by its guardrail", guardrail.id);
        let text = written_policy_test(&name, guardrail, &example.trial, example.wanted(&guardrail.claim));
        // What a test file cannot say would make it a test of something else.
        let path = PathBuf::from("counterexample.toml");
        let same = parse_policy_tests(&path, &text).ok().is_some_and(|tests| match tests.as_slice() {
            [test] => {
                let again = test.trial.decide(self.set).map_err(|reference| *reference);
                again.is_ok_and(|again| again.name() == example.decision.name())
                    && test.trial.is_described(self.set, guardrail) == Some(true)
            }
            _ => false,
        });
        if same { Ok(text) } else { Err("this request cannot be written as a policy test".to_owned()) }
    }

    /// A file for each request, in a folder of tests.
    pub(super) fn write_tests(&self, folder: &Path, terminal: &Terminal) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        for outcome in &self.report.outcomes {
            let Verdict::Failed(example) = &outcome.verdict else { continue };
            match self.test(&outcome.guardrail, example) {
                Ok(text) => {
                    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
                    let name: String = outcome.guardrail.id.as_str().chars().map(plain).collect();
                    let path = folder.join(format!("guardrail-{name}.toml"));
                    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
                    terminal.note(format!("wrote {}", path.display()));
                }
                Err(why) => terminal.note(format!("{}: {why}", outcome.guardrail.id)),
            }
        }
        Ok(())
    }

    fn place(&self, guardrail: &Guardrail) -> String {
        match (guardrail.line, guardrail.claim.other()) {
            (0, None) => "built in".to_owned(),
            (0, Some(_)) => "by this command line".to_owned(),
            (line, _) => format!("{}:{line}", guardrail.file.display()),
        }
    }

    fn info(&self, id: &countersign_model::PolicyId) -> Option<&PolicyInfo> {
        self.set.policies().iter().find(|info| info.id == *id)
    }

    /// Why it is not proven, in a line.
    pub(in crate::commands::policy) fn reason(&self, outcome: &Outcome) -> Option<String> {
        match &outcome.verdict {
            Verdict::Proven => None,
            Verdict::Failed(example) => Some(match (&outcome.guardrail.claim, &example.policy) {
                (Claim::NeverErrors, Some(policy)) => format!("the policy {policy} fails on this request"),
                (Claim::NeverErrors, None) => "a policy fails on this request".to_owned(),
                (Claim::NeverAllowed, _) => "this request is allowed".to_owned(),
                (Claim::AlwaysAllowed, _) => "this request is not allowed".to_owned(),
                (Claim::OnlyNarrows(_), _) => "this request is allowed, and was not".to_owned(),
                (Claim::EquivalentTo(_), _) => "this request is decided otherwise".to_owned(),
            }),
            Verdict::Unknown(why) | Verdict::NotRun(why) => Some(why.clone()),
            Verdict::Fault(why) => Some(format!("{why}. This is a fault of Countersign: please report it")),
        }
    }

    /// Everything about what is not proven, a line each.
    pub(in crate::commands::policy) fn details(&self, outcome: &Outcome) -> Vec<String> {
        let mut lines = vec![outcome.guardrail.description.clone()];
        lines.extend(self.reason(outcome));
        if let Verdict::Failed(example) = &outcome.verdict {
            lines.extend(told(example));
            lines.extend(self.decided(&example.decision));
            if let Some(other) = &example.other {
                lines.push(format!("by the policies that it is compared with: {}", other.name()));
            }
            if let Some(info) = example.policy.as_ref().and_then(|policy| self.info(policy)) {
                lines.push(format!("{} is at {}:{}", info.id, info.file.display(), info.line));
            }
        }
        lines
    }

    fn decided(&self, decision: &Decision) -> Vec<String> {
        let reasons = decision.reasons();
        let mut lines = Vec::new();
        for policy in &reasons.determining {
            let role = match policy.role {
                PolicyRole::Permit => "permit",
                PolicyRole::Forbid => "forbid",
            };
            let place = self
                .info(&policy.id)
                .map_or_else(String::new, |info| format!(" ({}:{})", info.file.display(), info.line));
            lines.push(format!("{}, by {role} {}{place}", decision.name(), policy.id));
        }
        if reasons.determining.is_empty() {
            lines.push(format!("{}: no policy permits it", decision.name()));
        }
        lines
    }

    pub(super) fn tell(&self, terminal: &Terminal, tests: bool) {
        for outcome in &self.report.outcomes {
            let result = outcome.verdict.result();
            let tone = match result {
                ProofResult::Proven => Tone::Good,
                ProofResult::Failed => Tone::Bad,
                ProofResult::Unknown | ProofResult::NotRun => Tone::Attention,
            };
            let head = terminal.paint(tone, &format!("{:8}", words(result)));
            let took =
                if outcome.cached { "cached".to_owned() } else { format!("{:.2} s", outcome.time.as_secs_f64()) };
            let more = format!("({took}; {})", self.place(&outcome.guardrail));
            terminal.line(format!("{head}  {}  {}", outcome.guardrail.id, terminal.paint(Tone::Quiet, &more)));
            if result == ProofResult::Proven {
                continue;
            }
            for line in self.details(outcome) {
                terminal.line(format!("          {}", clean(&line)));
            }
            if let (Verdict::Failed(example), true) = (&outcome.verdict, tests) {
                match self.test(&outcome.guardrail, example) {
                    Ok(text) => {
                        terminal.line("          as a policy test (--write-tests keeps it):");
                        for line in text.lines() {
                            terminal.line(terminal.paint(Tone::Quiet, &format!("            {line}")));
                        }
                    }
                    Err(why) => terminal.line(format!("          {why}")),
                }
            }
        }
        let count = |result| self.count(result);
        let tone = if self.report.proven() { Tone::Good } else { Tone::Bad };
        let summary = format!(
            "{}: {} proven, {} failed, {} unknown, {} not run",
            counted(self.report.outcomes.len(), "guardrail", "guardrails"),
            count(ProofResult::Proven),
            count(ProofResult::Failed),
            count(ProofResult::Unknown),
            count(ProofResult::NotRun)
        );
        terminal.line(format!("{}; {}", terminal.paint(tone, &summary), self.report.solver));
    }

    fn count(&self, result: ProofResult) -> usize {
        self.report.outcomes.iter().filter(|outcome| outcome.verdict.result() == result).count()
    }

    pub(in crate::commands::policy) fn json(&self) -> Value {
        let each: Vec<Value> = self.report.outcomes.iter().map(|outcome| self.one(outcome)).collect();
        json!({
            "proven": self.report.proven(),
            "solver": self.report.solver,
            "policy_set": self.set.hash(),
            "guardrails_hash": self.set.guardrails_hash(),
            "directory": self.directory,
            "guardrails": each,
        })
    }

    fn one(&self, outcome: &Outcome) -> Value {
        let Outcome { guardrail, verdict, cached, time } = outcome;
        let example = match verdict {
            Verdict::Failed(example) => {
                let written = self.test(guardrail, example);
                let trial = &example.trial;
                json!({
                    "subject": trial.subject.id, "groups": trial.groups, "owner": trial.subject.owner,
                    "acts_for": trial.subject.acts_for, "action": trial.action, "resource": trial.resource.id,
                    "kind": trial.resource.kind, "tier": trial.resource.tier, "segment": trial.resource.segment,
                    "resource_owner": trial.resource.owner, "entitled": trial.resource.entitled,
                    "circumstances": trial.circumstances, "words": told(example),
                    "decision": example.decision.name(), "determining": example.decision.reasons().determining,
                    "other_decision": example.other.as_ref().map(Decision::name), "policy": example.policy,
                    "test": written.ok(),
                })
            }
            _ => Value::Null,
        };
        json!({
            "id": guardrail.id, "claim": guardrail.claim.name(), "description": guardrail.description,
            "owner": guardrail.owner, "file": (guardrail.line > 0).then_some(&guardrail.file),
            "line": (guardrail.line > 0).then_some(guardrail.line), "result": verdict.result().name(),
            "fault": matches!(verdict, Verdict::Fault(_)), "reason": self.reason(outcome), "cached": cached,
            "seconds": time.as_secs_f64(), "example": example,
        })
    }

    pub(super) fn cases(&self) -> Vec<Case> {
        let case = |outcome: &Outcome| Case {
            name: outcome.guardrail.id.to_string(),
            file: self.file(&outcome.guardrail),
            line: outcome.guardrail.line,
            failure: self
                .reason(outcome)
                .map(|reason| (format!("{}: {reason}", words(outcome.verdict.result())), self.details(outcome))),
        };
        self.report.outcomes.iter().map(case).collect()
    }

    /// What stands in no file belongs to the directory.
    fn file(&self, guardrail: &Guardrail) -> PathBuf {
        if guardrail.line > 0 { guardrail.file.clone() } else { self.directory.to_owned() }
    }

    pub(super) fn github(&self, terminal: &Terminal) {
        let cases = self.cases();
        annotations(&cases).for_each(|annotation| terminal.line(github(&annotation)));
        let count = self.count(ProofResult::Proven);
        let all = counted(self.report.outcomes.len(), "guardrail", "guardrails");
        terminal.line(format!("{all}, {count} proven"));
    }

    pub(super) fn gitlab(&self) -> Value {
        let cases = self.cases();
        gitlab(annotations(&cases))
    }
}

fn annotations(cases: &[Case]) -> impl Iterator<Item = Annotation<'_>> {
    cases.iter().filter_map(|case| {
        let (_, details) = case.failure.as_ref()?;
        Some(Annotation {
            file: &case.file,
            line: case.line,
            error: true,
            title: &case.name,
            message: details.join("\n"),
        })
    })
}

/// A solver may choose any text: none may draw on the reader's terminal.
fn clean(text: &str) -> String {
    text.chars().map(countersign_model::visible).collect()
}

fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The request as a person would tell it.
fn told(example: &Example) -> Vec<String> {
    let trial = &example.trial;
    let subject = &trial.subject;
    let mut who = subject.id.to_string();
    if !trial.groups.is_empty() {
        who += &format!(", in {}", listed(&trial.groups));
    }
    if let Some(owner) = &subject.owner {
        who += &format!(", owned by {owner}");
    }
    if let Some(person) = &subject.acts_for {
        who += &format!(", acting for {person}");
    }
    let resource = &trial.resource;
    let mut what = format!("{} (tier {}, {})", resource.id, resource.tier, resource.kind.name());
    if let Some(segment) = &resource.segment {
        what += &format!(", in segment {segment}");
    }
    if let Some(owner) = &resource.owner {
        what += &format!(", owned by {owner}");
    }
    let entitled = &resource.entitled;
    let groups =
        [("readers", &entitled.readers), ("writers", &entitled.writers), ("administrators", &entitled.administrators)];
    for (name, groups) in groups.into_iter().filter(|(_, groups)| !groups.is_empty()) {
        what += &format!(", {name} {}", listed(groups));
    }
    let mut lines = vec![format!("who       {who}"), format!("what      {} {what}", trial.action.class.name())];
    lines.extend(circumstances(&trial.circumstances));
    lines
}

fn circumstances(around: &Circumstances) -> Vec<String> {
    let sign_in = match &around.authentication {
        None => "not signed in".to_owned(),
        Some(proof) => {
            let methods: Vec<&str> = proof.methods.iter().map(|method| method.name()).collect();
            format!("{}, {} s ago", methods.join(", "), proof.age)
        }
    };
    let device = match &around.device {
        None => "none that proves itself".to_owned(),
        Some(device) => {
            let not = |is: bool| if is { "" } else { "not " };
            let age = device.posture_age.map_or_else(|| "never reported".to_owned(), |age| format!("{age} s ago"));
            let (managed, compliant) = (not(device.managed), not(device.compliant));
            format!("{}, {managed}managed, {compliant}compliant, posture {age}", device.id)
        }
    };
    let zones: Vec<&str> = around.network.zones.iter().map(|zone| zone.as_str()).collect();
    let network = format!(
        "{}, {}, {}",
        around.network.address,
        if zones.is_empty() { "in no zone".to_owned() } else { format!("in {}", zones.join(", ")) },
        if around.network.encrypted { "encrypted" } else { "not encrypted" }
    );
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let time = &around.time;
    let day = DAYS.get(usize::from(time.weekday).saturating_sub(1)).copied().unwrap_or_default();
    let mut lines = vec![
        format!("sign-in   {sign_in}"),
        format!("device    {device}"),
        format!("network   {network}"),
        format!("time      {day}, hour {}, {}", time.hour, time.now),
        format!("risk      {}", around.risk),
    ];
    if let Some(grant) = &around.grant {
        lines.push(format!("grant     {}, until {}", grant.class.name(), grant.expires));
    }
    if let Some(exception) = &around.exception {
        let relaxes: Vec<&str> = exception.relaxes.iter().map(countersign_model::PolicyId::as_str).collect();
        lines.push(format!("exception to {}, until {}", relaxes.join(", "), exception.expires));
    }
    if let Some(http) = around.http.as_ref().filter(|http| http.path != "/") {
        lines.push(format!("http      {} {} at {}", http.method, http.path, http.host));
    }
    lines
}
