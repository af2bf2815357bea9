//! The reading and the deciding, on several threads. In each round every thread reads a stretch of the ledger; when all
//! have, what was shown in any of them is known to all, and each decides its own stretch again.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ops::ControlFlow;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};

use countersign_ledger::{DecisionEntry, Entries, Entry, RawBundle, ReadError, SHOWN_AGAIN, ShownPair, TILE};
use countersign_model::{Action, ShownId, Timestamp};
use countersign_policy::{Difference, Effect, PolicySet, Record, Slice};
use parking_lot::{Mutex, RwLock};

use crate::read::{Recorded, shown};
use crate::report::{Changed, Covered, Gathered, Report};

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct Span {
    /// Without it, from the first entry that is at hand.
    pub since: Option<Timestamp>,
    /// No more than so many entries, the newest ones: for whoever waits in front of it.
    pub newest: Option<u64>,
    /// At most so many decisions are named for each count.
    pub examples: usize,
    pub threads: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries read, of so many.
    pub done: u64,
    pub total: u64,
    pub decisions: u64,
    pub changed: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("entry {index} cannot be read: {cause}. Verify the ledger")]
    Entry { index: u64, cause: String },
    #[error("interrupted")]
    Interrupted,
}

/// Bundles that a thread reads at a time.
const STRETCH: u64 = 16;

/// Entries that may have been on their way between a fact's entry and a decision that relied on it, at most.
const ON_THE_WAY: u64 = 1 << 17;

/// The entries that a span is.
pub(crate) struct Stretch {
    /// What is before it is archived.
    pub(crate) at_hand: u64,
    /// From here on for what was shown, from `start` on for decisions.
    pub(crate) from: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Stretch {
    pub(crate) fn of(log: &impl Entries, since: Option<Timestamp>, newest: Option<u64>) -> Result<Self, ReadError> {
        let (end, at_hand) = (log.size(), log.first()?);
        let start = match since {
            Some(since) => log.not_before(since)?.max(at_hand),
            None => at_hand,
        };
        let start = start.max(newest.map_or(0, |newest| end.saturating_sub(newest)));
        Ok(Self { at_hand, from: start.saturating_sub(SHOWN_AGAIN + ON_THE_WAY).max(at_hand), start, end })
    }
}

/// The same for every thread.
struct Work<'a, L> {
    log: &'a L,
    policies: &'a PolicySet,
    /// The set before the change, by its hash, and what is different.
    change: Option<(&'a str, Difference<'a>)>,
    span: &'a Span,
    /// As an entry writes it.
    since: String,
    /// From here on for what was shown, from there on for decisions.
    from: u64,
    start: u64,
    end: u64,
    known: RwLock<Known>,
    together: Barrier,
    stopped: AtomicBool,
    failure: Mutex<Option<ReplayError>>,
}

type Known = HashMap<ShownId, Arc<Record>>;

/// Whether the change may matter to somebody's action at a resource, once it was asked.
type Touches = HashMap<(ShownId, ShownId, Action), bool>;

/// One decision of a stretch.
struct Asked<'a> {
    index: u64,
    at: &'a str,
    content: &'a [u8],
    recorded: Recorded<'a>,
}

/// What a decision was shown, where one of these knows it.
fn slice<'k>(shown: Option<ShownPair>, known: &[&'k Known]) -> Option<Slice<'k>> {
    let shown = shown?;
    let find = |id| known.iter().find_map(|known| known.get(id));
    Some(Slice { subject: find(&shown.subject)?, resource: find(&shown.resource)? })
}

fn instant(index: u64, at: &str) -> Result<Timestamp, ReplayError> {
    Timestamp::from_str(at).map_err(|error| ReplayError::Entry { index, cause: format!("{error}") })
}

