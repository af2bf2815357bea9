//! What was decided, and why. There is no default that allows, and no decision without reasons.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PolicyId, PostureAspect, ZoneName};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Decision {
    Deny(Denial),
    /// Not now, but the subject can do something about it at once.
    Challenge(Challenge),
    Allow(Allowance),
}

impl Default for Decision {
    fn default() -> Self {
        Self::Deny(Denial { cause: DenialCause::NoPermit, reasons: Reasons::default(), remedy: None })
    }
}

impl Decision {
    pub const fn reasons(&self) -> &Reasons {
        match self {
            Self::Deny(denial) => &denial.reasons,
            Self::Challenge(challenge) => &challenge.reasons,
            Self::Allow(allowance) => &allowance.reasons,
        }
    }

    /// `deny`, `challenge` or `allow`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Deny(_) => "deny",
            Self::Challenge(_) => "challenge",
            Self::Allow(_) => "allow",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Allowance {
    pub reasons: Reasons,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Denial {
    pub cause: DenialCause,
    pub reasons: Reasons,
    /// What would have to change, where something that the subject could reach would.
    pub remedy: Option<Remedy>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Challenge {
    pub reasons: Reasons,
    /// What the subject can do now.
    pub remedy: Remedy,
}

/// What was decided and not enforced: the other decision, beside the one that counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Observed {
    pub because: ObservedBecause,
    /// As if every policy and the resource were enforced.
    pub decision: Decision,
}

/// What is not enforced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservedBecause {
    /// The resource is in observe mode, and that alone lets it through.
    Resource,
    /// Some policies are in observe mode.
    Policies,
}

impl ObservedBecause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Policies => "policies",
        }
    }
}

/// Why a request is denied. The first five never reach a policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenialCause {
    UnknownResource,
    /// The credential proves nothing: unknown, malformed, expired, revoked, from the wrong device or for another host.
    InvalidCredential,
    SubjectDisabled,
    /// An API key was used outside its scope.
    OutOfScope,
    /// A fact needed to decide is missing or the world is too old.
    Unavailable,
    /// No policy permits it.
    NoPermit,
    /// A policy forbids it.
    Forbidden,
    /// A `forbid` could not be evaluated. Cedar alone would skip it.
    ForbidFailed,
}

impl DenialCause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownResource => "unknown-resource",
            Self::InvalidCredential => "invalid-credential",
            Self::SubjectDisabled => "subject-disabled",
            Self::OutOfScope => "out-of-scope",
            Self::Unavailable => "unavailable",
            Self::NoPermit => "no-permit",
            Self::Forbidden => "forbidden",
            Self::ForbidFailed => "forbid-failed",
        }
    }
}

impl DenialCause {
    /// Whether the policies denied, and not what goes before them or a policy that is broken.
    pub const fn is_of_policy(self) -> bool {
        matches!(self, Self::NoPermit | Self::Forbidden)
    }
}

impl fmt::Display for DenialCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a decision rests on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reasons {
    /// The policies that decided: the permits of an allow, the forbids of a deny.
    pub determining: Vec<PolicyReference>,
    /// Policies that could not be evaluated.
    pub faults: Vec<PolicyFault>,
    /// What the determining policies looked at.
    pub facts: Vec<FactRead>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PolicyReference {
    pub id: PolicyId,
    pub role: PolicyRole,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyRole {
    Permit,
    Forbid,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PolicyFault {
    pub policy: PolicyReference,
    pub message: String,
}

/// A fact by its path in the schema, such as `context.device.compliant`, and its value as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FactRead {
    pub name: Cow<'static, str>,
    pub value: Cow<'static, str>,
}

/// What would change a decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Remedy {
    /// All of these together.
    pub needs: Vec<Need>,
    /// The `@remedy` of the policies that denied, in their authors' words.
    pub advice: Option<String>,
}

impl Remedy {
    /// Whether the subject can do all of it now, in front of the screen.
    pub fn immediate(&self) -> bool {
        !self.needs.is_empty() && self.needs.iter().all(Need::immediate)
    }

    /// What to do, for a person: a sentence for each step, and nothing twice. The needs together are all that it takes,
    /// so whatever the authors advise is among them; where there is none, their words are what is left to say.
    pub fn steps(&self) -> Vec<String> {
        let has = |wanted: &Need| self.needs.contains(wanted);
        let mut steps = Vec::new();
        if has(&Need::PhishingResistantSignIn) {
            steps.push("Confirm that it is you with your passkey.".to_owned());
        } else if has(&Need::SignIn) {
            steps.push("Sign in.".to_owned());
        }
        let (managed, enrolled) = (has(&Need::ManagedDevice), has(&Need::EnrolledDevice));
        let compliant = self.needs.iter().find_map(|need| match need {
            Need::CompliantDevice { failing } => Some(failing),
            _ => None,
        });
        let which = match (managed, enrolled) {
            (true, _) => Some("that your organisation manages"),
            (false, true) => Some("that is enrolled with Countersign"),
            (false, false) => None,
        };
        steps.extend(match (which, compliant) {
            (Some(which), Some(_)) => Some(format!("Use a device {which} and whose security settings pass.")),
            (Some(which), None) => Some(format!("Use a device {which}.")),
            (None, Some(failing)) if failing.is_empty() => {
                Some("Let this device report its security settings again, then try again.".to_owned())
            }
            (None, Some(failing)) => {
                let failing: Vec<&str> = failing.iter().map(|aspect| aspect.plain()).collect();
                Some(format!("Put this right on the device, then try again: {}.", failing.join(", ")))
            }
            (None, None) => None,
        });
        for need in &self.needs {
            match need {
                Need::Grant => steps.push("Ask for temporary access.".to_owned()),
                Need::Network { zone } => steps.push(format!("Connect from the network “{zone}”.")),
                Need::SignIn
                | Need::PhishingResistantSignIn
                | Need::EnrolledDevice
                | Need::ManagedDevice
                | Need::CompliantDevice { .. } => {}
            }
        }
        if steps.is_empty() { self.advice.iter().cloned().collect() } else { steps }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "need", rename_all = "kebab-case")]
pub enum Need {
    SignIn,
    /// Prove it again, phishing-resistant.
    PhishingResistantSignIn,
    EnrolledDevice,
    /// A device that is under management.
    ManagedDevice,
    CompliantDevice {
        failing: BTreeSet<PostureAspect>,
    },
    Grant,
    Network {
        zone: ZoneName,
    },
}

impl Need {
    pub const fn immediate(&self) -> bool {
        matches!(self, Self::SignIn | Self::PhishingResistantSignIn)
    }
}
