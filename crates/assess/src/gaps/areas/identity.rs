//! Identity: who or what is asking (ID-1 to ID-9).

use super::{ControlDefined, Cure, asked, own};
use crate::gaps::Sequence;
use crate::own::Told;
use crate::steps::Effort;

pub(super) static CONTROLS: [ControlDefined; 9] = [
    ControlDefined {
        id: "accounts-have-owners",
        title: "Somebody answers for every account",
        requirement: "ID-1",
        sequence: Sequence::Identity,
        probes: &[asked("orphaned-account").gating().vacuous(), asked("use-not-known").vacuous()],
    },
    ControlDefined {
        id: "leavers",
        title: "Whoever leaves, and whatever is unused, loses its account",
        requirement: "ID-1, ID-7",
        sequence: Sequence::Identity,
        probes: &[
            asked("left-still-enabled").gating().strict().cure(Cure::Disable).vacuous(),
            asked("unused-account").cure(Cure::Disable).vacuous(),
            asked("never-used-account").cure(Cure::Disable).vacuous(),
            asked("expired-still-enabled").cure(Cure::Disable).vacuous(),
        ],
    },
    ControlDefined {
        id: "sound-credentials",
        title: "No account can be guessed, forged or read",
        requirement: "ID-7",
        sequence: Sequence::Identity,
        probes: &[
            asked("password-in-directory").gating().strict().vacuous(),
            asked("password-not-required").gating().strict().vacuous(),
            asked("as-rep-roastable").strict().vacuous(),
            asked("krbtgt-password-old").strict().once(Effort::Small).vacuous(),
            asked("password-never-expires").once(Effort::Medium).vacuous(),
            asked("password-old").vacuous(),
        ],
    },
    ControlDefined {
        id: "strong-sign-in",
        title: "Phishing-resistant multi-factor sign-in for everybody",
        requirement: "ID-2",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[
            asked("without-mfa").gating().vacuous(),
            asked("not-phishing-resistant").vacuous(),
            own(
                Told::SignInsPhishingResistant,
                "Sign-ins that cannot be phished",
                "Ask for a passkey where it is still optional: policies of the resources whose users have one.",
            ),
        ],
    },
    ControlDefined {
        id: "single-sign-on",
        title: "One place to sign in, and to be stopped at",
        requirement: "ID-2, ID-7",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[asked("outside-single-sign-on").gating().vacuous(), asked("application-outside-single-sign-on")],
    },
    ControlDefined {
        id: "conditional-access",
        title: "Circumstances decide each request",
        requirement: "ID-3, ID-4",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[own(
            Told::ResourcesConditional,
            "Resources whose every way in asks for more than a sign-in",
            "Write what each tier asks for (strength, device, network, grant), try it against recorded decisions, then enforce it.",
        )
        .gating()],
    },
    ControlDefined {
        id: "machine-identity",
        title: "Programmes have owners, scope and an end",
        requirement: "ID-5",
        sequence: Sequence::Identity,
        probes: &[
            asked("service-credential-without-expiry").gating(),
            asked("key-old"),
            asked("kerberoastable").strict().vacuous(),
            asked("service-without-owner"),
        ],
    },
    ControlDefined {
        id: "agents",
        title: "Agents act for somebody, and never beyond them",
        requirement: "ID-6",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[
            asked("agent-without-owner"),
            own(
                Told::AgentsActingForSomebody,
                "Agents bound to the person whom they act for",
                "Give each agent an identity of its own and the person whom it acts for.",
            ),
        ],
    },
    ControlDefined {
        id: "least-privilege",
        title: "What nobody uses or confirms goes",
        requirement: "ID-8, ID-9",
        sequence: Sequence::InventoryAndClassification,
        probes: &[
            asked("stale-membership").gating().cure(Cure::LeaveGroups).vacuous(),
            asked("privilege-beyond-role").vacuous(),
            own(
                Told::EntitlementsUsed,
                "Entitlements that are used",
                "Take away what was granted and never used; the proposed policy names each.",
            ),
            own(
                Told::EntitlementsReviewed,
                "Entitlements that somebody confirmed",
                "Run a review: each owner confirms or revokes, and what nobody confirms ends.",
            ),
        ],
    },
];
