//! The exact blast radius of every node at once, and the exposure of every node: how many others it reaches, and how many reach
//! it, by class.
//!
//! Components are closed in an order in which everything that one leads to is done before it. A set of reached nodes is a
//! row of bits; all rows together would be as large as the square of the estate, so they are computed in blocks of columns, and only counts
//! are kept. Columns are sorted by class and each class begins a word, so that counting by class is counting bits. A node never counts
//! itself; members of a circle reach each other.
#![expect(clippy::indexing_slicing, reason = "rows, columns and classes are numbered here")]

use countersign_model::Tier;

use crate::components::Components;
use crate::graph::{EdgeId, NodeId};
use crate::kind::NodeKind;
use crate::progress::{Stopped, Watch, tell};
use crate::routes::{Routes, Rows};

/// What counts are kept apart by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Class {
    pub kind: NodeKind,
    pub tier: Option<Tier>,
    pub tier_zero: bool,
}

/// Counts of every node, from [`Routes::blast_radius`] or [`Routes::exposure`].
#[derive(Clone, Debug)]
pub struct Reach {
    classes: Vec<Class>,
    /// Of each node its row; `None` where the node was removed.
    rows: Vec<Option<u32>>,
    class_of: Vec<u32>,
    /// Rows of one count per class. A row is shared by all nodes of a circle, so it counts its own nodes too.
    counts: Vec<u32>,
}

/// What one node reaches, or is reached by; itself not among them.
#[derive(Clone, Copy, Debug)]
pub struct Counts<'r> {
    classes: &'r [Class],
    row: &'r [u32],
    own: usize,
}

impl Reach {
    /// The nodes of the graph, those that were removed among them.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.rows.len() as u32).map(NodeId)
    }

    /// `None` for a node that was removed or is not of this graph.
    pub fn of(&self, node: NodeId) -> Option<Counts<'_>> {
        let row = *self.rows.get(node.index())?.as_ref()? as usize;
        let width = self.classes.len();
        let row = self.counts.get(row * width..(row + 1) * width)?;
        Some(Counts { classes: &self.classes, row, own: *self.class_of.get(node.index())? as usize })
    }
}

impl Counts<'_> {
    /// Every class that there is in the graph, with its count, which may be 0.
    pub fn by_class(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        let own = |at: usize| u64::from(at == self.own);
        let counted = self.classes.iter().zip(self.row).enumerate();
        counted.map(move |(at, (class, count))| (*class, u64::from(*count) - own(at)))
    }

    pub fn of(&self, wanted: impl Fn(Class) -> bool) -> u64 {
        self.by_class().filter(|(class, _)| wanted(*class)).map(|(_, count)| count).sum()
    }

    pub fn all(&self) -> u64 {
        self.of(|_| true)
    }

    pub fn tier_zero(&self) -> u64 {
        self.of(|class| class.tier_zero)
    }

    pub fn tier(&self, tier: Tier) -> u64 {
        self.of(|class| class.tier == Some(tier))
    }

    pub fn kind(&self, kind: NodeKind) -> u64 {
        self.of(|class| class.kind == kind)
    }

    /// The sum of what each is worth, by its class.
    pub fn weighed(&self, weight: impl Fn(Class) -> u32) -> u128 {
        self.by_class().map(|(class, count)| u128::from(weight(class)) * u128::from(count)).sum()
    }
}

/// How much memory the rows under way may take. Counts and routes come on top and do not grow with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory(pub usize);

impl Default for Memory {
    /// 64 MiB: the widest blocks up to 130,000 components, a quarter of them up to half a million. Below 8 bytes per component the
    /// bound cannot be kept.
    fn default() -> Self {
        Self(64 << 20)
    }
}

impl Routes<'_> {
    /// How many nodes each node reaches.
    ///
    /// # Errors
    /// When `watch` stops it.
    pub fn blast_radius(&self, memory: Memory, watch: Watch<'_>) -> Result<Reach, Stopped> {
        let components = Components::new(&self.forward);
        let of = |vertex: u32| components.of[vertex as usize];
        closed(self, &components, |node| of(self.start(node)), |node| of(self.reached(node)), memory, watch)
    }

    /// How many nodes reach each node: the same, backwards.
    ///
    /// # Errors
    /// When `watch` stops it.
    pub fn exposure(&self, memory: Memory, watch: Watch<'_>) -> Result<Reach, Stopped> {
        let components = Components::new(&self.forward).reversed();
        let of = |vertex: u32| components.of[vertex as usize];
        closed(self, &components, |node| of(self.reached(node)), |node| of(self.start(node)), memory, watch)
    }
}

/// Some nodes as starts and some as targets. Whoever is both is a target: what one has already, one need not reach.
pub(crate) struct Ends {
    pub(crate) starts: Vec<NodeId>,
    pub(crate) targets: Vec<NodeId>,
}

