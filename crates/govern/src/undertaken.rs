//! What persons undertake for the gap map: their word on a control, and the steps that somebody has taken on. Kept apart from what
//! they decide about the inventory, which an import writes anew; this outlives imports, restarts and the steps themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_administrator::{Actor, LOCAL_OPERATOR};
use countersign_assess::{Assigned, Attestation, LONGEST_ATTESTATION, Own, State, Step, definitions};
use countersign_model::{SubjectId, SubjectKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::assessing::{Assessed, NotAssessed};
use crate::deciding::{DecideError, text};
use crate::estate::{Estate, NotReady};

/// Characters of what somebody says they saw.
const LONGEST_STATEMENT: usize = 1000;
/// Words of persons at a time. Of one person on one control there is one.
const MOST_WORDS: usize = 2000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Undertaken {
    pub(crate) attestations: Vec<Attestation>,
    /// By step, whether it is still there or not: if it comes back, so does who had it.
    pub(crate) assigned: BTreeMap<String, Assigned>,
}

impl Undertaken {
    /// Beside what the server counted.
    pub(crate) fn beside(&self, counted: Own) -> Own {
        Own { attestations: self.attestations.clone(), assigned: self.assigned.clone(), ..counted }
    }

    /// In place of what the same person said of it before.
    pub(crate) fn attest(
        &mut self,
        control: String,
        claim: State,
        statement: &str,
        until: Timestamp,
        by: String,
        at: Timestamp,
    ) -> Result<(), DecideError> {
        if !definitions().any(|defined| defined.control == control) {
            return refused(format!("there is no control {control:?}"));
        }
        if claim == State::NotAssessed {
            return refused("an attestation says in-place, partial or not-in-place");
        }
        // Lines of a form become one.
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(statement) = text(&statement, LONGEST_STATEMENT)? else {
            return refused("an attestation says what was seen");
        };
        if until <= at || until > at.plus(LONGEST_ATTESTATION) {
            let days = LONGEST_ATTESTATION.as_secs() / 86_400;
            return refused(format!("an attestation ends, {days} days from now at the latest"));
        }
        self.attestations.retain(|word| word.control != control || word.by != by);
        if self.attestations.len() >= MOST_WORDS {
            return refused(format!("{MOST_WORDS} attestations stand: take some back that have ended"));
        }
        self.attestations.push(Attestation { control, claim, statement, by, at, until, entry: None });
        Ok(())
    }

    /// Where a word is recorded.
    pub(crate) fn recorded(&mut self, control: &str, by: &str, entry: u64) {
        let words = self.attestations.iter_mut().filter(|word| word.control == control && word.by == by);
        words.for_each(|word| word.entry = Some(entry));
    }

    pub(crate) fn take_back(&mut self, control: &str, by: &str) -> Result<(), DecideError> {
        let before = self.attestations.len();
        self.attestations.retain(|word| word.control != control || word.by != by);
        if self.attestations.len() == before {
            return refused(format!("{by} has said nothing of {control:?}"));
        }
        Ok(())
    }

    pub(crate) fn assign(
        &mut self,
        step: String,
        owner: &str,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), DecideError> {
        let Some(owner) = text(owner, crate::deciding::LONGEST)? else { return refused("say who does it") };
        if due.is_some_and(|due| due <= now) {
            return refused("when it is due is still to come");
        }
        self.assigned.insert(step, Assigned { owner, due });
        Ok(())
    }

    pub(crate) fn release(&mut self, step: &str) -> Result<(), DecideError> {
        match self.assigned.remove(step) {
            Some(_) => Ok(()),
            None => refused(format!("nobody has taken {step:?} on")),
        }
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, DecideError> {
    Err(DecideError::Refused(why.into()))
}

/// Under whose name a word is given: that of whoever asks, if that is somebody. Programmes answer for nothing; whoever sits at the
/// server's machine is shown as its operator.
pub(crate) fn person(actor: &Actor) -> Result<(), DecideError> {
    let operator = SubjectId::service(LOCAL_OPERATOR).is_ok_and(|operator| operator == actor.subject);
    if operator || actor.subject.kind() == SubjectKind::Human {
        return Ok(());
    }
    refused(format!("an attestation is a person's word, and {} is none", actor.subject))
}

impl Estate {
    /// Every word that was given and not taken back, those that have ended too.
    ///
    /// # Errors
    /// When the estate is not there.
    pub fn attestations(&self) -> Result<Vec<Attestation>, NotReady> {
        Ok(self.held()?.undertaken.attestations.clone())
    }

    /// The newest assessment, and what to do by it with who has taken it on, as that is now.
    ///
    /// # Errors
    /// When nothing was assessed yet.
    pub fn steps(&self) -> Result<(Arc<Assessed>, Vec<Step>), NotAssessed> {
        let (assessed, held) = (self.assessed().ok_or(NotAssessed::NotYet)?, self.held());
        let (held, now) = (held.map_err(|_| NotAssessed::NotYet)?, self.0.administrator.now());
        let mut steps = assessed.steps.clone();
        for step in &mut steps {
            let assigned = held.undertaken.assigned.get(&step.id);
            step.owner = assigned.map(|assigned| assigned.owner.clone());
            step.due = assigned.and_then(|assigned| assigned.due);
            step.overdue = step.due.is_some_and(|due| due < now);
        }
        Ok((assessed, steps))
    }

    /// What the newest assessment was told beside the inventory, with what persons have undertaken since; and the present instant.
    ///
    /// # Errors
    /// When nothing was assessed yet.
    pub fn own(&self) -> Result<(Timestamp, Own), NotAssessed> {
        let (assessed, held) = (self.assessed().ok_or(NotAssessed::NotYet)?, self.held());
        let held = held.map_err(|_| NotAssessed::NotYet)?;
        Ok((self.0.administrator.now(), held.undertaken.beside(assessed.own.clone())))
    }

    /// Whether somebody's word ended between the two.
    pub(crate) fn lapsed(&self, then: Timestamp, now: Timestamp) -> bool {
        let ended = |word: &Attestation| word.in_force(then) && !word.in_force(now);
        self.held().is_ok_and(|held| held.undertaken.attestations.iter().any(ended))
    }
}
