//! The inventory of Countersign itself as a source.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::ops::ControlFlow;

use countersign_model::{Entitled, GroupId, ResourceId, ResourceKind, Source, SubjectId, Tier, Upstream};

use super::*;
use crate::{Classification, Input, Inventory, Limits, Watch};

fn human(name: &str, groups: &[&str]) -> Subject {
    Subject {
        id: SubjectId::human(name).unwrap(),
        display_name: name.to_owned(),
        email: Some(format!("{name}@example.org")),
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: groups.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
        source: Source::Administrator,
        created: Timestamp::from_seconds(1000),
        last_used: None,
    }
}

fn document() -> OwnInventory {
    let group = |id: &str| Group {
        id: GroupId::new(id).unwrap(),
        display_name: id.to_owned(),
        member_of: Vec::new(),
        source: Source::Administrator,
    };
    let resource = Resource {
        id: ResourceId::new("payroll").unwrap(),
        display_name: "Payroll".to_owned(),
        kind: ResourceKind::Http,
        tier: Tier::CrownJewel,
        segment: None,
        owner: Some(SubjectId::human("alice").unwrap()),
        source: Source::Administrator,
        routes: Vec::new(),
        upstream: Upstream::Origin { url: "http://127.0.0.1:1".to_owned(), ca: None, preserve_host: false },
        rules: Vec::new(),
        entitled: Entitled { readers: vec![GroupId::new("everyone").unwrap()], ..Entitled::default() },
        observe_until: None,
    };
    OwnInventory {
        groups: vec![group("owners"), group("everyone")],
        subjects: vec![human("alice", &["owners"]), human("bea", &[]), {
            let mut robot = human("x", &[]);
            robot.id = SubjectId::service("robot").unwrap();
            robot
        }],
        resources: vec![resource],
        keys: vec![OwnKey {
            id: "k1".to_owned(),
            subject: SubjectId::service("robot").unwrap(),
            owner: SubjectId::human("bea").unwrap(),
            created: Timestamp::from_seconds(2000),
            expires: Timestamp::from_seconds(9000),
            last_used: None,
        }],
        passkeys: vec![SubjectId::human("alice").unwrap()],
        ..OwnInventory::new("id.example.org".to_owned())
    }
}

fn taken(text: &[u8]) -> Result<Inventory, Fault> {
    let mut go_on = |_: crate::Progress<'_>| ControlFlow::Continue(());
    let inputs = [Input { name: "countersign.json", bytes: text }];
    let batch = crate::read(&inputs, &Limits::default(), &mut Watch::new(&mut go_on))?;
    let mut inventory = Inventory::new();
    inventory.merge(&batch, Timestamp::from_seconds(5000)).map(|_| inventory)
}

fn key(what: &str) -> String {
    format!("countersign:id.example.org/{what}")
}

#[test]
fn it_is_a_source_like_any_other() {
    let inventory = taken(&serde_json::to_vec(&document()).unwrap()).unwrap();
    let edge = |from: &str, relation, to: &str| inventory.edge(&key(from), relation, &key(to)).is_some();
    assert!(edge("human:alice", Relation::MemberOf, "group:owners"));
    assert!(edge("human:bea", Relation::MemberOf, "group:everyone"), "a resource is open to everybody");
    assert!(!edge("service:robot", Relation::MemberOf, "group:everyone"), "a programme is no person");
    assert!(edge("group:everyone", Relation::Permits, "resource:payroll"));
    assert!(edge("group:owners", Relation::Administers, "installation"));
    assert!(edge("key:k1", Relation::Assume, "service:robot") && edge("human:bea", Relation::HoldsKey, "key:k1"));
    let alice = inventory.node(&key("human:alice")).unwrap();
    assert_eq!(alice.attributes().factors, Some(vec![Factor::PhishingResistant]));
    // Whether she has a second factor elsewhere, Countersign does not know.
    assert_eq!(inventory.node(&key("human:bea")).unwrap().attributes().factors, None);
}

#[test]
fn a_person_classifies_and_configuration_was_made_by_persons() {
    let mut inventory = taken(&serde_json::to_vec(&document()).unwrap()).unwrap();
    let tier = |inventory: &Inventory| inventory.tier(inventory.node(&key("resource:payroll")).unwrap());
    assert_eq!(tier(&inventory), Some(Tier::CrownJewel));
    let said = Classification {
        key: key("resource:payroll").into(),
        tier: Some(Tier::High),
        owner: None,
        segment: Some("finance".into()),
        by: "human:alice".to_owned(),
        at: Timestamp::from_seconds(6000),
    };
    inventory.classify(said.clone()).unwrap();
    assert_eq!(tier(&inventory), Some(Tier::High));
    let mut saved = Vec::new();
    inventory.save(&mut saved).unwrap();
    let again = Inventory::load(&saved[..]).unwrap();
    assert_eq!(again.classifications(), std::slice::from_ref(&said));
    assert_eq!(again.segment(again.node(&key("resource:payroll")).unwrap()), Some("finance"));
    let graph = again.project().unwrap().graph;
    assert_eq!(graph.node(graph.find(&key("resource:payroll")).unwrap()).unwrap().tier, Some(Tier::High));
    inventory.classify(Classification { tier: None, segment: None, ..said.clone() }).unwrap();
    assert_eq!(tier(&inventory), Some(Tier::CrownJewel), "taken back");
    assert!(inventory.classify(Classification { key: "nothing".into(), ..said }).is_err());
}

#[test]
fn what_is_none_is_refused() {
    for text in [
        r#"{"countersign-inventory":2,"installation":"a"}"#,
        r#"{"countersign-inventory":1}"#,
        r#"{"countersign-inventory":1,"installation":"a","subjects":[{"id":"nobody knows"}]}"#,
        r#"{"countersign-inventory":1,"installation":"a","keys":[{"id":"k","secret":"s"}]}"#,
    ] {
        assert!(taken(text.as_bytes()).is_err(), "{text}");
    }
}
