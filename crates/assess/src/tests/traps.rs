//! What such checks get wrong elsewhere, one test each.

use proptest::prelude::{any, prop_assert, proptest};
use serde_json::{Value, json};

use super::{Estate, GROUPS, PEOPLE, USERS, ago, asked, found, health, imported, one};
use crate::{Outcome, Truth};

fn account(attributes: Value) -> Estate {
    Estate::default().node(USERS, "x", "account", attributes)
}

fn signed_in(kind: &str, days: i64) -> Estate {
    account(json!({"enabled": true, "sign_ins": [{"kind": kind, "when": {"at": ago(days)}}]}))
}

const UNUSED: &str = "last-use older-than 90 days";

fn unused(estate: &Estate, as_of: i64) -> Truth {
    asked(&estate.inventory(), UNUSED, "x", ago(as_of))
}

#[test]
fn the_replicated_stamp_lags_by_fourteen_days() {
    assert_eq!(unused(&signed_in("replicated", 90), 0), Truth::No);
    for days in [91, 104] {
        assert!(matches!(unused(&signed_in("replicated", days), 0), Truth::Unknown(why) if why.contains("lags")));
    }
    assert_eq!(unused(&signed_in("replicated", 105), 0), Truth::Yes);
}

#[test]
fn another_controller_may_know_better_and_all_of_them_together_do() {
    assert!(matches!(unused(&signed_in("one-controller", 400), 0), Truth::Unknown(why) if why.contains("controller")));
    let both = account(json!({"enabled": true, "sign_ins": [
        {"kind": "one-controller", "when": {"at": ago(400)}}, {"kind": "replicated", "when": {"at": ago(300)}}]}));
    assert_eq!(unused(&both, 0), Truth::Yes);
}

#[test]
fn the_dashboard_of_a_provider_is_not_all_sign_ins() {
    assert!(matches!(unused(&signed_in("dashboard", 400), 0), Truth::Unknown(why) if why.contains("dashboard")));
    assert_eq!(unused(&signed_in("dashboard", 3), 0), Truth::No);
    assert_eq!(unused(&signed_in("interactive", 91), 0), Truth::Yes);
}

#[test]
fn never_signed_in_is_not_dormant() {
    let never =
        account(json!({"enabled": true, "created": ago(400), "sign_ins": [{"kind": "replicated", "when": "never"}]}));
    let health = health(&never.inventory(), imported());
    assert_eq!(one(&health, "unused-account").outcome, Outcome::NotApplicable);
    assert_eq!(found(&health, "never-used-account"), ["x"]);
    let dashboard = account(json!({"enabled": true, "sign_ins": [{"kind": "dashboard", "when": "never"}]}));
    assert!(matches!(asked(&dashboard.inventory(), "never-used", "x", imported()), Truth::Unknown(_)));
}

