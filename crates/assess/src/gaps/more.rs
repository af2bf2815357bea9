//! Indicators that the gap map asks and the health check does not report: properties of the whole rather than something wrong with
//! one account. Written in the same queries, so that each can be asked again.

use crate::health::{Indicator, Severity};

const COMMON: Indicator = Indicator {
    id: "",
    title: "",
    meaning: "",
    severity: Severity::Medium,
    requirement: "GV-1",
    population: "account and enabled and not system",
    finding: "",
    allowed: None,
    share: None,
    remedy: "",
};

pub(crate) const fn more() -> &'static [Indicator] {
    &MORE
}

static MORE: [Indicator; 7] = [
    Indicator {
        id: "use-not-known",
        title: "Accounts of which nobody knows whether a person or a programme uses them",
        meaning: "No source says what the account is for.",
        requirement: "ID-1",
        finding: "use = undetermined",
        remedy: "Import the list of people, confirm the links that are proposed, and mark what programmes use.",
        ..COMMON
    },
    Indicator {
        id: "not-phishing-resistant",
        title: "People without a phishing-resistant factor",
        meaning: "What signs the person in can be read out to, or typed into, somebody else's page.",
        requirement: "ID-2",
        population: "account and enabled and not system and not is-service",
        finding: "not phishing-resistant",
        share: Some("phishing-resistant enrolment"),
        remedy: "Enrol passkeys: at the next sign-in, on the device at hand, with a second one as a spare.",
        ..COMMON
    },
    Indicator {
        id: "service-without-owner",
        title: "Programmes' accounts and keys that nobody answers for",
        meaning: "A programme signs in, and no owner who is there is named.",
        requirement: "ID-5",
        population: "kind = key or account and enabled and is-service",
        finding: "not answered-for",
        remedy: "Name an owner who is there; what nobody claims within a month is disabled.",
        ..COMMON
    },
    Indicator {
        id: "agent-without-owner",
        title: "Agents that nobody answers for",
        meaning: "An agent acts, and no person who is there is named for it.",
        requirement: "ID-6",
        population: "kind = agent",
        finding: "not answered-for",
        remedy: "Name the person whom the agent acts for, or switch it off.",
        ..COMMON
    },
    Indicator {
        id: "reaches-tier-zero",
        title: "Ordinary accounts that reach tier zero",
        meaning: "From this account an attacker gets to what controls everything: by rights, sessions and memberships.",
        severity: Severity::Critical,
        requirement: "NW-3, GV-5",
        population: "account and enabled and not system and not privileged",
        finding: "reaches-tier-zero",
        remedy: "Cut the ways at their choke points: few removals carry most of them.",
        ..COMMON
    },
    Indicator {
        id: "privileged-session-exposed",
        title: "Devices below tier zero with privileged accounts signed in",
        meaning: "Whoever takes the device takes the administrator who is signed in on it.",
        severity: Severity::High,
        requirement: "NW-3, PA-2",
        population: "kind = device and enabled and not domain-controller",
        finding: "privileged-sessions > 0",
        remedy: "Administrators sign in on devices of their own tier only; refuse it elsewhere by policy.",
        ..COMMON
    },
    Indicator {
        id: "local-password-not-managed",
        title: "Devices whose local administrator's password is not managed",
        meaning: "One password opens every device that was installed from the same image.",
        severity: Severity::High,
        requirement: "PA-4",
        population: "kind = device and enabled and not domain-controller",
        finding: "not local-password-managed",
        remedy: "Switch on LAPS for the units that these devices are in.",
        ..COMMON
    },
];
