//! One entry as a server gives it, and as a mirror writes it: attributes by name and values in order, so that the same
//! entry is the same text whatever order a server chose.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ber::Mangled;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// Its distinguished name, as the server writes it.
    pub(crate) name: String,
    /// By name in lower case, without options.
    pub(crate) attributes: BTreeMap<String, Vec<Vec<u8>>>,
    /// Attributes of which the server gave the first values only, with the place of the next one.
    pub(crate) unfinished: Vec<(String, usize)>,
}

impl Entry {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), attributes: BTreeMap::new(), unfinished: Vec::new() }
    }

    /// `member`, `userCertificate;binary`, or `member;range=0-1499` of a server that does not give all at once.
    pub(crate) fn take(&mut self, description: &str, mut values: Vec<Vec<u8>>) -> Result<(), Mangled> {
        let mut parts = description.split(';');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if name.is_empty() || name.len() > 128 || !name.bytes().all(letters) {
            return Err(Mangled("an attribute without a proper name"));
        }
        for option in parts {
            let Some((_, last)) = option.strip_prefix("range=").and_then(|range| range.split_once('-')) else {
                continue;
            };
            if last != "*" {
                let last: usize = last.parse().map_err(|_| Mangled("a range of values that is none"))?;
                self.unfinished.push((name.clone(), last.saturating_add(1)));
            }
        }
        self.attributes.entry(name).or_default().append(&mut values);
        Ok(())
    }

    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        self.attributes.get(name)?.first().map(Vec::as_slice)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.first(name)?).ok()
    }

    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.attributes.get(name).into_iter().flatten().filter_map(|value| std::str::from_utf8(value).ok())
    }

    pub(crate) fn is_of(&self, class: &str) -> bool {
        self.texts("objectclass").any(|known| known.eq_ignore_ascii_case(class))
    }

    /// Values in order, each once.
    pub(crate) fn settle(&mut self) {
        for values in self.attributes.values_mut() {
            values.sort_unstable();
            values.dedup();
        }
        self.unfinished.clear();
    }

    /// As LDIF (RFC 2849), in lines that are not folded.
    pub(crate) fn write(&self, out: &mut String) {
        line(out, "dn", self.name.as_bytes());
        for (name, values) in &self.attributes {
            for value in values {
                line(out, name, value);
            }
        }
        out.push('\n');
    }

    /// The lines of one entry as [`Self::write`] makes them. `None`: somebody else did.
    pub(crate) fn parse(lines: &[&str]) -> Option<Self> {
        let (first, rest) = lines.split_first()?;
        let ("dn", name) = value_of(first)? else { return None };
        let mut entry = Self::new(std::str::from_utf8(&name).ok()?);
        for line in rest {
            let (name, value) = value_of(line)?;
            entry.attributes.entry(name.to_owned()).or_default().push(value);
        }
        Some(entry)
    }
}

/// `name: value`, or base64 of whatever is not plain text (RFC 2849, SAFE-STRING, and no space at the end).
fn line(out: &mut String, name: &str, value: &[u8]) {
    let plain = value.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && !matches!(value.first(), Some(b' ' | b':' | b'<'))
        && value.last() != Some(&b' ');
    // Writing to a text cannot fail.
    let _ = match std::str::from_utf8(value) {
        Ok(text) if plain => writeln!(out, "{name}: {text}"),
        _ => writeln!(out, "{name}:: {}", STANDARD.encode(value)),
    };
}

fn value_of(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, value) = line.split_once(':')?;
    match value.strip_prefix(": ") {
        Some(encoded) => Some((name, STANDARD.decode(encoded).ok()?)),
        None => Some((name, value.strip_prefix(' ')?.as_bytes().to_vec())),
    }
}
