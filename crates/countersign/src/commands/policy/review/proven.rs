//! What of a review takes the solver: the guardrails, those that the change took away or rewrote as they were, and whether
//! the change allows something that was not allowed, or takes something away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use countersign_model::{PolicyId, ProofResult};
use countersign_policy::{Claim, Guardrail, PolicySet, Symbols};
use countersign_prove::{Outcome, Report, SolverError, Verdict as Proof};
use serde_json::{Value, json};

use super::sides::below;
use super::{Before, Loaded, Part, Verdict, With, again};
use crate::commands::policy::markdown::{Block, code, fence, fold, html_code};
use crate::commands::policy::proofs::{Run, run};
use crate::proofs::words;

/// Of one counterexample, in bytes.
const EXAMPLE: usize = 3_000;

fn part(name: &'static str, verdict: Verdict, words: String, blocks: Vec<Block>, json: Value) -> Part {
    let (title, most) = match name {
        "guardrails" => ("Guardrails", 12_000),
        _ => ("What the change allows and takes away", 6_000),
    };
    Part { name, verdict, words, title, blocks, most, json }
}

pub(super) fn parts(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<[Part; 2]> {
    if with.options.no_prove {
        let left_out = |name| part(name, Verdict::LeftOut, "by --no-prove".to_owned(), Vec::new(), Value::Null);
        return Ok(["guardrails", "change"].map(left_out));
    }
    let found = guardrails(with, before, after).and_then(|one| Ok([one, change(with, before, after)?]));
    found.or_else(|error| match error.downcast_ref::<SolverError>() {
        Some(missing) => {
            let why = missing.to_string();
            let unknown = |name, blocks| {
                let words = "nothing is proven without the solver cvc5".to_owned();
                part(name, Verdict::Unknown, words, blocks, json!({"solver": why}))
            };
            let told = vec![Block::Text(fence("text", &[why.as_str()], EXAMPLE))];
            Ok([unknown("guardrails", told), unknown("change", Vec::new())])
        }
        None => Err(error),
    })
}

/// The sets that guardrails compare with, of the same side; one that is not there, or outside of it, leaves its guardrail
/// untried, which is no pass.
fn others(loaded: &Loaded<'_>, guardrails: &[Guardrail]) -> BTreeMap<PolicyId, PolicySet> {
    let set = |guardrail: &Guardrail| {
        let path = below(&loaded.path.join(guardrail.claim.other()?)).ok()?;
        let files = loaded.side.read(&path).ok()?.policies;
        let set =
            PolicySet::load(files, &Arc::new(Symbols::default())).ok().filter(|set| !set.policies().is_empty())?;
        Some((guardrail.id.clone(), set))
    };
    guardrails.iter().filter_map(set).collect()
}

const fn proven(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Proof::Proven)
}

fn guardrails(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<Part> {
    let prove = |set: &PolicySet, guardrails: &[Guardrail], others: &BTreeMap<PolicyId, PolicySet>| {
        run(set, guardrails, others, &with.options.proving, with.terminal)
    };
    let all = after.set.guardrails();
    let report = prove(&after.set, all, &others(after, all))?;
    let told = Run::new(&after.set, &report, after.path);
    let mut json = told.json();
    let unproven: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| !proven(outcome)).collect();
    // Of those, the ones that held before; and those of before that are no more what they were, on the policies of now.
    let mut newly: Vec<PolicyId> = Vec::new();
    let mut lost = None;
    if let Before::Loaded(before) = before {
        let again: Vec<Guardrail> = unproven.iter().map(|outcome| outcome.guardrail.clone()).collect();
        if !again.is_empty() {
            let held = prove(&before.set, &again, &others(after, &again))?;
            newly = held.outcomes.iter().filter(|it| proven(it)).map(|it| it.guardrail.id.clone()).collect();
        }
        let kept = |old: &Guardrail| all.iter().any(|one| one.id == old.id && one.hash == old.hash);
        let gone: Vec<Guardrail> = before.set.guardrails().iter().filter(|old| !kept(old)).cloned().collect();
        if !gone.is_empty() {
            lost = Some(prove(&after.set, &gone, &others(before, &gone))?);
        }
    }
    let is_new = |outcome: &Outcome| newly.contains(&outcome.guardrail.id);
    let mut blocks = Vec::new();
    let (first, rest): (Vec<&Outcome>, Vec<&Outcome>) = unproven.iter().partition(|outcome| is_new(outcome));
    let known = before.set().is_some();
    for (outcome, note) in first.iter().map(|it| (it, ", newly")).chain(rest.iter().map(|it| (it, ""))) {
        let note = if note.is_empty() && known { ", and not proven of the base either" } else { note };
        blocks.push(folded(&told, outcome, note));
    }
    let mut old_fails = 0;
    if let Some(lost) = &lost {
        let told = Run::new(&after.set, lost, after.path);
        for outcome in lost.outcomes.iter().filter(|outcome| !proven(outcome)) {
            old_fails += 1;
            blocks.push(folded(&told, outcome, ", as it was in the base"));
        }
        if let Some(json) = json.as_object_mut() {
            json.insert("as_before".to_owned(), told.json());
        }
    }
    let row =
        |outcome: &Outcome| format!("- {}: {}", words(outcome.verdict.result()), code(outcome.guardrail.id.as_str()));
    blocks.push(Block::List(report.outcomes.iter().map(row).collect()));
    if let Some(json) = json.as_object_mut() {
        json.insert("newly_broken".to_owned(), json!(newly));
    }
    let count = |result| report.outcomes.iter().filter(|outcome| outcome.verdict.result() == result).count();
    let failed = count(ProofResult::Failed);
    let mut told = format!(
        "{} tried: {} proven, {failed} failed, {} unknown; newly broken: {}",
        report.outcomes.len(),
        count(ProofResult::Proven),
        count(ProofResult::Unknown) + count(ProofResult::NotRun),
        newly.len()
    );
    if let Some(lost) = &lost {
        told += &format!(
            "; removed or rewritten: {}, and as they were {old_fails} of these do not hold",
            lost.outcomes.len()
        );
    }
    let verdict = match (failed + old_fails, report.proven()) {
        (0, true) => Verdict::Pass,
        (0, false) => Verdict::Unknown,
        _ => Verdict::Fail,
    };
    Ok(part("guardrails", verdict, told, blocks, json))
}

