//! Every answer against the slow reference, on random graphs with circles, parallel edges, edges to oneself, denials,
//! conditions and disabled nodes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::dominators::Dominators;

use super::naive::{Naive, a_change, a_graph, a_traversal, some_nodes};
use crate::{
    Builder, Change, Class, Counts, EdgeId, EdgeKind, Graph, Memory, NodeId, Path, PathCount, Traversal, unwatched,
};

fn class(graph: &Graph, id: NodeId) -> Class {
    let node = graph.node(id).unwrap();
    Class { kind: node.kind, tier: node.tier, tier_zero: node.tier_zero }
}

fn counted(graph: &Graph, nodes: &BTreeSet<NodeId>) -> BTreeMap<Class, u64> {
    let mut counts = BTreeMap::new();
    for node in nodes {
        *counts.entry(class(graph, *node)).or_insert(0) += 1;
    }
    counts
}

fn told(counts: &Counts<'_>) -> BTreeMap<Class, u64> {
    counts.by_class().filter(|(_, count)| *count > 0).collect()
}

/// Blast radius, exposure and lists of every node, with blocks of several widths.
fn agrees(graph: &Graph, traversal: Traversal) {
    let naive = Naive::new(graph, traversal);
    let routes = naive.routes();
    let reached: BTreeMap<NodeId, BTreeSet<NodeId>> =
        graph.node_ids().map(|node| (node, naive.reached(node))).collect();
    for memory in [Memory(0), Memory(40 * graph.node_count()), Memory::default()] {
        let radius = routes.blast_radius(memory, &mut unwatched).unwrap();
        let exposure = routes.exposure(memory, &mut unwatched).unwrap();
        for node in graph.node_ids() {
            let reaching: BTreeSet<NodeId> =
                reached.iter().filter(|(_, reached)| reached.contains(&node)).map(|(start, _)| *start).collect();
            if naive.here(node) {
                assert_eq!(told(&radius.of(node).unwrap()), counted(graph, &reached[&node]), "{node:?}");
                assert_eq!(told(&exposure.of(node).unwrap()), counted(graph, &reaching), "{node:?}");
                assert_eq!(radius.of(node).unwrap().all(), reached[&node].len() as u64);
            } else {
                assert!(radius.of(node).is_none() && exposure.of(node).is_none());
            }
            assert!(routes.reached_from(&[node]).iter().eq(&reached[&node]));
            assert!(routes.reaching(&[node]).iter().eq(&reaching));
        }
    }
}

/// All ways of nodes from a start to a target that take the least effort, each step with its edges.
fn least(naive: &Naive<'_>, from: &[NodeId], to: &[NodeId], effort: impl Fn(EdgeId) -> u32) -> (u64, Vec<Path>) {
    type Way = (u64, Vec<NodeId>, Vec<crate::Step>);
    let (open, targets) = (&naive.open, naive.targets(to));
    let starts = naive.starts(from, to).into_iter().filter(|start| naive.enabled(*start));
    let mut ways: Vec<Way> = starts.map(|start| (0, vec![start], Vec::new())).collect();
    let mut found: Vec<(u64, Path)> = Vec::new();
    while let Some((cost, nodes, steps)) = ways.pop() {
        let here = *nodes.last().unwrap();
        for next in naive.graph.node_ids().filter(|next| !nodes.contains(next)) {
            let ends = targets.contains(&next);
            let fitting = open.iter().filter(|edge| edge.from == here && edge.to == next && (edge.takes || ends));
            let edges: Vec<(u32, EdgeId)> = fitting.map(|edge| (effort(edge.id), edge.id)).collect();
            let Some(cheapest) = edges.iter().map(|(cost, _)| *cost).min() else { continue };
            let mut edges: Vec<EdgeId> =
                edges.into_iter().filter(|(cost, _)| *cost == cheapest).map(|(_, edge)| edge).collect();
            edges.sort_unstable();
            let cost = cost + u64::from(cheapest);
            let steps: Vec<crate::Step> = steps.iter().cloned().chain([crate::Step { to: next, edges }]).collect();
            if ends {
                found.push((cost, Path { start: nodes[0], steps }));
            } else {
                ways.push((cost, nodes.iter().copied().chain([next]).collect(), steps));
            }
        }
    }
    let best = found.iter().map(|(cost, _)| *cost).min().unwrap_or(u64::MAX);
    (best, found.into_iter().filter(|(cost, _)| *cost == best).map(|(_, path)| path).collect())
}

