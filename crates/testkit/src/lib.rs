//! What tests of several crates share: a clock that is turned by hand and, behind the feature `system`, the whole
//! system in one process; behind `provider`, an OpenID provider that can be made to lie, and real ones. Not part of the
//! product.

mod clock;
#[cfg(feature = "provider")]
pub mod provider;
#[cfg(feature = "provider")]
mod provider_process;
#[cfg(feature = "system")]
mod system;

pub use clock::ManualClock;
#[cfg(feature = "provider")]
pub use provider_process::ProviderProcess;
#[cfg(feature = "system")]
pub use system::TestSystem;
