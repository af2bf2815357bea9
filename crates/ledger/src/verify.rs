//! Verifying a whole log offline: from nothing but its files, the verifier key and, if somebody kept one, an earlier
//! checkpoint. Works from the checkpoint's root downwards, so that each fault is found at the lowest place that the
//! signature still vouches for: an entry where the tiles are genuine, a bundle where its tile is not.

use std::fmt;
use std::ops::ControlFlow;

use tlog_tiles::{Hash, record_hash};

use crate::path::{LogPath, TILE};
use crate::publisher::partial_paths;
use crate::reader::fetch_bundle;
use crate::source::fetch_tile;
use crate::tree::{self, Frontier};
use crate::{Directory, KeyError, ReadError, SignedCheckpoint, Source, SourceError, VerifierKey, proof};

/// What the verifier believes before it starts.
#[derive(Debug, Clone)]
pub struct Trust {
    pub key: VerifierKey,
    /// A checkpoint of this log that was kept from earlier: what finds a log that was rolled back or rewritten.
    pub since: Option<SignedCheckpoint>,
}

/// How far a verification is, in entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// What a verification found. The log holds exactly when `faults` is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub checkpoint: SignedCheckpoint,
    /// Entries under the checkpoint.
    pub entries: u64,
    /// Of these, how many were looked at.
    pub checked: u64,
    /// Of these, how many are archived and were checked by their hashes alone.
    pub archived: u64,
    /// In the order of the log; at most [`MAX_FAULTS`].
    pub faults: Vec<Fault>,
}

/// After so many faults a verification stops: the reader has seen enough.
pub const MAX_FAULTS: usize = 1000;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The entry's bytes are not those that the checkpoint covers.
    Changed { index: u64 },
    /// The entry stands at `index` and belongs at `belongs`.
    Moved { index: u64, belongs: u64 },
    /// Entries `first` to `last` are gone: their bundle is missing or ends too early.
    Removed { first: u64, last: u64, file: String },
    /// Something in entries `first` to `last` was changed, and their hash tile too.
    Rewritten { first: u64, last: u64 },
    /// The entries are genuine, their hash tile is not.
    Tile { file: String },
    /// The hash tiles at the log's end do not lead to the root that was signed.
    Root,
    /// The log is shorter than it was when `since` entries were signed.
    RolledBack { since: u64, size: u64 },
    /// The first `since` entries are not those that were signed then.
    History { since: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { index } => write!(f, "entry {index} was changed"),
            Self::Moved { index, belongs } => write!(f, "entry {index} was moved: it belongs at {belongs}"),
            Self::Removed { first, last, file } => write!(f, "entries {first} to {last} were removed ({file})"),
            Self::Rewritten { first, last } => write!(f, "entries {first} to {last} and their hashes were changed"),
            Self::Tile { file } => write!(f, "{file} was changed; the entries are genuine"),
            Self::Root => f.write_str("the hashes at the log's end do not lead to the signed root"),
            Self::RolledBack { since, size } => {
                write!(
                    f,
                    "the log was rolled back: it had {since} entries when the kept checkpoint was signed, and has {size}"
                )
            }
            Self::History { since } => {
                write!(f, "the history was rewritten: the first {since} entries are not those of the kept checkpoint")
            }
        }
    }
}

