//! What an attacker can follow: the edges that a question is about, as a plain directed graph of vertices on which every
//! computation of this crate runs. Here, once, stands what the kinds of edges, disabled accounts, denials and conditions mean
//! (docs/decisions/0010-reached-is-not-acting.md).
//!
//! **A node that is reached is not always one that acts.** Reading a file share does not make one the share, and a disabled
//! account that became a group's is still disabled. So a node has up to two vertices: the one *reached* (which counts, and has no
//! way on), and the one *acting* (which has the node's own edges, and leads to the one reached). One suffices where
//! both would be the same, which is nearly everywhere. Ordinary reachability then gives the right answer, exactly.
//!
//! - An edge of [`Effect::Control`] arrives at the acting vertex; one of [`Effect::Use`] at the reached one.
//! - At a disabled node only edges that switch it on again ([`crate::Meaning::enables`]) arrive at the acting vertex.
//! - A compromise starts at the acting vertex; that of a disabled node at the reached one, and goes nowhere.
//! - A denial takes away the edges of its kind between its two nodes, and nothing else: that a member of a denied group
//!   is denied too depends on who asks, and not on the way, so whoever builds the graph says it edge by edge. What is left is never less
//!   than what an attacker has.
#![expect(clippy::indexing_slicing, reason = "vertices are made here, from the lengths of the columns that they index")]

use std::collections::HashSet;

use crate::graph::{EdgeId, Graph, NodeId, mark};
use crate::kind::{Direction, EdgeKind, Effect};
use crate::layer::{Enforceable, Layer};

/// No edge: the step from a node that acts to the same node reached.
const NO_EDGE: u32 = u32::MAX;

/// Which edges a question follows, and what is thought away.
#[derive(Clone, Debug)]
pub struct Traversal {
    kinds: u64,
    pub layer: Layer,
    /// True: whatever a condition might let through is followed, and a denial under a condition denies nothing; the answer is
    /// an upper bound. False: the other way round, a lower bound. The truth lies between the two.
    pub conditional: bool,
    pub without: Change,
}

/// Something thought away. Ids that are not of the graph change nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Neither start nor are reached, nor lead anywhere.
    pub remove_nodes: Vec<NodeId>,
    pub remove_edges: Vec<EdgeId>,
    pub disable: Vec<NodeId>,
}

impl Default for Traversal {
    fn default() -> Self {
        let followed = EdgeKind::ALL.into_iter().filter(|kind| kind.meaning().traversed);
        Self {
            kinds: followed.fold(0, |kinds, kind| kinds | bit(kind)),
            layer: Layer::default(),
            conditional: true,
            without: Change::default(),
        }
    }
}

impl Traversal {
    #[must_use]
    pub fn follow(mut self, kind: EdgeKind, follow: bool) -> Self {
        self.kinds = if follow { self.kinds | bit(kind) } else { self.kinds & !bit(kind) };
        self
    }

    pub fn follows(&self, kind: EdgeKind) -> bool {
        self.kinds & bit(kind) != 0
    }

    #[must_use]
    pub fn on(mut self, layer: Layer) -> Self {
        self.layer = layer;
        self
    }

    #[must_use]
    pub fn conditional(mut self, conditional: bool) -> Self {
        self.conditional = conditional;
        self
    }

    #[must_use]
    pub fn without(mut self, change: Change) -> Self {
        self.without = change;
        self
    }
}

const fn bit(kind: EdgeKind) -> u64 {
    1 << kind as u8
}

/// Rows of ends, with the edge of each; parallel edges stand beside one another, and rows are sorted by end.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    offsets: Vec<u32>,
    ends: Vec<u32>,
    edges: Vec<u32>,
}

/// One edge between two vertices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arc {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) edge: u32,
}

impl Rows {
    /// Two passes of counting sort: by end, then by start, which keeps the first order within a row.
    fn new(vertices: usize, arcs: &[Arc]) -> Self {
        let (by_end, _) = sorted(vertices, arcs, |arc| arc.to);
        let (by_start, offsets) = sorted(vertices, &by_end, |arc| arc.from);
        Self {
            offsets,
            ends: by_start.iter().map(|arc| arc.to).collect(),
            edges: by_start.iter().map(|arc| arc.edge).collect(),
        }
    }

    pub(crate) fn range(&self, vertex: u32) -> std::ops::Range<usize> {
        self.offsets[vertex as usize] as usize..self.offsets[vertex as usize + 1] as usize
    }

