//! What the kinds of edges, disabled accounts, denials, conditions and layers mean, case by case.

use countersign_model::{Tier, Timestamp};

use crate::{
    Builder, Change, Comparison, Edge, EdgeId, EdgeKind, Enforceable, Evidence, Exercise, Graph, Layer, Memory, NodeId,
    NodeKind, PathCount, Routes, Traversal, unwatched,
};

/// `from kind to` a line; a `-` before a name says disabled, `not`, `if`, `used`, `refused`, `ungranted` before the line mark the
/// edge.
fn graph(lines: &[&str]) -> Graph {
    let mut builder = Builder::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let (marks, [from, kind, to]) = words.split_at(words.len() - 3) else { panic!("{line}") };
        let mut node = |name: &str| {
            let id = builder.node(name.trim_start_matches('-'), NodeKind::Human).unwrap();
            if name.starts_with('-') {
                builder.set_enabled(id, false).unwrap();
            }
            id
        };
        let (from, to) = (node(from), node(to));
        let edge = Edge {
            denies: marks.contains(&"not"),
            conditional: marks.contains(&"if"),
            granted: !marks.contains(&"ungranted"),
            enforceable: if marks.contains(&"refused") { Enforceable::Refused } else { Enforceable::Unknown },
            exercised: marks.contains(&"used").then_some(Exercise { last: Timestamp::from_seconds(100), count: 1 }),
            ..Edge::granted(from, EdgeKind::from_name(kind).unwrap(), to, Evidence(0))
        };
        builder.edge(edge).unwrap();
    }
    builder.finish()
}

/// What `start` reaches, by name.
fn reaches(graph: &Graph, traversal: &Traversal, start: &str) -> String {
    let reached = Routes::new(graph, traversal).reached_from(&[graph.find(start).unwrap()]);
    let names: Vec<&str> = reached.iter().map(|node| &**graph.key(*node).unwrap()).collect();
    names.join(" ")
}

fn check(lines: &[&str], start: &str, expect: &str) {
    assert_eq!(reaches(&graph(lines), &Traversal::default(), start), expect, "{lines:?}");
}

#[test]
fn what_is_used_is_not_taken() {
    check(&["anna can-access share", "share runs-as service"], "anna", "share");
    check(&["anna administers share", "share runs-as service"], "anna", "share service");
    // By both ways it is taken, and counts once.
    let both = ["anna can-access share", "anna administers share", "share runs-as service"];
    check(&both, "anna", "share service");
}

#[test]
fn a_disabled_account_acts_for_whoever_may_enable_it() {
    check(&["-anna member-of admins"], "anna", "");
    check(&["bert can-reset-password -anna", "-anna member-of admins"], "bert", "anna");
    check(&["bert can-write -anna", "-anna member-of admins"], "bert", "anna admins");
    check(&["unit contains -anna", "-anna member-of admins"], "unit", "anna admins");
    // In a circle through itself it still starts nothing.
    check(&["bert can-write -anna", "-anna full-control bert"], "anna", "");
    check(&["bert can-write -anna", "-anna full-control bert"], "bert", "anna");
}

#[test]
fn a_denial_denies_its_kind_between_its_two() {
    let lines = ["anna can-write x", "anna can-write x", "not anna can-write x", "x member-of y"];
    check(&lines, "anna", "");
    check(&["anna can-write x", "not anna owns x"], "anna", "x");
    check(&["anna can-write x", "not x can-write anna"], "anna", "x");
    // Under a condition it denies only where conditions are taken to fail.
    let lines = ["anna can-write x", "not if anna can-write x", "if anna can-write y"];
    check(&lines, "anna", "x y");
    let failing = Traversal::default().conditional(false);
    assert_eq!(reaches(&graph(&lines), &failing, "anna"), "");
    // Without the denial more is reached.
    let told = graph(&["anna can-write x", "not anna can-write x"]);
    let change = Change { remove_edges: vec![told.edge_ids().nth(1).unwrap()], ..Change::default() };
    assert_eq!(reaches(&told, &Traversal::default().without(change), "anna"), "x");
}

#[test]
fn edges_to_oneself_and_told_twice_change_nothing() {
    check(&["anna owns anna"], "anna", "");
    check(&["anna owns anna", "anna owns x", "anna owns x", "x owns anna"], "anna", "x");
    let told = graph(&["a owns b", "a owns b", "b owns c", "b owns c"]);
    let routes = Routes::new(&told, &Traversal::default());
    let (a, c) = (told.find("a").unwrap(), told.find("c").unwrap());
    let shortest = routes.shortest(&[a], &[c], |_| 1).unwrap();
    assert_eq!(shortest.count(), PathCount::Exactly(1));
    assert_eq!(shortest.paths().next().unwrap().steps.iter().map(|step| step.edges.len()).sum::<usize>(), 4);
    // Each of the two edges has to be paid for.
    let plan = routes.removals(&[a], &[c], 0, |_| Some(1), &mut unwatched).unwrap();
    assert_eq!((plan.price, plan.removals.len(), plan.cheapest), (2, 2, true));
}

#[test]
fn what_is_used_goes_last_and_what_contains_stays() {
    let told = graph(&["unit contains a", "used a owns c", "a can-write b", "b owns c"]);
    let routes = Routes::new(&told, &Traversal::default());
    let find = |name: &str| told.find(name).unwrap();
    let price = |edge| told.price_of_use(edge);
    let plan = routes.removals(&[find("unit")], &[find("c")], 0, price, &mut unwatched).unwrap();
    let edges: Vec<EdgeId> = told.edge_ids().collect();
    let gone: Vec<EdgeId> = plan.removals.iter().flat_map(|removal| removal.edges.clone()).collect();
    assert_eq!((plan.price, gone), (3, vec![edges[1], edges[2]]));
    let plan = routes.removals(&[find("unit")], &[find("a")], 0, price, &mut unwatched).unwrap();
    assert_eq!((plan.before, plan.after, plan.removals.len()), (1, 1, 0), "nothing that may go would help");
}

