//! Policy files: reading a directory of them, and the starter set that a new installation gets.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_policy::{GUARDRAILS, SourceFile};

use crate::commands::Misused;

include!(concat!(env!("OUT_DIR"), "/starter_policies.rs"));

/// Every `.cedar` file of a directory, in order of their names, and of its folder of guardrails. Not of other folders.
pub fn read(directory: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let unreadable = || Misused(format!("the policies in {} cannot be read", directory.display()));
    let list = |directory: &Path| -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "cedar") && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    };
    let mut paths = list(directory)?;
    let guardrails = directory.join(GUARDRAILS);
    // A link to nothing is no folder, and no reason to go without what it held.
    if !paths.is_empty() && fs::symlink_metadata(&guardrails).is_ok() {
        paths.extend(list(&guardrails)?);
    }
    if paths.is_empty() {
        let words =
            format!("there is no .cedar file in {}: without a policy nothing is permitted", directory.display());
        return Err(Misused(words).into());
    }
    let read = |path: std::path::PathBuf| -> anyhow::Result<SourceFile> {
        let text = fs::read_to_string(&path).with_context(|| Misused(format!("{} cannot be read", path.display())))?;
        Ok(SourceFile { path, text })
    };
    paths.into_iter().map(read).collect()
}

/// Writes the starter set into a directory that has no policies yet; says whether it did.
pub fn write_starter(directory: &Path) -> anyhow::Result<bool> {
    if directory.is_dir() && read(directory).is_ok() {
        return Ok(false);
    }
    fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    for (name, text) in STARTER {
        let path = directory.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        if !path.exists() {
            fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(true)
}
