//! The form of queries: what it means, and what is refused, with the place.

use proptest::prelude::{Just, Strategy, prop_assert, prop_oneof, proptest};
use serde_json::json;

use super::{Estate, USERS, asked, imported};
use crate::{Filter, Truth, fields, indicators};

#[test]
fn queries_mean_what_they_say() {
    let estate = Estate::default().node(
        USERS,
        "x",
        "account",
        json!({"enabled": true, "department": "Sales North", "service_principals": ["a/b", "c/d"]}),
    );
    let inventory = estate.inventory();
    for (query, expected) in [
        ("enabled", Some(true)),
        ("not enabled", Some(false)),
        ("not not enabled", Some(true)),
        ("department = \"sales north\"", Some(true)),
        ("department != \"sales north\"", Some(false)),
        ("department contains NORTH", Some(true)),
        ("source = active-directory and key = x and kind = account", Some(true)),
        ("service-principals = 2", Some(true)),
        ("service-principals != 2", Some(false)),
        ("service-principals>=2", Some(true)),
        ("service-principals < 2 or service-principals > 1", Some(true)),
        ("locked", None),
        ("not locked", None),
        ("locked or enabled", Some(true)),
        ("locked and not enabled", Some(false)),
        ("unknown (locked)", Some(true)),
        ("unknown (enabled)", Some(false)),
        ("not enabled or enabled and not enabled", Some(false)),
        ("(enabled or not enabled) and not enabled", Some(false)),
        ("created older-than 3 days", None),
    ] {
        let told = match asked(&inventory, query, "x", imported()) {
            Truth::Yes => Some(true),
            Truth::No => Some(false),
            Truth::Unknown(_) => None,
        };
        assert_eq!(told, expected, "{query}");
    }
}

#[test]
fn what_is_no_query_is_refused_with_its_place() {
    for (query, at, expected) in [
        ("", 0, "the name of a field"),
        ("enable", 0, "the name of a field"),
        ("\"enabled\"", 0, "the name of a field"),
        ("enabled and", 11, "the name of a field"),
        ("enabled enabled", 8, "`and`, `or` or the end"),
        ("enabled = yes", 8, "`and`, `or` or the end"),
        ("(enabled", 8, "`)`"),
        ("name < x", 5, "`=`, `!=` or `contains`"),
        ("name = ", 7, "a value"),
        ("name = \"x", 7, "a closing quotation mark"),
        ("people > many", 9, "a whole number"),
        ("people > 99999999999999999999", 9, "a whole number"),
        ("last-use > 3", 9, "`older-than`"),
        ("last-use older-than 3 weeks", 22, "`days`"),
    ] {
        let fault = Filter::parse(query).expect_err(query);
        assert_eq!((fault.at, &*fault.expected), (at, expected), "{query}");
    }
    let deep = format!("{}enabled{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Filter::parse(&deep).is_err());
    assert!(Filter::parse(&"not ".repeat(1000)).is_err());
    assert!(Filter::parse(&format!("{}enabled", "not ".repeat(32))).is_ok());
}

#[test]
fn a_finding_gives_the_query_that_finds_it() {
    let inventory = super::chain::inventory();
    let projection = inventory.project().unwrap();
    let view = crate::View::new(&inventory, &projection, &crate::Parameters::default(), imported());
    let health = super::health(&inventory, imported());
    for checked in &health.indicators {
        let (mut matching, untold) = Filter::parse(&checked.query).unwrap().select(&view, imported());
        matching.sort_unstable();
        let found: Vec<&str> = checked.findings.iter().map(|finding| &*finding.key).collect();
        if checked.allowed.is_none() {
            assert_eq!(matching, found, "{}", checked.id);
        }
        assert_eq!(untold.len() as u64, checked.not_assessed, "{}", checked.id);
        let again = Filter::parse(&checked.query_not_assessed).unwrap().select(&view, imported());
        assert_eq!(again.0, untold, "{}", checked.id);
    }
}

#[test]
fn names_are_unique() {
    let unique = |mut names: Vec<&str>| {
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    };
    unique(fields().map(|(name, _, _)| name).collect());
    unique(indicators().iter().map(|indicator| indicator.id).collect());
}

/// Anything, and what nearly is a query.
fn text() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "and",
        "or",
        "not",
        "unknown",
        "(",
        ")",
        "enabled",
        "name",
        "people",
        "last-use",
        "=",
        "!=",
        "<",
        ">=",
        "contains",
        "older-than",
        "90",
        "days",
        "\"a b\"",
        "\"",
        "!",
    ]);
    let words =
        proptest::collection::vec(prop_oneof![word, Just("\u{202e}é")], 0..24).prop_map(|words| words.join(" "));
    prop_oneof![".{0,64}", words]
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_a_fault_within_it(text in text()) {
        match Filter::parse(&text) {
            Ok(_) => {
                let joined = format!("({text}) and enabled");
                prop_assert!(Filter::parse(&joined).is_ok(), "{}", joined);
            }
            Err(fault) => prop_assert!(text.is_char_boundary(fault.at), "{}", fault),
        }
    }
}
