//! The estate: one inventory of everything that any source described, each node and edge with who said so, when it was
//! first and last seen there, and where that stands. What vanished stays, marked as gone.

mod classify;
mod merge;
mod saved;

use std::collections::HashMap;
use std::sync::Arc;

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::batch::{FileRead, Part, Skipped};
use crate::observation::{Attributes, Kind, Place, Relation};
use crate::sid;

pub use classify::Classification;
pub use merge::{Change, Changes, Counts};
pub use saved::SavedError;

/// Where a statement stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Index into [`Inventory::files`].
    pub file: u32,
    pub place: Place,
}

/// When a part of a source said something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    pub first: Timestamp,
    pub last: Timestamp,
    /// The first import of that part in which it was no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
}

/// What one part of a source says of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSighting {
    /// Index into [`Inventory::parts`].
    pub part: u32,
    pub span: Span,
    pub kind: Kind,
    pub name: Box<str>,
    pub attributes: Option<Box<Attributes>>,
    pub evidence: Evidence,
}

/// What one part of a source says of an edge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EdgeSighting {
    pub part: u32,
    pub span: Span,
    pub condition: Option<Box<str>>,
    pub evidence: Evidence,
}

/// A node with all that is said of it. Without a sighting: named by an edge, described by nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub key: Arc<str>,
    pub sightings: Vec<NodeSighting>,
}

impl Node {
    fn present(&self) -> impl Iterator<Item = &NodeSighting> {
        self.sightings.iter().filter(|sighting| sighting.span.gone.is_none())
    }

    /// Whether every source that knew it says that it is gone.
    pub fn is_gone(&self) -> bool {
        !self.sightings.is_empty() && self.present().next().is_none()
    }

    /// The most definite kind that a source says.
    pub fn kind(&self) -> Kind {
        let said = self.sightings.iter().map(|sighting| sighting.kind).max().unwrap_or(Kind::Unknown);
        if said == Kind::Unknown && sid::is_known_group(&self.key) { Kind::Group } else { said }
    }

    /// The name in the newest sighting, or the key.
    pub fn name(&self) -> &str {
        let newest = self.sightings.iter().max_by_key(|sighting| (sighting.span.last, &sighting.name));
        newest.map_or(&self.key, |sighting| &sighting.name)
    }

    /// All that is said of it by sources where it still is; where they differ, the newest word counts.
    pub fn attributes(&self) -> Attributes {
        let mut sightings: Vec<&NodeSighting> = self.present().collect();
        sightings.sort_by_key(|sighting| (std::cmp::Reverse(sighting.span.last), sighting.part));
        let mut all = Attributes::default();
        for attributes in sightings.into_iter().filter_map(|sighting| sighting.attributes.as_deref()) {
            all.fill(attributes);
        }
        all
    }
}

/// An edge with all that is said of it. Its ends are indices into [`Inventory::nodes`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edge {
    pub from: u32,
    pub to: u32,
    pub relation: Relation,
    pub sightings: Vec<EdgeSighting>,
}

impl Edge {
    pub fn is_gone(&self) -> bool {
        self.sightings.iter().all(|sighting| sighting.span.gone.is_some())
    }

    /// Whether every source that has it has it under a condition.
    pub fn is_conditional(&self) -> bool {
        let mut present = self.sightings.iter().filter(|sighting| sighting.span.gone.is_none());
        present.all(|sighting| sighting.condition.is_some())
    }
}

/// One import, for the history.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Import {
    pub at: Timestamp,
    pub files: Vec<FileRead>,
    /// What was not taken of them, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

/// What a person decided about a proposed link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    pub one: Arc<str>,
    pub other: Arc<str>,
    /// `false`: these two are not the same, and are not proposed again.
    pub same: bool,
    pub by: String,
    pub at: Timestamp,
}

/// Everything inventoried.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub(crate) parts: Vec<(Part, Timestamp)>,
    pub(crate) files: Vec<FileRead>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) imports: Vec<Import>,
    pub(crate) verdicts: Vec<Verdict>,
    /// In the order of the keys.
    pub(crate) classifications: Vec<Classification>,
    index: HashMap<Arc<str>, u32>,
    edge_index: HashMap<(u32, u32, Relation), u32>,
}

impl Inventory {
    pub fn new() -> Self {
        Self::default()
    }

    /// The parts of sources that were imported, each with its newest import.
    pub fn parts(&self) -> &[(Part, Timestamp)] {
        &self.parts
    }

    pub fn files(&self) -> &[FileRead] {
        &self.files
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    pub fn node(&self, key: &str) -> Option<&Node> {
        self.nodes.get(*self.index.get(key)? as usize)
    }

    pub fn edge(&self, from: &str, relation: Relation, to: &str) -> Option<&Edge> {
        let (from, to) = (*self.index.get(from)?, *self.index.get(to)?);
        self.edges.get(*self.edge_index.get(&(from, to, relation))? as usize)
    }

    pub fn part(&self, part: u32) -> Option<&Part> {
        self.parts.get(part as usize).map(|(part, _)| part)
    }

    /// The evidence as one line: the file, the place in it, and the hash that tells whether it is still that file.
    pub fn cite(&self, evidence: &Evidence) -> String {
        match self.files.get(evidence.file as usize) {
            Some(file) => format!("{}, {} (SHA-256 {})", file.name, evidence.place, file.sha256),
            None => evidence.place.to_string(),
        }
    }

    /// Records what a person says of two identities; the newest word counts.
    ///
    /// # Errors
    /// When one of the two is not in the inventory, or both are the same node.
    pub fn decide_link(&mut self, verdict: Verdict) -> Result<(), UnknownNode> {
        let mut verdict = verdict;
        if verdict.one == verdict.other {
            return Err(UnknownNode(verdict.one));
        }
        if verdict.other < verdict.one {
            std::mem::swap(&mut verdict.one, &mut verdict.other);
        }
        for key in [&verdict.one, &verdict.other] {
            if !self.index.contains_key(key) {
                return Err(UnknownNode(Arc::clone(key)));
            }
        }
        self.verdicts.retain(|known| known.one != verdict.one || known.other != verdict.other);
        self.verdicts.push(verdict);
        self.verdicts.sort_by(|a, b| (&a.one, &a.other).cmp(&(&b.one, &b.other)));
        Ok(())
    }

    fn node_number(&mut self, key: &str) -> u32 {
        if let Some(number) = self.index.get(key) {
            return *number;
        }
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let key: Arc<str> = key.into();
        self.nodes.push(Node { key: Arc::clone(&key), sightings: Vec::new() });
        self.index.insert(key, number);
        number
    }

    fn edge_number(&mut self, from: u32, to: u32, relation: Relation) -> u32 {
        let next = u32::try_from(self.edges.len()).unwrap_or(u32::MAX);
        let number = *self.edge_index.entry((from, to, relation)).or_insert(next);
        if number == next {
            self.edges.push(Edge { from, to, relation, sightings: Vec::new() });
        }
        number
    }
}

/// A verdict on something that is not there, or on one thing alone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is not in the inventory, or was named twice")]
pub struct UnknownNode(pub Arc<str>);

/// What an import would do, for whoever looks before it is done.
#[derive(Clone, Debug)]
pub struct Report {
    pub changes: Changes,
    pub skipped: Vec<Skipped>,
}
