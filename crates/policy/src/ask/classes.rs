//! Subjects that no policy can tell apart, for a given resource. Which of these classes come to the same in the end is
//! the business of `survey.rs`. Exact, because a policy sees entities only as equal or
//! not, and as members or not: renaming whatever it does not name changes no answer. So two subjects are alike for a
//! resource when they agree in kind and risk; in being, having as owner or acting for whom the policies that can apply
//! to the resource name, and the resource's owner; in the groups that those policies name; and in being in one of the
//! resource's readers, writers or administrators at all, since no policy can tell which of them it is.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use countersign_model::SubjectKind;
use smallvec::SmallVec;

use super::named::{Named, Part};
use super::{Asker, Of, Profile, Wanted};
use crate::facts::Fact;
use crate::plan::SymbolHasher;
use crate::records::{ResourceRecord, Shape, SubjectRecord};
use crate::set::PolicySet;
use crate::symbols::Symbol;

type BySymbol<T> = HashMap<Symbol, T, BuildHasherDefault<SymbolHasher>>;

/// Those who could ask, sorted out once for what they could ask for.
#[derive(Debug)]
pub struct Population<'a> {
    pub(super) set: &'a PolicySet,
    pub(super) askers: Vec<Asker<'a>>,
    pub(super) wanted: &'a [Wanted<'a>],
    /// Of those who could ask.
    pub(super) kinds: Vec<SubjectKind>,
    named: Named,
    /// The class of each asker as far as it is the same for all resources; [`NOBODY`] for what is no subject.
    pub(super) common: Vec<u32>,
    /// How many of these there are.
    pub(super) commons: usize,
    /// What each asker has to do with an entity that counts at some resources only.
    relations: BySymbol<Vec<(u32, Relation)>>,
}

/// The class of what is no subject.
pub(super) const NOBODY: u32 = u32::MAX;

/// What each asker has to do with what is named at one resource.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// A bit for each way to be in its groups or to stand to its owner.
    pub(super) roles: Vec<u8>,
    /// A number for those who have to do with what counts at this resource only, the same for the same.
    pub(super) more: HashMap<u32, u32>,
    /// What that is.
    pub(super) here: Vec<Symbol>,
}

/// How many different [roles](Relations::roles) there can be.
pub(super) const ROLES: usize = 64;

/// What a subject has to do with an entity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Relation {
    Is,
    Within,
    OwnedBy,
    ActsFor,
}

/// Somebody that a subject refers to, as far as policies that apply anywhere can tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reference {
    None,
    Other,
    Named(Symbol),
}

#[derive(PartialEq, Eq, Hash, Debug)]
struct Key {
    kind: SubjectKind,
    profile: Profile,
    risk: u8,
    is: Option<Symbol>,
    owner: Reference,
    acts_for: Reference,
    for_its_owner: bool,
    groups: SmallVec<[Symbol; 8]>,
}

