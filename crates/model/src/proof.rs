//! What became of the guardrails of a policy set when they were to be proven. How a proof is made is not known here.

use serde::{Deserialize, Serialize};

use crate::{PolicyId, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofResult {
    /// It holds for every possible request.
    Proven,
    /// A request is known for which it does not hold.
    Failed,
    /// It was tried, and nobody knows.
    Unknown,
    /// Nobody tried.
    NotRun,
}

impl ProofResult {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotRun => "not-run",
        }
    }
}

/// One guardrail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub id: PolicyId,
    pub result: ProofResult,
}

/// All guardrails of one set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proofs {
    /// SHA-256 over what they claim, in lower-case hex.
    pub guardrails: String,
    /// Which solver answered, and its version; absent where there was none.
    pub solver: Option<String>,
    /// When they were tried.
    pub at: Timestamp,
    pub results: Vec<Proof>,
}

impl Proofs {
    /// The same without results.
    #[must_use]
    pub fn about(&self) -> Self {
        Self { results: Vec::new(), guardrails: self.guardrails.clone(), solver: self.solver.clone(), at: self.at }
    }

    pub fn result(&self, id: &PolicyId) -> ProofResult {
        let found = self.results.iter().find(|proof| proof.id == *id);
        found.map_or(ProofResult::NotRun, |proof| proof.result)
    }
}
