//! The transparency log.

/// Proof that an entry is durable. Only the writer makes one, after the entry has reached the disk.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    index: u64,
}

impl Receipt {
    /// The entry's position in the log.
    pub const fn index(&self) -> u64 {
        self.index
    }
}
