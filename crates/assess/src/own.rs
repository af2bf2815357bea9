//! What a running Countersign knows of itself and a directory's export does not: counts that it makes over its own records, with
//! the time that they span. Given as values; whoever runs fills them in ([`Told`] says what each counts). Offline nothing is known,
//! and whatever rests on it reads "not assessed".

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gaps::State;

/// What is known. The default: nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Own {
    pub tallies: BTreeMap<Told, Tally>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privilege: Option<PrivilegeTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<ExceptionCount>,
    pub attestations: Vec<Attestation>,
    /// By the id of the step: who has taken it on.
    pub assigned: BTreeMap<String, Assigned>,
}

/// A share, counted: of `of` so many are known about, and of these so many are good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tally {
    pub good: u64,
    pub known: u64,
    pub of: u64,
    /// Between these instants lies what was counted.
    pub oldest: Timestamp,
    pub newest: Timestamp,
}

/// Time for which privilege was given just in time, over all people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PrivilegeTime {
    pub from: Timestamp,
    pub until: Timestamp,
    /// Seconds within that time, of each grant from its beginning to its end.
    pub just_in_time_seconds: u64,
}

/// Exceptions in force, and the policies that one could relax.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExceptionCount {
    pub in_force: u64,
    pub relaxable: u64,
    pub at: Timestamp,
}

/// Who does a step, until when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Assigned {
    pub owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

/// What a person answers for with their name where nothing can be measured, or until it can. It ends, and it never outranks
/// evidence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attestation {
    /// The id of the control.
    pub control: String,
    pub claim: State,
    /// What they saw, in their words.
    pub statement: String,
    /// Who says so.
    pub by: String,
    pub at: Timestamp,
    pub until: Timestamp,
    /// Where it is recorded: the index of the ledger's entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// An attestation that is to hold longer holds no longer than this.
pub const LONGEST_ATTESTATION: Duration = Duration::from_secs(366 * 86_400);

impl Attestation {
    /// Whether it counts on this date: somebody's word, given, not yet ended, and for a claim that can be made.
    pub fn in_force(&self, as_of: Timestamp) -> bool {
        let ends = self.until.min(self.at.plus(LONGEST_ATTESTATION));
        !self.by.trim().is_empty() && self.claim != State::NotAssessed && self.at <= as_of && as_of < ends
    }
}

impl Own {
    /// Clamped: what is wrong in the numbers never makes a share better than whole.
    pub(crate) fn tally(&self, told: Told) -> Option<Tally> {
        let tally = *self.tallies.get(&told)?;
        let known = tally.known.min(tally.of);
        Some(Tally { known, good: tally.good.min(known), ..tally })
    }

    /// The newest word on a control: in force, or else the last one that lapsed.
    pub(crate) fn attested(&self, control: &str, as_of: Timestamp) -> (Option<&Attestation>, Option<&Attestation>) {
        let words = || self.attestations.iter().filter(|word| word.control == control && word.at <= as_of);
        let newest = |in_force: bool| {
            words().filter(|word| word.in_force(as_of) == in_force).max_by_key(|word| (word.at, *word))
        };
        match newest(true) {
            Some(word) => (Some(word), None),
            None => (None, newest(false)),
        }
    }
}

macro_rules! told {
    ($($name:ident $text:literal $means:literal $look:literal;)*) => {
        /// A share that a running Countersign counts.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Told {
            $(#[doc = $means] #[serde(rename = $text)] $name,)*
        }

        impl Told {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What is counted, of what.
            pub const fn means(self) -> &'static str {
                match self {
                    $(Self::$name => $means,)*
                }
            }

            /// The command that lists what is behind the number.
            pub const fn look(self) -> &'static str {
                match self {
                    $(Self::$name => $look,)*
                }
            }
        }
    };
}

