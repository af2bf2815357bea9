//! The handle on a ledger that is open for writing, and what its threads share. See `writer` for the way to the disk
//! and `publisher` for what is derived from it.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_model::DecisionId;
use parking_lot::{Condvar, Mutex};
use tlog_tiles::{Hash, record_hash};

use crate::bundle::RawBundle;
use crate::path::{LogPath, TILE};
use crate::pending::Promise;
use crate::reader::{self, Entries};
use crate::source::fetch_or_full;
use crate::{
    AppendError, ConsistencyProof, Directory, Disk, Entry, InclusionProof, KeyError, Pending, ProofError, ReadError,
    SignedCheckpoint, SigningKey, SystemDisk, VerifierKey, proof, publisher, recovery, verify, writer,
};

/// How to open a ledger.
#[derive(Debug, Clone)]
pub struct Options {
    /// The log's name, also the name of its key: no white space, no `+`.
    pub origin: String,
    pub signing_key: SigningKey,
    /// How many entries may wait for the disk before [`AppendError::Full`].
    pub queue: usize,
    /// How long a durable entry waits for a checkpoint over it.
    pub checkpoint_every: Duration,
    /// The write-ahead log starts a new file after this many bytes.
    pub segment_bytes: u64,
    /// Where archived bundles are read from.
    pub archive: Option<PathBuf>,
    pub disk: Arc<dyn Disk>,
}

impl Options {
    pub fn new(origin: impl Into<String>, signing_key: SigningKey) -> Self {
        Self {
            origin: origin.into(),
            signing_key,
            queue: 65_536,
            checkpoint_every: Duration::from_secs(1),
            segment_bytes: 64 << 20,
            archive: None,
            disk: Arc::new(SystemDisk),
        }
    }
}

/// Why a ledger does not open. But for [`Io`](Self::Io), after which opening may be tried again, none has changed anything.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the ledger is open for writing in another process")]
    Locked,
    #[error("{path}: {cause}")]
    Io { path: String, cause: std::io::Error },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the ledger's write-ahead log is missing, though its checkpoint covers {signed} entries")]
    LogMissing { signed: u64 },
    #[error(
        "{file} is damaged at byte {offset}, before records that were written later; \
         restore the ledger from a backup, nothing has been changed"
    )]
    Damaged { file: String, offset: u64 },
    #[error(
        "the ledger has {found} entries, but a checkpoint over {signed} is signed: it has been rolled back or cut; \
         restore the missing files, nothing has been changed"
    )]
    RolledBack { signed: u64, found: u64 },
    #[error("the entries on disk are not those that the checkpoint over {signed} entries was signed for")]
    Contradicted { signed: u64 },
    #[error("{file} is missing or has the wrong size")]
    TileMissing { file: String },
}

/// How the ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Durable entries.
    pub size: u64,
    /// Entries under the signed checkpoint.
    pub checkpoint_size: u64,
    /// Entries on the way to the disk.
    pub queued: usize,
    /// Entries that have been moved to an archive.
    pub archived: u64,
    /// Why it refuses entries, if it does.
    pub broken: Option<String>,
}

/// A ledger open for writing. Clones are the same ledger; it closes when the last one goes.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// An entry waiting for the disk.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) leaf: Hash,
    pub(crate) promise: Promise,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) closing: bool,
}

/// A durable entry that is not in a full bundle yet.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) leaf: Hash,
}

/// The end of the log, in memory.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Everything before is in full bundles on disk; a multiple of 256.
    pub(crate) first: u64,
    pub(crate) entries: VecDeque<Arc<Durable>>,
    pub(crate) bytes: usize,
    pub(crate) checkpoint: Option<Arc<SignedCheckpoint>>,
    /// The publisher sleeps until there are so many entries: what comes before does not wake it.
    pub(crate) awaited: u64,
    /// A checkpoint over at least so many entries is wanted now.
    pub(crate) wanted: u64,
    /// The first index of each segment of the write-ahead log.
    pub(crate) segments: VecDeque<u64>,
    /// Nothing more will be appended.
    pub(crate) closed: bool,
    /// The publisher has stopped.
    pub(crate) finished: bool,
}

