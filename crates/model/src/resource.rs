//! What a subject asks for.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ActionRule, GroupId, ResourceId, Route, SegmentId, Source, SubjectId, Timestamp};

/// How sensitive a resource is (PO-2). Ordered: a crown jewel is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    Public,
    Standard,
    High,
    CrownJewel,
}

impl Tier {
    pub const ALL: [Self; 4] = [Self::Public, Self::Standard, Self::High, Self::CrownJewel];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Standard => "standard",
            Self::High => "high",
            Self::CrownJewel => "crown-jewel",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// An HTTP application behind the gateway.
    Http,
    /// A part of Countersign itself: console, API, portal, sign-in.
    Countersign,
}

impl ResourceKind {
    pub const ALL: [Self; 2] = [Self::Http, Self::Countersign];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Countersign => "countersign",
        }
    }
}

/// One application, database or service under policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resource {
    pub id: ResourceId,
    pub display_name: String,
    pub kind: ResourceKind,
    pub tier: Tier,
    pub segment: Option<SegmentId>,
    pub owner: Option<SubjectId>,
    pub source: Source,
    /// Where a client finds it. Longest path prefix wins.
    pub routes: Vec<Route>,
    pub upstream: Upstream,
    /// First match wins; where none matches, the method decides.
    pub rules: Vec<ActionRule>,
    /// Who may use it at all, by group. Under which circumstances is the policies' business.
    #[serde(default)]
    pub entitled: Entitled,
    /// Until then its requests are decided and recorded, and what policies would deny is let through. Countersign's own
    /// parts have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe_until: Option<Timestamp>,
}

/// Whoever puts a resource into observe mode says when that ends, and that is no later than this from now.
pub const LONGEST_OBSERVATION: Duration = Duration::from_secs(90 * 24 * 3600);

impl Resource {
    /// Until when it is in observe mode, where it is at `now`.
    pub fn observed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.observe_until.filter(|until| self.kind != ResourceKind::Countersign && now < *until)
    }
}

/// The groups entitled to a resource. Nobody, by default; the group `everyone` has every human in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entitled {
    /// May read.
    pub readers: Vec<GroupId>,
    /// May read, write and connect.
    pub writers: Vec<GroupId>,
    /// May do everything.
    pub administrators: Vec<GroupId>,
}

/// Where an admitted request goes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// An HTTP origin: `http://127.0.0.1:3000`, `https://wiki.internal`, or `h2c://…` for HTTP/2 without TLS.
    Origin {
        url: String,
        /// Name of the CA bundle or certificate file that the origin's certificate must chain to; system roots if absent.
        ca: Option<String>,
        /// Send the client's `Host` instead of the origin's.
        preserve_host: bool,
    },
    /// A part of Countersign, in this process: `console`, `api`, `portal`, `sign-in`, `device`, `ledger`.
    Internal { part: String },
}

/// A set of resources inside one trust boundary.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Segment {
    pub id: SegmentId,
    pub display_name: String,
    pub source: Source,
}
