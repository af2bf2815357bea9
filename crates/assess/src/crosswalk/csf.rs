//! NIST Cybersecurity Framework 2.0: PR.AA (identity management, authentication and access control) and DE.CM (continuous
//! monitoring), by their identifiers of 2.0; the outcomes in short words. Numbers that are missing in 2.0 were left out there.

use super::{FrameworkDefined, row};

pub(super) const FRAMEWORK: FrameworkDefined = FrameworkDefined {
    id: "nist-csf-2.0",
    title: "NIST Cybersecurity Framework",
    version: "2.0",
    rows: &[
        row(
            "PR.AA-01",
            "Identities and credentials are managed",
            &[
                "orphaned-account",
                "left-still-enabled",
                "unused-account",
                "service-credential-without-expiry",
                "key-old",
                "use-not-known",
            ],
            "",
        ),
        row(
            "PR.AA-02",
            "Identities are proofed and bound to credentials",
            &["shared-account", "agents-acting-for-somebody", "devices-proven"],
            "the proofing of people when they join",
        ),
        row(
            "PR.AA-03",
            "Users, services and hardware are authenticated",
            &[
                "without-mfa",
                "not-phishing-resistant",
                "sign-ins-phishing-resistant",
                "password-not-required",
                "devices-proven",
            ],
            "",
        ),
        row(
            "PR.AA-04",
            "Identity assertions are protected, conveyed and verified",
            &[
                "outside-single-sign-on",
                "application-outside-single-sign-on",
                "krbtgt-password-old",
                "requests-encrypted",
            ],
            "",
        ),
        row(
            "PR.AA-05",
            "Permissions follow policy, least privilege and separation of duties, and are reviewed",
            &[
                "privileged-beyond-allowed",
                "privileged-by-rights",
                "privilege-beyond-role",
                "stale-membership",
                "doors-covered",
                "entitlements-used",
                "entitlements-reviewed",
                "policies-owned",
            ],
            "",
        ),
        row("PR.AA-06", "Physical access is managed", &[], "doors of buildings"),
        row(
            "DE.CM-01",
            "Networks and network services are monitored",
            &["flows-known", "decisions-recorded"],
            "traffic that does not pass an enforcement point",
        ),
        row("DE.CM-02", "The physical environment is monitored", &[], "buildings"),
        row(
            "DE.CM-03",
            "Personnel activity and use of technology are monitored",
            &["decisions-recorded", "privileged-sessions-recorded", "identities-with-baseline"],
            "",
        ),
        row(
            "DE.CM-06",
            "External service providers are monitored",
            &["guest-with-privilege"],
            "what providers do in systems of their own",
        ),
        row(
            "DE.CM-09",
            "Hardware, software, runtimes and their data are monitored",
            &["devices-compliant", "devices-attested"],
            "software and data on servers",
        ),
    ],
};
