//! The summary: everything that a report says about reach, computed once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use countersign_graph::{
    Change, ChokeStep, EdgeId, EdgeKind, Graph, Memory, NodeId, NodeKind, Reach, Routes, Stopped, Traversal, Watch,
};
use countersign_model::Tier;

use super::named::{Named, is_identity};
use super::what_if::{Figures, figures};
use super::{Choke, Exposed, RadiusSummary, RemovalStep, Spread, Worst, is_jewel};

/// How many lines of each list.
const LISTED: usize = 20;
/// How many steps of removals.
const STEPS: usize = 10;

impl RadiusSummary {
    /// # Errors
    /// When `watch` stops it.
    pub fn of(named: &Named<'_>, watch: Watch<'_>) -> Result<Self, Stopped> {
        let graph = named.graph();
        let routes = Routes::new(graph, &Traversal::default());
        let reach = routes.blast_radius(Memory::default(), watch)?;
        let exposure = routes.exposure(Memory::default(), watch)?;
        let identities = named.identities();
        let tier_zero = named.tier_zero();
        let members = named.members_of(&tier_zero);
        let starts: Vec<NodeId> = identities.iter().copied().filter(|id| members.binary_search(id).is_err()).collect();
        let Figures { reach_tier_zero, radius } = figures(graph, &reach, &identities);
        let chokes = routes.choke_points(&starts, &tier_zero);
        Ok(Self {
            nodes: graph.node_count() as u64,
            edges: graph.edge_count() as u64,
            conditional: graph.edge_ids().filter(|id| graph.edge(*id).is_some_and(|edge| edge.conditional)).count()
                as u64,
            identities: identities.len() as u64,
            tier_zero: tier_zero.len() as u64,
            tier_zero_members: members.len() as u64,
            reach_tier_zero,
            radius,
            by_tier: by_tier(graph, &reach, &identities),
            by_segment: by_segment(named, &reach, &identities),
            worst: worst(named, &reach, &identities),
            exposed: exposed(named, &exposure),
            choke_points: chokes
                .nodes
                .iter()
                .filter(|choke| choke.gain.starts > 0)
                .take(LISTED)
                .filter_map(|choke| {
                    let (identities, targets) = (choke.gain.starts, choke.gain.targets);
                    Some(Choke { node: named.node(choke.node)?, identities, targets })
                })
                .collect(),
            removals: removals(named, &routes, &starts, &tier_zero, (chokes.starts, chokes.steps), watch)?,
        })
    }
}

fn by_tier(graph: &Graph, reach: &Reach, identities: &[NodeId]) -> Vec<Spread> {
    let there: HashSet<Tier> = graph.node_ids().filter_map(|id| graph.node(id)?.tier).collect();
    let tiers = Tier::ALL.into_iter().rev().filter(|tier| there.contains(tier));
    let of = |tier: Tier| {
        let count = |id: &NodeId| reach.of(*id).map_or(0, |counts| counts.tier(tier));
        Spread::new(tier.name(), &mut identities.iter().map(count).collect::<Vec<_>>())
    };
    tiers.map(of).collect()
}

/// By the segment that contains an identity, at any depth.
fn by_segment(named: &Named<'_>, reach: &Reach, identities: &[NodeId]) -> Vec<Spread> {
    let graph = named.graph();
    let mut within: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    let segments = named.those(|node| node.kind == NodeKind::Segment);
    if segments.is_empty() {
        return Vec::new();
    }
    for edge in graph.edge_ids().filter_map(|id| graph.edge(id)).filter(|edge| edge.kind == EdgeKind::Contains) {
        within.entry(edge.from).or_default().push(edge.to);
    }
    let identities: HashSet<NodeId> = identities.iter().copied().collect();
    let mut found = BTreeMap::new();
    for segment in segments {
        let mut open = vec![segment];
        let mut seen: HashSet<NodeId> = HashSet::from([segment]);
        while let Some(outer) = open.pop() {
            for inner in within.get(&outer).map_or(&[][..], Vec::as_slice) {
                if seen.insert(*inner) {
                    open.push(*inner);
                }
            }
        }
        let mut values: Vec<u64> = seen
            .iter()
            .filter(|id| identities.contains(*id))
            .map(|id| reach.of(*id).map_or(0, |counts| counts.all()))
            .collect();
        let name = named.node(segment).map(|node| node.name).unwrap_or_default();
        if !values.is_empty() {
            found.insert(name.clone(), Spread::new(&name, &mut values));
        }
    }
    found.into_values().collect()
}

