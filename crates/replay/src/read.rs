//! Entries as a replay reads them: what takes part in deciding again, taken out of its place, and the rest skipped. The
//! circumstances are read only where a decision is made again, its reasons only where it comes out otherwise.

use countersign_ledger::{Entry, Peeked, PeekedDecision, ShownPair, shown_id_of};
use countersign_model::{Action, Circumstances, DenialCause, SessionId, Shown, ShownId};
use countersign_policy::Effect;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;

/// Why an entry is none that a replay can go by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is no decision in its one spelling")]
    Spelling,
    #[error("{0}")]
    Word(String),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

pub(crate) struct Recorded<'a> {
    decision: PeekedDecision<'a>,
    pub(crate) action: Action,
    pub(crate) effect: Effect,
    /// Whether it was denied before any policy was asked: whatever the policies say, it would be again.
    pub(crate) before_policies: bool,
    pub(crate) shown: Option<ShownPair>,
}

/// What is decided again, beside what was shown.
pub(crate) struct Question {
    pub(crate) session: Option<SessionId>,
    pub(crate) circumstances: Circumstances,
}

impl<'a> Recorded<'a> {
    pub(crate) fn read(content: &'a [u8]) -> Result<Self, Unreadable> {
        let decision = PeekedDecision::of(content).ok_or(Unreadable::Spelling)?;
        let effect = match decision.effect {
            "deny" => Effect::Deny,
            "challenge" => Effect::Challenge,
            "allow" => Effect::Allow,
            other => return Err(Unreadable::Word(format!("{other:?} is no decision"))),
        };
        let shown = match decision.shown {
            Some((subject, resource)) => Some(ShownPair { subject: word(subject)?, resource: word(resource)? }),
            None => None,
        };
        let before_policies = match decision.cause {
            Some(cause) => match cause_of(cause)? {
                DenialCause::UnknownResource
                | DenialCause::InvalidCredential
                | DenialCause::SubjectDisabled
                | DenialCause::OutOfScope
                | DenialCause::Unavailable => true,
                DenialCause::NoPermit | DenialCause::Forbidden | DenialCause::ForbidFailed => false,
            },
            None => false,
        };
        Ok(Self { action: word(decision.action)?, effect, before_policies, shown, decision })
    }

    /// The set that decided.
    pub(crate) const fn policy_set(&self) -> &'a str {
        self.decision.policy_set
    }

    pub(crate) fn question(&self) -> Result<Question, serde_json::Error> {
        Ok(Question {
            session: serde_json::from_slice(self.decision.session)?,
            circumstances: serde_json::from_slice(self.decision.circumstances)?,
        })
    }
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|error| Unreadable::Word(format!("{text:?}: {error}")))
}

fn cause_of(text: &str) -> Result<DenialCause, Unreadable> {
    DenialCause::deserialize(text.into_deserializer()).map_err(|error: WordError| Unreadable::Word(error.to_string()))
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
        "decision" => Recorded::read(peeked.content).is_ok_and(|recorded| recorded.question().is_ok()),
        _ => true,
    }
}
