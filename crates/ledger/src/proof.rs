//! Proofs: that an entry is in the log, and that one state of the log continues another. An [`InclusionProof`] is a
//! document of its own: with it and the log's verifier key anybody can check one entry, offline, without the log.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, Tile, TileHashReader, TileReader, record_hash};

use crate::source::fetch_tile;
use crate::{DecodeError, Entry, KeyError, ReadError, SignedCheckpoint, Source, VerifierKey};

const VERSION: u8 = 1;

/// A path in a tree of 2^64 leaves has 64 hashes, a consistency proof one more.
const MAX_PATH: usize = 65;

/// That `entry` is number `index` in the log whose `checkpoint` this is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    pub v: u8,
    pub index: u64,
    /// Exactly the bytes that the tree holds: themselves JSON.
    pub entry: String,
    /// RFC 6962 audit path, leaf to root, each hash in base64.
    pub path: Vec<String>,
    /// The signed note.
    pub checkpoint: String,
}

/// That the log of `new` entries continues the log of `old` entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    pub v: u8,
    pub old: u64,
    pub new: u64,
    /// RFC 6962 consistency proof, each hash in base64.
    pub path: Vec<String>,
}

/// What an inclusion proof has shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Proven {
    pub index: u64,
    pub entry: Entry,
    pub checkpoint: SignedCheckpoint,
}

#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("entry {index} is not under the checkpoint of {size} entries yet")]
    NotCovered { index: u64, size: u64 },
    #[error("there is no proof from {old} to {new} entries: the log has {size}")]
    Range { old: u64, new: u64, size: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the log's tiles do not agree with its checkpoint: {0}")]
    Tiles(tlog_tiles::Error),
    #[error("this is not a proof document: {0}")]
    Malformed(String),
    #[error(transparent)]
    Checkpoint(#[from] KeyError),
    #[error("the proof does not lead from the entry to the checkpoint's root")]
    Wrong,
    #[error("the second checkpoint does not continue the first")]
    Inconsistent,
    #[error(transparent)]
    Entry(#[from] DecodeError),
}

impl InclusionProof {
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a proof document: foreign bytes.
    pub fn parse(json: &[u8]) -> Result<Self, ProofError> {
        let proof: Self = serde_json::from_slice(json).map_err(|error| ProofError::Malformed(error.to_string()))?;
        version(proof.v)?;
        Ok(proof)
    }

    /// Checks the whole chain: the key signed the checkpoint, and the entry is under it at its index.
    pub fn check(&self, key: &VerifierKey) -> Result<Proven, ProofError> {
        version(self.v)?;
        let checkpoint = key.open(self.checkpoint.as_bytes())?;
        let leaf = record_hash(self.entry.as_bytes());
        let path = hashes(&self.path)?;
        tlog_tiles::check_record(&path, checkpoint.size, checkpoint.hash, self.index, leaf)
            .map_err(|_| ProofError::Wrong)?;
        Ok(Proven { index: self.index, entry: Entry::decode(self.entry.as_bytes())?, checkpoint })
    }
}

impl ConsistencyProof {
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a proof document: foreign bytes.
    pub fn parse(json: &[u8]) -> Result<Self, ProofError> {
        let proof: Self = serde_json::from_slice(json).map_err(|error| ProofError::Malformed(error.to_string()))?;
        version(proof.v)?;
        Ok(proof)
    }

    /// Checks that `new` continues `old`.
    pub fn check(&self, old: &SignedCheckpoint, new: &SignedCheckpoint) -> Result<(), ProofError> {
        version(self.v)?;
        if (self.old, self.new) != (old.size, new.size) || old.origin != new.origin {
            return Err(ProofError::Inconsistent);
        }
        tlog_tiles::check_tree(&hashes(&self.path)?, new.size, new.hash, old.size, old.hash)
            .map_err(|_| ProofError::Inconsistent)
    }
}

fn version(v: u8) -> Result<(), ProofError> {
    if v == VERSION { Ok(()) } else { Err(ProofError::Malformed(format!("version {v}, known is {VERSION}"))) }
}

fn hashes(path: &[String]) -> Result<Vec<Hash>, ProofError> {
    if path.len() > MAX_PATH {
        return Err(ProofError::Wrong);
    }
    path.iter().map(|hash| Hash::parse_hash(hash).map_err(|_| ProofError::Malformed("a hash".to_owned()))).collect()
}

fn texts(path: &[Hash]) -> Vec<String> {
    path.iter().map(|hash| BASE64_STANDARD.encode(hash.0)).collect()
}

/// Reads tiles for `TileHashReader`, which authenticates each against the checkpoint.
struct Tiles<'a, S>(&'a S);

impl<S: Source> TileReader for Tiles<'_, S> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| {
            let width = u16::try_from(tile.width()).map_err(|_| tlog_tiles::Error::InvalidTile)?;
            let hashes = fetch_tile(self.0, tile.level(), tile.level_index(), width)
                .map_err(|error| tlog_tiles::Error::InvalidInput(error.to_string()))?
                .ok_or(tlog_tiles::Error::InvalidTile)?;
            Ok(crate::bundle::hashes_to_bytes(&hashes))
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

pub(crate) fn inclusion(
    source: &impl Source,
    checkpoint: &SignedCheckpoint,
    index: u64,
    entry: &[u8],
) -> Result<InclusionProof, ProofError> {
    let size = checkpoint.size;
    if index >= size {
        return Err(ProofError::NotCovered { index, size });
    }
    let tiles = Tiles(source);
    let reader = TileHashReader::new(size, checkpoint.hash, &tiles);
    let path = tlog_tiles::prove_record(size, index, &reader).map_err(ProofError::Tiles)?;
    // The tiles are genuine by now; whether the entry is shows here, before a wrong proof leaves the house.
    tlog_tiles::check_record(&path, size, checkpoint.hash, index, record_hash(entry)).map_err(|_| ProofError::Wrong)?;
    let entry = String::from_utf8(entry.to_vec()).map_err(|error| ProofError::Malformed(error.to_string()))?;
    Ok(InclusionProof { v: VERSION, index, entry, path: texts(&path), checkpoint: checkpoint.note.clone() })
}

pub(crate) fn consistency(
    source: &impl Source,
    checkpoint: &SignedCheckpoint,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, ProofError> {
    let size = checkpoint.size;
    if old == 0 || old > new || new > size {
        return Err(ProofError::Range { old, new, size });
    }
    let tiles = Tiles(source);
    let reader = TileHashReader::new(size, checkpoint.hash, &tiles);
    let path = tlog_tiles::prove_tree(new, old, &reader).map_err(ProofError::Tiles)?;
    Ok(ConsistencyProof { v: VERSION, old, new, path: texts(&path) })
}

/// The root that the log had at `size` entries.
pub(crate) fn root_at(source: &impl Source, checkpoint: &SignedCheckpoint, size: u64) -> Result<Hash, ProofError> {
    let tiles = Tiles(source);
    let reader = TileHashReader::new(checkpoint.size, checkpoint.hash, &tiles);
    tlog_tiles::tree_hash(size, &reader).map_err(ProofError::Tiles)
}
