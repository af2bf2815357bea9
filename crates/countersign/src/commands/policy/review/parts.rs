//! What of a review needs no solver: the changed policies, lint, tests, the access matrix and the replay.

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign_policy::{Change, Finding, Matrix, NoMatrix};
use countersign_replay::Report;
use serde_json::{Value, json};

use super::changes::changes;
use super::{Before, Loaded, Part, Verdict, With, again};
use crate::command_line::{Loss, PolicyReview};
use crate::commands::answer::count;
use crate::commands::policy::markdown::{Block, code, fence, fold, html_code};
use crate::commands::policy::replayed::{Telling, blocks as replayed};
use crate::commands::policy::trials::Outcome;
use crate::commands::policy::{lint as linting, matrix as matrices, replay as replaying, trials};

/// Lines of each list of a replay.
const LINES: usize = 10;

/// Decisions that are named beside a count.
const EXAMPLES: usize = 3;

/// Of one failed test, in bytes.
const FAILURE: usize = 2_500;

pub(super) fn policies(before: &Before<'_>, after: &Loaded<'_>) -> Part {
    let set = &after.set;
    let changes = changes(before.set(), set);
    let lost = changes.iter().filter(|change| change.is_guardrail() && change.after_is_gone()).count();
    let guardrails = set.guardrails().iter().filter(|guardrail| guardrail.line > 0).count();
    let mut words = format!(
        "{} and {} load; ",
        count(set.policies().len(), "policy", "policies"),
        count(guardrails, "guardrail", "guardrails")
    );
    let verdict = match before {
        Before::Broken => {
            words += "the base does not load, so nothing is compared with it";
            Verdict::Unknown
        }
        _ if lost > 0 => {
            words += &format!("changed: {}, and {lost} of these are guardrails that are gone", changes.len());
            Verdict::Fail
        }
        Before::Nothing => {
            words += "there were none";
            Verdict::Pass
        }
        Before::Loaded(_) => {
            words += &format!("changed: {}", changes.len());
            Verdict::Pass
        }
    };
    let mut blocks = Vec::new();
    if !changes.is_empty() && !matches!(before, Before::Broken) {
        let head = "| | | policy | owner | where |\n|---|---|---|---|---|".to_owned();
        blocks.push(Block::Table { head, rows: changes.iter().map(super::changes::Change::row).collect() });
        blocks.extend(changes.iter().map(super::changes::Change::folded));
    }
    let json = json!({
        "set": set.hash(), "base_set": before.set().map(countersign_policy::PolicySet::hash),
        "changes": changes.iter().map(super::changes::Change::json).collect::<Vec<_>>(),
    });
    Part { name: "policies", verdict, words, title: "Changed policies", blocks, most: 20_000, json }
}

