//! Why an import was refused. A fault names the file and the place in it and never repeats what stood there: an export
//! may hold secrets.

use thiserror::Error;

use crate::observation::Place;

/// An import that was refused, whole: nothing of it was taken.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{file}{}: {cause}", place.as_ref().map(|place| format!(", {place}")).unwrap_or_default())]
pub struct Fault {
    pub file: String,
    pub place: Option<Box<Place>>,
    /// Said already: it is no second line of the same chain.
    pub cause: Cause,
}

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Cause {
    #[error("cancelled; nothing was taken")]
    Cancelled,
    #[error("larger than {limit} bytes when unpacked")]
    TooLarge { limit: usize },
    #[error("all files together are larger than {limit} bytes when unpacked")]
    TooLargeTogether { limit: usize },
    #[error("unpacks to more than {limit} times its size; this is how archives attack who reads them")]
    Ratio { limit: usize },
    #[error("more than {limit} files in one archive")]
    TooManyFiles { limit: usize },
    #[error("more than {limit} nodes and edges in one import")]
    TooManyRows { limit: usize },
    #[error("more than {limit} domains, accounts or other parts in one import")]
    TooManyParts { limit: usize },
    #[error("its policies take more than {limit} steps to weigh; no account that AWS allows does")]
    TooMuchWork { limit: u64 },
    #[error("a text of more than {limit} bytes where a name or key belongs")]
    TextTooLong { limit: usize },
    #[error("more than {limit} values of one attribute")]
    TooManyValues { limit: usize },
    #[error("not a readable archive: {0}")]
    Archive(String),
    #[error("an archive in an archive; unpack the outer one first")]
    NestedArchive,
    #[error("is encrypted; unpack it first")]
    Encrypted,
    #[error("neither UTF-8 nor UTF-16 with a byte order mark (byte {offset})")]
    Encoding { offset: usize },
    #[error("is empty")]
    Empty,
    #[error("is of no kind that is known here; known are {}", crate::detect::KNOWN)]
    Unrecognised,
    #[error("JSON: {0}")]
    Json(String),
    #[error("{format} of version {version} is not known here; known are {known}")]
    Version { format: &'static str, version: i64, known: &'static str },
    #[error("{0}")]
    Malformed(String),
    #[error("collected at {at}, but newer is known already ({known}); import in the order of collection")]
    OlderThanKnown { at: countersign_model::Timestamp, known: countersign_model::Timestamp },
}

impl Cause {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }

    pub(crate) fn at(self, file: &str, place: Option<Place>) -> Fault {
        Fault { file: file.to_owned(), place: place.map(Box::new), cause: self }
    }
}
