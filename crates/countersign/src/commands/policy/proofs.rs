//! `policy prove`: the guardrails beside the policies, proven for all possible requests. It needs no server, and a solver.
//! `check` and `apply` use the same with `--prove`.

mod report;

pub(super) use report::Run;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use countersign_model::PolicyId;
use countersign_policy::{Claim, Guardrail, PolicySet, SourceFile, Symbols};
use countersign_prove::{Cache, Options, Progress, Report, Solver};
use serde_json::Value;

use super::forms;
use crate::command_line::{Global, PolicyProve, Proving, TestFormat};
use crate::commands::answer::cell;
use crate::commands::{Found, Misused, files};
use crate::control::Control;
use crate::terminal::{Terminal, Tone};
use crate::{policies, proofs};

pub(super) async fn prove(global: &Global, options: &PolicyProve, terminal: &Terminal) -> anyhow::Result<()> {
    let (directory, files) = match options.in_force {
        true => (PathBuf::from("in force"), in_force(global, terminal).await?),
        false => {
            let directory = super::directory(global, &options.policies)?;
            let files = policies::read(&directory)?;
            (directory, files)
        }
    };
    let set = PolicySet::load(files, &Arc::new(Symbols::default()))?;
    let set = if options.as_enforced { set.as_enforced() } else { set };
    let guardrails = chosen(&set, options)?;
    // What a guardrail of the server compares with is on its author's machine: its name would mean another directory here.
    let (own, named): (Vec<_>, Vec<_>) = guardrails.iter().cloned().partition(|guardrail| guardrail.line > 0);
    let mut others = proofs::others(&named, &directory)?;
    if !options.in_force {
        others.extend(proofs::others(&own, &directory)?);
    }
    let done = run(&set, &guardrails, &others, &options.proving, terminal)?;
    let run = Run::new(&set, &done, &directory);
    if let Some(folder) = &options.write_tests {
        run.write_tests(folder, terminal)?;
    }
    match (terminal.json, options.format) {
        (true, _) => terminal.json(&run.json())?,
        (false, TestFormat::Human) => run.tell(terminal, options.write_tests.is_none()),
        (false, TestFormat::Tap) => terminal.line(forms::tap(&run.cases()).trim_end()),
        (false, TestFormat::Junit) => terminal.line(forms::junit(&run.cases()).trim_end()),
        (false, TestFormat::Github) => run.github(terminal),
        (false, TestFormat::Gitlab) => terminal.json(&run.gitlab())?,
    }
    if done.proven() { Ok(()) } else { Err(Found.into()) }
}

/// The text of what the running server enforces.
async fn in_force(global: &Global, terminal: &Terminal) -> anyhow::Result<Vec<SourceFile>> {
    let control = Control::from_options(global, &files::data_directory(global, terminal)?)?;
    let answer = control.get("/api/v1/policies/files").await?;
    let files = answer.get("files").and_then(Value::as_object).context("the server's answer has no files")?;
    let file = |(name, text): (&String, &Value)| {
        Some(SourceFile { path: PathBuf::from(name), text: text.as_str()?.to_owned() })
    };
    files.iter().map(file).collect::<Option<_>>().context("a file in the server's answer is no text")
}

/// After policies went live: which guardrails of what is in force are not proven, and how to see why. That it cannot be
/// told takes nothing back of what was done.
pub(in crate::commands) async fn warn_of_unproven(control: &Control, terminal: &Terminal) {
    let Ok(answer) = control.get("/api/v1/policies").await else { return };
    if answer.get("tried").is_none_or(Value::is_null) {
        return;
    }
    if answer.get("solver").is_none_or(Value::is_null) {
        let warning = terminal.paint(Tone::Attention, "warning:");
        terminal.note(format!("{warning} no guardrail was tried: the server has no solver, the package cvc5"));
        return;
    }
    let guardrails = answer.get("guardrails").and_then(Value::as_array).into_iter().flatten();
    for (id, result) in guardrails.map(|one| (cell(one, "/id"), cell(one, "/result"))) {
        let (tone, words) = match result.as_str() {
            "proven" => continue,
            "failed" => (Tone::Bad, "does not hold"),
            _ => (Tone::Attention, "is not proven"),
        };
        let warning = terminal.paint(tone, "warning:");
        terminal.note(format!(
            "{warning} the guardrail {id} {words} of the policies in force: `countersign policy prove --in-force {id}` tells why"
        ));
    }
}

