//! Kinds of nodes and edges, and what each kind of edge means for an attacker: the direction of reach, what is won by it, and
//! the technique (MITRE ATT&CK). One table; nothing else in this crate knows a kind by name.

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum NodeKind {
    /// Named by an edge, described by nothing yet.
    Unknown,
    Human,
    /// An account that a programme signs in with.
    Service,
    /// An AI agent, acting for somebody.
    Agent,
    /// A credential of its own: access key, private key, API token, certificate.
    Key,
    Group,
    Role,
    /// One permission or application assignment that can be held.
    Entitlement,
    /// Somebody signed in, as a thing that can be taken.
    Session,
    Device,
    /// What runs and carries an identity: pod, function, instance, pipeline.
    Workload,
    Resource,
    Segment,
    /// What contains and passes settings on: organisational unit, folder, namespace.
    Container,
    /// Settings that apply to what they are linked to: a group policy object.
    Settings,
    /// The scope of a whole directory: domain, tenant, cloud account, organisation, cluster.
    Domain,
}

impl NodeKind {
    pub const ALL: [Self; 16] = [
        Self::Unknown,
        Self::Human,
        Self::Service,
        Self::Agent,
        Self::Key,
        Self::Group,
        Self::Role,
        Self::Entitlement,
        Self::Session,
        Self::Device,
        Self::Workload,
        Self::Resource,
        Self::Segment,
        Self::Container,
        Self::Settings,
        Self::Domain,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Human => "human",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::Key => "key",
            Self::Group => "group",
            Self::Role => "role",
            Self::Entitlement => "entitlement",
            Self::Session => "session",
            Self::Device => "device",
            Self::Workload => "workload",
            Self::Resource => "resource",
            Self::Segment => "segment",
            Self::Container => "container",
            Self::Settings => "settings",
            Self::Domain => "domain",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Somebody or something that can be compromised and then acts: where a blast radius is asked for.
    pub const fn acts(self) -> bool {
        match self {
            Self::Human | Self::Service | Self::Agent | Self::Key | Self::Session | Self::Device | Self::Workload => {
                true
            }
            Self::Unknown
            | Self::Group
            | Self::Role
            | Self::Entitlement
            | Self::Resource
            | Self::Segment
            | Self::Container
            | Self::Settings
            | Self::Domain => false,
        }
    }
}

/// Which end of an edge gains by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// Who has `from` gains `to`.
    Forward,
    /// Who has `to` gains `from`.
    Backward,
}

/// What is won at the end of an edge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// The attacker acts as it from then on: its own edges lie open.
    Control,
    /// It is reached and used, not taken: it counts, and the way ends there.
    Use,
}

/// How it is done: a MITRE ATT&CK technique, and what it is in a few words of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Technique {
    pub id: &'static str,
    pub words: &'static str,
}

/// What a kind of edge means for an attacker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meaning {
    pub name: &'static str,
    pub direction: Direction,
    pub effect: Effect,
    /// Whether a blast radius follows it unless asked otherwise. What is not followed is a relation that alone opens nothing.
    pub traversed: bool,
    /// Whether it also switches a disabled target on again.
    pub enables: bool,
    /// How much it takes, for weighted paths: 1 what one simply has, 2 one command, 4 a tool or a trace, 8 patience or luck.
    pub effort: u8,
    /// Whether it can be taken away. What contains something could only be emptied.
    pub removable: bool,
    pub technique: Technique,
}

/// What an edge says. Read as a sentence: `from` *kind* `to`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum EdgeKind {
    /// Identity, group → group, role: has what it has.
    MemberOf,
    /// Identity, group, role → entitlement.
    HasEntitlement,
    /// Domain, container, segment → what is in it.
    Contains,
    /// Settings → container, domain, device.
    AppliesTo,
    /// Domain → domain whose identities it accepts.
    Trusts,
    /// Key, session, federated or synchronised account → identity that it is accepted as.
    AuthenticatesAs,
    /// Identity, device, workload → key that lies there.
    HoldsKey,
    /// Device → identity that is signed in there, whose secrets are in its memory.
    HasSession,
    /// Device, workload → identity that it carries to run.
    RunsAs,
    /// Agent → subject that it acts for.
    ActsFor,
    /// Administrator of a device, workload, resource, segment or domain.
    Administers,
    /// Every right over the object.
    FullControl,
    Owns,
    /// May write attributes that decide who controls it.
    CanWrite,
    CanChangePermissions,
    CanTakeOwnership,
    CanResetPassword,
    /// May put somebody, itself included, into the group.
    CanAddMember,
    /// May add a key, secret or certificate to sign in with.
    CanAddCredential,
    /// May give itself more rights in the scope, or attach policies to the identity.
    CanGrant,
    /// Has both rights that replicate a domain's secrets; one of them alone is not this.
    CanDcSync,
    /// May read the password, key or token.
    CanReadCredential,
    /// May sign certificates that are accepted as anybody of the domain.
    CanIssueCertificate,
    /// May act towards the device as whoever signs in (Kerberos delegation, either side).
    CanDelegate,
    /// May become the role or identity on request.
    CanAssume,
    /// Runs commands there with rights that matter.
    CanExecute,
    /// Signs in there without administering it.
    LogsOnTo,
    /// Uses the resource or entitlement's target.
    CanAccess,
    /// The network lets it through; a sign-in is still needed.
    CanConnect,
    /// Human → account, resource that is theirs to answer for: a duty, no right.
    ResponsibleFor,
    /// Human → human.
    Manages,
}

