//! What a change of policies can touch, told from who asks for what at which resource alone. Most recorded decisions are
//! none of a change's business, and need not be made again to know it.

use countersign_model::{Action, SubjectKind};

use crate::facts::{Fact, Facts, Slot};
use crate::plan::Number;
use crate::records::{ResourceRecord, Shape, Slice, SubjectRecord};
use crate::set::{PolicyInfo, PolicySet};
use crate::symbols::Symbol;
use crate::value::{Uncovered, Value};

/// Two sets with one table of symbols, and which policies of each the other has not got.
#[derive(Debug)]
pub struct Difference<'p> {
    sets: [(&'p PolicySet, Vec<bool>); 2],
}

impl PolicySet {
    /// `None` for sets that do not share their symbols: the same records mean different things to them.
    pub fn difference<'p>(&'p self, other: &'p Self) -> Option<Difference<'p>> {
        let alone = |one: &Self, other: &Self| -> Vec<bool> {
            let same = |info: &PolicyInfo| {
                let found = other.infos.binary_search_by(|theirs| theirs.id.cmp(&info.id)).ok();
                let theirs = found.and_then(|at| other.infos.get(at));
                theirs.is_some_and(|theirs| theirs.hash == info.hash && theirs.mode == info.mode)
            };
            one.infos.iter().map(|info| !same(info)).collect()
        };
        let shared = std::sync::Arc::ptr_eq(&self.symbols, &other.symbols);
        shared.then(|| Difference { sets: [(self, alone(self, other)), (other, alone(other, self))] })
    }
}

impl Difference<'_> {
    /// `false`: whatever the circumstances, both sets have the same [effect](PolicySet::effect), because no policy that
    /// only one of them has can hold for this subject, action and resource.
    pub fn may_matter(&self, slice: &Slice<'_>, action: Action) -> bool {
        let (Shape::Subject(subject), Shape::Resource(resource)) = (&slice.subject.0, &slice.resource.0) else {
            return true;
        };
        // Whether nobody is challenged depends on what somebody who signed in could do.
        subject.kind == SubjectKind::Anonymous
            || self.sets.iter().any(|(set, alone)| {
                let mut may = false;
                if let Some(plan) = set.enforced.plan(subject.kind, action) {
                    let known = Known { subject, resource };
                    plan.applicable(&known, |number, condition| {
                        may = may || is(alone, number) && condition.holds(&known) != Ok(false);
                    });
                }
                may
            })
    }
}

fn is(alone: &[bool], number: Number) -> bool {
    alone.get(number as usize).copied().unwrap_or(true)
}

/// Facts of who and what, whatever the circumstances.
#[derive(Clone, Copy)]
struct Known<'a> {
    subject: &'a SubjectRecord,
    resource: &'a ResourceRecord,
}

impl<'a> Facts<'a> for Known<'a> {
    fn principal(&self) -> Symbol {
        self.subject.symbol
    }

    fn resource(&self) -> Symbol {
        self.resource.symbol
    }

    fn principal_within(&self, group: Symbol) -> bool {
        self.subject.within(group)
    }

    fn resource_within(&self, group: Symbol) -> bool {
        self.resource.segment == Some(group)
    }

    fn principal_ancestors(&self) -> &[Symbol] {
        &self.subject.groups
    }

    fn resource_ancestors(&self) -> &[Symbol] {
        self.resource.segment.as_slice()
    }

    fn has(&self, slot: Slot) -> Result<bool, Uncovered> {
        self.read(slot).map(|value| value.is_some())
    }

    fn read(&self, slot: Slot) -> Result<Option<Value<'a>>, Uncovered> {
        Fact::of(slot).and_then(|fact| fact.of_records(self.subject, self.resource)).ok_or(Uncovered)
    }
}
