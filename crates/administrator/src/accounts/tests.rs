#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]
//! Sign-in, sessions, keys, devices and the inventory, each through the administrator: with a software passkey, a real
//! ledger, the embedded store and a clock that is turned by hand.

mod acts;
mod federated;
mod fixture;
mod hand_off;
mod logout;
mod machines;
mod passkeys;
mod real_provider;
mod refusals;
mod sessions;
