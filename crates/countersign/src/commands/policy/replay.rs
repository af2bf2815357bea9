//! `policy replay`: the recorded decisions, decided again under proposed policies. From a ledger as files it needs no
//! server; from a running one it also tells what every live session would experience.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use countersign_administrator::SystemClock;
use countersign_ledger::{Directory, Reader, Source, VerifierKey};
use countersign_model::{Clock as _, Timestamp};
use countersign_policy::{PolicySet, Symbols};
use countersign_replay::{Report, Span};
use countersign_web::wire::ReplayLive;
use serde_json::{Value, json};

use super::eprint_progress;
use super::replayed::{markdown, tell};
use crate::command_line::{FailOn, Global, PolicyReplay, Recorded, ReplayFormat};
use crate::commands;
use crate::commands::Misused;
use crate::commands::files::{data_directory, span};
use crate::commands::ledger::{Remote, is_url, trusted_key};
use crate::control::{Control, NoServer};
use crate::data_directory::DataDirectory;
use crate::policies;
use crate::system::ledger_name;
use crate::terminal::Terminal;
use crate::up;

/// What was found, and what would become of whoever is here now, where a server was asked.
pub(super) struct Found {
    pub(super) report: Report,
    pub(super) live: Option<ReplayLive>,
}

pub(super) async fn replay(global: &Global, options: PolicyReplay, terminal: &Terminal) -> anyhow::Result<()> {
    let files = policies::read(&super::directory(global, &options.policies)?)?;
    // Mistakes are told here, with their colours, whoever decides afterwards.
    let set = PolicySet::load(files, &Arc::new(Symbols::default()))?;
    let found = match server(global, &options.recorded, terminal)? {
        Some(control) => asked(&control, &options, terminal, &set).await?,
        None => {
            let examples = options.examples.into();
            Found { report: recorded(global, &options.recorded, terminal, set, examples).await?, live: None }
        }
    };
    show(&found, &options, terminal)?;
    if options.fail_on.iter().any(|what| holds(*what, &found)) { Err(commands::Found.into()) } else { Ok(()) }
}

