//! `report`: one estate, assessed and told as a page, a PDF or an evidence pack; and `report verify`, which checks such a pack
//! without a server, and without believing it.

mod portfolio;
mod proofs;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use countersign_assess::{Assessment, Parameters, Snapshot};
use countersign_model::Timestamp;
use countersign_report::{Content, Pack, SourceFile, Verified, html, pdf, snapshot, verify};
use serde_json::json;

use super::Found;
use super::estate::open::{dates, of_files, open, own};
use super::ledger::trusted_key;
use super::work::Work;
use crate::command_line::{Global, Report, ReportCommand, ReportMade, ReportVerify, Which};
use crate::control::Control;
use crate::terminal::{Terminal, Tone, plain};

/// Bytes of a pack or snapshot that are read.
const LARGEST: u64 = 2 << 30;

pub(super) async fn report(
    control: impl Fn() -> anyhow::Result<Control>,
    global: &Global,
    options: Report,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    match options.command {
        Some(ReportCommand::Verify(options)) => check(global, &options, terminal),
        Some(ReportCommand::Portfolio(options)) => portfolio::portfolio(&options, terminal),
        None => make(control, options.made, terminal).await,
    }
}

/// What a report is, by the name of its file.
#[derive(Clone, Copy, Debug)]
enum Form {
    Page,
    Paper,
    Evidence,
}

impl Form {
    fn of(path: &Path) -> anyhow::Result<Self> {
        match path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("html" | "htm") => Ok(Self::Page),
            Some("pdf") => Ok(Self::Paper),
            Some("json") => Ok(Self::Evidence),
            _ => bail!("{}: a report ends in .html, .pdf or .json", path.display()),
        }
    }
}

async fn make(
    control: impl Fn() -> anyhow::Result<Control>,
    options: ReportMade,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let ReportMade { looked, out, before, organisation, as_of, force } = options;
    let out = out.context("--out says where the report is written")?;
    let form = Form::of(&out)?;
    if !force && out.exists() {
        bail!("{} is there already: choose another name, or say --force to write over it", out.display());
    }
    let (work, which) = (Work::begin(terminal), Which::from(looked));
    let told = own(&which, &control, &work).await?;
    let (as_of, at) = dates(as_of.or(told.as_ref().map(|(now, _)| *now)));
    let (before, trend) = earlier(&before, as_of)?;
    let inventory = open(&which, at, &control, &work, terminal).await?;
    // After the estate: an import in between is proven and does no harm.
    let recorded = match form {
        Form::Evidence if told.is_some() => proofs::of_server(&control()?, &work).await?,
        _ => Vec::new(),
    };
    let bytes = work.run(|| {
        work.doing("building the graph");
        let projection = inventory.project()?;
        let (own, parameters) = (told.map(|(_, own)| own).unwrap_or_default(), Parameters::default());
        let mut watch = work.computing("following everybody");
        let assessment = Assessment::watched(&inventory, &projection, &own, &parameters, as_of, &mut watch)?;
        let assessment = assessment.named(organisation);
        work.doing("writing the report");
        let content =
            Content { assessment: &assessment, files: inventory.files(), before: before.as_ref(), trend: &trend };
        Ok(match form {
            Form::Page => html(&content).into_bytes(),
            Form::Paper => pdf(&content)?,
            Form::Evidence => {
                let pack = recorded.into_iter().fold(Pack::of(&content)?, Pack::recorded);
                pack.to_json().into_bytes()
            }
        })
    })?;
    write(&out, &bytes)?;
    if terminal.json {
        return terminal.json(&json!({"written": out, "as-of": as_of}));
    }
    terminal.note(format!("written: {}", out.display()));
    Ok(())
}

/// The newest of some earlier assessments, and the others.
fn earlier(paths: &[PathBuf], as_of: Timestamp) -> anyhow::Result<(Option<Snapshot>, Vec<Snapshot>)> {
    let mut all = Vec::new();
    for path in paths {
        let bytes = bounded(path)?;
        let kept = match Snapshot::from_bytes(&bytes) {
            Ok(kept) => Some(kept),
            Err(_) => snapshot(&bytes).ok().flatten(),
        };
        let kept = kept.with_context(|| format!("{} is neither an evidence pack nor a snapshot", path.display()))?;
        if kept.as_of >= as_of {
            bail!("{} is of {}, and not earlier than {as_of}", path.display(), kept.as_of);
        }
        all.push(kept);
    }
    all.sort_by_key(|kept| kept.as_of);
    Ok((all.pop(), all))
}

