//! Nodes and edges by the names that people use, and with where they stand: a node found by its key or any name that a source
//! gives it, an edge as a sentence with its technique and evidence.

use std::fmt;

use countersign_estate::{Because, Inventory, Node, Projection};
use countersign_graph::{EdgeId, EdgeKind, Enforceable, Graph, NodeId, NodeKind, Routes, Traversal};
use countersign_model::{Tier, Timestamp};
use serde::{Deserialize, Serialize};

/// How many lines of evidence one edge carries.
const MOST_EVIDENCE: usize = 16;
/// How many nodes an ambiguous or mistyped name lists.
const LISTED: usize = 10;

/// An inventory and its graph, asked by name. Cheap to make: a name is looked for when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Named<'i> {
    inventory: &'i Inventory,
    projection: &'i Projection,
}

/// A node, as people know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedNode {
    pub key: String,
    pub name: String,
    /// The inventory's word: account, human, service, group, device and so on.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    pub tier_zero: bool,
    pub enabled: bool,
}

/// An edge as a sentence, with how it is used and where it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedEdge {
    pub from: NamedNode,
    /// The graph's word, as in `--remove "FROM can-reset-password TO"`.
    pub relation: String,
    pub to: NamedNode,
    /// MITRE ATT&CK.
    pub technique: String,
    /// How it is done, in a few words.
    pub means: String,
    pub layers: Layers,
    /// It holds only under these, in the sources' own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Why it holds, where no single line of a file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    pub evidence: Vec<Cited>,
}

impl fmt::Display for NamedEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.from.name, self.relation, self.to.name)
    }
}

/// The three layers of an edge, as far as they are known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Layers {
    pub granted: bool,
    /// `None`: policy was not asked, or the way does not pass where it is enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforceable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exercised: Option<Exercised>,
}

/// That an edge was seen used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exercised {
    pub last: Timestamp,
    pub count: u32,
}

/// Where something stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cited {
    /// What it says there, in the source's relation.
    pub says: String,
    /// System, realm and part: `active-directory:CORP.EXAMPLE/users`.
    pub source: String,
    pub file: String,
    /// The line, or the JSON pointer.
    pub place: String,
    pub sha256: String,
    /// The newest import in which it was so.
    pub seen: Timestamp,
}

/// No single node has that name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoNode {
    #[error("{text:?} is the name of {count}: {}; name one by its key", listed(candidates, *count))]
    Ambiguous { text: String, candidates: Vec<NamedNode>, count: usize },
    #[error("nothing in the estate is called {text:?}{}", suggested(similar))]
    Unknown { text: String, similar: Vec<NamedNode> },
}

/// What was named is no edge of the graph.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoEdge {
    #[error(
        "{0:?} is no edge: write it as paths are printed, \"FROM member-of TO\", or \"FROM -> TO\" for every edge between the two"
    )]
    Sentence(String),
    #[error(transparent)]
    Node(#[from] NoNode),
    #[error("there is no such edge: {0}; between the two: {1}")]
    Absent(String, String),
}

fn shown(node: &NamedNode) -> String {
    format!("{} ({}, {})", node.name.escape_debug(), node.kind, node.key.escape_debug())
}

fn listed(nodes: &[NamedNode], count: usize) -> String {
    let names: Vec<String> = nodes.iter().map(shown).collect();
    let more = count.saturating_sub(nodes.len());
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

fn suggested(similar: &[NamedNode]) -> String {
    let names: Vec<String> = similar.iter().map(|node| node.name.escape_debug().to_string()).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(", ")) }
}

impl<'i> Named<'i> {
    /// `projection` is that of the same inventory.
    pub fn new(inventory: &'i Inventory, projection: &'i Projection) -> Self {
        Self { inventory, projection }
    }

