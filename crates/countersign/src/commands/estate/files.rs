//! Exports as files, archives and folders: found, bounded, read into memory. A folder is walked without following links, and what
//! is of no known kind in it is left out and said; a file that was named is read, or it is a fault.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use countersign_estate::{Input, Limits};

/// Folders within folders.
const DEEPEST: usize = 16;

/// The bytes of one import, each with the name that evidence and faults speak of it by.
#[derive(Debug, Default)]
pub(in crate::commands) struct Exports {
    pub(in crate::commands) files: Vec<(String, Vec<u8>)>,
    /// In folders, and of no kind that is known here.
    pub(in crate::commands) left_out: Vec<String>,
    bytes: usize,
}

impl Exports {
    /// # Errors
    /// When something cannot be read, or it is too much.
    pub(in crate::commands) fn read(paths: &[PathBuf], limits: &Limits) -> anyhow::Result<Self> {
        let mut exports = Self::default();
        for path in paths {
            let about = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
            if about.is_dir() {
                let (before, left) = (exports.files.len(), exports.left_out.len());
                exports.walk(path, 0, limits)?;
                if exports.files.len() == before {
                    let first = exports.left_out.get(left).map(|name| {
                        format!("; named by itself, a file such as {} says why", crate::terminal::plain(name))
                    });
                    bail!("{} holds no file of a kind that is known here{}", path.display(), first.unwrap_or_default());
                }
            } else {
                exports.take(path, true, limits)?;
            }
        }
        Ok(exports)
    }

    pub(in crate::commands) fn inputs(&self) -> Vec<Input<'_>> {
        self.files.iter().map(|(name, bytes)| Input { name, bytes }).collect()
    }

    fn walk(&mut self, folder: &Path, depth: usize, limits: &Limits) -> anyhow::Result<()> {
        if depth > DEEPEST {
            bail!("{}: more than {DEEPEST} folders within one another", folder.display());
        }
        let unreadable = || format!("{} cannot be read", folder.display());
        let entries = fs::read_dir(folder).with_context(unreadable)?;
        let mut entries = entries.collect::<Result<Vec<_>, _>>().with_context(unreadable)?;
        // The same folder is the same import, whatever order the file system has.
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().with_context(unreadable)?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_dir() && !hidden {
                self.walk(&entry.path(), depth + 1, limits)?;
            } else if kind.is_file() && !hidden {
                self.take(&entry.path(), false, limits)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, named: bool, limits: &Limits) -> anyhow::Result<()> {
        if self.files.len() + self.left_out.len() >= limits.archive_files {
            bail!("more than {} files in one import", limits.archive_files);
        }
        let left = limits.total_bytes.saturating_sub(self.bytes);
        let unreadable = || format!("{} cannot be read", path.display());
        let mut bytes = Vec::new();
        let most = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path).with_context(unreadable)?.take(most).read_to_end(&mut bytes).with_context(unreadable)?;
        if bytes.len() > left {
            bail!("{}: all files together are larger than {} bytes", path.display(), limits.total_bytes);
        }
        let name = path.to_string_lossy().into_owned();
        if !named && !countersign_estate::is_known(&bytes) {
            self.left_out.push(name);
            return Ok(());
        }
        self.bytes += bytes.len();
        self.files.push((name, bytes));
        Ok(())
    }
}
