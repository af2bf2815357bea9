//! Something known, with where it comes from, when it was seen, and how long that counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Who vouches for a fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A configuration directory, through `apply`.
    Configuration,
    /// A person or a programme, through the console, the API or the command line.
    Administrator,
    /// The subject itself: a passkey ceremony, an invitation followed.
    Enrolment,
    /// An external OpenID Connect provider.
    OpenIdConnect,
    /// The device's own signed report.
    DeviceReport,
    /// Countersign itself, such as a break-in or a built-in resource.
    Countersign,
}

/// A value that counts from `observed` for `max_age`, and not a millisecond longer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fact<T> {
    pub value: T,
    pub source: Source,
    pub observed: Timestamp,
    #[serde(with = "seconds")]
    pub max_age: Duration,
}

impl<T> Fact<T> {
    /// The first instant at which the fact no longer counts.
    pub fn expires(&self) -> Timestamp {
        self.observed.plus(self.max_age)
    }

    /// The value while it counts. A fact from the future does not count: its clock is wrong or it is forged.
    pub fn current(&self, now: Timestamp) -> Option<&T> {
        (self.observed <= now && now < self.expires()).then_some(&self.value)
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(span.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}
