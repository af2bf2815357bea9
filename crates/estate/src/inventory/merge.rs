//! One batch into the inventory. Importing the same twice is importing it once; the order of files, and of rows in them,
//! makes no difference; what a part had last time and has no more is marked as gone.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use countersign_model::Timestamp;

use super::{EdgeSighting, Evidence, Import, Inventory, NodeSighting, Report, Span};
use crate::batch::Batch;
use crate::fault::{Cause, Fault};
use crate::observation::{Attributes, EdgeSeen, NodeSeen, Relation};

/// What an import did to the inventory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    pub counts: Counts,
    /// One by one, in the order of the keys; but what came with a part that is new altogether is only counted.
    pub list: Vec<Change>,
    /// Nodes of which the files say different things in one import, with the fields. The greater value was kept.
    pub contradictions: Vec<(Arc<str>, Vec<&'static str>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub nodes_added: u64,
    pub nodes_changed: u64,
    pub nodes_gone: u64,
    pub nodes_back: u64,
    pub edges_added: u64,
    pub edges_changed: u64,
    pub edges_gone: u64,
    pub edges_back: u64,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    NodeAdded { key: Arc<str> },
    NodeChanged { key: Arc<str>, fields: Vec<&'static str> },
    NodeGone { key: Arc<str> },
    NodeBack { key: Arc<str> },
    EdgeAdded { from: Arc<str>, relation: Relation, to: Arc<str> },
    EdgeChanged { from: Arc<str>, relation: Relation, to: Arc<str> },
    EdgeGone { from: Arc<str>, relation: Relation, to: Arc<str> },
    EdgeBack { from: Arc<str>, relation: Relation, to: Arc<str> },
}

impl Inventory {
    /// Takes a batch in, as collected at `at`.
    ///
    /// # Errors
    /// When a part of it was imported already as collected later: a history is written forwards. Nothing is changed then.
    pub fn merge(&mut self, batch: &Batch, at: Timestamp) -> Result<Report, Fault> {
        let newer =
            self.parts.iter().filter(|(part, last)| *last > at && batch.parts.contains(part)).map(|(_, at)| *at);
        if let Some(known) = newer.max() {
            let file = batch.files.first().map_or("", |file| &file.name);
            return Err(Cause::OlderThanKnown { at, known }.at(file, None));
        }
        let mut merge = Merge::new(self, batch, at);
        merge.nodes();
        merge.edges();
        merge.gone();
        let mut changes = merge.changes;
        changes.list.sort();
        changes.contradictions.sort();
        let mut files = batch.files.clone();
        files.sort();
        let mut skipped = batch.skipped();
        skipped.sort();
        let import = Import { at, files, skipped: skipped.clone() };
        if let Err(place) = self.imports.binary_search(&import) {
            self.imports.insert(place, import);
        }
        Ok(Report { changes, skipped })
    }
}

struct Merge<'a> {
    inventory: &'a mut Inventory,
    batch: &'a Batch,
    at: Timestamp,
    /// The batch's numbers of parts, files and keys as the inventory's.
    parts: Vec<u32>,
    files: Vec<u32>,
    /// Parts that are imported for the first time.
    new_parts: HashSet<u32>,
    changes: Changes,
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl<'a> Merge<'a> {
    fn new(inventory: &'a mut Inventory, batch: &'a Batch, at: Timestamp) -> Self {
        let mut new_parts = HashSet::new();
        let mut parts = Vec::new();
        for part in &batch.parts {
            let known = inventory.parts.iter().position(|(known, _)| known == part);
            let index = known.unwrap_or_else(|| {
                new_parts.insert(number(inventory.parts.len()));
                inventory.parts.push((part.clone(), at));
                inventory.parts.len() - 1
            });
            if let Some((_, last)) = inventory.parts.get_mut(index) {
                *last = at;
            }
            parts.push(number(index));
        }
        let mut files = Vec::new();
        for file in &batch.files {
            let known = inventory.files.iter().position(|known| known == file);
            let index = known.unwrap_or_else(|| {
                inventory.files.push(file.clone());
                inventory.files.len() - 1
            });
            files.push(number(index));
        }
        Self { inventory, batch, at, parts, files, new_parts, changes: Changes::default() }
    }

    fn part(&self, part: u32) -> u32 {
        self.parts.get(part as usize).copied().unwrap_or(u32::MAX)
    }

    fn evidence(&self, file: u32, place: &crate::observation::Place) -> Evidence {
        Evidence { file: self.files.get(file as usize).copied().unwrap_or(u32::MAX), place: place.clone() }
    }

    /// Evidence comes from the first file by name and hash, whatever the order in which they were given.
    fn earlier(&self, one: &Evidence, other: &Evidence) -> Ordering {
        let file = |evidence: &Evidence| self.inventory.files.get(evidence.file as usize);
        (file(one), &one.place).cmp(&(file(other), &other.place))
    }

    fn first_of(&self, one: Evidence, other: Evidence) -> Evidence {
        if self.earlier(&other, &one) == Ordering::Less { other } else { one }
    }

    fn nodes(&mut self) {
        let batch = self.batch;
        let mut rows: Vec<&NodeSeen> = batch.nodes.iter().collect();
        rows.sort_by_key(|row| (row.key, row.part));
        for same in rows.chunk_by(|one, other| (one.key, one.part) == (other.key, other.part)) {
            let Some(first) = same.first() else { continue };
            let key = batch.text(first.key);
            let mut sighting = self.sighting(first);
            let mut contradicting = BTreeSet::new();
            for row in same.iter().skip(1) {
                let other = self.sighting(row);
                contradicting.extend(self.combine(&mut sighting, other));
            }
            if !contradicting.is_empty() {
                self.changes.contradictions.push((key.into(), contradicting.into_iter().collect()));
            }
            self.see_node(key, sighting);
        }
    }

    fn sighting(&self, row: &NodeSeen) -> NodeSighting {
        NodeSighting {
            part: self.part(row.part),
            span: Span { first: self.at, last: self.at, gone: None },
            kind: row.kind,
            name: row.name.clone(),
            attributes: row.attributes.clone(),
            evidence: self.evidence(row.file, &row.place),
        }
    }

    /// Two rows of one import about one node. Commutative, so that no order shows.
    fn combine(&self, one: &mut NodeSighting, other: NodeSighting) -> Vec<&'static str> {
        let mut differing = match (&mut one.attributes, other.attributes) {
            (Some(one), Some(other)) => one.combine(*other),
            (one @ None, other) => {
                *one = other;
                Vec::new()
            }
            (Some(_), None) => Vec::new(),
        };
        if one.name != other.name {
            differing.push("name");
        }
        one.name = one.name.clone().max(other.name);
        one.kind = one.kind.max(other.kind);
        one.evidence = self.first_of(one.evidence.clone(), other.evidence);
        differing
    }

    fn see_node(&mut self, key: &str, seen: NodeSighting) {
        let at = self.at;
        let counted_only = self.new_parts.contains(&seen.part);
        let index = self.inventory.node_number(key);
        let Some(node) = self.inventory.nodes.get_mut(index as usize) else { return };
        let shared = Arc::clone(&node.key);
        let new_node = node.sightings.is_empty();
        let Some(place) = node.sightings.iter().position(|known| known.part == seen.part) else {
            node.sightings.push(seen);
            if new_node {
                self.changes.counts.nodes_added += 1;
                if !counted_only {
                    self.changes.list.push(Change::NodeAdded { key: shared });
                }
            }
            return;
        };
        let Some(known) = node.sightings.get(place).cloned() else { return };
        let mut next = seen;
        next.span.first = known.span.first;
        if known.span.last == at && known.span.gone.is_none() {
            // The same instant again: a second file of the same collection adds to the first.
            self.combine(&mut next, known.clone());
        }
        let empty = Attributes::default();
        let (before, after) = (known.attributes.as_deref(), next.attributes.as_deref());
        let mut fields = before.unwrap_or(&empty).differing(after.unwrap_or(&empty));
        if known.name != next.name {
            fields.push("name");
        }
        if known.kind != next.kind {
            fields.push("kind");
        }
        if known.span.gone.is_some() {
            self.changes.counts.nodes_back += 1;
            self.changes.list.push(Change::NodeBack { key: shared });
        } else if !fields.is_empty() {
            self.changes.counts.nodes_changed += 1;
            self.changes.list.push(Change::NodeChanged { key: shared, fields });
        }
        if let Some(slot) = self.inventory.nodes.get_mut(index as usize).and_then(|node| node.sightings.get_mut(place))
        {
            *slot = next;
        }
    }

    fn edges(&mut self) {
        let batch = self.batch;
        let mut rows: Vec<&EdgeSeen> = batch.edges.iter().collect();
        rows.sort_by_key(|row| (row.from, row.to, row.relation, row.part));
        let same = |one: &&EdgeSeen, other: &&EdgeSeen| {
            (one.from, one.to, one.relation, one.part) == (other.from, other.to, other.relation, other.part)
        };
        for same in rows.chunk_by(same) {
            let Some(first) = same.first() else { continue };
            let mut evidence = self.evidence(first.file, &first.place);
            for row in same.iter().skip(1) {
                evidence = self.first_of(evidence, self.evidence(row.file, &row.place));
            }
            let sighting = EdgeSighting {
                part: self.part(first.part),
                span: Span { first: self.at, last: self.at, gone: None },
                condition: either(same.iter().map(|row| row.condition.as_deref())),
                evidence,
            };
            self.see_edge(batch.text(first.from), first.relation, batch.text(first.to), sighting);
        }
    }

    fn see_edge(&mut self, from: &str, relation: Relation, to: &str, seen: EdgeSighting) {
        let at = self.at;
        let counted_only = self.new_parts.contains(&seen.part);
        let (from, to) = (self.inventory.node_number(from), self.inventory.node_number(to));
        let index = self.inventory.edge_number(from, to, relation);
        let key = |number: u32| self.inventory.nodes.get(number as usize).map(|node| Arc::clone(&node.key));
        let (Some(from), Some(to)) = (key(from), key(to)) else { return };
        let Some(edge) = self.inventory.edges.get(index as usize) else { return };
        let new_edge = edge.sightings.is_empty();
        let known = edge.sightings.iter().enumerate().find(|(_, known)| known.part == seen.part);
        let Some((place, known)) = known.map(|(place, known)| (place, known.clone())) else {
            if let Some(edge) = self.inventory.edges.get_mut(index as usize) {
                edge.sightings.push(seen);
            }
            if new_edge {
                self.changes.counts.edges_added += 1;
                if !counted_only {
                    self.changes.list.push(Change::EdgeAdded { from, relation, to });
                }
            }
            return;
        };
        let mut next = seen;
        next.span.first = known.span.first;
        if known.span.last == at && known.span.gone.is_none() {
            next.condition = either([next.condition.as_deref(), known.condition.as_deref()].into_iter());
            next.evidence = self.first_of(next.evidence, known.evidence.clone());
        }
        if known.span.gone.is_some() {
            self.changes.counts.edges_back += 1;
            self.changes.list.push(Change::EdgeBack { from, relation, to });
        } else if known.condition != next.condition {
            self.changes.counts.edges_changed += 1;
            self.changes.list.push(Change::EdgeChanged { from, relation, to });
        }
        if let Some(slot) = self.inventory.edges.get_mut(index as usize).and_then(|edge| edge.sightings.get_mut(place))
        {
            *slot = next;
        }
    }

    /// What the parts of this batch had before and have no more.
    fn gone(&mut self) {
        let parts: HashSet<u32> = self.parts.iter().copied().collect();
        let at = self.at;
        let vanishes = |part: u32, span: &Span| parts.contains(&part) && span.last < at && span.gone.is_none();
        for node in &mut self.inventory.nodes {
            let mut any = false;
            for sighting in &mut node.sightings {
                if vanishes(sighting.part, &sighting.span) {
                    sighting.span.gone = Some(at);
                    any = true;
                }
            }
            if any && node.is_gone() {
                self.changes.counts.nodes_gone += 1;
                self.changes.list.push(Change::NodeGone { key: Arc::clone(&node.key) });
            }
        }
        for edge in &mut self.inventory.edges {
            let mut any = false;
            for sighting in &mut edge.sightings {
                if vanishes(sighting.part, &sighting.span) {
                    sighting.span.gone = Some(at);
                    any = true;
                }
            }
            let key = |number: u32| self.inventory.nodes.get(number as usize).map(|node| Arc::clone(&node.key));
            if let (true, true, Some(from), Some(to)) = (any, edge.is_gone(), key(edge.from), key(edge.to)) {
                self.changes.counts.edges_gone += 1;
                self.changes.list.push(Change::EdgeGone { from, relation: edge.relation, to });
            }
        }
    }
}

/// What holds under no condition holds; otherwise either condition does.
fn either<'c>(conditions: impl Iterator<Item = Option<&'c str>>) -> Option<Box<str>> {
    const OR: &str = " or ";
    let all: Option<Vec<&str>> = conditions.collect();
    let distinct: BTreeSet<&str> = all?.into_iter().flat_map(|condition| condition.split(OR)).collect();
    Some(distinct.into_iter().collect::<Vec<_>>().join(OR).into())
}
