//! CISA Zero Trust Maturity Model 2.0: all thirty-seven rows, the functions of five pillars with their cross-cutting
//! capabilities. Much of it is nothing that an access platform can evidence; those rows say so.

use super::{FrameworkDefined, row};

const NOT_SEEN: &str = "an access platform cannot evidence this";

pub(super) const FRAMEWORK: FrameworkDefined = FrameworkDefined {
    id: "cisa-ztmm-2.0",
    title: "CISA Zero Trust Maturity Model",
    version: "2.0",
    rows: &[
        row(
            "identity/authentication",
            "Identity: Authentication",
            &["without-mfa", "not-phishing-resistant", "sign-ins-phishing-resistant", "privileged-without-mfa"],
            "",
        ),
        row(
            "identity/identity-stores",
            "Identity: Identity Stores",
            &["outside-single-sign-on", "orphaned-account", "left-still-enabled", "sources-current"],
            "",
        ),
        row(
            "identity/risk-assessments",
            "Identity: Risk Assessments",
            &["reaches-tier-zero", "identities-with-baseline", "unused-account"],
            "",
        ),
        row(
            "identity/access-management",
            "Identity: Access Management",
            &["privilege-just-in-time", "privilege-beyond-role", "entitlements-used", "resources-conditional"],
            "",
        ),
        row(
            "identity/visibility-and-analytics",
            "Identity: Visibility and Analytics Capability",
            &["decisions-recorded", "identities-with-baseline"],
            "",
        ),
        row(
            "identity/automation-and-orchestration",
            "Identity: Automation and Orchestration Capability",
            &["left-still-enabled", "expired-still-enabled", "service-credential-without-expiry"],
            "",
        ),
        row(
            "identity/governance",
            "Identity: Governance Capability",
            &["policies-owned", "entitlements-reviewed", "reviews-on-time"],
            "",
        ),
        row(
            "devices/policy-enforcement-and-compliance-monitoring",
            "Devices: Policy Enforcement & Compliance Monitoring",
            &["devices-compliant", "decisions-with-verified-posture"],
            "",
        ),
        row(
            "devices/asset-and-supply-chain-risk-management",
            "Devices: Asset & Supply Chain Risk Management",
            &["devices-enrolled", "unused-device"],
            "suppliers",
        ),
        row(
            "devices/resource-access",
            "Devices: Resource Access",
            &["unmanaged-devices-limited", "leases-bound-to-device", "decisions-with-verified-posture"],
            "",
        ),
        row(
            "devices/device-threat-protection",
            "Devices: Device Threat Protection",
            &["devices-attested", "local-password-not-managed"],
            "what endpoint protection finds",
        ),
        row(
            "devices/visibility-and-analytics",
            "Devices: Visibility and Analytics Capability",
            &["devices-enrolled", "devices-compliant"],
            "",
        ),
        row(
            "devices/automation-and-orchestration",
            "Devices: Automation and Orchestration Capability",
            &["leases-bound-to-device"],
            "how devices are provisioned and retired",
        ),
        row(
            "devices/governance",
            "Devices: Governance Capability",
            &["unused-device", "unmanaged-devices-limited"],
            "how devices are bought and disposed of",
        ),
        row(
            "networks/network-segmentation",
            "Networks: Network Segmentation",
            &["crown-jewels-segmented", "applications-behind-gateway", "reaches-tier-zero"],
            "",
        ),
        row(
            "networks/network-traffic-management",
            "Networks: Network Traffic Management",
            &["flows-known"],
            "rules of the networks' own equipment",
        ),
        row(
            "networks/traffic-encryption",
            "Networks: Traffic Encryption",
            &["requests-encrypted"],
            "traffic that does not pass an enforcement point",
        ),
        row("networks/network-resilience", "Networks: Network Resilience", &[], NOT_SEEN),
        row(
            "networks/visibility-and-analytics",
            "Networks: Visibility and Analytics Capability",
            &["flows-known", "lateral-movement-detected"],
            "traffic that does not pass an enforcement point",
        ),
        row(
            "networks/automation-and-orchestration",
            "Networks: Automation and Orchestration Capability",
            &[],
            NOT_SEEN,
        ),
        row(
            "networks/governance",
            "Networks: Governance Capability",
            &["flows-known", "exceptions-documented"],
            "rules of the networks' own equipment",
        ),
        row(
            "applications/application-access",
            "Applications and Workloads: Application Access",
            &["applications-behind-gateway", "resources-conditional", "application-outside-single-sign-on"],
            "",
        ),
        row(
            "applications/application-threat-protections",
            "Applications and Workloads: Application Threat Protections",
            &[],
            NOT_SEEN,
        ),
        row(
            "applications/accessible-applications",
            "Applications and Workloads: Accessible Applications",
            &["applications-behind-gateway", "requests-encrypted"],
            "",
        ),
        row(
            "applications/secure-development-and-deployment",
            "Applications and Workloads: Secure Application Development and Deployment Workflow",
            &[],
            NOT_SEEN,
        ),
        row(
            "applications/application-security-testing",
            "Applications and Workloads: Application Security Testing",
            &[],
            NOT_SEEN,
        ),
        row(
            "applications/visibility-and-analytics",
            "Applications and Workloads: Visibility and Analytics Capability",
            &["decisions-recorded"],
            "what happens within applications",
        ),
        row(
            "applications/automation-and-orchestration",
            "Applications and Workloads: Automation and Orchestration Capability",
            &["resources-enforced"],
            "how applications are configured and deployed",
        ),
        row(
            "applications/governance",
            "Applications and Workloads: Governance Capability",
            &["policies-owned", "doors-covered", "resources-classified"],
            "how applications are developed",
        ),
        row(
            "data/data-inventory-management",
            "Data: Data Inventory Management",
            &["resources-classified"],
            "data within resources",
        ),
        row(
            "data/data-categorization",
            "Data: Data Categorization",
            &["resources-classified"],
            "data within resources",
        ),
        row("data/data-availability", "Data: Data Availability", &[], NOT_SEEN),
        row(
            "data/data-access",
            "Data: Data Access",
            &["privilege-just-in-time", "resources-conditional", "entitlements-used"],
            "data within resources",
        ),
        row("data/data-encryption", "Data: Data Encryption", &["requests-encrypted"], "data at rest, and keys"),
        row(
            "data/visibility-and-analytics",
            "Data: Visibility and Analytics Capability",
            &["decisions-recorded"],
            "data within resources",
        ),
        row("data/automation-and-orchestration", "Data: Automation and Orchestration Capability", &[], NOT_SEEN),
        row(
            "data/governance",
            "Data: Governance Capability",
            &["resources-classified", "policies-owned"],
            "data within resources",
        ),
    ],
};
