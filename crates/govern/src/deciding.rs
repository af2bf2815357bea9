//! What persons decide about the estate: that two identities are one or are not, what a thing is, that a control stands, who does a step.
//! Recorded before it counts; what is about the inventory is kept beside it until that is next written as a whole.

use std::sync::Arc;

use countersign_administrator::{ActError, Actor};
use countersign_assess::State;
use countersign_estate::{Classification, UnknownNode, Verdict};
use countersign_model::{Tier, Timestamp};

use crate::estate::{Estate, Held, NotReady};
use crate::files::{Decisions, KeptError};
use crate::importing::{ImportError, blocking};
use crate::undertaken::{Undertaken, person};

/// How much is decided at once.
const AT_ONCE: usize = 200;
/// Characters of a name that a person writes.
pub(crate) const LONGEST: usize = 200;

const ATTEST: &str = "estate.attest";

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
    /// Under the name of whoever decides it, in place of what they said of the control before.
    Attest {
        control: String,
        claim: State,
        /// What they saw.
        statement: String,
        until: Timestamp,
    },
    /// Takes a word on a control back: one's own, or that of somebody who is named.
    TakeBack {
        control: String,
        by: Option<String>,
    },
    /// In place of whoever had the step before.
    Assign {
        step: String,
        owner: String,
        due: Option<Timestamp>,
    },
    Release {
        step: String,
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
            Self::Attest { control, claim, statement, until } => {
                let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
                (ATTEST, control.clone(), format!("{} until {until}: {statement}", claim.name()))
            }
            Self::TakeBack { control, by } => {
                ("estate.take-back", control.clone(), by.as_ref().map(|by| format!("of {by}")).unwrap_or_default())
            }
            Self::Assign { step, owner, due } => {
                let due = due.map(|due| format!(", due {due}")).unwrap_or_default();
                ("estate.assign", step.clone(), format!("{owner}{due}"))
            }
            Self::Release { step } => ("estate.release", step.clone(), String::new()),
        }
    }

    fn add(self, to: &mut Decisions, undertaken: &mut Undertaken, by: &str, at: Timestamp) -> Result<(), DecideError> {
        match self {
            Self::Attest { control, claim, statement, until } => {
                undertaken.attest(control, claim, &statement, until, by.to_owned(), at)?;
            }
            Self::TakeBack { control, by: other } => undertaken.take_back(&control, other.as_deref().unwrap_or(by))?,
            Self::Assign { step, owner, due } => undertaken.assign(step, &owner, due, at)?,
            Self::Release { step } => undertaken.release(&step)?,
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

fn name(name: Option<String>) -> Result<Option<Box<str>>, DecideError> {
    Ok(text(name.as_deref().unwrap_or_default(), LONGEST)?.map(Into::into))
}

/// What a person wrote, without what moves a cursor or turns a line around.
pub(crate) fn text(text: &str, most: usize) -> Result<Option<String>, DecideError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().count() > most || text.contains(hostile) {
        let why = format!("at most {most} characters, and none that cannot be seen");
        return Err(DecideError::Refused(why));
    }
    Ok(Some(text.to_owned()))
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
        for word in &words {
            self.may(word, actor)?;
        }
        let records: Vec<_> = words.iter().map(Word::record).collect();
        let (mut new, mut undertaken) = (Decisions::default(), (*held.undertaken).clone());
        for word in words {
            word.add(&mut new, &mut undertaken, &by, at)?;
        }
        let decided = new != Decisions::default();
        let before = Arc::clone(&held);
        let next = blocking(move || -> Result<Held, DecideError> {
            let (mut inventory, mut decisions) = (Arc::clone(&held.inventory), held.decisions.clone());
            if decided {
                let changed = Arc::make_mut(&mut inventory);
                for verdict in &new.verdicts {
                    changed.decide_link(verdict.clone())?;
                }
                for said in &new.classifications {
                    changed.classify(said.clone())?;
                }
            }
            decisions.verdicts.append(&mut new.verdicts);
            decisions.classifications.append(&mut new.classifications);
            let (history, undertaken) = (Arc::clone(&held.history), Arc::clone(&held.undertaken));
            Ok(Held { inventory, history, decisions, undertaken, generation: held.generation })
        });
        let mut next = next.await.map_err(stopped)??;
        for (verb, target, detail) in records {
            let recorded = self.0.administrator.record_act_at(actor, verb, &target, detail).await;
            let entry = recorded.map_err(|_: ActError| DecideError::NotRecorded)?;
            if verb == ATTEST {
                undertaken.recorded(&target, &by, entry);
            }
        }
        // A crash here leaves the record of a decision that has to be made again.
        let attested = undertaken.attestations != before.undertaken.attestations;
        let taken_on = undertaken.assigned != before.undertaken.assigned;
        next.undertaken = Arc::new(undertaken);
        let files = self.0.files.clone();
        let written = blocking(move || -> Result<Held, KeptError> {
            if decided {
                files.decide(&next.decisions)?;
            }
            if attested || taken_on {
                files.undertake(&next.undertaken)?;
            }
            Ok(next)
        });
        let mut next = written.await.map_err(stopped)??;
        // Who does a step changes nothing that is found.
        if decided || attested {
            next.generation += 1;
            self.hold(next);
        } else {
            self.put(next);
        }
        Ok(())
    }

    /// What can be told without looking at what was decided before.
    fn may(&self, word: &Word, actor: &Actor) -> Result<(), DecideError> {
        match word {
            Word::Attest { .. } => person(actor),
            Word::Assign { step, .. } => {
                let assessed = self.assessed();
                let open = assessed.is_some_and(|assessed| assessed.steps.iter().any(|one| one.id == *step));
                if open { Ok(()) } else { Err(DecideError::Refused(format!("there is no step {step:?} to do"))) }
            }
            Word::TakeBack { .. } | Word::Release { .. } | Word::Link { .. } | Word::Classify { .. } => Ok(()),
        }
    }
}

fn stopped(error: ImportError) -> DecideError {
    DecideError::Refused(error.to_string())
}
