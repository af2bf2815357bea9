//! Evaluates a compiled condition. Total: whatever would be an error in Cedar (an overflow, a wrong type, an attribute
//! that is not there) is [`Uncovered`] here, and Cedar's own evaluator then says what the error is.

use cedar_policy_core::ast::Pattern;

use crate::facts::{Facts, Root, Slot};
use crate::symbols::Symbol;
use crate::value::{Constant, Set, Uncovered, Value};

/// A condition, with every literal folded and every path a slot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Code {
    Constant(Constant),
    Principal,
    Resource,
    Read(Slot),
    Has(Slot),
    Not(Box<Code>),
    Negate(Box<Code>),
    All(Box<[Code]>),
    Any(Box<[Code]>),
    If(Box<[Code; 3]>),
    Binary(Operator, Box<[Code; 2]>),
    /// The principal or the resource, and an entity or a set of entities.
    Within(Root, Box<Code>),
    IsEmpty(Box<Code>),
    Like(Box<Code>, Pattern),
    Call(Function, Box<[Code]>),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    Contains,
    ContainsAll,
    ContainsAny,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Function {
    IsInRange,
    IsIpv4,
    IsIpv6,
    IsLoopback,
    IsMulticast,
    Offset,
    DurationSince,
    ToDate,
    ToTime,
    /// Milliseconds divided by this.
    Units(i64),
}

const DAY: i64 = 24 * 60 * 60 * 1000;

impl Code {
    pub(crate) const TRUE: Self = Self::Constant(Constant::Bool(true));
    pub(crate) const FALSE: Self = Self::Constant(Constant::Bool(false));

    /// The condition's answer.
    pub(crate) fn test<'a>(&'a self, facts: &impl Facts<'a>) -> Result<bool, Uncovered> {
        match self {
            Self::All(parts) => {
                for part in parts {
                    if !part.test(facts)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if part.test(facts)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(part) => part.test(facts).map(|value| !value),
            Self::Has(slot) => facts.has(*slot),
            Self::Binary(operator, operands) => {
                let [left, right] = operands.as_ref();
                binary(*operator, left.value(facts)?, right.value(facts)?)?.bool()
            }
            Self::Within(root, of) => within(*root, of.value(facts)?, facts),
            Self::IsEmpty(set) => Ok(set.value(facts)?.set()?.is_empty()),
            Self::Like(text, pattern) => match text.value(facts)? {
                Value::Text(text) => Ok(pattern.wildcard_match(text)),
                _ => Err(Uncovered),
            },
            Self::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                if condition.test(facts)? { yes.test(facts) } else { no.test(facts) }
            }
            _ => self.value(facts)?.bool(),
        }
    }

    pub(crate) fn value<'a>(&'a self, facts: &impl Facts<'a>) -> Result<Value<'a>, Uncovered> {
        match self {
            Self::Constant(constant) => Ok(constant.view()),
            Self::Principal => Ok(Value::Entity(facts.principal())),
            Self::Resource => Ok(Value::Entity(facts.resource())),
            Self::Read(slot) => facts.read(*slot)?.ok_or(Uncovered),
            Self::Negate(part) => part.value(facts)?.long()?.checked_neg().map(Value::Long).ok_or(Uncovered),
            Self::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                if condition.test(facts)? { yes.value(facts) } else { no.value(facts) }
            }
            Self::Binary(operator, operands) => {
                let [left, right] = operands.as_ref();
                binary(*operator, left.value(facts)?, right.value(facts)?)
            }
            Self::Call(function, arguments) => match arguments.as_ref() {
                [one] => unary_call(*function, one.value(facts)?),
                [one, two] => binary_call(*function, one.value(facts)?, two.value(facts)?),
                _ => Err(Uncovered),
            },
            Self::Has(_)
            | Self::Not(_)
            | Self::All(_)
            | Self::Any(_)
            | Self::Within(..)
            | Self::IsEmpty(_)
            | Self::Like(..) => self.test(facts).map(Value::Bool),
        }
    }
}

