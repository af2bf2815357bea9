//! An inventory as JSON lines, in an order of its own, so that the same estate is the same text: for a file beside a report,
//! for comparing two estates, and for going on where an import left off.

use std::collections::HashMap;
use std::io::{BufRead, Read, Write};

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Classification, Edge, EdgeSighting, Evidence, Import, Inventory, NodeSighting, Span, Verdict};
use crate::batch::{FileRead, Part};
use crate::observation::{Attributes, Kind, Place, Relation};

const FORMAT: &str = "countersign-estate";
const VERSION: u32 = 1;
/// Bytes of one line.
const LONGEST: u64 = 64 << 20;

/// Why a saved inventory could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("the saved estate could not be written or read: {0}")]
    Io(#[from] std::io::Error),
    #[error("line {line} of the saved estate is damaged: {what}")]
    Damaged { line: u64, what: String },
    #[error("not a saved estate of version {VERSION}")]
    Format,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    parts: Vec<(Part, Timestamp)>,
    files: Vec<FileRead>,
    imports: Vec<Import>,
    verdicts: Vec<Verdict>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classifications: Vec<Classification>,
}

#[derive(Serialize, Deserialize)]
struct SavedSighting<T> {
    part: u32,
    #[serde(flatten)]
    what: T,
    span: Span,
    file: u32,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct NodeSaid {
    kind: Kind,
    name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Box<Attributes>>,
}

#[derive(Serialize, Deserialize)]
struct EdgeSaid {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    condition: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Row {
    Node { key: String, seen: Vec<SavedSighting<NodeSaid>> },
    Edge { from: String, relation: Relation, to: String, seen: Vec<SavedSighting<EdgeSaid>> },
}

impl Inventory {
    /// Writes all of it.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn save(&self, out: &mut impl Write) -> Result<(), SavedError> {
        // Numbers of parts and files follow their names, not the order of imports.
        let mut parts: Vec<usize> = (0..self.parts.len()).collect();
        parts.sort_by_key(|index| self.parts.get(*index).map(|(part, _)| part));
        let mut files: Vec<usize> = (0..self.files.len()).collect();
        files.sort_by_key(|index| self.files.get(*index));
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            parts: parts.iter().filter_map(|index| self.parts.get(*index).cloned()).collect(),
            files: files.iter().filter_map(|index| self.files.get(*index).cloned()).collect(),
            imports: self.imports.clone(),
            verdicts: self.verdicts.clone(),
            classifications: self.classifications.clone(),
        };
        line(out, &head)?;
        let (parts, files) = (places(&parts), places(&files));
        let place = |places: &HashMap<u32, u32>, number: u32| places.get(&number).copied().unwrap_or(u32::MAX);
        let mut nodes: Vec<&super::Node> = self.nodes.iter().collect();
        nodes.sort_by(|one, other| one.key.cmp(&other.key));
        for node in nodes {
            let mut seen: Vec<SavedSighting<NodeSaid>> = node
                .sightings
                .iter()
                .map(|known| SavedSighting {
                    part: place(&parts, known.part),
                    what: NodeSaid { kind: known.kind, name: known.name.clone(), attributes: known.attributes.clone() },
                    span: known.span,
                    file: place(&files, known.evidence.file),
                    place: known.evidence.place.clone(),
                })
                .collect();
            seen.sort_by_key(|seen| seen.part);
            line(out, &Row::Node { key: node.key.to_string(), seen })?;
        }
        let key = |number: u32| self.nodes.get(number as usize).map_or("", |node| &*node.key);
        let mut edges: Vec<&Edge> = self.edges.iter().collect();
        edges.sort_by_key(|edge| (key(edge.from), key(edge.to), edge.relation));
        for edge in edges {
            let mut seen: Vec<SavedSighting<EdgeSaid>> = edge
                .sightings
                .iter()
                .map(|known| SavedSighting {
                    part: place(&parts, known.part),
                    what: EdgeSaid { condition: known.condition.clone() },
                    span: known.span,
                    file: place(&files, known.evidence.file),
                    place: known.evidence.place.clone(),
                })
                .collect();
            seen.sort_by_key(|seen| seen.part);
            let (from, to) = (key(edge.from).to_owned(), key(edge.to).to_owned());
            line(out, &Row::Edge { from, relation: edge.relation, to, seen })?;
        }
        Ok(())
    }