impl<'a> Population<'a> {
    /// Of records that are no subjects nothing is allowed.
    pub fn new(set: &'a PolicySet, askers: Vec<Asker<'a>>, wanted: &'a [Wanted<'a>]) -> Self {
        let named = Named::of(set);
        let risk = Part { set, of: Of::All }.may_read(&[Fact::Risk]);
        let mut relations = BySymbol::<Vec<(u32, Relation)>>::default();
        for resource in wanted.iter().filter_map(resource) {
            for groups in [&resource.readers, &resource.writers, &resource.administrators] {
                relations.extend(groups.symbols.iter().map(|group| (*group, Vec::new())));
            }
            relations.extend(resource.owner.map(|owner| (owner, Vec::new())));
            relations.extend(named.here(resource).into_iter().map(|symbol| (symbol, Vec::new())));
        }
        let mut classes: HashMap<Key, u32> = HashMap::new();
        let mut kinds = Vec::new();
        let mut common = Vec::with_capacity(askers.len());
        for (asker, at) in askers.iter().zip(0_u32..) {
            let Shape::Subject(subject) = &asker.record.0 else {
                common.push(NOBODY);
                continue;
            };
            if !kinds.contains(&subject.kind) {
                kinds.push(subject.kind);
            }
            let mut relate = |symbol: Symbol, relation| {
                if let Some(known) = relations.get_mut(&symbol) {
                    known.push((at, relation));
                }
            };
            relate(subject.symbol, Relation::Is);
            subject.owner.into_iter().for_each(|owner| relate(owner, Relation::OwnedBy));
            subject.acts_for.into_iter().for_each(|person| relate(person, Relation::ActsFor));
            subject.groups.iter().for_each(|group| relate(*group, Relation::Within));
            let key = named.key(set, subject, if risk { asker.risk } else { 0 });
            let next = u32::try_from(classes.len()).unwrap_or(u32::MAX);
            common.push(*classes.entry(key).or_insert(next));
        }
        let commons = classes.len();
        Self { set, askers, wanted, kinds, named, common, commons, relations }
    }

    pub(super) fn related(&self, resource: &ResourceRecord) -> Relations {
        let here = self.named.here(resource);
        Relations { roles: self.roles(resource), more: self.more(&here), here }
    }

    /// Each asker's relation to the groups and to the owner that the resource names, a bit for each.
    fn roles(&self, resource: &ResourceRecord) -> Vec<u8> {
        let mut roles = vec![0_u8; self.askers.len()];
        let mut mark = |symbol: Symbol, bit: &dyn Fn(Relation) -> u8| {
            for (at, relation) in self.relations.get(&symbol).into_iter().flatten() {
                if let Some(role) = roles.get_mut(*at as usize) {
                    *role |= bit(*relation);
                }
            }
        };
        for (groups, bit) in [(&resource.readers, 1), (&resource.writers, 2), (&resource.administrators, 4)] {
            for group in &groups.symbols {
                mark(*group, &|relation| if relation == Relation::Within { bit } else { 0 });
            }
        }
        if let Some(owner) = resource.owner {
            mark(owner, &|relation| match relation {
                Relation::Is => 8,
                Relation::OwnedBy => 16,
                Relation::ActsFor => 32,
                Relation::Within => 0,
            });
        }
        roles
    }

    /// A number for each asker that has to do with what is named for this resource only, the same for those who have the
    /// same to do with it.
    fn more(&self, here: &[Symbol]) -> HashMap<u32, u32> {
        let mut more: HashMap<u32, u32> = HashMap::new();
        let mut numbers: HashMap<(u32, Symbol, Relation), u32> = HashMap::new();
        for symbol in here {
            for (at, relation) in self.relations.get(symbol).into_iter().flatten() {
                let next = u32::try_from(numbers.len() + 1).unwrap_or(u32::MAX);
                let so_far = more.entry(*at).or_default();
                *so_far = *numbers.entry((*so_far, *symbol, *relation)).or_insert(next);
            }
        }
        more
    }
}

impl Named {
    /// What counts at this resource and not everywhere, sorted, each once.
    fn here(&self, resource: &ResourceRecord) -> Vec<Symbol> {
        let places = [Some(resource.symbol), resource.segment].into_iter().flatten();
        let mut all: Vec<Symbol> = places.filter_map(|place| self.at.get(&place)).flatten().copied().collect();
        all.retain(|symbol| !self.anywhere.contains(symbol));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn key(&self, set: &PolicySet, subject: &SubjectRecord, risk: u8) -> Key {
        let refer = |to: Option<Symbol>| match to {
            None => Reference::None,
            Some(symbol) if self.anywhere.contains(&symbol) => Reference::Named(symbol),
            Some(_) => Reference::Other,
        };
        Key {
            kind: subject.kind,
            profile: Profile::of(set, subject),
            risk,
            is: Some(subject.symbol).filter(|symbol| self.anywhere.contains(symbol)),
            owner: refer(subject.owner),
            acts_for: refer(subject.acts_for),
            for_its_owner: subject.owner.is_some() && subject.owner == subject.acts_for,
            groups: subject.groups.iter().filter(|group| self.anywhere.contains(group)).copied().collect(),
        }
    }
}

pub(super) fn resource<'w>(wanted: &Wanted<'w>) -> Option<&'w ResourceRecord> {
    if let Shape::Resource(resource) = &wanted.record.0 { Some(resource.as_ref()) } else { None }
}