impl EdgeKind {
    pub const ALL: [Self; 31] = [
        Self::MemberOf,
        Self::HasEntitlement,
        Self::Contains,
        Self::AppliesTo,
        Self::Trusts,
        Self::AuthenticatesAs,
        Self::HoldsKey,
        Self::HasSession,
        Self::RunsAs,
        Self::ActsFor,
        Self::Administers,
        Self::FullControl,
        Self::Owns,
        Self::CanWrite,
        Self::CanChangePermissions,
        Self::CanTakeOwnership,
        Self::CanResetPassword,
        Self::CanAddMember,
        Self::CanAddCredential,
        Self::CanGrant,
        Self::CanDcSync,
        Self::CanReadCredential,
        Self::CanIssueCertificate,
        Self::CanDelegate,
        Self::CanAssume,
        Self::CanExecute,
        Self::LogsOnTo,
        Self::CanAccess,
        Self::CanConnect,
        Self::ResponsibleFor,
        Self::Manages,
    ];

    pub const fn name(self) -> &'static str {
        self.meaning().name
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub const fn meaning(self) -> Meaning {
        match self {
            Self::MemberOf => control("member-of", 1, "T1078", "acts with the rights of the group or role"),
            Self::HasEntitlement => control("has-entitlement", 1, "T1078", "uses the entitlement as its holder"),
            Self::Contains => Meaning {
                removable: false,
                ..control("contains", 2, "T1484", "what a container sets is inherited by what is in it").enabling()
            },
            Self::AppliesTo => {
                control("applies-to", 2, "T1484.001", "changes settings that are applied there").enabling()
            }
            Self::Trusts => Meaning {
                direction: Direction::Backward,
                ..used("trusts", 8, "T1199", "signs in from a trusted directory").not_followed()
            },
            Self::AuthenticatesAs => control("authenticates-as", 1, "T1550", "is accepted as that identity"),
            Self::HoldsKey => control("holds-key", 2, "T1552", "takes a key from where it lies"),
            Self::HasSession => control("has-session", 4, "T1003", "takes the secrets of who is signed in there"),
            Self::RunsAs => control("runs-as", 2, "T1528", "takes the token of the identity that it runs as"),
            Self::ActsFor => control("acts-for", 2, "T1078", "uses what was delegated to it"),
            Self::Administers => control("administers", 2, "T1021", "signs in as administrator").enabling(),
            Self::FullControl => control("full-control", 2, "T1098", "does what it likes with the object").enabling(),
            Self::Owns => control("owns", 2, "T1098", "gives itself every right, being the owner").enabling(),
            Self::CanWrite => control("can-write", 2, "T1098", "writes what decides who controls it").enabling(),
            Self::CanChangePermissions => {
                control("can-change-permissions", 2, "T1098", "gives itself every right").enabling()
            }
            Self::CanTakeOwnership => control("can-take-ownership", 4, "T1098", "makes itself the owner").enabling(),
            Self::CanResetPassword => control("can-reset-password", 2, "T1098", "sets a new password and signs in"),
            Self::CanAddMember => control("can-add-member", 2, "T1098.007", "puts itself into the group"),
            Self::CanAddCredential => control("can-add-credential", 2, "T1098.001", "adds a credential and signs in"),
            Self::CanGrant => control("can-grant", 2, "T1098.003", "gives itself more rights").enabling(),
            Self::CanDcSync => {
                control("can-dcsync", 2, "T1003.006", "replicates every secret of the domain").enabling()
            }
            Self::CanReadCredential => control("can-read-credential", 2, "T1555", "reads the credential"),
            Self::CanIssueCertificate => {
                control("can-issue-certificate", 4, "T1649", "has a certificate made out to somebody else")
            }
            Self::CanDelegate => control("can-delegate", 4, "T1558", "asks for tickets in somebody else's name"),
            Self::CanAssume => control("can-assume", 1, "T1548.005", "becomes the role on request"),
            Self::CanExecute => control("can-execute", 2, "T1059", "runs commands there"),
            Self::LogsOnTo => used("logs-on-to", 2, "T1021", "signs in there, as itself"),
            Self::CanAccess => used("can-access", 1, "T1213", "uses it and reads what is in it"),
            Self::CanConnect => used("can-connect", 4, "T1021", "reaches it over the network").not_followed(),
            Self::ResponsibleFor => used("responsible-for", 8, "T1078", "answers for it").not_followed(),
            Self::Manages => used("manages", 8, "T1078", "is their manager").not_followed(),
        }
    }
}

const fn control(name: &'static str, effort: u8, technique: &'static str, words: &'static str) -> Meaning {
    Meaning {
        name,
        direction: Direction::Forward,
        effect: Effect::Control,
        traversed: true,
        enables: false,
        effort,
        removable: true,
        technique: Technique { id: technique, words },
    }
}

const fn used(name: &'static str, effort: u8, technique: &'static str, words: &'static str) -> Meaning {
    Meaning { effect: Effect::Use, ..control(name, effort, technique, words) }
}

impl Meaning {
    const fn enabling(self) -> Self {
        Self { enables: true, ..self }
    }

    const fn not_followed(self) -> Self {
        Self { traversed: false, ..self }
    }
}
