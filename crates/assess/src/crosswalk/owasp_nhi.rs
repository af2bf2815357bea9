//! OWASP Non-Human Identities Top 10, 2025: by number and title. A row is in place when the risk is not found.

use super::{FrameworkDefined, row};

pub(super) const FRAMEWORK: FrameworkDefined = FrameworkDefined {
    id: "owasp-nhi-2025",
    title: "OWASP Non-Human Identities Top 10",
    version: "2025",
    rows: &[
        row(
            "NHI1:2025",
            "Improper Offboarding",
            &["service-without-owner", "unused-account", "agent-without-owner"],
            "",
        ),
        row(
            "NHI2:2025",
            "Secret Leakage",
            &["password-in-directory"],
            "code, images, chats and other places where secrets lie",
        ),
        row("NHI3:2025", "Vulnerable Third-Party NHI", &[], "third parties' software and what it is trusted with"),
        row(
            "NHI4:2025",
            "Insecure Authentication",
            &["as-rep-roastable", "kerberoastable", "password-not-required", "unconstrained-delegation"],
            "protocols that applications speak among themselves",
        ),
        row(
            "NHI5:2025",
            "Overprivileged NHI",
            &["privileged-by-rights", "privileged-beyond-allowed", "entitlements-used"],
            "",
        ),
        row("NHI6:2025", "Insecure Cloud Deployment Configurations", &[], "pipelines and their configuration"),
        row("NHI7:2025", "Long-Lived Secrets", &["service-credential-without-expiry", "key-old"], ""),
        row(
            "NHI8:2025",
            "Environment Isolation",
            &["crown-jewels-segmented"],
            "which environment an identity belongs to",
        ),
        row("NHI9:2025", "NHI Reuse", &[], "which programmes share one identity"),
        row("NHI10:2025", "Human Use of NHI", &["shared-account", "use-not-known"], ""),
    ],
};
