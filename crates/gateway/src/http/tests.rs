//! The enforcement point against a scripted authority, over real sockets: `parity` holds every check against every
//! channel, `raw` sends what no HTTP library would, `units` are the pure functions.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod bridge;
mod client;
mod fixture;
mod hand_off;
mod parity;
mod raw;
mod shutdown;
mod tls;
mod units;
mod upgrade;
