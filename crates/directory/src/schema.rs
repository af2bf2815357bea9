//! What is asked of which kind of directory. Attributes are named one by one: what is not needed is not read, and what holds
//! a secret is on no list here.

use crate::filter::Filter;

/// What the estate knows of Active Directory.
pub(crate) const ACTIVE_DIRECTORY: &[&str] = &[
    "accountExpires",
    "adminCount",
    "dNSHostName",
    "department",
    "displayName",
    "employeeID",
    "employeeNumber",
    "gPLink",
    "lastLogonTimestamp",
    "lockoutTime",
    "mail",
    "managedBy",
    "member",
    "ms-Mcs-AdmPwdExpirationTime",
    "msDS-AllowedToActOnBehalfOfOtherIdentity",
    "msDS-AllowedToDelegateTo",
    "msDS-GroupMSAMembership",
    "msDS-User-Account-Control-Computed",
    "msLAPS-PasswordExpirationTime",
    "nTSecurityDescriptor",
    "objectClass",
    "objectGUID",
    "objectSid",
    "operatingSystem",
    "primaryGroupID",
    "pwdLastSet",
    "sAMAccountName",
    "sIDHistory",
    "securityIdentifier",
    "servicePrincipalName",
    "title",
    "trustAttributes",
    "trustDirection",
    "userAccountControl",
    "userPrincipalName",
    "whenCreated",
];

/// The classes of its domains that are part of an estate. Computers and managed accounts are users.
const DOMAIN_CLASSES: &[&str] = &[
    "user",
    "group",
    "domainDNS",
    "organizationalUnit",
    "container",
    "builtinDomain",
    "groupPolicyContainer",
    "foreignSecurityPrincipal",
    "trustedDomain",
];

/// The classes of its certificate services.
const CERTIFICATE_CLASSES: &[&str] = &["pKICertificateTemplate", "pKIEnrollmentService", "container"];

/// Attributes that hold passwords in ways that were common once. Whether they are there is asked, never what they are.
pub(crate) const PASSWORDS: &[&str] = &["userPassword", "unixUserPassword", "msSFU30Password"];

/// Attributes that hold the passwords of devices: the schema of each forest has identifiers of its own for them.
const DEVICE_PASSWORDS: &[&str] = &["ms-Mcs-AdmPwd", "msLAPS-Password", "msLAPS-EncryptedPassword"];
pub(crate) const OF_SCHEMA: &[&str] = &["objectClass", "objectGUID", "lDAPDisplayName", "schemaIDGUID"];

/// What the estate knows of other directories.
pub(crate) const OTHER: &[&str] = &[
    "authTimestamp",
    "cn",
    "createTimestamp",
    "departmentNumber",
    "displayName",
    "employeeNumber",
    "entryUUID",
    "gidNumber",
    "krbPrincipalName",
    "mail",
    "member",
    "memberUid",
    "nsAccountLock",
    "objectClass",
    "owner",
    "pwdAccountLockedTime",
    "pwdChangedTime",
    "pwdLastSuccess",
    "roleOccupant",
    "shadowExpire",
    "shadowLastChange",
    "shadowMax",
    "title",
    "uid",
    "uidNumber",
    "uniqueMember",
];

/// The classes of other directories that are part of an estate.
const OTHER_CLASSES: &[&str] = &[
    "inetOrgPerson",
    "person",
    "account",
    "posixAccount",
    "applicationProcess",
    "simpleSecurityObject",
    "groupOfNames",
    "groupOfUniqueNames",
    "groupOfMembers",
    "posixGroup",
    "organizationalRole",
    "organizationalUnit",
    "organization",
    "dcObject",
    "domain",
    "device",
    "ipHost",
];

/// Attributes that name other entries: a name that changes is changed in them.
pub(crate) const NAMING: &[&str] = &["managedby", "member"];

pub(crate) fn of_domain() -> Filter {
    Filter::of_classes(DOMAIN_CLASSES)
}

pub(crate) fn of_certificates() -> Filter {
    Filter::of_classes(CERTIFICATE_CLASSES)
}

pub(crate) fn of_schema() -> Filter {
    Filter::Any(DEVICE_PASSWORDS.iter().map(|name| Filter::Is("lDAPDisplayName", name)).collect())
}

pub(crate) fn of_others() -> Filter {
    Filter::of_classes(OTHER_CLASSES)
}

pub(crate) fn with_passwords() -> Filter {
    Filter::Any(PASSWORDS.iter().map(|name| Filter::Present(name)).collect())
}
