//! Whose account it is: accounts of one person by the inventory's links (proposals that nobody confirmed do not count),
//! who answers for it, who left, and what those in the same role have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use countersign_estate::{Kind, System};

use super::{Entry, Use, View};
use crate::health::Parameters;
use crate::truth::Truth;
use crate::when::When;

const NO_FEED: &str = "no list of people was imported that says who left";
const NOT_LINKED: &str = "it is not linked to anybody in the list of people";
const NO_OWNERS: &str = "the source does not say who answers for it";
const NO_PEOPLE: &str = "no list of people was imported, and the source does not say who answers for it";

/// Accounts that are one identity, and who is named as owner.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// By node, its identity: the least number among those that are linked.
    identity: HashMap<u32, u32>,
    linked: HashMap<u32, Vec<u32>>,
    /// Identities that a source calls a person.
    persons: HashSet<u32>,
    /// Identities of a list of people that says who left.
    listed: HashSet<u32>,
    /// By name, address or key; `None`: several bear it.
    named: HashMap<String, Option<u32>>,
    feed: bool,
}

impl People {
    pub(super) fn of(view: &View<'_>) -> Self {
        let numbers: HashMap<&str, u32> = view.entries.iter().map(|entry| (&*entry.node.key, entry.number)).collect();
        let mut people = Self { feed: view.exported_anywhere("left"), ..Self::default() };
        for link in view.inventory.links() {
            if let (Some(one), Some(other)) = (numbers.get(&*link.one), numbers.get(&*link.other)) {
                people.join(*one, *other);
            }
        }
        for entry in &view.entries {
            if entry.kind == Kind::Human && !entry.parts.is_empty() {
                people.persons.insert(people.identity(entry.number));
                let table = entry.parts.iter().filter_map(|part| view.inventory.part(*part));
                people.feed |= table.into_iter().any(|part| part.system.lists_people());
            }
            let listed = entry.parts.iter().filter_map(|part| view.inventory.part(*part));
            if view.exported(entry, "left") || listed.into_iter().any(|part| part.system == System::People) {
                people.listed.insert(people.identity(entry.number));
            }
            people.name(entry);
        }
        people
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.identity(one), self.identity(other));
        if one == other {
            return;
        }
        let (least, most) = (one.min(other), one.max(other));
        let moved = self.linked.remove(&most).unwrap_or_else(|| vec![most]);
        for node in &moved {
            self.identity.insert(*node, least);
        }
        self.identity.insert(least, least);
        self.linked.entry(least).or_insert_with(|| vec![least]).extend(moved);
    }

    fn name(&mut self, entry: &Entry<'_>) {
        let attributes = &entry.attributes;
        let names = [
            Some(&*entry.node.key),
            attributes.distinguished_name.as_deref(),
            attributes.account_name.as_deref(),
            attributes.principal_name.as_deref(),
            attributes.email.as_deref(),
        ];
        let identity = self.identity(entry.number);
        for name in names.into_iter().flatten().filter(|_| entry.is_account()).map(str::to_lowercase) {
            let known = self.named.entry(name).or_insert(Some(entry.number));
            let same = known.is_some_and(|known| self.identity.get(&known).copied().unwrap_or(known) == identity);
            if !same {
                *known = None;
            }
        }
    }

    /// Accounts of one identity have the same.
    pub(crate) fn identity(&self, node: u32) -> u32 {
        self.identity.get(&node).copied().unwrap_or(node)
    }

    /// The other accounts of the same identity.
    pub(crate) fn linked(&self, node: u32) -> impl Iterator<Item = u32> {
        let all = self.linked.get(&self.identity(node)).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(move |other| *other != node)
    }

    pub(crate) fn has_person(&self, node: u32) -> bool {
        self.persons.contains(&self.identity(node))
    }
}

