//! From files to findings: one small domain, as LDIF and as a SharpHound collection, through the estate's own readers.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use countersign_estate::{Input, Inventory, Limits, Watch, read};

use super::{ago, found, health, imported, one};
use crate::Outcome;

fn sid(relative: u32) -> String {
    format!("sid:S-1-5-21-1-2-3-{relative}")
}

/// Windows' own count of time.
fn ticks(days: i64) -> i64 {
    (ago(days).millis() + 11_644_473_600_000) * 10_000
}

/// An entry of the directory: its name, class, identifier, flags, and further lines.
fn entry(text: &mut String, name: &str, class: &str, relative: u32, flags: u32, more: &str) {
    let _ = write!(
        text,
        "dn: CN={name},CN=Users,DC=corp,DC=example\nobjectClass: {class}\nobjectSid: S-1-5-21-1-2-3-{relative}\n\
         sAMAccountName: {name}\nwhenCreated: 20240101000000.0Z\n"
    );
    if flags > 0 {
        let _ = writeln!(text, "userAccountControl: {flags}\nprimaryGroupID: 513");
    }
    let _ = writeln!(text, "{more}");
}

fn directory() -> String {
    let mut text =
        "version: 1\n\ndn: DC=corp,DC=example\nobjectClass: domainDNS\nobjectSid: S-1-5-21-1-2-3\n\n".to_owned();
    let member = |names: &[&str]| -> String {
        names.iter().map(|name| format!("member: CN={name},CN=Users,DC=corp,DC=example\n")).collect()
    };
    let stamp = |days: i64| format!("lastLogonTimestamp: {}\npwdLastSet: {}\n", ticks(days), ticks(400));
    entry(&mut text, "Domain Admins", "group", 512, 0, &member(&["ana", "Operators"]));
    entry(&mut text, "Operators", "group", 1301, 0, &member(&["ben"]));
    entry(&mut text, "ana", "user", 1101, 512, &stamp(1));
    entry(&mut text, "ben", "user", 1102, 512, &stamp(200));
    entry(&mut text, "cara", "user", 1103, 512 | 0x40_0000, &stamp(95));
    entry(&mut text, "dora", "user", 1104, 512 | 0x20, "pwdLastSet: 0\n");
    entry(&mut text, "frontdesk", "user", 1105, 512, &stamp(2));
    let service = format!("{}servicePrincipalName: MSSQLSvc/db\n", stamp(3));
    entry(&mut text, "svc_sql", "user", 1106, 512 | 0x1_0000, &service);
    entry(&mut text, "old", "user", 1107, 512 | 2, &stamp(500));
    entry(&mut text, "krbtgt", "user", 502, 512 | 2, &stamp(2000));
    entry(&mut text, "OTHER$", "user", 1108, 0x800 | 0x20, &stamp(700));
    entry(&mut text, "gmsa$", "msDS-GroupManagedServiceAccount", 1401, 4096, &stamp(1));
    entry(&mut text, "WEB$", "computer", 1201, 4096 | 0x8_0000, &stamp(4));
    text
}

fn collection() -> String {
    r#"{"data":[
      {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-513",
       "Properties":{"domain":"CORP.EXAMPLE","name":"ANA@CORP.EXAMPLE","enabled":true},
       "Aces":[{"PrincipalSID":"S-1-5-21-1-2-3-1105","PrincipalType":"User","RightName":"ForceChangePassword","IsInherited":false}]}
     ],"meta":{"methods":7,"type":"users","count":1,"version":6}}"#
        .to_owned()
}

pub(crate) fn inventory() -> Inventory {
    let (directory, collection) = (directory(), collection());
    let inputs = [
        Input { name: "corp.ldif", bytes: directory.as_bytes() },
        Input { name: "users.json", bytes: collection.as_bytes() },
    ];
    let batch = read(&inputs, &Limits::default(), &mut Watch::new(&mut |_| ControlFlow::Continue(())));
    let mut inventory = Inventory::new();
    inventory.merge(&batch.unwrap_or_else(|fault| panic!("{fault}")), imported()).unwrap();
    inventory
}

#[test]
fn a_domain_is_checked_from_its_files() {
    let health = health(&inventory(), imported());
    for (id, expected) in [
        ("privileged-by-nesting", vec![sid(1102)]),
        ("privileged-by-rights", vec![sid(1105)]),
        ("unused-account", vec![sid(1102)]),
        ("never-used-account", vec![sid(1104)]),
        ("as-rep-roastable", vec![sid(1103)]),
        ("kerberoastable", vec![sid(1106)]),
        ("service-credential-without-expiry", vec![sid(1106)]),
        ("password-not-required", vec![sid(1104)]),
        ("unconstrained-delegation", vec![sid(1201)]),
        ("krbtgt-password-old", vec![sid(502)]),
        ("shared-account", vec![sid(1105)]),
    ] {
        assert_eq!(found(&health, id), expected, "{id}");
    }
    // Two administrators of five that are allowed.
    assert_eq!(one(&health, "privileged-beyond-allowed").outcome, Outcome::Passed);
    // Nothing of this is said by these files.
    for id in ["without-mfa", "left-still-enabled", "outside-single-sign-on", "guest-with-privilege"] {
        let checked = one(&health, id);
        assert_eq!((checked.outcome, checked.passed), (Outcome::NotAssessed, 0), "{id}");
    }
    let unused = one(&health, "unused-account");
    let lag: Vec<_> = unused.reasons.iter().filter(|reason| reason.why.contains("lags")).collect();
    assert_eq!((lag[0].count, &lag[0].examples), (1, &vec![sid(1103)]));
}

#[test]
fn evidence_leads_to_the_file_and_line() {
    let health = health(&inventory(), imported());
    let finding = &one(&health, "privileged-by-nesting").findings[0];
    let says: Vec<&str> = finding.evidence.iter().map(|evidence| &*evidence.says).collect();
    assert_eq!(
        says,
        [
            "Operators@CORP.EXAMPLE member-of Domain Admins@CORP.EXAMPLE",
            "ben@CORP.EXAMPLE member-of Operators@CORP.EXAMPLE"
        ]
    );
    let line: usize = finding.evidence[1].place.strip_prefix("line ").unwrap().parse().unwrap();
    assert_eq!(directory().lines().nth(line - 1), Some("member: CN=ben,CN=Users,DC=corp,DC=example"));
    let rights = &one(&health, "privileged-by-rights").findings[0].evidence;
    assert!(rights.iter().any(|step| step.file == "users.json" && step.place == "/data/0/Aces/0"), "{rights:?}");
    let stamp = &one(&health, "unused-account").findings[0].evidence[0];
    assert!(stamp.says.contains("sign_ins") && stamp.says.contains("2025-06-15"), "{}", stamp.says);
}

#[test]
fn the_shape_is_what_the_page_says() {
    let health = serde_json::to_value(health(&inventory(), imported())).unwrap();
    // In whichever order: that of an object is a feature that any crate of the workspace may ask for.
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&health), ["as-of", "indicators", "parameters", "sources"]);
    let checked = &health["indicators"][0];
    let always =
        ["id", "title", "severity", "outcome", "population", "found", "passed", "not-assessed", "findings", "query"];
    assert!(always.iter().all(|key| checked.get(key).is_some()), "{checked}");
    assert_eq!(checked["outcome"], "found");
    let evidence = keys(&checked["findings"][0]["evidence"][0]);
    assert_eq!(evidence, ["field", "file", "place", "says", "seen", "sha256", "source"]);
}
