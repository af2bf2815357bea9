//! The machine's clock, on tokio.

use std::time::{Duration, SystemTime};

use countersign_model::{Clock, Timestamp, Wait};

/// Long enough to cost nothing, short enough that a clock which was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn wait_until(&self, instant: Timestamp) -> Wait<'_> {
        Box::pin(async move {
            // tokio sleeps on the monotonic clock; the wall clock may be set meanwhile, so it is asked again.
            loop {
                let left = instant.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        })
    }
}
