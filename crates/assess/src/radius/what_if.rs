//! What would be different without something, in the figures of the summary and for the nodes that it changes most for.

use countersign_graph::{Change, Graph, Memory, NodeId, Reach, Routes, Stopped, Watch};
use serde::{Deserialize, Serialize};

use super::Spread;
use super::named::{Named, NamedNode};

/// The two figures that a change is measured by.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figures {
    /// Enabled identities that reach tier zero, its members among them.
    pub reach_tier_zero: u64,
    pub radius: Spread,
}

/// A node whose blast radius changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangedRadius {
    pub node: NamedNode,
    pub before: u64,
    /// 0 for a node that is gone.
    pub after: u64,
    pub tier_zero_before: u64,
    pub tier_zero_after: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WhatIf {
    pub before: Figures,
    pub after: Figures,
    /// How many nodes reach another number of others.
    pub changed: u64,
    /// The greatest changes first.
    pub nodes: Vec<ChangedRadius>,
}

impl Named<'_> {
    /// The figures before and after a change, with at most `most` of the nodes that it changes something for.
    ///
    /// # Errors
    /// When `watch` stops it.
    pub fn what_if(
        &self,
        routes: &Routes<'_>,
        change: &Change,
        most: usize,
        watch: Watch<'_>,
    ) -> Result<WhatIf, Stopped> {
        let difference = routes.what_if(change, Memory::default(), watch)?;
        // Whoever is removed or disabled is no longer anybody to be compromised; the figures are about the same people twice.
        let identities = self.identities();
        let changed = difference.changed();
        let zero = |reach: &Reach, node| reach.of(node).map_or(0, |counts| counts.tier_zero());
        let nodes = changed.iter().take(most).filter_map(|one| {
            Some(ChangedRadius {
                node: self.node(one.node)?,
                before: one.before,
                after: one.after,
                tier_zero_before: zero(&difference.before, one.node),
                tier_zero_after: zero(&difference.after, one.node),
            })
        });
        Ok(WhatIf {
            before: figures(self.graph(), &difference.before, &identities),
            after: figures(self.graph(), &difference.after, &identities),
            changed: changed.len() as u64,
            nodes: nodes.collect(),
        })
    }
}

pub(crate) fn figures(graph: &Graph, reach: &Reach, identities: &[NodeId]) -> Figures {
    let mut all: Vec<u64> = Vec::with_capacity(identities.len());
    let mut reach_tier_zero = 0;
    for (id, counts) in identities.iter().map(|id| (*id, reach.of(*id))) {
        // Nobody counts itself, and who is of tier zero need not get anywhere to be there.
        let is_there = graph.node(id).is_some_and(|node| node.tier_zero);
        all.push(counts.map_or(0, |counts| counts.all()));
        reach_tier_zero += u64::from(counts.is_some_and(|counts| is_there || counts.tier_zero() > 0));
    }
    Figures { reach_tier_zero, radius: Spread::new("all", &mut all) }
}
