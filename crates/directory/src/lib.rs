//! A directory that is asked while it runs: Active Directory and other LDAP servers, read over an encrypted connection into
//! a [`Mirror`], which is LDIF and goes the way of every file from there. What entries mean is known in the estate alone.
//!
//! Nothing is ever written to a directory, no referral is followed, and no secret is asked for: of attributes that hold
//! passwords only their presence is. The server is hostile like any file: it is read within limits of entries, bytes and time,
//! and whole or not at all.

mod account;
mod address;
mod ber;
mod collect;
mod entry;
mod filter;
mod limits;
mod message;
mod mirror;
mod refresh;
mod root;
mod schema;
mod search;
mod wire;

pub use account::{Account, AccountFault};
pub use address::{Address, AddressFault, Security};
pub use ber::Mangled;
pub use collect::{How, Reading, Request, WhyWhole, read, read_over};
pub use limits::{Limits, Progress, ReadFault, Watch};
pub use message::Refused;
pub use mirror::{Mirror, MirrorFault};
pub use wire::{Authorities, Stream, WireFault};

#[cfg(test)]
mod tests;
