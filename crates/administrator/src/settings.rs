//! What an installation is set to, as meant. How it is written (TOML, defaults, mistakes with their line) is the
//! binary's business.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use countersign_model::{PostureRequirements, ZoneName};
use serde::Serialize;

/// Replaced as a whole; every live lease is decided again under the new one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Settings {
    /// Where Countersign itself is found: lower case, without a port.
    pub control_host: String,
    /// The origin of the control host as a browser sees it, such as `https://countersign.example.org`.
    pub control_origin: String,
    /// Applications without a route of their own are found below it.
    pub domain: String,
    /// IANA name.
    pub time_zone: String,
    /// Named networks. `loopback` is always there.
    pub zones: BTreeMap<ZoneName, Vec<Network>>,
    pub posture: PostureRequirements,
    /// A session ends this long after sign-in, whatever its use.
    pub session_lifetime: Duration,
    /// A session ends this long after its last use.
    pub session_idle: Duration,
    pub disclosure: Disclosure,
    /// One in this many live decisions is made a second time by Cedar's own authorizer; 0 for none.
    pub shadow_one_in: u32,
    pub policy_approval: PolicyApproval,
    /// How far ahead an exception may end, from when it is asked for, agreed to or reviewed.
    pub longest_exception: Duration,
    /// Admissions that may wait for the ledger at once; more are shed.
    pub max_in_flight: usize,
}

/// What a person who is refused may be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disclosure {
    /// What would have to change. Discloses policy.
    Remedy,
    /// Nothing but that it was refused. A challenge is still made: without it nobody could sign in.
    #[default]
    None,
}

/// Who puts policies in force over the API and from the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyApproval {
    /// Whoever may administer.
    #[default]
    None,
    /// Whoever may administer proposes, and somebody else who may approves.
    SecondPerson,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control_host: "countersign.localhost".to_owned(),
            control_origin: "http://countersign.localhost:8080".to_owned(),
            domain: "localhost".to_owned(),
            time_zone: "UTC".to_owned(),
            zones: BTreeMap::new(),
            posture: PostureRequirements::default(),
            session_lifetime: Duration::from_secs(12 * 3600),
            session_idle: Duration::from_secs(3600),
            disclosure: Disclosure::Remedy,
            shadow_one_in: 1000,
            policy_approval: PolicyApproval::None,
            longest_exception: Duration::from_secs(90 * 24 * 3600),
            max_in_flight: 4096,
        }
    }
}

/// A range of addresses, `10.0.0.0/8` or `2001:db8::/32`; a bare address is a range of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address range: write ADDRESS/BITS, such as 10.0.0.0/8, with no bits set after the prefix")]
pub struct ParseNetworkError(String);

impl Network {
    /// The first address of the range.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// An IPv4 address that arrives mapped into IPv6 counts as the IPv4 address that it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;
    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let error = || ParseNetworkError(text.chars().take(80).collect());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|&bits| bits <= width).ok_or_else(error)?,
            None => width,
        };
        let network = Self { address, prefix };
        // Host bits that are set are a typing mistake; guessing which network was meant is not ours.
        if address.to_canonical() == address && network.contains(address) { Ok(network) } else { Err(error()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}
