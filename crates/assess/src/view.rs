//! The inventory as the health check sees it: one entry per node with what all sources say of it, what follows from several
//! statements together (privilege through nesting and rights, whose account it is, what peers have), and for each fact where it
//! stands. What a source does not export is told apart from what it says is not so.

mod person;
mod privilege;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use countersign_estate::{Attributes, Because, Inventory, Kind, Node, Part, Projection, Relation, SignInKind, System};
use countersign_graph::{Graph, Routes, Traversal};
use countersign_model::Timestamp;
use serde::Serialize;

use crate::field::FieldName;
use crate::health::Parameters;
use person::People;
use privilege::Privilege;
pub(crate) use privilege::Way;

/// Who or what uses an account, as far as sources say. Nothing is guessed from names but for what Windows names so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Person,
    Service,
    /// Nobody's: of a trust or a device, krbtgt, built-in accounts.
    System,
    /// No source says.
    Undetermined,
    /// No account.
    Other,
}

impl Use {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::System => "system",
            Self::Undetermined => "undetermined",
            Self::Other => "other",
        }
    }
}

/// A node, with what all sources together say of it.
#[derive(Debug)]
pub(crate) struct Entry<'i> {
    pub(crate) node: &'i Node,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) attributes: Attributes,
    pub(crate) usage: Use,
    /// The newest import that has it.
    pub(crate) seen: Timestamp,
    /// Parts of sources where it is.
    pub(crate) parts: Vec<u32>,
    /// It is in lists of people alone: somebody, and no account.
    pub(crate) listed_only: bool,
}

/// Where a fact stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Evidence {
    /// The field of the query that rests on it.
    pub field: FieldName,
    /// What it says, by the source's attribute or as a sentence about an edge.
    pub says: String,
    /// The system, realm and part: `active-directory:CORP.EXAMPLE/users`.
    pub source: String,
    pub file: String,
    /// The line, or the JSON pointer.
    pub place: String,
    pub sha256: String,
    /// The newest import in which it was so.
    pub seen: Timestamp,
}

/// How much of the evidence of one field of one finding is listed.
const MOST_EVIDENCE: usize = 16;

/// What the parts of one realm of a system say at all.
#[derive(Debug, Default)]
struct Realm {
    memberships: bool,
    rights: bool,
    sessions: bool,
    /// It is an identity provider: it signs people in for others.
    provider: bool,
}

