//! What leads to some nodes: for each node how many steps away they are, and for each edge whether some way to them takes it. One
//! search backwards; nothing is listed that grows with the number of ways.
#![expect(clippy::indexing_slicing, reason = "columns are as long as the graph's, and vertices are numbered by it")]

use crate::graph::{EdgeId, NodeId};
use crate::routes::Routes;

/// The ways to some nodes.
#[derive(Clone, Debug)]
pub struct Towards {
    /// By node; 0 for the nodes themselves.
    steps: Vec<Option<u32>>,
    /// By edge.
    edges: Vec<bool>,
}

impl Towards {
    /// How many steps a compromise of the node is from the nearest of them; `None`: no way leads there.
    pub fn steps(&self, node: NodeId) -> Option<u32> {
        self.steps.get(node.index()).copied().flatten()
    }

    /// Whether a way from outside to them takes the edge. What leads from one of them to another is no way from outside.
    pub fn takes(&self, edge: EdgeId) -> bool {
        self.edges.get(edge.index()).copied().unwrap_or(false)
    }
}

impl Routes<'_> {
    /// Everything that leads to some nodes.
    pub fn towards(&self, to: &[NodeId]) -> Towards {
        let targets = self.ends(&[], to).targets;
        let mut is_target = vec![false; self.graph().node_count()];
        for node in &targets {
            is_target[node.index()] = true;
        }
        let mut distances: Vec<Option<u32>> = vec![None; self.vertices()];
        let mut edges = vec![false; self.graph().edge_count()];
        let mut here: Vec<u32> = targets.iter().map(|node| self.reached(*node)).collect();
        for vertex in &here {
            distances[*vertex as usize] = Some(0);
        }
        let mut distance = 0;
        while !here.is_empty() {
            let mut further = Vec::new();
            while let Some(vertex) = here.pop() {
                if distances[vertex as usize] != Some(distance) {
                    continue;
                }
                for (earlier, edge) in self.backward.steps(vertex) {
                    // From acting to being reached is no step.
                    let at = match edge {
                        Some(_) if is_target[self.node_of(earlier).index()] => continue,
                        Some(edge) => {
                            edges[edge.index()] = true;
                            distance + 1
                        }
                        None => distance,
                    };
                    let known = &mut distances[earlier as usize];
                    if known.is_none_or(|known| at < known) {
                        *known = Some(at);
                        if at == distance { here.push(earlier) } else { further.push(earlier) }
                    }
                }
            }
            here = further;
            distance += 1;
        }
        let steps = self.graph().node_ids().map(|node| {
            let whole = is_target[node.index()].then_some(0);
            whole.or_else(|| self.is_here(node).then(|| distances[self.start(node) as usize]).flatten())
        });
        Towards { steps: steps.collect(), edges }
    }
}
