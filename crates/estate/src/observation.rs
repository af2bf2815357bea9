//! What a source says, row by row: something that exists (a node) or a power of one over another (an edge), each with
//! where it stands. These are rows, not conclusions: nothing here is merged, linked or judged.
//!
//! Every edge points the way an attacker goes: whoever has `from` gets at `to`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use countersign_model::{Tier, Timestamp};
use serde::{Deserialize, Serialize};

/// What a node is, as far as its source says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Named by something else, described by nothing yet.
    Unknown,
    /// An account of which the source does not say whether a person or a programme uses it.
    Account,
    Human,
    Service,
    Agent,
    /// A credential of its own: an access key, an SSH key, a token.
    Key,
    Group,
    Role,
    /// One permission or set of them that can be held: a managed policy.
    Entitlement,
    Device,
    /// What runs and carries an identity, such as a pod.
    Workload,
    Resource,
    /// A trust boundary, as whoever drew it names it.
    Segment,
    /// Decides over what it is linked to: a group policy, a template of certificates.
    Policy,
    /// An organisational unit or container of a directory.
    Container,
    /// A domain, an account of a cloud, a tenant, a cluster.
    Scope,
}

/// What whoever has the first end can do to the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    MemberOf,
    /// Somebody and a set of permissions that it has.
    HasEntitlement,
    /// A container or scope and what is in it.
    Contains,
    /// A group policy and what it is linked to.
    AppliesTo,
    /// Local administrator of a device, cluster administrator, administrator of an account.
    Administers,
    Owns,
    FullControl,
    WriteAttributes,
    WriteOwner,
    WritePermissions,
    AllExtendedRights,
    ResetPassword,
    AddMember,
    AddSelf,
    WriteServicePrincipal,
    AddKeyCredential,
    WriteDelegation,
    WriteAccountRestrictions,
    WriteGroupPolicyLink,
    ReadLocalPassword,
    ReadManagedPassword,
    GetChanges,
    GetChangesAll,
    GetChangesFiltered,
    /// Both of the rights that a copy of all password hashes takes.
    DcSync,
    /// A device and who is signed in on it.
    HasSession,
    /// A device or person and a credential that is on it.
    HoldsKey,
    /// A workload and the identity that it runs as.
    RunsAs,
    /// May act as anybody towards this service (constrained delegation).
    DelegatesTo,
    /// May act as anybody towards this device (resource-based delegation).
    ActsOnBehalf,
    HasSidHistory,
    RemoteDesktop,
    RemoteDcom,
    RemotePowerShell,
    SqlAdministrator,
    LogsOnTo,
    /// A domain and another one that trusts it.
    TrustedBy,
    Enroll,
    ManageAuthority,
    /// May become the second: assume a role, impersonate.
    Assume,
    /// May make itself a credential of the second.
    CreateCredential,
    /// May change what the second is allowed to do.
    ChangePermissions,
    /// May hand the second to a service that then acts as it.
    PassRole,
    /// Any other permission that the source names.
    Permits,
}

/// Where a row stands in its file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Counted from 1.
    Line(u64),
    /// A JSON pointer by its parts: `/data/17/Aces/3`.
    Record { list: Cow<'static, str>, index: u32, field: Cow<'static, str>, item: Option<u32> },
    /// A line and column, as a reader of JSON counts them.
    Text { line: u64, column: u64 },
}

impl Place {
    pub(crate) fn record(list: &'static str, index: u32) -> Self {
        Self::Record { list: Cow::Borrowed(list), index, field: Cow::Borrowed(""), item: None }
    }