impl View<'_> {
    /// The entry and the other accounts of its identity.
    fn of_identity<'v>(&'v self, entry: &'v Entry<'_>) -> impl Iterator<Item = &'v Entry<'v>> {
        std::iter::once(entry).chain(self.people.linked(entry.number).filter_map(|number| self.entry(number)))
    }

    /// When its person left. A person who is listed and has not left: never.
    pub(crate) fn left(&self, entry: &Entry<'_>) -> Result<When, &'static str> {
        if let Some(left) = self.of_identity(entry).filter_map(|entry| entry.attributes.left).min() {
            return Ok(When::once(left));
        }
        if self.people.listed.contains(&self.people.identity(entry.number)) {
            return Ok(When::never());
        }
        Err(if self.people.feed { NOT_LINKED } else { NO_FEED })
    }

    /// How many people share the identity.
    pub(crate) fn persons(&self, entry: &Entry<'_>) -> usize {
        self.of_identity(entry).filter(|entry| entry.kind == Kind::Human).count()
    }

    /// Whether somebody who is there answers for it: its owner, or the person whose account it is.
    pub(crate) fn answered_for(&self, entry: &Entry<'_>) -> Truth {
        if let Some(owner) = entry.attributes.owner.as_deref() {
            return match self.people.named.get(&owner.to_lowercase()) {
                Some(Some(owner)) => self.entry(*owner).map_or(Truth::No, |owner| self.is_there(owner)),
                Some(None) => Truth::Unknown("several bear the name of its owner"),
                None => Truth::Unknown("its owner is named and is in no source"),
            };
        }
        if self.has_left(entry) {
            return Truth::No;
        }
        if self.people.has_person(entry.number) {
            return Truth::Yes;
        }
        let silence = self.exported(entry, "owner");
        match entry.usage {
            Use::Service => {
                if silence {
                    Truth::No
                } else {
                    Truth::Unknown(NO_OWNERS)
                }
            }
            _ => {
                if silence || self.people.feed {
                    Truth::No
                } else {
                    Truth::Unknown(NO_PEOPLE)
                }
            }
        }
    }

    fn has_left(&self, entry: &Entry<'_>) -> bool {
        self.left(entry).is_ok_and(|left| left.earliest.is_some_and(|left| left <= self.as_of))
    }

    fn is_there(&self, owner: &Entry<'_>) -> Truth {
        if owner.parts.is_empty() || self.has_left(owner) || owner.attributes.enabled == Some(false) {
            return Truth::No;
        }
        Truth::Yes
    }
}

/// Memberships that few of those in the same department and with the same title have, by node; and whom that could be asked of.
pub(super) fn unusual_memberships(view: &View<'_>, parameters: &Parameters) -> (HashMap<u32, Vec<u32>>, HashSet<u32>) {
    let mut roles: BTreeMap<(String, String), Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in view.present().filter(|entry| entry.is_account() && entry.attributes.enabled != Some(false)) {
        let attributes = &entry.attributes;
        if let (Some(department), Some(title)) = (&attributes.department, &attributes.title)
            && view.memberships_known(entry)
        {
            roles.entry((department.to_lowercase(), title.to_lowercase())).or_default().push(entry);
        }
    }
    let (mut unusual, mut compared) = (HashMap::new(), HashSet::new());
    for peers in roles.into_values().filter(|peers| peers.len() as u64 >= parameters.peers_at_least) {
        let group = |edge: &u32| view.inventory.edges().get(*edge as usize).map(|edge| edge.to);
        let mut holders: HashMap<u32, BTreeSet<u32>> = HashMap::new();
        for peer in &peers {
            for group in view.memberships(peer).iter().filter_map(group) {
                holders.entry(group).or_default().insert(peer.number);
            }
        }
        let rare = |edge: &u32| {
            let count = group(edge).and_then(|group| holders.get(&group)).map_or(0, BTreeSet::len);
            (count as u64).saturating_mul(100) < parameters.peer_share_percent.saturating_mul(peers.len() as u64)
        };
        for peer in &peers {
            compared.insert(peer.number);
            let edges: Vec<u32> = view.memberships(peer).iter().copied().filter(|edge| rare(edge)).collect();
            if !edges.is_empty() {
                unusual.insert(peer.number, edges);
            }
        }
    }
    (unusual, compared)
}
