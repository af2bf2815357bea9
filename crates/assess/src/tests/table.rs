//! Each indicator with one that it finds, one that passes and one that cannot be told, and a guard that none is missing.

use serde_json::{Value, json};

use super::{Estate, GROUPS, IMPORTED, LONE, PEOPLE, PROVIDER, USERS, ago, imported};
use crate::{HealthCheck, Parameters, Truth, View, indicators};

const X: &str = "x";
const ADMINS: &str = "sid:S-1-5-21-1-2-3-512";

/// Around whoever is asked about: a list of people of whom one left, an identity provider, a group of tier zero.
fn around() -> Estate {
    Estate::default()
        .node(PEOPLE, "hr:gone", "human", json!({"left": ago(10)}))
        .node(PEOPLE, "hr:there", "human", json!({"email": "there@corp.example"}))
        .node(
            PROVIDER,
            "okta:somebody",
            "human",
            json!({"sign_ins": [{"kind": "interactive", "when": {"at": ago(1)}}]}),
        )
        .node(GROUPS, ADMINS, "group", json!({}))
        .node(GROUPS, "inner", "group", json!({}))
        .edge(GROUPS, "inner", "member-of", ADMINS)
        .node(
            USERS,
            "named",
            "account",
            json!({"enabled": true, "owner": "hr:there", "service_principals": ["http/a"],
            "password_in_directory": true, "sign_ins": [{"kind": "replicated", "when": {"at": ago(1)}}]}),
        )
        .edge(GROUPS, "nobody", "owns", "inner")
}

fn with(part: usize, kind: &str, attributes: Value) -> Estate {
    let mut all = json!({"enabled": true});
    for (name, value) in attributes.as_object().unwrap() {
        all[name] = value.clone();
    }
    around().node(part, X, kind, all)
}

fn account(attributes: Value) -> Estate {
    with(USERS, "account", attributes)
}

/// A programme's or a person's account, said by its source.
fn service(attributes: Value) -> Estate {
    with(USERS, "service", attributes)
}

fn person(attributes: Value) -> Estate {
    with(USERS, "human", attributes)
}

fn used(days: i64) -> Value {
    json!([{"kind": "replicated", "when": {"at": ago(days)}}])
}

fn never() -> Value {
    json!([{"kind": "replicated", "when": "never"}])
}

fn peers(attributes: &Value, groups: &[&str]) -> Estate {
    let mut estate = with(USERS, "account", attributes.clone());
    for peer in 0..6 {
        let key = format!("peer-{peer}");
        estate = estate.node(USERS, &key, "account", json!({"enabled": true, "department": "Sales", "title": "Clerk"}));
        estate = estate.edge(GROUPS, &key, "member-of", "everyday");
    }
    groups.iter().fold(estate, |estate, group| estate.edge(GROUPS, X, "member-of", group))
}