#[derive(Debug)]
pub struct View<'i> {
    pub(crate) inventory: &'i Inventory,
    pub(crate) as_of: Timestamp,
    entries: Vec<Entry<'i>>,
    /// Attributes that each part says of any account in it, and of any device. What it says of one is no word on the other.
    columns: [Vec<BTreeSet<&'static str>>; 2],
    realms: HashMap<(System, &'i str), Realm>,
    /// By node: its memberships and the sessions of it, as numbers of edges.
    memberships: HashMap<u32, Vec<u32>>,
    sessions: HashMap<u32, Vec<u32>>,
    /// By device: sessions on it, as numbers of edges.
    signed_in: HashMap<u32, Vec<u32>>,
    grouped: HashSet<u32>,
    /// By node: realms that a permission to it comes from.
    permitted: HashMap<u32, Vec<u32>>,
    people: People,
    privilege: Privilege,
    unusual: HashMap<u32, Vec<u32>>,
    peers: HashSet<u32>,
    because: &'i [Because],
    graph: &'i Graph,
    /// Who reaches tier zero: searched for when it is first asked.
    reaching: OnceLock<Reaching>,
}

/// Of each node whether it reaches tier zero, or is of it: certainly, and if every undecided condition holds.
#[derive(Debug)]
struct Reaching {
    certain: Vec<bool>,
    perhaps: Vec<bool>,
}

impl<'i> View<'i> {
    /// `projection` is that of the same inventory.
    pub fn new(
        inventory: &'i Inventory,
        projection: &'i Projection,
        parameters: &Parameters,
        as_of: Timestamp,
    ) -> Self {
        let mut view = Self {
            inventory,
            as_of,
            entries: Vec::with_capacity(inventory.nodes().len()),
            columns: [(); 2].map(|()| vec![BTreeSet::new(); inventory.parts().len()]),
            realms: HashMap::new(),
            memberships: HashMap::new(),
            sessions: HashMap::new(),
            signed_in: HashMap::new(),
            grouped: HashSet::new(),
            permitted: HashMap::new(),
            people: People::default(),
            privilege: Privilege::of(&projection.graph),
            unusual: HashMap::new(),
            peers: HashSet::new(),
            because: &projection.because,
            graph: &projection.graph,
            reaching: OnceLock::new(),
        };
        for (part, _) in inventory.parts() {
            let realm = view.realms.entry((part.system, &part.realm)).or_default();
            realm.provider |= part.system.is_identity_provider();
        }
        let nothing = Attributes::default();
        for (number, node) in (0u32..).zip(inventory.nodes()) {
            let mut entry = Entry::new(node, number);
            entry.usage = usage(&entry);
            let mut parts = entry.parts.iter().filter_map(|part| inventory.part(*part));
            entry.listed_only = !entry.parts.is_empty() && parts.all(|part| part.system == System::People);
            for sighting in &node.sightings {
                let said = sighting.attributes.as_deref().map(|said| said.differing(&nothing)).unwrap_or_default();
                let [accounts, devices] = &mut view.columns;
                let columns = if entry.kind == Kind::Device { devices } else { accounts };
                if let Some(columns) = columns.get_mut(sighting.part as usize) {
                    columns.extend(said);
                }
            }
            if entry
                .attributes
                .sign_ins
                .iter()
                .any(|s| matches!(s.kind, SignInKind::Interactive | SignInKind::Dashboard))
            {
                for part in entry.parts.iter().filter_map(|part| inventory.part(*part)) {
                    view.realms.entry((part.system, &part.realm)).or_default().provider = true;
                }
            }
            view.entries.push(entry);
        }
        view.read_edges();
        view.people = People::of(&view);
        for entry in &mut view.entries {
            if entry.usage == Use::Undetermined && view.people.has_person(entry.number) {
                entry.usage = Use::Person;
            }
        }
        (view.unusual, view.peers) = person::unusual_memberships(&view, parameters);
        view
    }

    fn read_edges(&mut self) {
        let inventory = self.inventory;
        for (number, edge) in (0u32..).zip(inventory.edges()) {
            let present: Vec<u32> =
                edge.sightings.iter().filter(|seen| seen.span.gone.is_none()).map(|seen| seen.part).collect();
            if present.is_empty() {
                continue;
            }
            if edge.relation == Relation::MemberOf {
                self.grouped.insert(edge.from);
            }
            match edge.relation {
                // Everybody is a member of the groups of all users and all computers: that says nothing.
                Relation::MemberOf if !matches!(self.relative(edge.to), Some(513..=515)) => {
                    self.memberships.entry(edge.from).or_default().push(number);
                }
                Relation::HasSession => {
                    self.sessions.entry(edge.to).or_default().push(number);
                    self.signed_in.entry(edge.from).or_default().push(number);
                }
                Relation::Permits => self.permitted.entry(edge.to).or_default().extend(&present),
                _ => {}
            }
            for part in present.iter().filter_map(|part| inventory.part(*part)) {
                let realm = self.realms.entry((part.system, &part.realm)).or_default();
                match edge.relation {
                    Relation::MemberOf => realm.memberships |= tells_memberships(part),
                    Relation::HasSession => realm.sessions = true,
                    relation if is_right(relation) => realm.rights = true,
                    _ => {}
                }
            }
        }
    }

    /// The last part of a Windows identifier.
    fn relative(&self, node: u32) -> Option<u32> {
        relative(&self.inventory.nodes().get(node as usize)?.key)
    }

    /// What is still there, and described by some source.
    pub(crate) fn present(&self) -> impl Iterator<Item = &Entry<'i>> {
        self.entries.iter().filter(|entry| !entry.parts.is_empty())
    }

    pub(crate) fn entry(&self, number: u32) -> Option<&Entry<'i>> {
        self.entries.get(number as usize)
    }

    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    pub(crate) fn privilege(&self) -> &Privilege {
        &self.privilege
    }

    fn realms_of(&self, entry: &Entry<'_>) -> impl Iterator<Item = &Realm> {
        entry.parts.iter().filter_map(|part| {
            let part = self.inventory.part(*part)?;
            self.realms.get(&(part.system, &*part.realm))
        })
    }

    pub(crate) fn memberships_known(&self, entry: &Entry<'_>) -> bool {
        self.realms_of(entry).any(|realm| realm.memberships)
    }

    pub(crate) fn rights_known(&self, entry: &Entry<'_>) -> bool {
        self.realms_of(entry).any(|realm| realm.rights)
    }

    pub(crate) fn sessions_known(&self, entry: &Entry<'_>) -> bool {
        self.realms_of(entry).any(|realm| realm.sessions)
    }

    pub(crate) fn in_provider(&self, entry: &Entry<'_>) -> bool {
        self.realms_of(entry).any(|realm| realm.provider)
    }

    pub(crate) fn any_provider(&self) -> bool {
        self.realms.values().any(|realm| realm.provider)
    }

    /// Whether an identity provider lets somebody at it.
    pub(crate) fn permitted_by_provider(&self, entry: &Entry<'_>) -> bool {
        let parts = self.permitted.get(&entry.number).map_or(&[][..], Vec::as_slice);
        let realm = |part: &u32| {
            let part = self.inventory.part(*part)?;
            self.realms.get(&(part.system, &*part.realm))
        };
        parts.iter().filter_map(realm).any(|realm| realm.provider)
    }

    /// Whether a part of a source that has this entry says that attribute of anything like it: then its silence is a word.
    pub(crate) fn exported(&self, entry: &Entry<'_>, attribute: &str) -> bool {
        let [accounts, devices] = &self.columns;
        let columns = if entry.kind == Kind::Device { devices } else { accounts };
        entry.parts.iter().any(|part| columns.get(*part as usize).is_some_and(|columns| columns.contains(attribute)))
    }

    /// Whether any source says that attribute of accounts.
    pub(crate) fn exported_anywhere(&self, attribute: &str) -> bool {
        let [accounts, _] = &self.columns;
        accounts.iter().any(|columns| columns.contains(attribute))
    }

    /// Whether anything says of a group that it is in it; each account and device of Windows is in one.
    pub(crate) fn in_any_group(&self, entry: &Entry<'_>) -> bool {
        self.grouped.contains(&entry.number)
    }

    pub(crate) fn memberships(&self, entry: &Entry<'_>) -> &[u32] {
        self.memberships.get(&entry.number).map_or(&[], Vec::as_slice)
    }

    /// The devices on which it was seen signed in.
    pub(crate) fn session_devices(&self, entry: &Entry<'_>) -> usize {
        let edges = self.sessions.get(&entry.number).map_or(&[][..], Vec::as_slice);
        let devices = edges.iter().filter_map(|edge| self.inventory.edges().get(*edge as usize)).map(|edge| edge.from);
        devices.collect::<BTreeSet<_>>().len()
    }

    /// Sessions of accounts that are privileged by membership, on a device.
    pub(crate) fn privileged_sessions(&self, entry: &Entry<'_>) -> Vec<u32> {
        let edges = self.signed_in.get(&entry.number).map_or(&[][..], Vec::as_slice).iter().copied();
        let privileged = |edge: &u32| {
            let account = self.inventory.edges().get(*edge as usize).map(|edge| edge.to);
            account.is_some_and(|account| matches!(self.privilege.membership(account), Way::Direct | Way::Nested))
        };
        edges.filter(privileged).collect()
    }

    /// Whether it gets to tier zero by any way, sessions among them; the second: if every undecided condition holds.
    pub(crate) fn reaches_tier_zero(&self, entry: &Entry<'_>) -> (bool, bool) {
        let reaching = self.reaching.get_or_init(|| {
            let graph = self.graph;
            let zero: Vec<_> =
                graph.node_ids().filter(|id| graph.node(*id).is_some_and(|node| node.tier_zero)).collect();
            let marked = |conditional: bool| {
                let mut marked = vec![false; graph.node_count()];
                let routes = Routes::new(graph, &Traversal::default().conditional(conditional));
                for id in routes.reaching(&zero).iter().chain(&zero) {
                    if let Some(mark) = marked.get_mut(id.index()) {
                        *mark = true;
                    }
                }
                marked
            };
            Reaching { certain: marked(false), perhaps: marked(true) }
        });
        let at = entry.number as usize;
        let of = |marked: &[bool]| marked.get(at).copied().unwrap_or(false);
        (of(&reaching.certain), of(&reaching.perhaps))
    }

    /// `None`: too few peers to compare with, or nobody knows who they are.
    pub(crate) fn unusual_memberships(&self, entry: &Entry<'_>) -> Option<usize> {
        self.peers.contains(&entry.number).then(|| self.unusual.get(&entry.number).map_or(0, Vec::len))
    }

    /// Where the facts stand on which these fields of an entry rest.
    pub(crate) fn evidence(&self, entry: &Entry<'_>, fields: &[FieldName]) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        for field in fields {
            let start = evidence.len();
            self.attributes_of(entry, *field, &mut evidence);
            match field {
                FieldName::Left | FieldName::AnsweredFor | FieldName::People => {
                    for linked in self.people.linked(entry.number).filter_map(|number| self.entry(number)) {
                        self.attributes_of(linked, *field, &mut evidence);
                    }
                }
                FieldName::Memberships => self.edges(*field, self.memberships(entry), &mut evidence),
                FieldName::SessionDevices => {
                    self.edges(*field, self.sessions.get(&entry.number).map_or(&[], Vec::as_slice), &mut evidence);
                }
                FieldName::PrivilegedSessions => self.edges(*field, &self.privileged_sessions(entry), &mut evidence),
                FieldName::UnusualMemberships => {
                    self.edges(*field, self.unusual.get(&entry.number).map_or(&[], Vec::as_slice), &mut evidence);
                }
                FieldName::Privilege | FieldName::Privileged | FieldName::PrivilegeByRights => {
                    for because in self.privilege.path(entry.number).filter_map(|place| self.because.get(place)) {
                        match because {
                            Because::Edge(edge) => self.edges(*field, &[*edge], &mut evidence),
                            Because::BothReplicationRights { changes, all } => {
                                self.edges(*field, changes, &mut evidence);
                                self.edges(*field, all, &mut evidence);
                            }
                            Because::EveryAccount => {}
                        }
                    }
                }
                _ => {}
            }
            evidence.truncate(start + MOST_EVIDENCE);
        }
        evidence.sort();
        evidence.dedup();
        evidence
    }

    fn attributes_of(&self, entry: &Entry<'_>, field: FieldName, into: &mut Vec<Evidence>) {
        for sighting in entry.node.sightings.iter().filter(|sighting| sighting.span.gone.is_none()) {
            let Some(said) = sighting.attributes.as_deref() else { continue };
            let Ok(said) = serde_json::to_value(said) else { continue };
            for attribute in field.field().attributes {
                if let Some(value) = said.get(attribute) {
                    let says = format!("{}: {attribute} = {value}", sighting.name);
                    into.push(self.cite(field, says, sighting.part, sighting.span.last, &sighting.evidence));
                }
            }
        }
    }

    fn edges(&self, field: FieldName, edges: &[u32], into: &mut Vec<Evidence>) {
        let name = |node: u32| self.entry(node).map_or("", |entry| entry.node.name());
        for edge in edges.iter().take(MOST_EVIDENCE).filter_map(|edge| self.inventory.edges().get(*edge as usize)) {
            let relation = serde_json::to_value(edge.relation).unwrap_or_default();
            let says = format!("{} {} {}", name(edge.from), relation.as_str().unwrap_or_default(), name(edge.to));
            for sighting in edge.sightings.iter().filter(|sighting| sighting.span.gone.is_none()) {
                let mut says = says.clone();
                if let Some(condition) = &sighting.condition {
                    says = format!("{says}, if {condition}");
                }
                into.push(self.cite(field, says, sighting.part, sighting.span.last, &sighting.evidence));
            }
        }
    }

    fn cite(
        &self,
        field: FieldName,
        says: String,
        part: u32,
        seen: Timestamp,
        evidence: &countersign_estate::Evidence,
    ) -> Evidence {
        let file = self.inventory.files().get(evidence.file as usize);
        Evidence {
            field,
            says,
            source: self.inventory.part(part).map(ToString::to_string).unwrap_or_default(),
            file: file.map(|file| file.name.to_string()).unwrap_or_default(),
            place: evidence.place.to_string(),
            sha256: file.map(|file| file.sha256.to_string()).unwrap_or_default(),
            seen,
        }
    }

    /// How many nodes each part has, with its newest import.
    pub(crate) fn imported(&self) -> BTreeMap<String, Timestamp> {
        self.inventory.parts().iter().map(|(part, at)| (part.to_string(), *at)).collect()
    }
}