/// No single step cuts anybody off, so all are cut off first and as many put back as may stay.
#[test]
fn two_ways_each_are_cut_for_as_many_as_have_to_be() {
    let ways = ["a", "b", "c"].map(|start| ["l", "r"].map(|side| format!("{start} owns {start}{side}")));
    let ends = ["a", "b", "c"].map(|start| ["l", "r"].map(|side| format!("{start}{side} owns target")));
    let lines = [ways.concat(), ends.concat()].concat();
    let told = graph(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let routes = Routes::new(&told, &Traversal::default());
    let starts = ["a", "b", "c"].map(|name| told.find(name).unwrap());
    for (most, price) in [(0, 6), (1, 4), (2, 2), (3, 0)] {
        let plan =
            routes.removals(&starts, &[told.find("target").unwrap()], most, |_| Some(1), &mut unwatched).unwrap();
        assert_eq!((plan.before, plan.after, plan.price), (3, most, price));
    }
}

#[test]
fn relations_that_open_nothing_are_followed_on_request() {
    check(&["boss manages anna", "anna responsible-for x", "anna can-connect y"], "boss", "");
    let told = graph(&["home trusts away", "home contains x"]);
    assert_eq!(reaches(&told, &Traversal::default(), "away"), "");
    let traversal = Traversal::default().follow(EdgeKind::Trusts, true);
    assert_eq!(reaches(&told, &traversal, "away"), "home", "accepted there, and no more than that");
    assert_eq!(reaches(&told, &Traversal::default().follow(EdgeKind::Contains, false), "home"), "");
}

#[test]
fn layers_are_counted_and_compared() {
    let told = graph(&[
        "anna member-of a",
        "used anna member-of b",
        "refused anna member-of c",
        "used refused anna member-of d",
        "used ungranted anna member-of e",
        "anna manages f",
    ]);
    let on = |layer| reaches(&told, &Traversal::default().on(layer), "anna");
    assert_eq!(on(Layer::Granted), "a b c d");
    assert_eq!(on(Layer::Enforceable), "a b");
    assert_eq!(on(Layer::Exercised), "b d e");
    let edges: Vec<EdgeId> = told.edge_ids().collect();
    let expected = Comparison {
        unused: vec![edges[0]],
        refused: vec![edges[2], edges[3]],
        ungranted: vec![edges[4]],
        around: vec![edges[3]],
    };
    assert_eq!(told.compare(Timestamp::from_seconds(100)), expected);
    assert_eq!(told.compare(Timestamp::from_seconds(101)).unused, [edges[0], edges[1]], "never before long ago");
}

#[test]
fn the_first_to_go_leads_to_tier_zero() {
    let mut builder = Builder::new();
    let mut node = |name: &str| builder.node(name, NodeKind::Group).unwrap();
    let (anna, plain, jewel, zero) = (node("anna"), node("plain"), node("jewel"), node("zero"));
    builder.set_tier(jewel, Some(Tier::CrownJewel)).unwrap();
    builder.set_tier_zero(zero, true).unwrap();
    let mut edge = |kind, to| builder.edge(Edge::granted(anna, kind, to, Evidence(0))).unwrap();
    let (p, used, j, z) = (
        edge(EdgeKind::MemberOf, plain),
        edge(EdgeKind::CanAccess, jewel),
        edge(EdgeKind::MemberOf, jewel),
        edge(EdgeKind::CanAccess, zero),
    );
    assert_eq!(builder.finish().compare(Timestamp::from_seconds(0)).unused, [z, j, used, p]);
}

#[test]
fn an_empty_graph_has_answers() {
    let graph = Builder::new().finish();
    let routes = Routes::new(&graph, &Traversal::default());
    let reach = routes.blast_radius(Memory::default(), &mut unwatched).unwrap();
    let strange = NodeId(0);
    assert!(reach.of(strange).is_none());
    assert!(routes.reached_from(&[strange]).is_empty() && routes.reaching(&[strange]).is_empty());
    assert!(routes.shortest(&[strange], &[strange], |_| 1).is_none());
    let chokes = routes.choke_points(&[strange], &[strange]);
    assert_eq!((chokes.starts, chokes.nodes.len(), chokes.steps.len()), (0, 0, 0));
    let plan = routes.removals(&[strange], &[strange], 0, |_| Some(1), &mut unwatched).unwrap();
    assert_eq!((plan.before, plan.after, plan.removals.len()), (0, 0, 0));
}

#[test]
fn more_paths_than_can_be_counted_are_said_to_be() {
    // 130 doublings in a row.
    let lines: Vec<String> = (0..130)
        .flat_map(|n| {
            let (here, next) = (format!("n{n}"), format!("n{}", n + 1));
            ["l", "r"].map(|side| [format!("{here} owns {n}{side}"), format!("{n}{side} owns {next}")]).concat()
        })
        .collect();
    let told = graph(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let routes = Routes::new(&told, &Traversal::default());
    let between = |to: &str| routes.shortest(&[told.find("n0").unwrap()], &[told.find(to).unwrap()], |_| 1).unwrap();
    assert_eq!(between("n100").count(), PathCount::Exactly(1 << 100));
    assert_eq!(between("n130").count(), PathCount::Uncounted);
    assert_eq!(between("n130").paths().take(5).count(), 5);
}