/// The indicator, then: found, passed, not to be told.
fn cases() -> Vec<(&'static str, [Estate; 3])> {
    let clerk = json!({"department": "Sales", "title": "Clerk"});
    vec![
        (
            "left-still-enabled",
            [account(json!({"same_as": ["hr:gone"]})), account(json!({"same_as": ["hr:there"]})), account(json!({}))],
        ),
        (
            "orphaned-account",
            [
                service(json!({"owner": "hr:gone"})),
                service(json!({"owner": "hr:there"})),
                with(LONE, "service", json!({})),
            ],
        ),
        (
            "service-credential-without-expiry",
            [
                service(json!({"password_never_expires": true})),
                service(json!({"password_never_expires": false})),
                account(json!({"password_never_expires": true})),
            ],
        ),
        (
            "privileged-beyond-allowed",
            [
                account(json!({})).edge(GROUPS, X, "member-of", ADMINS),
                account(json!({})),
                with(LONE, "account", json!({})),
            ],
        ),
        (
            "privileged-by-nesting",
            [
                account(json!({})).edge(GROUPS, X, "member-of", "inner"),
                account(json!({})).edge(GROUPS, X, "member-of", ADMINS),
                with(LONE, "account", json!({})),
            ],
        ),
        (
            "privileged-by-rights",
            [
                account(json!({})).edge(USERS, X, "add-member", "inner"),
                account(json!({})).edge(GROUPS, X, "member-of", "inner"),
                with(LONE, "account", json!({})),
            ],
        ),
        (
            "shared-account",
            [
                account(json!({"account_name": "frontdesk2"})).edge(USERS, "pc", "has-session", "named"),
                account(json!({"account_name": "rooma"})).edge(USERS, "pc", "has-session", "named"),
                account(json!({"account_name": "ana"})),
            ],
        ),
        ("without-mfa", [person(json!({"factors": []})), person(json!({"factors": ["app"]})), person(json!({}))]),
        (
            "privileged-without-mfa",
            [
                person(json!({"factors": []})).edge(GROUPS, X, "member-of", ADMINS),
                person(json!({"factors": ["phone"]})).edge(GROUPS, X, "member-of", ADMINS),
                person(json!({})).edge(GROUPS, X, "member-of", ADMINS),
            ],
        ),
        (
            "privileged-not-phishing-resistant",
            [
                person(json!({"factors": ["phone"]})).edge(GROUPS, X, "member-of", ADMINS),
                person(json!({"factors": ["phishing-resistant"]})).edge(GROUPS, X, "member-of", ADMINS),
                person(json!({})).edge(GROUPS, X, "member-of", ADMINS),
            ],
        ),
        (
            "outside-single-sign-on",
            [
                person(json!({})),
                person(json!({"same_as": ["okta:somebody"]})),
                Estate::default().node(USERS, X, "human", json!({"enabled": true})),
            ],
        ),
        (
            "application-outside-single-sign-on",
            [
                with(PEOPLE, "resource", json!({})),
                with(PEOPLE, "resource", json!({})).edge(PROVIDER, "okta:somebody", "permits", X),
                Estate::default().node(PEOPLE, X, "resource", json!({})),
            ],
        ),
        (
            "stale-membership",
            [
                account(json!({"enabled": false})).edge(GROUPS, X, "member-of", "inner"),
                account(json!({"sign_ins": used(5), "same_as": ["hr:there"]})).edge(GROUPS, X, "member-of", "inner"),
                account(json!({})).edge(GROUPS, X, "member-of", "inner"),
            ],
        ),
        (
            "unused-account",
            [
                account(json!({"sign_ins": used(105)})),
                account(json!({"sign_ins": used(90)})),
                account(json!({"sign_ins": used(100)})),
            ],
        ),
        (
            "never-used-account",
            [
                account(json!({"sign_ins": never(), "created": ago(31)})),
                account(json!({"sign_ins": never(), "created": ago(30)})),
                account(json!({"sign_ins": [{"kind": "one-controller", "when": "never"}], "created": ago(31)})),
            ],
        ),
        (
            "unused-device",
            [
                with(USERS, "device", json!({"sign_ins": used(200)})),
                with(USERS, "device", json!({"sign_ins": used(2)})),
                with(USERS, "device", json!({})),
            ],
        ),
        (
            "privilege-beyond-role",
            [peers(&clerk, &["everyday", "inner"]), peers(&clerk, &["everyday"]), peers(&json!({}), &["inner"])],
        ),
        (
            "guest-with-privilege",
            [
                account(json!({"guest": true})).edge(GROUPS, X, "member-of", ADMINS),
                account(json!({"guest": true})),
                account(json!({})).edge(GROUPS, X, "member-of", ADMINS),
            ],
        ),
        (
            "password-never-expires",
            [
                account(json!({"password_never_expires": true})),
                account(json!({"password_never_expires": false})),
                account(json!({})),
            ],
        ),
        (
            "password-old",
            [
                account(json!({"password_last_set": {"at": ago(366)}})),
                account(json!({"password_last_set": {"at": ago(365)}})),
                account(json!({})),
            ],
        ),
        (
            "key-old",
            [
                with(USERS, "key", json!({"created": ago(91)})),
                with(USERS, "key", json!({"created": ago(91), "password_last_set": {"at": ago(3)}})),
                with(USERS, "key", json!({})),
            ],
        ),
        (
            "krbtgt-password-old",
            [
                account(json!({"account_name": "krbtgt", "built_in": true, "password_last_set": {"at": ago(181)}})),
                account(json!({"account_name": "krbtgt", "built_in": true, "password_last_set": {"at": ago(1)}})),
                account(json!({"account_name": "krbtgt", "built_in": true})),
            ],
        ),
        (
            "password-not-required",
            [
                account(json!({"password_not_required": true})),
                account(json!({"password_not_required": false})),
                account(json!({})),
            ],
        ),
        (
            "password-in-directory",
            [account(json!({"password_in_directory": true})), account(json!({})), with(LONE, "account", json!({}))],
        ),
        (
            "kerberoastable",
            [
                account(json!({"service_principals": ["http/web"]})),
                account(json!({})),
                with(LONE, "account", json!({})),
            ],
        ),
        (
            "as-rep-roastable",
            [
                account(json!({"without_preauthentication": true})),
                account(json!({"without_preauthentication": false})),
                account(json!({})),
            ],
        ),
        (
            "unconstrained-delegation",
            [
                with(USERS, "device", json!({"unconstrained_delegation": true, "domain_controller": false})),
                with(USERS, "device", json!({"unconstrained_delegation": false, "domain_controller": false})),
                with(USERS, "device", json!({"unconstrained_delegation": true})),
            ],
        ),
        (
            "expired-still-enabled",
            [
                account(json!({"expires": {"at": ago(1)}})),
                account(json!({"expires": {"at": ago(-1)}})),
                account(json!({})),
            ],
        ),
    ]
}