    /// Reads what [`Inventory::save`] wrote.
    ///
    /// # Errors
    /// When it is damaged, or of another version.
    pub fn load(mut from: impl BufRead) -> Result<Self, SavedError> {
        let mut number = 0;
        let mut text = Vec::new();
        let mut next = |text: &mut Vec<u8>| -> Result<Option<u64>, SavedError> {
            text.clear();
            let read = Read::by_ref(&mut from).take(LONGEST).read_until(b'\n', text)?;
            number += 1;
            if read > 0 && text.last() != Some(&b'\n') {
                return Err(SavedError::Damaged { line: number, what: "the line has no end".to_owned() });
            }
            Ok((read > 0).then_some(number))
        };
        if next(&mut text)?.is_none() {
            return Err(SavedError::Format);
        }
        let head: Head = serde_json::from_slice(&text).map_err(|_| SavedError::Format)?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(SavedError::Format);
        }
        let mut classifications = head.classifications;
        classifications.sort_by(|one, other| one.key.cmp(&other.key));
        let mut inventory = Self {
            parts: head.parts,
            files: head.files,
            imports: head.imports,
            verdicts: head.verdicts,
            classifications,
            ..Self::default()
        };
        while let Some(line) = next(&mut text)? {
            let damaged = |what: &str| SavedError::Damaged { line, what: what.to_owned() };
            let row = serde_json::from_slice(&text);
            let row: Row = row.map_err(|error| damaged(&crate::json::fault(&error).0.to_string()))?;
            if !inventory.known(&row) {
                return Err(damaged("it names a part or file that is not in the head"));
            }
            match row {
                Row::Node { key, seen } => {
                    let node = inventory.node_number(&key);
                    let sightings = seen.into_iter().map(node_sighting).collect();
                    let slot = inventory.nodes.get_mut(node as usize).filter(|node| node.sightings.is_empty());
                    slot.ok_or_else(|| damaged("a node that stands twice"))?.sightings = sightings;
                }
                Row::Edge { from, relation, to, seen } => {
                    let (from, to) = (inventory.node_number(&from), inventory.node_number(&to));
                    let edge = inventory.edge_number(from, to, relation);
                    let sightings = seen.into_iter().map(edge_sighting).collect();
                    let slot = inventory.edges.get_mut(edge as usize).filter(|edge| edge.sightings.is_empty());
                    slot.ok_or_else(|| damaged("an edge that stands twice"))?.sightings = sightings;
                }
            }
        }
        Ok(inventory)
    }

    fn known(&self, row: &Row) -> bool {
        let known = |part: u32, file: u32| (part as usize) < self.parts.len() && ((file as usize) < self.files.len());
        match row {
            Row::Node { seen, .. } => seen.iter().all(|seen| known(seen.part, seen.file)),
            Row::Edge { seen, .. } => seen.iter().all(|seen| known(seen.part, seen.file)),
        }
    }
}

fn node_sighting(seen: SavedSighting<NodeSaid>) -> NodeSighting {
    NodeSighting {
        part: seen.part,
        span: seen.span,
        kind: seen.what.kind,
        name: seen.what.name,
        attributes: seen.what.attributes,
        evidence: Evidence { file: seen.file, place: seen.place },
    }
}

fn edge_sighting(seen: SavedSighting<EdgeSaid>) -> EdgeSighting {
    EdgeSighting {
        part: seen.part,
        span: seen.span,
        condition: seen.what.condition,
        evidence: Evidence { file: seen.file, place: seen.place },
    }
}

/// Old number to new one.
fn places(order: &[usize]) -> HashMap<u32, u32> {
    let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    order.iter().enumerate().map(|(new, old)| (number(*old), number(new))).collect()
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), SavedError> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