told! {
    IdentitiesCovered "identities-covered" "identities that some policy speaks for, of all that are active" "countersign coverage";
    DoorsCovered "doors-covered" "ways into resources that some policy speaks for, of all" "countersign coverage";
    DevicesCovered "devices-covered" "active devices from which their owner can do more than without one, of all" "countersign coverage";
    ApplicationsBehindGateway "applications-behind-gateway" "known applications whose every request is decided here, of all known ones" "countersign resource list";
    ResourcesConditional "resources-conditional" "resources above public whose every way in asks for more than a sign-in (strength, device, network, grant), of all above public" "countersign ask matrix";
    ResourcesEnforced "resources-enforced" "resources that are not in observe mode, of all" "countersign coverage";
    ResourcesClassified "resources-classified" "resources of which a person confirmed tier, owner and segment, of all known ones" "countersign estate list";
    CrownJewelsSegmented "crown-jewels-segmented" "crown jewels in a segment of their own, of all" "countersign resource list";
    RequestsEncrypted "requests-encrypted" "requests that came encrypted or over loopback, of all that were decided" "countersign decision list";
    FlowsKnown "flows-known" "observed flows between segments that a policy or a person knows, of all observed" "countersign estate list";
    SignInsMultiFactor "sign-ins-multi-factor" "sign-ins with more than a password, of all in the time" "countersign ledger show";
    SignInsPhishingResistant "sign-ins-phishing-resistant" "sign-ins that cannot be read out or typed elsewhere (passkeys, hardware keys), of all in the time" "countersign ledger show";
    AgentsActingForSomebody "agents-acting-for-somebody" "agents that act for a named person and within what that person may, of all" "countersign subject list";
    EntitlementsUsed "entitlements-used" "entitlements that were used in the time, of all that are granted" "countersign policy suggest";
    EntitlementsReviewed "entitlements-reviewed" "entitlements that somebody confirmed in the last review, of all" "countersign review list";
    DevicesEnrolled "devices-enrolled" "known devices that are enrolled, of all known ones" "countersign device list";
    DevicesProven "devices-proven" "enrolled devices that prove themselves by a key that cannot be copied, of all enrolled" "countersign device list";
    DevicesCompliant "devices-compliant" "enrolled devices with every posture fact fresh and as required, of all enrolled" "countersign device list";
    DevicesAttested "devices-attested" "enrolled devices that proved their boot state by a TPM quote, of all enrolled" "countersign device list";
    DecisionsWithVerifiedPosture "decisions-with-verified-posture" "decisions on a resource above public that saw a device with fresh posture, of all such" "countersign decision list";
    LeasesBoundToDevice "leases-bound-to-device" "leases above public that end when their device degrades, of all such" "countersign session list";
    UnmanagedDevicesLimited "unmanaged-devices-limited" "resources above standard that no unmanaged device gets into, by proof, of all above standard" "countersign policy prove";
    PrivilegeJustInTime "privilege-just-in-time" "privileged leases under a grant with approver and end, of all privileged leases" "countersign decision list";
    PrivilegedSessionsRecorded "privileged-sessions-recorded" "privileged sessions with a recording, of all" "countersign session list";
    DecisionsRecorded "decisions-recorded" "decisions with an entry in the ledger, of all" "countersign ledger show";
    LedgerVerified "ledger-verified" "entries under a checkpoint that was verified since, of all" "countersign ledger verify";
    PoliciesOwned "policies-owned" "policies with an owner who is known and a review date ahead, of all" "countersign policy lint";
    GuardrailsProven "guardrails-proven" "guardrails that are proven for the policies in force, of all" "countersign policy prove";
    ExceptionsDocumented "exceptions-documented" "exceptions with owner, compensating control and end, of these and the undocumented ones that were found" "countersign exception list";
    ReviewsOnTime "reviews-on-time" "reviews of access and policies that were finished by their deadline, of all that were due" "countersign review list";
    IdentitiesWithBaseline "identities-with-baseline" "active identities with a baseline of behaviour, of all" "countersign subject list";
    LateralMovementDetected "lateral-movement-detected" "lateral movements, real or as exercises, that were detected, of all that are known" "countersign ledger show";
}
