//! The whole system end to end: real HTTP and HTTPS, software passkeys, the real binary where processes matter. What one
//! part does is tested beside it; here is what only holds when all of them are put together.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may stop")]

mod api_keys;
mod application;
mod apply;
mod archive;
mod asking;
mod authzen;
mod conformance;
mod counted;
mod crash;
mod cut;
mod demonstration;
mod devices;
mod estate;
mod gaps;
mod governing;
mod live_directory;
mod observing;
mod offline;
mod policy_author;
mod program;
mod prover;
mod proxies;
mod reload;
mod replaying;
mod reporting;
mod reviewing;
mod running;
mod sign_in;
mod suggesting;

use countersign_testkit::TestSystem;

/// An organisation with an application of each tier at `address`.
fn estate(address: std::net::SocketAddr) -> String {
    let tiers = ["public", "standard", "high", "crown-jewel"];
    let applications = tiers.map(|tier| estate::application(tier, tier, address, estate::WRITTEN));
    estate::STAFF.to_owned() + &applications.concat()
}

async fn start() -> TestSystem {
    let address = application::start().await;
    TestSystem::start(&estate(address)).await
}
