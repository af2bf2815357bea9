//! An append under way: a future and a blocking wait in one, without a runtime. Dropping it cancels nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use parking_lot::Mutex;

use crate::EncodeError;

/// Proof that an entry is durable.
//
// INVARIANT: made in `writer`, after the sync that covers the entry has returned, and nowhere else; not `Clone`, so
// that one record admits one access.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    index: u64,
}

impl Receipt {
    /// The entry's position in the log, counted from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    pub(crate) const fn new(index: u64) -> Self {
        Self { index }
    }
}

/// No record. Whatever it was to permit must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: shed the request.
    #[error("the ledger's queue is full")]
    Full,
    /// The disk failed or is full, or the ledger is closed; it refuses until it is opened again. The entry may
    /// nevertheless be found in the log after that: refused, but recorded.
    #[error("the ledger cannot write and refuses entries until it is opened again")]
    Broken,
    #[error(transparent)]
    Entry(#[from] EncodeError),
}

#[derive(Debug, Default)]
struct Slot {
    outcome: Option<Result<Receipt, AppendError>>,
    waker: Option<Waker>,
}

/// The entry's way to the disk.
#[derive(Debug)]
pub struct Pending(Arc<Mutex<Slot>>);

/// The writer's end. Dropped without a word it says [`AppendError::Broken`]: nobody waits for ever.
#[derive(Debug)]
pub(crate) struct Promise(Option<Arc<Mutex<Slot>>>);

impl Pending {
    pub(crate) fn new() -> (Self, Promise) {
        let slot = Arc::new(Mutex::new(Slot::default()));
        (Self(Arc::clone(&slot)), Promise(Some(slot)))
    }

    pub(crate) fn failed(error: AppendError) -> Self {
        Self(Arc::new(Mutex::new(Slot { outcome: Some(Err(error)), waker: None })))
    }

    /// Blocks this thread until the entry is durable or refused. Not for async code.
    pub fn wait(mut self) -> Result<Receipt, AppendError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

impl Future for Pending {
    type Output = Result<Receipt, AppendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.lock();
        match slot.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                match &mut slot.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl Promise {
    pub(crate) fn keep(mut self, outcome: Result<Receipt, AppendError>) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: Result<Receipt, AppendError>) {
        let Some(slot) = self.0.take() else { return };
        let waker = {
            let mut slot = slot.lock();
            slot.outcome = Some(outcome);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.settle(Err(AppendError::Broken));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
