//! On any estate: what was found, what passed and what could not be told are the population, and shares are intervals within it.

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{Estate, GROUPS, LONE, USERS, ago, health};

fn maybe(values: Vec<Value>) -> impl Strategy<Value = Option<Value>> {
    proptest::option::of(proptest::sample::select(values))
}

fn attributes() -> impl Strategy<Value = Value> {
    let flag = || maybe(vec![json!(true), json!(false)]);
    let stamp = |kind: &str, days: i64| json!([{"kind": kind, "when": {"at": ago(days)}}]);
    let sign_ins = maybe(vec![
        stamp("replicated", 5),
        stamp("replicated", 95),
        stamp("replicated", 200),
        stamp("dashboard", 200),
        json!([{"kind": "replicated", "when": "never"}]),
    ]);
    let flags = (flag(), flag(), flag(), flag(), flag());
    let lists = (maybe(vec![json!([]), json!(["app"])]), maybe(vec![json!("n0"), json!("nobody")]), sign_ins);
    let dates = (maybe(vec![json!(ago(400)), json!(ago(1))]), maybe(vec![json!({"at": ago(400)}), json!("never")]));
    (flags, lists, dates).prop_map(|(flags, lists, dates)| {
        let mut all = json!({});
        for (name, value) in [
            ("enabled", flags.0),
            ("password_never_expires", flags.1),
            ("guest", flags.2),
            ("unconstrained_delegation", flags.3),
            ("built_in", flags.4),
            ("factors", lists.0),
            ("owner", lists.1),
            ("sign_ins", lists.2),
            ("created", dates.0.clone()),
            ("left", dates.0),
            ("password_last_set", dates.1.clone()),
            ("expires", dates.1),
        ] {
            if let Some(value) = value {
                all[name] = value;
            }
        }
        all
    })
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn the_parts_are_the_population(
        nodes in proptest::collection::vec((
            prop_oneof![Just(USERS), Just(LONE), Just(GROUPS)],
            proptest::sample::select(vec!["account", "human", "service", "device", "key", "resource", "group"]),
            attributes(),
        ), 1..12),
        edges in proptest::collection::vec((0usize..12, 0usize..12, any::<bool>()), 0..12),
        as_of in -200i64..200,
    ) {
        let mut estate = Estate::default();
        for (number, (part, kind, attributes)) in nodes.iter().enumerate() {
            estate = estate.node(*part, &format!("n{number}"), kind, attributes.clone());
        }
        let mut drawn = std::collections::BTreeSet::new();
        for (from, to, member) in edges {
            let to = if to == 0 { "sid:S-1-5-21-1-2-3-512".to_owned() } else { format!("n{to}") };
            if drawn.insert((from, to.clone(), member)) {
                estate = estate.edge(GROUPS, &format!("n{from}"), if member { "member-of" } else { "owns" }, &to);
            }
        }
        let health = health(&estate.inventory(), ago(as_of));
        for checked in &health.indicators {
            prop_assert_eq!(checked.found + checked.passed + checked.not_assessed, checked.population, "{}", checked.id);
            prop_assert_eq!(checked.found, checked.findings.len() as u64);
            prop_assert_eq!(checked.not_assessed, checked.reasons.iter().map(|reason| reason.count).sum::<u64>());
            prop_assert!(checked.identities <= checked.found);
            if let Some(share) = &checked.share {
                prop_assert!(0.0 <= share.at_least && share.at_least <= share.at_most && share.at_most <= 100.0);
            }
        }
        let order: Vec<_> = health.indicators.iter().map(|one| (one.outcome, one.severity)).collect();
        prop_assert!(order.is_sorted());
    }
}
