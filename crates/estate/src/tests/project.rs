//! From the inventory to the graph.

use std::collections::BTreeSet;

use countersign_graph::EdgeKind;

use super::{COMPUTERS, GROUPS, LATER, NOON, USERS, batch, import, inventory, sid};
use crate::{Because, Inventory, Projection};

fn sentences(projection: &Projection) -> BTreeSet<(String, EdgeKind, String)> {
    let graph = &projection.graph;
    let edges = graph.edge_ids().filter_map(|id| graph.edge(id));
    let key = |id| graph.key(id).expect("of this graph").to_string();
    edges.map(|edge| (key(edge.from), edge.kind, key(edge.to))).collect()
}

#[test]
fn edges_carry_their_evidence() {
    let mut inventory = Inventory::new();
    let files = [("users", USERS.as_bytes()), ("groups", GROUPS.as_bytes()), ("computers", COMPUTERS.as_bytes())];
    inventory.merge(&batch(&files), NOON).unwrap();
    let projection = inventory.project().unwrap();
    let graph = &projection.graph;
    let reset = graph.edge_ids().filter_map(|id| graph.edge(id)).find(|edge| edge.kind == EdgeKind::CanResetPassword);
    let because = &projection.because[reset.unwrap().evidence.0 as usize];
    let Because::Edge(number) = because else { panic!("{because:?}") };
    assert_eq!(inventory.edges()[*number as usize].relation, crate::Relation::ResetPassword);
    let node = |key: &str| graph.node(graph.find(key).unwrap()).unwrap();
    assert!(node(&sid(512)).tier_zero);
    assert!(node("sid:CORP.EXAMPLE/S-1-5-32-544").tier_zero);
    assert!(!node(&sid(1101)).tier_zero);
    assert!(!node(&sid(1102)).enabled);
    assert_eq!(node(&sid(513)).kind, countersign_graph::NodeKind::Group);
}

#[test]
fn what_is_gone_has_no_edges() {
    let mut inventory = inventory(GROUPS);
    let member = r#"{"ObjectIdentifier":"S-1-5-21-1-2-3-1101","ObjectType":"User"}"#;
    import(&mut inventory, &GROUPS.replace(member, ""), LATER);
    let projection = inventory.project().unwrap();
    assert!(!sentences(&projection).contains(&(sid(1101), EdgeKind::MemberOf, sid(512))));
}

/// Domain, users and groups with the two replication rights where the test says.
fn domain(aces: &str, groups: &str) -> Inventory {
    let domain = format!(
        r#"{{"data":[{{"ObjectIdentifier":"S-1-5-21-1-2-3","Properties":{{"domain":"CORP.EXAMPLE","name":"CORP.EXAMPLE"}},"Aces":[{aces}]}}],"meta":{{"type":"domains","count":1,"version":6}}}}"#
    );
    let groups = format!(r#"{{"data":[{groups}],"meta":{{"type":"groups","count":1,"version":6}}}}"#);
    let mut inventory = Inventory::new();
    let files = [("domain", domain.as_bytes()), ("groups", groups.as_bytes()), ("users", USERS.as_bytes())];
    inventory.merge(&batch(&files), NOON).unwrap();
    inventory
}

fn ace(principal: &str, right: &str) -> String {
    format!(r#"{{"PrincipalSID":"{principal}","PrincipalType":"Base","RightName":"{right}","IsInherited":false}}"#)
}

fn group(relative: u32, member: u32) -> String {
    format!(
        r#"{{"ObjectIdentifier":"S-1-5-21-1-2-3-{relative}","Properties":{{"domain":"CORP.EXAMPLE"}},"Members":[{{"ObjectIdentifier":"S-1-5-21-1-2-3-{member}"}}]}}"#
    )
}

#[test]
fn replication_takes_both_rights_wherever_they_come_from() {
    let right = |relative: u32, right: &str| ace(&format!("S-1-5-21-1-2-3-{relative}"), right);
    let holders = |inventory: &Inventory| -> Vec<String> {
        let all = sentences(&inventory.project().unwrap());
        all.into_iter().filter(|(_, kind, _)| *kind == EdgeKind::CanDcSync).map(|(from, ..)| from).collect()
    };
    let one = domain(&right(1101, "GetChanges"), "");
    assert_eq!(holders(&one), Vec::<String>::new());
    assert_eq!(one.project().unwrap().left_out, 1);
    let both = domain(&format!("{},{}", right(1101, "GetChanges"), right(1101, "GetChangesAll")), "");
    assert_eq!(holders(&both), [sid(1101)]);
    let groups = format!("{},{}", group(1301, 1101), group(1302, 1101));
    let split = domain(&format!("{},{}", right(1301, "GetChanges"), right(1302, "GetChangesAll")), &groups);
    assert_eq!(holders(&split), [sid(1101)]);
    // Groups in a circle do not run in one.
    let groups = format!("{},{}", group(1301, 1302), group(1302, 1301));
    let circle = domain(&format!("{},{}", right(1301, "GetChanges"), right(1302, "GetChangesAll")), &groups);
    assert_eq!(holders(&circle), [sid(1301), sid(1302)]);
}

#[test]
fn everyone_is_everyone_where_it_was_given_a_right() {
    let inventory = domain(&ace("CORP.EXAMPLE-S-1-5-11", "GenericAll"), "");
    let sentences = sentences(&inventory.project().unwrap());
    let everyone = "sid:CORP.EXAMPLE/S-1-5-11".to_owned();
    for account in [1101, 1102] {
        assert!(sentences.contains(&(sid(account), EdgeKind::MemberOf, everyone.clone())));
    }
}
