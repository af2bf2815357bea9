//! What a step does to the graph, tried out before it is done: its edges are thought away, and whoever still reaches tier zero is
//! counted.

use std::collections::{HashMap, HashSet};

use countersign_graph::{Change, EdgeId, EdgeKind, Graph, Memory, NodeId, Routes, Stopped, Traversal, Watch};

use super::BeforeAfter;
use crate::gaps::{Cure, find};
use crate::health::Checked;
use crate::radius::{Named, RadiusSummary, figures};
use crate::view::View;

/// Changes of the graph that are tried out.
pub(crate) struct Cures<'c> {
    view: &'c View<'c>,
    named: Named<'c>,
    checked: &'c [&'c Checked],
    summary: &'c RadiusSummary,
    routes: Routes<'c>,
    tier_zero: Vec<NodeId>,
    identities: HashSet<NodeId>,
    before: Option<u64>,
    edges: Vec<EdgeId>,
    /// By the indicator: what was tried.
    tried: HashMap<&'static str, Change>,
}

impl std::fmt::Debug for Cures<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cures, {} tried out", self.tried.len())
    }
}

/// So many steps get the whole spread of blast radii: each takes as long as the whole summary.
const SPREADS: usize = 2;

impl<'c> Cures<'c> {
    pub(crate) fn new(
        view: &'c View<'c>,
        named: Named<'c>,
        checked: &'c [&'c Checked],
        summary: &'c RadiusSummary,
    ) -> Self {
        let graph: &'c Graph = named.graph();
        Self {
            view,
            named,
            checked,
            summary,
            routes: Routes::new(graph, &Traversal::default()),
            tier_zero: named.tier_zero(),
            identities: named.identities().into_iter().collect(),
            before: None,
            edges: graph.edge_ids().collect(),
            tried: HashMap::new(),
        }
    }

    pub(super) fn identities(&self) -> u64 {
        self.identities.len() as u64
    }

    /// `None`: there is nothing in the graph that it would change.
    pub(super) fn try_out(&mut self, cure: Cure, indicator: &'static str) -> Option<BeforeAfter> {
        let change = self.change(cure, find(self.checked, indicator)?);
        if change.disable.is_empty() && change.remove_edges.is_empty() {
            return None;
        }
        let disabled: HashSet<NodeId> = change.disable.iter().copied().collect();
        let before = *self.before.get_or_insert_with(|| reaching(&self.routes, &self.tier_zero, &self.identities));
        let left = self.identities.difference(&disabled).copied().collect();
        let after = reaching(&self.routes.changed(&change), &self.tier_zero, &left);
        self.tried.insert(indicator, change);
        Some(BeforeAfter { before, after, spread: None })
    }

    /// For the steps that cut off most: the whole spread, before and after.
    pub(crate) fn spread(&self, steps: &mut [super::Step], watch: Watch<'_>) -> Result<(), Stopped> {
        let mut greatest: Vec<&mut super::Step> = steps.iter_mut().filter(|step| step.radius.is_some()).collect();
        let cut = |step: &&mut super::Step| {
            step.radius.as_ref().map_or(0, |radius| radius.before.saturating_sub(radius.after))
        };
        greatest.sort_by_key(|step| std::cmp::Reverse(cut(step)));
        let identities = self.named.identities();
        for step in greatest.into_iter().take(SPREADS) {
            let (Some(change), Some(radius)) = (self.tried.get(step.indicator), step.radius.as_mut()) else { continue };
            let reach = self.routes.changed(change).blast_radius(Memory::default(), watch)?;
            radius.spread =
                Some((self.summary.radius.clone(), figures(self.named.graph(), &reach, &identities).radius));
        }
        Ok(())
    }

    fn change(&self, cure: Cure, checked: &Checked) -> Change {
        let graph = self.routes.graph();
        let found: Vec<NodeId> = checked.findings.iter().filter_map(|finding| graph.find(&finding.key)).collect();
        let mut change = Change::default();
        match cure {
            Cure::None => {}
            Cure::Disable => change.disable = found,
            Cure::LeaveGroups => change.remove_edges = self.from(&found, |edge| edge.kind == EdgeKind::MemberOf),
            Cure::EndSessions => {
                change.remove_edges =
                    self.from(&found, |edge| edge.kind == EdgeKind::HasSession && self.is_privileged(edge.to));
            }
            Cure::Unnest | Cure::RemoveRight => {
                for node in found {
                    let Ok(number) = u32::try_from(node.index()) else { continue };
                    let mut way = self.view.privilege().edges(number);
                    let edge = match cure {
                        // The first step is the account's own membership; the second is that of its group.
                        Cure::Unnest => way.nth(1),
                        _ => way.find(|edge| self.edge(*edge).is_some_and(|edge| is_right(edge.kind))),
                    };
                    change.remove_edges.extend(edge.and_then(|edge| self.edges.get(edge as usize)));
                }
            }
        }
        change.remove_edges.sort_unstable();
        change.remove_edges.dedup();
        change
    }

    fn edge(&self, number: u32) -> Option<countersign_graph::Edge> {
        self.routes.graph().edge(*self.edges.get(number as usize)?)
    }

    fn from(&self, nodes: &[NodeId], wanted: impl Fn(&countersign_graph::Edge) -> bool) -> Vec<EdgeId> {
        let nodes: HashSet<NodeId> = nodes.iter().copied().collect();
        let graph = self.routes.graph();
        let is_wanted = |id: &&EdgeId| graph.edge(**id).is_some_and(|edge| nodes.contains(&edge.from) && wanted(&edge));
        self.edges.iter().filter(is_wanted).copied().collect()
    }

    fn is_privileged(&self, node: NodeId) -> bool {
        use crate::view::Way;
        let number = u32::try_from(node.index()).unwrap_or(u32::MAX);
        matches!(self.view.privilege().membership(number), Way::Direct | Way::Nested)
    }
}

/// How many of these reach tier zero, or are of it.
fn reaching(routes: &Routes<'_>, tier_zero: &[NodeId], identities: &HashSet<NodeId>) -> u64 {
    let reaching = routes.reaching(tier_zero);
    reaching.iter().chain(tier_zero).filter(|id| identities.contains(*id)).count() as u64
}

fn is_right(kind: EdgeKind) -> bool {
    kind != EdgeKind::MemberOf && kind.meaning().removable
}
