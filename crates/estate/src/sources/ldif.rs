//! LDIF (RFC 2849) as `ldapsearch`, `ldifde` and `ldbsearch` write it: folded lines, comments, base64, many values. Content
//! only: a file that asks for changes other than additions is refused, and an address in a value is never followed.
//!
//! What the entries of Active Directory mean is in `directory`, what their security descriptors mean in `descriptor`, and what
//! those of other directories mean in `posix`.

mod descriptor;
mod directory;
mod name;
mod posix;

use std::borrow::Cow;
use std::str::Lines;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::batch::Intake;
use crate::fault::{Cause, Fault};
use crate::observation::Place;

/// Values of one entry: more is an attack or a fault of the exporter.
const MOST_VALUES: usize = 5_000_000;

pub(crate) fn read(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let mut schema = directory::Schema::default();
    for entry in Entries::new(text) {
        schema.learn(&entry.map_err(|fault| fault.of(intake))?);
    }
    let start = intake.node_count();
    let mut seen = directory::Seen::default();
    for entry in Entries::new(text) {
        let entry = entry.map_err(|fault| fault.of(intake))?;
        let line = entry.line;
        directory::take(intake, &schema, &mut seen, &entry)
            .map_err(|(cause, at)| intake.fault(cause, Some(Place::Line(at.unwrap_or(line)))))?;
    }
    seen.finish(intake, start);
    Ok(())
}

/// What is wrong with which line.
struct LineFault {
    line: u64,
    cause: Cause,
}

impl LineFault {
    fn of(self, intake: &Intake<'_, '_>) -> Fault {
        intake.fault(self.cause, Some(Place::Line(self.line)))
    }
}

/// One entry, its attributes in the order of the file.
#[derive(Debug)]
struct Entry<'t> {
    /// Where it begins.
    line: u64,
    dn: String,
    attributes: Vec<Attribute<'t>>,
}

#[derive(Debug)]
struct Attribute<'t> {
    line: u64,
    /// In lower case, without options such as `;binary`.
    name: String,
    /// From `;range=0-1499`: the server did not give all values at once.
    partial: bool,
    value: Cow<'t, [u8]>,
}

impl Attribute<'_> {
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }
}

impl<'t> Entry<'t> {
    fn all<'e, 'n>(&'e self, name: &'n str) -> impl Iterator<Item = &'e Attribute<'t>> + use<'e, 'n, 't> {
        self.attributes.iter().filter(move |attribute| attribute.name == name)
    }

    fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of an attribute that has one at most.
    fn one(&self, name: &str) -> Result<Option<&Attribute<'t>>, (Cause, Option<u64>)> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            Some(second) if first.is_none_or(|first| first.value != second.value) => {
                Err((Cause::malformed("a second value of an attribute that has one"), Some(second.line)))
            }
            _ => Ok(first),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&str>, (Cause, Option<u64>)> {
        match self.one(name)? {
            None => Ok(None),
            Some(attribute) => match attribute.text() {
                Some(text) => Ok(Some(text)),
                None => Err((Cause::malformed("a value that is no UTF-8 where a text belongs"), Some(attribute.line))),
            },
        }
    }

    fn number(&self, name: &str) -> Result<Option<i64>, (Cause, Option<u64>)> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err((
                Cause::malformed("a value that is no number where one belongs"),
                self.all(name).next().map(|attribute| attribute.line),
            )),
        }
    }
}

/// The entries of a file, one at a time.
struct Entries<'t> {
    lines: Lines<'t>,
    /// The next line, already read, with its number.
    next: Option<(u64, &'t str)>,
    number: u64,
    begun: bool,
    failed: bool,
}

impl<'t> Entries<'t> {
    fn new(text: &'t str) -> Self {
        let mut entries = Self { lines: text.lines(), next: None, number: 0, begun: false, failed: false };
        entries.advance();
        entries
    }

    fn advance(&mut self) {
        self.next = self.lines.next().map(|line| {
            self.number += 1;
            (self.number, line)
        });
    }

