//! Takes nodes and edges as importers find them, in any order, and gives the graph. An edge may name a node that is described
//! later, or never.

use std::sync::Arc;

use countersign_model::Tier;

use crate::graph::{Edge, EdgeId, Graph, NodeId, mark};
use crate::kind::NodeKind;

/// Ids are 32 bits, and computations put up to one more vertex beside each node.
const MOST_NODES: usize = 1 << 30;
const MOST_EDGES: usize = 1 << 30;

/// Why something could not be taken. What was taken before stays.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{key:?} is a {} and a {}: a key names one thing", .have.name(), .told.name())]
    TwoKinds { key: Arc<str>, have: NodeKind, told: NodeKind },
    #[error("an edge names a node that this builder has not made")]
    StrangeNode,
    #[error("more than {MOST_NODES} nodes")]
    TooManyNodes,
    #[error("more than {MOST_EDGES} edges")]
    TooManyEdges,
}

/// A graph under construction.
#[derive(Debug, Default)]
pub struct Builder {
    graph: Graph,
}

impl Builder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for so many, where the size is known beforehand.
    pub fn reserve(&mut self, nodes: usize, edges: usize) {
        // What a file claims about itself is not believed beyond a point: the rest grows as it comes.
        let (nodes, edges) = (nodes.min(1 << 20), edges.min(1 << 22));
        self.graph.index.reserve(nodes);
        self.graph.nodes.keys.reserve(nodes);
        self.graph.edges.from.reserve(edges);
        self.graph.edges.to.reserve(edges);
    }

    /// The node of this key, made if there is none: enabled, in no tier. [`NodeKind::Unknown`] agrees with every kind and gives way to it.
    ///
    /// # Errors
    /// When the key already names something of another kind, or there are too many nodes.
    pub fn node(&mut self, key: &str, kind: NodeKind) -> Result<NodeId, BuildError> {
        if let Some(&id) = self.graph.index.get(key) {
            let Some(have) = self.graph.nodes.kinds.get_mut(id.index()) else { return Err(BuildError::StrangeNode) };
            if *have == NodeKind::Unknown {
                *have = kind;
            } else if kind != NodeKind::Unknown && kind != *have {
                return Err(BuildError::TwoKinds { key: key.into(), have: *have, told: kind });
            }
            return Ok(id);
        }
        let nodes = &mut self.graph.nodes;
        if nodes.kinds.len() >= MOST_NODES {
            return Err(BuildError::TooManyNodes);
        }
        let id = NodeId(nodes.kinds.len() as u32);
        let key: Arc<str> = key.into();
        nodes.keys.push(Arc::clone(&key));
        nodes.kinds.push(kind);
        nodes.tiers.push(None);
        nodes.enabled.push(true);
        nodes.tier_zero.push(false);
        self.graph.index.insert(key, id);
        Ok(id)
    }

    /// # Errors
    /// For a node that this builder has not made; so for the next two.
    pub fn set_tier(&mut self, id: NodeId, tier: Option<Tier>) -> Result<(), BuildError> {
        *self.graph.nodes.tiers.get_mut(id.index()).ok_or(BuildError::StrangeNode)? = tier;
        Ok(())
    }

    pub fn set_enabled(&mut self, id: NodeId, enabled: bool) -> Result<(), BuildError> {
        *self.graph.nodes.enabled.get_mut(id.index()).ok_or(BuildError::StrangeNode)? = enabled;
        Ok(())
    }

    pub fn set_tier_zero(&mut self, id: NodeId, tier_zero: bool) -> Result<(), BuildError> {
        *self.graph.nodes.tier_zero.get_mut(id.index()).ok_or(BuildError::StrangeNode)? = tier_zero;
        Ok(())
    }

    /// Takes an edge as it is: the same edge told twice is kept twice, each with its evidence, and counts once in every answer;
    /// so does an edge from a node to itself, which opens nothing.
    ///
    /// # Errors
    /// When one of its nodes is not of this builder, or there are too many edges.
    pub fn edge(&mut self, edge: Edge) -> Result<EdgeId, BuildError> {
        let known = self.graph.node_count();
        if edge.from.index() >= known || edge.to.index() >= known {
            return Err(BuildError::StrangeNode);
        }
        let edges = &mut self.graph.edges;
        if edges.kinds.len() >= MOST_EDGES {
            return Err(BuildError::TooManyEdges);
        }
        let id = EdgeId(edges.kinds.len() as u32);
        let marked = |is: bool, mark: u8| if is { mark } else { 0 };
        edges.from.push(edge.from.0);
        edges.to.push(edge.to.0);
        edges.kinds.push(edge.kind);
        edges.marks.push(
            marked(edge.denies, mark::DENIES)
                | marked(edge.conditional, mark::CONDITIONAL)
                | marked(edge.granted, mark::GRANTED),
        );
        edges.evidence.push(edge.evidence.0);
        edges.enforceable.push(edge.enforceable);
        edges.last.push(edge.exercised.map_or(0, |seen| seen.last.millis()));
        edges.count.push(edge.exercised.map_or(0, |seen| seen.count.max(1)));
        Ok(id)
    }

    /// What was taken so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn finish(self) -> Graph {
        self.graph
    }
}
