//! What a subject wants to do. An action is a protocol and a class: policies are written about classes
//! (`action in Action::"read"`), enforcement points speak protocols.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What kind of thing an action does, whatever the protocol. In Cedar these are the action groups.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionClass {
    Read,
    Write,
    Administer,
    /// A channel that carries what the enforcement point does not look into: a WebSocket, a tunnel.
    Connect,
}

impl ActionClass {
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Administer, Self::Connect];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Administer => "administer",
            Self::Connect => "connect",
        }
    }
}

/// How an enforcement point sees the request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Http,
}

impl Protocol {
    pub const ALL: [Self; 1] = [Self::Http];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
        }
    }
}

/// One action; in Cedar `Action::"http:read"`, a member of `Action::"read"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    pub protocol: Protocol,
    pub class: ActionClass,
}

impl Action {
    pub const fn http(class: ActionClass) -> Self {
        Self { protocol: Protocol::Http, class }
    }

    pub fn all() -> impl Iterator<Item = Self> {
        Protocol::ALL.into_iter().flat_map(|protocol| ActionClass::ALL.map(|class| Self { protocol, class }))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.protocol.name(), self.class.name())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no action: write PROTOCOL:CLASS, such as http:read")]
pub struct ParseActionError(String);

impl FromStr for Action {
    type Err = ParseActionError;
    fn from_str(text: &str) -> Result<Self, ParseActionError> {
        let error = || ParseActionError(text.chars().take(40).collect());
        let (protocol, class) = text.split_once(':').ok_or_else(error)?;
        let protocol = Protocol::ALL.into_iter().find(|p| p.name() == protocol).ok_or_else(error)?;
        let class = ActionClass::ALL.into_iter().find(|c| c.name() == class).ok_or_else(error)?;
        Ok(Self { protocol, class })
    }
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