pub(super) fn lint(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<Part> {
    let as_of = linting::day(with.options.as_of.as_deref())?;
    let known = linting::names(with.global)?;
    let of = |loaded: &Loaded<'_>| countersign_policy::lint(loaded.files.policies.clone(), as_of, known.as_ref());
    // Lines move: what a finding says, of which file, is what it is known by.
    let key = |finding: &Finding| (finding.file.clone(), finding.rule, finding.message.clone());
    let mut old: BTreeMap<(PathBuf, &str, String), usize> = BTreeMap::new();
    if let Before::Loaded(before) = before {
        of(before).iter().for_each(|finding| *old.entry(key(finding)).or_default() += 1);
    }
    let mut is_new = |finding: &Finding| match old.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let (new, known): (Vec<Finding>, Vec<Finding>) = of(after).into_iter().partition(|finding| is_new(finding));
    let gone: usize = old.values().sum();
    let words = format!("new findings: {}; as before: {}; gone: {gone}", new.len(), known.len());
    let verdict = if new.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let line = |finding: &Finding| {
        let place = format!("{}:{}", finding.file.display(), finding.line.max(1));
        format!("- {} **{}**: {}", code(&place), finding.rule, code(&finding.message))
    };
    let blocks = if new.is_empty() { Vec::new() } else { vec![Block::List(new.iter().map(line).collect())] };
    let shown: Vec<Value> = new.iter().map(linting::of_finding).collect();
    let json = json!({"new": shown, "as_before": known.len(), "gone": gone});
    Ok(Part { name: "lint", verdict, words, title: "New findings", blocks, most: 5_000, json })
}

pub(super) fn tests(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> Part {
    let part = |verdict, words: String, blocks, json| Part {
        name: "tests",
        verdict,
        words,
        title: "Tests",
        blocks,
        most: 10_000,
        json,
    };
    if after.files.tests.is_empty() {
        return part(Verdict::Unknown, "there are none, so nothing was tested".to_owned(), Vec::new(), Value::Null);
    }
    let refused = |why: &str| {
        let blocks = vec![Block::Text(fence("text", &why.lines().collect::<Vec<_>>(), 8_000))];
        part(Verdict::Fail, "their files have mistakes".to_owned(), blocks, json!({"mistakes": why}))
    };
    let tests = match trials::parse(&after.files.tests) {
        Ok(tests) => tests,
        Err(mistakes) => return refused(&mistakes.iter().map(ToString::to_string).collect::<String>()),
    };
    if let Some(nobody) = trials::nobody(&after.set, &tests) {
        return refused(&nobody);
    }
    let run = trials::run(&after.set, tests);
    let failed = run.failed().count();
    let mut words =
        format!("{} decided, {failed} failed; they cover {} % of the policies", run.outcomes().len(), run.percent());
    let least = with.options.require_coverage.map(usize::from).filter(|least| run.percent() < *least);
    if let Some(least) = least {
        words += &format!(", and {least} % are required");
    }
    // Whoever changes policies may change their tests too: what the tests of before say about the policies of now.
    let held = |before: &Loaded<'_>| {
        let tests = trials::parse(&before.files.tests).ok()?;
        let was = trials::run(&before.set, tests.clone());
        let is = trials::run(&after.set, tests);
        let mut broken = Vec::new();
        for (was, is) in was.outcomes().iter().zip(is.outcomes()) {
            if was.passed() && !is.passed() {
                let now = run.outcomes().iter().find(|outcome| outcome.test.name == is.test.name);
                let note = match now.map(Outcome::passed) {
                    None => ", which is gone",
                    Some(true) => ", which says something else now",
                    Some(false) => "",
                };
                broken.push((is.test.name.clone(), note));
            }
        }
        let now = |name: &str| run.outcomes().iter().any(|outcome| outcome.test.name == name);
        let gone = was.outcomes().iter().filter(|outcome| !now(&outcome.test.name)).count();
        Some((was.percent(), gone, broken))
    };
    let mut blocks: Vec<Block> = Vec::new();
    for outcome in run.failed() {
        let summary = format!("failed: {}", html_code(&outcome.test.name));
        blocks.push(fold(&summary, &fence("text", &run.details(outcome), FAILURE)));
    }
    let mut json = run.json();
    if let Before::Loaded(before) = before
        && let Some((percent, gone, broken)) = held(before)
    {
        words +=
            &format!(" (before: {percent} %); of the tests of before gone: {gone}, no longer true: {}", broken.len());
        if !broken.is_empty() {
            blocks.push(Block::Text("Tests of before that passed, and would fail with these policies:\n".to_owned()));
            let line = |(name, note): &(String, &str)| format!("- {}{note}", code(name));
            blocks.push(Block::List(broken.iter().map(line).collect()));
        }
        if let Some(json) = json.as_object_mut() {
            let names: Vec<&String> = broken.iter().map(|(name, _)| name).collect();
            json.insert("before".to_owned(), json!({"coverage": percent, "gone": gone, "would_fail": names}));
        }
    }
    let verdict = if failed == 0 && least.is_none() { Verdict::Pass } else { Verdict::Fail };
    part(verdict, words, blocks, json)
}

pub(super) fn matrix(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<Part> {
    let known = matrices::resources(with.global)?;
    let part = |verdict, words: String, blocks, json| Part {
        name: "matrix",
        verdict,
        words,
        title: "Access matrix",
        blocks,
        most: 9_000,
        json,
    };
    // What nobody can decide is not known, and so objects.
    let undecided = |reason: NoMatrix| part(Verdict::Unknown, reason.to_string(), Vec::new(), Value::Null);
    let kept = match &after.files.matrix {
        None => None,
        Some(text) => match Matrix::of(&after.set, &known) {
            Ok(current) => Some(text.parse::<Matrix>().is_ok_and(|kept| kept == current)),
            Err(reason) => return Ok(undecided(reason)),
        },
    };
    let stale = match kept {
        Some(false) => "; `matrix.txt` is out of date (`countersign policy matrix --write`)",
        Some(true) => "; `matrix.txt` is up to date",
        None => "",
    };
    let Some(base) = before.set() else {
        let words = format!("there is nothing to compare with{stale}");
        let verdict = match (before, kept) {
            (Before::Nothing, None | Some(true)) => Verdict::Pass,
            (_, Some(false)) => Verdict::Fail,
            _ => Verdict::Unknown,
        };
        return Ok(part(verdict, words, Vec::new(), Value::Null));
    };
    let [was, is] = match Matrix::of_both(base, &after.set, &known) {
        Ok(both) => both,
        Err(reason) => return Ok(undecided(reason)),
    };
    let mut changes = is.changes(&was);
    // What is allowed now first.
    changes.sort_by_key(|change| !change.allows().0);
    let more = changes.iter().filter(|change| change.allows().0).count();
    let less = changes.iter().filter(|change| change.allows().1).count();
    let words =
        format!("{} cells, changed: {}; allow more: {more}, allow less: {less}{stale}", is.len(), changes.len());
    let row = |change: &Change| {
        let Change::Cell { place, subject, resource, .. } = change else { return String::new() };
        format!("| {} | {} | {} | {} |", code(subject), code(place), code(resource), change.actions())
    };
    let mut blocks = Vec::new();
    if !changes.is_empty() {
        let head = "| who | from where | what | |\n|---|---|---|---|".to_owned();
        blocks.push(Block::Table { head, rows: changes.iter().map(row).collect() });
    }
    let shown: Vec<Value> = changes.iter().map(matrices::of_change).collect();
    let json = json!({"cells": is.len(), "allow_more": more, "allow_less": less, "changes": shown, "kept": kept});
    let verdict = if more == 0 && kept != Some(false) { Verdict::Pass } else { Verdict::Fail };
    Ok(part(verdict, words, blocks, json))
}

pub(super) async fn replay(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<Part> {
    let PolicyReview { recorded, no_names, object_to, .. } = with.options;
    if recorded.ledger.is_none() {
        let words = "without --ledger no recorded decision is decided again".to_owned();
        return Ok(part_of_replay(Verdict::LeftOut, words, Vec::new(), Value::Null));
    }
    let examples = if *no_names { 0 } else { EXAMPLES };
    let report = replaying::recorded(with.global, recorded, with.terminal, again(&after.set)?, examples).await?;
    let lost = |what: Loss| match what {
        Loss::NewlyDenied => report.newly_denied.all.count > 0,
        Loss::NewlyChallenged => report.newly_challenged.all.count > 0,
    };
    let allowed = report.newly_allowed.all.count;
    let unknown = report.covered.unknown > 0 || report.covered.replayed == 0;
    let verdict = match (allowed > 0 || object_to.iter().any(|what| lost(*what)), unknown) {
        (true, _) => Verdict::Fail,
        (false, true) => Verdict::Unknown,
        (false, false) => Verdict::Pass,
    };
    let words = format!(
        "of {} recorded decisions {allowed} would be newly allowed, {} newly denied, {} newly challenged; {} unknown",
        report.covered.decisions,
        report.newly_denied.all.count,
        report.newly_challenged.all.count,
        report.covered.unknown
    );
    let json = told(&report, *no_names)?;
    let mut blocks = Vec::new();
    if let Some(base) = before.set() {
        let by = report.recorded_under.get(base.hash()).copied().unwrap_or_default();
        if by < report.covered.decisions {
            blocks.push(Block::Text(format!(
                "{by} of them were made by the policies of the base. What is shown of the others may come from earlier \
                 changes.\n"
            )));
        }
    }
    let found = replaying::Found { report, live: None };
    blocks.extend(replayed(&found, &Telling { names: !no_names, lines: LINES }));
    Ok(part_of_replay(verdict, words, blocks, json))
}

fn part_of_replay(verdict: Verdict, words: String, blocks: Vec<Block>, json: Value) -> Part {
    Part { name: "replay", verdict, words, title: "Replay of recorded decisions", blocks, most: 14_000, json }
}

/// Without names: how many people, and nothing about their sessions.
fn told(report: &Report, no_names: bool) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(report)?;
    for outcome in ["newly_denied", "newly_challenged", "newly_allowed"] {
        if let (true, Some(changes)) = (no_names, value.get_mut(outcome).and_then(Value::as_object_mut)) {
            let people = changes.get("people").and_then(Value::as_array).map_or(0, Vec::len);
            changes.insert("people".to_owned(), people.into());
            changes.remove("sessions");
        }
    }
    Ok(value)
}
