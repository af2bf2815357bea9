//! Entities as decisions see them: flat, interned, ancestors already closed. A record is made when a fact changes and
//! read by every decision; what the policies' schema does not speak about (a display name, an e-mail address) is not in
//! it.

use countersign_model::{GroupId, Resource, ResourceKind, Subject, SubjectId, SubjectKind, Tier};

use crate::symbols::{Symbol, Symbols};
use crate::value::show_entities;

/// One subject or one resource, interned in the world's [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(pub(crate) Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Subject(SubjectRecord),
    /// Boxed: a world has many subjects and few resources, and a record is as large as its largest shape.
    Resource(Box<ResourceRecord>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubjectRecord {
    pub(crate) kind: SubjectKind,
    pub(crate) symbol: Symbol,
    pub(crate) owner: Option<Symbol>,
    pub(crate) acts_for: Option<Symbol>,
    /// Every group it is in, sorted.
    pub(crate) groups: Box<[Symbol]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceRecord {
    pub(crate) symbol: Symbol,
    pub(crate) kind: ResourceKind,
    pub(crate) tier: Tier,
    pub(crate) segment: Option<Symbol>,
    pub(crate) owner: Option<Symbol>,
    pub(crate) readers: Groups,
    pub(crate) writers: Groups,
    pub(crate) administrators: Groups,
}

/// The groups that a resource names for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Sorted.
    pub(crate) symbols: Box<[Symbol]>,
    /// As a person reads it. Every decision that looks at them shows all of them, and their names never change.
    pub(crate) shown: Box<str>,
}

/// The part of the world that one decision needs. Validation to level 1 proves that no policy looks further.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    pub subject: &'a Record,
    pub resource: &'a Record,
}

/// The Cedar entity type of a kind of subject.
pub(crate) const fn subject_type(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Human => "Human",
        SubjectKind::Service => "Service",
        SubjectKind::Agent => "Agent",
        SubjectKind::Anonymous => "Anonymous",
    }
}

pub(crate) fn subject_symbol(symbols: &Symbols, id: &SubjectId) -> Symbol {
    symbols.intern(subject_type(id.kind()), id.name())
}

fn human(symbols: &Symbols, id: Option<&SubjectId>) -> Option<Symbol> {
    id.filter(|id| id.kind() == SubjectKind::Human).map(|id| subject_symbol(symbols, id))
}

fn group_set(symbols: &Symbols, groups: &[GroupId]) -> Groups {
    let groups = sorted(groups.iter().map(|group| symbols.intern("Group", group.as_str())).collect());
    let shown = show_entities(&groups, symbols).into_boxed_str();
    Groups { symbols: groups, shown }
}

pub(crate) fn sorted(mut symbols: Vec<Symbol>) -> Box<[Symbol]> {
    symbols.sort_unstable();
    symbols.dedup();
    symbols.into_boxed_slice()
}

impl Record {
    /// `groups` are all groups that the subject is in, direct and inherited; its own `groups` field is not read. A
    /// human is in [`EVERYONE`](crate::EVERYONE) besides; whoever is anonymous is in none.
    pub fn subject(symbols: &Symbols, subject: &Subject, groups: &[GroupId]) -> Self {
        let kind = subject.id.kind();
        let owned = matches!(kind, SubjectKind::Service | SubjectKind::Agent);
        let mut closed = Vec::with_capacity(groups.len() + 1);
        if kind != SubjectKind::Anonymous {
            closed.extend(groups.iter().map(|group| symbols.intern("Group", group.as_str())));
        }
        if kind == SubjectKind::Human {
            closed.push(symbols.intern("Group", crate::EVERYONE));
        }
        Self(Shape::Subject(SubjectRecord {
            kind,
            symbol: subject_symbol(symbols, &subject.id),
            // Only what the schema has: a service has an owner, an agent acts for somebody too.
            owner: human(symbols, subject.owner.as_ref().filter(|_| owned)),
            acts_for: human(symbols, subject.acts_for.as_ref().filter(|_| kind == SubjectKind::Agent)),
            groups: sorted(closed),
        }))
    }

    /// Whoever has not signed in.
    pub fn anonymous(symbols: &Symbols) -> Self {
        Self(Shape::Subject(SubjectRecord {
            kind: SubjectKind::Anonymous,
            symbol: subject_symbol(symbols, &SubjectId::anonymous()),
            owner: None,
            acts_for: None,
            groups: Box::default(),
        }))
    }

    pub fn resource(symbols: &Symbols, resource: &Resource) -> Self {
        Self(Shape::Resource(Box::new(ResourceRecord {
            symbol: symbols.intern("Resource", resource.id.as_str()),
            kind: resource.kind,
            tier: resource.tier,
            segment: resource.segment.as_ref().map(|segment| symbols.intern("Segment", segment.as_str())),
            owner: human(symbols, resource.owner.as_ref()),
            readers: group_set(symbols, &resource.entitled.readers),
            writers: group_set(symbols, &resource.entitled.writers),
            administrators: group_set(symbols, &resource.entitled.administrators),
        })))
    }
}
