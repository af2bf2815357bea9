//! State that must survive, behind one trait and one conformance suite. Nothing here decides, caches or reads a
//! clock. The trait speaks the model's types and a few records of its own; rows and SQL stay inside [`SqliteStore`],
//! so that another database is another implementation and nothing else.

mod change;
pub mod conformance;
mod error;
mod records;
mod sqlite;

pub use change::Change;
pub use error::StoreError;
pub use records::{
    Hash, KeyRecord, KeyScope, LinkRecord, PasskeyRecord, ProviderSession, RiskRecord, SessionRecord, TokenPurpose,
    TokenRecord,
};
pub use sqlite::SqliteStore;

use std::fmt;
use std::path::Path;

use countersign_model::{Device, Exception, Group, Resource, Review, Segment, Subject, SubjectId, Timestamp};

/// Synchronous; a caller on an async runtime moves it to a blocking thread.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Makes all of `changes`, in order, or none of them, durably. A reference may point to a record that a later
    /// change of the same call puts.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;

    /// Calls `visit` for each subject, in order of its id, without holding them all. `groups` come back sorted.
    /// `visit` must not call the store.
    fn each_subject(&self, visit: &mut dyn FnMut(Subject)) -> Result<(), StoreError>;
    /// Like [`Store::each_subject`].
    fn each_device(&self, visit: &mut dyn FnMut(Device)) -> Result<(), StoreError>;
    /// Like [`Store::each_subject`].
    fn each_risk(&self, visit: &mut dyn FnMut(RiskRecord)) -> Result<(), StoreError>;
    /// Like [`Store::each_subject`].
    fn each_session(&self, visit: &mut dyn FnMut(SessionRecord)) -> Result<(), StoreError>;

    fn groups(&self) -> Result<Vec<Group>, StoreError>;
    fn segments(&self) -> Result<Vec<Segment>, StoreError>;
    fn resources(&self) -> Result<Vec<Resource>, StoreError>;
    fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;
    fn exceptions(&self) -> Result<Vec<Exception>, StoreError>;
    /// With their lines, in the order of their ids.
    fn reviews(&self) -> Result<Vec<Review>, StoreError>;

    fn passkey(&self, credential: &str) -> Result<Option<PasskeyRecord>, StoreError>;
    /// Oldest first.
    fn passkeys_of(&self, subject: &SubjectId) -> Result<Vec<PasskeyRecord>, StoreError>;

    /// The token with this hash, if it has not been consumed and `now` is before its expiry.
    fn token(&self, hash: &Hash, now: Timestamp) -> Result<Option<TokenRecord>, StoreError>;
    /// Every token that could still be used at `now`, oldest first.
    fn tokens(&self, now: Timestamp) -> Result<Vec<TokenRecord>, StoreError>;

    fn link(&self, issuer: &str, provider_subject: &str) -> Result<Option<LinkRecord>, StoreError>;
    fn links_of(&self, subject: &SubjectId) -> Result<Vec<LinkRecord>, StoreError>;

    /// A named value: sealed secrets, settings.
    fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a consistent copy to the new file `to`, readable by its owner only, while the store is in use.
    fn backup(&self, to: &Path) -> Result<(), StoreError>;
    /// Replaces everything with the contents of a [backup](Store::backup), all or nothing. Whoever holds facts in
    /// memory has to read them again.
    fn restore(&self, from: &Path) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
