//! Proposed policies as JSON.

use std::collections::BTreeMap;

use countersign_model::SubjectId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Instant;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalBody {
    /// The whole set: file name → text.
    pub files: BTreeMap<String, String>,
    /// Why, for whoever approves it.
    #[serde(default)]
    pub note: String,
}

/// A policy set that waits for a second person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    pub id: String,
    #[schema(value_type = String)]
    pub by: SubjectId,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub expires: Instant,
    /// SHA-256 of the set that it was made from, and the only one that it may take the place of.
    pub base: String,
    /// Of the proposed set.
    pub hash: String,
    pub note: String,
    /// Other policies are in force than those that it was made from: nobody can approve it any more.
    pub stale: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProposalFiles {
    #[serde(flatten)]
    pub proposal: Proposal,
    /// File name → text.
    pub files: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proposals {
    pub items: Vec<Proposal>,
}

/// What became of policies that were put forward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proposed {
    /// Absent where the set has a mistake, or is what is in force.
    pub proposal: Option<Proposal>,
    /// Every mistake, with file, line and a caret.
    pub mistakes: Vec<String>,
    pub warnings: Vec<String>,
}

impl ProposalFiles {
    /// `in_force` is the hash of the policies in force.
    pub(crate) fn new(proposal: countersign_administrator::Proposal, in_force: &str) -> Self {
        let countersign_administrator::Proposal { id, by, people: _, at, expires, base, hash, note, files } = proposal;
        let stale = base != in_force;
        Self { proposal: Proposal { id, by, at, expires, base, hash, note, stale }, files }
    }
}
