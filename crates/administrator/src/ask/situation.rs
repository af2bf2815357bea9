//! Circumstances as a person states them, turned into those of a question: what is not said is nothing, from elsewhere,
//! now.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use countersign_model::{
    Action, Circumstances, DeviceCircumstances, DeviceId, HttpCircumstances, NetworkCircumstances, Question, Resource,
    ResourceId, SubjectId, Timestamp, ZoneName,
};
use countersign_policy::ask::{Proven, SignIn, Situation};

use super::{AskError, Moment, asker, representative};
use crate::Administrator;
use crate::policies::Rules;

pub(super) const LOOPBACK: &str = "loopback";

/// An address for documentation (RFC 5737): in no network that anybody has.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// People; services and agents have their key, unless it is none.
    pub sign_in: SignIn,
    /// In seconds.
    pub sign_in_age: u64,
    pub device: DeviceCondition,
    /// In seconds.
    pub posture_age: u64,
    pub network: NetworkCondition,
    pub encrypted: bool,
    /// Now, if absent.
    pub at: Option<Timestamp>,
    /// Each subject's own, if absent.
    pub risk: Option<u8>,
}

/// The state of the device that is asked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceCondition {
    None,
    /// Enrolled, not managed, and its posture does not pass.
    Quarantine,
    /// Managed, and its posture does not pass.
    Managed,
    /// Managed, and its posture passes.
    Compliant,
}

impl DeviceCondition {
    pub const ALL: [Self; 4] = [Self::None, Self::Quarantine, Self::Managed, Self::Compliant];

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Managed => "managed",
            Self::Compliant => "compliant",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkCondition {
    /// In no zone.
    Elsewhere,
    Zone(ZoneName),
    Address(IpAddr),
}

/// The request that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestCondition {
    /// One that stands for the action. What is absent is as the resource's own routes and rules have it.
    Typical { method: Option<String>, path: Option<String> },
    /// This one, whatever the action; or none, where something else than HTTP is asked for.
    Exactly(Option<HttpCircumstances>),
}

impl Default for RequestCondition {
    fn default() -> Self {
        Self::Typical { method: None, path: None }
    }
}

impl RequestCondition {
    pub(super) fn of(&self, resource: &Resource, action: Action) -> Option<HttpCircumstances> {
        match self {
            Self::Exactly(http) => http.clone(),
            Self::Typical { method, path } => {
                let mut http = representative(resource, action);
                if let Some(method) = method {
                    http.method.clone_from(method);
                }
                if let Some(path) = path {
                    http.path.clone_from(path);
                }
                Some(http)
            }
        }
    }
}

impl Default for Conditions {
    /// Not signed in, without a device, from elsewhere over an encrypted connection, now.
    fn default() -> Self {
        Self {
            sign_in: SignIn::None,
            sign_in_age: 0,
            device: DeviceCondition::None,
            posture_age: 0,
            network: NetworkCondition::Elsewhere,
            encrypted: true,
            at: None,
            risk: None,
        }
    }
}

impl Conditions {
    /// A passkey just now, on a managed device whose posture passes and was just reported.
    pub fn best() -> Self {
        Self { sign_in: SignIn::Passkey, device: DeviceCondition::Compliant, ..Self::default() }
    }

    pub(super) fn check(&self, rules: &Rules) -> Result<(), AskError> {
        match &self.network {
            NetworkCondition::Zone(zone) if rules.address_in(zone).is_none() => {
                Err(AskError::UnknownZone(zone.clone()))
            }
            NetworkCondition::Zone(_) | NetworkCondition::Elsewhere | NetworkCondition::Address(_) => Ok(()),
        }
    }

    pub(super) fn situation(&self, rules: &Rules, now: Timestamp) -> Situation {
        let now = self.at.unwrap_or(now);
        let address = match &self.network {
            NetworkCondition::Elsewhere => ELSEWHERE,
            NetworkCondition::Zone(zone) => rules.address_in(zone).unwrap_or(ELSEWHERE),
            NetworkCondition::Address(address) => *address,
        };
        let zones = match &self.network {
            NetworkCondition::Elsewhere => BTreeSet::new(),
            NetworkCondition::Zone(_) | NetworkCondition::Address(_) => rules.zones(address),
        };
        let of = |managed, compliant| {
            Some(DeviceCircumstances {
                id: DeviceId::new("any-device").ok()?,
                managed,
                compliant,
                findings: Default::default(),
                posture_age: Some(self.posture_age),
            })
        };
        let device = match self.device {
            DeviceCondition::None => None,
            DeviceCondition::Quarantine => of(false, false),
            DeviceCondition::Managed => of(true, false),
            DeviceCondition::Compliant => of(true, true),
        };
        let circumstances = Circumstances {
            authentication: None,
            device,
            network: NetworkCircumstances { address, zones, encrypted: self.encrypted },
            time: rules.time_at(now),
            risk: 0,
            grant: None,
            exception: None,
            http: None,
        };
        Situation { circumstances, proven: Proven::By(self.sign_in, self.sign_in_age), risk: self.risk }
    }
}

impl Administrator {
    /// The question whether `subject` may, under these conditions; from the device `from` in the state that it is in
    /// now, where one is named.
    pub fn question(
        &self,
        subject: &SubjectId,
        action: Action,
        resource: &ResourceId,
        conditions: &Conditions,
        from: Option<&DeviceId>,
        request: &RequestCondition,
    ) -> Result<Question, AskError> {
        Moment::of(self).question((subject, action, resource), conditions, from, request)
    }
}

impl Moment {
    pub(super) fn question(
        &self,
        (subject, action, resource): (&SubjectId, Action, &ResourceId),
        conditions: &Conditions,
        from: Option<&DeviceId>,
        request: &RequestCondition,
    ) -> Result<Question, AskError> {
        let now = self.now;
        conditions.check(&self.rules)?;
        let (record, wanted) = (self.subject(subject)?, self.resource(resource)?);
        let situation = conditions.situation(&self.rules, now);
        let http = request.of(&wanted.resource, action).map(Arc::new);
        let mut circumstances = situation.circumstances_of(&self.rules.policies, &asker(record), http.as_ref());
        if let Some(id) = from {
            let device = self.view.device(id).filter(|device| device.proves(now));
            let device = device.ok_or_else(|| AskError::InactiveDevice(id.clone()))?;
            circumstances.device = Some(self.rules.device_at(device, now).0);
        }
        // Those that are in force, as in a decision that counts.
        let instant = circumstances.time.now;
        circumstances.exception = self.view.relaxing(record, wanted, action.class, instant);
        let (subject, resource) = (subject.clone(), resource.clone());
        Ok(Question { subject, action, resource, session: None, circumstances })
    }
}

impl Rules {
    /// An address in a zone; absent where the zone is not known.
    fn address_in(&self, zone: &ZoneName) -> Option<IpAddr> {
        match self.settings.zones.get(zone) {
            Some(networks) => networks.first().map(crate::Network::address),
            None => (zone.as_str() == LOOPBACK).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        }
    }
}
