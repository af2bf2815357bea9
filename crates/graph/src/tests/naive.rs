//! Small random graphs, and answers to the same questions by the slowest way that is plainly right.

use std::collections::BTreeSet;

use countersign_model::{Tier, Timestamp};
use proptest::prelude::*;

use crate::{
    Builder, Change, Direction, Edge, EdgeId, EdgeKind, Effect, Enforceable, Evidence, Exercise, Graph, Layer, NodeId,
    NodeKind, Routes, Traversal,
};

/// One kind of each sort: taking, taking and enabling, used, backwards, not followed.
const KINDS: [EdgeKind; 7] = [
    EdgeKind::MemberOf,
    EdgeKind::CanResetPassword,
    EdgeKind::FullControl,
    EdgeKind::CanWrite,
    EdgeKind::LogsOnTo,
    EdgeKind::Trusts,
    EdgeKind::Manages,
];

pub(super) fn a_graph(nodes: usize, edges: usize) -> impl Strategy<Value = Graph> {
    let node = (0..3_usize, prop::bool::weighted(0.8), 0..3_usize, prop::bool::weighted(0.1));
    let edge = (
        (0..nodes, 0..KINDS.len(), 0..nodes),
        (prop::bool::weighted(0.05), prop::bool::weighted(0.1), prop::bool::weighted(0.9)),
        (0..3_usize, 0..3_u32),
    );
    let parts = (prop::collection::vec(node, 1..=nodes), prop::collection::vec(edge, 0..=edges));
    parts.prop_map(|(nodes, edges)| {
        let mut builder = Builder::new();
        for (n, (kind, enabled, tier, tier_zero)) in nodes.iter().enumerate() {
            let kind = [NodeKind::Human, NodeKind::Group, NodeKind::Device][*kind];
            let id = builder.node(&n.to_string(), kind).unwrap();
            builder.set_enabled(id, *enabled).unwrap();
            builder.set_tier(id, [None, Some(Tier::High), Some(Tier::CrownJewel)][*tier]).unwrap();
            builder.set_tier_zero(id, *tier_zero).unwrap();
        }
        for ((from, kind, to), (denies, conditional, granted), (enforceable, count)) in edges {
            let id = |at: usize| NodeId((at % nodes.len()) as u32);
            let edge = Edge {
                denies,
                conditional,
                granted,
                enforceable: [Enforceable::Unknown, Enforceable::Allowed, Enforceable::Refused][enforceable],
                exercised: (count > 0).then_some(Exercise { last: Timestamp::from_seconds(1), count }),
                ..Edge::granted(id(from), KINDS[kind], id(to), Evidence(0))
            };
            builder.edge(edge).unwrap();
        }
        builder.finish()
    })
}

/// Some nodes and edges by number; those that the graph does not have are no mistake.
pub(super) fn a_change() -> impl Strategy<Value = Change> {
    let some = || prop::collection::vec(0..9_u32, 0..3);
    (some(), some(), some()).prop_map(|(nodes, edges, disabled)| Change {
        remove_nodes: nodes.into_iter().map(NodeId).collect(),
        remove_edges: edges.into_iter().map(EdgeId).collect(),
        disable: disabled.into_iter().map(NodeId).collect(),
    })
}

pub(super) fn a_traversal() -> impl Strategy<Value = Traversal> {
    let layers = prop_oneof![Just(Layer::Granted), Just(Layer::Enforceable), Just(Layer::Exercised)];
    (layers, any::<bool>(), any::<bool>(), a_change()).prop_map(|(layer, conditional, trusts, without)| {
        let traversal = Traversal::default().on(layer).without(without).follow(EdgeKind::Trusts, trusts);
        traversal.conditional(conditional)
    })
}

pub(super) fn some_nodes() -> impl Strategy<Value = Vec<NodeId>> {
    prop::collection::vec((0..9_u32).prop_map(NodeId), 1..4)
}

/// A graph, searched from each node alone over the edges that are open.
pub(super) struct Naive<'g> {
    pub(super) graph: &'g Graph,
    pub(super) open: Vec<Open>,
    traversal: Traversal,
}

/// An open edge in the direction of reach, and whether it takes what it leads to.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) id: EdgeId,
    pub(super) takes: bool,
}

