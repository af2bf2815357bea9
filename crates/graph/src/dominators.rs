//! Dominators: what every way from some roots to a vertex passes. Lengauer and Tarjan's algorithm (1979) with path compression,
//! without recursion, in the numbers of a depth-first search from one imagined root before all of them.
#![expect(clippy::indexing_slicing, reason = "vertices are numbered here, in the order of discovery")]

use crate::graph::EdgeId;
use crate::routes::Rows;

const NONE: u32 = u32::MAX;

/// The tree of dominators over the numbers of discovery; 0 is the imagined root.
pub(crate) struct Dominators {
    /// The vertex of each number; meaningless for 0.
    pub(crate) vertices: Vec<u32>,
    /// The number of each vertex; `NONE` for what is not reached.
    numbers: Vec<u32>,
    /// The nearest number that every way passes. Smaller than the number itself.
    pub(crate) nearest: Vec<u32>,
    /// Each number's place in a preorder of the tree, and how many stand below it, itself included.
    places: Vec<u32>,
    sizes: Vec<u32>,
}

impl Dominators {
    pub(crate) fn new(
        rows: &Rows,
        backward: &Rows,
        roots: impl Iterator<Item = u32>,
        open: impl Fn(EdgeId) -> bool,
    ) -> Self {
        let open = |edge: Option<EdgeId>| edge.is_none_or(&open);
        let mut is_root = vec![false; rows.vertices()];
        let roots: Vec<u32> = roots.inspect(|root| is_root[*root as usize] = true).collect();
        let Search { vertices, numbers, parents } = searched(rows, &roots, open);

        let count = vertices.len();
        let mut forest = Forest {
            ancestors: vec![NONE; count],
            best: (0..count as u32).collect(),
            semi: (0..count as u32).collect(),
            trail: Vec::new(),
        };
        let mut nearest = vec![0_u32; count];
        // Vertices by semidominator, as lists.
        let (mut first, mut next) = (vec![NONE; count], vec![NONE; count]);
        for number in (1..count as u32).rev() {
            let at = number as usize;
            let mut semi = parents[at];
            if is_root[vertices[at] as usize] {
                semi = 0;
            }
            for (earlier, edge) in backward.steps(vertices[at]) {
                let earlier = numbers[earlier as usize];
                if earlier != NONE && open(edge) {
                    let best = forest.best(earlier);
                    semi = semi.min(forest.semi[best as usize]);
                }
            }
            forest.semi[at] = semi;
            next[at] = std::mem::replace(&mut first[semi as usize], number);
            let parent = parents[at];
            forest.ancestors[at] = parent;
            let mut waiting = std::mem::replace(&mut first[parent as usize], NONE);
            while waiting != NONE {
                let best = forest.best(waiting);
                let passed = forest.semi[best as usize] < forest.semi[waiting as usize];
                nearest[waiting as usize] = if passed { best } else { parent };
                waiting = next[waiting as usize];
            }
        }
        for at in 1..count {
            if nearest[at] != forest.semi[at] {
                nearest[at] = nearest[nearest[at] as usize];
            }
        }

        let mut sizes = vec![1_u32; count];
        for at in (1..count).rev() {
            sizes[nearest[at] as usize] += sizes[at];
        }
        let (mut places, mut free) = (vec![0_u32; count], vec![1_u32; count]);
        for at in 1..count {
            let above = nearest[at] as usize;
            places[at] = free[above];
            free[above] += sizes[at];
            free[at] = places[at] + 1;
        }
        Self { vertices, numbers, nearest, places, sizes }
    }

    pub(crate) fn number(&self, vertex: u32) -> Option<usize> {
        self.numbers.get(vertex as usize).filter(|number| **number != NONE).map(|number| *number as usize)
    }

    /// Whether every way to `below` passes `above`; each does so to itself.
    pub(crate) fn dominates(&self, above: usize, below: usize) -> bool {
        (self.places[above]..self.places[above] + self.sizes[above]).contains(&self.places[below])
    }

    /// Of each number the sum over what it dominates, itself included.
    pub(crate) fn summed(&self, mut values: Vec<u64>) -> Vec<u64> {
        for at in (1..values.len()).rev() {
            values[self.nearest[at] as usize] += values[at];
        }
        values
    }
}

struct Search {
    vertices: Vec<u32>,
    numbers: Vec<u32>,
    parents: Vec<u32>,
}

fn searched(rows: &Rows, roots: &[u32], open: impl Fn(Option<EdgeId>) -> bool) -> Search {
    let (mut vertices, mut numbers, mut parents) = (vec![NONE], vec![NONE; rows.vertices()], vec![0]);
    let mut calls = Vec::new();
    for &root in roots {
        if numbers[root as usize] != NONE {
            continue;
        }
        numbers[root as usize] = vertices.len() as u32;
        vertices.push(root);
        parents.push(0);
        calls.push((root, rows.steps(root)));
        while let Some((vertex, steps)) = calls.last_mut() {
            let unseen = |(end, edge): &(u32, Option<EdgeId>)| numbers[*end as usize] == NONE && open(*edge);
            let Some((end, _)) = steps.find(unseen) else {
                calls.pop();
                continue;
            };
            parents.push(numbers[*vertex as usize]);
            numbers[end as usize] = vertices.len() as u32;
            vertices.push(end);
            calls.push((end, rows.steps(end)));
        }
    }
    Search { vertices, numbers, parents }
}

/// What was searched so far, linked to its parents; finds the least semidominator on the way to the top of a tree.
struct Forest {
    ancestors: Vec<u32>,
    best: Vec<u32>,
    semi: Vec<u32>,
    trail: Vec<u32>,
}

impl Forest {
    fn best(&mut self, number: u32) -> u32 {
        let mut at = number;
        // Up to the child of the top: the top itself was not linked yet.
        while self.ancestors[at as usize] != NONE && self.ancestors[self.ancestors[at as usize] as usize] != NONE {
            self.trail.push(at);
            at = self.ancestors[at as usize];
        }
        while let Some(below) = self.trail.pop() {
            let above = self.ancestors[below as usize] as usize;
            if self.semi[self.best[above] as usize] < self.semi[self.best[below as usize] as usize] {
                self.best[below as usize] = self.best[above];
            }
            self.ancestors[below as usize] = self.ancestors[above];
        }
        self.best[number as usize]
    }
}
