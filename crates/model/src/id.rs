//! Identifiers. A name that came from outside goes through [`Name::new`] once and is safe to print, to log and to
//! put into a Cedar entity id afterwards. Random identifiers are 128 bits, printed as 32 lower-case hex digits.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::{SubjectKind, Timestamp, is_hidden};

/// A name as people and directories write it: 1 to 256 bytes of UTF-8, no character that a reader
/// does not see as what it is ([`is_hidden`]), no white space at either end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name must not be empty")]
    Empty,
    #[error("a name has at most 256 bytes, this one has {0}")]
    TooLong(usize),
    #[error("a name must not begin or end with white space")]
    Padded,
    #[error("a name must not contain the character U+{0:04X}")]
    Forbidden(u32),
}

impl Name {
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 256 {
            return Err(NameError::TooLong(text.len()));
        }
        if text.trim().len() != text.len() {
            return Err(NameError::Padded);
        }
        match text.chars().find(|&c| is_hidden(c)) {
            Some(c) => Err(NameError::Forbidden(u32::from(c))),
            None => Ok(Self(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

// Written by hand, as those below: every entry of the ledger holds a dozen identifiers, and `into = "String"` would make
// a `String` of each.
impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{0:?} is not 32 hexadecimal digits")]
    NotHex(String),
    #[error("{0:?} does not say what kind of subject it is: write human:NAME, service:NAME or agent:NAME")]
    NoKind(String),
}

macro_rules! named {
    ($($(#[$doc:meta])* $type:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Name);

        impl $type {
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
                Name::new(text).map(Self)
            }
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }
        impl From<Name> for $type {
            fn from(name: Name) -> Self {
                Self(name)
            }
        }
        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

named! {
    /// A device, by the name that enrolment gave it.
    DeviceId
    /// A resource, by the name its configuration gives it.
    ResourceId
    /// A set of resources inside one trust boundary.
    SegmentId
    /// A set of subjects or of other groups.
    GroupId
    /// A policy, by its `@id`.
    PolicyId
    /// A named network zone: a set of address ranges.
    ZoneName
    /// A documented deviation.
    ExceptionId
    /// A campaign in which access is looked at again.
    ReviewId
    /// An API key's public part: what may be shown and logged.
    KeyId
}

macro_rules! random {
    ($($(#[$doc:meta])* $type:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $type(u128);

        impl $type {
            /// The caller supplies the randomness; this crate has none.
            pub const fn from_random(bits: u128) -> Self {
                Self(bits)
            }
            /// An id that sorts by, and tells, when it was made: 48 bits of milliseconds, then 80 random ones.
            pub const fn timed(made: Timestamp, random: u128) -> Self {
                Self(((made.millis() as u128 & 0xffff_ffff_ffff) << 80) | (random >> 48))
            }
            /// When a [timed](Self::timed) id was made. Anybody may write an id: a hint where to look, not a fact.
            pub const fn made(self) -> Timestamp {
                Timestamp::from_millis((self.0 >> 80) as i64)
            }
            pub const fn bits(self) -> u128 {
                self.0
            }
        }
        impl FromStr for $type {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                match u128::from_str_radix(text, 16) {
                    Ok(bits) if hex => Ok(Self(bits)),
                    _ => Err(ParseIdError::NotHex(text.chars().take(40).collect())),
                }
            }
        }
        impl TryFrom<String> for $type {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(as_text(&hex(self.0)))
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(as_text(&hex(self.0)))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

/// The digits of a random identifier.
fn hex(bits: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bits.to_be_bytes()) {
        *pair = [byte >> 4, byte & 15].map(|half| if half < 10 { b'0' + half } else { b'a' + half - 10 });
    }
    digits
}

fn as_text(digits: &[u8; 32]) -> &str {
    str::from_utf8(digits).unwrap_or_default()
}

random! {
    /// One decision; the same id stands in the ledger, in the upstream headers and on the denial page.
    DecisionId
    /// One live permission.
    LeaseId
    /// An authenticated subject on a device. Never the secret that proves it.
    SessionId
    /// Just-in-time privilege.
    GrantId
    /// What a decision was shown of a subject or a resource, by its content: the first half of a SHA-256.
    ShownId
}

/// Who or what asks: `human:alice@example.org`, `service:backup`, `agent:planner`, or `anonymous`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct SubjectId {
    kind: SubjectKind,
    name: Name,
}

impl SubjectId {
    pub const fn new(kind: SubjectKind, name: Name) -> Self {
        Self { kind, name }
    }

    pub fn human(name: &str) -> Result<Self, NameError> {
        Ok(Self::new(SubjectKind::Human, Name::new(name)?))
    }

    pub fn service(name: &str) -> Result<Self, NameError> {
        Ok(Self::new(SubjectKind::Service, Name::new(name)?))
    }

    pub fn agent(name: &str) -> Result<Self, NameError> {
        Ok(Self::new(SubjectKind::Agent, Name::new(name)?))
    }

    /// Whoever has not signed in.
    pub fn anonymous() -> Self {
        static NAME: LazyLock<Name> = LazyLock::new(|| Name(Arc::from("anonymous")));
        Self::new(SubjectKind::Anonymous, NAME.clone())
    }

    pub const fn kind(&self) -> SubjectKind {
        self.kind
    }

    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl FromStr for SubjectId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text == "anonymous" {
            return Ok(Self::anonymous());
        }
        let no_kind = || ParseIdError::NoKind(text.chars().take(80).collect());
        let (kind, name) = text.split_once(':').ok_or_else(no_kind)?;
        let kind = match kind {
            "human" => SubjectKind::Human,
            "service" => SubjectKind::Service,
            "agent" => SubjectKind::Agent,
            _ => return Err(no_kind()),
        };
        Ok(Self::new(kind, Name::new(name)?))
    }
}

impl TryFrom<String> for SubjectId {
    type Error = ParseIdError;
    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl Serialize for SubjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SubjectKind::Anonymous => f.write_str("anonymous"),
            kind => write!(f, "{kind}:{}", self.name),
        }
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