    pub fn graph(&self) -> &'i Graph {
        &self.projection.graph
    }

    pub fn inventory(&self) -> &'i Inventory {
        self.inventory
    }

    /// The node with this key, or else the only one that a source gives this name, in any case: name, account name, principal
    /// name, address, distinguished name. What is gone is found where nothing that is there has the name.
    ///
    /// # Errors
    /// When there is none, with what is written alike; or when there are several, with some of them.
    pub fn find(&self, text: &str) -> Result<NodeId, NoNode> {
        let text = text.trim();
        if let Some(id) = self.graph().find(text) {
            return Ok(id);
        }
        let mut best = Vec::new();
        let mut best_rank = (true, u8::MAX);
        for (number, node) in self.inventory.nodes().iter().enumerate() {
            let Some(rank) = rank(node, text) else { continue };
            let rank = (node.is_gone(), rank);
            if rank < best_rank {
                best_rank = rank;
                best.clear();
            }
            if rank == best_rank {
                best.push(number);
            }
        }
        let ids: Vec<NodeId> = best.iter().filter_map(|number| self.graph().node_ids().nth(*number)).collect();
        match ids.as_slice() {
            [one] => Ok(*one),
            [] => Err(NoNode::Unknown { text: text.to_owned(), similar: self.similar(text) }),
            several => {
                let candidates = several.iter().take(LISTED).filter_map(|id| self.node(*id)).collect();
                Err(NoNode::Ambiguous { text: text.to_owned(), candidates, count: several.len() })
            }
        }
    }

    /// What is written much like it: what contains it, then what takes few changes of letters.
    fn similar(&self, text: &str) -> Vec<NamedNode> {
        let wanted = text.to_lowercase();
        let letters: Vec<char> = wanted.chars().collect();
        let most = letters.len().div_ceil(3);
        let mut near: Vec<(usize, usize)> = Vec::new();
        for (number, node) in self.inventory.nodes().iter().enumerate().filter(|(_, node)| !node.sightings.is_empty()) {
            let name = node.name().to_lowercase();
            let distance = if letters.len() > 2 && name.contains(&wanted) {
                Some(0)
            } else {
                let short = name.split('@').next().unwrap_or(&name);
                [short, &name].into_iter().filter_map(|name| distance(&letters, name, most)).min()
            };
            near.extend(distance.map(|distance| (distance, number)));
        }
        near.sort_unstable();
        near.truncate(LISTED / 2);
        near.into_iter().filter_map(|(_, number)| self.node(self.graph().node_ids().nth(number)?)).collect()
    }

    /// `None`: not of this graph.
    pub fn node(&self, id: NodeId) -> Option<NamedNode> {
        let node = self.graph().node(id)?;
        let known = self.inventory.nodes().get(id.index());
        Some(NamedNode {
            key: node.key.to_string(),
            name: known.map_or(&*node.key, Node::name).to_owned(),
            kind: known.map(|known| word(known.kind())).unwrap_or_default(),
            tier: node.tier,
            tier_zero: node.tier_zero,
            enabled: node.enabled,
        })
    }

    pub fn nodes(&self, ids: impl IntoIterator<Item = NodeId>) -> Vec<NamedNode> {
        ids.into_iter().filter_map(|id| self.node(id)).collect()
    }

    /// `None`: not of this graph.
    pub fn edge(&self, id: EdgeId) -> Option<NamedEdge> {
        let edge = self.graph().edge(id)?;
        let technique = edge.kind.meaning().technique;
        let (mut evidence, mut conditions, mut follows) = (Vec::new(), Vec::new(), None);
        match self.projection.because.get(edge.evidence.0 as usize) {
            Some(Because::Edge(number)) => self.cite(*number, &mut evidence, &mut conditions),
            Some(Because::BothReplicationRights { changes, all }) => {
                follows = Some("both rights of replication together, which may come by different groups".to_owned());
                for number in changes.iter().chain(all.iter()) {
                    self.cite(*number, &mut evidence, &mut conditions);
                }
            }
            Some(Because::EveryAccount) => {
                follows = Some("every account of a Windows domain is a member, and no directory says so".to_owned());
            }
            None => {}
        }
        evidence.truncate(MOST_EVIDENCE);
        conditions.sort();
        conditions.dedup();
        Some(NamedEdge {
            from: self.node(edge.from)?,
            relation: edge.kind.name().to_owned(),
            to: self.node(edge.to)?,
            technique: technique.id.to_owned(),
            means: technique.words.to_owned(),
            layers: Layers {
                granted: edge.granted,
                enforceable: match edge.enforceable {
                    Enforceable::Unknown => None,
                    Enforceable::Allowed => Some(true),
                    Enforceable::Refused => Some(false),
                },
                exercised: edge.exercised.map(|seen| Exercised { last: seen.last, count: seen.count }),
            },
            conditions,
            follows,
            evidence,
        })
    }

    pub fn edges(&self, ids: impl IntoIterator<Item = EdgeId>) -> Vec<NamedEdge> {
        ids.into_iter().filter_map(|id| self.edge(id)).collect()
    }

    fn cite(&self, number: u32, evidence: &mut Vec<Cited>, conditions: &mut Vec<String>) {
        let Some(edge) = self.inventory.edges().get(number as usize) else { return };
        let name = |node: u32| self.inventory.nodes().get(node as usize).map_or("", Node::name);
        let says = format!("{} {} {}", name(edge.from), word(edge.relation), name(edge.to));
        for sighting in edge.sightings.iter().filter(|sighting| sighting.span.gone.is_none()) {
            conditions.extend(sighting.condition.as_deref().map(str::to_owned));
            let file = self.inventory.files().get(sighting.evidence.file as usize);
            evidence.push(Cited {
                says: says.clone(),
                source: self.inventory.part(sighting.part).map(ToString::to_string).unwrap_or_default(),
                file: file.map(|file| file.name.to_string()).unwrap_or_default(),
                place: sighting.evidence.place.to_string(),
                sha256: file.map(|file| file.sha256.to_string()).unwrap_or_default(),
                seen: sighting.span.last,
            });
        }
    }

    /// The edges that a sentence names: `FROM relation TO` as [`NamedEdge`] is shown, or `FROM -> TO` for all between the two.
    ///
    /// # Errors
    /// When it is no such sentence, an end is not known or the edge is not there.
    pub fn find_edges(&self, text: &str) -> Result<Vec<EdgeId>, NoEdge> {
        let mut fault = NoEdge::Sentence(text.to_owned());
        let kinds = EdgeKind::ALL.into_iter().map(|kind| (format!(" {} ", kind.name()), Some(kind)));
        for (sign, kind) in kinds.chain([(" -> ".to_owned(), None), (" → ".to_owned(), None)]) {
            // A name may hold the word as well: each place is tried.
            for (at, _) in text.match_indices(&sign) {
                let (Some(from), Some(to)) = (text.get(..at), text.get(at + sign.len()..)) else { continue };
                match (self.find(from), self.find(to)) {
                    (Ok(from), Ok(to)) => return self.between(from, kind, to, text),
                    (Err(unknown), _) | (_, Err(unknown)) => fault = unknown.into(),
                }
            }
        }
        Err(fault)
    }

    fn between(&self, from: NodeId, kind: Option<EdgeKind>, to: NodeId, text: &str) -> Result<Vec<EdgeId>, NoEdge> {
        let graph = self.graph();
        let all: Vec<(EdgeId, EdgeKind)> = graph
            .edge_ids()
            .filter_map(|id| Some((id, graph.edge(id)?)))
            .filter(|(_, edge)| edge.from == from && edge.to == to)
            .map(|(id, edge)| (id, edge.kind))
            .collect();
        let wanted: Vec<EdgeId> =
            all.iter().filter(|(_, known)| kind.is_none_or(|kind| kind == *known)).map(|(id, _)| *id).collect();
        if wanted.is_empty() {
            let mut known: Vec<&str> = all.iter().map(|(_, kind)| kind.name()).collect();
            known.sort_unstable();
            known.dedup();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            return Err(NoEdge::Absent(text.to_owned(), known));
        }
        Ok(wanted)
    }

    /// Enabled accounts of people, services and agents: whoever may be compromised and then acts in a name of its own.
    pub fn identities(&self) -> Vec<NodeId> {
        self.those(|node| node.enabled && is_identity(node.kind))
    }

    /// Of the identities, those that are among some nodes or in them through groups; in the order of the graph.
    pub fn members_of(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let memberships = EdgeKind::ALL
            .into_iter()
            .fold(Traversal::default(), |traversal, kind| traversal.follow(kind, kind == EdgeKind::MemberOf));
        let mut all = Routes::new(self.graph(), &memberships).reaching(nodes);
        all.extend(nodes);
        all.sort_unstable();
        self.identities().into_iter().filter(|id| all.binary_search(id).is_ok()).collect()
    }

    pub fn tier_zero(&self) -> Vec<NodeId> {
        self.those(|node| node.tier_zero)
    }

    /// What is still there and passes.
    pub(super) fn those(&self, wanted: impl Fn(&countersign_graph::Node) -> bool) -> Vec<NodeId> {
        let gone = |id: NodeId| self.inventory.nodes().get(id.index()).is_some_and(Node::is_gone);
        let ids = self.graph().node_ids().filter(|id| self.graph().node(*id).is_some_and(|node| wanted(&node)));
        ids.filter(|id| !gone(*id)).collect()
    }
}

