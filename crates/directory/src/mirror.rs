//! A directory as it was read: entries by an identifier that no renaming changes, and where the next reading may go on. It
//! is written as LDIF, so that it is evidence that anybody can read, and goes into an estate like any other file.

use std::collections::BTreeMap;

use crate::entry::Entry;

const TITLE: &str = "# A directory as Countersign read it, form 1";

/// What was read of a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mirror {
    pub(crate) origin: Origin,
    /// The database of the controller that was asked, and its newest change at the beginning of the reading.
    pub(crate) changes: Option<(String, u64)>,
    pub(crate) entries: BTreeMap<String, Entry>,
}

/// Whose view this is, and of what. Another reader or another question makes another mirror.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) server: String,
    pub(crate) account: String,
    pub(crate) bases: Vec<String>,
    /// SHA-256 of the names of all that was asked for.
    pub(crate) asked: String,
}

/// A text that is no mirror, or one that was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no mirror of a directory as Countersign writes it, or one that was changed")]
pub struct MirrorFault;

impl Mirror {
    pub(crate) fn new(origin: Origin, changes: Option<(String, u64)>) -> Self {
        Self { origin, changes, entries: BTreeMap::new() }
    }

    /// As LDIF (RFC 2849).
    pub fn to_ldif(&self) -> String {
        let mut text = String::new();
        let Origin { server, account, bases, asked } = &self.origin;
        let (database, newest) = self.changes.clone().unwrap_or_default();
        let mut head = vec![("server", server.clone()), ("account", account.clone())];
        head.extend(bases.iter().map(|base| ("base", base.clone())));
        head.extend([("asked", asked.clone()), ("database", database), ("newest", newest.to_string())]);
        head.push(("entries", self.entries.len().to_string()));
        text.push_str(TITLE);
        for (name, value) in head {
            text.push_str(&format!("\n# {name}: {}", one_line(&value)));
        }
        text.push_str("\nversion: 1\n\n");
        for entry in self.entries.values() {
            entry.write(&mut text);
        }
        text
    }

    /// Reads what [`Self::to_ldif`] wrote.
    ///
    /// # Errors
    /// When it is anything else: nothing is mended.
    pub fn parse(text: &str) -> Result<Self, MirrorFault> {
        let (head, entries) = text.split_once("\nversion: 1\n\n").ok_or(MirrorFault)?;
        let mut lines = head.lines();
        if lines.next() != Some(TITLE) {
            return Err(MirrorFault);
        }
        let mut lines = lines.map(|line| line.strip_prefix("# ").and_then(|line| line.split_once(": "))).peekable();
        let mut said = |name: &str| match lines.next_if(|line| line.is_some_and(|(known, _)| known == name)) {
            Some(Some((_, value))) => Some(value.to_owned()),
            _ => None,
        };
        let (server, account) = (said("server").ok_or(MirrorFault)?, said("account").ok_or(MirrorFault)?);
        let bases = std::iter::from_fn(|| said("base")).collect();
        let (asked, database) = (said("asked").ok_or(MirrorFault)?, said("database").ok_or(MirrorFault)?);
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).ok_or(MirrorFault);
        let (newest, count) = (number(said("newest"))?, number(said("entries"))?);
        let mut mirror = Self {
            origin: Origin { server, account, bases, asked },
            changes: (!database.is_empty()).then_some((database, newest)),
            entries: BTreeMap::new(),
        };
        for entry in entries.split_terminator("\n\n") {
            let lines: Vec<&str> = entry.lines().collect();
            mirror.insert(Entry::parse(&lines).ok_or(MirrorFault)?);
        }
        if mirror.entries.len() as u64 == count { Ok(mirror) } else { Err(MirrorFault) }
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries that have powers over them, and whose list of those the account could not read.
    pub fn without_rights(&self) -> usize {
        let counts = |entry: &&Entry| entry.is_of("user") || entry.is_of("group") || entry.is_of("domainDNS");
        self.entries.values().filter(counts).filter(|entry| entry.first("ntsecuritydescriptor").is_none()).count()
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        self.entries.insert(identifier(&entry), entry);
    }
}

/// What names an entry for as long as it is there; its distinguished name, where a server says nothing better.
pub(crate) fn identifier(entry: &Entry) -> String {
    match (entry.first("objectguid"), entry.text("entryuuid")) {
        (Some(guid), _) => format!("guid:{}", hex::encode(guid)),
        (None, Some(uuid)) => format!("uuid:{}", uuid.to_ascii_lowercase()),
        (None, None) => format!("dn:{}", entry.name.to_lowercase()),
    }
}

/// Whatever would end a comment is not in one.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
