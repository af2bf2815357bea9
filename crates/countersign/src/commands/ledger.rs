//! `ledger`: the transparency log, from the server, from its directory, or from a copy of it.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use countersign_ledger::verify::{self, Trust};
use countersign_ledger::{Directory, LogPath, Reader, Source, SourceError, VerifierKey};
use serde_json::{Value, json};

use super::policy::eprint_progress;
use super::{Found, Misused, files};
use crate::command_line::{Archive, Global, Ledger, Verify};
use crate::control::{Control, authorities};
use crate::data_directory::DataDirectory;
use crate::system::{ledger_name, open_ledger};
use crate::terminal::{Table, Terminal, Tone};
use crate::up;

const WITH_ARCHIVE: &str = "Of archived entries --archive says where they are";

/// What a verification came to.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) entries: u64,
    /// Of these, those whose contents were not read.
    pub(crate) archived: u64,
    pub(crate) elapsed: Duration,
    /// What is wrong, and with which entry.
    pub(crate) faults: Vec<String>,
}

pub(super) async fn ledger(global: &Global, command: Ledger, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Ledger::Show { from, limit, archive } => show(&reader(global, archive)?.0, from, limit, terminal),
        Ledger::Prove { index, archive } => prove(reader(global, archive)?, index, terminal),
        Ledger::Verify(options) => verify(global, options, terminal).await,
        Ledger::Checkpoint => checkpoint(global, terminal),
        Ledger::Archive { before, to } => archive(global, before, &to, terminal),
    }
}

/// The log of the data directory, as far as its checkpoint reaches. Needs no server, and disturbs none.
fn reader(global: &Global, archive: Archive) -> anyhow::Result<(Reader<Directory>, VerifierKey)> {
    let (configuration, _) = up::configuration(global)?;
    let directory = DataDirectory::existing(&configuration.data_directory)?;
    let key = directory.ledger_key()?.verifier_key(&ledger_name(&configuration))?;
    let files = Directory::new(&directory.ledger(), archive.directory.as_deref());
    Ok((Reader::open(files, &key)?, key))
}

fn show(reader: &Reader<Directory>, from: Option<u64>, limit: u64, terminal: &Terminal) -> anyhow::Result<()> {
    let first = from.unwrap_or_else(|| reader.size().saturating_sub(limit));
    if first > 0 && first >= reader.size() {
        bail!(
            "there is no entry {first} under the checkpoint yet: the log has {} entries, the first is 0",
            reader.size()
        );
    }
    let last = first.saturating_add(limit).min(reader.size());
    let mut table = Table::new("entries", &["entry", "at", "what", ""]);
    let mut entries = Vec::new();
    for found in reader.scan(first..last) {
        let (index, entry) = found.context(WITH_ARCHIVE)?;
        let body = serde_json::to_value(&entry.body)?;
        // An enum's variant: a name alone, or an object with the name as its one key.
        let (kind, inside) = match &body {
            Value::Object(map) => {
                map.iter().next().map_or(("", &Value::Null), |(kind, inside)| (kind.as_str(), inside))
            }
            other => (other.as_str().unwrap_or_default(), &Value::Null),
        };
        table.row([index.to_string(), entry.at.to_string(), kind.to_owned(), gist(inside)]);
        if terminal.json {
            entries.push(json!({"index": index, "at": entry.at, "body": body}));
        }
    }
    if terminal.json {
        return terminal.json(&entries);
    }
    terminal.table(&table);
    terminal.line(
        terminal.paint(Tone::Quiet, &format!("entries {first} to {} of {}", last.saturating_sub(1), reader.size())),
    );
    Ok(())
}

/// The members of an entry that tell most, whatever its kind.
fn gist(inside: &Value) -> String {
    let pointers = [
        "/decision/effect",
        "/question/subject",
        "/question/action",
        "/question/resource",
        "/subject",
        "/by",
        "/verb",
        "/target",
        "/kind/signal",
        "/cause",
        "/hash",
        "/version",
    ];
    let words: Vec<&str> = pointers.iter().filter_map(|pointer| inside.pointer(pointer)?.as_str()).collect();
    words.join("  ")
}

fn prove((reader, key): (Reader<Directory>, VerifierKey), index: u64, terminal: &Terminal) -> anyhow::Result<()> {
    let proof =
        reader.prove_inclusion(index).with_context(|| format!("entry {index} cannot be proven. {WITH_ARCHIVE}"))?;
    proof.check(&key).context("the log's own proof does not hold: verify the log")?;
    // The document is JSON either way: it is for a verifier.
    terminal.line(proof.to_json());
    terminal.note(format!("proven under the checkpoint over {} entries, with the key {key}", reader.size()));
    Ok(())
}

fn checkpoint(global: &Global, terminal: &Terminal) -> anyhow::Result<()> {
    let (reader, key) = reader(global, Archive { directory: None })?;
    let checkpoint = reader.checkpoint();
    if terminal.json {
        return terminal.json(&json!({"size": reader.size(), "checkpoint": checkpoint.note(), "key": key.to_string()}));
    }
    terminal.line(checkpoint.note().trim_end());
    terminal.note(format!("verify with the key {key}"));
    Ok(())
}

fn archive(global: &Global, before: u64, to: &Path, terminal: &Terminal) -> anyhow::Result<()> {
    let (configuration, _) = up::configuration(global)?;
    let directory = DataDirectory::existing(&configuration.data_directory)?;
    let _lock = directory.lock().context("archiving moves files that the server writes")?;
    let ledger = open_ledger(&directory, &configuration)?;
    let archived = ledger.archive(before, to)?;
    ledger.close();
    if terminal.json {
        return terminal.json(&json!({"bundles": [archived.bundles.start, archived.bundles.end], "entries": [archived.entries.start, archived.entries.end]}));
    }
    match archived.entries.is_empty() {
        true => terminal.line("nothing to move: only full bundles of 256 entries under the checkpoint are moved"),
        false => terminal.line(format!(
            "entries {} to {} are in {} now; every proof still works",
            archived.entries.start,
            archived.entries.end - 1,
            to.display()
        )),
    }
    Ok(())
}