pub(super) const fn is_identity(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Human | NodeKind::Service | NodeKind::Agent)
}

/// A word of the inventory as it is written.
pub(super) fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// How closely a node is called that: by its key, by its name, or by another name that a source gives it.
fn rank(node: &Node, text: &str) -> Option<u8> {
    if same(&node.key, text) {
        return Some(0);
    }
    let mut rank = None;
    for sighting in &node.sightings {
        if same(&sighting.name, text) {
            return Some(1);
        }
        let short = sighting.name.split('@').next().is_some_and(|short| same(short, text));
        let said = sighting.attributes.as_deref().is_some_and(|said| {
            let names = [
                &said.account_name,
                &said.principal_name,
                &said.email,
                &said.display_name,
                &said.distinguished_name,
                &said.sid,
                &said.guid,
                &said.arn,
            ];
            names.into_iter().flatten().any(|name| same(name, text))
        });
        if short || said {
            rank = Some(2);
        }
    }
    rank
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

/// Letters to change, leave out or put in; `None` above `most`.
fn distance(wanted: &[char], name: &str, most: usize) -> Option<usize> {
    if name.chars().count().abs_diff(wanted.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=wanted.len()).collect();
    for (line, letter) in name.chars().enumerate() {
        let mut before = line;
        let mut left = line + 1;
        let mut best = left;
        for (place, other) in row.iter_mut().zip(std::iter::once(None).chain(wanted.iter().map(Some))) {
            let above = *place;
            *place = match other {
                None => left,
                Some(other) => (before + usize::from(*other != letter)).min(above + 1).min(left + 1),
            };
            (before, left) = (above, *place);
            best = best.min(left);
        }
        if best > most {
            return None;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}
