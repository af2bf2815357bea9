//! Entries as a replay reads them: what takes part in deciding again, borrowed where it can be, and the rest skipped.
//! The reasons of a decision are half of its entry, and are read only where it comes out otherwise.

use std::borrow::Cow;

use countersign_ledger::{Entry, Peeked, ShownPair, shown_id_of};
use countersign_model::{Action, Circumstances, DenialCause, SessionId, Shown, ShownId};
use countersign_policy::Effect;
use serde::Deserialize;

/// `Q` is as much of the question as is asked for: [`Question`], or [`Outline`].
#[derive(Deserialize)]
pub(crate) struct Recorded<'a, Q> {
    pub(crate) question: Q,
    decision: Outcome,
    /// The set that decided.
    #[serde(borrow)]
    pub(crate) policy_set: Cow<'a, str>,
    #[serde(default)]
    pub(crate) shown: Option<ShownPair>,
}

#[derive(Deserialize)]
pub(crate) struct Question {
    pub(crate) action: Action,
    pub(crate) session: Option<SessionId>,
    pub(crate) circumstances: Circumstances,
}

/// Enough to tell what a change of policies cannot touch: the circumstances, most of an entry, are skipped.
#[derive(Deserialize)]
pub(crate) struct Outline {
    pub(crate) action: Action,
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

impl<'a, Q: Deserialize<'a>> Recorded<'a, Q> {
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

/// Whether a replay can read an entry, as far as it takes part: each one that [decodes](Entry::decode), and of others it
/// says so. Foreign bytes are tried on it.
pub fn reads(bytes: &[u8]) -> bool {
    let Some(peeked) = Entry::peek(bytes) else { return false };
    match peeked.kind {
        "shown" => shown(&peeked).is_ok(),
        "decision" => Recorded::<Question>::read(peeked.content).is_ok(),
        _ => true,
    }
}
