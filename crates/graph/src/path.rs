//! The shortest ways from some nodes to some others: one, all of them, how many, and how many of them take which step.
//!
//! A path is a sequence of nodes. Where several edges make the same step at the same effort it is still one path, and the step names
//! them all. All paths found are equally short; there may be far more than anybody reads, so they come one at a time, and
//! their number is counted without listing them: exactly up to 2^128.
#![expect(clippy::indexing_slicing, reason = "vertices and junctions are numbered here")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::graph::{EdgeId, NodeId};
use crate::routes::Routes;

/// How many paths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PathCount {
    Exactly(u128),
    /// 2^128 or more.
    Uncounted,
}

/// One path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    pub start: NodeId,
    pub steps: Vec<Step>,
}

/// One step of a path: the node that it leads to, and each edge that makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub to: NodeId,
    pub edges: Vec<EdgeId>,
}

/// A step with the number of shortest paths that take it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traffic {
    pub from: NodeId,
    pub step: Step,
    pub paths: PathCount,
}

/// All shortest paths between two sets of nodes.
#[derive(Clone, Debug)]
pub struct Shortest {
    effort: u64,
    /// In the order of their distance from the starts.
    junctions: Vec<Junction>,
    /// Junctions of the targets that are nearest.
    ends: Vec<usize>,
}

/// A node on a shortest path.
#[derive(Clone, Debug)]
struct Junction {
    node: NodeId,
    /// Junctions before it with the edges from there; none at a start.
    before: Vec<(usize, Vec<EdgeId>)>,
    /// Paths from the starts to here; `None` for too many to count.
    paths: Option<u128>,
}

impl Routes<'_> {
    /// All shortest paths from any of some nodes to any of some others. `effort` is what an edge costs, 0 is read as 1: `|_| 1`
    /// counts steps, [`Routes::effort`] weighs kinds. Whoever is both is no start. `None`: no way leads there.
    pub fn shortest(&self, from: &[NodeId], to: &[NodeId], effort: impl Fn(EdgeId) -> u32) -> Option<Shortest> {
        let ends = self.ends(from, to);
        let cost = |edge: Option<EdgeId>| edge.map_or(0, |edge| u64::from(effort(edge).max(1)));
        let distances = self.distances(&ends.starts, cost);
        let distance = |vertex: u32| distances[vertex as usize];
        let nearest = ends.targets.iter().filter_map(|node| distance(self.reached(*node))).min()?;

        // Backwards from the nearest targets, over steps that lose no effort.
        let mut before: BTreeMap<(u64, u32), BTreeMap<u32, Vec<EdgeId>>> = BTreeMap::new();
        let targets = ends.targets.iter().map(|node| self.reached(*node));
        let found: Vec<u32> = targets.filter(|vertex| distance(*vertex) == Some(nearest)).collect();
        let mut open: Vec<(u64, u32)> = found.iter().map(|vertex| (nearest, *vertex)).collect();
        while let Some((at, vertex)) = open.pop() {
            if before.contains_key(&(at, vertex)) {
                continue;
            }
            // A target that acts and the same target reached are one node, so what comes before either comes before it.
            let acting = self.acting(self.node_of(vertex));
            let twins = [vertex, acting];
            let twins = if acting != vertex && distance(acting) == Some(at) { &twins[..] } else { &twins[..1] };
            let mut steps: BTreeMap<u32, Vec<EdgeId>> = BTreeMap::new();
            for (earlier, edge) in twins.iter().flat_map(|twin| self.backward.steps(*twin)) {
                let Some(edge) = edge else { continue };
                let Some(earliest) = distance(earlier) else { continue };
                if earliest + cost(Some(edge)) == at {
                    steps.entry(earlier).or_default().push(edge);
                    open.push((earliest, earlier));
                }
            }
            before.insert((at, vertex), steps);
        }

        // Every step costs something, so what comes before stands before.
        let numbers: BTreeMap<u32, usize> = before.keys().enumerate().map(|(number, key)| (key.1, number)).collect();
        let mut junctions: Vec<Junction> = Vec::with_capacity(before.len());
        for ((_, vertex), steps) in before {
            let before: Vec<(usize, Vec<EdgeId>)> =
                steps.into_iter().map(|(vertex, edges)| (numbers[&vertex], edges)).collect();
            let ways = before.iter().map(|(number, _)| junctions[*number].paths);
            let paths = if before.is_empty() { Some(1) } else { sum(ways) };
            junctions.push(Junction { node: self.node_of(vertex), before, paths });
        }
        Some(Shortest { effort: nearest, junctions, ends: found.iter().map(|vertex| numbers[vertex]).collect() })
    }

    /// What the kind of the edge says it takes ([`crate::Meaning::effort`]).
    pub fn effort(&self, edge: EdgeId) -> u32 {
        self.graph().edges.kinds.get(edge.index()).map_or(1, |kind| u32::from(kind.meaning().effort))
    }

    /// Dijkstra's algorithm.
    fn distances(&self, starts: &[NodeId], cost: impl Fn(Option<EdgeId>) -> u64) -> Vec<Option<u64>> {
        let mut distances = vec![None; self.vertices()];
        let mut open = BinaryHeap::new();
        for vertex in starts.iter().map(|node| self.start(*node)) {
            distances[vertex as usize] = Some(0);
            open.push(Reverse((0, vertex)));
        }
        while let Some(Reverse((at, vertex))) = open.pop() {
            if distances[vertex as usize] != Some(at) {
                continue;
            }
            for (end, edge) in self.forward.steps(vertex) {
                let further = at + cost(edge);
                let known = &mut distances[end as usize];
                if known.is_none_or(|known| further < known) {
                    *known = Some(further);
                    open.push(Reverse((further, end)));
                }
            }
        }
        distances
    }
}

