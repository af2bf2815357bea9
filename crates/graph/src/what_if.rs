//! What would be different without something: blast radius or exposure of every node before and after, both computed whole. An
//! answer that carries over what seems untouched would have to be proven equal to this one, and would save a second.

use crate::graph::NodeId;
use crate::progress::{Stopped, Watch};
use crate::reach::{Memory, Reach};
use crate::routes::{Change, Routes};

/// The blast radius of every node, before and after.
#[derive(Clone, Debug)]
pub struct Difference {
    pub before: Reach,
    pub after: Reach,
}

/// A node whose blast radius changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Changed {
    pub node: NodeId,
    pub before: u64,
    /// 0 for a node that is gone.
    pub after: u64,
}

impl Routes<'_> {
    /// # Errors
    /// When `watch` stops it.
    pub fn what_if(&self, change: &Change, memory: Memory, watch: Watch<'_>) -> Result<Difference, Stopped> {
        let before = self.blast_radius(memory, watch)?;
        let after = self.changed(change).blast_radius(memory, watch)?;
        Ok(Difference { before, after })
    }
}

impl Difference {
    /// Nodes that reach another number of others, whatever their class; the greatest change first.
    pub fn changed(&self) -> Vec<Changed> {
        let count = |reach: &Reach, node| reach.of(node).map_or(0, |counts| counts.all());
        let nodes = self.before.nodes().map(|node| Changed {
            node,
            before: count(&self.before, node),
            after: count(&self.after, node),
        });
        let mut changed: Vec<Changed> = nodes.filter(|changed| changed.before != changed.after).collect();
        changed.sort_by_key(|changed| (std::cmp::Reverse(changed.before.abs_diff(changed.after)), changed.node));
        changed
    }
}
