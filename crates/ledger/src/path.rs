//! The names of the log's files, as C2SP tlog-tiles writes them: `checkpoint`, `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`, the same on disk and over HTTP. Parsing foreign text never yields a way out of the
//! directory: what is accepted is what [`std::fmt::Display`] writes.

use std::fmt;
use std::str::FromStr;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE: u64 = 256;

/// One file of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LogPath {
    Checkpoint,
    /// Hashes; `width` is 1 to 256, 256 being a full tile.
    Tile {
        level: u8,
        n: u64,
        width: u16,
    },
    Entries {
        n: u64,
        width: u16,
    },
}

/// A text that names no file of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no file of a log has this name")]
pub struct PathError;

impl LogPath {
    /// The same file when it is full.
    pub(crate) const fn full(self) -> Self {
        match self {
            Self::Checkpoint => Self::Checkpoint,
            Self::Tile { level, n, .. } => Self::Tile { level, n, width: 256 },
            Self::Entries { n, .. } => Self::Entries { n, width: 256 },
        }
    }
}

impl fmt::Display for LogPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, width) = match self {
            Self::Checkpoint => return f.write_str("checkpoint"),
            Self::Tile { level, n, width } => {
                write!(f, "tile/{level}")?;
                (n, width)
            }
            Self::Entries { n, width } => {
                f.write_str("tile/entries")?;
                (n, width)
            }
        };
        // 1234067 is x001/x234/067.
        let mut groups = vec![n % 1000];
        let mut rest = n / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (left, group) in groups.iter().enumerate().rev() {
            write!(f, "/{}{group:03}", if left > 0 { "x" } else { "" })?;
        }
        if u64::from(*width) < TILE { write!(f, ".p/{width}") } else { Ok(()) }
    }
}

impl FromStr for LogPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text == "checkpoint" {
            return Ok(Self::Checkpoint);
        }
        let rest = text.strip_prefix("tile/").ok_or(PathError)?;
        let (level, rest) = rest.split_once('/').ok_or(PathError)?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse::<u8>().map_err(|_| PathError)?.into()),
            None => (rest, 256),
        };
        let mut n = 0_u64;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let group: u64 = digits.parse().map_err(|_| PathError)?;
            n = n.checked_mul(1000).and_then(|n| n.checked_add(group)).ok_or(PathError)?;
        }
        let path = match level {
            "entries" => Self::Entries { n, width },
            level => Self::Tile { level: level.parse().map_err(|_| PathError)?, n, width },
        };
        let level = if let Self::Tile { level, .. } = path { level } else { 0 };
        // Only the one spelling: this is what keeps `..`, leading zeros, signs and empty groups out.
        if width == 0 || level > 63 || path.to_string() != text {
            return Err(PathError);
        }
        Ok(path)
    }
}
