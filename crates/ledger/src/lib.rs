//! The transparency log: append-only, Merkle, signed. Entries are durable before they are acknowledged; tiles and
//! checkpoints are in the C2SP layouts, so that anybody can verify them with tools that are not ours. No executor, no
//! network, no policy: bytes, a disk and one thread that writes.

mod archive;
mod bundle;
mod disk;
mod entry;
mod key;
mod ledger;
mod path;
mod peek;
mod pending;
mod proof;
mod publisher;
mod reader;
mod recovery;
mod source;
mod tree;
pub mod verify;
mod wal;
mod writer;

pub use archive::{ArchiveError, Archived};
pub use bundle::RawBundle;
pub use disk::{Disk, Lock, LogFile, SystemDisk};
pub use entry::{
    ActEntry, Asked, DecisionEntry, DecodeError, EncodeError, Entry, EntryBody, LeaseEndedEntry, MAX_ENTRY, Point,
    PublishedPolicy, SHOWN_AGAIN, ShownPair, shown_id, shown_id_of,
};
pub use key::{KeyError, SignedCheckpoint, SigningKey, VerifierKey};
pub use ledger::{Ledger, OpenError, Options, Status};
pub use path::{LogPath, PathError, TILE};
pub use peek::{Peeked, PeekedDecision};
pub use pending::{AppendError, Pending, Receipt};
pub use proof::{ConsistencyProof, InclusionProof, ProofError, Proven};
pub use reader::{Entries, ReadError, Reader};
pub use source::{Directory, Source, SourceError};

#[cfg(test)]
mod tests;