impl Tail {
    pub(crate) fn size(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn checkpoint_size(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size)
    }
}

/// What the handles and the two threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) files: Directory,
    pub(crate) limit: usize,
    pub(crate) queue: Mutex<Queue>,
    pub(crate) queue_changed: Condvar,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) tail_changed: Condvar,
    pub(crate) broken: Mutex<Option<String>>,
    pub(crate) verifier: VerifierKey,
    /// Bundles that have been archived.
    pub(crate) archived: AtomicU64,
    pub(crate) archiving: Mutex<()>,
}

impl Shared {
    /// The first cause stays. Whoever waits for the disk is told by the threads as they stop.
    pub(crate) fn break_down(&self, step: &str, cause: &std::io::Error) {
        self.broken.lock().get_or_insert_with(|| format!("{step}: {cause}"));
        self.queue_changed.notify_all();
        self.tail_changed.notify_all();
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.lock().is_some()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Handle {
    fn close(&self) {
        self.shared.queue.lock().closing = true;
        self.shared.queue_changed.notify_all();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has broken its promises, which says all there is to say.
            let _ = thread.join();
        }
    }
}

/// A ledger as its own source of entries: what is not in a full bundle is in memory.
#[derive(Debug, Clone)]
struct Own(Arc<Shared>);

impl Entries for Own {
    fn size(&self) -> u64 {
        self.0.tail.lock().size()
    }

    fn bundle(&self, n: u64) -> Result<RawBundle, ReadError> {
        {
            let tail = self.0.tail.lock();
            if let Some(skip) = (n * TILE).checked_sub(tail.first) {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                return Ok(tail.entries.iter().skip(skip).take(256).map(|entry| &entry.bytes).collect());
            }
        }
        reader::fetch_bundle(&self.0.files, n, 256)
    }
}

impl Entries for Ledger {
    fn size(&self) -> u64 {
        Self::size(self)
    }

