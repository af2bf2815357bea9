//! Privileged access (PA-1 to PA-4).

use super::{ControlDefined, Cure, asked, own};
use crate::gaps::Sequence;
use crate::own::Told;
use crate::steps::Effort;

pub(super) static CONTROLS: [ControlDefined; 7] = [
    ControlDefined {
        id: "few-privileged",
        title: "Standing privilege is counted, and little",
        requirement: "PA-2",
        sequence: Sequence::Identity,
        probes: &[
            asked("privileged-beyond-allowed").gating().vacuous(),
            asked("privileged-by-nesting").strict().cure(Cure::Unnest).vacuous(),
            asked("guest-with-privilege").strict().cure(Cure::Disable).vacuous(),
        ],
    },
    ControlDefined {
        id: "no-hidden-privilege",
        title: "Nobody can make themselves an administrator",
        requirement: "PA-2",
        sequence: Sequence::Identity,
        probes: &[
            asked("privileged-by-rights").gating().strict().cure(Cure::RemoveRight).vacuous(),
            asked("unconstrained-delegation").strict().vacuous(),
        ],
    },
    ControlDefined {
        id: "privileged-sign-in",
        title: "Administrators sign in with what cannot be phished",
        requirement: "ID-2, PA-2",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[
            asked("privileged-without-mfa").gating().strict().vacuous(),
            asked("privileged-not-phishing-resistant").vacuous(),
        ],
    },
    ControlDefined {
        id: "just-in-time",
        title: "Privilege for the hour in which it is needed",
        requirement: "PA-1",
        sequence: Sequence::MfaAndConditionalAccess,
        probes: &[own(
            Told::PrivilegeJustInTime,
            "Privileged use under a grant with approver and end",
            "Replace standing entitlements by ones that ask for a grant, the most used first.",
        )
        .gating()],
    },
    ControlDefined {
        id: "recorded-sessions",
        title: "Privileged sessions can be watched and replayed",
        requirement: "PA-3",
        sequence: Sequence::ContinuousMonitoring,
        probes: &[own(
            Told::PrivilegedSessionsRecorded,
            "Privileged sessions with a recording",
            "Ask for recording in the policies of privileged resources.",
        )],
    },
    ControlDefined {
        id: "no-shared-credentials",
        title: "Each privileged act is one identity's",
        requirement: "PA-4",
        sequence: Sequence::Identity,
        probes: &[asked("shared-account").gating().vacuous(), asked("local-password-not-managed").once(Effort::Medium)],
    },
    ControlDefined {
        id: "break-glass",
        title: "Break-glass accounts are sealed, alarmed and reviewed",
        requirement: "PA-2",
        sequence: Sequence::Identity,
        probes: &[],
    },
];
