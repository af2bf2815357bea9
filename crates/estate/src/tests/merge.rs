//! Importing twice, in any order, and what changes between two imports.

use proptest::prelude::*;

use super::{COMPUTERS, GROUPS, LATER, NOON, USERS, batch, import, inventory, saved, sid};
use crate::{Change, Inventory, Relation};

#[test]
fn what_is_saved_is_read_back() {
    let inventory = inventory(USERS);
    let text = saved(&inventory);
    let back = Inventory::load(text.as_bytes()).unwrap();
    assert_eq!(saved(&back), text);
    let mut damaged: Vec<&str> = text.lines().collect();
    damaged.pop();
    let cut = damaged.join("\n");
    assert!(Inventory::load(cut.as_bytes()).is_err(), "the last line has no end");
    assert!(Inventory::load(&b"{}\n"[..]).is_err());
}

#[test]
fn first_and_last_seen_and_what_changed() {
    let mut inventory = inventory(USERS);
    let changed = USERS.replace(r#""enabled":false"#, r#""enabled":true"#);
    let report = import(&mut inventory, &changed, LATER);
    assert_eq!(report.changes.list, [Change::NodeChanged { key: sid(1102).into(), fields: vec!["enabled"] }]);
    let span = inventory.node(&sid(1102)).unwrap().sightings[0].span;
    assert_eq!((span.first, span.last, span.gone), (NOON, LATER, None));
}

#[test]
fn what_vanished_is_marked_and_may_come_back() {
    let mut inventory = inventory(GROUPS);
    let member = r#"{"ObjectIdentifier":"S-1-5-21-1-2-3-1101","ObjectType":"User"}"#;
    let without = GROUPS.replace(member, "");
    let gone = import(&mut inventory, &without, LATER);
    let edge = (sid(1101).into(), Relation::MemberOf, sid(512).into());
    let (from, relation, to) = edge;
    assert_eq!(gone.changes.list, [Change::EdgeGone { from, relation, to }]);
    let edge = inventory.edge(&sid(1101), Relation::MemberOf, &sid(512)).unwrap();
    assert!(edge.is_gone());
    assert_eq!(edge.sightings[0].span.gone, Some(LATER));
    assert_eq!(edge.sightings[0].span.last, NOON);
    let back = import(&mut inventory, GROUPS, LATER);
    assert_eq!(back.changes.counts.edges_back, 1);
    assert!(!inventory.edge(&sid(1101), Relation::MemberOf, &sid(512)).unwrap().is_gone());
}

#[test]
fn a_file_says_nothing_about_what_it_is_not_about() {
    let mut inventory = inventory(USERS);
    let report = import(&mut inventory, COMPUTERS, LATER);
    assert_eq!((report.changes.counts.nodes_gone, report.changes.counts.edges_gone), (0, 0));
}

#[test]
fn an_older_collection_is_refused_and_changes_nothing() {
    let mut inventory = Inventory::new();
    import(&mut inventory, USERS, LATER);
    let before = saved(&inventory);
    let fault = inventory.merge(&batch(&[("old", USERS.as_bytes())]), NOON).unwrap_err();
    assert!(fault.to_string().contains("import in the order of collection"), "{fault}");
    assert_eq!(saved(&inventory), before);
}

#[test]
fn files_that_contradict_each_other_are_told() {
    let other = USERS.replace(r#""enabled":true"#, r#""enabled":false"#);
    let mut inventory = Inventory::new();
    let files = [("a", USERS.as_bytes()), ("b", other.as_bytes())];
    let report = inventory.merge(&batch(&files), NOON).unwrap();
    assert_eq!(report.changes.contradictions, [(sid(1101).into(), vec!["enabled"])]);
    assert_eq!(inventory.node(&sid(1101)).unwrap().attributes().enabled, Some(true));
}

/// A directory of a few accounts and groups, as lines, in the given order.
fn lines(edges: &[(u8, u8, u8)], names: &[bool]) -> Vec<String> {
    let mut lines: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(id, enabled)| {
            format!(
                r#"{{"type":"node","id":"{id}","labels":["User"],"properties":{{"domain":"D","name":"N{id}","objectid":"S-1-5-21-1-2-3-{}","enabled":{enabled}}}}}"#,
                1000 + id
            )
        })
        .collect();
    for (from, to, kind) in edges {
        let label = ["MemberOf", "GenericAll", "AdminTo"][usize::from(*kind % 3)];
        let (from, to) = (usize::from(*from) % names.len(), usize::from(*to) % names.len());
        lines.push(format!(
            r#"{{"type":"relationship","label":"{label}","start":{{"id":"{from}"}},"end":{{"id":"{to}"}}}}"#
        ));
    }
    lines
}

proptest! {
    #[test]
    fn twice_is_once(edges in prop::collection::vec(any::<(u8, u8, u8)>(), 0..40), names in prop::collection::vec(any::<bool>(), 1..12)) {
        let text = lines(&edges, &names).join("\n");
        let mut inventory = inventory(&text);
        let once = saved(&inventory);
        let report = import(&mut inventory, &text, NOON);
        prop_assert_eq!(saved(&inventory), once);
        prop_assert_eq!(report.changes.list, []);
        prop_assert_eq!(report.changes.counts, crate::Counts::default());
    }

    #[test]
    fn the_order_of_files_and_imports_makes_no_difference(turn in 0..3usize, separately in any::<bool>()) {
        let mut files = vec![("users", USERS.as_bytes()), ("groups", GROUPS.as_bytes()), ("computers", COMPUTERS.as_bytes())];
        let take = |files: &[(&str, &[u8])]| {
            let mut inventory = Inventory::new();
            for files in files.chunks(if separately { 1 } else { 3 }) {
                inventory.merge(&batch(files), NOON).expect("in order");
            }
            saved(&inventory)
        };
        let straight = take(&files);
        files.rotate_left(turn);
        prop_assert_eq!(take(&files), straight.clone());
        files.reverse();
        prop_assert_eq!(take(&files), straight);
    }
}
