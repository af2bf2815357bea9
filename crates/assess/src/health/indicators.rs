//! The indicators: each a value of two queries and the words about them. What they mean, their traps and what they cannot
//! see stands in docs/health.md, which a test holds against this table.

use super::{Indicator, Severity};

/// Every indicator.
pub fn indicators() -> &'static [Indicator] {
    &INDICATORS
}

/// The common part of most: the rest is said by name.
const COMMON: Indicator = Indicator {
    id: "",
    title: "",
    meaning: "",
    severity: Severity::Medium,
    requirement: "ID-7",
    population: "account and enabled and not system",
    finding: "",
    allowed: None,
    share: None,
    remedy: "",
};

static INDICATORS: [Indicator; 28] = [
    Indicator {
        id: "left-still-enabled",
        title: "Accounts of people who left, still enabled",
        meaning: "The person left, says the list of people, and the account can still sign in.",
        severity: Severity::Critical,
        population: "account and enabled and not system and use != service",
        finding: "left older-than 0 days",
        remedy: "Disable the account now, end its sessions, revoke its keys; then find out why leaving did not do it.",
        ..COMMON
    },
    Indicator {
        id: "orphaned-account",
        title: "Orphaned accounts",
        meaning: "Nobody who is there answers for the account: no owner, an owner who is gone, or a person that no list knows.",
        severity: Severity::High,
        finding: "not answered-for",
        remedy: "Name an owner who is there, or disable the account; delete it after a month in which nobody missed it.",
        ..COMMON
    },
    Indicator {
        id: "service-credential-without-expiry",
        title: "Service credentials without expiry",
        meaning: "A programme signs in with a password or key that never has to change.",
        severity: Severity::High,
        requirement: "ID-5, ID-7",
        population: "kind = key or account and enabled and is-service and not managed-password",
        finding: "kind = key and not has-expiry or account and password-never-expires",
        remedy: "Move the service to a managed account (gMSA) or a workload identity; where that cannot be, give the credential an expiry and an owner.",
        ..COMMON
    },
    Indicator {
        id: "privileged-beyond-allowed",
        title: "Privileged accounts beyond the allowed number",
        meaning: "More than {privileged-allowed} enabled accounts are of tier zero by membership.",
        severity: Severity::High,
        requirement: "ID-7, PA-2",
        population: "account and enabled",
        finding: "privileged",
        allowed: Some(|parameters| parameters.privileged_allowed),
        remedy: "Take out whoever does not administer the directory itself; give the rest the privilege for the hour in which they need it.",
        ..COMMON
    },
    Indicator {
        id: "privileged-by-nesting",
        title: "Privilege through nested groups",
        meaning: "The account is of tier zero only because a group that it is in is in another one: nobody sees it in the list of members.",
        severity: Severity::High,
        finding: "privilege = nested",
        remedy: "Take the inner group out of the privileged one; make those who need it direct members, each on its own.",
        ..COMMON
    },
    Indicator {
        id: "privileged-by-rights",
        title: "Privilege through rights over others",
        meaning: "The account is no member of anything privileged and can make itself one: by resetting a password, writing an object, adding a member.",
        severity: Severity::Critical,
        finding: "privilege-by-rights",
        remedy: "Remove the right that begins the way (the evidence names each step); check who set it.",
        ..COMMON
    },
    Indicator {
        id: "shared-account",
        title: "Accounts that look shared",
        meaning: "Several people are linked to it, it is signed in on more than {session-devices} devices, or it is named for a function. Signs, no proof.",
        severity: Severity::High,
        requirement: "ID-7, PA-4",
        population: "account and enabled and not system and use != service",
        finding: "people > 1 or function-name or session-devices > {session-devices}",
        remedy: "Give each person an account of their own; where a system knows only one, broker its credential.",
        ..COMMON
    },
    Indicator {
        id: "without-mfa",
        title: "People without multi-factor sign-in",
        meaning: "A password is all that the account's person needs.",
        severity: Severity::High,
        population: "account and enabled and not system and not is-service",
        finding: "not mfa",
        share: Some("MFA enrolment"),
        remedy: "Enrol passkeys; until then ask for a second factor at every sign-in from outside.",
        ..COMMON
    },
    Indicator {
        id: "privileged-without-mfa",
        title: "Administrators without multi-factor sign-in",
        meaning: "One guessed or stolen password is the whole directory.",
        severity: Severity::Critical,
        population: "account and enabled and not system and not is-service and (privileged or privilege-by-rights)",
        finding: "not mfa",
        remedy: "Take the privilege away until a phishing-resistant factor is enrolled.",
        ..COMMON
    },
    Indicator {
        id: "privileged-not-phishing-resistant",
        title: "Administrators without a phishing-resistant factor",
        meaning: "What signs the administrator in can be read out to, or typed into, somebody else's page.",
        severity: Severity::High,
        population: "account and enabled and not system and not is-service and (privileged or privilege-by-rights)",
        finding: "not phishing-resistant",
        remedy: "Passkeys, FIDO2 keys or smart cards for every administrator, and no other way in.",
        ..COMMON
    },
    Indicator {
        id: "outside-single-sign-on",
        title: "People's accounts outside single sign-on",
        meaning: "The account signs in past the identity provider: its rules, its factors and its leavers do not count there.",
        population: "account and enabled and not system and not is-service",
        finding: "not single-sign-on",
        share: Some("SSO coverage of accounts"),
        remedy: "Link the account to its person at the provider and switch its own password off.",
        ..COMMON
    },
    Indicator {
        id: "application-outside-single-sign-on",
        title: "Applications outside single sign-on",
        meaning: "No identity provider lets anybody at the application: it has accounts and passwords of its own.",
        population: "application",
        finding: "not single-sign-on",
        share: Some("SSO coverage of applications"),
        remedy: "Connect it to the identity provider, or put it behind the gateway.",
        ..COMMON
    },
    Indicator {
        id: "stale-membership",
        title: "Stale group memberships",
        meaning: "The account is disabled, or unused for {unused-days} days, and it still has its groups: they are there when it wakes.",
        population: "account and not system and memberships > 0",
        finding: "not enabled or last-use older-than {unused-days} days",
        remedy: "Take it out of its groups; keep a note of them if it may come back.",
        ..COMMON
    },
    Indicator {
        id: "unused-account",
        title: "Accounts unused for {unused-days} days",
        meaning: "The account is enabled and was last used more than {unused-days} days ago. Accounts that were never used are another matter.",
        population: "account and enabled and not system and not never-used",
        finding: "last-use older-than {unused-days} days",
        remedy: "Disable it, and delete it once nobody has asked for it.",
        ..COMMON
    },
    Indicator {
        id: "never-used-account",
        title: "Accounts that were never used",
        meaning: "The account is enabled, older than {first-use-days} days, and has never signed in: its first password is often still the one that it was made with.",
        finding: "never-used and created older-than {first-use-days} days",
        remedy: "Disable it; make accounts on the day on which they are needed.",
        ..COMMON
    },
    Indicator {
        id: "unused-device",
        title: "Devices unused for {unused-days} days",
        meaning: "The device's account is enabled and the device has not been at the directory for more than {unused-days} days.",
        severity: Severity::Low,
        population: "kind = device and enabled and not never-used",
        finding: "last-use older-than {unused-days} days",
        remedy: "Disable the device's account; find the device, or write it off.",
        ..COMMON
    },
    Indicator {
        id: "privilege-beyond-role",
        title: "Privileges beyond the role",
        meaning: "The account has memberships that fewer than {peer-share-percent} % of those of the same department and title have (of at least {peers-at-least}).",
        population: "account and enabled and not system and use != service",
        finding: "unusual-memberships > 0",
        remedy: "Ask the person's manager about each of the memberships named; what nobody confirms goes.",
        ..COMMON
    },
    Indicator {
        id: "guest-with-privilege",
        title: "Guests with privilege",
        meaning: "Somebody from outside is, or can make themselves, an administrator.",
        severity: Severity::Critical,
        population: "account and enabled and guest",
        finding: "privileged or privilege-by-rights",
        remedy: "Take the privilege away; give outside administrators an account of yours, with an end.",
        ..COMMON
    },
    Indicator {
        id: "password-never-expires",
        title: "Passwords that never expire",
        meaning: "The password of the account need never be changed.",
        population: "account and enabled and not system and not managed-password",
        finding: "password-never-expires",
        remedy: "Let the directory's rules hold for it; for programmes use managed accounts.",
        ..COMMON
    },
    Indicator {
        id: "password-old",
        title: "Passwords older than {password-age-days} days",
        meaning: "The password was last changed more than {password-age-days} days ago.",
        severity: Severity::Low,
        population: "account and enabled and not system and not managed-password",
        finding: "password-last-set older-than {password-age-days} days",
        remedy: "For people: passkeys in place of the password. For programmes: managed accounts, or a date for the change.",
        ..COMMON
    },
    Indicator {
        id: "key-old",
        title: "Keys older than {key-age-days} days",
        meaning: "The key was made, or last changed, more than {key-age-days} days ago.",
        requirement: "ID-5, ID-7",
        population: "kind = key",
        finding: "created older-than {key-age-days} days and (password-last-set older-than {key-age-days} days or unknown (password-last-set older-than 0 days))",
        remedy: "Make a new key, move its users over, delete the old one; better, issue short-lived credentials.",
        ..COMMON
    },
    Indicator {
        id: "krbtgt-password-old",
        title: "The key of Kerberos itself is old",
        meaning: "The password of krbtgt was last changed more than {krbtgt-age-days} days ago: tickets forged with a stolen one are good as long.",
        severity: Severity::High,
        population: "krbtgt",
        finding: "password-last-set older-than {krbtgt-age-days} days",
        remedy: "Change it twice, with the longest ticket lifetime between.",
        ..COMMON
    },
    Indicator {
        id: "password-not-required",
        title: "Accounts that may have an empty password",
        meaning: "The account is excepted from the rule that there must be a password.",
        severity: Severity::High,
        finding: "password-not-required",
        remedy: "Clear the flag (PASSWD_NOTREQD) and set a new password.",
        ..COMMON
    },
    Indicator {
        id: "password-in-directory",
        title: "Passwords that stand in the directory",
        meaning: "A password attribute of the account can be read by whoever can read the directory.",
        severity: Severity::Critical,
        population: "account",
        finding: "password-in-directory",
        remedy: "Clear the attribute, change the password, and look for its use since.",
        ..COMMON
    },
    Indicator {
        id: "kerberoastable",
        title: "Kerberoastable accounts",
        meaning: "Every account of the domain can have a ticket that is encrypted with this account's password, and guess at it offline.",
        severity: Severity::High,
        population: "account and enabled and not system and not managed-password",
        finding: "service-principals > 0",
        remedy: "Move the service to a managed account (gMSA); until then a random password of 30 characters and AES only.",
        ..COMMON
    },
    Indicator {
        id: "as-rep-roastable",
        title: "AS-REP-roastable accounts",
        meaning: "Anybody on the network, without an account, can have something that is encrypted with this account's password.",
        severity: Severity::High,
        finding: "without-preauthentication",
        remedy: "Require pre-authentication (clear DONT_REQ_PREAUTH) and change the password.",
        ..COMMON
    },
    Indicator {
        id: "unconstrained-delegation",
        title: "Unconstrained delegation",
        meaning: "Whoever signs in there leaves a ticket with which they can be impersonated everywhere; controllers, which need it, are not counted.",
        severity: Severity::Critical,
        population: "(account or kind = device) and enabled and not domain-controller",
        finding: "unconstrained-delegation",
        remedy: "Replace it by constrained or resource-based delegation; mark administrators as not to be delegated.",
        ..COMMON
    },
    Indicator {
        id: "expired-still-enabled",
        title: "Accounts past their end, still enabled",
        meaning: "The account's end has passed; it cannot sign in until somebody moves the date, and keeps all that it has.",
        severity: Severity::Low,
        finding: "expires older-than 0 days",
        remedy: "Disable the account and take it out of its groups.",
        ..COMMON
    },
];
