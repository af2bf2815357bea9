//! Network: what can reach what (NW-1 to NW-5).

use super::{ControlDefined, Cure, asked, own};
use crate::gaps::Sequence;
use crate::own::Told;
use crate::steps::Effort;

pub(super) static CONTROLS: [ControlDefined; 6] = [
    ControlDefined {
        id: "per-application-access",
        title: "Access to one application at a time",
        requirement: "NW-1, NW-2",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[own(
            Told::ApplicationsBehindGateway,
            "Applications whose every request is decided",
            "Put the next application behind the gateway, in observe mode first; or let the proxy that it has ask.",
        )
        .gating()],
    },
    ControlDefined {
        id: "lateral-movement-to-tier-zero",
        title: "No ordinary account gets to tier zero",
        requirement: "NW-3, GV-5",
        sequence: Sequence::SegmentationOfCriticalAssets,
        probes: &[
            asked("reaches-tier-zero").gating().strict().cure(Cure::RemoveRight).vacuous(),
            asked("privileged-session-exposed").strict().cure(Cure::EndSessions).once(Effort::Medium),
        ],
    },
    ControlDefined {
        id: "segmentation",
        title: "Crown jewels stand in segments of their own",
        requirement: "NW-3",
        sequence: Sequence::SegmentationOfCriticalAssets,
        probes: &[own(
            Told::CrownJewelsSegmented,
            "Crown jewels in a segment of their own",
            "Give each crown jewel a segment, and decide anew whoever crosses into it.",
        )
        .gating()],
    },
    ControlDefined {
        id: "trust-boundaries",
        title: "Flows are known before they are controlled",
        requirement: "NW-4",
        sequence: Sequence::TrustBoundariesAndFlows,
        probes: &[
            own(
                Told::FlowsKnown,
                "Observed flows that somebody knows",
                "Feed flows from the networks' own records; name what is known and question the rest.",
            )
            .gating(),
            own(
                Told::ResourcesEnforced,
                "Resources that are past observe mode",
                "End observe mode where nothing new was seen for a while.",
            ),
        ],
    },
    ControlDefined {
        id: "encryption",
        title: "Nothing travels in the clear",
        requirement: "NW-1",
        sequence: Sequence::TrustBoundariesAndFlows,
        probes: &[own(
            Told::RequestsEncrypted,
            "Requests that came encrypted",
            "Give the remaining listeners a certificate and close the plain ones.",
        )],
    },
    ControlDefined {
        id: "legacy-wrapped",
        title: "What cannot authenticate is wrapped",
        requirement: "NW-5",
        sequence: Sequence::SegmentationOfCriticalAssets,
        probes: &[],
    },
];
