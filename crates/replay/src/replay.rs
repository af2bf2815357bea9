//! The reading and the deciding, on several threads. In each round every thread reads a stretch of the ledger; when all
//! have, what was shown in any of them is known to all, and each decides its own stretch again.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};

use countersign_ledger::{DecisionEntry, Entries, Entry, RawBundle, ReadError, SHOWN_AGAIN, TILE};
use countersign_model::{ShownId, Timestamp};
use countersign_policy::{Effect, PolicySet, Record, Slice};
use parking_lot::{Mutex, RwLock};

use crate::read::{Recorded, shown};
use crate::report::{Changed, Covered, Gathered, Report, place};

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
    span: &'a Span,
    /// As an entry writes it.
    since: String,
    /// From here on for what was shown, from there on for decisions.
    from: u64,
    start: u64,
    end: u64,
    known: RwLock<HashMap<ShownId, Arc<Record>>>,
    together: Barrier,
    stopped: AtomicBool,
    failure: Mutex<Option<ReplayError>>,
}

/// One decision of a stretch.
struct Asked<'a> {
    index: u64,
    at: &'a str,
    content: &'a [u8],
    recorded: Recorded<'a>,
}

/// Decides every decision of the span again by `policies`. `progress` may stop it.
pub fn replay<L: Entries + Send + Sync>(
    log: &L,
    policies: &PolicySet,
    span: &Span,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Report, ReplayError> {
    let Stretch { at_hand, from, start, end } = Stretch::of(log, span.since, span.newest)?;
    let threads = span.threads.max(1);
    let work = Work {
        log,
        policies,
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
        let first = self.from / TILE;
        let rounds = (self.end.div_ceil(TILE) - first).div_ceil(STRETCH * threads);
        for round in 0..rounds {
            let from = first + (round * threads + worker) * STRETCH;
            let bundles = self.settled(self.fetch(from));
            let asked = self.settled(self.read(&bundles));
            self.together.wait();
            let before = (gathered.covered.decisions, gathered.changed);
            self.settled(self.decide(&asked, &mut gathered));
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

    /// What was shown becomes known to all; the decisions are for later.
    fn read<'b>(&self, bundles: &'b [(u64, RawBundle)]) -> Result<Vec<Asked<'b>>, ReplayError> {
        let mut asked = Vec::new();
        let mut news: HashMap<ShownId, Arc<Record>> = HashMap::new();
        let entries = bundles.iter().flat_map(|(first, bundle)| (*first..).zip(bundle.iter()));
        for (index, bytes) in entries.filter(|(index, _)| (self.from..self.end).contains(index)) {
            let unreadable = |cause: &dyn std::fmt::Display| ReplayError::Entry { index, cause: cause.to_string() };
            let peeked = Entry::peek(bytes).ok_or_else(|| unreadable(&"it is no entry"))?;
            match peeked.kind {
                "shown" => {
                    let (id, shown) = shown(&peeked).map_err(|error| unreadable(&error))?;
                    if !self.known.read().contains_key(&id) {
                        news.entry(id).or_insert_with(|| Arc::new(Record::of(self.policies.symbols(), &shown)));
                    }
                }
                "decision" if index >= self.start && peeked.at >= self.since.as_str() => {
                    let recorded = Recorded::read(peeked.content).map_err(|error| unreadable(&error))?;
                    asked.push(Asked { index, at: peeked.at, content: peeked.content, recorded });
                }
                _ => {}
            }
        }
        self.known.write().extend(news);
        Ok(asked)
    }

    fn decide(&self, asked: &[Asked<'_>], gathered: &mut Gathered) -> Result<(), ReplayError> {
        let known = self.known.read();
        let instant = |asked: &Asked<'_>| -> Result<Timestamp, ReplayError> {
            let unreadable = |error| ReplayError::Entry { index: asked.index, cause: format!("{error}") };
            Timestamp::from_str(asked.at).map_err(unreadable)
        };
        // They are nearly in order: the first and the last tell the span but for some milliseconds.
        if let (Some(first), Some(last)) = (asked.first(), asked.last()) {
            let (first, last) = (instant(first)?, instant(last)?);
            gathered.covered.first = Some(gathered.covered.first.map_or(first, |it| it.min(first)));
            gathered.covered.last = gathered.covered.last.max(Some(last));
        }
        for asked in asked {
            let recorded = &asked.recorded;
            gathered.covered.decisions += 1;
            match gathered.under.get_mut(&*recorded.policy_set) {
                Some(count) => *count += 1,
                None => {
                    gathered.under.insert(recorded.policy_set.clone().into_owned(), 1);
                }
            }
            if recorded.before_policies() {
                gathered.covered.before_policies += 1;
                continue;
            }
            let shown = recorded.shown.and_then(|pair| Some((known.get(&pair.subject)?, known.get(&pair.resource)?)));
            let Some((subject, resource)) = shown else {
                gathered.covered.unknown += 1;
                continue;
            };
            gathered.covered.replayed += 1;
            let slice = Slice { subject, resource };
            let question = &recorded.question;
            let is = self.policies.effect(&slice, question.action, question.session, &question.circumstances);
            let was = recorded.effect();
            if is == was {
                if let Some(count) = gathered.unchanged.get_mut(place(is)) {
                    *count += 1;
                }
                continue;
            }
            self.change(asked, &slice, was, instant(asked)?, gathered)?;
        }
        Ok(())
    }

    /// One that comes out otherwise is read as a whole, and decided again with its reasons.
    fn change(
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
