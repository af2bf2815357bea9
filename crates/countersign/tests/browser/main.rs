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
mod asking;
mod browser;
mod changing;
mod chromedriver;
mod estate;
mod house;
mod map;
mod reviewing;
mod stories;

use std::time::{Duration, Instant};

/// How long a person would wait before they call it broken. A slow machine that compiles beside is no failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the page.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks until there is something to see, or for as long as is reasonable.
async fn patiently<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            None if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
            seen => return seen,
        }
    }
}

/// The same, where nothing to see is a failure.
async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    patiently(look).await.unwrap_or_else(|| panic!("waited for this in vain: {what}"))
}
