//! Whether a compensating control works, as far as something can say. What is known here is read as it stands. An address is
//! asked only when an owner asks for it, once, for its status and nothing else, and never one that nobody chose: whatever
//! the name resolves to is looked at before it is connected to (a request on somebody's behalf from inside the house).

mod status;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use countersign_identity::passkey::Url;
use countersign_model::{Exception, ExceptionId, Probe, Timestamp};
use parking_lot::Mutex;

use crate::accounts::ActError;
use crate::world::View;
use crate::{Actor, Administrator, Mode};

use self::status::{StatusError, status};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a compensating control works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Works {
    Yes,
    No,
    /// Nobody has looked since the start.
    Unknown,
}

impl Works {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "works",
            Self::No => "fails",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    pub works: Works,
    /// When that was seen.
    pub at: Timestamp,
    /// What was seen, in a few words.
    pub saw: String,
}

/// What addresses answered when they were last asked.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<HashMap<ExceptionId, ProbeResult>>);

impl Administrator {
    pub(super) fn probe_result(&self, view: &View, exception: &Exception, now: Timestamp) -> Option<ProbeResult> {
        let result =
            |works: bool, saw: String| ProbeResult { works: if works { Works::Yes } else { Works::No }, at: now, saw };
        Some(match exception.control.probe.as_ref()? {
            Probe::Segment { segment } => {
                let scope = &exception.scope;
                let outside = view.resources().map(|record| &record.resource).find(|resource| {
                    scope.covers_resource(&resource.id, resource.segment.as_ref())
                        && resource.segment.as_ref() != Some(segment)
                });
                match outside {
                    Some(resource) => result(false, format!("resource {} is not in segment {segment}", resource.id)),
                    None => result(true, format!("every resource is in segment {segment}")),
                }
            }
            Probe::Policy { policy } => {
                let policies = self.policies();
                let enforced = |info: &&crate::PolicyInfo| info.id == *policy && info.mode == Mode::Enforce;
                let found = policies.policies().iter().any(|info| enforced(&info));
                let is = if found { "is enforced" } else { "is not enforced" };
                result(found, format!("policy {policy} {is}"))
            }
            Probe::Http { .. } => self.0.probes.0.lock().get(&exception.id).cloned().unwrap_or(ProbeResult {
                works: Works::Unknown,
                at: now,
                saw: "nobody has asked since the start".to_owned(),
            }),
        })
    }

    /// Looks whether the compensating control works. Owners only: it makes this machine ask an address.
    pub async fn probe_exception(&self, id: &ExceptionId, actor: &Actor) -> Result<ProbeResult, ActError> {
        if !self.owners().contains(&actor.subject) {
            let why = format!("{} is not in the group {}, which probes", actor.subject, crate::OWNERS);
            return Err(ActError::Refused(why));
        }
        let found = self.exception(id).ok_or_else(|| ActError::NotFound(format!("exception {id}")))?;
        let Some(control) = &found.exception.control.probe else {
            return Err(ActError::Refused(format!("exception {id} names no probe")));
        };
        self.record_act(actor, "exception.probe", id, control.to_string()).await?;
        let Probe::Http { url, status, private } = control else {
            return found.works.ok_or_else(|| ActError::NotFound(format!("probe of exception {id}")));
        };
        let answer = ask(url, *private).await;
        let result = ProbeResult {
            works: if answer.as_ref().is_ok_and(|answered| answered == status) { Works::Yes } else { Works::No },
            at: self.now(),
            saw: match answer {
                Ok(answered) => format!("it answered {answered}, expected {status}"),
                Err(error) => error.to_string(),
            },
        };
        self.record_act(actor, "exception.probed", id, format!("{}: {}", result.works.name(), result.saw)).await?;
        self.0.probes.0.lock().insert(id.clone(), result.clone());
        Ok(result)
    }
}

#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("the address cannot be read")]
    Address,
    #[error("the name leads nowhere")]
    Unresolved,
    #[error("the name leads to {0}, which is not asked")]
    NotAsked(IpAddr),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error("no answer within five seconds")]
    Timeout,
}

/// The status that a GET answers. The name is resolved once, and what is connected to is what was looked at.
async fn ask(url: &str, private: bool) -> Result<u16, ProbeError> {
    let parsed = Url::parse(url).map_err(|_| ProbeError::Address)?;
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
        return Err(ProbeError::Address);
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let exchange = async {
        let found: Vec<SocketAddr> =
            tokio::net::lookup_host((host.as_str(), port)).await.map_err(|_| ProbeError::Unresolved)?.collect();
        // One address that is not asked is one too many: a name does not choose for us.
        if let Some(wrong) = found.iter().find(|address| !may_ask(address.ip(), private)) {
            return Err(ProbeError::NotAsked(wrong.ip()));
        }
        let address = found.first().ok_or(ProbeError::Unresolved)?;
        Ok(status(&parsed, *address).await?)
    };
    tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or(Err(ProbeError::Timeout))
}

/// What is inside the house only where that was chosen; where clouds keep their secrets (link-local), never.
fn may_ask(address: IpAddr, private: bool) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => match address.octets() {
            [0, ..] | [169, 254, ..] | [224..=255, ..] => false,
            _ if within_house(address) => private,
            [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => false,
            _ => true,
        },
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            match first {
                _ if address == Ipv6Addr::LOCALHOST => private,
                0xfc00..=0xfdff => private,
                // Global unicast, without what stands for an IPv4 address behind a translator, and documentation.
                0x2000..=0x3fff => {
                    first != 0x2002 && !matches!(address.segments(), [0x2001, 0 | 0xdb8, ..]) && first != 0x3fff
                }
                _ => false,
            }
        }
    }
}

fn within_house(address: Ipv4Addr) -> bool {
    // RFC 6598 is the house of whoever is between.
    address.is_loopback() || address.is_private() || matches!(address.octets(), [100, 64..=127, ..])
}

#[cfg(test)]
mod tests;
