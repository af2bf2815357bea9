//! Entry bundles and hash tiles as bytes: entries each behind a big-endian two-byte length, hashes one after the other
//! (C2SP tlog-tiles). Pure; every function takes foreign bytes.

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

pub(crate) fn hashes_to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// `None` unless `bytes` is a whole number of hashes.
pub(crate) fn bytes_to_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_SIZE>();
    rest.is_empty().then(|| hashes.iter().copied().map(Hash).collect())
}