/// What `check --prove` and `apply --prove` do first. `Err` of a [`Found`] has been told.
pub(in crate::commands) fn demand(
    directory: &Path,
    proving: &Proving,
    terminal: &Terminal,
) -> anyhow::Result<serde_json::Value> {
    let set = PolicySet::load(policies::read(directory)?, &Arc::new(Symbols::default()))?;
    let others = proofs::others(set.guardrails(), directory)?;
    let done = run(&set, set.guardrails(), &others, proving, terminal)?;
    let run = Run::new(&set, &done, directory);
    if !done.proven() {
        if terminal.json {
            terminal.json(&run.json())?;
        } else {
            run.tell(terminal, true);
        }
        return Err(Found.into());
    }
    Ok(run.json())
}

/// `others` are the sets that guardrails compare with: one without is not run.
pub(super) fn run(
    set: &PolicySet,
    guardrails: &[Guardrail],
    others: &BTreeMap<PolicyId, PolicySet>,
    proving: &Proving,
    terminal: &Terminal,
) -> anyhow::Result<Report> {
    let solver = Solver::find()?;
    let options = Options {
        timeout: files::span(&proving.timeout)?,
        jobs: proving.jobs.map_or_else(proofs::jobs, usize::from),
        together: Options::TOGETHER,
        cache: cache(proving, terminal)?,
    };
    let screen = std::io::stderr().is_terminal() && !terminal.json;
    let progress = |Progress { done, total }: Progress| {
        if screen {
            super::eprint_progress(done, format!("{total} questions"));
        }
    };
    let done = countersign_prove::prove(set, guardrails, others, &solver, &options, &progress);
    if screen {
        super::erase_progress();
    }
    Ok(done)
}

fn cache(proving: &Proving, terminal: &Terminal) -> anyhow::Result<Option<Cache>> {
    if proving.no_cache {
        return Ok(None);
    }
    let Some(directory) = proving.cache.clone().or_else(Cache::usual) else { return Ok(None) };
    match Cache::open(&directory) {
        Ok(cache) => Ok(Some(cache)),
        // One that was asked for has to be there; the usual one only makes it faster.
        Err(error) if proving.cache.is_some() => {
            Err(error).with_context(|| Misused(format!("the cache in {} cannot be used", directory.display())))
        }
        Err(error) => {
            let warning = terminal.paint(Tone::Attention, "warning:");
            terminal.note(format!("{warning} proofs are made without a cache: {error}"));
            Ok(None)
        }
    }
}

/// The set's own, or those that are named; and the comparisons of the command line.
fn chosen(set: &PolicySet, options: &PolicyProve) -> anyhow::Result<Vec<Guardrail>> {
    for id in &options.guardrails {
        if !set.guardrails().iter().any(|guardrail| guardrail.id.as_str() == id) {
            let all: Vec<&str> = set.guardrails().iter().map(|guardrail| guardrail.id.as_str()).collect();
            return Err(Misused(format!("there is no guardrail {id}: there are {}", all.join(", "))).into());
        }
    }
    let wanted = |guardrail: &&Guardrail| {
        options.guardrails.is_empty() || options.guardrails.iter().any(|id| guardrail.id.as_str() == id)
    };
    let mut chosen: Vec<Guardrail> = set.guardrails().iter().filter(wanted).cloned().collect();
    let compared = |name: &str, claim: fn(PathBuf) -> Claim, other: &Option<PathBuf>, what: &str| {
        let Some(other) = other else { return Ok(None) };
        // As seen from here, and not from the policy directory.
        let whole = std::path::absolute(other).with_context(|| format!("{} has no place", other.display()))?;
        let description = format!("{what} {}.", other.display());
        anyhow::Ok(Some(Guardrail::about_all(PolicyId::new(name)?, claim(whole), &description)))
    };
    let narrows = "Nothing is allowed that is not allowed by";
    let equivalent = "Exactly that is allowed which is allowed by";
    chosen.extend(compared("only-narrows", Claim::OnlyNarrows, &options.only_narrows, narrows)?);
    chosen.extend(compared("equivalent-to", Claim::EquivalentTo, &options.equivalent_to, equivalent)?);
    Ok(chosen)
}
