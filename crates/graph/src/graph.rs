//! The graph: nodes and edges in columns, 32-bit ids, in the order in which they came. It holds what is known; what an attacker
//! can do with it is computed elsewhere from these columns.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_model::Tier;

use crate::kind::{EdgeKind, NodeKind};
use crate::layer::{Enforceable, Exercise};

/// A node of one graph: its place in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(crate) u32);

/// An edge of one graph: its place in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EdgeId(pub(crate) u32);

impl NodeId {
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl EdgeId {
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where an edge's evidence stands in the table of whoever built the graph. This crate carries it and never looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Evidence(pub u32);

/// A node as it is told and read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Stable across imports: the estate's own name for it.
    pub key: Arc<str>,
    pub kind: NodeKind,
    /// `None`: nobody has classified it.
    pub tier: Option<Tier>,
    /// A disabled identity does not act, until somebody who may switches it on again ([`crate::Meaning::enables`]).
    pub enabled: bool,
    /// Controls the rest: domain controllers, domain administrators, the identity provider.
    pub tier_zero: bool,
}

/// An edge as it is told and read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    pub from: NodeId,
    pub kind: EdgeKind,
    pub to: NodeId,
    pub evidence: Evidence,
    /// A denial: it takes away every edge of the same kind between the same two nodes, and is never followed itself.
    pub denies: bool,
    /// It holds under a condition that was not decided (a source address, a tag, MFA).
    pub conditional: bool,
    /// The directory grants it. False for what was only ever seen used.
    pub granted: bool,
    pub enforceable: Enforceable,
    pub exercised: Option<Exercise>,
}

impl Edge {
    /// Granted, without condition, policy not asked, never seen used.
    pub const fn granted(from: NodeId, kind: EdgeKind, to: NodeId, evidence: Evidence) -> Self {
        Self {
            from,
            kind,
            to,
            evidence,
            denies: false,
            conditional: false,
            granted: true,
            enforceable: Enforceable::Unknown,
            exercised: None,
        }
    }
}

/// Columns of nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    pub(crate) keys: Vec<Arc<str>>,
    pub(crate) kinds: Vec<NodeKind>,
    pub(crate) tiers: Vec<Option<Tier>>,
    pub(crate) enabled: Vec<bool>,
    pub(crate) tier_zero: Vec<bool>,
}

/// What an edge says besides its ends, one byte per edge.
pub(crate) mod mark {
    pub(crate) const DENIES: u8 = 1;
    pub(crate) const CONDITIONAL: u8 = 2;
    pub(crate) const GRANTED: u8 = 4;
}

/// Columns of edges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edges {
    pub(crate) from: Vec<u32>,
    pub(crate) to: Vec<u32>,
    pub(crate) kinds: Vec<EdgeKind>,
    pub(crate) marks: Vec<u8>,
    pub(crate) evidence: Vec<u32>,
    pub(crate) enforceable: Vec<Enforceable>,
    /// Milliseconds; meaningless where the count is 0.
    pub(crate) last: Vec<i64>,
    pub(crate) count: Vec<u32>,
}

/// Nodes and edges. What is in it does not change, but for the layers of its edges.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Nodes,
    pub(crate) edges: Edges,
    pub(crate) index: HashMap<Arc<str>, NodeId>,
}

impl Graph {
    pub fn node_count(&self) -> usize {
        self.nodes.kinds.len()
    }

    pub fn edge_count(&self) -> usize {
        self.edges.kinds.len()
    }

    pub fn find(&self, key: &str) -> Option<NodeId> {
        self.index.get(key).copied()
    }

    pub fn node_ids(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        // Builder holds the number of nodes under `u32::MAX`.
        (0..self.nodes.kinds.len() as u32).map(NodeId)
    }

    pub fn edge_ids(&self) -> impl ExactSizeIterator<Item = EdgeId> + use<> {
        (0..self.edges.kinds.len() as u32).map(EdgeId)
    }

    /// `None` for an id of another graph that is out of range here.
    pub fn node(&self, id: NodeId) -> Option<Node> {
        let at = id.index();
        Some(Node {
            key: Arc::clone(self.nodes.keys.get(at)?),
            kind: *self.nodes.kinds.get(at)?,
            tier: *self.nodes.tiers.get(at)?,
            enabled: *self.nodes.enabled.get(at)?,
            tier_zero: *self.nodes.tier_zero.get(at)?,
        })
    }

    pub fn key(&self, id: NodeId) -> Option<&Arc<str>> {
        self.nodes.keys.get(id.index())
    }

    pub fn kind(&self, id: NodeId) -> Option<NodeKind> {
        self.nodes.kinds.get(id.index()).copied()
    }

    /// `None` for an id of another graph that is out of range here.
    pub fn edge(&self, id: EdgeId) -> Option<Edge> {
        let at = id.index();
        let marks = *self.edges.marks.get(at)?;
        let count = *self.edges.count.get(at)?;
        let last = countersign_model::Timestamp::from_millis(*self.edges.last.get(at)?);
        Some(Edge {
            from: NodeId(*self.edges.from.get(at)?),
            kind: *self.edges.kinds.get(at)?,
            to: NodeId(*self.edges.to.get(at)?),
            evidence: Evidence(*self.edges.evidence.get(at)?),
            denies: marks & mark::DENIES != 0,
            conditional: marks & mark::CONDITIONAL != 0,
            granted: marks & mark::GRANTED != 0,
            enforceable: *self.edges.enforceable.get(at)?,
            exercised: (count > 0).then_some(Exercise { last, count }),
        })
    }

    /// What taking the edge away costs, by its real use: how often somebody would have missed it, and 1 for the work. `None` for what cannot
    /// be taken away.
    pub fn price_of_use(&self, id: EdgeId) -> Option<u32> {
        let kind = self.edges.kinds.get(id.index())?;
        let uses = self.edges.count.get(id.index())?;
        kind.meaning().removable.then_some(uses.saturating_add(1))
    }

    /// Says what policy answers for an edge; false for an edge that is not here.
    pub fn set_enforceable(&mut self, id: EdgeId, enforceable: Enforceable) -> bool {
        let Some(column) = self.edges.enforceable.get_mut(id.index()) else { return false };
        *column = enforceable;
        true
    }

    /// Adds uses to an edge: counts are added (and stop at the greatest), the later instant stays. False for an edge that is
    /// not here.
    pub fn exercise(&mut self, id: EdgeId, seen: Exercise) -> bool {
        let at = id.index();
        let (Some(last), Some(count)) = (self.edges.last.get_mut(at), self.edges.count.get_mut(at)) else {
            return false;
        };
        *last = if *count == 0 { seen.last.millis() } else { seen.last.millis().max(*last) };
        *count = count.saturating_add(seen.count.max(1));
        true
    }
}
