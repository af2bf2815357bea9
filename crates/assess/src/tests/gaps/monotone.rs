//! Whatever more is told of the same estate, no interval gets wider: what was certain stays certain.

use proptest::prelude::{Just, Strategy, prop_assert, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{assessed, told};
use crate::interval::{Points, Scale, WHOLE};
use crate::tests::{Estate, GROUPS, LONE, USERS};
use crate::{GapMap, Own, Told};

/// Attributes of which silence says nothing: telling one is more evidence, and no other evidence.
const TOLD: [&str; 8] = [
    "enabled",
    "password_never_expires",
    "password_not_required",
    "without_preauthentication",
    "unconstrained_delegation",
    "guest",
    "local_password_managed",
    "factors",
];

fn value(name: &str, yes: bool) -> Value {
    match (name, yes) {
        ("factors", true) => json!(["phishing-resistant"]),
        ("factors", false) => json!([]),
        _ => json!(yes),
    }
}

/// For each attribute its value, and whether it is told from the beginning.
fn node() -> impl Strategy<Value = (usize, &'static str, Vec<(bool, bool)>)> {
    let part = prop_oneof![Just(USERS), Just(LONE)];
    let kind = proptest::sample::select(vec!["account", "human", "service", "device"]);
    (part, kind, proptest::collection::vec((proptest::bool::ANY, proptest::bool::ANY), TOLD.len()))
}

fn tally() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    (0u64..40, 0u64..40, 0u64..40, 0u64..40)
}

fn within(less: &GapMap, more: &GapMap) -> Result<(), proptest::test_runner::TestCaseError> {
    prop_assert!(less.score.at_least <= more.score.at_least && more.score.at_most <= less.score.at_most);
    for (less, more) in less.areas.iter().zip(&more.areas) {
        let (before, after) = (less.score, more.score);
        prop_assert!(before.at_least <= after.at_least && after.at_most <= before.at_most, "{}", less.id);
    }
    for (less, more) in less.measured().zip(more.measured()) {
        let (before, after) = (less.score, more.score);
        let concerned = more.state.is_some();
        prop_assert!(
            !concerned || before.at_least <= after.at_least && after.at_most <= before.at_most,
            "{}: {} {} {}, then {} {} {}",
            less.id,
            less.numerator,
            less.assessed,
            less.population,
            more.numerator,
            more.assessed,
            more.population
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    #[test]
    fn more_told_of_the_inventory_never_widens(
        nodes in proptest::collection::vec(node(), 1..8),
        members in proptest::collection::vec((0usize..8, 0usize..8), 0..6),
        revealed in proptest::sample::select((0..TOLD.len()).collect::<Vec<_>>()),
    ) {
        let estate = |all: bool| {
            let mut estate = Estate::default().node(GROUPS, "sid:S-1-5-21-1-2-3-512", "group", json!({}));
            for (number, (part, kind, told)) in nodes.iter().enumerate() {
                let mut attributes = json!({});
                for (at, (name, (yes, early))) in TOLD.iter().zip(told).enumerate() {
                    if *early || (all && at >= revealed) {
                        attributes[*name] = value(name, *yes);
                    }
                }
                estate = estate.node(*part, &format!("n{number}"), kind, attributes);
            }
            let mut drawn = std::collections::BTreeSet::new();
            for (from, to) in &members {
                let to = if *to < 3 { "sid:S-1-5-21-1-2-3-512".to_owned() } else { format!("g{to}") };
                if drawn.insert((*from, to.clone())) {
                    estate = estate.edge(GROUPS, &format!("n{from}"), "member-of", &to);
                }
            }
            assessed(&estate.inventory(), &Own::default()).gaps
        };
        within(&estate(false), &estate(true))?;
    }

    #[test]
    fn more_told_by_a_server_never_widens(
        tallies in proptest::collection::vec(tally(), Told::ALL.len()),
        late in 0usize..40,
    ) {
        let own = |all: bool| {
            let tallies = Told::ALL.iter().zip(&tallies).enumerate().filter_map(|(at, (one, (good, bad, more_good, more_bad)))| {
                let of = good + bad + more_good + more_bad;
                match all {
                    true => Some(told(*one, good + more_good, of, of)),
                    // Some are not told at all yet.
                    false => (at >= late).then(|| told(*one, *good, good + bad, of)),
                }
            });
            let own = Own { tallies: tallies.collect(), ..Own::default() };
            assessed(&Estate::default().inventory(), &own).gaps
        };
        within(&own(false), &own(true))?;
    }

    #[test]
    fn a_scale_keeps_the_order_and_never_closes_an_interval_too_far(one in 0u32..=WHOLE, other in 0u32..=WHOLE) {
        for scale in [Scale::GROWING, Scale::STRICT] {
            let (low, high) = (one.min(other), one.max(other));
            let score = scale.score(Points { low, high });
            prop_assert!(score.low <= score.high && score.high <= WHOLE);
            let point = scale.score(Points { low, high: low });
            prop_assert!(point.low == score.low && point.high - point.low <= 1);
        }
    }
}
