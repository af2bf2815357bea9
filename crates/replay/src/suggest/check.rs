//! What was proposed, decided: every recorded decision of the window again under it, and what observe mode let through as
//! if nothing were observed any more.

use std::ops::ControlFlow;

use countersign_ledger::Entries;
use countersign_policy::{Effect, PolicySet, Slice};
use serde::{Deserialize, Serialize};

use super::uses::{Seen, Uses, each};
use super::{Step, Terms};
use crate::replay::{Progress, ReplayError, Span, Stretch, replay};
use crate::report::{Report, place};

/// How many decisions are named for each count.
const EXAMPLES: usize = 3;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub replay: Report,
    /// Recorded uses that the current policies allow and the proposed ones do not. None, or something is wrong.
    pub lost: u64,
    /// What observe mode let through, enforced under the proposed policies.
    pub enforced: Outcomes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    pub allowed: u64,
    pub challenged: u64,
    pub denied: u64,
}

impl Check {
    /// Whether everything that was used can be used.
    pub fn holds(&self) -> bool {
        self.lost == 0 && self.enforced.denied == 0
    }
}

pub(super) fn check<L: Entries + Send + Sync>(
    log: &L,
    (current, proposed): (&PolicySet, &PolicySet),
    uses: &Uses,
    stretch: &Stretch,
    terms: &Terms,
    mut progress: impl FnMut(Step, &Progress) -> ControlFlow<()>,
) -> Result<Check, ReplayError> {
    let span = Span { since: terms.since, newest: None, examples: EXAMPLES, threads: terms.threads };
    let replay = replay(log, proposed, None, &span, |so_far| progress(Step::Replaying, so_far))?;
    let gone = replay.newly_denied.were.allowed + replay.newly_challenged.were.allowed;
    let mut lost = gone.saturating_sub(uses.counted.refused_now);
    let mut enforced = [0_u64; 3];
    // In observe mode nothing is lost until it ends.
    if uses.observed {
        let visit = |seen: &Seen<'_>| {
            let (true, Some((_, subject, resource)), Some(question)) =
                (seen.gave_access() && seen.observed(), seen.facts, seen.question())
            else {
                return;
            };
            let slice = Slice { subject: &subject.record, resource: &resource.record };
            let effect = |of: &PolicySet| of.effect(&slice, question.action, question.session, &question.circumstances);
            match (effect(current), effect(proposed)) {
                (Effect::Allow, Effect::Allow) => {}
                (Effect::Allow, _) => lost += 1,
                (_, now) => enforced.iter_mut().skip(place(now)).take(1).for_each(|count| *count += 1),
            }
        };
        each(log, proposed.symbols(), stretch, terms.since, |so_far| progress(Step::Enforcing, so_far), visit)?;
    }
    let [allowed, challenged, denied] = enforced;
    Ok(Check { lost, replay, enforced: Outcomes { allowed, challenged, denied } })
}
