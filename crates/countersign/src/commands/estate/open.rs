//! Which estate a command looks at: exports that are read for this one answer, a saved estate, or the server's. Whichever it is, the
//! answer is computed here, from the same inventory.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign_administrator::SystemClock;
use countersign_assess::Own;
use countersign_estate::{Inventory, Limits, SavedError, Watch, read};
use countersign_model::{Clock as _, Timestamp};
use serde::Deserialize;

use super::files::Exports;
use crate::command_line::{Kept, Which};
use crate::commands::work::Work;
use crate::control::Control;
use crate::terminal::{Terminal, Tone};

/// How a saved estate begins.
const SAVED: &[u8] = b"{\"format\":\"countersign-estate\"";
/// The server's estate, in the saved form.
const SERVER: &str = "/api/v1/estate/inventory";

/// The estate that a command is about. `at` is when exports that are read now count as collected.
///
/// # Errors
/// When a file, the saved estate or the server's answer cannot be read.
pub(in crate::commands) async fn open(
    which: &Which,
    at: Timestamp,
    control: impl FnOnce() -> anyhow::Result<Control>,
    work: &Work,
    terminal: &Terminal,
) -> anyhow::Result<Inventory> {
    if !which.files.is_empty() {
        return work.run(|| of_files(&which.files, at, work, terminal));
    }
    if let Some(path) = &which.kept.estate {
        return work.run(|| saved(path));
    }
    let control =
        control().context("no exports and no --estate are named, so that the server's estate is asked for")?;
    let Some(bytes) = work.wait(control.download(SERVER, Limits::default().total_bytes)).await? else {
        bail!(
            "the server keeps no estate yet: `countersign estate import FILE…` takes exports in; or name exports to \
             look at them without a server"
        );
    };
    work.run(|| Inventory::load(&*bytes).context("the server's estate cannot be read"))
}

/// What the server knows beside its estate, where it is the server's estate that is looked at, and the present instant by its clock. Waits
/// until the newest of it is assessed.
///
/// # Errors
/// When the server cannot be asked, or has not assessed its estate.
pub(in crate::commands) async fn own(
    which: &Which,
    control: impl FnOnce() -> anyhow::Result<Control>,
    work: &Work,
) -> anyhow::Result<Option<(Timestamp, Own)>> {
    #[derive(Deserialize)]
    struct Told {
        at: Timestamp,
        own: Own,
    }
    if !which.files.is_empty() || which.kept.estate.is_some() {
        return Ok(None);
    }
    let control = control()?;
    settled(&control, work).await?;
    let told = work.wait(control.get("/api/v1/estate/own")).await?;
    let Told { at, own } = serde_json::from_value(told).context("the server tells what this version does not know")?;
    Ok(Some((at, own)))
}

/// Waits until the server's estate is assessed as it is, for as long as that may take.
pub(in crate::commands) async fn settled(control: &Control, work: &Work) -> anyhow::Result<()> {
    const LOOK: Duration = Duration::from_millis(200);
    const LOOKS: u32 = 3000;
    let look = async {
        for _ in 0..LOOKS {
            let status = control.get("/api/v1/estate").await?;
            let there = |name: &str| status.get(name).is_some_and(|value| !value.is_null());
            if !there("assessing") && (there("assessed") || there("failed") || there("not_ready")) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the server is still assessing its estate: ask again later")
    };
    work.doing("waiting for the server's assessment");
    work.wait(look).await
}

/// The date that an answer is measured from, and when exports that are read for it count as collected: what is asked about a past
/// date was not collected after it.
pub(in crate::commands) fn dates(as_of: Option<Timestamp>) -> (Timestamp, Timestamp) {
    let now = SystemClock.now();
    let as_of = as_of.unwrap_or(now);
    (as_of, as_of.min(now))
}

pub(in crate::commands) fn of_files(
    paths: &[std::path::PathBuf],
    at: Timestamp,
    work: &Work,
    terminal: &Terminal,
) -> anyhow::Result<Inventory> {
    let limits = Limits::default();
    let exports = Exports::read(paths, &limits)?;
    tell_left_out(&exports, terminal);
    if let [(name, bytes)] = exports.files.as_slice()
        && bytes.starts_with(SAVED)
    {
        return Inventory::load(bytes.as_slice()).with_context(|| format!("{name} cannot be read"));
    }
    let mut inventory = Inventory::new();
    let mut tell = work.reading();
    let batch = read(&exports.inputs(), &limits, &mut Watch::new(&mut tell))?;
    inventory.merge(&batch, at)?;
    Ok(inventory)
}

pub(super) fn tell_left_out(exports: &Exports, terminal: &Terminal) {
    if let Some(first) = exports.left_out.first() {
        terminal.note(format!(
            "{} {} of no kind that is known here, and left out: {}{}",
            terminal.paint(Tone::Attention, "note:"),
            match exports.left_out.len() {
                1 => "one file is".to_owned(),
                count => format!("{count} files are"),
            },
            crate::terminal::plain(first),
            if exports.left_out.len() > 1 { " and others" } else { "" },
        ));
    }
}

/// A saved estate.
pub(super) fn saved(path: &Path) -> anyhow::Result<Inventory> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut file = BufReader::new(File::open(path).with_context(unreadable)?);
    let mut head = Vec::new();
    file.by_ref().take(SAVED.len() as u64).read_to_end(&mut head).with_context(unreadable)?;
    if head != SAVED {
        bail!(
            "{} is no saved estate: `countersign estate import FILE… --estate PATH` makes one; exports are named \
             without --estate",
            path.display()
        );
    }
    Inventory::load(head.chain(file)).map_err(|error: SavedError| anyhow::Error::new(error).context(unreadable()))
}

/// The same for commands that are about a kept estate alone.
pub(super) fn which(kept: &Kept) -> Which {
    Which { files: Vec::new(), kept: kept.clone() }
}