/// Decides every decision of the span again by `policies`. `progress` may stop it.
///
/// `before` is the set that they are a change of, with the same symbols, where it is at hand. Of decisions by that set, those
/// that the change [cannot touch](Difference::may_matter) come out as they did, and are not made again.
pub fn replay<L: Entries + Send + Sync>(
    log: &L,
    policies: &PolicySet,
    before: Option<&PolicySet>,
    span: &Span,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Report, ReplayError> {
    let Stretch { at_hand, from, start, end } = Stretch::of(log, span.since, span.newest)?;
    let threads = span.threads.max(1);
    let work = Work {
        log,
        policies,
        change: before.and_then(|before| Some((before.hash(), policies.difference(before)?))),
        span,
        since: span.since.map(|since| since.to_string()).unwrap_or_default(),
        from,
        start,
        end,
        known: RwLock::default(),
        together: Barrier::new(threads),
        stopped: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    let (tell, told) = channel::<Progress>();
    let mut all = Gathered::default();
    std::thread::scope(|scope| {
        let tellers: Vec<Sender<Progress>> = std::iter::repeat_n(tell, threads).collect();
        let work = &work;
        let workers: Vec<_> = (0..)
            .zip(tellers)
            .map(|(worker, tell)| scope.spawn(move || work.run(worker, threads as u64, &tell)))
            .collect();
        let mut so_far = Progress { total: end - from, ..Progress::default() };
        for more in told {
            so_far.done += more.done;
            so_far.decisions += more.decisions;
            so_far.changed += more.changed;
            if progress(&so_far).is_break() {
                work.fail(ReplayError::Interrupted);
            }
        }
        for worker in workers {
            match worker.join() {
                Ok(gathered) => all.merge(gathered, span.examples),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    if let Some(failure) = work.failure.into_inner() {
        return Err(failure);
    }
    let archived = if start == at_hand { at_hand } else { 0 };
    all.covered = Covered { first_entry: start, end_entry: end, archived, ..all.covered };
    Ok(all.finish(policies.hash().to_owned()))
}

impl<L: Entries + Send + Sync> Work<'_, L> {
    fn fail(&self, error: ReplayError) {
        self.failure.lock().get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Every thread goes through every round, whatever has happened: the others wait for it.
    fn run(&self, worker: u64, threads: u64, tell: &Sender<Progress>) -> Gathered {
        let mut gathered = Gathered::default();
        let mut touches = Touches::new();
        let first = self.from / TILE;
        let rounds = (self.end.div_ceil(TILE) - first).div_ceil(STRETCH * threads);
        for round in 0..rounds {
            let from = first + (round * threads + worker) * STRETCH;
            let before = (gathered.covered.decisions, gathered.changed);
            let bundles = self.settled(self.fetch(from));
            let later = self.settled(self.read(&bundles, &mut touches, &mut gathered));
            self.together.wait();
            self.settled(self.decide_later(&later, &mut gathered));
            let entry = |bundle: u64| (bundle * TILE).clamp(self.from, self.end);
            let more = Progress {
                done: entry(from + STRETCH) - entry(from),
                total: 0,
                decisions: gathered.covered.decisions - before.0,
                changed: gathered.changed - before.1,
            };
            // Nobody listens any more: then nobody is told.
            let _told = tell.send(more);
        }
        gathered
    }

    /// Nothing, once something has failed.
    fn settled<T: Default>(&self, outcome: Result<T, ReplayError>) -> T {
        outcome.unwrap_or_else(|error| {
            self.fail(error);
            T::default()
        })
    }

    fn fetch(&self, from: u64) -> Result<Vec<(u64, RawBundle)>, ReplayError> {
        let stretch = (from..from + STRETCH).take_while(|n| n * TILE < self.end && !self.stopped());
        stretch.map(|n| Ok((n * TILE, self.log.bundle(n)?))).collect()
    }

    /// What was shown becomes known to all. Decisions on what is known already are made again at once, while their entry
    /// is at hand; the others are for later.
    fn read<'b>(
        &self,
        bundles: &'b [(u64, RawBundle)],
        touches: &mut Touches,
        gathered: &mut Gathered,
    ) -> Result<Vec<Asked<'b>>, ReplayError> {
        let mut later = Vec::new();
        let mut news = Known::new();
        let known = self.known.read();
        let (mut first, mut last) = (None, None);
        let entries = bundles.iter().flat_map(|(first, bundle)| (*first..).zip(bundle.iter()));
        for (index, bytes) in entries.filter(|(index, _)| (self.from..self.end).contains(index)) {
            let unreadable = |cause: &dyn std::fmt::Display| ReplayError::Entry { index, cause: cause.to_string() };
            let peeked = Entry::peek(bytes).ok_or_else(|| unreadable(&"it is no entry"))?;
            match peeked.kind {
                "shown" => {
                    let (id, shown) = shown(&peeked).map_err(|error| unreadable(&error))?;
                    if !known.contains_key(&id) {
                        news.entry(id).or_insert_with(|| Arc::new(Record::of(self.policies.symbols(), &shown)));
                    }
                }
                "decision" if index >= self.start && peeked.at >= self.since.as_str() => {
                    first = first.or(Some((index, peeked.at)));
                    last = Some((index, peeked.at));
                    let recorded = Recorded::read(peeked.content).map_err(|error| unreadable(&error))?;
                    if self.untouched(&recorded, &[&news, &*known], touches, gathered) {
                        continue;
                    }
                    let asked = Asked { index, at: peeked.at, content: peeked.content, recorded };
                    match slice(asked.recorded.shown, &[&news, &*known]) {
                        Some(slice) => self.decide(&asked, &slice, gathered)?,
                        None => later.push(asked),
                    }
                }
                _ => {}
            }
        }
        // They are nearly in order: the first and the last tell the span but for some milliseconds.
        for (index, at) in first.into_iter().chain(last) {
            let at = instant(index, at)?;
            gathered.covered.first = Some(gathered.covered.first.map_or(at, |it| it.min(at)));
            gathered.covered.last = gathered.covered.last.max(Some(at));
        }
        drop(known);
        self.known.write().extend(news);
        Ok(later)
    }

    /// Whether this decision is none of the change's business; then it is counted.
    fn untouched(
        &self,
        recorded: &Recorded<'_>,
        known: &[&Known],
        touches: &mut Touches,
        gathered: &mut Gathered,
    ) -> bool {
        let Some((before, difference)) = &self.change else { return false };
        let (Some(shown), false) = (recorded.shown, recorded.before_policies || recorded.policy_set() != *before)
        else {
            return false;
        };
        let action = recorded.action;
        let touched = match touches.entry((shown.subject, shown.resource, action)) {
            Occupied(touched) => *touched.get(),
            Vacant(unasked) => match slice(Some(shown), known) {
                Some(slice) => *unasked.insert(difference.may_matter(&slice, action)),
                None => true,
            },
        };
        if !touched {
            gathered.count(recorded);
            gathered.unchanged(recorded.effect);
        }
        !touched
    }

    /// What rests on something that another thread has read, or on nothing that was shown.
    fn decide_later(&self, later: &[Asked<'_>], gathered: &mut Gathered) -> Result<(), ReplayError> {
        let known = self.known.read();
        for asked in later {
            if let Some(slice) = slice(asked.recorded.shown, &[&*known]) {
                self.decide(asked, &slice, gathered)?;
                continue;
            }
            gathered.count(&asked.recorded);
            if !asked.recorded.before_policies {
                gathered.covered.unknown += 1;
            }
        }
        Ok(())
    }

    fn decide(&self, asked: &Asked<'_>, slice: &Slice<'_>, gathered: &mut Gathered) -> Result<(), ReplayError> {
        let recorded = &asked.recorded;
        gathered.count(recorded);
        if recorded.before_policies {
            return Ok(());
        }
        let question =
            recorded.question().map_err(|error| ReplayError::Entry { index: asked.index, cause: error.to_string() })?;
        let is = self.policies.effect(slice, recorded.action, question.session, &question.circumstances);
        let was = recorded.effect;
        if is == was {
            gathered.unchanged(is);
            return Ok(());
        }
        self.changed(asked, slice, was, instant(asked.index, asked.at)?, gathered)
    }

    /// One that comes out otherwise is read as a whole, and decided again with its reasons.
    fn changed(
        &self,
        asked: &Asked<'_>,
        slice: &Slice<'_>,
        was: Effect,
        at: Timestamp,
        gathered: &mut Gathered,
    ) -> Result<(), ReplayError> {
        let unreadable = |cause: String| ReplayError::Entry { index: asked.index, cause };
        let entry: DecisionEntry =
            serde_json::from_slice(asked.content).map_err(|error| unreadable(error.to_string()))?;
        let question = entry.question.question().ok_or_else(|| unreadable("it names no resource".to_owned()))?;
        let decision = self.policies.judge(slice, &question).decision;
        let change = Changed {
            index: asked.index,
            at,
            id: entry.id,
            subject: question.subject.to_string(),
            resource: question.resource.to_string(),
            session: question.session.map(|session| session.to_string()),
            was: (was, entry.decision.reasons()),
            is: (Effect::of(&decision), decision.reasons()),
        };
        gathered.change(change, self.span.examples);
        Ok(())
    }
}