impl Routes<'_> {
    pub(crate) fn ends(&self, from: &[NodeId], to: &[NodeId]) -> Ends {
        let mut is_target = vec![false; self.graph().node_count()];
        let mut is_start = is_target.clone();
        for (ids, marks) in [(to, &mut is_target), (from, &mut is_start)] {
            for id in ids.iter().filter(|id| self.is_here(**id)) {
                marks[id.index()] = true;
            }
        }
        Ends {
            starts: self.here().filter(|id| is_start[id.index()] && !is_target[id.index()]).collect(),
            targets: self.here().filter(|id| is_target[id.index()]).collect(),
        }
    }

    /// Every node that somebody who has all of these reaches, these not among them.
    pub fn reached_from(&self, from: &[NodeId]) -> Vec<NodeId> {
        let ends = self.ends(from, &[]);
        let seen = spread(&self.forward, ends.starts.iter().map(|node| self.start(*node)), |_| true);
        let others = self.ends(&[], from).targets;
        self.here().filter(|node| seen[self.reached(*node) as usize] && others.binary_search(node).is_err()).collect()
    }

    /// Every node that reaches one of these, these not among them: the exposure of the set.
    pub fn reaching(&self, to: &[NodeId]) -> Vec<NodeId> {
        let targets = self.ends(&[], to).targets;
        let seen = self.sees(&targets, |_| true);
        self.here().filter(|node| seen[self.start(*node) as usize] && targets.binary_search(node).is_err()).collect()
    }

    /// The vertices that lead to one of these over open edges.
    pub(crate) fn sees(&self, targets: &[NodeId], open: impl Fn(EdgeId) -> bool) -> Vec<bool> {
        spread(&self.backward, targets.iter().map(|node| self.reached(*node)), open)
    }
}

/// The vertices that some lead to over open edges, themselves included.
pub(crate) fn spread(rows: &Rows, from: impl Iterator<Item = u32>, open: impl Fn(EdgeId) -> bool) -> Vec<bool> {
    let mut seen = vec![false; rows.vertices()];
    let mut waiting: Vec<u32> = Vec::new();
    for vertex in from {
        if !std::mem::replace(&mut seen[vertex as usize], true) {
            waiting.push(vertex);
        }
    }
    while let Some(vertex) = waiting.pop() {
        for (end, edge) in rows.steps(vertex) {
            if !seen[end as usize] && edge.is_none_or(&open) {
                seen[end as usize] = true;
                waiting.push(end);
            }
        }
    }
    seen
}

/// Columns of all nodes, sorted by class.
struct Columns {
    classes: Vec<Class>,
    class_of: Vec<u32>,
    /// The component of each column; `EMPTY` where a class ended before its word did.
    components: Vec<u32>,
    /// The class of each word.
    words: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

impl Columns {
    fn new(routes: &Routes<'_>, component: impl Fn(NodeId) -> u32) -> Self {
        let nodes = &routes.graph().nodes;
        let class = |at: usize| Class { kind: nodes.kinds[at], tier: nodes.tiers[at], tier_zero: nodes.tier_zero[at] };
        let mut classes: Vec<Class> = (0..nodes.kinds.len()).map(class).collect();
        let of_nodes = classes.clone();
        classes.sort_unstable();
        classes.dedup();
        let number = |class: &Class| classes.binary_search(class).unwrap_or_default() as u32;
        let class_of: Vec<u32> = of_nodes.iter().map(number).collect();

        let mut members = vec![Vec::new(); classes.len()];
        for node in routes.here() {
            members[class_of[node.index()] as usize].push(component(node));
        }
        let (mut components, mut words) = (Vec::new(), Vec::new());
        for (class, mut members) in members.into_iter().enumerate() {
            // Neighbours in the order of components share their ways: their bits then lie in the same words.
            members.sort_unstable();
            components.extend(members);
            components.resize(components.len().next_multiple_of(64), EMPTY);
            words.resize(components.len() / 64, class as u32);
        }
        Self { classes, class_of, components, words }
    }
}

fn closed(
    routes: &Routes<'_>,
    components: &Components,
    row: impl Fn(NodeId) -> u32,
    column: impl Fn(NodeId) -> u32,
    memory: Memory,
    watch: Watch<'_>,
) -> Result<Reach, Stopped> {
    let columns = Columns::new(routes, column);
    let words = memory.0 / (8 * components.count().max(1));
    let counts = match words {
        64.. => counted::<64>(components, &columns, watch),
        16.. => counted::<16>(components, &columns, watch),
        4.. => counted::<4>(components, &columns, watch),
        _ => counted::<1>(components, &columns, watch),
    }?;
    let rows = routes.graph().node_ids().map(|node| routes.is_here(node).then(|| row(node))).collect();
    Ok(Reach { classes: columns.classes, rows, class_of: columns.class_of, counts })
}

fn counted<const WORDS: usize>(
    components: &Components,
    columns: &Columns,
    watch: Watch<'_>,
) -> Result<Vec<u32>, Stopped> {
    let width = columns.classes.len();
    let mut counts = vec![0_u32; components.count() * width];
    let mut rows = vec![[0_u64; WORDS]; components.count()];
    let mut live = vec![false; components.count()];
    let blocks = columns.words.len().div_ceil(WORDS);
    for (block, (classes, held)) in columns.words.chunks(WORDS).zip(columns.components.chunks(64 * WORDS)).enumerate() {
        tell(watch, block, blocks)?;
        rows.fill([0; WORDS]);
        live.fill(false);
        for (bit, &component) in held.iter().enumerate().filter(|(_, component)| **component != EMPTY) {
            rows[component as usize][bit / 64] |= 1 << (bit % 64);
            live[component as usize] = true;
        }
        // Nothing reaches a component of a greater number, so what stands before the first one held here stays empty.
        let first = held.iter().min().map_or(0, |&component| component as usize);
        for component in first..components.count() {
            let mut row = rows[component];
            let mut any = live[component];
            let reaching = components.successors(component).iter().rev().take_while(|other| **other as usize >= first);
            for &successor in reaching {
                if live[successor as usize] {
                    any = true;
                    for (word, other) in row.iter_mut().zip(&rows[successor as usize]) {
                        *word |= other;
                    }
                }
            }
            if !any {
                continue;
            }
            live[component] = true;
            rows[component] = row;
            let counts = &mut counts[component * width..(component + 1) * width];
            for (word, &class) in row.iter().zip(classes) {
                counts[class as usize] += word.count_ones();
            }
        }
    }
    Ok(counts)
}
