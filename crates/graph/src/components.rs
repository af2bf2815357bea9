//! Strongly connected components, and the acyclic graph between them. Whoever has one node of a component has them all. Tarjan's
//! algorithm with a stack of its own: the depth of a graph is its author's choice, the depth of ours is not.
#![expect(clippy::indexing_slicing, reason = "vertices and components are numbered here")]

use crate::routes::{Routes, Rows};

const UNSEEN: u32 = u32::MAX;

/// Components are numbered so that every edge between two of them goes from the greater number to the smaller.
#[derive(Debug)]
pub(crate) struct Components {
    pub(crate) of: Vec<u32>,
    offsets: Vec<u32>,
    successors: Vec<u32>,
}

impl Components {
    pub(crate) fn new(rows: &Rows) -> Self {
        let (of, count) = tarjan(rows);
        let (offsets, successors) = condensed(rows, &of, count);
        Self { of, offsets, successors }
    }

    pub(crate) fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Each component once, in ascending order; all are smaller.
    pub(crate) fn successors(&self, component: usize) -> &[u32] {
        &self.successors[self.offsets[component] as usize..self.offsets[component + 1] as usize]
    }

    /// The same components with every edge turned round, numbered so that the promise above still holds.
    pub(crate) fn reversed(&self) -> Self {
        let count = self.count();
        let turned = |component: u32| count as u32 - 1 - component;
        let mut offsets = vec![0_u32; count + 1];
        for &successor in &self.successors {
            offsets[turned(successor) as usize + 1] += 1;
        }
        for at in 0..count {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let mut successors = vec![0; self.successors.len()];
        // From the greatest, so that what is turned round ascends.
        for component in (0..count).rev() {
            for &successor in self.successors(component) {
                let slot = &mut next[turned(successor) as usize];
                successors[*slot as usize] = turned(component as u32);
                *slot += 1;
            }
        }
        Self { of: self.of.iter().map(|&component| turned(component)).collect(), offsets, successors }
    }
}

/// Nodes that all reach one another, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Together {
    /// Components, those of one node among them.
    pub count: u64,
    /// Nodes of the largest.
    pub largest: u64,
}

impl Routes<'_> {
    /// How much of the graph is knotted together.
    pub fn components(&self) -> Together {
        let components = Components::new(&self.forward);
        let mut sizes = vec![0_u64; components.count()];
        for node in self.here() {
            sizes[components.of[self.acting(node) as usize] as usize] += 1;
        }
        sizes.retain(|size| *size > 0);
        Together { count: sizes.len() as u64, largest: sizes.into_iter().max().unwrap_or(0) }
    }
}

fn tarjan(rows: &Rows) -> (Vec<u32>, usize) {
    let vertices = rows.vertices();
    // Of a vertex under way: the earliest vertex that it is known to lead back to. Of one that is done: nothing.
    let mut low = vec![UNSEEN; vertices];
    let mut of = vec![UNSEEN; vertices];
    let mut open: Vec<u32> = Vec::new();
    // Vertex, its number in the order of discovery, and how much of its row is done.
    let mut calls: Vec<(u32, u32, usize)> = Vec::new();
    let (mut discovered, mut count) = (0, 0);
    for root in 0..vertices as u32 {
        if low[root as usize] != UNSEEN {
            continue;
        }
        calls.push((root, discovered, rows.range(root).start));
        low[root as usize] = discovered;
        open.push(root);
        discovered += 1;
        while let Some((vertex, number, cursor)) = calls.last_mut() {
            if *cursor < rows.range(*vertex).end {
                let end = rows.end(*cursor);
                *cursor += 1;
                if low[end as usize] == UNSEEN {
                    low[end as usize] = discovered;
                    calls.push((end, discovered, rows.range(end).start));
                    open.push(end);
                    discovered += 1;
                } else if of[end as usize] == UNSEEN {
                    low[*vertex as usize] = low[*vertex as usize].min(low[end as usize]);
                }
                continue;
            }
            let (vertex, number) = (*vertex, *number);
            calls.pop();
            if low[vertex as usize] == number {
                while let Some(member) = open.pop() {
                    of[member as usize] = count;
                    if member == vertex {
                        break;
                    }
                }
                count += 1;
            }
            if let Some((parent, ..)) = calls.last() {
                low[*parent as usize] = low[*parent as usize].min(low[vertex as usize]);
            }
        }
    }
    (of, count as usize)
}

fn condensed(rows: &Rows, of: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; count + 1];
    for &component in of {
        starts[component as usize + 1] += 1;
    }
    for at in 0..count {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut members = vec![0_u32; of.len()];
    for (vertex, &component) in of.iter().enumerate() {
        let slot = &mut next[component as usize];
        members[*slot as usize] = vertex as u32;
        *slot += 1;
    }
    // The last component that had each one as successor: what it shows again is not new.
    let mut seen = vec![UNSEEN; count];
    let mut offsets = Vec::with_capacity(count + 1);
    offsets.push(0);
    let mut successors: Vec<u32> = Vec::new();
    for component in 0..count {
        seen[component] = component as u32;
        for &member in &members[starts[component] as usize..starts[component + 1] as usize] {
            for &end in rows.ends(member) {
                let other = of[end as usize];
                if seen[other as usize] != component as u32 {
                    seen[other as usize] = component as u32;
                    successors.push(other);
                }
            }
        }
        successors[offsets[component] as usize..].sort_unstable();
        offsets.push(successors.len() as u32);
    }
    (offsets, successors)
}
