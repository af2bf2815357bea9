//! What persons decide about the estate: that two identities are one or are not, and what a thing is. Recorded before it counts, kept
//! beside the inventory until that is next written as a whole.

use std::sync::Arc;

use countersign_administrator::{ActError, Actor};
use countersign_estate::{Classification, UnknownNode, Verdict};
use countersign_model::{Tier, Timestamp};

use crate::estate::{Estate, Held, NotReady};
use crate::files::{Decisions, KeptError};
use crate::importing::{ImportError, blocking};

/// How much is decided at once.
const AT_ONCE: usize = 200;
/// Characters of a name that a person writes.
const LONGEST: usize = 200;

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Link {
        one: String,
        other: String,
        same: bool,
    },
    /// In place of what was said before; saying nothing takes it back.
    Classify {
        key: String,
        said: Said,
    },
}

/// What somebody says a thing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub tier: Option<Tier>,
    pub owner: Option<String>,
    pub segment: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Unknown(#[from] UnknownNode),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error("it cannot be recorded now, so it was not done")]
    NotRecorded,
}

impl Word {
    /// Verb, target and detail, for the ledger.
    fn record(&self) -> (&'static str, String, String) {
        match self {
            Self::Link { one, other, same } => {
                let detail = if *same { "the same identity" } else { "not the same identity" };
                ("estate.link", format!("{one} {other}"), detail.to_owned())
            }
            Self::Classify { key, said } => {
                let mut words = Vec::new();
                words.extend(said.tier.map(|tier| format!("tier {tier}")));
                words.extend(said.owner.as_ref().map(|owner| format!("owner {owner}")));
                words.extend(said.segment.as_ref().map(|segment| format!("segment {segment}")));
                let detail = if words.is_empty() { "taken back".to_owned() } else { words.join(", ") };
                ("estate.classify", key.clone(), detail)
            }
        }
    }

    fn add(self, to: &mut Decisions, by: &str, at: Timestamp) -> Result<(), DecideError> {
        match self {
            Self::Link { one, other, same } => {
                to.verdicts.push(Verdict { one: one.into(), other: other.into(), same, by: by.to_owned(), at });
            }
            Self::Classify { key, said: Said { tier, owner, segment } } => {
                let (owner, segment) = (name(owner)?, name(segment)?);
                to.classifications.push(Classification {
                    key: key.into(),
                    tier,
                    owner,
                    segment,
                    by: by.to_owned(),
                    at,
                });
            }
        }
        Ok(())
    }
}

/// What a person wrote, without what moves a cursor or turns a line around.
fn name(text: Option<String>) -> Result<Option<Box<str>>, DecideError> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().count() > LONGEST || text.contains(hostile) {
        let why = format!("a name has at most {LONGEST} characters, and none that cannot be seen");
        return Err(DecideError::Refused(why));
    }
    Ok(Some(text.into()))
}

impl Estate {
    /// All of them or none.
    ///
    /// # Errors
    /// When one of them is about something that is not there, or nothing can be recorded or written.
    pub async fn decide(&self, words: Vec<Word>, actor: &Actor) -> Result<(), DecideError> {
        if words.is_empty() || words.len() > AT_ONCE {
            return Err(DecideError::Refused(format!("decide 1 to {AT_ONCE} things at a time")));
        }
        let _order = self.0.order.lock().await;
        let held = self.held()?;
        let (at, by) = (self.0.administrator.now(), actor.subject.to_string());
        let records: Vec<_> = words.iter().map(Word::record).collect();
        let mut new = Decisions::default();
        for word in words {
            word.add(&mut new, &by, at)?;
        }
        let next = blocking(move || -> Result<Held, DecideError> {
            let mut inventory = held.inventory.clone();
            let mut decisions = held.decisions.clone();
            for verdict in &new.verdicts {
                inventory.decide_link(verdict.clone())?;
            }
            for said in &new.classifications {
                inventory.classify(said.clone())?;
            }
            decisions.verdicts.append(&mut new.verdicts);
            decisions.classifications.append(&mut new.classifications);
            Ok(Held { inventory, decisions, history: Arc::clone(&held.history), generation: held.generation + 1 })
        });
        let next = next.await.map_err(stopped)??;
        for (verb, target, detail) in records {
            let recorded = self.0.administrator.record_act(actor, verb, target, detail).await;
            recorded.map_err(|_: ActError| DecideError::NotRecorded)?;
        }
        // A crash here leaves the record of a decision that has to be made again.
        let files = self.0.files.clone();
        let written = blocking(move || files.decide(&next.decisions).map(|()| next));
        self.hold(written.await.map_err(stopped)??);
        Ok(())
    }
}

fn stopped(error: ImportError) -> DecideError {
    DecideError::Refused(error.to_string())
}
