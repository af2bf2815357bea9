//! A person in front of a real browser: Chromium with a virtual authenticator, driven over WebDriver against the built
//! program. Each story starts its own `countersign up` on free ports of loopback, with an application of the test
//! behind it, and ends by reading the browser's logs: nothing broke the Content-Security-Policy, and no request left
//! the house.
//!
//! Not here: what can be seen without a browser. Screenshots of the pages are taken where
//! `COUNTERSIGN_SCREENSHOTS` names a directory.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod application;
mod browser;
mod chromedriver;
mod house;
mod stories;

use std::time::{Duration, Instant};

/// How long a person would wait before they call it broken. A slow machine that compiles beside is no failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the page.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks until there is something to see.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited for this in vain: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
