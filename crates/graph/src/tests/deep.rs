//! A million nodes in a row and in a circle: the depth of a graph is its author's choice, and no answer may recurse.

use std::ops::ControlFlow;

use crate::{
    Builder, Edge, EdgeKind, Evidence, Graph, Memory, NodeId, NodeKind, PathCount, Progress, Routes, Stopped,
    Traversal, unwatched,
};

const DEPTH: usize = 1_000_000;

fn row(closed: bool) -> (Graph, Vec<NodeId>) {
    let mut builder = Builder::new();
    let nodes: Vec<NodeId> = (0..DEPTH).map(|n| builder.node(&n.to_string(), NodeKind::Service).unwrap()).collect();
    for (n, pair) in nodes.windows(2).enumerate() {
        builder.edge(Edge::granted(pair[0], EdgeKind::CanAssume, pair[1], Evidence(n as u32))).unwrap();
    }
    if closed {
        builder.edge(Edge::granted(nodes[DEPTH - 1], EdgeKind::CanAssume, nodes[0], Evidence(0))).unwrap();
    }
    (builder.finish(), nodes)
}

#[test]
fn a_row_of_a_million() {
    let (graph, nodes) = row(false);
    let (first, last) = (nodes[0], nodes[DEPTH - 1]);
    let routes = Routes::new(&graph, &Traversal::default());
    assert_eq!(routes.reached_from(&[first]).len(), DEPTH - 1);
    assert_eq!(routes.reaching(&[last]).len(), DEPTH - 1);

    let shortest = routes.shortest(&[first], &[last], |_| 1).unwrap();
    assert_eq!((shortest.effort(), shortest.count()), (DEPTH as u64 - 1, PathCount::Exactly(1)));
    assert_eq!(shortest.paths().map(|path| path.steps.len()).collect::<Vec<_>>(), [DEPTH - 1]);

    let chokes = routes.choke_points(&[first], &[last]);
    assert_eq!((chokes.nodes.len(), chokes.steps.len()), (DEPTH - 1, DEPTH - 1));

    let cheap = graph.edge_ids().nth(DEPTH / 2).unwrap();
    let price = |edge| Some(if edge == cheap { 2 } else { 3 });
    let plan = routes.removals(&[first], &[last], 0, price, &mut unwatched).unwrap();
    assert_eq!((plan.price, plan.removals[0].edges.as_slice(), plan.after), (2, &[cheap][..], 0));

    // Closing it takes as many blocks as there are words; the components stand when the first one is told.
    let mut told = Vec::new();
    let mut watch = |progress: Progress| {
        told.push(progress.done);
        if told.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    assert_eq!(routes.blast_radius(Memory::default(), &mut watch).err(), Some(Stopped));
    assert_eq!(told, [0, 1]);
}

#[test]
fn a_circle_of_a_million() {
    let (graph, nodes) = row(true);
    let routes = Routes::new(&graph, &Traversal::default());
    let reach = routes.blast_radius(Memory::default(), &mut unwatched).unwrap();
    assert!(nodes.iter().all(|node| reach.of(*node).unwrap().all() == DEPTH as u64 - 1));
}