fn sum(mut counts: impl Iterator<Item = Option<u128>>) -> Option<u128> {
    counts.try_fold(0_u128, |sum, count| sum.checked_add(count?))
}

fn told(count: Option<u128>) -> PathCount {
    count.map_or(PathCount::Uncounted, PathCount::Exactly)
}

impl Shortest {
    /// What each of the paths takes altogether.
    pub fn effort(&self) -> u64 {
        self.effort
    }

    pub fn count(&self) -> PathCount {
        told(sum(self.ends.iter().map(|end| self.junctions[*end].paths)))
    }

    /// Each path once, in the same order every time. Bound it with [`Iterator::take`].
    pub fn paths(&self) -> Paths<'_> {
        Paths { shortest: self, ends: self.ends.iter(), trail: Vec::new() }
    }

    /// Each step with the number of paths that take it, the busiest first.
    pub fn traffic(&self) -> Vec<Traffic> {
        let mut onwards: Vec<Option<u128>> = vec![Some(0); self.junctions.len()];
        for end in &self.ends {
            onwards[*end] = Some(1);
        }
        let mut traffic = Vec::new();
        for (number, junction) in self.junctions.iter().enumerate().rev() {
            for (earlier, edges) in &junction.before {
                let passing = self.junctions[*earlier].paths.zip(onwards[number]);
                let paths = told(passing.and_then(|(to, from)| to.checked_mul(from)));
                let step = Step { to: junction.node, edges: edges.clone() };
                traffic.push(Traffic { from: self.junctions[*earlier].node, step, paths });
                onwards[*earlier] = sum([onwards[*earlier], onwards[number]].into_iter());
            }
        }
        traffic.sort_by_key(|traffic| (Reverse(traffic.paths), traffic.from, traffic.step.to));
        traffic
    }
}

/// Paths one after the other: see [`Shortest::paths`].
#[derive(Debug)]
pub struct Paths<'s> {
    shortest: &'s Shortest,
    ends: std::slice::Iter<'s, usize>,
    /// From a target backwards: each junction with the way before it that is taken.
    trail: Vec<(usize, usize)>,
}

impl Iterator for Paths<'_> {
    type Item = Path;

    fn next(&mut self) -> Option<Path> {
        let junctions = &self.shortest.junctions;
        // Back to the last junction with another way before it; when there is none, the next target.
        while let Some((junction, way)) = self.trail.pop() {
            if way + 1 < junctions[junction].before.len() {
                self.trail.push((junction, way + 1));
                break;
            }
        }
        if self.trail.is_empty() {
            self.trail.push((*self.ends.next()?, 0));
        }
        while let Some((junction, way)) = self.trail.last()
            && let Some((earlier, _)) = junctions[*junction].before.get(*way)
        {
            self.trail.push((*earlier, 0));
        }
        let start = junctions[self.trail.last()?.0].node;
        let steps = self.trail.iter().rev().filter_map(|(junction, way)| {
            let (_, edges) = junctions[*junction].before.get(*way)?;
            Some(Step { to: junctions[*junction].node, edges: edges.clone() })
        });
        Some(Path { start, steps: steps.collect() })
    }
}
