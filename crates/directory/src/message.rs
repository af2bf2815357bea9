//! The few messages of LDAP (RFC 4511, 4.2) that a reader sends, and the answers to them.

use crate::account::Account;
use crate::ber::{
    BOOLEAN, ENUMERATED, INTEGER, Mangled, OCTETS, Reader, SEQUENCE, SET, context, context_of, element, flag, number,
    octets,
};
use crate::entry::Entry;
use crate::filter::Filter;

/// A server that does not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} was refused: {}{}", meaning(*code, said), shown(said))]
pub struct Refused {
    pub what: &'static str,
    /// RFC 4511, appendix A.
    pub code: i64,
    /// The server's own words, as they may be shown.
    pub said: String,
}

/// Result codes that are told apart (RFC 4511, 4.1.9).
pub(crate) const SUCCESS: i64 = 0;
pub(crate) const NO_SUCH_OBJECT: i64 = 32;

fn meaning(code: i64, said: &str) -> String {
    // Active Directory says why in words of its own.
    let why = said.split("data ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let text = match (code, why) {
        (49, "525") => "there is no such account",
        (49, "530" | "531") => "the account may not sign in now or from here",
        (49, "532" | "773") => "the account's password has to be changed first",
        (49, "533") => "the account is disabled",
        (49, "701") => "the account has expired",
        (49, "775") => "the account is locked",
        (49, _) => "the account or its password is wrong",
        (1, _) => "the server cannot, or only once somebody has signed in",
        (3 | 11, _) => "it takes the server longer than it allows",
        (4, _) => "the server gives an account only so many entries; let this one read all of them",
        (7 | 48, _) => "the server takes no name and password",
        (8 | 13, _) => "the server wants an encrypted connection",
        (10, _) => "the server points elsewhere, which is not followed",
        (12, _) => "the server cannot do what a reading needs",
        (32, _) => "there is no such entry, or the account may not know",
        (34, _) => "that is no distinguished name",
        (50, _) => "the account may not",
        (51 | 52, _) => "the server is busy or stopping",
        (53, _) => "the server is unwilling",
        _ => return format!("code {code}"),
    };
    format!("{text} (code {code})")
}

fn shown(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it says: {said}") }
}

/// A text of a server, as it may stand on somebody's screen.
pub(crate) fn presentable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>().trim().to_owned()
}

/// How an operation ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i64,
    said: String,
}

impl Outcome {
    pub(crate) fn refused(self, what: &'static str) -> Refused {
        Refused { what, code: self.code, said: self.said }
    }

    /// A server that repeats the password is not repeated.
    pub(crate) fn without(self, secret: &[u8]) -> Self {
        let repeats = self.said.contains(String::from_utf8_lossy(secret).trim());
        Self { said: if repeats { String::new() } else { self.said }, ..self }
    }

    pub(crate) fn done(self, what: &'static str) -> Result<(), Refused> {
        if self.code == SUCCESS { Ok(()) } else { Err(self.refused(what)) }
    }
}

/// One answer, as it arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Bound(Outcome),
    Extended(Outcome),
    Entry(Entry),
    /// Elsewhere there would be more.
    Referral,
    /// The end of a page; where the next one begins, if there is one.
    Done(Outcome, Vec<u8>),
}

/// RFC 2696.
const PAGED: &str = "1.2.840.113556.1.4.319";
/// Which parts of security descriptors are wanted ([MS-ADTS] 3.1.1.3.4.1.11).
const DESCRIPTOR_PARTS: &str = "1.2.840.113556.1.4.801";
const OWNER_GROUP_AND_LIST: u32 = 1 | 2 | 4;
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

/// RFC 4511, 4.5.1.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    Entry,
    Subtree,
}

/// One search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    pub(crate) base: &'q str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'q Filter,
    pub(crate) attributes: &'q [&'q str],
    /// Only whether they are there, not what they are.
    pub(crate) names_only: bool,
    pub(crate) descriptors: bool,
}

fn message(id: i32, operation: impl FnOnce(&mut Vec<u8>), controls: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, SEQUENCE, |out| {
        number(out, INTEGER, id.unsigned_abs());
        operation(out);
        if !controls.is_empty() {
            element(out, context_of(0), |out| controls.iter().for_each(|control| out.extend_from_slice(control)));
        }
    });
    out
}

fn control(name: &str, critical: bool, value: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, SEQUENCE, |out| {
        octets(out, OCTETS, name.as_bytes());
        if critical {
            flag(out, true);
        }
        element(out, OCTETS, |out| element(out, SEQUENCE, value));
    });
    out
}

pub(crate) fn bind(id: i32, account: &Account) -> Vec<u8> {
    let operation = |out: &mut Vec<u8>| {
        element(out, 0x60, |out| {
            number(out, INTEGER, 3);
            octets(out, OCTETS, account.name.as_bytes());
            octets(out, context(0), &account.password);
        });
    };
    message(id, operation, &[])
}

