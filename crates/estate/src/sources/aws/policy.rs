//! Policy documents of AWS IAM, and what they decide about one action on one resource. A condition is never ignored: what
//! holds only under one is said to hold only under it, in the policy's own words.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::observation::Place;

/// One statement, with where it stands.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) said: Said,
    pub(super) place: Place,
}

/// The elements that a statement has (IAM User Guide, "Grammar of the IAM JSON policy language"). Another one could change
/// its meaning, and is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Said {
    #[serde(default, rename = "Sid")]
    _name: Option<String>,
    pub(super) effect: Effect,
    #[serde(default)]
    pub(super) principal: Option<Principals>,
    #[serde(default)]
    pub(super) not_principal: Option<Principals>,
    #[serde(default)]
    action: Option<Patterns>,
    #[serde(default)]
    not_action: Option<Patterns>,
    #[serde(default)]
    resource: Option<Patterns>,
    #[serde(default)]
    not_resource: Option<Patterns>,
    #[serde(default)]
    pub(super) condition: Option<Condition>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A document as an object, or as the API gives it: a text of JSON in percent-encoding.
#[derive(Clone, Debug, Default)]
pub(super) struct Document(pub(super) Vec<Said>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plain {
    statement: Many<Said>,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Encoded(String),
            Plain(Plain),
        }
        match Either::deserialize(deserializer)
            .map_err(|_| D::Error::custom("a document, expected a policy document"))?
        {
            Either::Plain(plain) => Ok(Self(plain.statement.0)),
            Either::Encoded(text) => {
                let text = percent_decoded(&text);
                let plain: Result<Plain, _> = serde_json::from_str(&text);
                plain
                    .map(|plain| Self(plain.statement.0))
                    .map_err(|_| D::Error::custom("a text, expected a policy document in percent-encoding"))
            }
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One value or a list of them.
#[derive(Clone, Debug)]
struct Many<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            Many(Vec<T>),
            One(T),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Many(many) => many,
            Either::One(one) => vec![one],
        }))
    }
}

/// Patterns of actions or resources.
#[derive(Clone, Debug)]
pub(super) struct Patterns(Many<String>);

/// AWS allows no name of this length; a longer pattern is there to cost time.
const LONGEST_PATTERN: usize = 2048;

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patterns: Many<String> = Many::deserialize(deserializer)?;
        match patterns.0.iter().any(|pattern| pattern.len() > LONGEST_PATTERN) {
            true => Err(D::Error::custom("a pattern, expected one of a name's length")),
            false => Ok(Self(patterns)),
        }
    }
}

/// Whom a trust policy names, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Principals {
    /// `"*"`: anybody.
    pub(super) anybody: bool,
    pub(super) aws: Vec<String>,
    pub(super) service: Vec<String>,
    pub(super) federated: Vec<String>,
    pub(super) canonical: Vec<String>,
}

impl<'de> Deserialize<'de> for Principals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PrincipalsVisitor)
    }
}

struct PrincipalsVisitor;

impl<'de> Visitor<'de> for PrincipalsVisitor {
    type Value = Principals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("principals by kind, or *")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Principals, E> {
        match text {
            "*" => Ok(Principals { anybody: true, ..Principals::default() }),
            _ => Err(E::custom("a text, expected principals by kind, or *")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Principals, A::Error> {
        let mut principals = Principals::default();
        while let Some((kind, Many(names))) = map.next_entry::<String, Many<String>>()? {
            let list = match kind.as_str() {
                "AWS" => &mut principals.aws,
                "Service" => &mut principals.service,
                "Federated" => &mut principals.federated,
                "CanonicalUser" => &mut principals.canonical,
                _ => return Err(A::Error::custom("a kind of principal, expected AWS, Service or Federated")),
            };
            list.extend(names);
        }
        principals.anybody = principals.aws.iter().any(|name| name == "*");
        Ok(principals)
    }
}

/// A condition in words. The shared secret of a third party (`sts:ExternalId`) is not repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Condition(pub(super) String);

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConditionVisitor)
    }
}

struct ConditionVisitor;

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("operators with keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut operators: A) -> Result<Condition, A::Error> {
        let mut words = BTreeSet::new();
        while let Some((operator, Keys(keys))) = operators.next_entry::<String, Keys>()? {
            for (key, values) in keys {
                let values =
                    if key.eq_ignore_ascii_case("sts:ExternalId") { "…".to_owned() } else { values.join(" | ") };
                words.insert(format!("{operator} {key} = {values}"));
            }
        }
        let words: Vec<String> = words.into_iter().collect();
        Ok(Condition(words.join(" and ")))
    }
}

