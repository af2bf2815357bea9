//! What to take away so that at most so many starts still reach a target, for little.
//!
//! That nobody does is a minimum cut, and the answer is the cheapest there is. That at most some do is hard to answer exactly:
//! the answer is the cheaper of two attempts, each checked by searching again, and neither holds a removal that could be left
//! out: step by step what cuts off most for its price; and the minimum cut with what is not needed put back. Starts with a way that
//! nothing on may be taken away are given up first.
#![expect(clippy::indexing_slicing, reason = "vertices, edges and removals are numbered by the routes and here")]

use crate::cut::cheapest;
use crate::graph::{EdgeId, NodeId};
use crate::progress::{Stopped, Watch, tell};
use crate::reach::Ends;
use crate::routes::Routes;

/// Edges to take away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// In the order in which they were found; they count together.
    pub removals: Vec<Removal>,
    pub price: u64,
    /// Starts that reach a target now.
    pub before: u64,
    /// Starts that still do afterwards: above what was asked for where nothing that may go would get there.
    pub after: u64,
    /// Nothing cheaper does the same.
    pub cheapest: bool,
}

/// Edges that go together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removal {
    pub edges: Vec<EdgeId>,
    pub price: u64,
}

impl Routes<'_> {
    /// What to take away so that at most `most` of the nodes `from` reach any of the nodes `to`. `price` of an edge: `None` may not go, 0
    /// is read as 1; [`crate::Graph::price_of_use`] is one. Whoever is both start and target is a target alone.
    ///
    /// # Errors
    /// When `watch` stops it.
    pub fn removals(
        &self,
        from: &[NodeId],
        to: &[NodeId],
        most: u64,
        price: impl Fn(EdgeId) -> Option<u32>,
        watch: Watch<'_>,
    ) -> Result<Plan, Stopped> {
        let price = |edge| Some(price(edge)?.max(1));
        let all = self.ends(from, to);
        let count = |seen: &[bool], starts: &[NodeId]| -> u64 {
            starts.iter().filter(|node| seen[self.start(**node) as usize]).count() as u64
        };
        let before = count(&self.sees(&all.targets, |_| true), &all.starts);
        // What may not be cut off is lost: from here on, only the others are counted.
        let uncut = self.sees(&all.targets, |edge| price(edge).is_none());
        let lost = count(&uncut, &all.starts);
        let starts = all.starts.into_iter().filter(|node| !uncut[self.start(*node) as usize]).collect();
        let ends = Ends { starts, targets: all.targets };
        let work = Work { routes: self, ends, most: most.saturating_sub(lost), price };
        let plan = |removals: Vec<Removal>, cheapest| {
            let gone = work.gone(&removals);
            let left = count(&self.sees(&work.ends.targets, |edge| !gone[edge.index()]), &work.ends.starts);
            let price = removals.iter().map(|removal| removal.price).sum();
            Plan { price, before, after: lost + left, cheapest, removals }
        };
        if before - lost <= work.most {
            return Ok(plan(Vec::new(), true));
        }
        let cut = work.cut(&work.gone(&[]), watch)?;
        if work.most == 0 {
            return Ok(plan(cut, true));
        }
        let cut = plan(work.needed(cut, watch)?, false);
        let Some(greedy) = work.greedy(cut.price, watch)? else { return Ok(cut) };
        let greedy = plan(greedy, false);
        Ok(if greedy.price <= cut.price { greedy } else { cut })
    }
}

struct Work<'r, 'g, P> {
    routes: &'r Routes<'g>,
    ends: Ends,
    most: u64,
    price: P,
}

impl<P: Fn(EdgeId) -> Option<u32>> Work<'_, '_, P> {
    /// Of each edge whether it is taken away.
    fn gone(&self, removals: &[Removal]) -> Vec<bool> {
        let mut gone = vec![false; self.routes.graph().edge_count()];
        for edge in removals.iter().flat_map(|removal| &removal.edges) {
            gone[edge.index()] = true;
        }
        gone
    }

    fn removal(&self, edges: Vec<EdgeId>) -> Option<Removal> {
        let prices = edges.iter().map(|edge| (self.price)(*edge).map(u64::from));
        let price = prices.sum::<Option<u64>>()?;
        Some(Removal { edges, price })
    }

    /// The cheapest removals that leave nobody, of what is left.
    fn cut(&self, gone: &[bool], watch: Watch<'_>) -> Result<Vec<Removal>, Stopped> {
        let cut = cheapest(self.routes, &self.ends, &self.price, |edge| !gone[edge.index()], watch)?;
        Ok(cut.into_iter().filter_map(|edge| self.removal(vec![edge])).collect())
    }

