//! Time as a cause. Each live lease has the instant until which its decision holds (a posture fact grows stale, a
//! session or key ends, an age reaches a policy's limit, an hour passes); at that instant it, and nothing else, is
//! decided again. Nothing polls: the loop sleeps until the earliest such instant.

use std::time::Duration;

use countersign_lease::RevocationCause;
use countersign_ledger::EntryBody;
use countersign_model::Timestamp;

use crate::Administrator;

/// How often what was last used reaches the store, and what has expired leaves the tables. No access depends on it.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

impl Administrator {
    /// Keeps time until `shutdown` completes. Has to run as long as anything is admitted.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut broken = self.0.recorder.broken();
        let mut housekeeping = self.now().plus(HOUSEKEEPING);
        loop {
            // Registered before the table is read, so that an earlier alarm set in between is not slept through.
            let sooner = self.0.leases.sooner.notified();
            let alarm = self.0.leases.next_alarm().unwrap_or(Timestamp::FOREVER);
            tokio::select! {
                () = &mut shutdown => return,
                () = self.0.clock.wait_until(alarm.min(housekeeping)) => {}
                () = sooner => continue,
                Ok(()) = broken.changed() => {
                    // No record, no access: also for what is open already.
                    self.cut_all(RevocationCause::RecordFailed, "Access cannot be recorded at the moment.");
                    continue;
                }
            }
            let now = self.now();
            self.pass(now).await;
            if housekeeping <= now {
                self.housekeep_accounts().await;
                self.gauge_exceptions();
                // Beside this loop: what is open is cut in time, however much a deadline revokes.
                let this = self.clone();
                tokio::spawn(async move { this.end_due_reviews().await });
                housekeeping = now.plus(HOUSEKEEPING);
            }
        }
    }

    /// Decides again what depended on an instant up to `now`.
    pub(crate) async fn pass(&self, now: Timestamp) {
        let due = self.0.leases.due(now);
        self.decide_again(due, RevocationCause::TimePassed).await;
    }

    /// Ends every access and writes down that it did. Nothing is admitted any more.
    pub async fn stop(&self) {
        self.0.stopping.store(true, std::sync::atomic::Ordering::SeqCst);
        // An admission that passed the check before is in the table by now, or finds the epoch moved.
        self.moved();
        self.cut_all(RevocationCause::Shutdown, "The service is stopping.");
        self.housekeep_accounts().await;
        self.0.recorder.flush().await;
        let stopped = EntryBody::Stopped { node: self.0.node.clone() };
        if let Err(error) = self.record(stopped).await {
            tracing::error!(%error, "the stop could not be recorded");
        }
    }
}
