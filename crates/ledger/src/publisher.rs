//! What others see: bundles, tiles and checkpoints, derived from entries that are durable in the write-ahead log.
//!
//! Order, for every step: entries and hashes first, then the checkpoint over them. None of the derived files needs to
//! be durable while the segments that they come from are kept; after a crash recovery derives them again through
//! [`Publisher::derive`], which writes the same bytes. A segment goes only when its entries are in synced full bundles
//! and under a synced checkpoint.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::disk::{Lock, replace, replace_durably};
use crate::key::CheckpointSigner;
use crate::ledger::{Durable, Shared};
use crate::path::{LogPath, TILE};
use crate::tree::Frontier;
use crate::{SignedCheckpoint, bundle, writer};

/// Entries that make the publisher wake before the interval is over.
const WAKE: u64 = 16 * TILE;

/// The partial files that a checkpoint over `size` entries refers to.
pub(crate) fn partial_paths(size: u64) -> Vec<LogPath> {
    let width = |hashes: u64| u16::try_from(hashes % TILE).ok().filter(|&width| width > 0);
    let mut paths: Vec<LogPath> =
        width(size).map(|width| LogPath::Entries { n: size / TILE, width }).into_iter().collect();
    let mut hashes = size;
    for level in 0_u8.. {
        if hashes == 0 {
            break;
        }
        paths.extend(width(hashes).map(|width| LogPath::Tile { level, n: hashes / TILE, width }));
        hashes /= TILE;
    }
    paths
}

/// The state of what is published.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) frontier: Frontier,
    /// The entries of the bundle that is growing.
    pub(crate) growing: Vec<Arc<Durable>>,
    /// Full files that have been written and not synced.
    pub(crate) unsynced: Vec<LogPath>,
    /// The partial files of the last checkpoint and of the one before, which somebody may be reading.
    pub(crate) partial: [Vec<LogPath>; 2],
    pub(crate) signer: CheckpointSigner,
    pub(crate) every: Duration,
}

/// Runs until the writer has stopped and everything durable is published, or the disk fails. Holds the directory's
/// lock for as long, as the writer does: nobody else may write before the last file is in place.
pub(crate) fn run(mut publisher: Publisher, shared: &Shared, lock: Arc<Lock>) {
    let mut last = Instant::now();
    loop {
        let (entries, due, closed) = {
            let mut tail = shared.tail.lock();
            loop {
                let behind = tail.size() - publisher.frontier.size();
                let stale = tail.size() > tail.checkpoint_size();
                let wanted = tail.wanted > tail.checkpoint_size();
                let wait = if stale { publisher.every.saturating_sub(last.elapsed()) } else { Duration::MAX };
                if tail.closed || wanted || wait.is_zero() || behind >= WAKE {
                    let skip = usize::try_from(publisher.frontier.size() - tail.first).unwrap_or(usize::MAX);
                    let entries: Vec<_> = tail.entries.iter().skip(skip).cloned().collect();
                    break (entries, tail.closed || wanted || wait.is_zero(), tail.closed);
                }
                // Up to date, it has to notice the next one, which begins the interval.
                tail.awaited = if stale { publisher.frontier.size() + WAKE } else { tail.size() + 1 };
                if wait == Duration::MAX {
                    shared.tail_changed.wait(&mut tail);
                } else {
                    shared.tail_changed.wait_for(&mut tail, wait);
                }
            }
        };
        let outcome = publisher.derive(entries, shared).and_then(|()| {
            if due {
                last = Instant::now();
                publisher.checkpoint(shared)?;
            }
            publisher.retire_segments(shared)
        });
        if let Err(error) = &outcome {
            shared.break_down("publishing", error);
        }
        if outcome.is_err() || closed {
            break;
        }
    }
    // Before anybody who waits for the end is told.
    drop(lock);
    shared.tail.lock().finished = true;
    shared.tail_changed.notify_all();
}

impl Publisher {
    /// Takes durable entries into the tree; writes each bundle and tile that they complete. A crash leaves some of the
    /// files, or a `.tmp` beside one, all beyond what any checkpoint covers or equal to what will be written again.
    pub(crate) fn derive(&mut self, entries: Vec<Arc<Durable>>, shared: &Shared) -> io::Result<()> {
        for entry in entries {
            let mut full = Vec::new();
            self.frontier.push(entry.leaf, |path, hashes| full.push((path, bundle::hashes_to_bytes(hashes))));
            self.growing.push(entry);
            if (self.growing.len() as u64) < TILE {
                continue;
            }
            let n = self.frontier.size() / TILE - 1;
            // What is archived was complete and synced before; it is not brought back.
            if n >= shared.archived.load(Ordering::Acquire) {
                self.write(shared, LogPath::Entries { n, width: 256 }, &bundle_of(&self.growing))?;
            }
            for (path, bytes) in full {
                self.write(shared, path, &bytes)?;
            }
            // From here the bundle is read from its file.
            let mut tail = shared.tail.lock();
            for entry in self.growing.drain(..) {
                tail.entries.pop_front();
                tail.bytes = tail.bytes.saturating_sub(entry.bytes.len());
            }
            tail.first = self.frontier.size();
            drop(tail);
            shared.tail_changed.notify_all();
        }
        Ok(())
    }

