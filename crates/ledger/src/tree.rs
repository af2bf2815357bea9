//! The right edge of the Merkle tree: for each level of tiles, the hashes of the one that is still growing. That is
//! all it takes to append and to know the root (RFC 6962, section 2.1). Pure.

use tlog_tiles::{EMPTY_HASH, Hash, Tile, node_hash};

use crate::path::{LogPath, TILE};

/// A growing tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frontier {
    size: u64,
    /// By level; each shorter than a full tile.
    levels: Vec<Vec<Hash>>,
}

impl Frontier {
    /// A tree that ends with full tiles of entries: `levels` are the hashes of the tiles still growing.
    pub(crate) const fn resume(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; hands over each tile that it completes, lowest level first.
    pub(crate) fn push(&mut self, leaf: Hash, mut full: impl FnMut(LogPath, &[Hash])) {
        let mut hash = leaf;
        let mut count = self.size;
        self.size += 1;
        for level in 0_u8.. {
            let index = usize::from(level);
            if self.levels.len() == index {
                self.levels.push(Vec::new());
            }
            let Some(tile) = self.levels.get_mut(index) else { return };
            tile.push(hash);
            if (tile.len() as u64) < TILE {
                return;
            }
            full(LogPath::Tile { level, n: count / TILE, width: 256 }, tile);
            hash = root_of(tile);
            tile.clear();
            count /= TILE;
        }
    }

    /// The tiles still growing, with what they hold.
    pub(crate) fn partial(&self) -> impl Iterator<Item = (LogPath, &[Hash])> {
        let mut hashes = self.size;
        self.levels.iter().zip(0_u8..).filter_map(move |(tile, level)| {
            let n = hashes / TILE;
            hashes /= TILE;
            let width = u16::try_from(tile.len()).ok().filter(|&width| width > 0)?;
            Some((LogPath::Tile { level, n, width }, tile.as_slice()))
        })
    }

    pub(crate) fn root(&self) -> Hash {
        root(self.levels.iter().map(Vec::as_slice))
    }
}

/// The root of a full tile.
pub(crate) fn root_of(full: &[Hash]) -> Hash {
    Tile::subtree_hash(&full.iter().flat_map(|hash| hash.0).collect::<Vec<_>>())
}

/// The root of a tree from its growing tiles, lowest level first.
pub(crate) fn root<'a>(levels: impl Iterator<Item = &'a [Hash]>) -> Hash {
    let mut right: Option<Hash> = None;
    for tile in levels {
        // A tile of k hashes is a perfect tree for each binary digit of k, the largest leftmost.
        let mut rest = tile;
        while !rest.is_empty() {
            let perfect = 1 << rest.len().trailing_zeros();
            let (left, last) = rest.split_at(rest.len() - perfect);
            let hash = root_of(last);
            right = Some(right.map_or(hash, |right| node_hash(hash, right)));
            rest = left;
        }
    }
    right.unwrap_or(EMPTY_HASH)
}
