//! Visibility and governance: who can prove it later, and who decides what is next (VS-1 to VS-5, PO-1, PO-4, PO-6, GV-4, GV-6, GV-7).

use super::{ControlDefined, Measure, own, probe};
use crate::gaps::Sequence;
use crate::own::Told;
use crate::steps::Effort;

pub(super) static CONTROLS: [ControlDefined; 10] = [
    ControlDefined {
        id: "current-inventory",
        title: "The inventory is current and classified",
        requirement: "ID-1, GV-6",
        sequence: Sequence::InventoryAndClassification,
        probes: &[
            probe(Measure::Sources).once(Effort::Small),
            own(
                Told::ResourcesClassified,
                "Resources with tier, owner and segment, confirmed",
                "Confirm the suggestions, the most exposed resources first.",
            )
            .gating(),
        ],
    },
    ControlDefined {
        id: "recorded-decisions",
        title: "Every decision is recorded, tamper-evident",
        requirement: "VS-1, VS-2",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[
            own(
                Told::DecisionsRecorded,
                "Decisions with an entry in the ledger",
                "Find what decides without recording, and put it behind the gateway.",
            )
            .gating(),
            own(
                Told::LedgerVerified,
                "Entries that were verified",
                "Let the offline verifier run by a schedule, on another machine.",
            ),
        ],
    },
    ControlDefined {
        id: "real-time",
        title: "Decisions reach those who watch as they happen",
        requirement: "VS-3",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[],
    },
    ControlDefined {
        id: "baselines",
        title: "What is unusual for an identity is noticed",
        requirement: "VS-4",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[own(
            Told::IdentitiesWithBaseline,
            "Identities with a baseline of behaviour",
            "Let baselines gather for the identities with most privilege first.",
        )],
    },
    ControlDefined {
        id: "lateral-movement-detected",
        title: "Lateral movement is detected in minutes",
        requirement: "VS-5",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[own(
            Told::LateralMovementDetected,
            "Lateral movements that were detected",
            "Exercise it: move as an attacker would, and see whether and when it is noticed.",
        )
        .gating()],
    },
    ControlDefined {
        id: "owned-policies",
        title: "Policies have owners and review dates, and are proven",
        requirement: "PO-1, PO-4",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[
            own(
                Told::PoliciesOwned,
                "Policies with an owner and a review date ahead",
                "Name an owner who is there and review what is overdue.",
            )
            .gating(),
            own(
                Told::GuardrailsProven,
                "Guardrails that are proven",
                "Mend what the counterexamples show; a guardrail that nobody proves guards nothing.",
            ),
        ],
    },
    ControlDefined {
        id: "coverage",
        title: "Everything is under policy",
        requirement: "PO-6",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[
            own(
                Told::DoorsCovered,
                "Ways into resources that a policy speaks for",
                "Write the missing rule, or take the way away.",
            )
            .gating(),
            own(
                Told::IdentitiesCovered,
                "Identities that a policy speaks for",
                "Give them what they are there for, or disable them.",
            ),
            own(
                Told::DevicesCovered,
                "Devices that make a difference",
                "Ask for a device where it matters, or leave out those that nobody needs.",
            ),
        ],
    },
    ControlDefined {
        id: "exceptions",
        title: "Exceptions are documented, and end",
        requirement: "GV-4",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[own(
            Told::ExceptionsDocumented,
            "Exceptions with owner, compensating control and end",
            "Document what was found undocumented, or end it.",
        )
        .gating()],
    },
    ControlDefined {
        id: "reviews",
        title: "Access and policies are reviewed in time",
        requirement: "ID-9, GV-7",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[own(
            Told::ReviewsOnTime,
            "Reviews that were finished in time",
            "Finish what is overdue; shorten the lists until reviewers keep up.",
        )],
    },
    ControlDefined {
        id: "governance-process",
        title: "It is written who reviews, approves and inherits",
        requirement: "GV-7",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[],
    },
];
