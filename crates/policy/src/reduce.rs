//! What is left of a compiled condition once some of the facts are known. The rest is a condition like any other, and
//! `evaluate.rs` evaluates it: there is no second evaluator that could be wrong in its own way. Only what evaluates
//! without a fault is folded, in Cedar's order, so that a fault stays where it was.

use crate::evaluate::{Code, Operator};
use crate::facts::{Fact, Facts, Root, Slot};
use crate::value::{Constant, Value};

/// What is not known yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// Who asks: then `facts` has what the principal refers to.
    principal: bool,
    /// A bit for each slot.
    facts: u64,
}

const _: () = assert!(Fact::ALL.len() <= 64, "a bit for each");

impl Open {
    pub(crate) fn new(facts: &[Fact]) -> Self {
        Self { principal: false, facts: facts.iter().fold(0, |bits, fact| bits | 1 << fact.slot()) }
    }

    /// The principal besides, and with it `facts`.
    pub(crate) fn and_principal(self, facts: &[Fact]) -> Self {
        let principal = Self::new(&[Fact::Owner, Fact::ActsFor]);
        Self { principal: true, facts: self.facts | principal.facts | Self::new(facts).facts }
    }

    const fn has(self, slot: Slot) -> bool {
        self.facts >> slot & 1 == 1
    }
}

/// What comes with the thing that is asked for.
const OF_THE_WANTED: [Fact; 11] = [
    Fact::ResourceKind,
    Fact::Tier,
    Fact::Segment,
    Fact::ResourceOwner,
    Fact::Readers,
    Fact::Writers,
    Fact::Administrators,
    Fact::Http,
    Fact::Method,
    Fact::Host,
    Fact::Path,
];

impl Code {
    /// What is left of it.
    pub(crate) fn reduce<'a>(&'a self, facts: &impl Facts<'a>, open: Open) -> Self {
        let reduce = |part: &'a Self| part.reduce(facts, open);
        let boxed = |part: &'a Self| Box::new(part.reduce(facts, open));
        match self {
            Self::All(parts) => chain(parts, false, reduce),
            Self::Any(parts) => chain(parts, true, reduce),
            Self::Not(part) => match reduce(part) {
                Self::Constant(Constant::Bool(truth)) => Self::Constant(Constant::Bool(!truth)),
                left => Self::Not(Box::new(left)),
            },
            Self::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                match reduce(condition) {
                    Self::TRUE => reduce(yes),
                    Self::FALSE => reduce(no),
                    left => Self::If(Box::new([left, reduce(yes), reduce(no)])),
                }
            }
            _ if self.known(open) => match self.value(facts) {
                Ok(Value::Bool(value)) => Self::Constant(Constant::Bool(value)),
                Ok(Value::Long(value)) => Self::Constant(Constant::Long(value)),
                Ok(Value::Instant(value)) => Self::Constant(Constant::Instant(value)),
                Ok(Value::Span(value)) => Self::Constant(Constant::Span(value)),
                // Who and what it is stays as it is written: it is the same for all who stand in the same relation to it.
                _ => self.clone(),
            },
            Self::Binary(operator, parts) => {
                let [left, right] = parts.as_ref();
                Self::Binary(*operator, Box::new([reduce(left), reduce(right)]))
            }
            Self::Negate(part) => Self::Negate(boxed(part)),
            Self::IsEmpty(part) => Self::IsEmpty(boxed(part)),
            Self::Like(part, pattern) => Self::Like(boxed(part), pattern.clone()),
            Self::Within(root, part) => Self::Within(*root, boxed(part)),
            Self::Call(function, parts) => Self::Call(*function, parts.iter().map(reduce).collect()),
            Self::Constant(_) | Self::Principal | Self::Resource | Self::Read(_) | Self::Has(_) => self.clone(),
        }
    }

    fn parts(&self) -> &[Self] {
        match self {
            Self::Constant(_) | Self::Principal | Self::Resource | Self::Read(_) | Self::Has(_) => &[],
            Self::Not(part) | Self::Negate(part) | Self::IsEmpty(part) => std::slice::from_ref(part),
            Self::Like(part, _) | Self::Within(_, part) => std::slice::from_ref(part),
            Self::All(parts) | Self::Any(parts) | Self::Call(_, parts) => parts,
            Self::If(parts) => parts.as_slice(),
            Self::Binary(_, parts) => parts.as_slice(),
        }
    }

    /// Whether nothing that it looks at is open.
    fn known(&self, open: Open) -> bool {
        let itself = match self {
            Self::Principal | Self::Within(Root::Principal, _) => !open.principal,
            Self::Read(slot) | Self::Has(slot) => !open.has(*slot),
            _ => true,
        };
        itself && self.parts().iter().all(|part| part.known(open))
    }

    /// Whether it is false or fails, whatever is open.
    pub(crate) fn never_holds(&self) -> bool {
        *self == Self::FALSE || matches!(self, Self::All(parts) if parts.last() == Some(&Self::FALSE))
    }

    /// Whether it looks at nothing but what is open, so that it is the same for whoever and whatever it was reduced for.
    pub(crate) fn is_about(&self, open: Open) -> bool {
        let itself = match self {
            Self::Principal | Self::Resource | Self::Within(..) => false,
            Self::Read(slot) | Self::Has(slot) => open.has(*slot),
            _ => true,
        };
        itself && self.parts().iter().all(|part| part.is_about(open))
    }

    /// Whether it looks at what is asked for in no other way than these: whether the principal is in the readers, writers
    /// or administrators, and whether the owner, where there is one, is the principal or whom that refers to.
    pub(crate) fn asks_for_relations_only(&self, has_owner: bool) -> bool {
        let reads = |code: &Self, facts: &[Fact]| matches!(code, Self::Read(slot) if Fact::of(*slot).is_some_and(|fact| facts.contains(&fact)));
        let refers = |code: &Self| *code == Self::Principal || reads(code, &[Fact::Owner, Fact::ActsFor]);
        let owns = |code: &Self| has_owner && reads(code, &[Fact::ResourceOwner]);
        match self {
            Self::Within(Root::Principal, of) if reads(of, &[Fact::Readers, Fact::Writers, Fact::Administrators]) => {
                true
            }
            Self::Binary(Operator::Equal, parts) if parts.iter().any(owns) && parts.iter().any(refers) => true,
            Self::Resource | Self::Within(Root::Resource, _) => false,
            Self::Read(slot) | Self::Has(slot) => Fact::of(*slot).is_some_and(|fact| !OF_THE_WANTED.contains(&fact)),
            _ => self.parts().iter().all(|part| part.asks_for_relations_only(has_owner)),
        }
    }
}

/// `decisive` ends it: `false` where all have to hold, `true` where one is enough. What stands before the part that
/// decides may fail, and stays.
fn chain<'a>(parts: &'a [Code], decisive: bool, reduce: impl Fn(&'a Code) -> Code) -> Code {
    let mut left = Vec::new();
    for part in parts {
        match reduce(part) {
            Code::Constant(Constant::Bool(truth)) if truth == decisive => {
                left.push(Code::Constant(Constant::Bool(decisive)));
                break;
            }
            Code::Constant(Constant::Bool(_)) => {}
            other => left.push(other),
        }
    }
    match (left.len(), left.pop()) {
        (0, _) | (_, None) => Code::Constant(Constant::Bool(!decisive)),
        (1, Some(single)) => single,
        (_, Some(last)) => {
            left.push(last);
            let parts = left.into_boxed_slice();
            if decisive { Code::Any(parts) } else { Code::All(parts) }
        }
    }
}