fn in_order(mut paths: Vec<Path>) -> Vec<Path> {
    for step in paths.iter_mut().flat_map(|path| &mut path.steps) {
        step.edges.sort_unstable();
    }
    paths.sort_by_cached_key(|path| format!("{path:?}"));
    paths
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn reach_is_that_of_a_search_per_node(graph in a_graph(9, 24), traversal in a_traversal()) {
        agrees(&graph, traversal);
    }

    #[test]
    fn shortest_paths_are_all_there_are(
        graph in a_graph(7, 20), traversal in a_traversal(), from in some_nodes(), to in some_nodes(), weighed in any::<bool>(),
    ) {
        let naive = Naive::new(&graph, traversal);
        let routes = naive.routes();
        let effort = |edge| if weighed { routes.effort(edge) } else { 1 };
        let (best, paths) = least(&naive, &from, &to, effort);
        let shortest = routes.shortest(&from, &to, effort);
        prop_assert_eq!(shortest.is_some(), !paths.is_empty());
        if let Some(shortest) = shortest {
            prop_assert_eq!(shortest.effort(), best);
            prop_assert_eq!(shortest.count(), PathCount::Exactly(paths.len() as u128));
            for traffic in shortest.traffic() {
                let passes = |path: &&Path| {
                    let nodes = [path.start].into_iter().chain(path.steps.iter().map(|step| step.to));
                    nodes.zip(&path.steps).any(|(from, step)| from == traffic.from && step.to == traffic.step.to)
                };
                prop_assert_eq!(traffic.paths, PathCount::Exactly(paths.iter().filter(passes).count() as u128));
            }
            prop_assert_eq!(in_order(shortest.paths().collect()), in_order(paths));
        }
    }

    #[test]
    fn what_leads_somewhere_is_told_edge_by_edge(
        graph in a_graph(8, 24), traversal in a_traversal(), to in some_nodes(),
    ) {
        let naive = Naive::new(&graph, traversal);
        let routes = naive.routes();
        let (towards, targets) = (routes.towards(&to), naive.targets(&to));
        for node in graph.node_ids() {
            let steps = match targets.contains(&node) {
                true => Some(0),
                false if !naive.here(node) => None,
                false => routes.shortest(&[node], &to, |_| 1).map(|shortest| shortest.effort() as u32),
            };
            prop_assert_eq!(towards.steps(node), steps, "{:?}", node);
        }
        // Whoever acts as one of these is on a way; what is added last finds nothing more.
        let mut acting: BTreeSet<NodeId> = targets.iter().copied().collect();
        let leads = |acting: &BTreeSet<NodeId>, edge: &super::naive::Open| {
            !targets.contains(&edge.from) && (targets.contains(&edge.to) || edge.takes && acting.contains(&edge.to))
        };
        for _ in graph.node_ids() {
            let more: Vec<NodeId> = naive.open.iter().filter(|edge| leads(&acting, edge)).map(|edge| edge.from).collect();
            acting.extend(more);
        }
        for edge in graph.edge_ids() {
            let expected = naive.open.iter().any(|open| open.id == edge && leads(&acting, open));
            prop_assert_eq!(towards.takes(edge), expected, "{:?}", edge);
        }
    }

    #[test]
    fn choke_points_cut_off_what_they_say(
        graph in a_graph(8, 20), traversal in a_traversal(), from in some_nodes(), to in some_nodes(),
    ) {
        let naive = Naive::new(&graph, traversal);
        let chokes = naive.routes().choke_points(&from, &to);
        let (starts, targets) = naive.between(&from, &to);
        prop_assert_eq!((chokes.starts, chokes.targets), (starts.len() as u64, targets.len() as u64));
        let gain = |change: Change| {
            let (left, still) = naive.without(&change).between(&from, &to);
            let gone = |node: &&NodeId| !change.remove_nodes.contains(node);
            (starts.difference(&left).filter(gone).count() as u64, targets.difference(&still).count() as u64)
        };

        let mut expected = BTreeMap::new();
        for node in graph.node_ids().filter(|node| !to.contains(node)) {
            let gain = gain(Change { remove_nodes: vec![node], ..Change::default() });
            if gain != (0, 0) {
                expected.insert(node, gain);
            }
        }
        let found: BTreeMap<NodeId, (u64, u64)> =
            chokes.nodes.iter().map(|choke| (choke.node, (choke.gain.starts, choke.gain.targets))).collect();
        prop_assert_eq!(found, expected);

        for choke in &chokes.steps {
            let gain = gain(Change { remove_edges: choke.edges.clone(), ..Change::default() });
            prop_assert_eq!((choke.gain.starts, choke.gain.targets), gain, "{:?}", choke);
        }
        let mut steps: BTreeMap<(NodeId, NodeId), Vec<(EdgeId, bool)>> = BTreeMap::new();
        for edge in &naive.open {
            steps.entry((edge.from, edge.to)).or_default().push((edge.id, edge.takes));
        }
        // Where some edges of a step take and others do not, each sort is a step of its own, which is checked above.
        for edges in steps.values().filter(|edges| edges.iter().all(|edge| edge.1 == edges[0].1)) {
            let edges: Vec<EdgeId> = edges.iter().map(|edge| edge.0).collect();
            let listed = chokes.steps.iter().any(|choke| choke.edges == edges);
            prop_assert_eq!(listed, gain(Change { remove_edges: edges, ..Change::default() }) != (0, 0));
        }
    }

    /// Larger than what can be removed and tried again: against another algorithm of another author.
    #[test]
    fn dominators_are_those_that_petgraph_finds(
        edges in (2..60_usize).prop_flat_map(|nodes| prop::collection::vec((0..nodes, 0..nodes), nodes..2 * nodes)),
    ) {
        let mut builder = Builder::new();
        let nodes: Vec<NodeId> =
            (0..60).map(|n| builder.node(&n.to_string(), crate::NodeKind::Service).unwrap()).collect();
        let mut other = petgraph::graph::DiGraph::<(), ()>::new();
        let others: Vec<_> = nodes.iter().map(|_| other.add_node(())).collect();
        for (from, to) in edges {
            let edge = crate::Edge::granted(nodes[from], EdgeKind::FullControl, nodes[to], crate::Evidence(0));
            builder.edge(edge).unwrap();
            other.add_edge(others[from], others[to], ());
        }
        let graph = builder.finish();
        let routes = crate::Routes::new(&graph, &Traversal::default());
        let tree = Dominators::new(&routes.forward, &routes.backward, [0].into_iter(), |_| true);
        let theirs = petgraph::algo::dominators::simple_fast(&other, others[0]);
        for (vertex, other) in others.iter().enumerate().skip(1) {
            let ours = tree.number(vertex as u32).map(|number| tree.vertices[tree.nearest[number] as usize] as usize);
            prop_assert_eq!(ours, theirs.immediate_dominator(*other).map(|other| other.index()));
        }
    }

    #[test]
    fn removals_cost_what_the_cheapest_cost(
        graph in a_graph(6, 10), from in some_nodes(), to in some_nodes(), most in 0..3_u64,
        prices in prop::collection::vec(prop::option::weighted(0.9, 1..6_u32), 10),
    ) {
        let naive = Naive::new(&graph, Traversal::default());
        let price = |edge: EdgeId| prices[edge.index()];
        let plan = naive.routes().removals(&from, &to, most, price, &mut unwatched).unwrap();
        let left = |edges: &[EdgeId]| {
            let change = Change { remove_edges: edges.to_vec(), ..Change::default() };
            naive.without(&change).between(&from, &to).0.len() as u64
        };
        let all: Vec<EdgeId> = graph.edge_ids().filter(|edge| price(*edge).is_some()).collect();
        let goal = most.max(left(&all));
        let sets = (0..1_usize << all.len()).map(|set| -> Vec<EdgeId> {
            all.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, edge)| *edge).collect()
        });
        let cost = |edges: &[EdgeId]| edges.iter().map(|edge| u64::from(price(*edge).unwrap())).sum::<u64>();
        let best = sets.filter(|set| left(set) <= goal).map(|set| cost(&set)).min().unwrap();

        let chosen: Vec<EdgeId> = plan.removals.iter().flat_map(|removal| removal.edges.clone()).collect();
        prop_assert_eq!((plan.before, plan.after, plan.price), (left(&[]), left(&chosen), cost(&chosen)));
        prop_assert!(plan.after <= goal && plan.price >= best);
        prop_assert!(plan.price == best || !plan.cheapest);
        prop_assert!(plan.cheapest || goal > left(&all));
        for removal in &plan.removals {
            let others: Vec<EdgeId> = chosen.iter().copied().filter(|edge| !removal.edges.contains(edge)).collect();
            prop_assert!(left(&others) > goal, "{:?} is not needed", removal);
        }
    }

    #[test]
    fn what_if_is_what_a_graph_without_it_says(graph in a_graph(8, 20), change in a_change()) {
        let routes = crate::Routes::new(&graph, &Traversal::default());
        let difference = routes.what_if(&change, Memory::default(), &mut unwatched).unwrap();
        let (other, ids) = without(&graph, &change);
        let rebuilt = crate::Routes::new(&other, &Traversal::default());
        let rebuilt = rebuilt.blast_radius(Memory::default(), &mut unwatched).unwrap();
        let mut changed = BTreeMap::new();
        for node in graph.node_ids() {
            let before = difference.before.of(node).unwrap().all();
            let after = ids.get(&node).map(|id| rebuilt.of(*id).unwrap());
            prop_assert_eq!(after.as_ref().map(told), difference.after.of(node).as_ref().map(told));
            let after = after.map_or(0, |counts| counts.all());
            if before != after {
                changed.insert(node, (before, after));
            }
        }
        let listed: BTreeMap<NodeId, (u64, u64)> =
            difference.changed().iter().map(|changed| (changed.node, (changed.before, changed.after))).collect();
        prop_assert_eq!(listed, changed);
    }
}

