//! What one import has read so far: rows with interned names, kept apart from the inventory until every file has been
//! read without a fault. An import is all of its files or nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use countersign_model::is_hidden;
use serde::{Deserialize, Serialize};

use crate::fault::{Cause, Fault};
use crate::limits::{Limits, Progress, Watch};
use crate::observation::{Attributes, EdgeSeen, Kind, NodeSeen, Place, Relation};

/// The system that a file was exported from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// SharpHound collections.
    Sharphound,
    /// BloodHound-style nodes and edges of any origin.
    BloodhoundGraph,
    /// Active Directory, as LDIF or asked while it runs.
    ActiveDirectory,
    /// Other LDAP directories, likewise.
    Ldap,
    AwsIam,
    Kubernetes,
    /// Microsoft Entra ID.
    Entra,
    Okta,
    GoogleWorkspace,
    /// An organisation at GitHub.
    Github,
    /// Hosts that are reached by SSH: accounts, authorized keys, sudo.
    SshHost,
    /// A list of the people of the organisation, who left among them.
    People,
    /// What a running Countersign knows of itself.
    Countersign,
    /// A table with a mapping of its own.
    Table,
}

impl System {
    /// Whether it signs people in for others.
    pub const fn is_identity_provider(self) -> bool {
        matches!(self, Self::Entra | Self::Okta | Self::GoogleWorkspace)
    }

    /// Whether its resources are what people sign in to, and not what it keeps for itself.
    pub const fn lists_applications(self) -> bool {
        self.is_identity_provider() || matches!(self, Self::Table)
    }

    /// Whether it says who works here: a person that it has is somebody.
    pub const fn lists_people(self) -> bool {
        matches!(self, Self::People | Self::Table)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sharphound => "sharphound",
            Self::BloodhoundGraph => "bloodhound-graph",
            Self::ActiveDirectory => "active-directory",
            Self::Ldap => "ldap",
            Self::AwsIam => "aws-iam",
            Self::Kubernetes => "kubernetes",
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::GoogleWorkspace => "google-workspace",
            Self::Github => "github",
            Self::SshHost => "ssh-host",
            Self::People => "people",
            Self::Countersign => "countersign",
            Self::Table => "table",
        })
    }
}

/// The part of a source that a file is complete for: what was in it last time and is not in it now has vanished. A
/// file of the users of a domain says nothing about its computers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Part {
    pub system: System,
    /// The domain, account, tenant or cluster.
    pub realm: Box<str>,
    pub part: Box<str>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.system, self.realm, self.part)
    }
}

/// A file that was read, as evidence names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FileRead {
    pub name: Box<str>,
    /// SHA-256 of its bytes as they were read, in hexadecimal.
    pub sha256: Box<str>,
    pub bytes: u64,
}

/// Something that was not taken, and why.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Skipped {
    pub reason: String,
    pub count: u64,
    pub file: String,
    pub first: Option<Place>,
}

/// Rows of one import. Made by [`crate::read`].
#[derive(Default)]
pub struct Batch {
    pub(crate) texts: Texts,
    pub(crate) parts: Vec<Part>,
    pub(crate) files: Vec<FileRead>,
    pub(crate) nodes: Vec<NodeSeen>,
    pub(crate) edges: Vec<EdgeSeen>,
    /// Other names of nodes: distinguished names, numbers within a file.
    pub(crate) aliases: HashMap<u32, u32>,
    /// Names that mean nothing unless something else says what: an end of an edge that is still one at the end is left out.
    pub(crate) loose: BTreeSet<u32>,
    skipped: BTreeMap<(u32, &'static str), (u64, Option<Place>)>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch of {} files, {} nodes, {} edges", self.files.len(), self.nodes.len(), self.edges.len())
    }
}

impl Batch {
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn files(&self) -> &[FileRead] {
        &self.files
    }

    pub fn nodes(&self) -> &[NodeSeen] {
        &self.nodes
    }

    pub fn edges(&self) -> &[EdgeSeen] {
        &self.edges
    }

    /// The text of a key or name.
    pub fn text(&self, id: u32) -> &str {
        self.texts.get(id)
    }

    /// What was not taken, by file and reason.
    pub fn skipped(&self) -> Vec<Skipped> {
        self.skipped
            .iter()
            .map(|((file, reason), (count, first))| Skipped {
                reason: (*reason).to_owned(),
                count: *count,
                file: self.files.get(*file as usize).map(|file| file.name.to_string()).unwrap_or_default(),
                first: first.clone(),
            })
            .collect()
    }

    fn skip(&mut self, file: u32, reason: &'static str, place: Option<Place>) {
        let entry = self.skipped.entry((file, reason)).or_insert((0, None));
        if entry.0 == 0 || place < entry.1 {
            entry.1 = place;
        }
        entry.0 += 1;
    }

    /// Once all files are read: other names become keys, and what names nothing is counted.
    pub(crate) fn finish(&mut self) {
        let mut edges = std::mem::take(&mut self.edges);
        edges.retain_mut(|edge| {
            for end in [&mut edge.from, &mut edge.to] {
                if let Some(key) = self.aliases.get(end) {
                    *end = *key;
                }
            }
            let loose = self.loose.contains(&edge.from) || self.loose.contains(&edge.to);
            if loose {
                self.skip(edge.file, "an end that none of the files describes", Some(edge.place.clone()));
            } else if edge.from == edge.to {
                self.skip(edge.file, "leads from a thing to itself", Some(edge.place.clone()));
            }
            !loose && edge.from != edge.to
        });
        self.edges = edges;
    }
}

