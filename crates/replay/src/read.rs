//! Entries as a replay reads them: what takes part in deciding again, borrowed where it can be, and the rest skipped.
//! The reasons of a decision are half of its entry, and are read only where it comes out otherwise.

use countersign_ledger::{Peeked, ShownPair, shown_id_of};
use countersign_model::{Action, Circumstances, DenialCause, SessionId, Shown, ShownId};
use countersign_policy::Effect;
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Recorded<'a> {
    pub(crate) question: Question,
    decision: Outcome,
    /// The set that decided.
    #[serde(borrow)]
    pub(crate) policy_set: &'a str,
    #[serde(default)]
    pub(crate) shown: Option<ShownPair>,
}

#[derive(Deserialize)]
pub(crate) struct Question {
    pub(crate) action: Action,
    pub(crate) session: Option<SessionId>,
    pub(crate) circumstances: Circumstances,
}

#[derive(Deserialize)]
struct Outcome {
    effect: Word,
    cause: Option<DenialCause>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Deny,
    Challenge,
    Allow,
}

impl<'a> Recorded<'a> {
    pub(crate) fn read(content: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(content)
    }

    pub(crate) fn effect(&self) -> Effect {
        match self.decision.effect {
            Word::Deny => Effect::Deny,
            Word::Challenge => Effect::Challenge,
            Word::Allow => Effect::Allow,
        }
    }

    /// Whether it was denied before any policy was asked: whatever the policies say, it would be again.
    pub(crate) fn before_policies(&self) -> bool {
        match self.decision.cause {
            Some(
                DenialCause::UnknownResource
                | DenialCause::InvalidCredential
                | DenialCause::SubjectDisabled
                | DenialCause::OutOfScope
                | DenialCause::Unavailable,
            ) => true,
            Some(DenialCause::NoPermit | DenialCause::Forbidden | DenialCause::ForbidFailed) | None => false,
        }
    }
}

/// What an entry tells of, and its name.
pub(crate) fn shown(peeked: &Peeked<'_>) -> Result<(ShownId, Shown), serde_json::Error> {
    Ok((shown_id_of(peeked.content), serde_json::from_slice(peeked.content)?))
}
