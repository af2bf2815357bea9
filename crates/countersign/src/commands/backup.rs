//! `backup` and `restore`: everything in the data directory, as one directory.
//!
//! The order of a backup matters. The store is copied as of one moment by the store itself. Of the ledger the checkpoint
//! comes first, then the write-ahead log, then the tiles: whatever the copied checkpoint covers was durable before it was
//! signed, and what moves from the write-ahead log into tiles meanwhile is in both. So a copy never has less than its
//! checkpoint promises, and opening it repairs the rest like after a crash.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use countersign_store::{SqliteStore, Store as _};
use serde_json::json;

use crate::applied;
use crate::command_line::{Backup, Global, Restore};
use crate::data_directory::DataDirectory;
use crate::system::open_ledger;
use crate::terminal::Terminal;
use crate::up;

pub(super) fn backup(global: &Global, options: &Backup, terminal: &Terminal) -> anyhow::Result<()> {
    let (configuration, file) = up::configuration(global)?;
    let directory = DataDirectory::existing(&configuration.data_directory)?;
    let to = &options.directory;
    if to.exists() {
        bail!("{} is there already, and a backup overwrites nothing: name a new directory", to.display());
    }
    private_directory(to)?;
    // A second connection beside the server's: SQLite's own online backup gives one consistent moment.
    SqliteStore::open(&directory.store())?.backup(&to.join("store.sqlite")).context("the store cannot be copied")?;
    let ledger = directory.ledger();
    let copied = to.join("ledger");
    private_directory(&copied)?;
    for first in ["checkpoint", "wal", "archived"] {
        copy_if_there(&ledger.join(first), &copied.join(first))?;
    }
    copy_tree(&ledger, &copied, &|path| {
        path.file_name().is_some_and(|name| ["checkpoint", "wal", "lock"].iter().any(|n| name == *n))
    })?;
    for part in ["keys", "policies", "estate"] {
        copy_if_there(&directory.root().join(part), &to.join(part))?;
    }
    for file in ["authority.pem", "inventory-from-file", applied::FILE] {
        copy_if_there(&directory.root().join(file), &to.join(file))?;
    }
    if let Some(file) = &file {
        copy_if_there(file, &to.join("countersign.toml"))?;
    }
    if terminal.json {
        return terminal.json(&json!({"backup": to}));
    }
    terminal.line(format!("{} is a backup of {}", to.display(), directory.root().display()));
    terminal.note("it holds every key: keep it as safe as the data directory");
    Ok(())
}

pub(super) fn restore(global: &Global, options: &Restore, terminal: &Terminal) -> anyhow::Result<()> {
    let from = &options.directory;
    if !from.join("keys").is_dir() || !from.join("store.sqlite").is_file() {
        bail!("{} is no backup of Countersign: name what `countersign backup` wrote", from.display());
    }
    let (configuration, _) = up::configuration(global)?;
    let root = &configuration.data_directory;
    if root.join("keys").is_dir() {
        // Kept until the old directory has been moved away.
        let _lock = DataDirectory::existing(root)?.lock()?;
        if !options.force {
            bail!("{} holds an installation: --force replaces it, and keeps the old one beside it", root.display());
        }
        let aside = aside(root);
        fs::rename(root, &aside).with_context(|| format!("{} cannot be moved away", root.display()))?;
        terminal.note(format!("the old data directory is {} now", aside.display()));
    }
    // Copied beside, then moved into place: a crash leaves no half of an installation under the right name.
    let staged = root.with_extension("restoring");
    let _ = fs::remove_dir_all(&staged);
    private_directory(&staged)?;
    copy_tree(from, &staged, &|path| path == from.join("countersign.toml"))?;
    let directory = DataDirectory::create(&staged)?;
    open_ledger(&directory, &configuration).context("the backup's ledger does not open")?.close();
    SqliteStore::open(&directory.store()).context("the backup's store does not open")?;
    if root.is_dir() {
        fs::remove_dir(root).with_context(|| format!("{} is not empty, and no installation", root.display()))?;
    }
    fs::rename(&staged, root).with_context(|| format!("{} cannot be put into place", root.display()))?;
    if terminal.json {
        return terminal.json(&json!({"restored": root}));
    }
    terminal.line(format!("{} is restored from {}", root.display(), from.display()));
    terminal.note(
        "what was recorded after the backup is not in it: a checkpoint that somebody kept from later will not verify",
    );
    Ok(())
}

/// A name that nothing has yet.
fn aside(root: &Path) -> PathBuf {
    (1..u32::MAX)
        .map(|number| root.with_extension(format!("before-restore-{number}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| root.with_extension("before-restore"))
}

fn private_directory(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("{} cannot be made", path.display()))
}

fn copy_if_there(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        private_directory(to)?;
        copy_tree(from, to, &|_| false)
    } else if from.is_file() {
        copy(from, to)
    } else {
        Ok(())
    }
}

fn copy_tree(from: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) -> anyhow::Result<()> {
    let mut entries = fs::read_dir(from)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("{} cannot be read", from.display()))?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if skip(&source) {
            continue;
        }
        if source.is_dir() {
            private_directory(&target)?;
            copy_tree(&source, &target, skip)?;
        } else {
            copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Permissions are copied too: a key stays readable by its owner only.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::copy(from, to) {
        Ok(_) => Ok(()),
        // A partial tile that has become a full one meanwhile, or a segment whose entries are all in tiles now.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !from.exists() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be copied", from.display())),
    }
}