/// Texts by number, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = Arc::from(text);
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", AsRef::as_ref)
    }
}

/// One file being read: where an adapter puts its rows.
pub(crate) struct Intake<'a, 'w> {
    batch: &'a mut Batch,
    file: u32,
    limits: &'a Limits,
    watch: &'a mut Watch<'w>,
    records: u64,
}

impl<'a, 'w> Intake<'a, 'w> {
    pub(crate) fn new(batch: &'a mut Batch, file: u32, limits: &'a Limits, watch: &'a mut Watch<'w>) -> Self {
        Self { batch, file, limits, watch, records: 0 }
    }

    pub(crate) fn file_name(&self) -> &str {
        self.batch.files.get(self.file as usize).map_or("", |file| &file.name)
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.limits
    }

    /// Called once for each record: tells how far it is, and hears whether to go on.
    pub(crate) fn record(&mut self) -> Result<(), Cause> {
        self.records += 1;
        let file = self.batch.files.get(self.file as usize).map_or("", |file| &file.name);
        let rows = self.batch.nodes.len() + self.batch.edges.len();
        if rows > self.limits.rows {
            return Err(Cause::TooManyRows { limit: self.limits.rows });
        }
        self.watch.record(Progress { file, records: self.records, rows })
    }

    pub(crate) fn part(&mut self, system: System, realm: &str, part: &str) -> Result<u32, Cause> {
        let part = Part { system, realm: self.clean(realm)?, part: self.clean(part)? };
        let found = self.batch.parts.iter().position(|known| *known == part);
        if found.is_none() && self.batch.parts.len() >= self.limits.parts {
            return Err(Cause::TooManyParts { limit: self.limits.parts });
        }
        let number = found.unwrap_or_else(|| {
            self.batch.parts.push(part);
            self.batch.parts.len() - 1
        });
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A text as it may be kept and shown: of bounded length, without what moves a cursor or turns a line around.
    pub(crate) fn clean(&self, text: &str) -> Result<Box<str>, Cause> {
        if text.len() > self.limits.text_bytes {
            return Err(Cause::TextTooLong { limit: self.limits.text_bytes });
        }
        Ok(if text.contains(is_hidden) { text.replace(is_hidden, "\u{fffd}").into() } else { text.into() })
    }

    pub(crate) fn key(&mut self, key: &str) -> Result<u32, Cause> {
        let key = self.clean(key)?;
        Ok(self.batch.texts.intern(&key))
    }

    /// A name that is no key: it counts once some row says whose other name it is.
    pub(crate) fn loose(&mut self, name: &str) -> Result<u32, Cause> {
        let name = self.key(name)?;
        if !self.batch.aliases.contains_key(&name) {
            self.batch.loose.insert(name);
        }
        Ok(name)
    }

    /// `name` is another name of `key`. The same name for two things is a fault of the file.
    pub(crate) fn alias(&mut self, name: &str, key: u32) -> Result<(), Cause> {
        let name = self.key(name)?;
        self.batch.loose.remove(&name);
        match self.batch.aliases.insert(name, key) {
            Some(other) if other != key => Err(Cause::malformed("one name is given to two different things")),
            _ => Ok(()),
        }
    }

    /// The same three for names that mean something within this file only.
    pub(crate) fn loose_in_file(&mut self, by: &str, name: &str) -> Result<u32, Cause> {
        self.loose(&format!("file:{}:{by}:{name}", self.file))
    }

    pub(crate) fn alias_in_file(&mut self, by: &str, name: &str, key: u32) -> Result<(), Cause> {
        self.alias(&format!("file:{}:{by}:{name}", self.file), key)
    }

    /// A name that others may bear too: the first one has it, and it is no fault.
    pub(crate) fn name_in_file(&mut self, by: &str, name: &str, key: u32) -> Result<(), Cause> {
        match self.alias_in_file(by, name, key) {
            Err(Cause::Malformed(_)) | Ok(()) => Ok(()),
            Err(other) => Err(other),
        }
    }

    pub(crate) fn node(
        &mut self,
        part: u32,
        key: u32,
        kind: Kind,
        name: &str,
        attributes: Attributes,
        place: Place,
    ) -> Result<(), Cause> {
        let name = self.clean(name)?;
        let attributes = (attributes != Attributes::default()).then(|| Box::new(attributes));
        self.batch.nodes.push(NodeSeen { part, key, kind, name, attributes, file: self.file, place });
        Ok(())
    }

    pub(crate) fn edge(&mut self, part: u32, from: u32, relation: Relation, to: u32, place: Place) {
        self.conditional(part, from, relation, to, None, place);
    }

    pub(crate) fn conditional(
        &mut self,
        part: u32,
        from: u32,
        relation: Relation,
        to: u32,
        condition: Option<Box<str>>,
        place: Place,
    ) {
        self.batch.edges.push(EdgeSeen { part, from, to, relation, condition, file: self.file, place });
    }

    pub(crate) fn node_count(&self) -> usize {
        self.batch.nodes.len()
    }

    /// Rows that were taken after [`Self::node_count`] was `start`, for what only the end of a file tells.
    pub(crate) fn nodes_since(&mut self, start: usize) -> &mut [NodeSeen] {
        self.batch.nodes.get_mut(start..).unwrap_or_default()
    }

    pub(crate) fn skip(&mut self, reason: &'static str, place: &Place) {
        self.batch.skip(self.file, reason, Some(place.clone()));
    }

    pub(crate) fn fault(&self, cause: Cause, place: Option<Place>) -> Fault {
        cause.at(self.file_name(), place)
    }
}