    /// One step after the other, each the one that cuts off most for its price; where no single step cuts anybody off, what is left
    /// is cut. `None` when it is given up: at its pace it would cost as much as `known`, which was found already.
    fn greedy(&self, known: u64, watch: Watch<'_>) -> Result<Option<Vec<Removal>>, Stopped> {
        let mut removals: Vec<Removal> = Vec::new();
        loop {
            let gone = self.gone(&removals);
            let open = |edge: EdgeId| !gone[edge.index()];
            let passes = self.routes.cutting(&self.ends, open);
            let left = passes.counted();
            if left <= self.most {
                break;
            }
            tell(watch, removals.len(), removals.len() + 1)?;
            let useful = left - self.most;
            let steps = passes.bridges(&self.routes.forward, open);
            let steps = steps.filter_map(|((.., edges), cut)| Some((self.removal(edges)?, cut.min(useful))));
            let best = steps.max_by(|(a, cut_a), (b, cut_b)| {
                let (for_a, for_b) =
                    (u128::from(*cut_a) * u128::from(b.price), u128::from(*cut_b) * u128::from(a.price));
                // Of two that pay the same the one that does more, then the one that came first.
                for_a.cmp(&for_b).then(cut_a.cmp(cut_b)).then_with(|| b.edges.cmp(&a.edges))
            });
            let Some((removal, cut)) = best else {
                removals.extend(self.cut(&gone, watch)?);
                break;
            };
            let spent: u64 = removals.iter().map(|removal| removal.price).sum();
            let pace = u128::from(removal.price) * u128::from(useful) / u128::from(cut);
            if u128::from(spent) + pace >= u128::from(known) {
                return Ok(None);
            }
            removals.push(removal);
        }
        self.needed(removals, watch).map(Some)
    }

    /// Without what can be put back, the dearest first. What is kept was needed beside fewer others than are kept in the end, so
    /// it is needed beside those.
    fn needed(&self, removals: Vec<Removal>, watch: Watch<'_>) -> Result<Vec<Removal>, Stopped> {
        let mut gone = self.gone(&removals);
        let mut is_start = vec![false; self.routes.vertices()];
        self.ends.starts.iter().for_each(|node| is_start[self.routes.start(*node) as usize] = true);
        let mut seen = self.routes.sees(&self.ends.targets, |edge| !gone[edge.index()]);
        let mut left = seen.iter().zip(&is_start).filter(|(seen, start)| **seen && **start).count() as u64;

        let mut order: Vec<usize> = (0..removals.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(removals[*at].price));
        let mut kept = vec![true; removals.len()];
        for (done, at) in order.into_iter().enumerate() {
            tell(watch, done, removals.len())?;
            let edges = &removals[at].edges;
            edges.iter().for_each(|edge| gone[edge.index()] = false);
            let back = self.put_back(edges, &gone, &mut seen, &is_start, self.most.saturating_sub(left));
            if let Some(more) = back {
                left += more;
                kept[at] = false;
            } else {
                edges.iter().for_each(|edge| gone[edge.index()] = true);
            }
        }
        let kept = removals.into_iter().zip(kept).filter(|(_, kept)| *kept);
        Ok(kept.map(|(removal, _)| removal).collect())
    }

    /// How many more starts are seen from the targets with these edges back; `None`, and nothing more is seen, if that is more than
    /// there is room for.
    fn put_back(
        &self,
        edges: &[EdgeId],
        gone: &[bool],
        seen: &mut [bool],
        is_start: &[bool],
        room: u64,
    ) -> Option<u64> {
        let mut fresh = Vec::new();
        let see = |vertex: u32, seen: &mut [bool], fresh: &mut Vec<u32>| {
            if !std::mem::replace(&mut seen[vertex as usize], true) {
                fresh.push(vertex);
            }
        };
        for (from, to) in edges.iter().filter_map(|edge| self.routes.arc(*edge)) {
            if seen[to as usize] {
                see(from, seen, &mut fresh);
            }
        }
        let (mut at, mut more) = (0, 0);
        while let Some(&vertex) = fresh.get(at) {
            at += 1;
            more += u64::from(is_start[vertex as usize]);
            if more > room {
                fresh.into_iter().for_each(|vertex| seen[vertex as usize] = false);
                return None;
            }
            for (earlier, edge) in self.routes.backward.steps(vertex) {
                if edge.is_none_or(|edge| !gone[edge.index()]) {
                    see(earlier, seen, &mut fresh);
                }
            }
        }
        Some(more)
    }
}
