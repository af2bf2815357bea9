//! Reading a log: entries by index, forwards, backwards and by decision. [`Reader`] reads a published log (a directory
//! that somebody else may be writing, or a web server) as of its checkpoint; a [`crate::Ledger`] reads itself through
//! the same code, up to the last durable entry. Entries are not checked against the tree here: see [`crate::verify`].

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use countersign_model::{DecisionId, Timestamp};
use parking_lot::Mutex;

use crate::bundle::RawBundle;
use crate::path::{LogPath, TILE};
use crate::source::fetch_or_full;
use crate::{
    ConsistencyProof, DecodeError, Entry, EntryBody, InclusionProof, KeyError, ProofError, SignedCheckpoint, Source,
    SourceError, VerifierKey, proof,
};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the log has no checkpoint")]
    NoCheckpoint,
    #[error(transparent)]
    Checkpoint(#[from] KeyError),
    #[error("entries before {before} are archived: `countersign ledger show --archive DIRECTORY` reads them")]
    Archived { before: u64 },
    #[error("{file} is missing")]
    Missing { file: String },
    #[error("{file} is not a whole entry bundle")]
    Malformed { file: String },
    #[error("entry {index}: {cause}")]
    Entry { index: u64, cause: DecodeError },
}

/// Anything with numbered entries: a log that is written, or a published one. For whoever reads millions of them, on
/// several threads, and decodes only what it needs.
pub trait Entries: Clone {
    fn size(&self) -> u64;

    /// Those of bundle `n`, of [`TILE`] entries each, that exist, in order.
    fn bundle(&self, n: u64) -> Result<RawBundle, ReadError>;

    /// The first entry that is at hand: what is before it is archived.
    fn first(&self) -> Result<u64, ReadError> {
        match raw(self, 0) {
            Ok(_) => Ok(0),
            Err(ReadError::Archived { before }) => Ok(before.min(self.size())),
            Err(error) => Err(error),
        }
    }

    /// An index before which no entry is as late as `at`. Entries are nearly in the order of their times; what is
    /// archived counts as earlier.
    fn not_before(&self, at: Timestamp) -> Result<u64, ReadError> {
        first_not_earlier(self, at.minus(DISORDER))
    }
}

fn first_not_earlier(log: &impl Entries, at: Timestamp) -> Result<u64, ReadError> {
    let earlier = |index| match raw(log, index) {
        Ok(bytes) => Ok(bytes.and_then(|bytes| Entry::peek_at(&bytes)).is_some_and(|it| it < at)),
        // What is archived is the oldest.
        Err(ReadError::Archived { .. }) => Ok(true),
        Err(error) => Err(error),
    };
    let (mut low, mut high) = (0, log.size());
    while low < high {
        let middle = low + (high - low) / 2;
        if earlier(middle)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

pub(crate) fn fetch_bundle(source: &impl Source, n: u64, width: u16) -> Result<RawBundle, ReadError> {
    let path = LogPath::Entries { n, width };
    let Some(bytes) = fetch_or_full(source, path)? else {
        let archived = source.archived()?;
        if n < archived {
            return Err(ReadError::Archived { before: archived.saturating_mul(TILE) });
        }
        return Err(ReadError::Missing { file: path.full().to_string() });
    };
    match RawBundle::parse(bytes) {
        Ok(bundle) if bundle.len() == usize::from(width) => Ok(bundle),
        _ => Err(ReadError::Malformed { file: path.to_string() }),
    }
}

pub(crate) fn raw(log: &impl Entries, index: u64) -> Result<Option<Box<[u8]>>, ReadError> {
    if index >= log.size() {
        return Ok(None);
    }
    let bundle = log.bundle(index / TILE)?;
    Ok(usize::try_from(index % TILE).ok().and_then(|place| bundle.get(place)).map(Box::from))
}

fn decode(index: u64, bytes: &[u8]) -> Result<Entry, ReadError> {
    Entry::decode(bytes).map_err(|cause| ReadError::Entry { index, cause })
}

pub(crate) fn entry(log: &impl Entries, index: u64) -> Result<Option<Entry>, ReadError> {
    raw(log, index)?.map(|bytes| decode(index, &bytes)).transpose()
}

/// One entry's bytes, with its index.
type RawEntry = Result<(u64, Box<[u8]>), ReadError>;

/// Raw entries in either direction, a bundle at a time.
#[derive(Debug)]
struct Walk<E> {
    log: E,
    range: Range<u64>,
    bundle: Option<(u64, RawBundle)>,
}

impl<E: Entries> Walk<E> {
    fn new(log: E, range: Range<u64>) -> Self {
        let end = range.end.min(log.size());
        Self { range: range.start.min(end)..end, log, bundle: None }
    }

    fn get(&mut self, index: u64) -> RawEntry {
        let n = index / TILE;
        let bundle = match &self.bundle {
            Some((held, bundle)) if *held == n => bundle.clone(),
            _ => {
                let bundle = self.log.bundle(n)?;
                self.bundle = Some((n, bundle.clone()));
                bundle
            }
        };
        let place = usize::try_from(index % TILE).ok();
        let bytes = place.and_then(|place| bundle.get(place)).map(Box::from);
        let missing = || ReadError::Malformed { file: LogPath::Entries { n, width: 256 }.to_string() };
        Ok((index, bytes.ok_or_else(missing)?))
    }

    /// After an error nothing more comes.
    fn step(&mut self, index: Option<u64>) -> Option<RawEntry> {
        let item = self.get(index?);
        if item.is_err() {
            self.range = 0..0;
        }
        Some(item)
    }
}

impl<E: Entries> Iterator for Walk<E> {
    type Item = RawEntry;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.range.next();
        self.step(index)
    }
}

impl<E: Entries> DoubleEndedIterator for Walk<E> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let index = self.range.next_back();
        self.step(index)
    }
}