    fn write(&mut self, shared: &Shared, path: LogPath, bytes: &[u8]) -> io::Result<()> {
        replace(&*shared.disk, &shared.root.join(path.to_string()), bytes)?;
        self.unsynced.push(path);
        Ok(())
    }

    /// Writes the growing files, as a checkpoint over what has been derived refers to them.
    pub(crate) fn write_partial(&self, shared: &Shared) -> io::Result<Vec<LogPath>> {
        let size = self.frontier.size();
        let mut partial = Vec::new();
        if let Ok(width @ 1..) = u16::try_from(self.growing.len()) {
            partial.push((LogPath::Entries { n: size / TILE, width }, bundle_of(&self.growing)));
        }
        partial.extend(self.frontier.partial().map(|(path, hashes)| (path, bundle::hashes_to_bytes(hashes))));
        // A crash among these leaves partial files that no checkpoint covers. They are overwritten or ignored.
        for (path, bytes) in &partial {
            replace(&*shared.disk, &shared.root.join(path.to_string()), bytes)?;
        }
        Ok(partial.into_iter().map(|(path, _)| path).collect())
    }

    /// Signs what has been derived. Everything under the new checkpoint is durable in the write-ahead log and readable
    /// in its files before the checkpoint appears.
    pub(crate) fn checkpoint(&mut self, shared: &Shared) -> io::Result<()> {
        let size = self.frontier.size();
        if size == shared.tail.lock().checkpoint_size() {
            return Ok(());
        }
        let partial = self.write_partial(shared)?;
        let checkpoint = self.signer.sign(size, self.frontier.root()).map_err(io::Error::other)?;
        // INVARIANT: size ≤ durable entries, for only those reach `derive`. A crash in here leaves the old checkpoint
        // or the new one, both true of the write-ahead log.
        replace_durably(&*shared.disk, &shared.root.join("checkpoint"), checkpoint.note().as_bytes())?;
        self.announce(shared, checkpoint);
        // A crash before this leaves files that nobody asks for.
        let [older, last] = std::mem::take(&mut self.partial);
        for path in older.iter().filter(|path| !last.contains(path) && !partial.contains(path)) {
            remove(shared, path)?;
        }
        self.partial = [last, partial];
        Ok(())
    }

    fn announce(&self, shared: &Shared, checkpoint: SignedCheckpoint) {
        shared.tail.lock().checkpoint = Some(Arc::new(checkpoint));
        shared.tail_changed.notify_all();
    }

    /// Removes the segments of the write-ahead log that nothing depends on any more.
    fn retire_segments(&mut self, shared: &Shared) -> io::Result<()> {
        let ready = {
            let tail = shared.tail.lock();
            let safe = tail.first.min(tail.checkpoint_size());
            let next = tail.segments.iter().skip(1);
            next.take_while(|&&next| next.next_multiple_of(TILE) <= safe).count()
        };
        if ready == 0 {
            return Ok(());
        }
        // A crash before these are done leaves the segments, from which the files can be derived again.
        let mut directories = BTreeSet::new();
        for path in &self.unsynced {
            let file = shared.root.join(path.to_string());
            match shared.disk.sync(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && is_archived(shared, path) => {}
                outcome => outcome?,
            }
            directories
                .extend(file.ancestors().skip(1).take_while(|up| up.starts_with(&shared.root)).map(PathBuf::from));
        }
        for directory in directories {
            shared.disk.sync_directory(&directory)?;
        }
        self.unsynced.clear();
        // Oldest first: a crash among these leaves a log that begins later, which is all the same to recovery.
        for _ in 0..ready {
            let Some(base) = shared.tail.lock().segments.pop_front() else { break };
            shared.disk.remove(&writer::segment_path(&shared.root, base))?;
        }
        shared.disk.sync_directory(&writer::wal_directory(&shared.root))
    }
}

fn is_archived(shared: &Shared, path: &LogPath) -> bool {
    matches!(path, LogPath::Entries { n, .. } if *n < shared.archived.load(Ordering::Acquire))
}

fn bundle_of(entries: &[Arc<Durable>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bundle::push(&mut bytes, &entry.bytes);
    }
    bytes
}

/// Removes a partial file; gone is gone.
fn remove(shared: &Shared, path: &LogPath) -> io::Result<()> {
    let file: &Path = &shared.root.join(path.to_string());
    match shared.disk.remove(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // One directory per partial tile; while the other checkpoint's is in it, it stays.
    if let Some(directory) = file.parent() {
        let _ = shared.disk.remove_directory(directory);
    }
    Ok(())
}
