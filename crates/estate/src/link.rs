//! Which identities of different sources are the same person or programme. What two directories prove by an exact key is
//! linked; everything else is a proposal with its reasons, and counts only once a person confirms it. An address that
//! nobody verified proves nothing: whoever may write it would become somebody else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::batch::System;
use crate::inventory::Inventory;
use crate::observation::{Attributes, Kind};

/// Why two identities are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Basis {
    /// One source names the other's key.
    Named,
    /// The same security identifier or GUID, kept by a synchronisation.
    Identifier,
    /// The same `userPrincipalName`, unique in each directory.
    PrincipalName,
    /// The number of an employee, in the list of people and in a directory.
    EmployeeNumber,
    /// The same address, verified by both.
    VerifiedEmail,
    /// A person said so.
    Confirmed,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Link {
    pub one: Arc<str>,
    pub other: Arc<str>,
    pub basis: Basis,
}

/// Why two identities may be the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// An exact key that is not unique: one of several.
    Ambiguous(Basis),
    Email,
    AccountName,
    DisplayName,
    Department,
    Title,
}

impl Reason {
    const fn weight(self) -> u32 {
        match self {
            Self::Ambiguous(_) => 60,
            Self::Email => 60,
            Self::AccountName => 35,
            Self::DisplayName => 35,
            Self::Department => 10,
            Self::Title => 5,
        }
    }
}

/// Two identities that may be the same, for a person to decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    pub one: Arc<str>,
    pub other: Arc<str>,
    /// Of 100.
    pub score: u32,
    pub reasons: Vec<Reason>,
}

type Value = fn(&Attributes) -> Option<String>;

/// A value that more identities share is no sign of anything.
const COMMON: usize = 8;

/// Names that say what an account is for, and not whose it is.
const ROLES: [&str; 12] = [
    "admin",
    "administrator",
    "backup",
    "deploy",
    "guest",
    "info",
    "root",
    "service",
    "support",
    "svc",
    "test",
    "user",
];

struct Identity {
    key: Arc<str>,
    /// System and realm of the sources that describe it: identities of one directory are never the same.
    realms: BTreeSet<(String, Box<str>)>,
    attributes: Attributes,
}

impl Inventory {
    /// What is the same for certain, in the order of the keys.
    pub fn links(&self) -> Vec<Link> {
        let identities = self.identities();
        let mut links = self.exact(&identities).0;
        for verdict in self.verdicts() {
            let pair = |link: &Link| link.one == verdict.one && link.other == verdict.other;
            if !verdict.same {
                // A person's word outweighs a key that a source may have wrong.
                links.retain(|link| !pair(link));
            } else if !links.iter().any(pair) {
                let (one, other) = (Arc::clone(&verdict.one), Arc::clone(&verdict.other));
                links.push(Link { one, other, basis: Basis::Confirmed });
            }
        }
        links.sort();
        links
    }

    /// What may be the same and was not decided, best first.
    pub fn proposals(&self) -> Vec<Proposal> {
        let identities = self.identities();
        let (links, ambiguous) = self.exact(&identities);
        let mut pairs: BTreeMap<(usize, usize), BTreeSet<Reason>> = BTreeMap::new();
        for (one, other, basis) in ambiguous {
            pairs.entry((one, other)).or_default().insert(Reason::Ambiguous(basis));
        }
        let signs: [(Reason, Value); 3] = [
            (Reason::Email, |a| a.email.as_deref().map(folded)),
            (Reason::AccountName, |a| a.account_name.as_deref().map(folded).filter(|name| personal(name))),
            (Reason::DisplayName, |a| a.display_name.as_deref().map(folded).filter(|name| personal(name))),
        ];
        for (reason, value) in signs {
            for pair in groups(&identities, value).iter().flat_map(|same| pairs_of(&identities, same)) {
                pairs.entry(pair).or_default().insert(reason);
            }
        }
        let linked: BTreeSet<(&str, &str)> = links.iter().map(|link| (&*link.one, &*link.other)).collect();
        let decided: BTreeSet<(&str, &str)> = self.verdicts().iter().map(|v| (&*v.one, &*v.other)).collect();
        let mut proposals = Vec::new();
        for ((one, other), mut reasons) in pairs {
            let (Some(one), Some(other)) = (identities.get(one), identities.get(other)) else { continue };
            let pair = (&*one.key, &*other.key);
            if linked.contains(&pair) || decided.contains(&pair) {
                continue;
            }
            let same = |a: &Option<Box<str>>, b: &Option<Box<str>>| {
                a.as_deref().zip(b.as_deref()).is_some_and(|(a, b)| folded(a) == folded(b))
            };
            if same(&one.attributes.department, &other.attributes.department) {
                reasons.insert(Reason::Department);
            }
            if same(&one.attributes.title, &other.attributes.title) {
                reasons.insert(Reason::Title);
            }
            let score = reasons.iter().map(|reason| reason.weight()).sum::<u32>().min(99);
            let (one, other) = (Arc::clone(&one.key), Arc::clone(&other.key));
            proposals.push(Proposal { one, other, score, reasons: reasons.into_iter().collect() });
        }
        proposals.sort_by(|a, b| (b.score, &a.one, &a.other).cmp(&(a.score, &b.one, &b.other)));
        proposals
    }

