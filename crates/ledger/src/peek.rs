//! An encoded entry, taken apart without decoding it: in its one spelling everything stands at its place. Of what was not
//! written here it may make nonsense; [`Entry::decode`] makes sure.
//!
//! What is looked for begins with a comma and an opening quote. Within a text a quote has a backslash before it, so what is
//! found is the name of a field and no part of what somebody is called.

use std::sync::LazyLock;

use memchr::{memchr, memmem::Finder};

use crate::entry::Entry;

/// As far as it takes to see what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peeked<'a> {
    /// As it is written. Two of them compare as their instants do.
    pub at: &'a str,
    /// The [name](crate::EntryBody::name) of its kind.
    pub kind: &'a str,
    /// JSON.
    pub content: &'a [u8],
}

/// The content of a decision's entry, without its reasons. Texts as they are written; of the rest, JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeekedDecision<'a> {
    pub action: &'a str,
    pub session: &'a [u8],
    pub circumstances: &'a [u8],
    /// `deny`, `challenge` or `allow`.
    pub effect: &'a str,
    /// Of a denial.
    pub cause: Option<&'a str>,
    pub policy_set: &'a str,
    /// What it was shown of subject and resource, where it was shown something.
    pub shown: Option<(&'a str, &'a str)>,
}

impl Entry {
    pub fn peek(bytes: &[u8]) -> Option<Peeked<'_>> {
        let rest = bytes.strip_prefix(br#"{"v":1,"at":""#)?;
        let (at, rest) = text(rest)?;
        let (kind, rest) = text(rest.strip_prefix(br#","body":{""#)?)?;
        let content = rest.strip_prefix(b":")?.strip_suffix(b"}}")?;
        Some(Peeked { at, kind, content })
    }
}

macro_rules! fields {
    ($($name:ident $pattern:literal;)*) => {
        $(static $name: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new($pattern));)*
    };
}

fields! {
    ACTION br#","action":""#;
    SESSION br#","session":"#;
    CIRCUMSTANCES br#","circumstances":"#;
    DECISION br#"},"decision":{"effect":""#;
    POLICY_SET br#","policy_set":""#;
    SHOWN br#","shown":{"subject":""#;
}

impl<'a> PeekedDecision<'a> {
    /// `content` is that of a [`Peeked`] decision.
    pub fn of(content: &'a [u8]) -> Option<Self> {
        let (_, rest) = around(content, &ACTION)?;
        let (action, rest) = text(rest)?;
        let (_, rest) = around(rest, &SESSION)?;
        let (session, rest) = around(rest, &CIRCUMSTANCES)?;
        let (circumstances, rest) = around(rest, &DECISION)?;
        let (effect, rest) = text(rest)?;
        let cause = match rest.strip_prefix(br#","cause":""#) {
            Some(cause) => Some(text(cause)?.0),
            None => None,
        };
        let (_, rest) = around(rest, &POLICY_SET)?;
        let (policy_set, rest) = text(rest)?;
        let shown = match around(rest, &SHOWN) {
            Some((_, subject)) => {
                let (subject, rest) = text(subject)?;
                let (resource, _) = text(rest.strip_prefix(br#","resource":""#)?)?;
                Some((subject, resource))
            }
            None => None,
        };
        Some(Self { action, session, circumstances, effect, cause, policy_set, shown })
    }
}

/// What is before the field, and what is after its name.
fn around<'a>(bytes: &'a [u8], field: &Finder<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let (before, rest) = bytes.split_at_checked(field.find(bytes)?)?;
    Some((before, rest.get(field.needle().len()..)?))
}

/// Up to the quote, for what has none in it, and what is after it.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(memchr(b'"', bytes)?)?;
    Some((std::str::from_utf8(text).ok()?, rest.get(1..)?))
}
