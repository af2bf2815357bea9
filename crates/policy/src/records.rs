//! Entities as decisions see them: flat, interned, ancestors already closed. A record is made when a fact changes and
//! read by every decision; what the policies' schema does not speak about (a display name, an e-mail address) is not in
//! it.

use countersign_model::{
    Entitled, GroupId, Name, Resource, ResourceId, ResourceKind, SegmentId, Shown, ShownResource, ShownSubject,
    Subject, SubjectId, SubjectKind, Tier, Timestamp,
};

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

impl SubjectRecord {
    pub(crate) fn within(&self, group: Symbol) -> bool {
        self.groups.binary_search(&group).is_ok()
    }
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
    /// No policy can see it.
    pub(crate) observe_until: Option<Timestamp>,
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
        let Subject { id, owner, acts_for, .. } = subject;
        Self::of_subject(symbols, id, (owner.as_ref(), acts_for.as_ref()), groups)
    }

    fn of_subject(
        symbols: &Symbols,
        id: &SubjectId,
        (owner, acts_for): (Option<&SubjectId>, Option<&SubjectId>),
        groups: &[GroupId],
    ) -> Self {
        let kind = id.kind();
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
            symbol: subject_symbol(symbols, id),
            // Only what the schema has: a service has an owner, an agent acts for somebody too.
            owner: human(symbols, owner.filter(|_| owned)),
            acts_for: human(symbols, acts_for.filter(|_| kind == SubjectKind::Agent)),
            groups: sorted(closed),
        }))
    }

    /// Whoever has not signed in.
    pub fn anonymous(symbols: &Symbols) -> Self {
        Self::of_subject(symbols, &SubjectId::anonymous(), (None, None), &[])
    }

    pub fn resource(symbols: &Symbols, resource: &Resource) -> Self {
        let Resource { id, kind, tier, segment, owner, entitled, observe_until, .. } = resource;
        let related = (segment.as_ref(), owner.as_ref());
        Self::of_resource(symbols, id, (*kind, *tier, *observe_until), related, entitled)
    }

    fn of_resource(
        symbols: &Symbols,
        id: &ResourceId,
        (kind, tier, observe_until): (ResourceKind, Tier, Option<Timestamp>),
        (segment, owner): (Option<&SegmentId>, Option<&SubjectId>),
        entitled: &Entitled,
    ) -> Self {
        Self(Shape::Resource(Box::new(ResourceRecord {
            symbol: symbols.intern("Resource", id.as_str()),
            kind,
            tier,
            segment: segment.map(|segment| symbols.intern("Segment", segment.as_str())),
            owner: human(symbols, owner),
            readers: group_set(symbols, &entitled.readers),
            writers: group_set(symbols, &entitled.writers),
            administrators: group_set(symbols, &entitled.administrators),
            // INVARIANT: no part of Countersign is ever in observe mode, whatever a record says.
            observe_until: observe_until.filter(|_| kind != ResourceKind::Countersign),
        })))
    }

    /// The record that was [shown](Self::shown), in this table.
    pub fn of(symbols: &Symbols, shown: &Shown) -> Self {
        match shown {
            Shown::Subject(ShownSubject { id, owner, acts_for, groups }) => {
                Self::of_subject(symbols, id, (owner.as_ref(), acts_for.as_ref()), groups)
            }
            Shown::Resource(ShownResource { id, kind, tier, segment, owner, entitled, observe_until }) => {
                let related = (segment.as_ref(), owner.as_ref());
                Self::of_resource(symbols, id, (*kind, *tier, *observe_until), related, entitled)
            }
        }
    }

    /// All that a policy can see in it, by name: [`of`](Self::of) makes an equal record of it, in any table. `None` where
    /// a name is not in `symbols`.
    pub fn shown(&self, symbols: &Symbols) -> Option<Shown> {
        let name = |symbol: Symbol| Name::new(symbols.name(symbol)?.1).ok();
        let groups = |of: &[Symbol]| -> Option<Vec<GroupId>> {
            let mut groups: Vec<GroupId> = of.iter().map(|it| name(*it).map(GroupId::from)).collect::<Option<_>>()?;
            groups.sort_unstable();
            Some(groups)
        };
        // A name that is there and not known is not an absent one.
        let human = |symbol: Option<Symbol>| -> Option<Option<SubjectId>> {
            symbol.map_or(Some(None), |symbol| Some(Some(SubjectId::new(SubjectKind::Human, name(symbol)?))))
        };
        Some(match &self.0 {
            Shape::Subject(subject) => Shown::Subject(ShownSubject {
                id: SubjectId::new(subject.kind, name(subject.symbol)?),
                owner: human(subject.owner)?,
                acts_for: human(subject.acts_for)?,
                groups: groups(&subject.groups)?,
            }),
            Shape::Resource(resource) => Shown::Resource(ShownResource {
                id: name(resource.symbol)?.into(),
                kind: resource.kind,
                tier: resource.tier,
                segment: resource.segment.map_or(Some(None), |symbol| name(symbol).map(|it| Some(it.into())))?,
                owner: human(resource.owner)?,
                entitled: Entitled {
                    readers: groups(&resource.readers.symbols)?,
                    writers: groups(&resource.writers.symbols)?,
                    administrators: groups(&resource.administrators.symbols)?,
                },
                observe_until: resource.observe_until,
            }),
        })
    }
}