/// The server to ask: the one that is named, or that runs on the data directory. A ledger that is named needs none.
pub(super) fn server(global: &Global, at: &Recorded, terminal: &Terminal) -> anyhow::Result<Option<Control>> {
    if at.ledger.is_some() || at.archive.directory.is_some() {
        return Ok(None);
    }
    match Control::from_options(global, &data_directory(global, terminal)?) {
        Ok(control) => Ok(Some(control)),
        Err(error) if global.server.is_none() && error.is::<NoServer>() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn asked(
    control: &Control,
    options: &PolicyReplay,
    terminal: &Terminal,
    set: &PolicySet,
) -> anyhow::Result<Found> {
    let since = options.recorded.since.as_deref().map(instant).transpose()?;
    let files: BTreeMap<String, String> = set.sources().iter().map(|file| (file.name(), file.text.clone())).collect();
    let body = json!({"files": files, "since": since, "examples": options.examples.min(100)});
    let progress = std::io::stderr().is_terminal() && !terminal.json;
    let last = control
        .lines("/api/v1/policies/replay", &body, |line| {
            if let (true, Some(so_far)) = (progress, line.get("progress")) {
                let number = |name: &str| so_far.get(name).and_then(Value::as_u64).unwrap_or_default();
                let (total, changed) = (number("total"), number("changed"));
                eprint_progress(number("done"), format_args!("{total} entries, {changed} changed"));
            }
        })
        .await?;
    clear(progress);
    let Some(replay) = last.get("replay") else {
        let why = last.get("failed").and_then(Value::as_str).map(str::to_owned);
        bail!(why.unwrap_or_else(|| format!("the server did not finish the replay: {last}")));
    };
    let live = replay.get("live").map(|live| serde_json::from_value(live.clone())).transpose()?;
    Ok(Found { report: serde_json::from_value(replay.clone())?, live })
}

/// The line of the progress.
pub(super) fn clear(progress: bool) {
    use std::io::Write as _;
    if progress {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

/// `30d` ago, or an instant as RFC 3339 writes it.
pub(super) fn instant(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let ago = span(text)
        .with_context(|| Misused(format!("{text:?} is neither a span such as 30d nor such as 2027-01-31T08:00:00Z")))?;
    Ok(SystemClock.now().minus(ago))
}

/// From a ledger as files, or as a server publishes it.
pub(super) async fn recorded(
    global: &Global,
    options: &Recorded,
    terminal: &Terminal,
    set: PolicySet,
    examples: usize,
) -> anyhow::Result<Report> {
    let since = options.since.as_deref().map(instant).transpose()?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let span = Span { since, newest: None, examples, threads };
    let progress = std::io::stderr().is_terminal() && !terminal.json;
    let (log, key) = source(global, options, terminal)?;
    tokio::task::spawn_blocking(move || run(log, &key, &set, &span, progress)).await?
}

/// The ledger that is named, or that of the data directory, and the key that its checkpoints are held against.
pub(super) fn source(
    global: &Global,
    at: &Recorded,
    terminal: &Terminal,
) -> anyhow::Result<(Box<dyn Source>, VerifierKey)> {
    let archive = at.archive.directory.as_deref();
    let key = || trusted_key(global, at.key.as_deref(), at.key_file.as_deref());
    Ok(match at.ledger.as_deref() {
        Some(url) if is_url(url) => (Box::new(Remote::new(global, url, terminal)?), key()?),
        Some(directory) => {
            let directory = PathBuf::from(directory);
            if !directory.is_dir() {
                return Err(Misused(format!("{} is no directory, and no http(s) URL", directory.display())).into());
            }
            (Box::new(Directory::new(&directory, archive)), key()?)
        }
        None => {
            let (log, key) = own(global, archive)?;
            (Box::new(log), key)
        }
    })
}

/// The ledger of the data directory, as far as its checkpoint reaches.
fn own(global: &Global, archive: Option<&Path>) -> anyhow::Result<(Directory, VerifierKey)> {
    let (configuration, _) = up::configuration(global)?;
    let directory = DataDirectory::existing(&configuration.data_directory)?;
    let key = directory.ledger_key()?.verifier_key(&ledger_name(&configuration))?;
    Ok((Directory::new(&directory.ledger(), archive), key))
}

fn run(
    log: Box<dyn Source>,
    key: &VerifierKey,
    set: &PolicySet,
    span: &Span,
    progress: bool,
) -> anyhow::Result<Report> {
    let log = Reader::open(log, key)?;
    let report = countersign_replay::replay(&log, set, None, span, |so_far| {
        if progress {
            eprint_progress(so_far.done, format_args!("{} entries, {} changed", so_far.total, so_far.changed));
        }
        ControlFlow::Continue(())
    })?;
    clear(progress);
    Ok(report)
}

fn show(found: &Found, options: &PolicyReplay, terminal: &Terminal) -> anyhow::Result<()> {
    match options.format {
        _ if terminal.json => {
            let mut value = serde_json::to_value(&found.report)?;
            if let (Some(live), Some(object)) = (&found.live, value.as_object_mut()) {
                object.insert("live".to_owned(), serde_json::to_value(live)?);
            }
            terminal.json(&value)?;
        }
        ReplayFormat::Human => tell(found, terminal),
        ReplayFormat::Markdown => terminal.line(markdown(found).trim_end()),
    }
    Ok(())
}

fn holds(what: FailOn, found: &Found) -> bool {
    let report = &found.report;
    match what {
        FailOn::NewlyDenied => report.newly_denied.all.count > 0,
        FailOn::NewlyChallenged => report.newly_challenged.all.count > 0,
        FailOn::NewlyAllowed => report.newly_allowed.all.count > 0,
        FailOn::Unknown => report.covered.unknown > 0,
        FailOn::Cut => found.live.as_ref().is_some_and(|live| live.kept < live.leases),
    }
}
