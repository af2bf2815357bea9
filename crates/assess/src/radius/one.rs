//! One node at a time: what it reaches and by which way it comes to what must not fall; and the shortest ways between any two.

use std::collections::BTreeMap;

use countersign_estate::{Kind, Node};
use countersign_graph::{NodeId, Path, PathCount, Routes};
use serde::{Deserialize, Serialize};

use super::named::{Named, NamedEdge, NamedNode, word};

/// How many nodes of tier zero are listed by name.
const LISTED: usize = 20;

/// The blast radius of one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OneRadius {
    pub node: NamedNode,
    pub reached: u64,
    pub by_kind: BTreeMap<String, u64>,
    /// Of what somebody classified.
    pub by_tier: BTreeMap<String, u64>,
    pub tier_zero_reached: u64,
    /// The first of them.
    pub tier_zero: Vec<NamedNode>,
    /// A shortest way to tier zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<NamedPath>,
    /// Identities that reach it.
    pub exposed_to: u64,
}

/// Shortest ways.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ways {
    /// Steps, or what the steps take together, as was asked for.
    pub length: u64,
    /// How many ways are as short; `None`: 2^128 or more. A number may be larger than JSON readers expect, so it is a text.
    pub count: Option<String>,
    pub paths: Vec<NamedPath>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NamedPath {
    pub start: NamedNode,
    pub steps: Vec<NamedStep>,
}

/// A step, with each edge that makes it: one of them suffices.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NamedStep {
    pub to: NamedNode,
    pub edges: Vec<NamedEdge>,
}

impl Named<'_> {
    /// What one node reaches. `None`: it is not of this graph.
    pub fn radius(&self, routes: &Routes<'_>, node: NodeId) -> Option<OneRadius> {
        let reached = routes.reached_from(&[node]);
        let (mut kinds, mut by_tier) = (BTreeMap::new(), BTreeMap::new());
        let mut tier_zero = Vec::new();
        for id in &reached {
            let Some(one) = self.graph().node(*id) else { continue };
            let kind = self.inventory().nodes().get(id.index()).map_or(Kind::Unknown, Node::kind);
            *kinds.entry(kind).or_insert(0) += 1;
            if let Some(tier) = one.tier {
                *by_tier.entry(tier.name().to_owned()).or_insert(0) += 1;
            }
            if one.tier_zero {
                tier_zero.push(*id);
            }
        }
        let identity = |id: &&NodeId| {
            self.graph().node(**id).is_some_and(|one| one.enabled && super::named::is_identity(one.kind))
        };
        Some(OneRadius {
            node: self.node(node)?,
            reached: reached.len() as u64,
            by_kind: kinds.into_iter().map(|(kind, count)| (word(kind), count)).collect(),
            by_tier,
            tier_zero_reached: tier_zero.len() as u64,
            tier_zero: self.nodes(tier_zero.iter().take(LISTED).copied()),
            way: self.ways(routes, &[node], &tier_zero, false, 1).and_then(|ways| ways.paths.into_iter().next()),
            exposed_to: routes.reaching(&[node]).iter().filter(identity).count() as u64,
        })
    }

    /// At most `most` of the shortest ways from any of some nodes to any of some others: by steps, or by what the steps take.
    /// Where a start is among the ends, as whoever is of tier zero is among them, ways to the others are meant. `None`: no way leads there.
    pub fn ways(
        &self,
        routes: &Routes<'_>,
        from: &[NodeId],
        to: &[NodeId],
        by_effort: bool,
        most: usize,
    ) -> Option<Ways> {
        // The graph takes whoever is both for arrived: asked from an administrator, it would know no way at all.
        let to: Vec<NodeId> = to.iter().copied().filter(|end| !from.contains(end)).collect();
        let shortest = routes.shortest(from, &to, |edge| if by_effort { routes.effort(edge) } else { 1 })?;
        Some(Ways {
            length: shortest.effort(),
            count: match shortest.count() {
                PathCount::Exactly(count) => Some(count.to_string()),
                PathCount::Uncounted => None,
            },
            paths: shortest.paths().take(most).filter_map(|path| self.path(&path)).collect(),
        })
    }

    pub fn path(&self, path: &Path) -> Option<NamedPath> {
        let steps = path
            .steps
            .iter()
            .map(|step| Some(NamedStep { to: self.node(step.to)?, edges: self.edges(step.edges.iter().copied()) }));
        Some(NamedPath { start: self.node(path.start)?, steps: steps.collect::<Option<_>>()? })
    }
}
