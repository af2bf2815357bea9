//! Who has what must not fall: from every object of tier zero backwards over memberships alone, and over memberships and
//! rights. The next edge of a shortest way is kept for each node, so that the way can be shown.

use std::collections::VecDeque;

use countersign_graph::{Direction, EdgeKind, Effect, Graph};

/// Ways to tier zero of every node, by the number of the node.
#[derive(Debug)]
pub(crate) struct Privilege {
    members: Ways,
    members_conditional: Ways,
    rights: Ways,
    rights_conditional: Ways,
    /// By edge of the graph, its place in the projection's evidence.
    evidence: Vec<u32>,
}

/// How a node comes to tier zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// It is of tier zero, or a member of what is.
    Direct,
    Nested,
    /// By rights over others, wherever memberships alone do not lead there.
    Rights,
    /// Only if a condition is met that nobody here can decide.
    Conditional,
    None,
}

#[derive(Debug)]
struct Ways {
    /// Steps to tier zero; `u32::MAX`: none.
    steps: Vec<u32>,
    /// The edge of the first step, and the node that it leads to.
    next: Vec<Option<(u32, u32)>>,
}

impl Privilege {
    pub(crate) fn of(graph: &Graph) -> Self {
        let evidence = graph.edge_ids().filter_map(|id| graph.edge(id)).map(|edge| edge.evidence.0).collect();
        let member = |kind: EdgeKind| kind == EdgeKind::MemberOf;
        // What is in the memory of a device is there for an hour; this asks for what stands.
        let right = |kind: EdgeKind| kind != EdgeKind::HasSession;
        Self {
            members: Ways::of(graph, member, false),
            members_conditional: Ways::of(graph, member, true),
            rights: Ways::of(graph, right, false),
            rights_conditional: Ways::of(graph, right, true),
            evidence,
        }
    }

    /// By memberships.
    pub(crate) fn membership(&self, node: u32) -> Way {
        match self.members.steps(node) {
            Some(0 | 1) => Way::Direct,
            Some(_) => Way::Nested,
            None if self.members_conditional.steps(node).is_some() => Way::Conditional,
            None => Way::None,
        }
    }

    /// By rights, or by memberships and rights together.
    pub(crate) fn rights(&self, node: u32) -> Way {
        if self.members.steps(node).is_some() {
            return Way::None;
        }
        match self.rights.steps(node) {
            Some(_) => Way::Rights,
            None if self.rights_conditional.steps(node).is_some() => Way::Conditional,
            None => Way::None,
        }
    }

    /// The way, as places in the projection's evidence.
    pub(crate) fn path(&self, node: u32) -> impl Iterator<Item = usize> {
        self.edges(node).filter_map(|edge| self.evidence.get(edge as usize).map(|place| *place as usize))
    }

    /// The way, as numbers of edges of the graph.
    pub(crate) fn edges(&self, node: u32) -> impl Iterator<Item = u32> {
        let all = [&self.members, &self.rights, &self.members_conditional, &self.rights_conditional];
        let ways = all.into_iter().find(|ways| ways.steps(node).is_some()).unwrap_or(&self.members);
        let mut at = node;
        std::iter::from_fn(move || {
            let (edge, to) = (*ways.next.get(at as usize)?)?;
            at = to;
            Some(edge)
        })
    }
}

impl Ways {
    fn of(graph: &Graph, follow: impl Fn(EdgeKind) -> bool, conditional: bool) -> Self {
        let count = graph.node_count();
        let mut incoming: Vec<Vec<(u32, u32)>> = vec![Vec::new(); count];
        let mut acts = vec![true; count];
        let mut ways = Self { steps: vec![u32::MAX; count], next: vec![None; count] };
        let mut waiting = VecDeque::new();
        for (number, id) in (0u32..).zip(graph.node_ids()) {
            let Some(node) = graph.node(id) else { continue };
            if let Some(acts) = acts.get_mut(id.index()) {
                *acts = node.enabled || !node.kind.acts();
            }
            if node.tier_zero {
                if let Some(steps) = ways.steps.get_mut(id.index()) {
                    *steps = 0;
                }
                waiting.push_back(number);
            }
        }
        for (number, id) in (0u32..).zip(graph.edge_ids()) {
            let Some(edge) = graph.edge(id) else { continue };
            let meaning = edge.kind.meaning();
            let counts = follow(edge.kind) && meaning.traversed && meaning.effect == Effect::Control && !edge.denies;
            if !counts || (edge.conditional && !conditional) {
                continue;
            }
            let (from, to) = match meaning.direction {
                Direction::Forward => (edge.from, edge.to),
                Direction::Backward => (edge.to, edge.from),
            };
            // A disabled account on the way opens nothing, unless the step to it switches it on.
            let target = graph.node(to).is_some_and(|node| node.tier_zero);
            let usable = target || meaning.enables || acts.get(to.index()).copied().unwrap_or(false);
            if let Some(row) = incoming.get_mut(to.index()).filter(|_| usable) {
                row.push((u32::try_from(from.index()).unwrap_or(u32::MAX), number));
            }
        }
        while let Some(node) = waiting.pop_front() {
            let steps = ways.steps.get(node as usize).copied().unwrap_or(0);
            for (from, edge) in incoming.get(node as usize).map_or(&[][..], Vec::as_slice) {
                let at = *from as usize;
                let (Some(known), Some(next)) = (ways.steps.get_mut(at), ways.next.get_mut(at)) else { continue };
                if *known == u32::MAX {
                    (*known, *next) = (steps + 1, Some((*edge, node)));
                    waiting.push_back(*from);
                }
            }
        }
        ways
    }

    fn steps(&self, node: u32) -> Option<u32> {
        self.steps.get(node as usize).copied().filter(|steps| *steps != u32::MAX)
    }
}
