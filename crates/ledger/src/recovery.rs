//! Opening a ledger: read the write-ahead log, hold it against the checkpoint that was signed last, cut off an
//! unfinished write, and hand everything to the publisher's normal path. First look, then touch: until the checks have
//! passed nothing is changed. A crash in here is mended by opening again.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Condvar, Mutex};
use tlog_tiles::Hash;

use crate::disk::Lock;
use crate::ledger::{Durable, Queue, Shared, Tail};
use crate::path::{LogPath, TILE};
use crate::publisher::{Publisher, partial_paths};
use crate::source::fetch_tile;
use crate::tree::{Frontier, root_of};
use crate::wal::{self, Checksum};
use crate::writer::{Writer, segment_path, start_segment, wal_directory};
use crate::{Directory, Disk, OpenError, Options, SignedCheckpoint, Source as _, SourceError, VerifierKey};

pub(crate) struct Recovered {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Writer,
    pub(crate) publisher: Publisher,
    pub(crate) lock: Arc<Lock>,
}

impl From<SourceError> for OpenError {
    fn from(error: SourceError) -> Self {
        Self::Io { path: error.path, cause: error.cause }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |cause| OpenError::Io { path: path.display().to_string(), cause }
}

pub(crate) fn open(root: &Path, options: Options) -> Result<Recovered, OpenError> {
    let signer = options.signing_key.signer(&options.origin)?;
    let verifier = signer.verifier.clone();
    let disk = options.disk;
    disk.create_directories(&wal_directory(root)).map_err(at(root))?;
    let lock = disk.lock(&root.join("lock")).map_err(at(root))?.ok_or(OpenError::Locked)?;
    let files = Directory::on(Arc::clone(&disk), root, options.archive.as_deref());
    let archived = files.archived()?;
    let signed = read_checkpoint(&files, &verifier)?;

    let log = read_segments(&*disk, root, signed.as_ref())?;
    let start = log.base.next_multiple_of(TILE);
    let frontier = Frontier::resume(start, read_levels(&files, start)?);
    let skip = usize::try_from(start - log.base).unwrap_or(usize::MAX);
    let entries: Vec<Arc<Durable>> = log.entries.into_iter().skip(skip).map(Arc::new).collect();
    check_signed(signed.as_ref(), &frontier, &entries)?;

    // The checks have passed. The records read may never have been synced (the process died, the machine did not):
    // before anything is derived from them, they are.
    let last = segment_path(root, log.last_base);
    let file = match log.end {
        End::Whole(length) => {
            disk.truncate(&last, length).map_err(at(&last))?;
            disk.sync_directory(&wal_directory(root)).map_err(at(root))?;
            disk.sync_directory(root).map_err(at(root))?;
            disk.append(&last).map_err(at(&last))?
        }
        End::Unstarted => start_segment(&*disk, root, log.last_base, &log.checksum)
            .and_then(|file| disk.sync_directory(root).map(|()| file))
            .map_err(at(&last))?,
    };
    let length = match log.end {
        End::Whole(length) => length,
        End::Unstarted => wal::SEGMENT_HEADER as u64,
    };
    let bytes = entries.iter().map(|entry| entry.bytes.len()).sum();
    let next = start.max(log.base) + entries.len() as u64;
    let tail = Tail {
        first: start,
        entries: entries.iter().cloned().collect(),
        bytes,
        segments: log.segments.into(),
        checkpoint: signed.clone().map(Arc::new),
        ..Tail::default()
    };
    let shared = Arc::new(Shared {
        root: root.to_owned(),
        disk,
        files,
        limit: options.queue,
        queue: Mutex::new(Queue::default()),
        queue_changed: Condvar::new(),
        tail: Mutex::new(tail),
        tail_changed: Condvar::new(),
        broken: Mutex::default(),
        verifier,
        archived: AtomicU64::new(archived),
        archiving: Mutex::default(),
    });
    let mut publisher = Publisher {
        frontier,
        growing: Vec::new(),
        unsynced: Vec::new(),
        partial: [Vec::new(), signed.map_or_else(Vec::new, |signed| partial_paths(signed.size))],
        signer,
        every: options.checkpoint_every,
    };
    publisher.derive(entries, &shared).map_err(at(root))?;
    // The partial files were never synced: a crash may have taken them from under the last checkpoint. A checkpoint
    // over everything that was found brings them back, or they are written again for the one that is there.
    if next > shared.tail.lock().checkpoint_size() {
        publisher.checkpoint(&shared).map_err(at(root))?;
    } else {
        publisher.write_partial(&shared).map_err(at(root))?;
    }
    let segment_bytes = options.segment_bytes;
    let writer = Writer { file, length, segment_bytes, next, before: log.checksum, buffer: Vec::new() };
    Ok(Recovered { shared, writer, publisher, lock: Arc::new(lock) })
}

fn read_checkpoint(files: &Directory, key: &VerifierKey) -> Result<Option<SignedCheckpoint>, OpenError> {
    let note = files.fetch(&LogPath::Checkpoint)?;
    Ok(note.map(|note| key.open(&note)).transpose()?)
}

/// How the write-ahead log ends.
enum End {
    /// At this byte of the last segment; what follows is the beginning of a write that nobody was told of.
    Whole(u64),
    /// The last segment was being started.
    Unstarted,
}

struct Log {
    /// The first index that the log holds.
    base: u64,
    last_base: u64,
    segments: Vec<u64>,
    entries: Vec<Durable>,
    checksum: Checksum,
    end: End,
}

fn read_segments(disk: &dyn Disk, root: &Path, signed: Option<&SignedCheckpoint>) -> Result<Log, OpenError> {
    let directory = wal_directory(root);
    let names = disk.list(&directory).map_err(at(&directory))?;
    let bases = names.iter().filter_map(|name| name.strip_suffix(".wal")?.parse::<u64>().ok());
    let mut segments: Vec<u64> = bases.collect();
    let Some(&base) = segments.first() else {
        let derived = disk.list(&root.join("tile")).map_err(at(root))?;
        if signed.is_some() || !derived.is_empty() {
            return Err(OpenError::LogMissing { signed: signed.map_or(0, |signed| signed.size) });
        }
        segments.push(0);
        return Ok(Log { base: 0, last_base: 0, segments, entries: vec![], checksum: [0; 32], end: End::Unstarted });
    };
    let mut log =
        Log { base, last_base: base, segments: vec![], entries: vec![], checksum: [0; 32], end: End::Whole(0) };
    let mut next = base;
    for (position, &segment) in segments.iter().enumerate() {
        let last = position + 1 == segments.len();
        let path = segment_path(root, segment);
        let bytes = disk.read(&path).map_err(at(&path))?;
        let damaged = |offset: usize| OpenError::Damaged { file: path.display().to_string(), offset: offset as u64 };
        log.last_base = segment;
        log.segments.push(segment);
        match wal::parse_segment_header(&bytes) {
            // The first segment that is kept says what it continues; each further one must continue the one before.
            Some((found, before))
                if found == segment && segment == next && (position == 0 || before == log.checksum) =>
            {
                log.checksum = before;
            }
            // Only a segment whose predecessor is there, or the very first, can have been interrupted as it started.
            None if last && (position > 0 || segment == 0) && segment == next && !wal::any_record(&bytes) => {
                log.end = End::Unstarted;
                return Ok(log);
            }
            _ => return Err(damaged(0)),
        }
        let mut offset = wal::SEGMENT_HEADER;
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            match wal::parse_record(rest, &log.checksum).filter(|record| record.first == next) {
                Some(record) => {
                    next += record.entries.len() as u64;
                    log.checksum = record.checksum;
                    offset += record.length;
                    let entries = record.entries.into_iter();
                    log.entries.extend(entries.map(|(bytes, leaf)| Durable { bytes: Box::from(bytes), leaf }));
                }
                None if last && !wal::any_record(rest) => break,
                None => return Err(damaged(offset)),
            }
        }
        log.end = End::Whole(offset as u64);
    }
    Ok(log)
}