    /// Ends, parallel edges each.
    pub(crate) fn ends(&self, vertex: u32) -> &[u32] {
        &self.ends[self.range(vertex)]
    }

    pub(crate) fn end(&self, at: usize) -> u32 {
        self.ends[at]
    }

    /// Ends with their edges; `None` for the step from acting to reached.
    pub(crate) fn steps(&self, vertex: u32) -> impl Iterator<Item = (u32, Option<EdgeId>)> + '_ {
        let range = self.range(vertex);
        let edges = self.edges[range.clone()].iter().map(|&edge| (edge != NO_EDGE).then_some(EdgeId(edge)));
        self.ends[range].iter().copied().zip(edges)
    }

    pub(crate) fn vertices(&self) -> usize {
        self.offsets.len() - 1
    }
}

fn sorted(vertices: usize, arcs: &[Arc], key: impl Fn(&Arc) -> u32) -> (Vec<Arc>, Vec<u32>) {
    let mut offsets = vec![0_u32; vertices + 1];
    for arc in arcs {
        offsets[key(arc) as usize + 1] += 1;
    }
    for at in 0..vertices {
        offsets[at + 1] += offsets[at];
    }
    let mut next = offsets.clone();
    let mut placed = vec![Arc { from: 0, to: 0, edge: 0 }; arcs.len()];
    for arc in arcs {
        let slot = &mut next[key(arc) as usize];
        placed[*slot as usize] = *arc;
        *slot += 1;
    }
    (placed, offsets)
}

/// The ways of a graph under a [`Traversal`].
#[derive(Clone, Debug)]
pub struct Routes<'g> {
    graph: &'g Graph,
    traversal: Traversal,
    pub(crate) forward: Rows,
    pub(crate) backward: Rows,
    /// The acting vertex of each node: the node's own number where it has one vertex.
    acting: Vec<u32>,
    /// Where a compromise of each node begins.
    starts: Vec<u32>,
    /// The nodes of the vertices after the first of each node.
    copies: Vec<u32>,
    removed: Vec<bool>,
}

impl<'g> Routes<'g> {
    pub fn new(graph: &'g Graph, traversal: &Traversal) -> Self {
        let nodes = graph.node_count();
        let mut removed = vec![false; nodes];
        let mut enabled = graph.nodes.enabled.clone();
        for (ids, column, value) in
            [(&traversal.without.remove_nodes, &mut removed, true), (&traversal.without.disable, &mut enabled, false)]
        {
            for id in ids {
                if let Some(place) = column.get_mut(id.index()) {
                    *place = value;
                }
            }
        }

        let followed = followed(graph, traversal, &removed);
        let mut leads_on = vec![false; nodes];
        let mut used = vec![false; nodes];
        for arrival in &followed {
            leads_on[arrival.from as usize] = true;
            used[arrival.to as usize] |= !arrival.takes(&enabled);
        }
        let mut copies = Vec::new();
        let mut acting: Vec<u32> = (0..nodes as u32).collect();
        for node in 0..nodes {
            if leads_on[node] && (used[node] || !enabled[node]) {
                acting[node] = (nodes + copies.len()) as u32;
                copies.push(node as u32);
            }
        }
        let starts = (0..nodes).map(|node| if enabled[node] { acting[node] } else { node as u32 }).collect();

        let vertices = nodes + copies.len();
        let mut arcs: Vec<Arc> = followed
            .iter()
            .map(|arrival| Arc {
                from: acting[arrival.from as usize],
                to: if arrival.takes(&enabled) { acting[arrival.to as usize] } else { arrival.to },
                edge: arrival.edge,
            })
            .collect();
        arcs.extend(copies.iter().map(|&node| Arc { from: acting[node as usize], to: node, edge: NO_EDGE }));
        let forward = Rows::new(vertices, &arcs);
        for arc in &mut arcs {
            (arc.from, arc.to) = (arc.to, arc.from);
        }
        Self {
            graph,
            traversal: traversal.clone(),
            forward,
            backward: Rows::new(vertices, &arcs),
            acting,
            starts,
            copies,
            removed,
        }
    }