/// The graph built again without what goes, and where its nodes are now.
fn without(graph: &Graph, change: &Change) -> (Graph, BTreeMap<NodeId, NodeId>) {
    let mut builder = Builder::new();
    let mut ids = BTreeMap::new();
    for id in graph.node_ids().filter(|id| !change.remove_nodes.contains(id)) {
        let node = graph.node(id).unwrap();
        let new = builder.node(&node.key, node.kind).unwrap();
        builder.set_tier(new, node.tier).unwrap();
        builder.set_tier_zero(new, node.tier_zero).unwrap();
        builder.set_enabled(new, node.enabled && !change.disable.contains(&id)).unwrap();
        ids.insert(id, new);
    }
    for id in graph.edge_ids().filter(|id| !change.remove_edges.contains(id)) {
        let edge = graph.edge(id).unwrap();
        if let (Some(from), Some(to)) = (ids.get(&edge.from), ids.get(&edge.to)) {
            builder.edge(crate::Edge { from: *from, to: *to, ..edge }).unwrap();
        }
    }
    (builder.finish(), ids)
}

/// Enough nodes for many words and several blocks of each width.
#[test]
fn reach_holds_over_many_blocks() {
    let mut numbers = (1_u64..).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
    let mut below = |end: usize| numbers.next().unwrap() as usize % end;
    let kinds = [EdgeKind::MemberOf, EdgeKind::FullControl, EdgeKind::LogsOnTo];
    let mut builder = Builder::new();
    let nodes: Vec<NodeId> =
        (0..400).map(|n| builder.node(&n.to_string(), crate::NodeKind::ALL[1 + n % 3]).unwrap()).collect();
    for n in 0..700 {
        let (from, to) = (nodes[below(400)], nodes[below(400)]);
        builder.edge(crate::Edge::granted(from, kinds[n % 3], to, crate::Evidence(0))).unwrap();
    }
    agrees(&builder.finish(), Traversal::default());
}