pub(crate) fn start_tls(id: i32) -> Vec<u8> {
    message(id, |out| element(out, 0x77, |out| octets(out, context(0), START_TLS.as_bytes())), &[])
}

pub(crate) fn unbind(id: i32) -> Vec<u8> {
    message(id, |out| octets(out, 0x42, &[]), &[])
}

/// A search, and which page of its answer: of how many entries, from where.
pub(crate) fn search(id: i32, question: &Question<'_>, page: Option<(u32, &[u8])>) -> Vec<u8> {
    const NEVER_FOLLOW_ALIASES: u32 = 0;
    let mut controls = Vec::new();
    if let Some((size, cookie)) = page {
        controls.push(control(PAGED, false, |out| {
            number(out, INTEGER, size);
            octets(out, OCTETS, cookie);
        }));
    }
    if question.descriptors {
        // Without it the list for audits is asked for as well, and whoever may not read that gets nothing at all.
        controls.push(control(DESCRIPTOR_PARTS, true, |out| number(out, INTEGER, OWNER_GROUP_AND_LIST)));
    }
    let operation = |out: &mut Vec<u8>| {
        element(out, 0x63, |out| {
            octets(out, OCTETS, question.base.as_bytes());
            number(out, ENUMERATED, if question.scope == Scope::Entry { 0 } else { 2 });
            number(out, ENUMERATED, NEVER_FOLLOW_ALIASES);
            number(out, INTEGER, 0);
            number(out, INTEGER, 0);
            flag(out, question.names_only);
            question.filter.encode(out);
            element(out, SEQUENCE, |out| {
                question.attributes.iter().for_each(|name| octets(out, OCTETS, name.as_bytes()));
            });
        });
    };
    message(id, operation, &controls)
}

/// Whose answer this is, and what it says. The number 0 is the server speaking of itself.
pub(crate) fn answer(bytes: &[u8]) -> Result<(i64, Answer), Mangled> {
    let mut whole = Reader::new(bytes);
    let mut message = whole.inside(SEQUENCE)?;
    let id = message.number(INTEGER)?;
    let (tag, content) = message.any()?;
    let mut operation = Reader::new(content);
    let answer = match tag {
        0x61 => Answer::Bound(outcome(&mut operation)?),
        0x64 => Answer::Entry(entry(&mut operation)?),
        0x65 => Answer::Done(outcome(&mut operation)?, next_page(&mut message)?),
        0x73 => Answer::Referral,
        0x78 => Answer::Extended(outcome(&mut operation)?),
        _ => return Err(Mangled("an answer to something that was not asked")),
    };
    Ok((id, answer))
}

fn outcome(operation: &mut Reader<'_>) -> Result<Outcome, Mangled> {
    let code = operation.number(ENUMERATED)?;
    operation.expect(OCTETS)?;
    let said = presentable(&String::from_utf8_lossy(operation.expect(OCTETS)?));
    Ok(Outcome { code, said })
}

/// Attributes of one entry, and values of all of them: an empty one takes two bytes of an answer, and many more here.
const MOST_ATTRIBUTES: usize = 10_000;
const MOST_VALUES: usize = 2_000_000;

fn entry(operation: &mut Reader<'_>) -> Result<Entry, Mangled> {
    let mut entry = Entry::new(operation.text()?);
    let mut attributes = operation.inside(SEQUENCE)?;
    let (mut names, mut all) = (0, 0);
    while !attributes.is_empty() {
        let mut attribute = attributes.inside(SEQUENCE)?;
        let name = attribute.text()?;
        let mut set = attribute.inside(SET)?;
        let mut values = Vec::new();
        names += 1;
        if names > MOST_ATTRIBUTES {
            return Err(Mangled("more attributes than an entry has"));
        }
        while !set.is_empty() {
            all += 1;
            if all > MOST_VALUES {
                return Err(Mangled("more values than an entry has"));
            }
            values.push(set.expect(OCTETS)?.to_vec());
        }
        entry.take(name, values)?;
    }
    Ok(entry)
}

/// Where the next page begins, of the controls at the end of an answer; empty: nowhere.
fn next_page(message: &mut Reader<'_>) -> Result<Vec<u8>, Mangled> {
    let Some(controls) = message.optional(context_of(0))? else { return Ok(Vec::new()) };
    let mut controls = Reader::new(controls);
    while !controls.is_empty() {
        let mut control = controls.inside(SEQUENCE)?;
        let name = control.text()?;
        control.optional(BOOLEAN)?;
        let value = control.optional(OCTETS)?;
        if let (PAGED, Some(value)) = (name, value) {
            let mut value = Reader::new(value);
            let mut page = value.inside(SEQUENCE)?;
            page.number(INTEGER)?;
            return Ok(page.expect(OCTETS)?.to_vec());
        }
    }
    Ok(Vec::new())
}