impl<'g> Naive<'g> {
    pub(super) fn new(graph: &'g Graph, traversal: Traversal) -> Self {
        let mut naive = Self { graph, traversal, open: Vec::new() };
        naive.open = naive.opened();
        naive
    }

    pub(super) fn routes(&self) -> Routes<'_> {
        Routes::new(self.graph, &self.traversal)
    }

    pub(super) fn here(&self, node: NodeId) -> bool {
        self.graph.node(node).is_some() && !self.traversal.without.remove_nodes.contains(&node)
    }

    pub(super) fn enabled(&self, node: NodeId) -> bool {
        self.graph.node(node).unwrap().enabled && !self.traversal.without.disable.contains(&node)
    }

    fn denied(&self, edge: &Edge) -> bool {
        self.traversal.layer != Layer::Exercised
            && self.graph.edge_ids().any(|id| {
                let other = self.graph.edge(id).unwrap();
                other.denies
                    && (other.from, other.to, other.kind) == (edge.from, edge.to, edge.kind)
                    && !self.traversal.without.remove_edges.contains(&id)
                    && !(other.conditional && self.traversal.conditional)
            })
    }

    fn opened(&self) -> Vec<Open> {
        let mut open = Vec::new();
        for id in self.graph.edge_ids() {
            let edge = self.graph.edge(id).unwrap();
            let meaning = edge.kind.meaning();
            let in_layer = match self.traversal.layer {
                Layer::Granted => edge.granted,
                Layer::Enforceable => edge.granted && edge.enforceable != Enforceable::Refused,
                Layer::Exercised => edge.exercised.is_some(),
            };
            if edge.denies
                || edge.from == edge.to
                || !in_layer
                || !self.traversal.follows(edge.kind)
                || (edge.conditional && !self.traversal.conditional)
                || self.traversal.without.remove_edges.contains(&id)
                || !self.here(edge.from)
                || !self.here(edge.to)
                || self.denied(&edge)
            {
                continue;
            }
            let (from, to) = match meaning.direction {
                Direction::Forward => (edge.from, edge.to),
                Direction::Backward => (edge.to, edge.from),
            };
            let takes = meaning.effect == Effect::Control && (self.enabled(to) || meaning.enables);
            open.push(Open { from, to, id, takes });
        }
        open
    }

    /// What one node reaches, itself left out.
    pub(super) fn reached(&self, start: NodeId) -> BTreeSet<NodeId> {
        let (mut acting, mut reached) = (BTreeSet::new(), BTreeSet::new());
        if self.here(start) && self.enabled(start) {
            acting.insert(start);
        }
        loop {
            let before = (acting.len(), reached.len());
            for edge in &self.open {
                if !acting.contains(&edge.from) {
                    continue;
                }
                reached.insert(edge.to);
                if edge.takes {
                    acting.insert(edge.to);
                }
            }
            if before == (acting.len(), reached.len()) {
                reached.remove(&start);
                return reached;
            }
        }
    }

    pub(super) fn targets(&self, to: &[NodeId]) -> BTreeSet<NodeId> {
        to.iter().copied().filter(|node| self.here(*node)).collect()
    }

    pub(super) fn starts(&self, from: &[NodeId], to: &[NodeId]) -> BTreeSet<NodeId> {
        from.iter().copied().filter(|node| self.here(*node) && !to.contains(node)).collect()
    }

    /// Starts that reach a target, and targets that are reached.
    pub(super) fn between(&self, from: &[NodeId], to: &[NodeId]) -> (BTreeSet<NodeId>, BTreeSet<NodeId>) {
        let targets = self.targets(to);
        let (mut starts, mut hit) = (BTreeSet::new(), BTreeSet::new());
        for start in self.starts(from, to) {
            let reached: Vec<NodeId> = self.reached(start).intersection(&targets).copied().collect();
            if !reached.is_empty() {
                starts.insert(start);
            }
            hit.extend(reached);
        }
        (starts, hit)
    }

    pub(super) fn without(&self, change: &Change) -> Self {
        let mut traversal = self.traversal.clone();
        traversal.without.remove_nodes.extend(&change.remove_nodes);
        traversal.without.remove_edges.extend(&change.remove_edges);
        traversal.without.disable.extend(&change.disable);
        Self::new(self.graph, traversal)
    }
}
