//! `policy`: checking policies as files, showing those in force, and running Cedar's corpus against this engine. What
//! helps whoever writes and reviews policies (test, prove, matrix, lint, fmt, review) is beside it, a file each.

mod annotations;
mod formatting;
mod forms;
mod lint;
mod markdown;
mod matrix;
pub(super) mod proofs;
mod proposals;
mod replay;
mod replayed;
mod review;
mod suggest;
mod suggested;
mod trials;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use countersign_policy::{PolicySet, SCHEMA, Symbols, corpus};
use serde_json::{Value, json};

use super::answer::{cell, count, show};
use super::{Found, Misused, files};
use crate::command_line::{Global, Policy, PolicyDirectory};
use crate::configuration::Configuration;
use crate::control::Control;
use crate::terminal::{Terminal, Tone};
use crate::{policies, up};

pub(super) async fn policy(global: &Global, command: Policy, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Policy::Schema => {
            terminal.line(SCHEMA.trim_end());
            Ok(())
        }
        Policy::Check { directory, policies } => {
            let directory: PathBuf = match directory.or(policies.directory) {
                Some(directory) => directory,
                None => up::configuration(global)?.0.policies_directory(),
            };
            let set = match PolicySet::load(policies::read(&directory)?, &Arc::new(Symbols::default())) {
                Ok(set) => set,
                Err(mistakes) => {
                    let error = mistakes.into();
                    if terminal.json {
                        terminal.json(&json!({"mistakes": files::by_field(&error)}))?;
                    } else {
                        terminal.note(format!("{error:#}"));
                    }
                    return Err(Found.into());
                }
            };
            let warnings: Vec<String> = set.warnings().iter().map(ToString::to_string).collect();
            if terminal.json {
                return terminal
                    .json(&json!({"policies": set.policies().len(), "observed": set.observed().count(), "hash": set.hash(), "warnings": warnings}));
            }
            for warning in warnings {
                terminal.note(format!("{} {warning}", terminal.paint(Tone::Attention, "warning:")));
            }
            for policy in set.observed() {
                terminal.note(format!("note: {} is in observe mode: it enforces nothing", policy.id));
            }
            let all = count(set.policies().len(), "policy", "policies");
            terminal.line(format!("no mistake in {all}; set {}", set.hash()));
            Ok(())
        }
        Policy::Test(options) => trials::test(global, &options, terminal),
        Policy::Prove(options) => proofs::prove(global, &options, terminal).await,
        Policy::Matrix(options) => matrix::matrix(global, &options, terminal),
        Policy::Lint(options) => lint::lint(global, &options, terminal),
        Policy::Fmt(options) => formatting::format(global, &options, terminal),
        Policy::Replay(options) => replay::replay(global, options, terminal).await,
        Policy::Review(options) => review::review(global, &options, terminal).await,
        Policy::Suggest(options) => suggest::suggest(global, options, terminal).await,
        Policy::Propose { policies, note } => proposals::propose(global, &policies, &note, terminal).await,
        Policy::Proposals => proposals::list(global, terminal).await,
        Policy::Approve { id } => proposals::approve(global, &id, terminal).await,
        Policy::Reject { id } => proposals::reject(global, &id, terminal).await,
        Policy::Show { id } => {
            let control = Control::from_options(global, &files::data_directory(global, terminal)?)?;
            let answer = control.get("/api/v1/policies").await?;
            let all = answer.get("policies").and_then(Value::as_array).cloned().unwrap_or_default();
            let Some(id) = id else {
                let columns = [
                    ("policy", "/id"),
                    ("role", "/role"),
                    ("mode", "/mode"),
                    ("owner", "/owner"),
                    ("review by", "/review_by"),
                    ("file", "/file"),
                ];
                return show(terminal, "policies", &all, &columns);
            };
            let found = all.iter().find(|policy| policy.get("id").and_then(Value::as_str) == Some(&id));
            let found =
                found.with_context(|| format!("no policy {id} is in force: `countersign policy show` lists them"))?;
            if terminal.json {
                return terminal.json(found);
            }
            terminal.line(
                terminal.paint(Tone::Quiet, &format!("// {} line {}", cell(found, "/file"), cell(found, "/line"))),
            );
            if cell(found, "/mode") == "observe" {
                terminal.line(terminal.paint(Tone::Attention, "// in observe mode: it enforces nothing"));
            }
            terminal.line(found.get("text").and_then(Value::as_str).unwrap_or_default());
            Ok(())
        }
        Policy::Corpus { directory } => {
            let progress = std::io::stderr().is_terminal() && !terminal.json;
            let report = corpus::run(&directory, |so_far| {
                if progress && (so_far.done % 20 == 0 || so_far.done == so_far.total) {
                    eprint_progress(so_far.done, so_far.total);
                }
            })
            .with_context(|| Misused(format!("the corpus in {} cannot be read", directory.display())))?;
            let agrees = report.agrees();
            if terminal.json {
                let failures: Vec<Value> = report
                    .failures
                    .iter()
                    .map(|f| json!({"test": f.test, "request": f.request, "message": f.message}))
                    .collect();
                terminal.json(&json!({
                    "agrees": agrees, "tests": report.tests, "requests": report.requests, "planned": report.planned,
                    "fallen_back": report.fallen_back, "failures": failures,
                }))?;
            } else {
                for failure in &report.failures {
                    let request = failure.request.as_deref().unwrap_or("");
                    terminal.line(format!(
                        "{} {} {request}: {}",
                        terminal.paint(Tone::Bad, "differs"),
                        failure.test.display(),
                        failure.message
                    ));
                }
                terminal.line(format!(
                    "{} tests, {} requests ({} by the plan, {} by Cedar's evaluator): {} differences",
                    report.tests,
                    report.requests,
                    report.planned,
                    report.fallen_back,
                    report.failures.len()
                ));
            }
            if agrees { Ok(()) } else { Err(Found.into()) }
        }
    }
}

/// Where the policies are that a command on files is about.
fn directory(global: &Global, options: &PolicyDirectory) -> anyhow::Result<PathBuf> {
    if let Some(directory) = &options.directory {
        return Ok(directory.clone());
    }
    let (configuration, file) = up::configuration(global)?;
    let here = PathBuf::from("policies");
    Ok(if file.is_none() && here.is_dir() { here } else { configuration.policies_directory() })
}

/// The configuration, if there is a file of it.
fn configuration(global: &Global) -> anyhow::Result<Option<Configuration>> {
    let (configuration, file) = up::configuration(global)?;
    Ok(file.map(|_| configuration))
}

/// Overwrites its own line.
pub(super) fn eprint_progress(done: impl std::fmt::Display, total: impl std::fmt::Display) {
    use std::io::Write as _;
    let mut error = std::io::stderr().lock();
    let _ = write!(error, "\r{done} of {total}\x1b[K");
    let _ = error.flush();
}

/// Takes it away: what comes next stands alone.
pub(super) fn erase_progress() {
    use std::io::Write as _;
    let mut error = std::io::stderr().lock();
    let _ = write!(error, "\r\x1b[K");
    let _ = error.flush();
}