pub(super) fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// As it is given, as it stands in a file, or the data directory's own.
pub(super) fn trusted_key(global: &Global, key: Option<&str>, file: Option<&Path>) -> anyhow::Result<VerifierKey> {
    let key = match (key, file) {
        (Some(key), _) => key.to_owned(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).with_context(|| Misused(format!("{} cannot be read", file.display())))?
        }
        (None, None) => {
            let (configuration, _) = up::configuration(global)?;
            let directory = DataDirectory::existing(&configuration.data_directory)
                .context("without --key the key of the data directory is used")?;
            return Ok(directory.ledger_key()?.verifier_key(&ledger_name(&configuration))?);
        }
    };
    key.trim().parse().context(Misused("this is no verifier key".to_owned()))
}

async fn verify(global: &Global, options: Verify, terminal: &Terminal) -> anyhow::Result<()> {
    let Verify { source, key, key_file, since, archive } = options;
    let archive = archive.directory;
    let key = trusted_key(global, key.as_deref(), key_file.as_deref())?;
    let since =
        since.map(std::fs::read).transpose().context(Misused("the kept checkpoint cannot be read".to_owned()))?;
    let since = since.map(|note| key.open(&note)).transpose()?;
    let progress = std::io::stderr().is_terminal() && !terminal.json;
    let trust = Trust { key, since };
    let verified = match source {
        Some(url) if is_url(&url) => {
            let log = Remote::new(global, &url, terminal)?;
            tokio::task::spawn_blocking(move || check(&log, &trust, progress)).await??
        }
        Some(directory) => {
            let directory = PathBuf::from(directory);
            if !directory.is_dir() {
                return Err(Misused(format!("{} is no directory, and no http(s) URL", directory.display())).into());
            }
            let files = Directory::new(&directory, archive.as_deref());
            tokio::task::spawn_blocking(move || check(&files, &trust, progress)).await??
        }
        None => {
            let directory = DataDirectory::existing(&files::data_directory(global, terminal)?)?.ledger();
            let files = Directory::new(&directory, archive.as_deref());
            tokio::task::spawn_blocking(move || check(&files, &trust, progress)).await??
        }
    };
    if terminal.json {
        let ms = verified.elapsed.as_millis();
        terminal.json(&json!({"verified": verified.faults.is_empty(), "entries": verified.entries, "archived": verified.archived, "ms": ms, "faults": verified.faults}))?;
    } else {
        for fault in &verified.faults {
            terminal.line(terminal.paint(Tone::Bad, fault));
        }
        if verified.faults.is_empty() {
            let words = format!("verified: {} entries in {} ms", verified.entries, verified.elapsed.as_millis());
            terminal.line(terminal.paint(Tone::Good, &words));
        }
        if verified.archived > 0 {
            let (archived, entries) = (verified.archived, verified.entries);
            let words = format!("the contents of {archived} of {entries} entries were not read: they are archived");
            terminal.line(terminal.paint(Tone::Attention, &words));
        }
    }
    if verified.faults.is_empty() { Ok(()) } else { Err(Found.into()) }
}

fn check(source: &impl Source, trust: &Trust, progress: bool) -> anyhow::Result<Verified> {
    let began = Instant::now();
    let report = verify::verify_source(source, trust, |so_far| {
        if progress {
            eprint_progress(so_far.done, so_far.total);
        }
    })?;
    if progress {
        use std::io::Write as _;
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let faults = report.faults.iter().map(ToString::to_string).collect();
    Ok(Verified { entries: report.entries, archived: report.archived, elapsed: began.elapsed(), faults })
}

/// Verifies the files of a directory.
pub(crate) fn verify_directory(directory: &Path, key: &VerifierKey) -> anyhow::Result<Verified> {
    check(&Directory::new(directory, None), &Trust { key: key.clone(), since: None }, false)
}

/// A log that a server publishes. Called from a blocking thread.
pub(super) struct Remote {
    control: Arc<Control>,
    prefix: String,
    runtime: tokio::runtime::Handle,
}

impl Remote {
    pub(super) fn new(global: &Global, url: &str, terminal: &Terminal) -> anyhow::Result<Self> {
        let uri: hyper::Uri = url.parse().with_context(|| Misused(format!("{url:?} is no URL")))?;
        let key = std::env::var("COUNTERSIGN_API_KEY").ok().map(countersign_model::CredentialSecret::new);
        let local = || -> Option<Control> {
            let directory = DataDirectory::existing(&files::data_directory(global, terminal).ok()?).ok()?;
            let running = directory.running()?;
            (running.origin == crate::dial::origin_of(&uri)).then(|| Control::local(&directory).ok())?
        };
        let control = match (key, local()) {
            (None, Some(control)) => control,
            (key, _) => Control::remote(url, &authorities(global.ca.as_deref())?, key)?,
        };
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { control: Arc::new(control), prefix, runtime: tokio::runtime::Handle::current() })
    }
}

impl Source for Remote {
    fn fetch(&self, path: &LogPath) -> Result<Option<Vec<u8>>, SourceError> {
        let address = format!("{}/{path}", self.prefix);
        let fetched = self.runtime.block_on(self.control.bytes(&address));
        match fetched {
            Ok(bytes) => Ok(bytes.map(|bytes| bytes.to_vec())),
            Err(error) => Err(SourceError::new(path, std::io::Error::other(format!("{error:#}")))),
        }
    }
}
