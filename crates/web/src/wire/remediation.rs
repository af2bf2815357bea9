//! What is done about the gaps, as JSON: who takes a step on, what somebody answers for, and how it went. Steps, states and figures have
//! the form that the command line prints (docs/gaps.md), and are not spelled again here.

use countersign_assess as assess;
use countersign_govern as govern;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Instant;

/// In which form the steps are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StepsQuery {
    /// `json`, `csv` for a spreadsheet, or `markdown` for an issue tracker.
    pub format: Option<String>,
}

/// Who does a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignmentBody {
    pub owner: String,
    /// Until when; still to come.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due: Option<Instant>,
}

/// A step that was there and is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedStep {
    pub step: String,
    pub title: String,
    /// The date of the first assessment without it.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// `because the evidence changed`, `… what this server counts changed`, or `… time passed`.
    pub because: String,
    /// How many it was about.
    pub count: u64,
    /// Who had taken it on.
    pub owner: Option<String>,
}

impl From<&govern::Closed> for ClosedStep {
    fn from(closed: &govern::Closed) -> Self {
        let govern::Closed { step, title, at, because, count, owner } = closed.clone();
        Self { step, title, at, because: because.words().to_owned(), count, owner }
    }
}

/// What somebody answers for, under the name of whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestationBody {
    /// The id of a control of the gap map.
    pub control: String,
    /// `in-place`, `partial` or `not-in-place`.
    pub claim: String,
    /// What was seen.
    pub statement: String,
    /// A year from now at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub until: Instant,
}

/// Whose word is taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AttestationQuery {
    pub control: String,
    /// Who gave it; absent for one's own.
    pub by: Option<String>,
}

/// A person's word on a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attestation {
    pub control: String,
    pub claim: String,
    pub statement: String,
    pub by: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub until: Instant,
    /// The ledger's entry that records it.
    pub entry: Option<u64>,
    /// Whether it counts now.
    pub in_force: bool,
}

impl Attestation {
    pub(crate) fn new(word: &assess::Attestation, now: Instant) -> Self {
        let in_force = word.in_force(now);
        let assess::Attestation { control, claim, statement, by, at, until, entry } = word.clone();
        Self { control, claim: govern::word(claim), statement, by, at, until, entry, in_force }
    }
}

/// Which line of the trend is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrendQuery {
    /// `score`, `area …` or the id of a metric; all of them if absent.
    pub of: Option<String>,
}

/// What is kept of an earlier assessment, without its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptSnapshot {
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Instant,
    pub inventory_sha256: String,
    pub own_sha256: String,
    /// Steps that were open.
    pub steps: u64,
    pub reach_tier_zero: u64,
    /// Whether the inventory that it was counted from is the one that is kept: then it can be counted again here. Where not,
    /// whoever has the inventory of this hash can.
    pub evidence_at_hand: bool,
}
