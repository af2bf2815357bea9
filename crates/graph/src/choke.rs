//! Choke points: nodes and steps that every way has to pass. Exact: what a choke point is said to cut off is what loses every way when
//! it goes.
#![expect(clippy::indexing_slicing, reason = "numbers of the tree of dominators")]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::dominators::Dominators;
use crate::graph::{EdgeId, NodeId};
use crate::reach::Ends;
use crate::routes::{Routes, Rows};

/// What goes when a choke point goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Gain {
    /// Starts that no longer reach any target.
    pub starts: u64,
    /// Targets that no start reaches any longer.
    pub targets: u64,
}

/// A node that every way passes, from some starts or to some targets; it is not counted itself. It may be a start, never a
/// target: that a target is cut off by removing it goes without saying.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChokeNode {
    pub node: NodeId,
    pub gain: Gain,
}

/// A step that every way passes: all of its edges together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChokeStep {
    pub from: NodeId,
    pub to: NodeId,
    pub edges: Vec<EdgeId>,
    pub gain: Gain,
}

/// All choke points between some starts and some targets, the greatest gain first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChokePoints {
    /// Starts that reach a target.
    pub starts: u64,
    /// Targets that are reached.
    pub targets: u64,
    pub nodes: Vec<ChokeNode>,
    pub steps: Vec<ChokeStep>,
}

/// A step between vertices: start, end, and its edges.
pub(crate) type Bridge = (u32, u32, Vec<EdgeId>);

impl Routes<'_> {
    /// Choke points between some nodes and some others. Whoever is both is a target alone.
    pub fn choke_points(&self, from: &[NodeId], to: &[NodeId]) -> ChokePoints {
        let ends = self.ends(from, to);
        let (mut nodes, mut steps) =
            (BTreeMap::<NodeId, Gain>::new(), BTreeMap::<(u32, u32), (Vec<EdgeId>, Gain)>::new());

        // From the starts every way to a target, and from the targets, backwards, every way to a start.
        let guarding = self.guarding(&ends);
        for (node, targets) in guarding.nodes(self) {
            nodes.entry(node).or_default().targets = targets;
        }
        for ((from, to, edges), targets) in guarding.bridges(&self.backward, |_| true) {
            steps.entry((from, to)).or_insert_with(|| (edges, Gain::default())).1.targets = targets;
        }
        let cutting = self.cutting(&ends, |_| true);
        for (node, starts) in cutting.nodes(self) {
            nodes.entry(node).or_default().starts = starts;
        }
        for ((to, from, edges), starts) in cutting.bridges(&self.forward, |_| true) {
            steps.entry((from, to)).or_insert_with(|| (edges, Gain::default())).1.starts = starts;
        }

        for target in &ends.targets {
            nodes.remove(target);
        }
        let mut nodes: Vec<ChokeNode> = nodes.into_iter().map(|(node, gain)| ChokeNode { node, gain }).collect();
        nodes.sort_by_key(|choke| (Reverse(choke.gain), choke.node));
        let step =
            |((from, to), (edges, gain))| ChokeStep { from: self.node_of(from), to: self.node_of(to), edges, gain };
        let mut steps: Vec<ChokeStep> = steps.into_iter().map(step).collect();
        steps.sort_by_key(|choke| (Reverse(choke.gain), choke.from, choke.to));
        ChokePoints { starts: cutting.counted(), targets: guarding.counted(), nodes, steps }
    }

    fn guarding(&self, ends: &Ends) -> Passes {
        let starts = ends.starts.iter().map(|node| self.start(*node));
        let tree = Dominators::new(&self.forward, &self.backward, starts, |_| true);
        Passes::new(tree, ends.targets.iter().map(|node| self.reached(*node)))
    }

    /// Where every way from a start to the targets passes, over open edges.
    pub(crate) fn cutting(&self, ends: &Ends, open: impl Fn(EdgeId) -> bool) -> Passes {
        let targets = ends.targets.iter().map(|node| self.reached(*node));
        let tree = Dominators::new(&self.backward, &self.forward, targets, open);
        Passes::new(tree, ends.starts.iter().map(|node| self.start(*node)))
    }
}

/// A tree of dominators with the number of counted vertices below each.
pub(crate) struct Passes {
    tree: Dominators,
    own: Vec<u64>,
    below: Vec<u64>,
}

impl Passes {
    fn new(tree: Dominators, counted: impl Iterator<Item = u32>) -> Self {
        let mut own = vec![0; tree.vertices.len()];
        for number in counted.filter_map(|vertex| tree.number(vertex)) {
            own[number] += 1;
        }
        let below = tree.summed(own.clone());
        Self { tree, own, below }
    }

    /// Counted vertices that are reached at all.
    pub(crate) fn counted(&self) -> u64 {
        self.below[0]
    }

    /// Nodes with what is cut off from the roots when they go, themselves left out.
    fn nodes(&self, routes: &Routes<'_>) -> impl Iterator<Item = (NodeId, u64)> {
        (1..self.below.len()).filter_map(|number| {
            let vertex = self.tree.vertices[number];
            let cut = self.below[number] - self.own[number];
            (cut > 0).then(|| (routes.node_of(vertex), cut))
        })
    }

    /// `backward` are the rows against the direction of the tree. Steps that alone lead to what they lead to, with what is cut off from the roots when they go.
    pub(crate) fn bridges(
        &self,
        backward: &Rows,
        open: impl Fn(EdgeId) -> bool,
    ) -> impl Iterator<Item = (Bridge, u64)> {
        let tree = &self.tree;
        (1..self.below.len()).filter(|number| self.below[*number] > 0).filter_map(move |number| {
            let above = tree.nearest[number] as usize;
            if above == 0 {
                return None;
            }
            let mut edges = Vec::new();
            for (earlier, edge) in backward.steps(tree.vertices[number]) {
                let Some(earlier) = tree.number(earlier) else { continue };
                if !edge.is_none_or(&open) {
                    continue;
                }
                if earlier == above {
                    edges.push(edge?);
                } else if !tree.dominates(number, earlier) {
                    // Another way in, that does not come from here.
                    return None;
                }
            }
            Some(((tree.vertices[above], tree.vertices[number], edges), self.below[number]))
        })
    }
}
