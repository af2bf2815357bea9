//! Entry bundles and hash tiles as bytes: entries each behind a big-endian two-byte length, hashes one after the other
//! (C2SP tlog-tiles). Pure; every function takes foreign bytes.

use std::ops::Range;
use std::sync::Arc;

use tlog_tiles::{HASH_SIZE, Hash};

/// Adds an entry to a bundle. Whoever encoded the entry has checked that it is not too long.
pub(crate) fn push(bundle: &mut Vec<u8>, entry: &[u8]) {
    debug_assert!(entry.len() <= crate::MAX_ENTRY, "checked when it was encoded");
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Why bytes are not an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bundle breaks off after {0} entries")]
pub(crate) struct BundleError(pub(crate) usize);

/// The entries of a bundle, in order; an error ends it.
#[derive(Debug, Clone)]
pub(crate) struct Split<'a> {
    rest: &'a [u8],
    count: usize,
}

pub(crate) const fn split(bundle: &[u8]) -> Split<'_> {
    Split { rest: bundle, count: 0 }
}

impl<'a> Iterator for Split<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.rest.split_first_chunk::<2>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_be_bytes(*length));
            rest.split_at_checked(length)
        });
        match entry {
            Some((entry, rest)) => {
                self.rest = rest;
                self.count += 1;
                Some(Ok(entry))
            }
            None => {
                self.rest = &[];
                Some(Err(BundleError(self.count)))
            }
        }
    }
}

/// The raw entries of one bundle, in one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct RawBundle(Arc<Raw>);

#[derive(Debug, Default)]
struct Raw {
    bytes: Vec<u8>,
    /// Where in them each entry is.
    entries: Vec<Range<usize>>,
}

impl RawBundle {
    /// Of the bytes of a bundle's file.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, BundleError> {
        let mut entries = Vec::with_capacity(256);
        let mut end = 0;
        for entry in split(&bytes) {
            let start = end + 2;
            end = start + entry?.len();
            entries.push(start..end);
        }
        Ok(Self(Arc::new(Raw { bytes, entries })))
    }

    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    pub fn get(&self, place: usize) -> Option<&[u8]> {
        self.0.bytes.get(self.0.entries.get(place)?.clone())
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.entries.iter().filter_map(|entry| self.0.bytes.get(entry.clone()))
    }
}

impl<E: AsRef<[u8]>> FromIterator<E> for RawBundle {
    fn from_iter<I: IntoIterator<Item = E>>(entries: I) -> Self {
        let mut raw = Raw::default();
        for entry in entries {
            let start = raw.bytes.len();
            raw.bytes.extend_from_slice(entry.as_ref());
            raw.entries.push(start..raw.bytes.len());
        }
        Self(Arc::new(raw))
    }
}

pub(crate) fn hashes_to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// `None` unless `bytes` is a whole number of hashes.
pub(crate) fn bytes_to_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_SIZE>();
    rest.is_empty().then(|| hashes.iter().copied().map(Hash).collect())
}
