//! The write-ahead log as bytes: segments of records, one record per batch. Pure; the writer appends records, recovery
//! reads them back, and both count on the chain: a record's checksum covers its entries' leaf hashes and the checksum
//! before it, so that a record can stand in one place only.
//!
//! ```text
//! segment  = "CSLOG\0\0\x01", first index (u64), checksum before (32), checksum of these (32), records
//! record   = "CSR1", length of entries (u32), first index (u64), count (u32), entries as in a bundle, checksum (32)
//! checksum = SHA-256(checksum before, the record's first 20 bytes, SHA-256(leaf hash of each entry))
//! ```
//! Integers are big-endian.

use sha2::{Digest as _, Sha256};
use tlog_tiles::{Hash, record_hash};

use crate::bundle;

const SEGMENT_MAGIC: [u8; 8] = *b"CSLOG\0\0\x01";
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"CSR1";
pub(crate) const SEGMENT_HEADER: usize = 80;
const RECORD_HEADER: usize = 20;

/// The most that one record's entries may take. The writer stops a batch before this.
pub(crate) const MAX_BATCH: usize = 8 << 20;

pub(crate) type Checksum = [u8; 32];

/// Writes a segment's first bytes.
pub(crate) fn segment_header(base: u64, before: &Checksum) -> Vec<u8> {
    let mut bytes = [SEGMENT_MAGIC.as_slice(), &base.to_be_bytes(), before].concat();
    let checksum: Checksum = Sha256::digest(&bytes).into();
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The first index of a segment and the checksum that its first record continues.
pub(crate) fn parse_segment_header(bytes: &[u8]) -> Option<(u64, Checksum)> {
    let header = bytes.get(..SEGMENT_HEADER)?;
    let base = u64::from_be_bytes(header.get(8..16)?.try_into().ok()?);
    let before: Checksum = header.get(16..48)?.try_into().ok()?;
    (header == segment_header(base, &before)).then_some((base, before))
}

/// A record under construction.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    bytes: Vec<u8>,
    leaves: Sha256,
    first: u64,
    count: u32,
}

impl RecordWriter {
    /// `buffer` is an earlier record's, to use its memory again.
    pub(crate) fn new(mut buffer: Vec<u8>, first: u64) -> Self {
        buffer.clear();
        buffer.resize(RECORD_HEADER, 0);
        Self { bytes: buffer, leaves: Sha256::new(), first, count: 0 }
    }

    pub(crate) fn push(&mut self, entry: &[u8], leaf: Hash) {
        bundle::push(&mut self.bytes, entry);
        self.leaves.update(leaf.0);
        self.count += 1;
    }

    /// The bytes to write, and the checksum that the next record continues.
    pub(crate) fn finish(mut self, before: &Checksum) -> (Vec<u8>, Checksum) {
        let length = u32::try_from(self.bytes.len() - RECORD_HEADER).unwrap_or(u32::MAX);
        let header = header(length, self.first, self.count);
        for (byte, value) in self.bytes.iter_mut().zip(header) {
            *byte = value;
        }
        let checksum = checksum(before, &header, self.leaves.finalize().into());
        self.bytes.extend_from_slice(&checksum);
        (self.bytes, checksum)
    }
}

fn header(length: u32, first: u64, count: u32) -> [u8; RECORD_HEADER] {
    let mut header = [0; RECORD_HEADER];
    let fields =
        RECORD_MAGIC.into_iter().chain(length.to_be_bytes()).chain(first.to_be_bytes()).chain(count.to_be_bytes());
    for (byte, value) in header.iter_mut().zip(fields) {
        *byte = value;
    }
    header
}

fn checksum(before: &Checksum, header: &[u8; RECORD_HEADER], leaves: Checksum) -> Checksum {
    Sha256::new().chain_update(before).chain_update(header).chain_update(leaves).finalize().into()
}

/// One record read back.
#[derive(Debug, PartialEq)]
pub(crate) struct Record<'a> {
    pub(crate) first: u64,
    pub(crate) entries: Vec<(&'a [u8], Hash)>,
    pub(crate) checksum: Checksum,
    /// Bytes taken.
    pub(crate) length: usize,
}

/// Reads the record at the front of `bytes`, which follows a record with the checksum `before`. `None` if there is no
/// whole, unharmed record.
pub(crate) fn parse_record<'a>(bytes: &'a [u8], before: &Checksum) -> Option<Record<'a>> {
    let (head, rest) = bytes.split_first_chunk::<RECORD_HEADER>()?;
    let length = u32::from_be_bytes(head.get(4..8)?.try_into().ok()?);
    let first = u64::from_be_bytes(head.get(8..16)?.try_into().ok()?);
    let count = u32::from_be_bytes(head.get(16..20)?.try_into().ok()?);
    if *head != header(length, first, count) || length as usize > MAX_BATCH {
        return None;
    }
    let (entries, rest) = rest.split_at_checked(length as usize)?;
    let stored = rest.first_chunk::<32>()?;
    let mut leaves = Sha256::new();
    let mut read = Vec::with_capacity((count as usize).min(entries.len() / 2));
    for entry in bundle::split(entries) {
        let entry = entry.ok()?;
        let leaf = record_hash(entry);
        leaves.update(leaf.0);
        read.push((entry, leaf));
    }
    let right = read.len() == count as usize && checksum(before, head, leaves.finalize().into()) == *stored;
    right.then_some(Record { first, entries: read, checksum: *stored, length: RECORD_HEADER + length as usize + 32 })
}

/// Whether a whole record stands anywhere in `bytes`. The writer starts a record only after the one before is durable:
/// bytes that are no record, with a record after them, are therefore damage and not an unfinished write.
pub(crate) fn any_record(bytes: &[u8]) -> bool {
    let mut at = 32;
    while let Some(rest) = bytes.get(at..) {
        let Some(next) = rest.windows(RECORD_MAGIC.len()).position(|window| window == RECORD_MAGIC) else {
            return false;
        };
        at += next;
        let before = bytes.get(..at).and_then(<[u8]>::last_chunk::<32>);
        let record = bytes.get(at..).zip(before).and_then(|(bytes, before)| parse_record(bytes, before));
        if record.is_some() {
            return true;
        }
        at += 1;
    }
    false
}