fn binary<'a>(operator: Operator, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Uncovered> {
    let arithmetic = |operation: fn(i64, i64) -> Option<i64>| {
        operation(left.long()?, right.long()?).map(Value::Long).ok_or(Uncovered)
    };
    let ordered = |holds: fn(i64, i64) -> bool| match (left, right) {
        (Value::Long(a), Value::Long(b))
        | (Value::Instant(a), Value::Instant(b))
        | (Value::Span(a), Value::Span(b)) => Ok(Value::Bool(holds(a, b))),
        _ => Err(Uncovered),
    };
    match operator {
        Operator::Equal => left.equals(right).map(Value::Bool),
        Operator::Less => ordered(|a, b| a < b),
        Operator::LessOrEqual => ordered(|a, b| a <= b),
        Operator::Add => arithmetic(i64::checked_add),
        Operator::Subtract => arithmetic(i64::checked_sub),
        Operator::Multiply => arithmetic(i64::checked_mul),
        Operator::Contains => left.set()?.contains(right).map(Value::Bool),
        Operator::ContainsAll => left.set()?.includes(right.set()?).map(Value::Bool),
        Operator::ContainsAny => left.set()?.meets(right.set()?).map(Value::Bool),
    }
}

fn within<'a>(root: Root, of: Value<'a>, facts: &impl Facts<'a>) -> Result<bool, Uncovered> {
    let one = |group: Symbol| match root {
        // An unknown entity is in no ancestor list, but it may be the principal itself.
        _ if group == Symbol::UNKNOWN => Err(Uncovered),
        Root::Principal => Ok(facts.principal() == group || facts.principal_within(group)),
        Root::Resource => Ok(facts.resource() == group || facts.resource_within(group)),
        Root::Context => Err(Uncovered),
    };
    match of {
        Value::Entity(group) => one(group),
        Value::Set(Set::Groups(of)) => {
            // Whoever asks is in few groups, and a resource may name many.
            let (own, ancestors) = match root {
                Root::Principal => (facts.principal(), facts.principal_ancestors()),
                Root::Resource => (facts.resource(), facts.resource_ancestors()),
                Root::Context => return Err(Uncovered),
            };
            let mut among = std::iter::once(&own).chain(ancestors);
            if among.any(|entity| *entity != Symbol::UNKNOWN && of.symbols.binary_search(entity).is_ok()) {
                return Ok(true);
            }
            // It sorts last.
            if of.symbols.last() == Some(&Symbol::UNKNOWN) { Err(Uncovered) } else { Ok(false) }
        }
        // Cedar refuses a set with anything but entities in it before it looks at the first.
        Value::Set(Set::Constants(groups)) => {
            let mut found = false;
            for group in groups {
                match group {
                    Constant::Entity(group) => found |= one(*group)?,
                    _ => return Err(Uncovered),
                }
            }
            Ok(found)
        }
        _ => Err(Uncovered),
    }
}

fn unary_call(function: Function, argument: Value<'_>) -> Result<Value<'_>, Uncovered> {
    Ok(match (function, argument) {
        (Function::IsIpv4, Value::Address(range)) => Value::Bool(range.address.is_ipv4()),
        (Function::IsIpv6, Value::Address(range)) => Value::Bool(range.address.is_ipv6()),
        (Function::IsLoopback, Value::Address(range)) => Value::Bool(range.is_loopback()),
        (Function::IsMulticast, Value::Address(range)) => Value::Bool(range.is_multicast()),
        (Function::ToDate, Value::Instant(at)) => Value::Instant(at.checked_sub(at.rem_euclid(DAY)).ok_or(Uncovered)?),
        (Function::ToTime, Value::Instant(at)) => Value::Span(at.rem_euclid(DAY)),
        (Function::Units(unit), Value::Span(span)) => Value::Long(span.checked_div(unit).ok_or(Uncovered)?),
        _ => return Err(Uncovered),
    })
}

fn binary_call<'a>(function: Function, one: Value<'a>, two: Value<'a>) -> Result<Value<'a>, Uncovered> {
    Ok(match (function, one, two) {
        (Function::IsInRange, Value::Address(inner), Value::Address(outer)) => Value::Bool(inner.within(outer)),
        (Function::Offset, Value::Instant(at), Value::Span(span)) => {
            Value::Instant(at.checked_add(span).ok_or(Uncovered)?)
        }
        (Function::DurationSince, Value::Instant(later), Value::Instant(earlier)) => {
            Value::Span(later.checked_sub(earlier).ok_or(Uncovered)?)
        }
        _ => return Err(Uncovered),
    })
}