fn bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut bytes = Vec::new();
    File::open(path).with_context(unreadable)?.take(LARGEST + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        bail!("{} is larger than {LARGEST} bytes", path.display());
    }
    Ok(bytes)
}

/// Into place in one step, for its owner alone: it names weak accounts. A crash before leaves what was there, and at most a file
/// beside it whose name ends in `.new`, which the next run replaces.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unwritable = || format!("{} cannot be written", path.display());
    let mut name = path.file_name().with_context(unwritable)?.to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    if beside.exists() {
        fs::remove_file(&beside).with_context(unwritable)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&beside).with_context(unwritable)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(unwritable)?;
    fs::rename(&beside, path).with_context(unwritable)
}

fn check(global: &Global, options: &ReportVerify, terminal: &Terminal) -> anyhow::Result<()> {
    let trusted = options.key.is_some() || options.key_file.is_some();
    let key = trusted.then(|| trusted_key(global, options.key.as_deref(), options.key_file.as_deref())).transpose()?;
    let verified = verify(&bounded(&options.pack)?).with_context(|| options.pack.display().to_string())?;
    let mut wrong: Vec<String> = verified.wrong.iter().map(ToString::to_string).collect();
    let mut notes = Vec::new();
    if !options.files.is_empty() {
        let work = Work::begin(terminal);
        let at = verified.as_of.parse().context("the pack has no date")?;
        let inventory = work.run(|| of_files(&options.files, at, &work, terminal))?;
        let given = inventory.files().iter().map(|file| (&*file.name, &*file.sha256));
        wrong.extend(compare(&verified.sources, given, &mut notes));
    }
    match &key {
        Some(key) => wrong.extend(proofs::check(&verified, key, &mut notes)),
        None if verified.ledger.is_empty() => notes.push("no ledger recorded this pack".to_owned()),
        None => notes.push("that a ledger recorded it was not checked: --key names the ledger's key".to_owned()),
    }
    tell(&verified, &wrong, &notes, terminal)
}

/// The files of somebody against those that a pack names.
fn compare<'f>(
    sources: &[SourceFile],
    given: impl Iterator<Item = (&'f str, &'f str)>,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut missing: BTreeSet<&str> = sources.iter().map(|source| source.sha256.as_str()).collect();
    let known = missing.clone();
    let mut wrong = Vec::new();
    for (name, sha256) in given {
        missing.remove(sha256);
        if !known.contains(sha256) {
            wrong.push(format!("{name} is none of the sources, or was changed"));
        }
    }
    if !missing.is_empty() {
        notes.push(format!("{} of {} sources were not among the files given", missing.len(), known.len()));
    }
    wrong
}

fn tell(verified: &Verified, wrong: &[String], notes: &[String], terminal: &Terminal) -> anyhow::Result<()> {
    if terminal.json {
        terminal.json(&json!({
            "verified": wrong.is_empty(), "root": verified.root, "organisation": verified.organisation,
            "as-of": verified.as_of, "parts": verified.parts, "indicators": verified.indicators,
            "evidence": verified.rows, "sources": verified.sources, "faults": wrong, "notes": notes,
        }))?;
    } else {
        for fault in wrong {
            terminal.line(terminal.paint(Tone::Bad, &plain(fault)));
        }
        if wrong.is_empty() {
            let whose = verified.organisation.as_deref().map(|name| format!(" of {}", plain(name)));
            let words = format!(
                "verified: the pack{} as of {}, {} parts, {} indicators, {} rows of evidence from {} files",
                whose.unwrap_or_default(),
                plain(&verified.as_of),
                verified.parts,
                verified.indicators,
                verified.rows,
                verified.sources.len()
            );
            terminal.line(terminal.paint(Tone::Good, &words));
            terminal.line(format!("root: {}", plain(&verified.root)));
        }
        notes.iter().for_each(|note| terminal.note(format!("note: {}", plain(note))));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Found.into()) }
}
