//! Policies that a programme writes mean what it said: every demand and every exemption, for whoever is named and nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_model::*;

use super::fixtures::*;
use crate::{Demand, Draft, PolicySet, SourceFile, Symbols, Way, format};

const BASE: &str = r#"
@id("all") @owner("o") @review_by("2030-01-01")
permit (principal, action, resource);
@id("emergency") @owner("o") @review_by("2030-01-01")
permit (principal is Human in Group::"fire", action in [Action::"read", Action::"write"], resource == Resource::"wiki")
when { context.risk < 90 };
"#;

fn draft(ways: Vec<Way>) -> Draft {
    Draft {
        id: PolicyId::new("drafted").unwrap(),
        owner: "o".to_owned(),
        review_by: NOON,
        remedy: "Ask \"o\".".to_owned(),
        description: "Drafted.".to_owned(),
        observe: false,
        role: PolicyRole::Forbid,
        resource: ResourceId::new("wiki").unwrap(),
        ways,
        spared_groups: BTreeSet::new(),
        spared_permits: BTreeSet::new(),
    }
}

fn way(demands: &[Demand]) -> Way {
    Way {
        kind: SubjectKind::Human,
        classes: BTreeSet::from([ActionClass::Read, ActionClass::Connect]),
        anybody: false,
        groups: vec![GroupId::new("staff").unwrap()],
        people: vec![SubjectId::human("zoe").unwrap(), SubjectId::service("zoe").unwrap()],
        demands: demands.iter().cloned().collect(),
    }
}

fn load(draft: &Draft) -> PolicySet {
    let base = PolicySet::load(vec![file(BASE)], &Arc::new(Symbols::default())).unwrap();
    let text = format(std::path::Path::new("draft.cedar"), &draft.write(&base).unwrap()).unwrap();
    let files = vec![file(BASE), SourceFile { path: "draft.cedar".into(), text }];
    PolicySet::load(files, &Arc::new(Symbols::default())).unwrap_or_else(|problems| panic!("{problems}"))
}

fn asks(id: &str, group: &str, class: ActionClass) -> Case {
    Case { groups: vec![GroupId::new(group).unwrap()], action: Action::http(class), ..Case::new(id) }
}

#[test]
fn whoever_is_named_may_and_nobody_else() {
    let set = load(&draft(vec![way(&[])]));
    assert!(set.policies().iter().all(|info| info.compiled));
    for (id, group, class, effect) in [
        ("human:alice", "staff", ActionClass::Read, "allow"),
        ("human:alice", "staff", ActionClass::Write, "deny"),
        ("human:zoe", "other", ActionClass::Connect, "allow"),
        ("human:bob", "other", ActionClass::Read, "deny"),
        // Others than of the kind are nobody there.
        ("service:zoe", "other", ActionClass::Read, "deny"),
        ("service:zoe", "staff", ActionClass::Read, "deny"),
    ] {
        assert_eq!(asks(id, group, class).decide(&set).name(), effect, "{id} {group} {class:?}");
    }
    let mut elsewhere = asks("human:bob", "other", ActionClass::Write);
    elsewhere.resource = resource("other", ResourceKind::Http, Tier::Standard);
    assert_eq!(elsewhere.decide(&set).name(), "allow");
}

#[test]
fn what_is_spared_is_spared_with_its_scope_and_its_condition() {
    let mut drafted = draft(vec![way(&[])]);
    drafted.spared_groups.insert(GroupId::new("owners").unwrap());
    drafted.spared_permits.insert(PolicyId::new("emergency").unwrap());
    let set = load(&drafted);
    for (id, group, class, risk, effect) in [
        ("human:bob", "owners", ActionClass::Administer, 0, "allow"),
        ("human:bob", "fire", ActionClass::Write, 0, "allow"),
        ("human:bob", "fire", ActionClass::Write, 95, "deny"),
        ("human:bob", "fire", ActionClass::Administer, 0, "deny"),
        ("service:bob", "fire", ActionClass::Write, 0, "deny"),
    ] {
        let mut case = asks(id, group, class);
        case.circumstances.risk = risk;
        assert_eq!(case.decide(&set).name(), effect, "{id} {group} {class:?} {risk}");
    }
    drafted.spared_permits.insert(PolicyId::new("no-such").unwrap());
    let base = PolicySet::load(vec![file(BASE)], &Arc::new(Symbols::default())).unwrap();
    assert_eq!(drafted.write(&base), None);
    // A forbid that leaves nothing, and a way that leads nobody anywhere, are not written.
    assert_eq!(draft(Vec::new()).write(&base), None);
    assert_eq!(draft(vec![Way { groups: Vec::new(), people: Vec::new(), ..way(&[]) }]).write(&base), None);
}

#[test]
fn each_demand_asks_for_what_it_says() {
    let zone = ZoneName::new("office \"1\"").unwrap();
    let mut best = circumstances();
    best.authentication = Some(proof(AuthenticationMethod::Passkey, 60));
    best.device = Some(DeviceCircumstances {
        id: DeviceId::new("laptop").unwrap(),
        managed: true,
        compliant: true,
        findings: Default::default(),
        posture_age: Some(0),
    });
    best.network.zones.insert(zone.clone());
    best.network.encrypted = true;
    let (hour, weekday) = (best.time.hour, best.time.weekday);
    for demand in [
        Demand::SignIn,
        Demand::MultiFactor,
        Demand::PhishingResistant,
        Demand::Method { method: AuthenticationMethod::Passkey },
        Demand::Device,
        Demand::ManagedDevice,
        Demand::CompliantDevice,
        Demand::Encrypted,
        Demand::Zone { zone },
        Demand::Hours { first: hour, last: hour },
        Demand::Weekdays { first: weekday, last: weekday },
    ] {
        let set = load(&draft(vec![way(std::slice::from_ref(&demand))]));
        let mut case = asks("human:alice", "staff", ActionClass::Read);
        case.circumstances = best.clone();
        assert!(demand.holds(&best));
        assert_eq!(case.decide(&set).name(), "allow", "{demand:?}");
        case.circumstances = demand.without(&best);
        assert!(!demand.holds(&case.circumstances), "{demand:?}");
        assert_ne!(case.decide(&set).name(), "allow", "{demand:?}");
    }
}
