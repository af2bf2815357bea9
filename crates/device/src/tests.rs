//! The crate against itself and against forgeries.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

mod authorities;
mod collected;
mod reports;

use countersign_model::{DeviceId, Timestamp};

/// When the tests happen.
const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

fn later(seconds: u64) -> Timestamp {
    NOW.plus(std::time::Duration::from_secs(seconds))
}

fn laptop() -> DeviceId {
    DeviceId::new("alice's laptop/1").unwrap()
}
