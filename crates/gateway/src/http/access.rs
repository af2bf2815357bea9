//! A lease in use. [`Access`] is what the bodies and the tunnel of one exchange share: as long as one of them lives, the
//! lease does. [`sever`] sees to it that they do not live longer than the lease may.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use countersign_lease::{Lease, Principal, Revocation, RevocationCause, Usage, Watch};
use countersign_model::{Clock, DecisionId, LeaseId};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The lease of one exchange. The bodies and the tunnel hold it, and nothing else does.
#[derive(Debug)]
pub(super) struct Access {
    lease: Lease,
    watch: Watch,
    usage: Arc<Usage>,
    terms: Arc<Terms>,
    slot: Option<Arc<Slot>>,
}

/// What ends every access of this node.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) idle: Duration,
    /// Set when the node stops and the time to drain is over.
    pub(super) stopped: CancellationToken,
    pub(super) clock: Arc<dyn Clock>,
}

/// Why an access must end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Revoked,
    Idle,
}

impl Access {
    /// Takes the lease, and ties whatever writes to the client on this task to it.
    pub(super) fn new(lease: Lease, terms: &Arc<Terms>) -> Arc<Self> {
        let slot = Slot::current();
        let (watch, usage) = (lease.watch(), lease.usage());
        let access = Arc::new(Self { lease, watch, usage, terms: Arc::clone(terms), slot });
        if let Some(slot) = &access.slot {
            slot.occupy(&access);
        }
        access
    }

    pub(super) const fn decision(&self) -> DecisionId {
        self.lease.decision()
    }

    pub(super) fn principal(&self) -> &Principal {
        self.lease.principal()
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(super) fn revocation(&self) -> Option<&Revocation> {
        self.watch.revocation()
    }

    /// Completes when this access must end. Holds no lease: what waits for the end must not put it off.
    pub(super) fn cut(&self) -> impl Future<Output = Cut> + Send + use<> {
        let (watch, usage, terms) = (self.watch.clone(), Arc::clone(&self.usage), Arc::clone(&self.terms));
        let tether = self.lease.tether();
        async move {
            tokio::select! {
                _ = watch.revoked() => Cut::Revoked,
                () = terms.stopped.cancelled() => {
                    tether.cut(Revocation {
                        cause: RevocationCause::Shutdown,
                        at: terms.clock.now(),
                        decision: None,
                        message: "This node is going down.".to_owned(),
                    });
                    Cut::Revoked
                }
                () = still(&usage, terms.idle) => Cut::Idle,
            }
        }
    }

    /// The tunnel watches for itself; the task that carried the handshake is free.
    pub(super) fn leave_slot(&self) {
        if let Some(slot) = &self.slot {
            slot.vacate(self.lease.id());
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        self.leave_slot();
    }
}

/// Completes once no byte has moved for `span`, within another `span`.
async fn still(usage: &Usage, span: Duration) {
    loop {
        let before = (usage.sent(), usage.received());
        tokio::time::sleep(span).await;
        if before == (usage.sent(), usage.received()) {
            return;
        }
    }
}

/// Completes once no byte has come from the client for `span`.
pub(super) async fn unfed(usage: &Usage, span: Duration) {
    loop {
        let before = usage.received();
        tokio::time::sleep(span).await;
        if before == usage.received() {
            return;
        }
    }
}

/// Which lease the task that writes to the client depends on at the moment. HTTP/1 has one task per connection, HTTP/2
/// one per stream.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<Occupant>>);

struct Occupant {
    lease: LeaseId,
    cut: Pin<Box<dyn Future<Output = Cut> + Send>>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot")
    }
}

tokio::task_local! {
    static SLOT: Arc<Slot>;
}

impl Slot {
    fn current() -> Option<Arc<Self>> {
        SLOT.try_with(Arc::clone).ok()
    }

    fn occupy(&self, access: &Access) {
        *self.0.lock() = Some(Occupant { lease: access.lease.id(), cut: Box::pin(access.cut()) });
    }

    fn vacate(&self, lease: LeaseId) {
        let left = self.0.lock().take_if(|occupant| occupant.lease == lease);
        drop(left);
    }

    /// The lease that was cut.
    fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<LeaseId> {
        match self.0.lock().as_mut() {
            Some(occupant) => occupant.cut.as_mut().poll(cx).map(|_| occupant.lease),
            None => Poll::Pending,
        }
    }

    fn holds(&self, lease: LeaseId) -> bool {
        self.0.lock().as_ref().is_some_and(|occupant| occupant.lease == lease)
    }
}

/// Runs what writes to a client, and drops it when the lease that it depends on is cut: a client that does not read
/// keeps the body from being asked for more, so the body alone would not notice. The body comes first and may say
/// goodbye properly; what is still there after that goes.
pub(super) async fn sever<F: Future>(task: F) -> Option<F::Output> {
    sever_with(task, |_, _| ()).await
}

/// As [`sever`]; `each` sees the task before each poll.
pub(super) async fn sever_with<F: Future>(
    task: F,
    mut each: impl FnMut(Pin<&mut F>, &mut Context<'_>),
) -> Option<F::Output> {
    let slot = Arc::new(Slot::default());
    let mut task = pin!(task);
    poll_fn(move |cx| {
        SLOT.sync_scope(Arc::clone(&slot), || {
            each(task.as_mut(), cx);
            if let Poll::Ready(output) = task.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let Poll::Ready(lease) = slot.poll_cut(cx) else { return Poll::Pending };
            match task.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                // The exchange ended in that poll; the task no longer depends on this lease.
                Poll::Pending if !slot.holds(lease) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Pending => Poll::Ready(None),
            }
        })
    })
    .await
}
