//! The seven tenets of NIST SP 800-207, section 2.1, in short words.

use super::{FrameworkDefined, row};

pub(super) const FRAMEWORK: FrameworkDefined = FrameworkDefined {
    id: "nist-800-207",
    title: "NIST SP 800-207, tenets of Zero Trust",
    version: "August 2020",
    rows: &[
        row(
            "tenet-1",
            "Everything is a resource",
            &["applications-behind-gateway", "resources-classified", "sources-current"],
            "",
        ),
        row(
            "tenet-2",
            "All communication is secured, wherever it comes from",
            &["requests-encrypted"],
            "traffic that does not pass an enforcement point",
        ),
        row(
            "tenet-3",
            "Access is granted for one session to one resource",
            &["applications-behind-gateway", "privilege-just-in-time", "leases-bound-to-device"],
            "",
        ),
        row(
            "tenet-4",
            "Dynamic policy decides",
            &["resources-conditional", "decisions-with-verified-posture", "doors-covered"],
            "",
        ),
        row(
            "tenet-5",
            "The posture of all assets is monitored",
            &["devices-enrolled", "devices-compliant", "unused-device"],
            "",
        ),
        row(
            "tenet-6",
            "Authentication and authorization are dynamic and strictly enforced",
            &["without-mfa", "outside-single-sign-on", "resources-enforced", "privileged-without-mfa"],
            "",
        ),
        row(
            "tenet-7",
            "As much as possible is collected, and used",
            &["decisions-recorded", "flows-known", "identities-with-baseline", "entitlements-used"],
            "",
        ),
    ],
};
