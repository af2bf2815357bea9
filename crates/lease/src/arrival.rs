//! How a request reached this node: what a part of Countersign itself may know beside the [`crate::Principal`].

use std::net::IpAddr;

use countersign_model::{DecisionId, DeviceEvidence};

/// Set by the enforcement point as a request extension, for upstreams in this process only. Never read from the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub device: DeviceEvidence,
    /// The client, after trusted proxies.
    pub address: IpAddr,
    pub encrypted: bool,
    /// `http` or `https`, as the client sees it.
    pub scheme: &'static str,
    /// Lower case, without a port.
    pub host: String,
    /// As the client wrote it; absent for the scheme's own.
    pub port: Option<u16>,
    pub decision: DecisionId,
}