#[test]
fn what_nobody_uses_is_nobody() {
    let old = json!([{"kind": "replicated", "when": {"at": ago(1000)}}]);
    let like = |more: Value| {
        let mut all = json!({"enabled": true, "sign_ins": old, "password_never_expires": true, "factors": []});
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    let estate = Estate::default()
        .node(USERS, "trust", "account", like(json!({"trust_account": true})))
        .node(USERS, "OTHER$@CORP", "account", like(json!({})))
        .node(USERS, "krbtgt@CORP", "account", like(json!({})))
        .node(USERS, "krbtgt_1234@CORP", "account", like(json!({})))
        .node(USERS, "sid:S-1-5-21-1-2-3-500", "account", like(json!({"built_in": true})))
        .node(USERS, "gmsa$", "service", like(json!({"managed_password": true})))
        .node(USERS, "computer", "device", like(json!({})))
        .node(USERS, "ana", "human", like(json!({})));
    let health = health(&estate.inventory(), imported());
    for id in ["without-mfa", "password-never-expires"] {
        assert_eq!(found(&health, id), ["ana"], "{id}");
        assert_eq!(one(&health, id).population, 1, "{id}");
    }
    // A managed account is no person, but one that nothing uses is a finding.
    assert_eq!(found(&health, "unused-account"), ["ana", "gmsa$"]);
    assert_eq!(found(&health, "unused-device"), ["computer"]);
    assert_eq!(found(&health, "service-credential-without-expiry"), Vec::<String>::new());
}

#[test]
fn locked_is_enabled() {
    let sign_ins = json!([{"kind": "replicated", "when": {"at": ago(1000)}}]);
    let locked = account(json!({"enabled": true, "locked": true, "sign_ins": sign_ins}));
    assert_eq!(found(&health(&locked.inventory(), imported()), "unused-account"), ["x"]);
    let disabled = account(json!({"enabled": false, "locked": false, "sign_ins": sign_ins}));
    assert_eq!(one(&health(&disabled.inventory(), imported()), "unused-account").population, 0);
}

#[test]
fn a_file_of_users_alone_says_nothing_about_nesting() {
    let group = "sid:S-1-5-21-1-2-3-513";
    let users = account(json!({"enabled": true})).edge(USERS, "x", "member-of", group);
    assert!(matches!(asked(&users.inventory(), "privileged", "x", imported()), Truth::Unknown(_)));
    let all = users.edge(GROUPS, "y", "member-of", "inner");
    assert_eq!(asked(&all.inventory(), "privileged", "x", imported()), Truth::No);
}

#[test]
fn what_an_export_says_of_devices_is_no_word_on_accounts() {
    let device = json!({"enabled": true, "service_principals": ["host/pc"]});
    let estate = account(json!({"enabled": true})).node(USERS, "pc", "device", device);
    let kerberoastable = one(&health(&estate.inventory(), imported()), "kerberoastable").clone();
    assert_eq!((kerberoastable.passed, kerberoastable.not_assessed), (0, 1));
}

#[test]
fn that_there_are_service_principals_may_be_all_that_is_said() {
    let estate = |has: bool| account(json!({"enabled": true, "has_service_principal": has}));
    assert_eq!(found(&health(&estate(true).inventory(), imported()), "kerberoastable"), ["x"]);
    assert_eq!(one(&health(&estate(false).inventory(), imported()), "kerberoastable").passed, 1);
}

#[test]
fn a_controller_needs_its_delegation_and_is_known_by_its_group() {
    let device = |group: Option<&str>| {
        let estate =
            Estate::default().node(USERS, "x", "device", json!({"enabled": true, "unconstrained_delegation": true}));
        let estate = group.into_iter().fold(estate, |estate, group| estate.edge(USERS, "x", "member-of", group));
        let health = health(&estate.inventory(), imported());
        let checked = one(&health, "unconstrained-delegation");
        (checked.population, checked.found, checked.not_assessed)
    };
    assert_eq!(device(Some("sid:S-1-5-21-1-2-3-516")), (0, 0, 0));
    assert_eq!(device(Some("sid:S-1-5-21-1-2-3-515")), (1, 1, 0));
    assert_eq!(device(None), (1, 0, 1));
}

#[test]
fn several_accounts_of_one_person_are_one_identity_and_their_factors_are_not_shared() {
    let admins = "sid:S-1-5-21-1-2-3-512";
    let mut estate = Estate::default().node(PEOPLE, "hr:ana", "human", json!({"left": ago(3)})).node(
        GROUPS,
        admins,
        "group",
        json!({}),
    );
    for (key, factors) in [("a", json!(["app"])), ("b", json!([]))] {
        estate = estate
            .node(USERS, key, "account", json!({"enabled": true, "same_as": ["hr:ana"], "factors": factors}))
            .edge(GROUPS, key, "member-of", admins);
    }
    let health = health(&estate.inventory(), imported());
    let left = one(&health, "left-still-enabled");
    assert_eq!((left.found, left.identities), (2, 1));
    assert_eq!(found(&health, "privileged-without-mfa"), ["b"]);
    // What the person's other accounts say is evidence too, and names its place.
    assert!(left.findings[0].evidence.iter().any(|evidence| evidence.source == "table:hr/people"));
}

#[test]
fn a_number_that_is_allowed_is_no_finding_and_beyond_it_all_are_named() {
    let admins = "sid:S-1-5-21-1-2-3-512";
    let of = |count: usize| {
        (0..count).fold(Estate::default().node(GROUPS, admins, "group", json!({})), |estate, number| {
            let key = format!("admin-{number}");
            let estate = estate.node(USERS, &key, "account", json!({"enabled": true}));
            estate.edge(GROUPS, &key, "member-of", admins)
        })
    };
    let five = health(&of(5).inventory(), imported());
    assert_eq!(one(&five, "privileged-beyond-allowed").outcome, Outcome::Passed);
    let six = health(&of(6).inventory(), imported());
    let checked = one(&six, "privileged-beyond-allowed");
    assert_eq!((checked.found, checked.allowed.unwrap().beyond), (6, 1));
}

#[test]
fn a_disabled_account_on_the_way_opens_nothing_unless_it_can_be_switched_on() {
    let admins = "sid:S-1-5-21-1-2-3-512";
    let way = |relation: &str, enabled: bool| {
        Estate::default()
            .node(GROUPS, admins, "group", json!({}))
            .node(USERS, "admin", "account", json!({"enabled": enabled}))
            .node(USERS, "x", "account", json!({"enabled": true}))
            .edge(GROUPS, "admin", "member-of", admins)
            .edge(USERS, "x", relation, "admin")
            .inventory()
    };
    let by_rights = |relation, enabled| asked(&way(relation, enabled), "privilege-by-rights", "x", imported());
    assert_eq!(by_rights("reset-password", true), Truth::Yes);
    assert_eq!(by_rights("reset-password", false), Truth::No);
    assert_eq!(by_rights("full-control", false), Truth::Yes);
}

#[test]
fn a_date_before_the_newest_stamp_is_not_told_and_after_the_import_nothing_is_certain() {
    let recent = signed_in("replicated", 10);
    assert!(matches!(unused(&recent, 20), Truth::Unknown(_)));
    // Two hundred days after the import: it may have been used every day since.
    assert!(matches!(unused(&recent, -200), Truth::Unknown(why) if why.contains("import")));
}

proptest! {
    /// Without new evidence a later date never makes an account used again.
    #[test]
    fn a_later_date_never_takes_a_finding_back(
        stamps in proptest::collection::vec((0usize..7, proptest::option::of(0i64..500)), 1..4),
        first in -300i64..500, later in 0i64..300, mixed in any::<bool>(),
    ) {
        const KINDS: [&str; 7] = ["replicated", "one-controller", "password", "key", "role", "interactive", "dashboard"];
        let sign_ins: Vec<Value> = stamps.iter().map(|(kind, days)| {
            let kind = if mixed { KINDS[*kind] } else { KINDS[0] };
            json!({"kind": kind, "when": days.map_or(json!("never"), |days| json!({"at": ago(days)}))})
        }).collect();
        let estate = account(json!({"enabled": true, "sign_ins": sign_ins}));
        let (before, after) = (unused(&estate, first), unused(&estate, first - later));
        prop_assert!(before != Truth::Yes || after == Truth::Yes, "{before:?} then {after:?}");
        // Once it could be told, no later date makes it used.
        prop_assert!(!(matches!(before, Truth::Unknown(why) if !why.contains("after this date")) && after == Truth::No));
    }
}
