#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]
//! Tests of the policy engine, by subject.

mod ask;
mod authoring;
mod corpus;
mod draft;
mod fixtures;
mod golden;
mod loading;
mod observe;
mod properties;
mod room;
mod starter;
