//! What a subject asks from, and in which state it is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Fact, SubjectId, Timestamp};

/// A device that has enrolled. It proves itself with the key behind `certificate`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Device {
    pub id: DeviceId,
    pub display_name: String,
    pub owner: SubjectId,
    /// Whether an administrator has taken it into management. An enrolled device that is not managed is in quarantine.
    pub managed: bool,
    pub state: DeviceState,
    /// SHA-256 of the DER of its current client certificate, in lower-case hex.
    pub certificate: String,
    pub certificate_expires: Timestamp,
    pub enrolled: Timestamp,
    pub posture: Posture,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    Active,
    /// Lost, sold, stolen: its certificate proves nothing any more.
    Revoked,
}

/// The aspects of a device that a report can speak about (DV-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostureAspect {
    OsVersion,
    PatchAge,
    DiskEncryption,
    Firewall,
    EndpointProtection,
    ManagementEnrolment,
    ScreenLock,
    /// Not jailbroken, not rooted.
    Integrity,
}

impl PostureAspect {
    pub const ALL: [Self; 8] = [
        Self::OsVersion,
        Self::PatchAge,
        Self::DiskEncryption,
        Self::Firewall,
        Self::EndpointProtection,
        Self::ManagementEnrolment,
        Self::ScreenLock,
        Self::Integrity,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::OsVersion => "os-version",
            Self::PatchAge => "patch-age",
            Self::DiskEncryption => "disk-encryption",
            Self::Firewall => "firewall",
            Self::EndpointProtection => "endpoint-protection",
            Self::ManagementEnrolment => "management-enrolment",
            Self::ScreenLock => "screen-lock",
            Self::Integrity => "integrity",
        }
    }

    /// To a person.
    pub const fn plain(self) -> &'static str {
        match self {
            Self::OsVersion => "operating system version",
            Self::PatchAge => "security updates",
            Self::DiskEncryption => "disk encryption",
            Self::Firewall => "firewall",
            Self::EndpointProtection => "endpoint protection",
            Self::ManagementEnrolment => "management enrolment",
            Self::ScreenLock => "screen lock",
            Self::Integrity => "not jailbroken or rooted",
        }
    }
}

impl fmt::Display for PostureAspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known about one aspect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostureValue {
    On,
    Off,
    /// Days since the last security update, for `patch-age`.
    Days(u32),
    /// A dotted version, for `os-version`.
    Version(String),
}

/// Everything a device has reported, each aspect with its source and its age.
pub type Posture = BTreeMap<PostureAspect, Fact<PostureValue>>;

/// What one aspect has to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostureRequirement {
    On,
    AtMostDays(u32),
    AtLeastVersion(String),
}

/// What a device has to be to count as compliant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PostureRequirements {
    pub required: BTreeMap<PostureAspect, PostureRequirement>,
    /// How long a reported fact counts.
    pub max_age: Duration,
}

impl Default for PostureRequirements {
    /// What the device's own agent can tell honestly on every platform. Endpoint protection, screen lock, management
    /// and integrity are required by configuration, where something reports them.
    fn default() -> Self {
        use PostureAspect as A;
        Self {
            required: BTreeMap::from([
                (A::PatchAge, PostureRequirement::AtMostDays(30)),
                (A::DiskEncryption, PostureRequirement::On),
                (A::Firewall, PostureRequirement::On),
            ]),
            max_age: Duration::from_secs(15 * 60),
        }
    }
}

/// Why an aspect does not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    Failed,
    /// Reported once, too long ago.
    Stale,
    /// Never reported. Unknown is not passed.
    Unknown,
}

/// The posture of a device judged at one instant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assessment {
    /// Empty exactly when the device is compliant.
    pub findings: BTreeMap<PostureAspect, Finding>,
    /// When the oldest fact that was counted was observed.
    pub observed: Option<Timestamp>,
    /// The first later instant at which the same posture is judged differently.
    pub holds_until: Timestamp,
}

impl Assessment {
    pub fn compliant(&self) -> bool {
        self.findings.is_empty()
    }
}

impl PostureRequirements {
    /// Judges `posture` as of `now`. Total: what is not reported, or too old, or in the wrong shape, has not passed.
    pub fn assess(&self, posture: &Posture, now: Timestamp) -> Assessment {
        self.assess_each(|aspect| posture.get(&aspect).cloned(), now)
    }

    /// As [`assess`](Self::assess), for a posture that is kept in another form.
    pub fn assess_each(
        &self,
        reported: impl Fn(PostureAspect) -> Option<Fact<PostureValue>>,
        now: Timestamp,
    ) -> Assessment {
        let mut assessment = Assessment { findings: BTreeMap::new(), observed: None, holds_until: Timestamp::FOREVER };
        for (&aspect, requirement) in &self.required {
            let finding = match reported(aspect) {
                None => Some(Finding::Unknown),
                Some(fact) => match fact.current(now) {
                    None => Some(Finding::Stale),
                    Some(value) => {
                        assessment.holds_until = assessment.holds_until.min(fact.expires());
                        let oldest = assessment.observed.map_or(fact.observed, |o| o.min(fact.observed));
                        assessment.observed = Some(oldest);
                        (!requirement.met_by(value)).then_some(Finding::Failed)
                    }
                },
            };
            if let Some(finding) = finding {
                assessment.findings.insert(aspect, finding);
            }
        }
        assessment
    }
}

impl PostureRequirement {
    fn met_by(&self, value: &PostureValue) -> bool {
        match (self, value) {
            (Self::On, PostureValue::On) => true,
            (Self::AtMostDays(limit), PostureValue::Days(days)) => days <= limit,
            (Self::AtLeastVersion(floor), PostureValue::Version(version)) => match (numbers(version), numbers(floor)) {
                (Some(version), Some(floor)) => version >= floor,
                _ => false,
            },
            (Self::On | Self::AtMostDays(_) | Self::AtLeastVersion(_), _) => false,
        }
    }
}

/// A dotted version as its numbers, without trailing zeros: `14.0` and `14` are the same.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let mut numbers = version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}