    fn bundle(&self, n: u64) -> Result<RawBundle, ReadError> {
        self.own().bundle(n)
    }
}

impl Ledger {
    /// Creates the ledger in `directory`, or recovers it: whatever was acknowledged is there. Refuses to go on from
    /// files that contradict the checkpoint that this ledger last signed.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let recovery::Recovered { shared, writer, publisher, lock } = recovery::open(directory, options)?;
        let threads = {
            let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
                std::thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(work)
                    .map_err(|cause| OpenError::Io { path: directory.display().to_string(), cause })
            };
            let writing = Arc::clone(&shared);
            let publishing = Arc::clone(&shared);
            let publishing_lock = Arc::clone(&lock);
            let publisher =
                spawn("ledger-publisher", Box::new(move || publisher::run(publisher, &publishing, publishing_lock)))?;
            // Should the second thread not start, the first finds the ledger closed.
            match spawn("ledger-writer", Box::new(move || writer::run(writer, &writing, lock))) {
                Ok(writer) => vec![writer, publisher],
                Err(error) => {
                    shared.tail.lock().closed = true;
                    shared.tail_changed.notify_all();
                    return Err(error);
                }
            }
        };
        Ok(Self(Arc::new(Handle { shared, threads: Mutex::new(threads) })))
    }

    /// Queues an entry. Never blocks; the receipt comes once the entry is durable.
    pub fn append(&self, entry: &Entry) -> Pending {
        // Encoding and hashing happen here, on as many threads as there are callers.
        let bytes = match entry.encode() {
            Ok(bytes) => bytes.into_boxed_slice(),
            Err(error) => return Pending::failed(error.into()),
        };
        let shared = &self.0.shared;
        if shared.is_broken() {
            return Pending::failed(AppendError::Broken);
        }
        let leaf = record_hash(&bytes);
        let (pending, promise) = Pending::new();
        let mut queue = shared.queue.lock();
        if queue.closing {
            return Pending::failed(AppendError::Broken);
        }
        if queue.waiting.len() >= shared.limit {
            return Pending::failed(AppendError::Full);
        }
        queue.waiting.push(Waiting { bytes, leaf, promise });
        let first = queue.waiting.len() == 1;
        drop(queue);
        if first {
            shared.queue_changed.notify_all();
        }
        pending
    }

    /// Durable entries.
    pub fn size(&self) -> u64 {
        self.0.shared.tail.lock().size()
    }

    pub fn status(&self) -> Status {
        let shared = &self.0.shared;
        let broken = shared.broken.lock().clone();
        let queued = shared.queue.lock().waiting.len();
        let tail = shared.tail.lock();
        let archived = shared.archived.load(Ordering::Acquire) * TILE;
        Status { size: tail.size(), checkpoint_size: tail.checkpoint_size(), queued, archived, broken }
    }

    /// The last signed checkpoint; none before the first entry.
    pub fn checkpoint(&self) -> Option<String> {
        self.signed_checkpoint().map(|checkpoint| checkpoint.note.clone())
    }

    pub fn signed_checkpoint(&self) -> Option<Arc<SignedCheckpoint>> {
        self.0.shared.tail.lock().checkpoint.clone()
    }

    /// A checkpoint over everything that is durable now, without waiting for the interval. Blocks.
    pub fn checkpoint_now(&self) -> Result<Option<Arc<SignedCheckpoint>>, AppendError> {
        let shared = &self.0.shared;
        let mut tail = shared.tail.lock();
        let wanted = tail.size();
        tail.wanted = tail.wanted.max(wanted);
        shared.tail_changed.notify_all();
        while tail.checkpoint_size() < wanted {
            if tail.finished {
                return Err(AppendError::Broken);
            }
            shared.tail_changed.wait(&mut tail);
        }
        Ok(tail.checkpoint.clone())
    }

    /// What a verifier needs to know to check this log.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.0.shared.verifier
    }

    pub fn entry(&self, index: u64) -> Result<Option<Entry>, ReadError> {
        reader::entry(&self.own(), index)
    }

    pub fn scan(&self, range: Range<u64>) -> impl Iterator<Item = Result<(u64, Entry), ReadError>> + use<> {
        reader::scan(self.own(), range)
    }

    /// Newest first, from just before `before`.
    pub fn scan_back(&self, before: u64) -> impl Iterator<Item = Result<(u64, Entry), ReadError>> + use<> {
        reader::scan_back(self.own(), before)
    }

    pub fn find(&self, id: DecisionId) -> Result<Option<(u64, Entry)>, ReadError> {
        reader::find(&self.own(), id)
    }

    /// A file of the published log by its name in C2SP tlog-tiles; `None` for any other name.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let path: LogPath = path.parse().ok()?;
        if path == LogPath::Checkpoint {
            return self.checkpoint().map(String::into_bytes);
        }
        fetch_or_full(&self.0.shared.files, path).ok().flatten()
    }

    pub fn prove_inclusion(&self, index: u64) -> Result<InclusionProof, ProofError> {
        let checkpoint = self.signed_checkpoint().ok_or(ReadError::NoCheckpoint)?;
        let not_covered = ProofError::NotCovered { index, size: checkpoint.size };
        let bytes = reader::raw(&self.own(), index)?.ok_or(not_covered)?;
        proof::inclusion(&self.0.shared.files, &checkpoint, index, &bytes)
    }

    /// That the log of `new` entries, at most those under the checkpoint, continues the log of `old`.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, ProofError> {
        let checkpoint = self.signed_checkpoint().ok_or(ReadError::NoCheckpoint)?;
        proof::consistency(&self.0.shared.files, &checkpoint, old, new)
    }

    /// Checks the newest entries of the published log against its checkpoint, as anybody outside would. Reads files.
    pub fn verify_newest(
        &self,
        newest: u64,
        progress: impl FnMut(verify::Progress) -> ControlFlow<()>,
    ) -> Result<verify::Report, verify::VerifyError> {
        let trust = verify::Trust { key: self.verifier_key().clone(), since: None };
        verify::verify_newest(&self.0.shared.files, &trust, newest, progress)
    }

    /// Writes what is queued, signs a last checkpoint, and stops; other clones are refused from then on.
    pub fn close(self) {
        self.0.close();
    }

    fn own(&self) -> Own {
        Own(Arc::clone(&self.0.shared))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}
