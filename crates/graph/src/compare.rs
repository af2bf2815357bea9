//! The three layers beside one another: what is granted and never used, what is granted although policy refuses it, what is used
//! although nothing grants it.

use std::cmp::Reverse;

use countersign_model::Timestamp;

use crate::graph::{Edge, EdgeId, Graph};
use crate::kind::Effect;
use crate::layer::Enforceable;

/// Edges that stand otherwise in one layer than in another. Relations that alone open nothing are not among them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Granted, not refused by policy, and not used since the instant asked for: the first to go, in order. What leads to tier
    /// zero stands first, then by the target's tier, control before use, never used before used long ago.
    pub unused: Vec<EdgeId>,
    /// Granted, and refused by policy where it is enforced: without effect there, but still in force around it.
    pub refused: Vec<EdgeId>,
    /// Used, and granted by nothing that was taken in.
    pub ungranted: Vec<EdgeId>,
    /// Used although policy refuses it: it does not pass where policy is enforced.
    pub around: Vec<EdgeId>,
}

impl Graph {
    /// `since`: use before it does not count as use.
    pub fn compare(&self, since: Timestamp) -> Comparison {
        let mut comparison = Comparison::default();
        let mut unused = Vec::new();
        for id in self.edge_ids() {
            let Some(edge) = self.edge(id) else { continue };
            if edge.denies || !edge.kind.meaning().traversed {
                continue;
            }
            let refused = edge.enforceable == Enforceable::Refused;
            let used = edge.exercised.is_some_and(|seen| seen.last >= since);
            match (edge.granted, refused) {
                (true, true) => comparison.refused.push(id),
                (true, false) if !used => unused.push((self.urgency(&edge), id)),
                (false, _) if used => comparison.ungranted.push(id),
                _ => {}
            }
            if refused && used {
                comparison.around.push(id);
            }
        }
        unused.sort_unstable();
        comparison.unused = unused.into_iter().map(|(_, id)| id).collect();
        comparison
    }

    fn urgency(&self, edge: &Edge) -> impl Ord + use<> {
        let target = self.node(edge.to);
        let tier = target.as_ref().and_then(|target| target.tier);
        let tier_zero = target.is_some_and(|target| target.tier_zero);
        let used = edge.kind.meaning().effect == Effect::Use;
        (Reverse(tier_zero), Reverse(tier), used, edge.exercised.map(|seen| seen.last))
    }
}
