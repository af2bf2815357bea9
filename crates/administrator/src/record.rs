//! The way to the ledger: what has to be durable before something happens is awaited; what only tells that something
//! has ended is handed to a thread and never holds anybody up.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_ledger::{AppendError, Entry, EntryBody, Ledger, Pending, ReadError, Receipt};
use countersign_model::DecisionId;
use tokio::sync::{broadcast, oneshot, watch};

use crate::Administrator;

/// Entries that a slow listener may be behind before it is told that it missed some.
const STREAM: usize = 4096;

/// An entry and where it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub index: u64,
    pub entry: Entry,
}

#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) ledger: Ledger,
    later: Sender<Later>,
    live: Live,
}

/// Shared with the thread.
#[derive(Debug, Clone)]
struct Live {
    stream: broadcast::Sender<Arc<Recorded>>,
    /// Whether the ledger has refused for good.
    broken: watch::Sender<bool>,
    /// At least so many entries are durable.
    reached: Arc<AtomicU64>,
}

enum Later {
    Entry(Box<Entry>),
    /// Made on the thread that writes them.
    Entries(Box<dyn Iterator<Item = Entry> + Send>),
    Flush(oneshot::Sender<()>),
}

impl Recorder {
    /// Starts the thread that writes what nobody waits for. It ends when the recorder is dropped.
    pub(crate) fn start(ledger: Ledger) -> std::io::Result<Self> {
        let (later, queue) = std::sync::mpsc::channel();
        let reached = Arc::new(AtomicU64::new(ledger.size()));
        let live = Live { stream: broadcast::Sender::new(STREAM), broken: watch::Sender::new(false), reached };
        let (writer, for_thread) = (ledger.clone(), live.clone());
        std::thread::Builder::new()
            .name("countersign-record".to_owned())
            .spawn(move || write_later(&writer, &for_thread, &queue))?;
        Ok(Self { ledger, later, live })
    }

    /// Queued when this returns; what it returns completes when the entry is durable or refused.
    pub(crate) fn record(&self, entry: Entry) -> impl Future<Output = Result<Receipt, AppendError>> {
        let pending = self.ledger.append(&entry);
        async move { self.live.settle(pending.await, entry) }
    }

    pub(crate) fn reached(&self) -> u64 {
        self.live.reached.load(Ordering::Acquire)
    }

    /// For what ends access: it has happened whether or not it can be written.
    pub(crate) fn record_later(&self, entry: Entry) {
        self.hand_over(Later::Entry(Box::new(entry)));
    }

    pub(crate) fn record_all_later(&self, entries: impl Iterator<Item = Entry> + Send + 'static) {
        self.hand_over(Later::Entries(Box::new(entries)));
    }

    fn hand_over(&self, later: Later) {
        if self.later.send(later).is_err() {
            tracing::error!("the recording thread has stopped");
            self.live.broken.send_replace(true);
        }
    }

    /// Completes when everything handed over so far is durable or refused.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.later.send(Later::Flush(done)).is_ok() {
            // An error means that the thread is gone, and then there is nothing left to wait for.
            let _gone = flushed.await;
        }
    }

    pub(crate) fn broken(&self) -> watch::Receiver<bool> {
        self.live.broken.subscribe()
    }

    pub(crate) fn is_broken(&self) -> bool {
        *self.live.broken.borrow()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Recorded>> {
        self.live.stream.subscribe()
    }
}

impl Live {
    fn settle(&self, outcome: Result<Receipt, AppendError>, entry: Entry) -> Result<Receipt, AppendError> {
        match &outcome {
            Ok(receipt) => {
                self.reached.fetch_max(receipt.index() + 1, Ordering::AcqRel);
                if self.stream.receiver_count() > 0 {
                    // Nobody left to tell is no error.
                    let _told = self.stream.send(Arc::new(Recorded { index: receipt.index(), entry }));
                }
            }
            Err(AppendError::Broken) => {
                if !self.broken.send_replace(true) {
                    tracing::error!("the ledger cannot write: no access until it is opened again");
                }
            }
            Err(AppendError::Full) => metrics::counter!("countersign_ledger_queue_full_total").increment(1),
            Err(error @ AppendError::Entry(_)) => {
                tracing::error!(%error, entry = entry.body.name(), "an entry cannot be recorded");
            }
        }
        outcome
    }
}

/// Entries are appended as they come and awaited behind, so that they share commits; a full queue is waited out.
fn write_later(ledger: &Ledger, live: &Live, queue: &Receiver<Later>) {
    const BEHIND: usize = 1024;
    let mut under_way: std::collections::VecDeque<(Pending, Entry)> = std::collections::VecDeque::new();
    let finish = |under_way: &mut std::collections::VecDeque<(Pending, Entry)>, leave: usize| {
        while under_way.len() > leave {
            let Some((pending, entry)) = under_way.pop_front() else { return };
            let mut outcome = pending.wait();
            while outcome == Err(AppendError::Full) {
                std::thread::yield_now();
                outcome = ledger.append(&entry).wait();
            }
            // Refusals have been told in `settle`; what ended has ended.
            let _settled = live.settle(outcome, entry);
        }
    };
    loop {
        // Nothing new: settle what is under way before sleeping on the queue.
        let next = match queue.try_recv() {
            Ok(next) => next,
            Err(_) => {
                finish(&mut under_way, 0);
                match queue.recv() {
                    Ok(next) => next,
                    Err(_) => return,
                }
            }
        };
        match next {
            Later::Entry(entry) => {
                under_way.push_back((ledger.append(&entry), *entry));
                finish(&mut under_way, BEHIND);
            }
            Later::Entries(entries) => {
                for entry in entries {
                    under_way.push_back((ledger.append(&entry), entry));
                    finish(&mut under_way, BEHIND);
                }
            }
            Later::Flush(done) => {
                finish(&mut under_way, 0);
                // Whoever asked may have gone.
                let _gone = done.send(());
            }
        }
    }
}

impl Administrator {
    /// Appends at this instant and waits until it is durable.
    pub(crate) async fn record(&self, body: EntryBody) -> Result<Receipt, AppendError> {
        self.append(body).await
    }

    /// The same; queued when this returns.
    pub(crate) fn append(&self, body: EntryBody) -> impl Future<Output = Result<Receipt, AppendError>> {
        self.0.recorder.record(Entry { at: self.now(), body })
    }

    pub(crate) fn record_later(&self, body: EntryBody) {
        self.0.recorder.record_later(Entry { at: self.now(), body });
    }

    /// Entries as they become durable, each once. A receiver that falls behind is told how many it missed.
    pub fn stream(&self) -> broadcast::Receiver<Arc<Recorded>> {
        self.0.recorder.subscribe()
    }

    /// One decision, by its id. Reads files: not for an async thread.
    pub fn decision(&self, id: DecisionId) -> Result<Option<(u64, Entry)>, ReadError> {
        self.0.recorder.ledger.find(id)
    }

    pub fn ledger(&self) -> &Ledger {
        &self.0.recorder.ledger
    }
}