fn worst(named: &Named<'_>, reach: &Reach, identities: &[NodeId]) -> Vec<Worst> {
    let mut all: Vec<(u64, u64, NodeId)> = identities
        .iter()
        .filter_map(|id| reach.of(*id).map(|counts| (counts.all(), counts.tier_zero(), *id)))
        .filter(|(reached, ..)| *reached > 0)
        .collect();
    all.sort_by_key(|(reached, zero, id)| (Reverse(*zero > 0), Reverse(*reached), Reverse(*zero), *id));
    let named = all.into_iter().take(LISTED).filter_map(|(reached, tier_zero_reached, id)| {
        Some(Worst { node: named.node(id)?, reached, tier_zero_reached })
    });
    named.collect()
}

fn exposed(named: &Named<'_>, exposure: &Reach) -> Vec<Exposed> {
    let targets = named.those(|node| node.tier_zero || is_jewel(node.tier));
    let identities = |id: NodeId| exposure.of(id).map_or(0, |counts| counts.of(|class| is_identity(class.kind)));
    let mut all: Vec<(u64, NodeId)> = targets.into_iter().map(|id| (identities(id), id)).collect();
    all.retain(|(identities, _)| *identities > 0);
    all.sort_by_key(|(identities, id)| (Reverse(*identities), *id));
    let named =
        all.into_iter().take(LISTED).filter_map(|(identities, id)| Some(Exposed { node: named.node(id)?, identities }));
    named.collect()
}

/// Step by step what cuts off most identities for its price, each on top of those before it. Where no single step cuts anybody
/// off, it ends; the cheapest set that leaves nobody is another question (`Routes::removals`).
fn removals(
    named: &Named<'_>,
    routes: &Routes<'_>,
    starts: &[NodeId],
    targets: &[NodeId],
    (mut left, mut steps): (u64, Vec<ChokeStep>),
    watch: Watch<'_>,
) -> Result<Vec<RemovalStep>, Stopped> {
    let mut removals = Vec::new();
    let mut gone: Vec<EdgeId> = Vec::new();
    for done in 0..STEPS {
        if watch(countersign_graph::Progress { done, of: STEPS }).is_break() {
            return Err(Stopped);
        }
        let Some(best) = best(named.graph(), &steps) else { break };
        gone.extend(&best.edges);
        let changed = routes.changed(&Change { remove_edges: gone.clone(), ..Change::default() });
        let after = changed.choke_points(starts, targets);
        removals.push(RemovalStep {
            edges: named.edges(best.edges.iter().copied()),
            before: left,
            after: after.starts,
        });
        (left, steps) = (after.starts, after.steps);
    }
    Ok(removals)
}

fn best<'s>(graph: &Graph, steps: &'s [ChokeStep]) -> Option<&'s ChokeStep> {
    let priced = steps.iter().filter(|step| step.gain.starts > 0).filter_map(|step| {
        let price = step.edges.iter().map(|edge| graph.price_of_use(*edge).map(u64::from)).sum::<Option<u64>>()?;
        Some((step, price.max(1)))
    });
    let better = |(one, price): &(&ChokeStep, u64), (other, other_price): &(&ChokeStep, u64)| {
        let (for_one, for_other) = (
            u128::from(one.gain.starts) * u128::from(*other_price),
            u128::from(other.gain.starts) * u128::from(*price),
        );
        for_one.cmp(&for_other).then(one.gain.cmp(&other.gain)).then_with(|| other.edges.cmp(&one.edges))
    };
    priced.max_by(better).map(|(step, _)| step)
}