    /// The same record, one of its fields.
    pub(crate) fn field(&self, name: &'static str, number: Option<usize>) -> Self {
        match self {
            Self::Record { list, index, .. } => Self::Record {
                list: list.clone(),
                index: *index,
                field: Cow::Borrowed(name),
                item: number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
            },
            other => other.clone(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Text { line, column } => write!(f, "line {line} column {column}"),
            Self::Record { list, index, field, item } => {
                if !list.is_empty() {
                    write!(f, "/{list}")?;
                }
                write!(f, "/{index}")?;
                if !field.is_empty() {
                    write!(f, "/{field}")?;
                }
                item.map_or(Ok(()), |item| write!(f, "/{item}"))
            }
        }
    }
}

/// An instant, or that there was none. Not knowing is `None` around it: never and unknown are two things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    Never,
    At(Timestamp),
}

/// What a "last sign-in" really says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInKind {
    /// `lastLogonTimestamp`: replicated, and by design up to 14 days behind.
    Replicated,
    /// `lastLogon` of the one domain controller that was asked: others may know of a later one.
    OneController,
    /// Password use at a console.
    Password,
    /// Use of a key.
    Key,
    /// Use of a role.
    Role,
    /// Sign-in at the identity provider, interactive.
    Interactive,
    /// Only the provider's own dashboard.
    Dashboard,
    /// At the identity provider, in person or by a programme for them; it comes up to a day late.
    Provider,
}

impl SignInKind {
    /// The true last use is at most so much later than what is said; `None`: it may be any time later.
    pub const fn lag(self) -> Option<Duration> {
        const DAY: u64 = 86_400;
        match self {
            Self::Replicated => Some(Duration::from_secs(14 * DAY)),
            Self::Provider => Some(Duration::from_secs(DAY)),
            Self::Password | Self::Interactive => Some(Duration::ZERO),
            // IAM says the hour of the last use within its tracking period.
            Self::Key | Self::Role => Some(Duration::from_secs(4 * 3600)),
            Self::OneController | Self::Dashboard => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct SignIn {
    pub kind: SignInKind,
    pub when: Moment,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// Passkeys, FIDO2 keys, Windows Hello, certificates.
    PhishingResistant,
    App,
    OneTimeCode,
    Phone,
    Email,
    /// Said to be there, not of which kind.
    Unspecified,
}

/// One node, as one place of one file describes it.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeSeen {
    /// The part of a source that says so: index into [`crate::Batch::parts`].
    pub part: u32,
    pub key: u32,
    pub kind: Kind,
    pub name: Box<str>,
    pub attributes: Option<Box<Attributes>>,
    pub file: u32,
    pub place: Place,
}

/// One edge, as one place of one file describes it. Its ends may be named by another name than their key until the
/// batch is finished.
#[derive(Clone, PartialEq, Debug)]
pub struct EdgeSeen {
    pub part: u32,
    pub from: u32,
    pub to: u32,
    pub relation: Relation,
    /// Holds only under this condition, in the source's own words. A condition is never ignored.
    pub condition: Option<Box<str>>,
    pub file: u32,
    pub place: Place,
}

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// What is known of a node. `None` and empty: not said. Free texts such as descriptions are not taken: they
        /// hold passwords too often.
        #[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Attributes {
            $($(#[$doc])* #[serde(skip_serializing_if = "crate::observation::Said::unsaid")] pub $name: $kind,)*
        }

        impl Attributes {
            /// Takes in what another row says of the same node; names the fields on which the two differ. Which row
            /// comes first makes no difference.
            pub(crate) fn combine(&mut self, other: Self) -> Vec<&'static str> {
                let mut differing = Vec::new();
                $(if Said::combine(&mut self.$name, other.$name) { differing.push(stringify!($name)); })*
                differing
            }

            /// Takes from `other` what is not said here; a list is what both say.
            pub(crate) fn fill(&mut self, other: &Self) {
                $(Said::fill(&mut self.$name, &other.$name);)*
            }

            /// The fields whose value is another one in `other`.
            pub fn differing(&self, other: &Self) -> Vec<&'static str> {
                let mut differing = Vec::new();
                $(if self.$name != other.$name { differing.push(stringify!($name)); })*
                differing
            }
        }
    };
}

