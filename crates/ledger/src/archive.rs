//! Retention: old entry bundles move to another directory. Hash tiles stay, so every proof still works; only the
//! content of the entries is elsewhere.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tlog_tiles::record_hash;

use crate::disk::{replace, replace_durably};
use crate::path::{LogPath, TILE};
use crate::source::{ARCHIVED, fetch_tile};
use crate::{Ledger, SourceError, bundle};

/// What one call has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    pub bundles: Range<u64>,
    pub entries: Range<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{0} is itself a ledger; archive to another directory")]
    IsLedger(String),
    #[error("{path}: {cause}")]
    Io { path: String, cause: io::Error },
    #[error("{file} does not match its hashes and stays where it is; verify the ledger")]
    Damaged { file: String },
    #[error(transparent)]
    Source(#[from] SourceError),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |cause| ArchiveError::Io { path: path.display().to_string(), cause }
}

impl Ledger {
    /// Moves the full bundles that hold only entries before `before` to `to`. Blocks; can be repeated after a failure.
    pub fn archive(&self, before: u64, to: &Path) -> Result<Archived, ArchiveError> {
        let shared = self.shared();
        let disk = &*shared.disk;
        let _one_at_a_time = shared.archiving.lock();
        if to == shared.root || !disk.list(&to.join("wal")).map_err(at(to))?.is_empty() {
            return Err(ArchiveError::IsLedger(to.display().to_string()));
        }
        let covered = {
            let tail = shared.tail.lock();
            tail.first.min(tail.checkpoint_size())
        };
        let first = shared.archived.load(Ordering::Acquire);
        let end = (before.min(covered) / TILE).max(first);
        let name = |n| LogPath::Entries { n, width: 256 }.to_string();

        // A crash among the copies leaves copies; everything is still here.
        let mut directories = BTreeSet::new();
        for n in first..end {
            let source = shared.root.join(name(n));
            let bytes = disk.read(&source).map_err(at(&source))?;
            let leaves: Result<Vec<_>, _> = bundle::split(&bytes).map(|entry| entry.map(record_hash)).collect();
            if leaves.ok() != fetch_tile(&shared.files, 0, n, 256)? {
                return Err(ArchiveError::Damaged { file: name(n) });
            }
            // The original too: should a crash leave both, it is the original that is read.
            disk.sync(&source).map_err(at(&source))?;
            let copy = to.join(name(n));
            replace(disk, &copy, &bytes).and_then(|()| disk.sync(&copy)).map_err(at(&copy))?;
            directories.extend(copy.ancestors().skip(1).take_while(|up| up.starts_with(to)).map(PathBuf::from));
        }
        for directory in directories {
            disk.sync_directory(&directory).map_err(at(&directory))?;
        }
        // From here on the copies count. A crash before the originals are gone leaves some of them, which are read
        // like before and removed by the next call.
        let note = shared.root.join(ARCHIVED);
        replace_durably(disk, &note, format!("{end}\n").as_bytes()).map_err(at(&note))?;
        shared.archived.store(end, Ordering::Release);
        // Always from the bottom up, so that what a crash left over lies just below `first`.
        let left_over = (0..first).rev().take_while(|&n| disk.read(&shared.root.join(name(n))).is_ok()).count();
        for n in first - left_over as u64..end {
            let original = shared.root.join(name(n));
            disk.remove(&original).map_err(at(&original))?;
        }
        Ok(Archived { bundles: first..end, entries: first * TILE..end * TILE })
    }
}
