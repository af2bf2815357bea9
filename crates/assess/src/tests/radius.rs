//! Reach by name: against counts made one by one, and against an estate small enough to see through.

use countersign_estate::{Inventory, Projection};
use countersign_graph::{Change, NodeId, Routes, Traversal, unwatched};
use proptest::prelude::{any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::{Estate, GROUPS, USERS};
use crate::{Named, NoEdge, NoNode, RadiusSummary, Spread};

/// The help desk may set the password of an administrator; Eve may do nothing.
fn small() -> Inventory {
    Estate::default()
        .node(USERS, "eve", "account", json!({"enabled": true, "account_name": "E.Smith"}))
        .node(USERS, "helpdesk", "account", json!({"enabled": true, "email": "desk@corp.example"}))
        .node(USERS, "helpless", "account", json!({"enabled": false, "email": "desk@corp.example"}))
        .node(USERS, "admin", "account", json!({"enabled": true}))
        .node(GROUPS, "top", "group", json!({"high_value": true}))
        .edge(USERS, "helpdesk", "reset-password", "admin")
        .edge(USERS, "helpless", "reset-password", "admin")
        .edge(GROUPS, "admin", "member-of", "top")
        .inventory()
}

fn summary(inventory: &Inventory, projection: &Projection) -> RadiusSummary {
    RadiusSummary::of(&Named::new(inventory, projection), &mut unwatched).unwrap()
}

fn spread(identities: u64, median: u64, p95: u64, max: u64) -> Spread {
    Spread { of: "all".to_owned(), identities, median, p95, max }
}

#[test]
fn a_small_estate_in_figures() {
    let inventory = small();
    let projection = inventory.project().unwrap();
    let summary = summary(&inventory, &projection);
    assert_eq!((summary.identities, summary.tier_zero), (3, 1), "who is disabled is nobody to be compromised");
    assert_eq!((summary.tier_zero_members, summary.reach_tier_zero), (1, 2));
    assert_eq!(summary.radius, spread(3, 1, 2, 2));
    let worst: Vec<(&str, u64, u64)> =
        summary.worst.iter().map(|worst| (&*worst.node.name, worst.reached, worst.tier_zero_reached)).collect();
    assert_eq!(worst, [("helpdesk", 2, 1), ("admin", 1, 1)]);
    assert_eq!(summary.exposed.iter().map(|one| (&*one.node.name, one.identities)).collect::<Vec<_>>(), [("top", 2)]);
    let chokes: Vec<(&str, u64)> = summary.choke_points.iter().map(|one| (&*one.node.name, one.identities)).collect();
    assert_eq!(chokes, [("admin", 1)]);
    assert_eq!(summary.removals.len(), 1);
    assert_eq!((summary.removals[0].before, summary.removals[0].after), (1, 0));
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<RadiusSummary>(&text).unwrap(), summary);
}

#[test]
fn nodes_are_found_by_whatever_a_source_calls_them() {
    let inventory = small();
    let projection = inventory.project().unwrap();
    let named = Named::new(&inventory, &projection);
    let key = |text: &str| named.find(text).map(|id| named.node(id).unwrap().key);
    for (text, wanted) in [("eve", "eve"), ("EVE", "eve"), ("e.smith", "eve"), (" top ", "top")] {
        assert_eq!(key(text).unwrap(), wanted, "{text}");
    }
    let Err(NoNode::Ambiguous { candidates, count, .. }) = key("desk@corp.example") else { panic!("two have it") };
    assert_eq!((count, candidates.len()), (2, 2));
    let said = key("helpdsek").unwrap_err().to_string();
    assert!(said.contains("did you mean helpdesk"), "{said}");
    let said = key("nobody at all").unwrap_err().to_string();
    assert!(said.ends_with("\"nobody at all\""), "nothing is like it: {said}");
}

#[test]
fn an_edge_is_found_by_its_own_sentence() {
    let inventory = small();
    let projection = inventory.project().unwrap();
    let named = Named::new(&inventory, &projection);
    for id in named.graph().edge_ids() {
        let edge = named.edge(id).unwrap();
        assert_eq!(named.find_edges(&edge.to_string()).unwrap(), [id]);
        assert_eq!(named.find_edges(&format!("{} -> {}", edge.from.name, edge.to.name)).unwrap(), [id]);
        assert!(edge.technique.starts_with('T') && !edge.means.is_empty());
        assert!(edge.evidence[0].place.starts_with("line "), "{edge:?}");
        assert_eq!(edge.evidence[0].file, "export.ldif");
    }
    assert!(matches!(named.find_edges("eve -> top"), Err(NoEdge::Absent(_, between)) if between == "nothing"));
    assert!(matches!(named.find_edges("eve top"), Err(NoEdge::Sentence(_))));
    let said = named.find_edges("helpdesk can-reset-password admn").unwrap_err().to_string();
    assert!(said.contains("did you mean admin?"), "{said}");
}

