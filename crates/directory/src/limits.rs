//! How much a directory may ask of whoever reads it, how that hears of progress and stops it, and why a reading ended
//! without a result.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::ber::Mangled;
use crate::message::Refused;
use crate::wire::WireFault;

/// What one reading may cost at most. The defaults fit a directory of a million accounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Entries that are asked for at once.
    pub page: u32,
    /// Entries of one reading.
    pub entries: u64,
    /// Bytes of all answers.
    pub bytes: u64,
    /// Bytes of one answer.
    pub message: usize,
    /// Values of one attribute, however many answers they come in.
    pub values: usize,
    /// Between two bytes of an answer.
    pub silence: Duration,
    /// The whole reading.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page: 500,
            entries: 5_000_000,
            bytes: 1 << 30,
            message: 64 << 20,
            values: 1_000_000,
            silence: Duration::from_secs(60),
            time: Duration::from_secs(4 * 3600),
        }
    }
}

/// How far a reading is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress<'a> {
    /// What is being read.
    pub what: &'a str,
    /// Entries so far, of everything.
    pub entries: u64,
}

/// Hears of progress; `Break` ends the reading, and nothing is taken.
pub type Watch<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

/// A reading without a result.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    #[error(transparent)]
    Wire(#[from] WireFault),
    #[error(transparent)]
    Mangled(#[from] Mangled),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("cancelled; nothing was taken")]
    Cancelled,
    #[error("the server gives more than {limit} entries")]
    Entries { limit: u64 },
    #[error("the server gives more than {limit} values of one attribute")]
    Values { limit: usize },
    #[error("the server says that more follows, again and again, and nothing does")]
    Endless,
    #[error("the server does not say what it holds; a base has to be named")]
    NoBase,
    #[error("the account sees nothing of {base}")]
    NothingSeen { base: String },
}

/// What a reading has used up so far.
pub(crate) struct Spent<'a> {
    pub(crate) limits: Limits,
    pub(crate) entries: u64,
    /// Answers that point to another server. None is followed.
    pub(crate) referrals: u64,
    what: String,
    watch: Watch<'a>,
}

/// Every so many entries it is told.
const EVERY: u64 = 250;

impl<'a> Spent<'a> {
    pub(crate) fn new(limits: Limits, watch: Watch<'a>) -> Self {
        Self { limits, entries: 0, referrals: 0, what: String::new(), watch }
    }

    pub(crate) fn begin(&mut self, what: &str) -> Result<(), ReadFault> {
        what.clone_into(&mut self.what);
        self.tell()
    }

    pub(crate) fn entry(&mut self) -> Result<(), ReadFault> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(ReadFault::Entries { limit: self.limits.entries });
        }
        if self.entries.is_multiple_of(EVERY) { self.tell() } else { Ok(()) }
    }

    fn tell(&mut self) -> Result<(), ReadFault> {
        match (self.watch)(Progress { what: &self.what, entries: self.entries }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ReadFault::Cancelled),
        }
    }
}
