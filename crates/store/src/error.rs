//! Why the store did not do it. A caller that only knows "it failed" can treat every variant alike and fail closed.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the one-time value has been used, has expired, or never existed")]
    AlreadyUsed,
    #[error("the change refers to a record that does not exist: {0}")]
    Missing(String),
    #[error("the change collides with an existing record: {0}")]
    Conflict(String),
    #[error(
        "the store was written by a newer version (schema {found}, this program knows {known}): install that version, or restore a backup"
    )]
    NewerSchema { found: i32, known: i32 },
    #[error("the store is damaged, restore a backup: {0}")]
    Corrupt(String),
    #[error("{path} is not a Countersign store")]
    NotAStore { path: PathBuf },
    #[error("{path} exists already and is not overwritten")]
    Exists { path: PathBuf },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}