impl<'i> Entry<'i> {
    fn new(node: &'i Node, number: u32) -> Self {
        let present = || node.sightings.iter().filter(|sighting| sighting.span.gone.is_none());
        Self {
            node,
            number,
            kind: node.kind(),
            attributes: node.attributes(),
            usage: Use::Other,
            seen: present().map(|sighting| sighting.span.last).max().unwrap_or_default(),
            parts: present().map(|sighting| sighting.part).collect(),
            listed_only: false,
        }
    }

    pub(crate) fn is_account(&self) -> bool {
        matches!(self.kind, Kind::Account | Kind::Human | Kind::Service | Kind::Agent)
    }

    /// Those of read-only controllers have a number behind the name.
    pub(crate) fn is_krbtgt(&self) -> bool {
        let name = self.account_name().to_ascii_lowercase();
        self.kind == Kind::Account && (name == "krbtgt" || name.starts_with("krbtgt_"))
    }

    /// The name that it signs in with.
    pub(crate) fn account_name(&self) -> &str {
        let name = self.attributes.account_name.as_deref().unwrap_or(self.node.name());
        name.split('@').next().unwrap_or(name)
    }
}

fn usage(entry: &Entry<'_>) -> Use {
    let attributes = &entry.attributes;
    match entry.kind {
        Kind::Human => Use::Person,
        Kind::Service | Kind::Agent => Use::Service,
        Kind::Account if attributes.managed_password == Some(true) => Use::Service,
        Kind::Account
            if attributes.trust_account == Some(true)
                || attributes.built_in == Some(true)
                || entry.is_krbtgt()
                // Windows keeps this ending for devices and trusts.
                || entry.account_name().ends_with('$') =>
        {
            Use::System
        }
        // A programme offers a service under it.
        Kind::Account if attributes.has_service_principal == Some(true) => Use::Service,
        Kind::Account if !attributes.service_principals.is_empty() => Use::Service,
        Kind::Account => Use::Undetermined,
        _ => Use::Other,
    }
}

fn relative(key: &str) -> Option<u32> {
    key.strip_prefix("sid:")?.rsplit_once('-')?.1.parse().ok()
}

/// A primary group is no list of members: a file of users alone says nothing about nesting.
fn tells_memberships(part: &Part) -> bool {
    match part.system {
        System::Sharphound | System::ActiveDirectory | System::Ldap => part.part.starts_with("groups"),
        _ => true,
    }
}

const fn is_right(relation: Relation) -> bool {
    use Relation as R;
    matches!(
        relation,
        R::Owns
            | R::FullControl
            | R::WriteAttributes
            | R::WriteOwner
            | R::WritePermissions
            | R::AllExtendedRights
            | R::ResetPassword
            | R::AddMember
            | R::GetChanges
            | R::GetChangesAll
            | R::DcSync
            | R::ChangePermissions
            | R::CreateCredential
            | R::Assume
    )
}