/// Why nothing can be said about a log.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the log has no checkpoint")]
    NoCheckpoint,
    #[error("the checkpoint proves nothing: {0}")]
    Checkpoint(#[from] KeyError),
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Verifies the files of a directory.
pub fn verify_directory(
    directory: &Directory,
    trust: &Trust,
    progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    verify_source(directory, trust, progress)
}

/// Verifies a log wherever it comes from. `progress` is called after each bundle.
pub fn verify_source(
    source: &impl Source,
    trust: &Trust,
    mut progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    verify_newest(source, trust, u64::MAX, |at| {
        progress(at);
        ControlFlow::Continue(())
    })
}

/// The same, of no more than the newest entries: whole bundles with `newest` entries, or one bundle more than that. Those
/// before them are vouched for by nothing but the hashes above them. `progress` ends it with `Break`; the report is then of
/// what was checked so far.
pub fn verify_newest(
    source: &impl Source,
    trust: &Trust,
    newest: u64,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, VerifyError> {
    let note = source.fetch(&LogPath::Checkpoint)?.ok_or(VerifyError::NoCheckpoint)?;
    let checkpoint = trust.key.open(&note)?;
    let size = checkpoint.size;
    let mut report = Report { checkpoint, entries: size, checked: 0, archived: 0, faults: Vec::new() };

    let mut tiles = Tiles { source, size, level_one: Vec::new(), end: Vec::new() };
    if !tiles.authenticate(&report.checkpoint, &mut report.faults)? {
        report.faults.push(Fault::Root);
        return Ok(report);
    }
    if let Some(since) = &trust.since {
        report.faults.extend(history_fault(source, &report.checkpoint, since));
    }
    let archived = source.archived()?;
    for n in size.saturating_sub(newest) / TILE..size.div_ceil(TILE) {
        let done = ((n + 1) * TILE).min(size);
        let width = u16::try_from(done - n * TILE).unwrap_or(256);
        if tiles.check_bundle(n, width, n < archived, &mut report.faults)? {
            report.archived += u64::from(width);
        }
        report.checked += u64::from(width);
        if report.faults.len() >= MAX_FAULTS {
            report.faults.truncate(MAX_FAULTS);
            break;
        }
        if progress(Progress { done, total: size }).is_break() {
            break;
        }
    }
    Ok(report)
}

fn history_fault(source: &impl Source, now: &SignedCheckpoint, since: &SignedCheckpoint) -> Option<Fault> {
    if since.size > now.size {
        return Some(Fault::RolledBack { since: since.size, size: now.size });
    }
    let same = proof::root_at(source, now, since.size).is_ok_and(|root| root == since.hash);
    (!same || since.origin != now.origin).then_some(Fault::History { since: since.size })
}

/// The hash tiles, authenticated from the root downwards.
struct Tiles<'a, S> {
    source: &'a S,
    size: u64,
    /// The roots of the full tiles of level 0; `None` where nothing genuine says what it is.
    level_one: Vec<Option<Hash>>,
    /// The growing tile of level 0, genuine.
    end: Vec<Hash>,
}

impl<S: Source> Tiles<'_, S> {
    /// Whether anything leads to the signed root: the tiles at the log's end, or what can be computed anew. If so,
    /// everything above level 0 is settled.
    fn authenticate(&mut self, checkpoint: &SignedCheckpoint, faults: &mut Vec<Fault>) -> Result<bool, SourceError> {
        Ok(self.descend(checkpoint, faults)?
            || self.rebuild(checkpoint, false, faults)?
            || self.rebuild(checkpoint, true, faults)?)
    }

    /// From the tiles at the log's end, which are all that the root needs, downwards.
    fn descend(&mut self, checkpoint: &SignedCheckpoint, faults: &mut Vec<Fault>) -> Result<bool, SourceError> {
        let mut edge: Vec<Vec<Hash>> = Vec::new();
        for path in partial_paths(self.size) {
            let LogPath::Tile { level, n, width } = path else { continue };
            let Some(tile) = fetch_tile(self.source, level, n, width)? else { return Ok(false) };
            edge.resize(usize::from(level) + 1, Vec::new());
            if let Some(slot) = edge.get_mut(usize::from(level)) {
                *slot = tile;
            }
        }
        if tree::root(edge.iter().map(Vec::as_slice)) != checkpoint.hash {
            return Ok(false);
        }
        // From the top: the hashes of one level vouch for the full tiles of the level below.
        let mut above: Vec<Option<Hash>> = Vec::new();
        for (level, end) in edge.iter().enumerate().skip(1).rev() {
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            let mut hashes = Vec::new();
            for (n, vouched) in (0_u64..).zip(&above) {
                hashes.extend(self.full_tile(level, n, *vouched, faults)?);
            }
            hashes.extend(end.iter().copied().map(Some));
            above = hashes;
        }
        self.level_one = above;
        self.end = edge.into_iter().next().unwrap_or_default();
        Ok(true)
    }

    /// The tree computed anew from its leaves, as level 0 or as the entries themselves give them. If that leads to the
    /// root, whatever differs from it is wrong.
    fn rebuild(
        &mut self,
        checkpoint: &SignedCheckpoint,
        from_entries: bool,
        faults: &mut Vec<Fault>,
    ) -> Result<bool, SourceError> {
        let mut frontier = Frontier::default();
        let mut level_one = Vec::new();
        let mut right = Vec::new();
        for n in 0..self.size.div_ceil(TILE) {
            let width = u16::try_from((self.size - n * TILE).min(TILE)).unwrap_or(256);
            let leaves = if from_entries {
                match fetch_bundle(self.source, n, width) {
                    Ok(entries) => Some(entries.iter().map(record_hash).collect()),
                    Err(ReadError::Source(error)) => return Err(error),
                    Err(_) => None,
                }
            } else {
                fetch_tile(self.source, 0, n, width)?
            };
            let Some(leaves) = leaves else { return Ok(false) };
            for leaf in leaves {
                frontier.push(leaf, |path, hashes| match path {
                    LogPath::Tile { level: 0, .. } => level_one.push(Some(tree::root_of(hashes))),
                    path => right.push((path, hashes.to_vec())),
                });
            }
        }
        if frontier.root() != checkpoint.hash {
            return Ok(false);
        }
        right.extend(frontier.partial().map(|(path, hashes)| (path, hashes.to_vec())));
        for (path, hashes) in right {
            let LogPath::Tile { level, n, width } = path else { continue };
            if fetch_tile(self.source, level, n, width)?.as_ref() != Some(&hashes) {
                faults.push(Fault::Tile { file: path.to_string() });
            }
            if level == 0 {
                self.end = hashes;
            }
        }
        self.level_one = level_one;
        Ok(true)
    }

    /// The hashes of a full tile above level 0, or as many times nothing.
    fn full_tile(
        &self,
        level: u8,
        n: u64,
        vouched: Option<Hash>,
        faults: &mut Vec<Fault>,
    ) -> Result<Vec<Option<Hash>>, SourceError> {
        let tile = fetch_tile(self.source, level, n, 256)?;
        if let (Some(tile), Some(vouched)) = (tile, vouched)
            && tree::root_of(&tile) == vouched
        {
            return Ok(tile.into_iter().map(Some).collect());
        }
        faults.push(Fault::Tile { file: LogPath::Tile { level, n, width: 256 }.to_string() });
        Ok(vec![None; 256])
    }

    /// Checks the entries of one bundle; whether they are archived and not at hand.
    fn check_bundle(&self, n: u64, width: u16, archived: bool, faults: &mut Vec<Fault>) -> Result<bool, SourceError> {
        let first = n * TILE;
        let last = first + u64::from(width) - 1;
        let vouched = usize::try_from(n).ok().and_then(|n| self.level_one.get(n)).copied().flatten();
        let genuine = if u64::from(width) < TILE {
            Some(self.end.clone())
        } else {
            fetch_tile(self.source, 0, n, width)?.filter(|tile| vouched == Some(tree::root_of(tile)))
        };

        let entries = match fetch_bundle(self.source, n, width) {
            Ok(entries) => entries,
            Err(ReadError::Source(error)) => return Err(error),
            Err(ReadError::Archived { .. }) if archived && genuine.is_some() => return Ok(true),
            Err(_) => {
                let file = LogPath::Entries { n, width }.to_string();
                faults.push(Fault::Removed { first, last, file });
                return Ok(false);
            }
        };
        let leaves: Vec<Hash> = entries.iter().map(record_hash).collect();
        match genuine {
            Some(tile) => {
                for (index, (leaf, expected)) in (first..).zip(leaves.iter().zip(&tile)) {
                    if leaf != expected {
                        faults.push(match (first..).zip(&tile).find(|(_, hash)| *hash == leaf) {
                            Some((belongs, _)) => Fault::Moved { index, belongs },
                            None => Fault::Changed { index },
                        });
                    }
                }
            }
            None if u64::from(width) == TILE && vouched == Some(tree::root_of(&leaves)) => {
                faults.push(Fault::Tile { file: LogPath::Tile { level: 0, n, width }.to_string() });
            }
            None => faults.push(Fault::Rewritten { first, last }),
        }
        Ok(false)
    }
}