    /// The same with more thought away.
    #[must_use]
    pub fn changed(&self, change: &Change) -> Self {
        let mut traversal = self.traversal.clone();
        let without = &mut traversal.without;
        without.remove_nodes.extend(&change.remove_nodes);
        without.remove_edges.extend(&change.remove_edges);
        without.disable.extend(&change.disable);
        Self::new(self.graph, &traversal)
    }

    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// Edges that are followed, duplicates each.
    pub fn followed(&self) -> usize {
        self.forward.ends.len() - self.copies.len()
    }

    pub(crate) fn vertices(&self) -> usize {
        self.forward.vertices()
    }

    pub(crate) fn is_here(&self, node: NodeId) -> bool {
        self.removed.get(node.index()).is_some_and(|removed| !removed)
    }

    /// Nodes that were not removed.
    pub(crate) fn here(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.node_ids().filter(|&node| self.is_here(node))
    }

    /// Where a compromise of the node begins.
    pub(crate) fn start(&self, node: NodeId) -> u32 {
        self.starts[node.index()]
    }

    /// The vertex that means: this node counts as reached.
    pub(crate) fn reached(&self, node: NodeId) -> u32 {
        node.0
    }

    pub(crate) fn acting(&self, node: NodeId) -> u32 {
        self.acting[node.index()]
    }

    /// The vertices that a followed edge leads from and to.
    pub(crate) fn arc(&self, edge: EdgeId) -> Option<(u32, u32)> {
        let edges = &self.graph.edges;
        let ends = [*edges.from.get(edge.index())?, *edges.to.get(edge.index())?];
        ends.into_iter().find_map(|node| {
            let from = self.acting[node as usize];
            let (to, _) = self.forward.steps(from).find(|(_, other)| *other == Some(edge))?;
            Some((from, to))
        })
    }

    pub(crate) fn node_of(&self, vertex: u32) -> NodeId {
        let copy = (vertex as usize).checked_sub(self.starts.len());
        NodeId(copy.map_or(vertex, |copy| self.copies[copy]))
    }
}

/// An edge in the direction of reach, between nodes.
struct Arrival {
    from: u32,
    to: u32,
    edge: u32,
    effect: Effect,
    enables: bool,
}

impl Arrival {
    /// Whether the attacker acts as the node afterwards.
    fn takes(&self, enabled: &[bool]) -> bool {
        match self.effect {
            Effect::Control => enabled[self.to as usize] || self.enables,
            Effect::Use => false,
        }
    }
}

fn followed(graph: &Graph, traversal: &Traversal, removed: &[bool]) -> Vec<Arrival> {
    let edges = &graph.edges;
    let thought_away: HashSet<u32> = traversal.without.remove_edges.iter().map(|edge| edge.0).collect();
    let gone = |at: usize| !thought_away.is_empty() && thought_away.contains(&(at as u32));
    let between = |at: usize| (edges.from[at], edges.to[at], edges.kinds[at]);
    let has = |at: usize, mark: u8| edges.marks[at] & mark != 0;

    let denied: HashSet<(u32, u32, EdgeKind)> = (0..edges.kinds.len())
        .filter(|&at| has(at, mark::DENIES) && !gone(at))
        .filter(|&at| !(traversal.conditional && has(at, mark::CONDITIONAL)))
        .map(between)
        .collect();
    // What was used was used, whatever denies it now.
    let denies = |at: usize| traversal.layer != Layer::Exercised && !denied.is_empty() && denied.contains(&between(at));
    let in_layer = |at: usize| match traversal.layer {
        Layer::Granted => has(at, mark::GRANTED),
        Layer::Enforceable => has(at, mark::GRANTED) && edges.enforceable[at] != Enforceable::Refused,
        Layer::Exercised => edges.count[at] > 0,
    };

    let mut arrivals = Vec::with_capacity(edges.kinds.len());
    for at in 0..edges.kinds.len() {
        let (from, to, kind) = between(at);
        let open = from != to
            && traversal.follows(kind)
            && !has(at, mark::DENIES)
            && (traversal.conditional || !has(at, mark::CONDITIONAL))
            && in_layer(at)
            && !(removed[from as usize] || removed[to as usize])
            && !gone(at)
            && !denies(at);
        if open {
            let meaning = kind.meaning();
            let (from, to) = match meaning.direction {
                Direction::Forward => (from, to),
                Direction::Backward => (to, from),
            };
            arrivals.push(Arrival { from, to, edge: at as u32, effect: meaning.effect, enables: meaning.enables });
        }
    }
    arrivals
}
