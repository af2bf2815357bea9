//! How much a foreign file may ask of this process, and how whoever waits hears of progress and stops it. No clock:
//! progress is told in bytes and rows, not in time.

use std::fmt;
use std::ops::ControlFlow;

use crate::fault::Cause;

/// What an import may cost at most. The defaults fit a directory of a million accounts on a laptop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one file after it was unpacked and turned into UTF-8.
    pub file_bytes: usize,
    /// Bytes of all files of one import, unpacked.
    pub total_bytes: usize,
    /// Files in one archive.
    pub archive_files: usize,
    /// An archived file may grow to so many times its packed size. JSON of directories packs about 1 : 20.
    pub archive_ratio: usize,
    /// Nodes and edges of one import.
    pub rows: usize,
    /// Bytes of one name, key or other text that is kept.
    pub text_bytes: usize,
    /// Parts of sources in one import, such as domains: each is looked for among all others.
    pub parts: usize,
    /// Statements of policies that are weighed in one file, where everybody is held against everything.
    pub decisions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 1 << 30,
            total_bytes: 2 << 30,
            archive_files: 10_000,
            archive_ratio: 200,
            rows: 20_000_000,
            text_bytes: 4096,
            parts: 1000,
            decisions: 1_000_000_000,
        }
    }
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress<'a> {
    /// The file that is being read.
    pub file: &'a str,
    /// Records of that file so far.
    pub records: u64,
    /// Nodes and edges of the whole import so far.
    pub rows: usize,
}

/// Told how far an import is; `Break` stops it, and nothing is taken.
pub struct Watch<'a> {
    tell: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
}

/// Every so many records it is told.
const EVERY: u64 = 256;

impl<'a> Watch<'a> {
    pub fn new(tell: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>) -> Self {
        Self { tell }
    }

    pub(crate) fn record(&mut self, progress: Progress<'_>) -> Result<(), Cause> {
        if !progress.records.is_multiple_of(EVERY) {
            return Ok(());
        }
        match (self.tell)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Cause::Cancelled),
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
