//! A clock that is turned by hand. Time stands still until a test moves it, so that "exactly at that instant" can be
//! tested and nothing sleeps.

use std::time::Duration;

use countersign_model::{Clock, Timestamp, Wait};
use tokio::sync::watch;

#[derive(Debug)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    pub fn new(now: Timestamp) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Everything that waits for an instant up to `now` wakes. A clock may be set back too.
    pub fn set(&self, now: Timestamp) {
        self.0.send_replace(now);
    }

    pub fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = now.plus(span));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn wait_until(&self, instant: Timestamp) -> Wait<'_> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            // The sender lives as long as this borrow of it: there is no error to meet.
            let _reached = now.wait_for(|now| *now >= instant).await;
        })
    }
}
