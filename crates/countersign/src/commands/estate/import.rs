//! `estate import`: exports into the server's estate, or into one that is kept in a file. All of them or none: a saved estate is put
//! into place whole, under its name in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use countersign_administrator::SystemClock;
use countersign_directory::Address;
use countersign_estate::{Counts, Inventory, Limits, Report, Watch, read};
use countersign_model::{Clock as _, Timestamp};
use serde_json::{Value, json};

use super::files::Exports;
use super::{ldap, open};
use crate::command_line::EstateImport;
use crate::commands::answer::{cell, query};
use crate::commands::work::Work;
use crate::control::Control;
use crate::terminal::{Table, Terminal};

/// How long to wait before the server is asked again whether it is done.
const AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn import(
    control: impl Fn() -> anyhow::Result<Control>,
    options: &EstateImport,
    work: &Work,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let is_address = |path: &&PathBuf| path.to_str().is_some_and(Address::is_meant);
    let (addresses, files): (Vec<&PathBuf>, Vec<&PathBuf>) = options.files.iter().partition(is_address);
    let files: Vec<PathBuf> = files.into_iter().cloned().collect();
    let mut exports = work.run(|| Exports::read(&files, &Limits::default()))?;
    for address in addresses {
        exports.files.push(ldap::read(&address.to_string_lossy(), options, work, terminal)?);
    }
    open::tell_left_out(&exports, terminal);
    let answer = match &options.estate {
        Some(path) => {
            let at = options.at.unwrap_or_else(|| SystemClock.now());
            work.run(|| into_file(&exports, path, at, options.dry_run, work))?
        }
        None => work.wait(into_server(&control()?, &exports, options)).await?,
    };
    tell(&answer, options.dry_run, terminal)
}

fn into_file(exports: &Exports, path: &Path, at: Timestamp, dry_run: bool, work: &Work) -> anyhow::Result<Value> {
    let mut inventory = if path.exists() { open::saved(path)? } else { Inventory::new() };
    let mut tell = work.reading();
    let batch = read(&exports.inputs(), &Limits::default(), &mut Watch::new(&mut tell))?;
    let report = inventory.merge(&batch, at)?;
    if !dry_run {
        keep(&inventory, path)?;
    }
    Ok(told(&report))
}

/// Puts a saved estate into place.
pub(super) fn keep(inventory: &Inventory, path: &Path) -> anyhow::Result<()> {
    put(path, |out| Ok(inventory.save(out)?))
}

/// Puts a file into place. It says who has power over whom: nobody else reads it. A crash leaves the former one, or this one, and
/// at most a file beside it whose name ends in `.new`, which the next time replaces.
pub(super) fn put(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let unwritable = || format!("{} cannot be written", path.display());
    let mut name = path.file_name().with_context(unwritable)?.to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    if beside.exists() {
        fs::remove_file(&beside).with_context(unwritable)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).with_context(unwritable)?;
    let mut out = BufWriter::new(file);
    write(&mut out).with_context(unwritable)?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(unwritable)?;
    file.sync_all().with_context(unwritable)?;
    fs::rename(&beside, path).with_context(unwritable)
}

/// As the server says it of an import of its own.
fn told(report: &Report) -> Value {
    let Counts {
        nodes_added,
        nodes_changed,
        nodes_gone,
        nodes_back,
        edges_added,
        edges_changed,
        edges_gone,
        edges_back,
    } = report.changes.counts;
    let skipped = report.skipped.iter().map(|one| {
        let first = one.first.as_ref().map(ToString::to_string);
        json!({"reason": one.reason, "count": one.count, "file": one.file, "first": first})
    });
    json!({
        "counts": {
            "nodes_added": nodes_added, "nodes_changed": nodes_changed, "nodes_gone": nodes_gone, "nodes_back": nodes_back,
            "edges_added": edges_added, "edges_changed": edges_changed, "edges_gone": edges_gone, "edges_back": edges_back,
        },
        "contradiction_count": report.changes.contradictions.len(),
        "skipped": skipped.collect::<Vec<_>>(),
    })
}

/// One request, so that the server takes all files or none.
async fn into_server(control: &Control, exports: &Exports, options: &EstateImport) -> anyhow::Result<Value> {
    let boundary = format!("countersign-{:032x}", rand::random::<u128>());
    let mut body = Vec::new();
    // A form without a part is none; a file without a byte is nothing to import.
    let nothing = [(String::new(), Vec::new())];
    let files = if exports.files.is_empty() { &nothing[..] } else { &exports.files[..] };
    for (name, bytes) in files {
        // What a header line cannot hold is no name of evidence either.
        let name: String =
            name.chars().map(|c| if c.is_control() || matches!(c, '"' | '\\') { '_' } else { c }).collect();
        write!(
            body,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )?;
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    write!(body, "--{boundary}--\r\n")?;
    let pairs = [
        ("own", options.own.then(|| "true".to_owned())),
        ("dry_run", options.dry_run.then(|| "true".to_owned())),
        ("at", options.at.map(|at| at.to_string())),
    ];
    let path = format!("/api/v1/estate/imports{}", query(&pairs));
    let answer = control.upload(&path, &format!("multipart/form-data; boundary={boundary}"), Bytes::from(body)).await?;
    if answer.get("counts").is_some() {
        return Ok(answer);
    }
    // It takes long, and goes on there.
    loop {
        tokio::time::sleep(AGAIN).await;
        let status = control.get("/api/v1/estate").await?;
        if status.get("importing").is_none_or(Value::is_null) {
            let last = status.pointer("/last_import/import").filter(|import| !import.is_null()).cloned();
            let why =
                status.pointer("/last_import/fault").and_then(Value::as_str).unwrap_or("the server does not say why");
            return last.with_context(|| format!("the import did not come about: {why}"));
        }
    }
}

fn tell(answer: &Value, dry_run: bool, terminal: &Terminal) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(answer);
    }
    let mut table = Table::new("changes", &["", "added", "changed", "gone", "back"]);
    for what in ["nodes", "edges"] {
        let count = |name: &str| cell(answer, &format!("/counts/{what}_{name}"));
        table.row([what.to_owned(), count("added"), count("changed"), count("gone"), count("back")]);
    }
    terminal.table(&table);
    for skipped in answer.get("skipped").and_then(Value::as_array).into_iter().flatten() {
        let (count, reason) = (cell(skipped, "/count"), cell(skipped, "/reason"));
        let line = format!("left out: {count} × {reason} ({})", cell(skipped, "/file"));
        terminal.note(crate::terminal::plain(&line));
    }
    let contradictions = cell(answer, "/contradiction_count");
    if contradictions != "0" {
        terminal.note(format!(
            "{contradictions} nodes of which the files say different things; the greater value was kept"
        ));
    }
    terminal.note(if dry_run { "nothing was changed" } else { "taken in" });
    Ok(())
}