    /// Accounts in the order of their keys. Devices and what belongs to nobody are not linked.
    fn identities(&self) -> Vec<Identity> {
        let mut identities: Vec<Identity> = self
            .nodes()
            .iter()
            .filter(|node| matches!(node.kind(), Kind::Account | Kind::Human | Kind::Service | Kind::Agent))
            .filter(|node| !node.is_gone())
            .map(|node| {
                let parts = node.sightings.iter().filter_map(|sighting| self.part(sighting.part));
                let realms = parts.map(|part| (part.system.to_string(), part.realm.clone())).collect();
                Identity { key: Arc::clone(&node.key), realms, attributes: node.attributes() }
            })
            .filter(|identity| {
                identity.attributes.built_in != Some(true) && identity.attributes.trust_account.is_none()
            })
            .collect();
        identities.sort_by(|one, other| one.key.cmp(&other.key));
        identities
    }

    /// Links by exact keys, and the pairs whose key is not unique.
    fn exact(&self, identities: &[Identity]) -> (Vec<Link>, Vec<(usize, usize, Basis)>) {
        let mut found: BTreeMap<(usize, usize), Basis> = BTreeMap::new();
        let mut ambiguous = Vec::new();
        let places: HashMap<&str, usize> = identities.iter().enumerate().map(|(i, id)| (&*id.key, i)).collect();
        for (index, identity) in identities.iter().enumerate() {
            for key in &identity.attributes.same_as {
                if let Some(other) = places.get(&**key).filter(|other| **other != index) {
                    found.entry((index.min(*other), index.max(*other))).or_insert(Basis::Named);
                }
            }
        }
        let keys: [(Basis, Value); 5] = [
            (Basis::Identifier, |a| a.sid.as_deref().map(folded)),
            (Basis::Identifier, |a| a.immutable_id.as_deref().or(a.guid.as_deref()).map(folded)),
            (Basis::PrincipalName, |a| a.principal_name.as_deref().map(folded)),
            (Basis::EmployeeNumber, |a| a.employee_number.as_deref().map(folded)),
            (Basis::VerifiedEmail, |a| a.email.as_deref().filter(|_| a.email_verified == Some(true)).map(folded)),
        ];
        for (basis, value) in keys {
            for same in groups(identities, value) {
                for (one, other) in pairs_of(identities, &same) {
                    // One partner per directory is what unique means: with two in one, neither is certain.
                    // A number means what it means only to those who gave it: two directories prove nothing to each other.
                    let listed =
                        basis != Basis::EmployeeNumber || [one, other].iter().any(|id| is_listed(identities, *id));
                    if !listed || crowded(identities, &same, one, other) {
                        ambiguous.push((one, other, basis));
                    } else {
                        found.entry((one, other)).or_insert(basis);
                    }
                }
            }
        }
        let link = |((one, other), basis): ((usize, usize), Basis)| {
            let key = |index: usize| identities.get(index).map(|identity| Arc::clone(&identity.key));
            Some(Link { one: key(one)?, other: key(other)?, basis })
        };
        (found.into_iter().filter_map(link).collect(), ambiguous)
    }
}

/// Whether a third one of these is of a directory of one of the two.
fn crowded(identities: &[Identity], same: &[usize], one: usize, other: usize) -> bool {
    let (Some(a), Some(b)) = (identities.get(one), identities.get(other)) else { return true };
    same.iter()
        .filter(|third| **third != one && **third != other)
        .filter_map(|third| identities.get(*third))
        .any(|third| !third.realms.is_disjoint(&a.realms) || !third.realms.is_disjoint(&b.realms))
}

/// Whether a list of people has it.
fn is_listed(identities: &[Identity], identity: usize) -> bool {
    let people = System::People.to_string();
    identities.get(identity).is_some_and(|identity| identity.realms.iter().any(|(system, _)| *system == people))
}

/// Those that share a value; a value that too many share says nothing.
fn groups(identities: &[Identity], value: Value) -> Vec<Vec<usize>> {
    let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, identity) in identities.iter().enumerate() {
        if let Some(value) = value(&identity.attributes).filter(|value| !value.is_empty()) {
            holders.entry(value).or_default().push(index);
        }
    }
    holders.into_values().filter(|same| (2..=COMMON).contains(&same.len())).collect()
}

/// Each two of these that are of different directories, the lesser index first.
fn pairs_of(identities: &[Identity], same: &[usize]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (place, one) in same.iter().enumerate() {
        for other in same.iter().skip(place + 1) {
            let (Some(a), Some(b)) = (identities.get(*one), identities.get(*other)) else { continue };
            if a.realms.is_disjoint(&b.realms) {
                pairs.push((*one, *other));
            }
        }
    }
    pairs
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn personal(name: &str) -> bool {
    name.len() > 2 && !ROLES.contains(&name)
}
