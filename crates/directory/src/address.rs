//! Where a directory is and how it is spoken to. An LDAP address may carry a name, a filter and more (RFC 4516); none of it is
//! taken from there, and a password least of all.

use std::fmt;
use std::net::IpAddr;

/// How the connection is kept from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// Encrypted from the first byte.
    Tls,
    /// Encrypted before anything else is said (RFC 4511, 4.14). A server that refuses that is told nothing more.
    StartTls,
    /// Not at all. Within this machine only.
    Plain,
}

/// `ldaps://dc.corp.example`, or `ldap://` and StartTLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressFault {
    #[error("an address of a directory begins with ldaps:// (or ldap://, which is encrypted by StartTLS)")]
    Scheme,
    #[error("an address of a directory is a host and perhaps a port: ldaps://dc.corp.example:636")]
    Form,
    #[error("unencrypted, a directory is asked within this machine only: the address is 127.0.0.1, [::1] or the like")]
    PlainElsewhere,
}

impl Address {
    /// Whether this is an address of a directory at all, rather than a file's name.
    pub fn is_meant(text: &str) -> bool {
        ["ldap://", "ldaps://"].iter().any(|scheme| starts_with(text, scheme).is_some())
    }

    /// # Errors
    /// When it is no such address, or carries more than a host and a port.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let (security, port, rest) = match (starts_with(text, "ldaps://"), starts_with(text, "ldap://")) {
            (Some(rest), _) => (Security::Tls, 636, rest),
            (None, Some(rest)) => (Security::StartTls, 389, rest),
            (None, None) => return Err(AddressFault::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, after) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(AddressFault::Form)?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let of_ip = rest.starts_with('[') && host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
        let of_name = !rest.starts_with('[') && !host.is_empty() && host.bytes().all(allowed);
        let port = match after.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(AddressFault::Form)?,
            None if after.is_empty() => port,
            None => return Err(AddressFault::Form),
        };
        if !of_ip && !of_name {
            return Err(AddressFault::Form);
        }
        Ok(Self { host: host.to_owned(), port, security })
    }

    /// The same server, asked without encryption.
    ///
    /// # Errors
    /// When it is not this machine, by number: a name may lead anywhere.
    pub fn plain(self) -> Result<Self, AddressFault> {
        if self.security != Security::StartTls || !self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            return Err(AddressFault::PlainElsewhere);
        }
        Ok(Self { security: Security::Plain, ..self })
    }
}

fn starts_with<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).and(text.get(scheme.len()..))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Tls { "ldaps" } else { "ldap" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}:{}", self.port)
    }
}
