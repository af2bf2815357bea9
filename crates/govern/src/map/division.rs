//! How the estate falls apart: each node is in one box of each division, by the source that describes it, its tier, its segment, its kind.
//! What is gone is in none. Made once per assessment, at the first question.

use std::collections::HashMap;

use countersign_estate::Node;
use countersign_graph::{NodeId, NodeKind, Towards};

use super::By;
use crate::standing::{Standing, word};

/// In no box.
const GONE: u32 = u32::MAX;

/// The nodes by their boxes, for one way to divide them.
#[derive(Debug)]
pub(super) struct Division {
    by: By,
    /// By box. `None`: of what no source and no person says it.
    labels: Vec<Option<String>>,
    /// By node.
    of: Vec<u32>,
}

/// All divisions, and how far each node is from tier zero.
#[derive(Debug)]
pub(crate) struct Divisions {
    source: Division,
    tier: Division,
    segment: Division,
    kind: Division,
    pub(super) towards: Towards,
    pub(super) ids: Vec<NodeId>,
    /// By node: an enabled account of a person, a service or an agent.
    pub(super) identity: Vec<bool>,
    pub(super) tier_zero: Vec<bool>,
}

impl Divisions {
    pub(super) fn new(standing: &Standing<'_>) -> Self {
        let (inventory, graph) = (standing.inventory, standing.named.graph());
        let mut identity = Vec::with_capacity(graph.node_count());
        let mut tier_zero = Vec::with_capacity(graph.node_count());
        for node in graph.node_ids().filter_map(|id| graph.node(id)) {
            let acts = matches!(node.kind, NodeKind::Human | NodeKind::Service | NodeKind::Agent);
            identity.push(acts && node.enabled);
            tier_zero.push(node.tier_zero);
        }
        let divide = |by: By| {
            Division::new(by, inventory.nodes(), |number, node| match by {
                By::Source => {
                    let there = node.sightings.iter().filter(|seen| seen.span.gone.is_none());
                    let first = there.filter_map(|seen| inventory.part(seen.part)).min();
                    first.map(|part| format!("{}:{}", part.system, part.realm))
                }
                By::Tier if tier_zero.get(number) == Some(&true) => Some("tier zero".to_owned()),
                By::Tier => inventory.tier(node).map(|tier| tier.to_string()),
                By::Segment => inventory.segment(node).map(str::to_owned),
                By::Kind => Some(word(node.kind())),
            })
        };
        Self {
            source: divide(By::Source),
            tier: divide(By::Tier),
            segment: divide(By::Segment),
            kind: divide(By::Kind),
            towards: standing.routes.towards(&standing.named.tier_zero()),
            ids: graph.node_ids().collect(),
            identity,
            tier_zero,
        }
    }

    /// How many steps a node is from tier zero.
    pub(super) fn steps(&self, node: usize) -> Option<u32> {
        self.towards.steps(*self.ids.get(node)?)
    }

    pub(super) fn of(&self, by: By) -> &Division {
        match by {
            By::Source => &self.source,
            By::Tier => &self.tier,
            By::Segment => &self.segment,
            By::Kind => &self.kind,
        }
    }

    pub(super) fn is_tier_zero(&self, node: usize) -> bool {
        self.tier_zero.get(node).copied().unwrap_or(false)
    }
}

impl Division {
    fn new(by: By, nodes: &[Node], label: impl Fn(usize, &Node) -> Option<String>) -> Self {
        let mut numbers: HashMap<Option<String>, u32> = HashMap::new();
        let mut labels = Vec::new();
        let mut of = Vec::with_capacity(nodes.len());
        for (number, node) in nodes.iter().enumerate() {
            if node.is_gone() {
                of.push(GONE);
                continue;
            }
            let label = label(number, node);
            let next = u32::try_from(labels.len()).unwrap_or(GONE);
            let number = *numbers.entry(label).or_insert_with_key(|label| {
                labels.push(label.clone());
                next
            });
            of.push(number);
        }
        Self { by, labels, of }
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether more than one box has a name.
    pub(super) fn is_divided(&self) -> bool {
        self.labels.iter().flatten().count() > 1
    }

    /// The box that a node is in.
    pub(super) fn box_of(&self, node: usize) -> Option<usize> {
        self.of.get(node).filter(|number| **number != GONE).map(|number| *number as usize)
    }

    pub(super) fn label(&self, number: usize) -> Option<&str> {
        self.labels.get(number)?.as_deref()
    }

    /// The name of a box in an address: no two boxes of any division share one.
    pub(super) fn id(&self, number: usize) -> String {
        match self.label(number) {
            Some(label) => format!("{}:{label}", self.by.name()),
            None => self.by.name().to_owned(),
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<usize> {
        let label = id.strip_prefix(self.by.name())?;
        let label = if label.is_empty() { None } else { Some(label.strip_prefix(':')?) };
        self.labels.iter().position(|known| known.as_deref() == label)
    }

    /// The boxes that hold some of these nodes: those with tier zero first, then the largest.
    pub(super) fn order(&self, divisions: &Divisions, nodes: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![(false, 0u64); self.len()];
        for node in nodes {
            if let Some(count) = self.box_of(node).and_then(|number| counts.get_mut(number)) {
                count.0 |= divisions.is_tier_zero(node);
                count.1 += 1;
            }
        }
        let held = counts.iter().enumerate().filter(|(_, (_, nodes))| *nodes > 0);
        let mut order: Vec<(usize, (bool, u64))> = held.map(|(number, count)| (number, *count)).collect();
        order.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| self.label(*one).cmp(&self.label(*other))));
        order.into_iter().map(|(number, _)| number).collect()
    }
}