    /// The next line with what was folded away from it.
    fn unfolded(&mut self) -> Option<(u64, Cow<'t, str>)> {
        let (number, line) = self.next?;
        self.advance();
        let mut line = Cow::Borrowed(line);
        while let Some((_, more)) = self.next {
            let Some(more) = more.strip_prefix(' ') else { break };
            line.to_mut().push_str(more);
            self.advance();
        }
        Some((number, line))
    }

    fn entry(&mut self) -> Result<Option<Entry<'t>>, LineFault> {
        let mut entry: Option<Entry<'t>> = None;
        // A trailer of ldapsearch ("search: 2", "result: 0 Success") or a referral is no entry.
        let mut trailer = false;
        while let Some((line, text)) = self.unfolded() {
            if text.starts_with('#') {
                continue;
            }
            if text.is_empty() {
                trailer = false;
                if entry.is_some() {
                    return Ok(entry);
                }
                continue;
            }
            if trailer {
                continue;
            }
            let (name, options, value) = split(text).map_err(|cause| LineFault { line, cause })?;
            let fault = |what: &str| Err(LineFault { line, cause: Cause::malformed(what) });
            match (&mut entry, name.as_str()) {
                (None, "version") if !self.begun => {
                    if value.trim_ascii() != b"1" {
                        return fault("LDIF of a version other than 1");
                    }
                }
                (None, "dn") => {
                    self.begun = true;
                    let Ok(dn) = String::from_utf8(value.into_owned()) else {
                        return fault("a name that is no UTF-8");
                    };
                    entry = Some(Entry { line, dn, attributes: Vec::new() });
                }
                (None, "search" | "result" | "ref") => trailer = true,
                (None, _) => return fault("an entry begins with its dn"),
                (Some(_), "dn") => return fault("a dn within an entry: an empty line is missing"),
                (Some(_), "changetype") if !value.eq_ignore_ascii_case(b"add") => {
                    return fault("asks for a change; what is read here is content, or additions");
                }
                (Some(_), "changetype" | "control") => {}
                (Some(entry), _) => {
                    if entry.attributes.len() >= MOST_VALUES {
                        return Err(LineFault { line, cause: Cause::TooManyValues { limit: MOST_VALUES } });
                    }
                    let partial = options.contains("range=") && !options.ends_with("-*");
                    entry.attributes.push(Attribute { line, name, partial, value });
                }
            }
        }
        Ok(entry)
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = Result<Entry<'t>, LineFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let entry = self.entry().transpose();
        self.failed = matches!(entry, Some(Err(_)));
        entry
    }
}

type Split<'t> = (String, String, Cow<'t, [u8]>);

/// `name;options: value`, or `:: ` and base64.
fn split(line: Cow<'_, str>) -> Result<Split<'_>, Cause> {
    let Some((name, _)) = line.split_once(':') else {
        return Err(Cause::malformed("neither a comment nor an attribute and its value"));
    };
    let (name, options) = name.split_once(';').unwrap_or((name, ""));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
        return Err(Cause::malformed("an attribute's name has letters, digits and hyphens"));
    }
    let (name, options) = (name.to_ascii_lowercase(), options.to_ascii_lowercase());
    let after = line.find(':').map_or(line.len(), |colon| colon + 1);
    let rest = line.get(after..).unwrap_or_default();
    let value = if let Some(encoded) = rest.strip_prefix(':') {
        let decoded = STANDARD.decode(encoded.trim());
        Cow::Owned(decoded.map_err(|_| Cause::malformed("a value that is not the base64 that it says to be"))?)
    } else if rest.starts_with('<') {
        return Err(Cause::malformed("a value at an address; addresses are not followed"));
    } else {
        let skipped = rest.len() - rest.trim_start_matches(' ').len();
        match line {
            Cow::Borrowed(line) => Cow::Borrowed(line.as_bytes().get(after + skipped..).unwrap_or_default()),
            Cow::Owned(line) => Cow::Owned(line.as_bytes().get(after + skipped..).unwrap_or_default().to_vec()),
        }
    };
    Ok((name, options, value))
}

#[cfg(test)]
mod tests;