fn folded(told: &Run<'_>, outcome: &Outcome, note: &str) -> Block {
    let id = html_code(outcome.guardrail.id.as_str());
    let summary = format!("{}{note}: {id}", words(outcome.verdict.result()));
    fold(&summary, &fence("text", &told.details(outcome), EXAMPLE))
}

fn change(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<Part> {
    let Before::Loaded(base) = before else {
        let (verdict, words) = match before {
            Before::Broken => (Verdict::Unknown, "the base does not load"),
            _ => (Verdict::LeftOut, "there were no policies"),
        };
        return Ok(part("change", verdict, words.to_owned(), Vec::new(), Value::Null));
    };
    if base.set.hash() == after.set.hash() {
        let words = "the policies say what they said".to_owned();
        return Ok(part("change", Verdict::Pass, words, Vec::new(), json!({"allows_more": "no", "allows_less": "no"})));
    }
    // Nothing is allowed by `of` that is not allowed by `than`.
    let narrower = |of: &PolicySet, than: &Loaded<'_>, set: &PolicySet| -> anyhow::Result<Report> {
        let id = PolicyId::new("only-narrows")?;
        let description = "Nothing is allowed that the other policies do not allow.";
        let guardrail =
            Guardrail::about_all(id.clone(), Claim::OnlyNarrows(PathBuf::from(&than.side.name)), description);
        let others = BTreeMap::from([(id, again(set).context("policies that have loaded")?)]);
        run(of, &[guardrail], &others, &with.options.proving, with.terminal)
    };
    let gained = narrower(&after.set, base, &base.set)?;
    let lost = narrower(&base.set, after, &after.set)?;
    let answer = |report: &Report| match report.outcomes.first().map(|outcome| outcome.verdict.result()) {
        Some(ProofResult::Proven) => "no",
        Some(ProofResult::Failed) => "yes",
        _ => "unknown",
    };
    let (more, less) = (answer(&gained), answer(&lost));
    let (verdict, words) = match (more, less) {
        ("no", "no") => (Verdict::Pass, "exactly that is allowed which was allowed"),
        ("no", "yes") => (Verdict::Pass, "it only narrows: nothing is allowed that was not allowed"),
        ("no", _) => (Verdict::Pass, "nothing is allowed that was not allowed; whether something is lost is unknown"),
        ("yes", "no") => (Verdict::Fail, "it only widens: something is allowed that was not, and nothing is lost"),
        ("yes", "yes") => {
            (Verdict::Fail, "it widens and narrows: something is allowed that was not, and something is lost")
        }
        ("yes", _) => (Verdict::Fail, "it widens: something is allowed that was not allowed"),
        _ => (Verdict::Unknown, "whether it allows something that was not allowed is unknown"),
    };
    let mut blocks = Vec::new();
    let examples = [
        (&gained, &after.set, "allowed now, and not before: an example"),
        (&lost, &base.set, "allowed before, and not now: an example"),
    ];
    let mut json = json!({"allows_more": more, "allows_less": less});
    for ((report, set, summary), name) in examples.into_iter().zip(["more", "less"]) {
        let told = Run::new(set, report, after.path);
        let open = report.outcomes.first().filter(|outcome| !proven(outcome));
        if let Some(outcome) = open {
            let failed = matches!(outcome.verdict, Proof::Failed(_));
            // Of an example the summary says what the description and the reason would.
            let details: Vec<String> = told.details(outcome).into_iter().skip(if failed { 2 } else { 1 }).collect();
            let summary = if failed { summary } else { "not settled" };
            blocks.push(fold(summary, &fence("text", &details, EXAMPLE)));
        }
        if let Some(json) = json.as_object_mut() {
            json.insert(name.to_owned(), told.json());
        }
    }
    Ok(part("change", verdict, words.to_owned(), blocks, json))
}