/// The growing tiles of a tree of `size` entries, a multiple of 256, from the full tiles below them.
fn read_levels(files: &Directory, size: u64) -> Result<Vec<Vec<Hash>>, OpenError> {
    let mut levels = vec![Vec::new()];
    let mut hashes = size / TILE;
    for level in 0_u8.. {
        if hashes == 0 {
            break;
        }
        let first = hashes - hashes % TILE;
        let read = |n| {
            let path = LogPath::Tile { level, n, width: 256 };
            let tile = fetch_tile(files, level, n, 256)?;
            tile.map(|tile| root_of(&tile)).ok_or_else(|| OpenError::TileMissing { file: path.to_string() })
        };
        levels.push((first..hashes).map(read).collect::<Result<Vec<_>, OpenError>>()?);
        hashes /= TILE;
    }
    Ok(levels)
}

/// What was signed must be found again: the same entries, and not one fewer.
fn check_signed(
    signed: Option<&SignedCheckpoint>,
    frontier: &Frontier,
    entries: &[Arc<Durable>],
) -> Result<(), OpenError> {
    let start = frontier.size();
    let Some(signed) = signed else {
        // Segments are removed only under a checkpoint, so one has been here.
        return if start == 0 { Ok(()) } else { Err(OpenError::TileMissing { file: "checkpoint".to_owned() }) };
    };
    let found = start + entries.len() as u64;
    if signed.size > found {
        return Err(OpenError::RolledBack { signed: signed.size, found });
    }
    // For the same reason it cannot lie before what the log still holds.
    let contradicted = || OpenError::Contradicted { signed: signed.size };
    let beyond = signed.size.checked_sub(start).and_then(|beyond| usize::try_from(beyond).ok());
    let mut frontier = frontier.clone();
    for entry in entries.iter().take(beyond.ok_or_else(contradicted)?) {
        frontier.push(entry.leaf, |_, _| {});
    }
    if frontier.root() == signed.hash { Ok(()) } else { Err(contradicted()) }
}
