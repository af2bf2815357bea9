//! The values that a condition computes with, borrowed from the records and the question wherever possible. A subset of
//! Cedar's: what is missing here (records, decimals) is [`Uncovered`] and left to Cedar's evaluator.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use cedar_policy_core::ast;
use cedar_policy_core::evaluator::RestrictedEvaluator;
use cedar_policy_core::extensions::Extensions;
use countersign_model::{AuthenticationMethod, PolicyId, ZoneName};

use crate::records::Groups;
use crate::symbols::{Symbol, Symbols};

/// The plan cannot tell: an error in the making, or something it does not model. Cedar's evaluator has the last word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Uncovered;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Entity(Symbol),
    Address(AddressRange),
    /// Milliseconds since the epoch.
    Instant(i64),
    /// Milliseconds.
    Span(i64),
    Set(Set<'a>),
}

/// A value that somebody owns: a literal of a policy.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Constant {
    Bool(bool),
    Long(i64),
    Text(Box<str>),
    Entity(Symbol),
    Address(AddressRange),
    Instant(i64),
    Span(i64),
    Set(Box<[Constant]>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Set<'a> {
    Constants(&'a [Constant]),
    Groups(&'a Groups),
    Zones(&'a BTreeSet<ZoneName>),
    Methods(&'a BTreeSet<AuthenticationMethod>),
    /// Their ids, as texts.
    Policies(&'a BTreeSet<PolicyId>),
}

/// An address, or a network in CIDR notation, as Cedar's `ipaddr` has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AddressRange {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl AddressRange {
    pub(crate) const fn one(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => text.parse().ok().map(Self::one),
            Some((address, prefix)) => {
                let (address, prefix) = (address.parse().ok()?, prefix.parse().ok()?);
                (prefix <= Self::one(address).prefix).then_some(Self { address, prefix })
            }
        }
    }

    /// First and last address as numbers, on the scale of the address family.
    fn bounds(self) -> (u128, u128) {
        let (bits, width) = match self.address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32_u32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let host = u128::MAX.checked_shr(128 - (width - u32::from(self.prefix))).unwrap_or(0);
        (bits & !host, bits | host)
    }

    pub(crate) fn within(self, outer: Self) -> bool {
        let ((first, last), (from, to)) = (self.bounds(), outer.bounds());
        self.address.is_ipv4() == outer.address.is_ipv4() && from <= first && last <= to
    }

    pub(crate) fn is_loopback(self) -> bool {
        self.address.is_loopback() && self.prefix >= if self.address.is_ipv4() { 8 } else { 128 }
    }

    pub(crate) fn is_multicast(self) -> bool {
        self.address.is_multicast() && self.prefix >= if self.address.is_ipv4() { 4 } else { 8 }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::one(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

impl Constant {
    pub(crate) fn view(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Long(value) => Value::Long(*value),
            Self::Text(value) => Value::Text(value),
            Self::Entity(value) => Value::Entity(*value),
            Self::Address(value) => Value::Address(*value),
            Self::Instant(value) => Value::Instant(*value),
            Self::Span(value) => Value::Span(*value),
            Self::Set(values) => Value::Set(Set::Constants(values)),
        }
    }

    /// What Cedar has computed, where this crate has a form for it.
    pub(crate) fn from_cedar(value: &ast::Value, symbols: &Symbols) -> Option<Self> {
        match &value.value {
            ast::ValueKind::Lit(literal) => Some(Self::from_literal(literal, symbols)),
            ast::ValueKind::Set(set) => set
                .authoritative
                .iter()
                .map(|value| Self::from_cedar(value, symbols))
                .collect::<Option<_>>()
                .map(Self::Set),
            ast::ValueKind::Record(_) => None,
            ast::ValueKind::ExtensionValue(extension) => {
                let expression = ast::RestrictedExpr::from(value.clone());
                match extension.typename().to_string().as_str() {
                    "ipaddr" => {
                        let (_, mut arguments) = expression.as_extn_fn_call()?;
                        AddressRange::parse(arguments.next()?.as_string()?).map(Self::Address)
                    }
                    "datetime" => {
                        let epoch = call("datetime", vec![ast::RestrictedExpr::val("1970-01-01")])?;
                        milliseconds(call("durationSince", vec![expression, epoch])?).map(Self::Instant)
                    }
                    "duration" => milliseconds(expression).map(Self::Span),
                    _ => None,
                }
            }
        }
    }

    pub(crate) fn from_literal(literal: &ast::Literal, symbols: &Symbols) -> Self {
        match literal {
            ast::Literal::Bool(value) => Self::Bool(*value),
            ast::Literal::Long(value) => Self::Long(*value),
            ast::Literal::String(value) => Self::Text(value.as_str().into()),
            ast::Literal::EntityUID(uid) => Self::Entity(intern(symbols, uid)),
        }
    }
}

pub(crate) fn intern(symbols: &Symbols, uid: &ast::EntityUID) -> Symbol {
    symbols.intern(&uid.entity_type().to_string(), AsRef::<str>::as_ref(uid.eid()))
}

pub(crate) fn call(function: &str, arguments: Vec<ast::RestrictedExpr>) -> Option<ast::RestrictedExpr> {
    let name = ast::Name::parse_unqualified_name(function).ok()?;
    Some(ast::RestrictedExpr::call_extension_fn(name, arguments))
}

fn milliseconds(span: ast::RestrictedExpr) -> Option<i64> {
    let expression = call("toMilliseconds", vec![span])?;
    let value = RestrictedEvaluator::new(Extensions::all_available()).interpret(expression.as_borrowed()).ok()?;
    match value.value {
        ast::ValueKind::Lit(ast::Literal::Long(milliseconds)) => Some(milliseconds),
        _ => None,
    }
}

impl<'a> Value<'a> {
    /// Cedar's total equality: values of different types are different.
    pub(crate) fn equals(self, other: Value<'_>) -> Result<bool, Uncovered> {
        Ok(match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Long(a), Value::Long(b))
            | (Value::Instant(a), Value::Instant(b))
            | (Value::Span(a), Value::Span(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            // Two entities outside the table may or may not be the same one.
            (Value::Entity(Symbol::UNKNOWN), Value::Entity(Symbol::UNKNOWN)) => return Err(Uncovered),
            (Value::Entity(a), Value::Entity(b)) => a == b,
            (Value::Address(a), Value::Address(b)) => a == b,
            (Value::Set(a), Value::Set(b)) => a.includes(b)? && b.includes(a)?,
            _ => false,
        })
    }

    pub(crate) fn bool(self) -> Result<bool, Uncovered> {
        if let Value::Bool(value) = self { Ok(value) } else { Err(Uncovered) }
    }

    pub(crate) fn long(self) -> Result<i64, Uncovered> {
        if let Value::Long(value) = self { Ok(value) } else { Err(Uncovered) }
    }

    pub(crate) fn set(self) -> Result<Set<'a>, Uncovered> {
        if let Value::Set(value) = self { Ok(value) } else { Err(Uncovered) }
    }

    /// As a person reads it.
    pub(crate) fn show(self, symbols: &Symbols) -> Cow<'static, str> {
        match self {
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Text(text) => Cow::Owned(text.to_owned()),
            Value::Set(Set::Groups(groups)) => Cow::Owned(groups.shown.to_string()),
            _ => {
                let mut text = String::new();
                self.show_into(&mut text, symbols);
                Cow::Owned(text)
            }
        }
    }

    fn show_into(self, text: &mut String, symbols: &Symbols) {
        // Writing into a `String` does not fail.
        let _ = match self {
            Value::Bool(value) => write!(text, "{value}"),
            Value::Long(value) => write!(text, "{value}"),
            Value::Text(value) => text.write_str(value),
            Value::Entity(symbol) => {
                show_entity(text, symbol, symbols);
                Ok(())
            }
            Value::Set(Set::Groups(groups)) => text.write_str(&groups.shown),
            Value::Address(value) => write!(text, "{value}"),
            Value::Instant(value) => write!(text, "{}", countersign_model::Timestamp::from_millis(value)),
            Value::Span(value) => write!(text, "{value} ms"),
            Value::Set(set) => {
                text.push('[');
                let mut separator = "";
                let _ = set.any(|value| {
                    text.push_str(std::mem::replace(&mut separator, ", "));
                    value.show_into(text, symbols);
                    Ok(false)
                });
                text.write_char(']')
            }
        };
    }
}

/// A set of entities as [`Value::show`] writes it: in the order of their names, so that the same facts read the same whatever
/// the order in which the table has learned them.
pub(crate) fn show_entities(entities: &[Symbol], symbols: &Symbols) -> String {
    let name = |entity: &Symbol| {
        let mut text = String::new();
        show_entity(&mut text, *entity, symbols);
        text
    };
    let mut names: Vec<String> = entities.iter().map(name).collect();
    names.sort_unstable();
    format!("[{}]", names.join(", "))
}

fn show_entity(text: &mut String, entity: Symbol, symbols: &Symbols) {
    let shown = symbols.with_name(entity, |kind, id| {
        text.push_str(kind);
        text.push_str("::\"");
        push_escaped(text, id);
        text.push('"');
    });
    if shown.is_none() {
        text.push_str("an entity that no policy names");
    }
}

fn push_escaped(text: &mut String, id: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\');
    if id.bytes().all(plain) {
        text.push_str(id);
    } else {
        text.extend(id.escape_debug());
    }
}

impl<'a> Set<'a> {
    pub(crate) fn is_empty(self) -> bool {
        match self {
            Set::Constants(values) => values.is_empty(),
            Set::Groups(groups) => groups.symbols.is_empty(),
            Set::Zones(values) => values.is_empty(),
            Set::Methods(values) => values.is_empty(),
            Set::Policies(values) => values.is_empty(),
        }
    }

    /// Whether `test` holds for one of the elements.
    pub(crate) fn any(self, mut test: impl FnMut(Value<'a>) -> Result<bool, Uncovered>) -> Result<bool, Uncovered> {
        fn first<T>(
            values: impl IntoIterator<Item = T>,
            mut test: impl FnMut(T) -> Result<bool, Uncovered>,
        ) -> Result<bool, Uncovered> {
            for value in values {
                if test(value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        match self {
            Set::Constants(values) => first(values, |value: &'a Constant| test(value.view())),
            Set::Groups(groups) => first(&groups.symbols, |value: &'a Symbol| test(Value::Entity(*value))),
            Set::Zones(values) => first(values, |value: &'a ZoneName| test(Value::Text(value.as_str()))),
            Set::Methods(values) => first(values, |value: &'a AuthenticationMethod| test(Value::Text(value.name()))),
            Set::Policies(values) => first(values, |value: &'a PolicyId| test(Value::Text(value.as_str()))),
        }
    }

    pub(crate) fn contains(self, wanted: Value<'_>) -> Result<bool, Uncovered> {
        match (self, wanted) {
            (Set::Groups(groups), Value::Entity(symbol)) => Ok(groups.symbols.binary_search(&symbol).is_ok()),
            _ => self.any(|value| value.equals(wanted)),
        }
    }

    /// Whether every element of `other` is in this set.
    pub(crate) fn includes(self, other: Set<'_>) -> Result<bool, Uncovered> {
        other.any(|value| self.contains(value).map(|found| !found)).map(|missing| !missing)
    }

    pub(crate) fn meets(self, other: Set<'_>) -> Result<bool, Uncovered> {
        other.any(|value| self.contains(value))
    }
}