#[test]
fn what_if_and_the_ways() {
    let inventory = small();
    let projection = inventory.project().unwrap();
    let named = Named::new(&inventory, &projection);
    let routes = Routes::new(named.graph(), &Traversal::default());
    let id = |text: &str| named.find(text).unwrap();
    let radius = named.radius(&routes, id("helpdesk")).unwrap();
    assert_eq!((radius.reached, radius.tier_zero_reached, radius.exposed_to), (2, 1, 0));
    let steps: Vec<&str> = radius.way.as_ref().unwrap().steps.iter().map(|step| &*step.to.name).collect();
    assert_eq!(steps, ["admin", "top"]);
    let ways = named.ways(&routes, &[id("helpdesk")], &[id("top")], true, 5).unwrap();
    assert_eq!((ways.length, ways.count.as_deref(), ways.paths.len()), (3, Some("1"), 1));
    assert!(named.ways(&routes, &[id("eve")], &[id("top")], false, 5).is_none());
    // Whoever is of tier zero themselves gets to the rest of it.
    let from_within = named.ways(&routes, &[id("admin")], &[id("admin"), id("top")], false, 5).unwrap();
    assert_eq!((from_within.length, from_within.paths[0].steps.len()), (1, 1));
    assert!(named.ways(&routes, &[id("top")], &[id("top")], false, 5).is_none(), "to oneself is no way");

    let remove_edges = named.find_edges("helpdesk can-reset-password admin").unwrap();
    let change = Change { remove_edges, ..Change::default() };
    let what_if = named.what_if(&routes, &change, 10, &mut unwatched).unwrap();
    assert_eq!((what_if.before.reach_tier_zero, what_if.after.reach_tier_zero), (2, 1));
    assert_eq!(what_if.after.radius, spread(3, 0, 1, 1));
    assert_eq!((what_if.changed, &*what_if.nodes[0].node.name), (1, "helpdesk"));
}

#[test]
fn whoever_watches_can_stop_it() {
    let inventory = small();
    let projection = inventory.project().unwrap();
    let named = Named::new(&inventory, &projection);
    assert!(RadiusSummary::of(&named, &mut |_| std::ops::ControlFlow::Break(())).is_err());
}

const RELATIONS: [&str; 4] = ["member-of", "reset-password", "has-session", "full-control"];

proptest! {
    /// The figures are what one gets by asking for each node by itself, and each step of the removals does what it says.
    #[test]
    fn figures_are_those_of_each_by_itself(
        kinds in prop::collection::vec((0..3_usize, any::<bool>(), 0..8_u8), 2..12),
        edges in prop::collection::vec((0..12_usize, 0..4_usize, 0..12_usize), 0..30),
    ) {
        let mut estate = Estate::default();
        for (number, (kind, enabled, high)) in kinds.iter().enumerate() {
            let kind = ["account", "device", "group"][*kind];
            estate = estate.node(USERS, &format!("n{number}"), kind, json!({"enabled": enabled, "high_value": *high == 0}));
        }
        let mut known = std::collections::BTreeSet::new();
        for (from, relation, to) in edges {
            let (from, to) = (from % kinds.len(), to % kinds.len());
            if from != to && known.insert((from, relation, to)) {
                estate = estate.edge(USERS, &format!("n{from}"), RELATIONS[relation], &format!("n{to}"));
            }
        }
        let inventory = estate.inventory();
        let projection = inventory.project().unwrap();
        let named = Named::new(&inventory, &projection);
        let routes = Routes::new(named.graph(), &Traversal::default());
        let summary = summary(&inventory, &projection);
        let identities = named.identities();
        let mut reached: Vec<u64> =
            identities.iter().map(|id| named.radius(&routes, *id).unwrap().reached).collect();
        reached.sort_unstable();
        prop_assert_eq!(summary.radius.max, reached.last().copied().unwrap_or(0));
        prop_assert!(reached.iter().filter(|one| **one <= summary.radius.median).count() * 2 >= reached.len());
        let is_there = |id| named.graph().node(id).is_some_and(|node| node.tier_zero);
        let gets_there = |id| named.radius(&routes, id).unwrap().tier_zero_reached > 0;
        let reach = identities.iter().filter(|id| is_there(**id) || gets_there(**id)).count();
        prop_assert_eq!(summary.reach_tier_zero, reach as u64);
        for worst in &summary.worst {
            let one = named.radius(&routes, named.find(&worst.node.key).unwrap()).unwrap();
            prop_assert_eq!((worst.reached, worst.tier_zero_reached), (one.reached, one.tier_zero_reached));
        }
        for exposed in &summary.exposed {
            let one = named.radius(&routes, named.find(&exposed.node.key).unwrap()).unwrap();
            prop_assert_eq!(exposed.identities, one.exposed_to);
        }
        let targets = named.tier_zero();
        let members = named.members_of(&targets);
        let starts: Vec<NodeId> = identities.into_iter().filter(|id| !members.contains(id)).collect();
        let mut change = Change::default();
        for step in &summary.removals {
            for edge in &step.edges {
                change.remove_edges.extend(named.find_edges(&edge.to_string()).unwrap());
            }
            let left = routes.changed(&change).reaching(&targets);
            let left = starts.iter().filter(|start| left.contains(start)).count() as u64;
            prop_assert_eq!(step.after, left);
            prop_assert!(step.after < step.before);
        }
        for choke in &summary.choke_points {
            let gone = Change { remove_nodes: vec![named.find(&choke.node.key).unwrap()], ..Change::default() };
            let left = routes.changed(&gone).reaching(&targets);
            let before = routes.reaching(&targets);
            let lost = starts.iter().filter(|start| before.contains(start) && !left.contains(start));
            let itself = gone.remove_nodes[0];
            prop_assert_eq!(choke.identities, lost.filter(|start| **start != itself).count() as u64);
        }
    }
}