fn decoded(item: RawEntry) -> Result<(u64, Entry), ReadError> {
    item.and_then(|(index, bytes)| Ok((index, decode(index, &bytes)?)))
}

pub(crate) fn scan<E: Entries>(log: E, range: Range<u64>) -> impl Iterator<Item = Result<(u64, Entry), ReadError>> {
    Walk::new(log, range).map(decoded)
}

pub(crate) fn scan_back<E: Entries>(log: E, before: u64) -> impl Iterator<Item = Result<(u64, Entry), ReadError>> {
    Walk::new(log, 0..before).rev().map(decoded)
}

/// How far apart the log's order and its entries' times may be: appends race, but not for longer than this.
const DISORDER: Duration = Duration::from_secs(10);

/// The entry of one decision. Its id tells when it was made; entries are nearly in the order of their times. It is an
/// error if the entry can only be among those that are archived.
pub(crate) fn find<E: Entries>(log: &E, id: DecisionId) -> Result<Option<(u64, Entry)>, ReadError> {
    let made = id.made();
    let low = first_not_earlier(log, made)?;
    let text = id.to_string();
    let is_it = |bytes: &[u8]| -> Option<Entry> {
        let mentions = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let entry = mentions.then(|| Entry::decode(bytes).ok()).flatten()?;
        matches!(&entry.body, EntryBody::Decision(decision) if decision.id == id).then_some(entry)
    };
    let forwards = Walk::new(log.clone(), low..u64::MAX);
    let backwards = Walk::new(log.clone(), 0..low).rev();
    for (walk, past) in [(&mut { forwards } as &mut dyn Iterator<Item = RawEntry>, true), (&mut { backwards }, false)] {
        for item in walk {
            let (index, bytes) = item?;
            if let Some(entry) = is_it(&bytes) {
                return Ok(Some((index, entry)));
            }
            let apart = Entry::peek_at(&bytes).map(|at| if past { at.since(made) } else { made.since(at) });
            if apart.is_some_and(|apart| apart > DISORDER) {
                break;
            }
        }
    }
    Ok(None)
}

/// A published log as of its checkpoint. Reading needs no lock: a writer never changes a file under a published name.
#[derive(Debug)]
pub struct Reader<S>(Arc<Inner<S>>);

#[derive(Debug)]
struct Inner<S> {
    source: S,
    checkpoint: SignedCheckpoint,
    last: Mutex<Option<(u64, RawBundle)>>,
}

impl<S> Clone for Reader<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Source> Entries for Reader<S> {
    fn size(&self) -> u64 {
        self.0.checkpoint.size
    }

    fn bundle(&self, n: u64) -> Result<RawBundle, ReadError> {
        if let Some((held, bundle)) = &*self.0.last.lock()
            && *held == n
        {
            return Ok(bundle.clone());
        }
        let width = u16::try_from((self.0.checkpoint.size - n * TILE).min(TILE)).unwrap_or(256);
        let bundle = fetch_bundle(&self.0.source, n, width)?;
        *self.0.last.lock() = Some((n, bundle.clone()));
        Ok(bundle)
    }
}

impl<S: Source> Reader<S> {
    /// Opens the log at the checkpoint that it shows now, which `key` must have signed.
    pub fn open(source: S, key: &VerifierKey) -> Result<Self, ReadError> {
        let note = source.fetch(&LogPath::Checkpoint)?.ok_or(ReadError::NoCheckpoint)?;
        let checkpoint = key.open(&note)?;
        Ok(Self(Arc::new(Inner { source, checkpoint, last: Mutex::default() })))
    }

    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.0.checkpoint
    }

    /// Entries under the checkpoint.
    pub fn size(&self) -> u64 {
        self.0.checkpoint.size
    }

    pub fn entry(&self, index: u64) -> Result<Option<Entry>, ReadError> {
        entry(self, index)
    }

    /// The entry exactly as the tree holds it.
    pub fn raw_entry(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(raw(self, index)?.map(Vec::from))
    }

    pub fn scan(&self, range: Range<u64>) -> impl Iterator<Item = Result<(u64, Entry), ReadError>> + use<S> {
        scan(self.clone(), range)
    }

    /// Newest first, from just before `before`.
    pub fn scan_back(&self, before: u64) -> impl Iterator<Item = Result<(u64, Entry), ReadError>> + use<S> {
        scan_back(self.clone(), before)
    }

    pub fn find(&self, id: DecisionId) -> Result<Option<(u64, Entry)>, ReadError> {
        find(self, id)
    }

    pub fn prove_inclusion(&self, index: u64) -> Result<InclusionProof, ProofError> {
        let bytes = raw(self, index)?.ok_or(ProofError::NotCovered { index, size: self.size() })?;
        proof::inclusion(&self.0.source, &self.0.checkpoint, index, &bytes)
    }

    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, ProofError> {
        proof::consistency(&self.0.source, &self.0.checkpoint, old, new)
    }
}
