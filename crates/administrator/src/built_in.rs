//! What every world has from the start: Countersign's own parts as resources, decided like any other, the groups that
//! the starter policies name, whoever has not signed in, and the operator at this machine's command line.

use countersign_model::{
    ActionClass, ActionRule, Entitled, Group, GroupId, NameError, PathPattern, Resource, ResourceId, ResourceKind,
    Route, Signal, SignalKind, Source, Subject, SubjectId, SubjectKind, SubjectState, Tier, Timestamp, Upstream,
};

use crate::Settings;

/// Administer Countersign.
pub const OWNERS: &str = "owners";
/// Read the console, the API and the ledger.
pub const AUDITORS: &str = "auditors";
/// The service that the command line of this machine acts as.
pub const LOCAL_OPERATOR: &str = "local-operator";

/// Services that enforce what Countersign decides: other proxies, and applications that ask for themselves.
pub const ENFORCEMENT_POINTS: &str = "enforcement-points";

const CHANGES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

struct Part {
    id: &'static str,
    name: &'static str,
    routes: &'static [&'static str],
    tier: Tier,
    /// Whether what changes something below the route administers.
    administered: bool,
    /// What even reading administers: who may read the rest may not have it.
    confined: &'static [&'static str],
    /// May read it without owning Countersign.
    readers: &'static [&'static str],
}

const EVERYONE: &str = countersign_policy::EVERYONE;

const PARTS: [Part; 8] = [
    Part {
        id: "sign-in",
        name: "Sign-in",
        routes: &["/sign-in", "/invite", "/assets", "/.well-known"],
        tier: Tier::Public,
        administered: false,
        confined: &[],
        readers: &[],
    },
    Part {
        id: "portal",
        name: "My applications",
        routes: &["/"],
        tier: Tier::Standard,
        administered: false,
        confined: &[],
        readers: &[],
    },
    Part {
        id: "console",
        name: "Console",
        routes: &["/console"],
        tier: Tier::High,
        administered: true,
        confined: &[],
        readers: &[AUDITORS],
    },
    Part {
        id: "api",
        name: "API",
        routes: &["/api"],
        tier: Tier::High,
        administered: true,
        // Every name and address that was ever imported, in one file.
        confined: &["/api/v1/estate/inventory"],
        readers: &[AUDITORS],
    },
    Part {
        id: "device",
        name: "Device enrolment",
        routes: &["/device"],
        tier: Tier::Public,
        administered: false,
        confined: &[],
        readers: &[],
    },
    Part {
        id: "ledger",
        name: "Ledger",
        routes: &["/ledger"],
        tier: Tier::High,
        administered: false,
        confined: &[],
        readers: &[AUDITORS],
    },
    // No address leads to it: who asks comes in by the bridge's own listener.
    Part {
        id: "bridge",
        name: "Decisions for other proxies",
        routes: &[],
        tier: Tier::High,
        administered: false,
        confined: &[],
        readers: &[],
    },
    Part {
        id: "authzen",
        name: "Decisions for applications",
        routes: &["/access"],
        tier: Tier::High,
        administered: false,
        confined: &[],
        readers: &[],
    },
];

/// The resources that are part of every installation, by id.
pub fn built_in_resources() -> impl Iterator<Item = String> {
    PARTS.iter().map(|part| format!("countersign-{}", part.id))
}

fn resource(part: &Part, host: &str) -> Result<Resource, NameError> {
    let rules = |route: &&str| ActionRule {
        methods: CHANGES.map(str::to_owned).to_vec(),
        path: PathPattern(format!("{route}/*")),
        action: ActionClass::Administer,
    };
    let mut entitled = Entitled::default();
    for reader in part.readers {
        entitled.readers.push(GroupId::new(*reader)?);
    }
    if part.id == "portal" {
        entitled.writers.push(GroupId::new(EVERYONE)?);
    }
    Ok(Resource {
        id: ResourceId::new(format!("countersign-{}", part.id))?,
        display_name: part.name.to_owned(),
        kind: ResourceKind::Countersign,
        tier: part.tier,
        segment: None,
        owner: None,
        source: Source::Countersign,
        routes: part
            .routes
            .iter()
            .map(|path| Route { host: host.to_owned(), path_prefix: (*path).to_owned() })
            .collect(),
        upstream: Upstream::Internal { part: part.id.to_owned() },
        rules: part
            .confined
            .iter()
            .map(|path| ActionRule {
                methods: Vec::new(),
                path: PathPattern(format!("{path}/*")),
                action: ActionClass::Administer,
            })
            .chain(part.routes.iter().filter(|_| part.administered).map(rules))
            .collect(),
        entitled,
        observe_until: None,
    })
}

fn subject(id: SubjectId, name: &str, groups: Vec<GroupId>) -> SignalKind {
    SignalKind::SubjectPut {
        subject: Subject {
            id,
            display_name: name.to_owned(),
            email: None,
            owner: None,
            acts_for: None,
            state: SubjectState::Active,
            groups,
            source: Source::Countersign,
            created: Timestamp::default(),
            last_used: None,
        },
    }
}

fn signal(kind: SignalKind) -> Signal {
    Signal { at: Timestamp::default(), source: Source::Countersign, by: None, kind }
}

/// Whether no signal but the program's own changes this subject.
pub(crate) fn is_subject(id: &SubjectId) -> bool {
    match id.kind() {
        SubjectKind::Anonymous => true,
        SubjectKind::Service => id.name() == LOCAL_OPERATOR,
        SubjectKind::Human | SubjectKind::Agent => false,
    }
}

/// Whether the group stays whatever a signal says.
pub(crate) fn is_group(id: &GroupId) -> bool {
    [OWNERS, AUDITORS, ENFORCEMENT_POINTS].contains(&id.as_str())
}

/// The groups, for the store too: subjects there are members of them.
pub(crate) fn groups() -> Result<Vec<Group>, NameError> {
    let group = |(id, name): (&str, &str)| {
        let id = GroupId::new(id)?;
        Ok(Group { id, display_name: name.to_owned(), member_of: Vec::new(), source: Source::Countersign })
    };
    let names = [
        (OWNERS, "Owners of Countersign"),
        (AUDITORS, "Auditors of Countersign"),
        (ENFORCEMENT_POINTS, "Enforcement points beside Countersign"),
    ];
    names.into_iter().map(group).collect()
}

/// In no store: the program brings them.
pub(crate) fn subjects() -> Result<Vec<Signal>, NameError> {
    let owners = GroupId::new(OWNERS)?;
    Ok(vec![
        signal(subject(SubjectId::anonymous(), "Not signed in", Vec::new())),
        signal(subject(SubjectId::service(LOCAL_OPERATOR)?, "Operator at this machine", vec![owners])),
    ])
}

/// Put again when the control host changes.
pub(crate) fn resources(settings: &Settings) -> Result<Vec<Signal>, NameError> {
    let put = |part| Ok(signal(SignalKind::ResourcePut { resource: resource(part, &settings.control_host)? }));
    PARTS.iter().map(put).collect()
}
