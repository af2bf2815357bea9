//! What a graph keeps of what it is told; what it answers is held against a slow reference beside this.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

mod against_naive;
mod deep;
mod meaning;
mod naive;

use std::collections::BTreeSet;

use countersign_model::Timestamp;

use crate::{BuildError, Builder, Edge, EdgeKind, Enforceable, Evidence, Exercise, NodeKind};

#[test]
fn a_graph_gives_back_what_it_was_told() {
    let mut builder = Builder::new();
    let anna = builder.node("anna", NodeKind::Unknown).unwrap();
    let admins = builder.node("admins", NodeKind::Group).unwrap();
    let told = Edge {
        conditional: true,
        enforceable: Enforceable::Refused,
        exercised: Some(Exercise { last: Timestamp::from_seconds(9), count: 3 }),
        ..Edge::granted(anna, EdgeKind::MemberOf, admins, Evidence(7))
    };
    let edge = builder.edge(told).unwrap();
    assert_eq!(builder.node("anna", NodeKind::Human), Ok(anna), "the kind comes later");
    assert_eq!(builder.node("anna", NodeKind::Unknown), Ok(anna));
    builder.set_tier_zero(admins, true).unwrap();
    builder.set_enabled(anna, false).unwrap();

    let mut graph = builder.finish();
    assert_eq!(graph.edge(edge), Some(told));
    let node = graph.node(graph.find("anna").unwrap()).unwrap();
    assert_eq!((node.kind, node.enabled, node.tier_zero), (NodeKind::Human, false, false));
    assert!(graph.node(admins).unwrap().tier_zero);

    assert!(graph.exercise(edge, Exercise { last: Timestamp::from_seconds(4), count: u32::MAX }));
    let seen = graph.edge(edge).unwrap().exercised;
    assert_eq!(seen, Some(Exercise { last: Timestamp::from_seconds(9), count: u32::MAX }));
}

#[test]
fn what_contradicts_itself_or_comes_from_elsewhere_is_refused() {
    let mut builder = Builder::new();
    let anna = builder.node("anna", NodeKind::Human).unwrap();
    assert!(matches!(builder.node("anna", NodeKind::Group), Err(BuildError::TwoKinds { .. })));
    let mut other = Builder::new();
    other.node("x", NodeKind::Group).unwrap();
    let strange = other.node("y", NodeKind::Group).unwrap();
    let edge = Edge::granted(anna, EdgeKind::MemberOf, strange, Evidence(0));
    assert_eq!(builder.edge(edge), Err(BuildError::StrangeNode));
    assert_eq!(builder.set_enabled(strange, true), Err(BuildError::StrangeNode));
    assert_eq!(builder.finish().edge_count(), 0);
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let nodes: BTreeSet<&str> = NodeKind::ALL.into_iter().map(NodeKind::name).collect();
    assert_eq!(nodes.len(), NodeKind::ALL.len());
    assert!(NodeKind::ALL.into_iter().enumerate().all(|(at, kind)| kind as usize == at));
    let edges: BTreeSet<&str> = EdgeKind::ALL.into_iter().map(EdgeKind::name).collect();
    assert_eq!(edges.len(), EdgeKind::ALL.len());
    for (at, kind) in EdgeKind::ALL.into_iter().enumerate() {
        assert_eq!((kind as usize, EdgeKind::from_name(kind.name())), (at, Some(kind)));
        let technique = kind.meaning().technique;
        assert!(technique.id.starts_with('T') && technique.id.len() >= 5 && !technique.words.is_empty());
    }
}