#[test]
fn each_indicator_finds_passes_and_says_what_it_cannot_tell() {
    let (cases, parameters) = (cases(), Parameters::default());
    let check = HealthCheck::new(parameters).unwrap();
    for indicator in indicators() {
        let case = cases.iter().find(|(id, _)| *id == indicator.id);
        let (_, estates) = case.unwrap_or_else(|| panic!("{} has no case", indicator.id));
        let prepared = check.prepared(indicator.id).unwrap();
        for (estate, expected) in estates.iter().zip(["found", "passed", "not told"]) {
            let inventory = estate.inventory();
            let projection = inventory.project().unwrap();
            let view = View::new(&inventory, &projection, &parameters, imported());
            // Whoever has a key that starts as a Windows name is called by it in the population.
            let entry = view.present().find(|entry| &*entry.node.key == X).unwrap();
            let member = prepared.0.holds(&view, entry, imported());
            let both = member.and(prepared.1.holds(&view, entry, imported()));
            assert_ne!(member, Truth::No, "{} {expected}: not of the population", indicator.id);
            let outcome = match both {
                Truth::Yes => "found",
                Truth::No => "passed",
                Truth::Unknown(_) => "not told",
            };
            assert_eq!(outcome, expected, "{}: {both:?}", indicator.id);
        }
    }
    assert_eq!(cases.len(), indicators().len());
}

#[test]
fn a_finding_says_where_its_evidence_stands() {
    let inventory = service(json!({"password_never_expires": true})).inventory();
    let health = super::health(&inventory, imported());
    let checked = super::one(&health, "service-credential-without-expiry");
    let evidence = &checked.findings[0].evidence[0];
    assert_eq!(evidence.says, "x: password_never_expires = true");
    assert_eq!((&*evidence.source, &*evidence.file), ("active-directory:CORP/users", "export.ldif"));
    assert!(evidence.place.starts_with("line "));
    assert_eq!(evidence.seen.to_string(), IMPORTED);
    let nested = account(json!({})).edge(GROUPS, X, "member-of", "inner").inventory();
    let health = super::health(&nested, imported());
    let says: Vec<&str> =
        super::one(&health, "privileged-by-nesting").findings[0].evidence.iter().map(|e| &*e.says).collect();
    assert_eq!(says, [format!("inner member-of {ADMINS}").as_str(), "x member-of inner"]);
}
