//! The crate against itself and against forgeries. Nothing here leaves the loopback interface.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

mod assertions;
mod federated;
mod passkeys;
mod scripted_provider;
mod secrets;

use countersign_model::Timestamp;

/// When the tests happen.
const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

fn later(seconds: u64) -> Timestamp {
    NOW.plus(std::time::Duration::from_secs(seconds))
}
