//! Who or what asks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{GroupId, Source, SubjectId, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectKind {
    Human,
    Service,
    Agent,
    /// Nobody has proven who this is.
    Anonymous,
}

impl SubjectKind {
    pub const ALL: [Self; 4] = [Self::Human, Self::Service, Self::Agent, Self::Anonymous];
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::Anonymous => "anonymous",
        })
    }
}

/// One identity of the inventory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    pub id: SubjectId,
    pub display_name: String,
    pub email: Option<String>,
    /// The human who answers for a service or an agent. A human needs none.
    pub owner: Option<SubjectId>,
    /// Whom an agent acts for.
    pub acts_for: Option<SubjectId>,
    pub state: SubjectState,
    /// The groups it is a direct member of.
    pub groups: Vec<GroupId>,
    pub source: Source,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectState {
    Active,
    /// Known, and refused everything.
    Disabled,
}

/// A set of subjects or groups. Membership is transitive; a cycle is refused where the group is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Group {
    pub id: GroupId,
    pub display_name: String,
    /// The groups that this group is a direct member of.
    pub member_of: Vec<GroupId>,
    pub source: Source,
}
