//! What the gateway is told at start, as meant: reading and checking a configuration file is the binary's.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use countersign_model::Clock;
use rustls::server::ResolvesServerCert;
use rustls::server::danger::ClientCertVerifier;

#[derive(Debug, Clone)]
pub struct Settings {
    /// The node's name, as it stands in the record.
    pub node: String,
    /// Where people sign in: lower case, without a port.
    pub control_host: String,
    /// The `iss` of the assertion that goes upstream: the control host's origin.
    pub issuer: String,
    pub listeners: Vec<Listener>,
    /// From these alone `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<AddressRange>,
    pub limits: Limits,
    /// Where the certificate files live that an upstream's `ca` names.
    pub certificate_authorities: Option<PathBuf>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone)]
pub struct Listener {
    pub address: SocketAddr,
    /// Required beyond loopback.
    pub tls: Option<TlsSettings>,
    pub purpose: Purpose,
}

/// Whom a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The clients of applications.
    Applications,
    /// Other proxies, which ask whether they may pass a request on.
    Decisions {
        /// Whether whoever reaches it may ask, without proving to be one of those proxies: on loopback only.
        open: bool,
    },
}

/// Certificates are looked up per connection, so replacing what the resolver returns is all that a reload takes.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    pub certificates: Arc<dyn ResolvesServerCert>,
    /// Asks for a client certificate. Whether one is required is for the verifier to say; what it accepts becomes
    /// evidence of the device.
    pub client_verifier: Option<Arc<dyn ClientCertVerifier>>,
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Request head: request line and all header fields together.
    pub header_bytes: usize,
    pub header_count: usize,
    /// Path and query together. A decision's entry holds the path, and has to fit into the ledger whatever it is.
    pub target_bytes: usize,
    /// Request body, announced or counted. `None` for no limit.
    pub body_bytes: Option<u64>,
    /// For a TLS handshake, and for a complete request head (from connect, or from the last response).
    pub header_timeout: Duration,
    /// An open exchange or tunnel in which no byte moved for this long is closed.
    pub idle: Duration,
    pub upstream_connect: Duration,
    /// Until the response head, counted from the last byte of the request.
    pub upstream_response: Duration,
    /// How long an unused upstream connection is kept.
    pub upstream_keep: Duration,
    /// Requests between their head and their response's head, on this node.
    pub max_in_flight: usize,
    pub max_connections: usize,
    /// Not counted: this machine and trusted proxies, behind which are many.
    pub max_connections_per_address: Option<usize>,
    /// Streams on one HTTP/2 connection.
    pub max_streams: u32,
    /// How long open exchanges may go on once the node is to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            header_count: 100,
            target_bytes: 8 * 1024,
            body_bytes: Some(1 << 30),
            header_timeout: Duration::from_secs(15),
            idle: Duration::from_secs(10 * 60),
            upstream_connect: Duration::from_secs(5),
            upstream_response: Duration::from_secs(60),
            upstream_keep: Duration::from_secs(60),
            max_in_flight: 4096,
            max_connections: 65_536,
            max_connections_per_address: None,
            max_streams: 128,
            drain: Duration::from_secs(10),
        }
    }
}

/// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    bits: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address range: write 10.0.0.0/8, fd00::/8 or one address")]
pub struct AddressRangeError(String);

impl AddressRange {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let shift = 32u32.saturating_sub(u32::from(self.bits));
                range.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let shift = 128u32.saturating_sub(u32::from(self.bits));
                range.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;
    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let error = || AddressRangeError(text.chars().take(60).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| error())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(error());
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}
