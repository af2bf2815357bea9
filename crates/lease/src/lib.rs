//! The enforcement contract. An enforcement point turns what it sees into an [`AccessRequest`], asks the [`Gate`],
//! and gets a [`Lease`] or a [`Refusal`]. Whatever opens something upstream takes the lease by value: without one
//! it does not compile. This crate does not decide and does not know who does; see [`Authority`].
//!
//! [`AccessRequest`]: countersign_model::AccessRequest

mod arrival;
mod authority;
mod catalog;
mod gate;
mod lease;
mod refusal;
mod tether;

pub use arrival::Arrival;
pub use authority::{Admission, Authority, AuthorityFuture, HandOff, HandOffError, Principal, SessionCookie};
pub use catalog::Catalog;
pub use gate::Gate;
pub use lease::{EndReason, Ended, Lease, Usage};
pub use refusal::{Refusal, RefusalKind};
pub use tether::{Revocation, RevocationCause, Tether, Watch};

#[cfg(test)]
mod tests;
