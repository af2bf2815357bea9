//! Enforcement points: what stands between whoever asks and what is asked for. A gateway turns what it sees into an
//! [`AccessRequest`], asks the [`Gate`], and opens nothing upstream without the [`Lease`] that comes back. It does not
//! decide, keeps no state that must survive, and cannot see the policy engine.
//!
//! [`AccessRequest`]: countersign_model::AccessRequest
//! [`Gate`]: countersign_lease::Gate
//! [`Lease`]: countersign_lease::Lease

mod http;

pub use http::{
    AddressRange, AddressRangeError, BindError, Body, BodyError, Gateway, Limits, Listener, PartService, Parts,
    PathFault, Purpose, Settings, TlsSettings, Told, normalize_path, reads_one_way, told_to_decide_on,
};