attributes! {
    enabled: Option<bool>,
    /// Locked after wrong passwords: for a while, and not disabled.
    locked: Option<bool>,
    created: Option<Timestamp>,
    expires: Option<Moment>,
    password_last_set: Option<Moment>,
    password_never_expires: Option<bool>,
    password_not_required: Option<bool>,
    /// A password stands readable in the directory itself. Its value is not kept.
    password_in_directory: Option<bool>,
    /// The directory changes the password itself (gMSA, dMSA).
    managed_password: Option<bool>,
    sign_ins: Vec<SignIn>,
    /// `Some` and empty: known to have none.
    factors: Option<Vec<Factor>>,
    /// Who answers for it: a key, or a name that the source uses.
    owner: Option<Box<str>>,
    email: Option<Box<str>>,
    /// The source has made sure that the address is this account's.
    email_verified: Option<bool>,
    /// `userPrincipalName`: kept unique by its directory.
    principal_name: Option<Box<str>>,
    account_name: Option<Box<str>>,
    /// The number by which whoever pays the person knows them.
    employee_number: Option<Box<str>>,
    display_name: Option<Box<str>>,
    title: Option<Box<str>>,
    department: Option<Box<str>>,
    /// When the person left, says an HR feed.
    left: Option<Timestamp>,
    guest: Option<bool>,
    /// Whether an identity provider signs people in to it. A password that the provider keeps and types in is no sign-on.
    single_sign_on: Option<bool>,
    /// krbtgt, Administrator, Guest: made by the system, nobody's.
    built_in: Option<bool>,
    /// The account of a trust between domains.
    trust_account: Option<bool>,
    domain_controller: Option<bool>,
    /// The source counts it among what must not fall (`highvalue`, `admincount`).
    high_value: Option<bool>,
    admin_count: Option<bool>,
    /// Kerberos pre-authentication is off: its password can be attacked offline by anybody (AS-REP roasting).
    without_preauthentication: Option<bool>,
    /// Its password can be attacked offline by every account of the domain (Kerberoasting).
    service_principals: Vec<Box<str>>,
    /// The source says whether there are any, and need not say which.
    has_service_principal: Option<bool>,
    unconstrained_delegation: Option<bool>,
    protocol_transition: Option<bool>,
    not_delegated: Option<bool>,
    local_password_managed: Option<bool>,
    operating_system: Option<Box<str>>,
    domain: Option<Box<str>>,
    distinguished_name: Option<Box<str>>,
    sid: Option<Box<str>>,
    guid: Option<Box<str>>,
    /// The key of the same account in the directory that it comes from.
    immutable_id: Option<Box<str>>,
    /// The key of the same account in another source, by that source's own word.
    same_as: Vec<Box<str>>,
    arn: Option<Box<str>>,
    /// How sensitive it is, and the boundary that it is in, by the source's word.
    tier: Option<Tier>,
    segment: Option<Box<str>>,
}

/// A value that may be unsaid, and of which two can be made one whatever their order.
pub(crate) trait Said {
    fn unsaid(&self) -> bool;
    /// True if both said something, and not the same.
    fn combine(&mut self, other: Self) -> bool;
    fn fill(&mut self, other: &Self);
}

impl<T: Ord + Clone> Said for Option<T> {
    fn unsaid(&self) -> bool {
        self.is_none()
    }

    fn combine(&mut self, other: Self) -> bool {
        let differ = self.is_some() && other.is_some() && *self != other;
        if other > *self {
            *self = other;
        }
        differ
    }

    fn fill(&mut self, other: &Self) {
        if self.is_none() {
            self.clone_from(other);
        }
    }
}

impl<T: Ord + Clone> Said for Vec<T> {
    fn unsaid(&self) -> bool {
        self.is_empty()
    }

    /// A list is what all say together.
    fn combine(&mut self, other: Self) -> bool {
        self.extend(other);
        self.sort();
        self.dedup();
        false
    }

    fn fill(&mut self, other: &Self) {
        self.combine(other.clone());
    }
}