/// The keys of one operator; a key that stands twice counts twice.
struct Keys(Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("keys with values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, Scalars(values))) = map.next_entry::<String, Scalars>()? {
                    keys.push((key, values));
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct Scalars(Vec<String>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarsVisitor;
        impl<'de> Visitor<'de> for ScalarsVisitor {
            type Value = Scalars;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, number or flag, or a list of them")
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalars, E> {
                Ok(Scalars(vec![text.to_owned()]))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Scalars, E> {
                Ok(Scalars(vec![flag.to_string()]))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalars, E> {
                Ok(Scalars(vec![number.to_string()]))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalars, E> {
                Ok(Scalars(vec![number.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalars, A::Error> {
                let mut all = Vec::new();
                while let Some(Scalars(more)) = list.next_element()? {
                    all.extend(more);
                }
                Ok(Scalars(all))
            }
        }
        deserializer.deserialize_any(ScalarsVisitor)
    }
}

/// What is decided about one action on one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    No,
    /// By the statement at this place, under these conditions if any.
    Yes {
        by: Place,
        condition: Option<String>,
    },
}

impl Answer {
    /// Both have to hold.
    pub(super) fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Yes { by, condition }, Self::Yes { condition: more, .. }) => {
                let condition = match (condition, more) {
                    (Some(one), Some(other)) if one != *other => Some(format!("{one} and {other}")),
                    (one, other) => one.or_else(|| other.clone()),
                };
                Self::Yes { by, condition }
            }
            _ => Self::No,
        }
    }

    /// Only under this condition.
    pub(super) fn under(self, condition: &str) -> Self {
        let by = match &self {
            Self::Yes { by, .. } => by.clone(),
            Self::No => return Self::No,
        };
        self.and(&Self::Yes { by, condition: Some(condition.to_owned()) })
    }
}

impl Said {
    pub(super) fn speaks_of(&self, action: &str) -> bool {
        let any = |patterns: &Patterns| patterns.0.0.iter().any(|pattern| matches(pattern, action, true));
        match (&self.action, &self.not_action) {
            (Some(actions), _) => any(actions),
            (None, Some(actions)) => !any(actions),
            (None, None) => false,
        }
    }

    /// Whether it speaks of the resource, and whether that depends on who asks (a policy variable other than the name).
    fn reaches(&self, resource: &str, name: &str) -> Option<Option<String>> {
        let (patterns, turned) = match (&self.resource, &self.not_resource) {
            (Some(patterns), _) => (patterns, false),
            (None, Some(patterns)) => (patterns, true),
            (None, None) => return None,
        };
        let mut depends = None;
        for pattern in &patterns.0.0 {
            let named = pattern.replace("${aws:username}", name);
            let (plain, variable) = without_variables(&named);
            if !matches(&plain, resource, false) {
                continue;
            }
            match variable {
                None => return if turned { None } else { Some(None) },
                Some(variable) => depends = Some(variable),
            }
        }
        match (depends, turned) {
            (Some(variable), _) => Some(Some(format!("a resource that depends on {variable}"))),
            (None, true) => Some(None),
            (None, false) => None,
        }
    }

    fn conditions(&self, depends: Option<String>) -> Option<String> {
        let said = self.condition.as_ref().map(|condition| condition.0.clone()).filter(|words| !words.is_empty());
        match (said, depends) {
            (Some(said), Some(depends)) => Some(format!("{said} and {depends}")),
            (said, depends) => said.or(depends),
        }
    }
}

/// A permission for everything.
pub(super) fn everything() -> Said {
    let all = || Some(Patterns(Many(vec!["*".to_owned()])));
    Said {
        _name: None,
        effect: Effect::Allow,
        principal: None,
        not_principal: None,
        action: all(),
        not_action: None,
        resource: all(),
        not_resource: None,
        condition: None,
    }
}

/// A pattern with every variable as a wildcard, and the first variable.
fn without_variables(pattern: &str) -> (String, Option<String>) {
    let (mut plain, mut rest, mut variable) = (String::new(), pattern, None);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        plain.push_str(before);
        plain.push('*');
        variable.get_or_insert_with(|| format!("${{{name}}}"));
        rest = after;
    }
    plain.push_str(rest);
    (plain, variable)
}

/// An explicit denial outweighs every permission; what nothing permits is denied.
pub(super) fn decide(statements: &[&Statement], name: &str, action: &str, resource: &str) -> Answer {
    let mut permitted: Option<Answer> = None;
    let mut unless = BTreeSet::new();
    for statement in statements.iter().filter(|statement| statement.said.speaks_of(action)) {
        let Some(depends) = statement.said.reaches(resource, name) else { continue };
        let condition = statement.said.conditions(depends);
        match (statement.said.effect, condition) {
            (Effect::Deny, None) => return Answer::No,
            (Effect::Deny, Some(condition)) => {
                unless.insert(condition);
            }
            (Effect::Allow, condition) => {
                let unconditional = matches!(permitted, Some(Answer::Yes { condition: None, .. }));
                if permitted.is_none() || (condition.is_none() && !unconditional) {
                    permitted = Some(Answer::Yes { by: statement.place.clone(), condition });
                }
            }
        }
    }
    let permitted = permitted.unwrap_or(Answer::No);
    unless.iter().fold(permitted, |answer, condition| answer.under(&format!("unless {condition}")))
}

/// `*` is any text, `?` any character. Time is the product of the lengths at worst.
pub(super) fn matches(pattern: &str, text: &str, any_case: bool) -> bool {
    let same = |one: u8, other: u8| if any_case { one.eq_ignore_ascii_case(&other) } else { one == other };
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || same(*wanted, *byte) => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    at = place + 1;
                    read = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}
