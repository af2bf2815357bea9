//! Hosts: the layout, the grammar of keys and that of sudo, with their traps.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

use super::keys;
use super::sudoers::{self, Alias, Aliases, Item, Line};
use crate::tests::{NOON, import, reasons, try_read};
use crate::{Inventory, Kind, Limits, Relation};

const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
const PRINT: &str = "SHA256:RXm/ruZ0eTzRXKwi1AQEDynB0VgHQ2ac9KPSFdf/YnA";

pub(crate) fn host(sudoers: &str) -> String {
    let sudoers: String = sudoers.lines().map(|line| format!(" {line}\n")).collect();
    format!(
        "countersign-host 1 Web1.corp.example\n== passwd\n root:x:0:0:root:/root:/bin/bash\n daemon:x:1:1::/:/usr/sbin/nologin\n \
         ana:x:1000:1000::/home/ana:/bin/bash\n ben:x:1001:27::/home/ben:/bin/sh\n== group\n sudo:x:27:ana\n ana:x:1000:\n\
         == authorized_keys ana\n # mine\n {ONE} ana@laptop\n from=\"10.0.0.0/8\",command=\"echo \\\"s3cret, x\\\"\" {ONE} again\n broken\n\
         == sudoers /etc/sudoers\n{sudoers}== end\n"
    )
}

/// What sudo opens, as sentences.
fn powers(sudoers: &str) -> (Vec<String>, Vec<(String, u64)>) {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &host(sudoers), NOON);
    let name = |node: u32| inventory.nodes()[node as usize].key.trim_start_matches("ssh:web1.corp.example/").to_owned();
    let plain = ["MemberOf", "Contains", "LogsOnTo"];
    let mut all = Vec::new();
    for edge in inventory.edges() {
        let relation = format!("{:?}", edge.relation);
        let (from, to) = (name(edge.from), name(edge.to));
        if plain.contains(&relation.as_str()) || from.starts_with("ssh-key:") || from == "user/root" {
            continue;
        }
        let condition =
            edge.sightings[0].condition.as_deref().map_or_else(String::new, |condition| format!(" [{condition}]"));
        all.push(format!("{from} {relation} {to}{condition}").replace("ssh:web1.corp.example", "host"));
    }
    all.sort();
    let reasons =
        reasons(&report).into_iter().filter(|(reason, _)| *reason != "a line of authorized_keys that is no key");
    (all, reasons.map(|(reason, count)| (reason.to_owned(), count)).collect())
}

#[test]
fn accounts_and_keys() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &host(""), NOON);
    assert_eq!(reasons(&report), [("a line of authorized_keys that is no key", 1)]);
    let key = format!("ssh-key:{PRINT}");
    assert_eq!(inventory.node(&key).unwrap().kind(), Kind::Key);
    // Once freely, once under conditions: it opens the account freely.
    let edge = inventory.edge(&key, Relation::Assume, "ssh:web1.corp.example/user/ana").unwrap();
    assert!(!edge.is_conditional());
    let root = inventory.node("ssh:web1.corp.example/user/root").unwrap().attributes();
    assert_eq!(root.built_in, Some(true));
    let own = "ssh:web1.corp.example";
    assert!(inventory.edge("ssh:web1.corp.example/user/root", Relation::Administers, own).is_some());
    assert!(inventory.edge("ssh:web1.corp.example/user/ana", Relation::LogsOnTo, own).is_some());
    assert!(inventory.edge("ssh:web1.corp.example/user/daemon", Relation::LogsOnTo, own).is_none());
    for user in ["ana", "ben"] {
        let user = format!("ssh:web1.corp.example/user/{user}");
        assert!(inventory.edge(&user, Relation::MemberOf, "ssh:web1.corp.example/group/sudo").is_some());
    }
}

#[test]
fn options_of_keys_are_conditions_and_their_secrets_are_not_kept() {
    let line = format!("no-pty,from=\"a,b\",command=\"x \\\"y\\\" z\",expiry-time=\"20270101\" {ONE} c d");
    let entry = keys::entry(&line).unwrap().unwrap();
    assert_eq!((entry.print.as_str(), entry.comment, entry.ends), (PRINT, "c d", true));
    assert_eq!(entry.condition.as_deref(), Some("only from certain addresses, only for one command, until 20270101"));
    let authority = format!("cert-authority {ONE}");
    assert_eq!(keys::entry(&authority).unwrap().unwrap().condition.as_deref(), Some("by a certificate that it signs"));
    // A key that says another type than its line.
    assert!(keys::entry(&ONE.replace("ssh-ed25519", "ssh-rsa")).is_err());
    assert!(keys::entry("ssh-ed25519 AAAA").is_err());
    assert!(keys::entry("command=\"never closed ssh-ed25519 AAAA").is_err());
    assert_eq!(keys::entry("  # a comment"), Ok(None));
}

#[test]
fn rules_of_sudo() {
    let (powers, skipped) = powers(
        "Defaults env_reset\n%sudo ALL=(ALL:ALL) ALL\nben ALL = (root) NOPASSWD: /usr/bin/apt, PASSWD: /bin/ls -l\n\
         ana other.example = ALL\n#1001 web1 = (ana) NOPASSWD: ALL\n@includedir /etc/sudoers.d",
    );
    assert_eq!(
        powers,
        [
            "group/sudo Administers host [with its password]",
            "user/ben Assume user/ana",
            "user/ben Permits host [for certain commands or with its password, for certain commands]",
        ]
    );
    assert_eq!(
        skipped,
        [
            ("a rule of sudo for another host".to_owned(), 1),
            ("an include of sudoers whose files are not there".to_owned(), 1)
        ]
    );
}

#[test]
fn aliases_negations_and_defaults() {
    let (powers, skipped) = powers(
        "User_Alias ADMINS = ana, OPS : OPS = ben, !daemon\nHost_Alias WEB = web*, !db1\nCmnd_Alias ANY = ALL\n\
         Cmnd_Alias SHELLS = /bin/sh, \\\n  /bin/bash\nRunas_Alias R = root\nDefaults !authenticate\nDefaults:ana rootpw\n\
         ADMINS WEB = (R) ANY, !SHELLS\nroot ALL=(:adm) ALL",
    );
    assert_eq!(
        powers,
        [
            "user/ana Administers host [on hosts that the rule describes, unless the rule takes it out again, but for certain commands]",
            "user/ben Administers host [on hosts that the rule describes, unless the rule takes it out again, but for certain commands]",
        ]
    );
    assert_eq!(
        skipped,
        [
            ("a command that a rule of sudo forbids".to_owned(), 1),
            ("a default of sudo for some users, hosts or commands only".to_owned(), 1),
            ("a rule of sudo that changes the group only".to_owned(), 1),
        ]
    );
}

#[test]
fn everybody_and_nobody() {
    let (powers, skipped) = powers("ALL ALL=(ALL) NOPASSWD: ALL\n+admins ALL=ALL\n%:ad ALL=ALL\n#4242 ALL=ALL");
    assert_eq!(powers, ["every-account Administers host"]);
    assert_eq!(skipped, [("somebody in a rule of sudo whom the host's own files do not know".to_owned(), 3)]);
}

#[test]
fn lines_as_the_manual_writes_them() {
    let rules = |text: &str| match sudoers::line(text) {
        Line::Rules(rules) => rules,
        other => panic!("{text}: {other:?}"),
    };
    let two = rules("pete HPPA = /usr/bin/passwd [A-Za-z]*, !/usr/bin/passwd *root* : SPARC = NOEXEC: /usr/bin/vi");
    assert_eq!(two.len(), 2);
    assert_eq!(two[0].grants.len(), 2);
    assert_eq!(two[1].hosts, [Item { negated: false, name: "SPARC".to_owned() }]);
    assert_eq!(two[1].grants[0].command.name, "/usr/bin/vi");
    let timed = rules("ana ALL = (root) NOTAFTER=20270101120000Z NOPASSWD: ALL");
    assert_eq!(
        (timed[0].grants[0].until.as_deref(), timed[0].grants[0].asks_password),
        (Some("20270101120000Z"), Some(false))
    );
    assert_eq!(timed[0].grants[0].command.name, "ALL");
    let digest = rules("ana ALL = sha224:0GomF8mNN3wlDt1HD9XldjJ3SNgpFdbjO1+NsQ== /bin/ls");
    assert_eq!(digest[0].grants[0].command.name, "/bin/ls");
    assert_eq!(rules("\"ana b\" ALL = /bin/x a\\,b")[0].grants[0].command.name, "/bin/x a,b");
    assert_eq!(
        sudoers::line("#include /etc/x # not a comment"),
        Line::Include { path: "/etc/x # not a comment".to_owned(), folder: false }
    );
    assert_eq!(sudoers::line("# a comment"), Line::Nothing);
    for broken in ["ana", "ana ALL", "ana ALL =", "ana ALL = (root ALL", "User_Alias X", ", = ,", "\"ana ALL = ALL"] {
        assert_eq!(sudoers::line(broken), Line::Unreadable, "{broken}");
    }
}

#[test]
fn aliases_that_lead_to_themselves_end_and_those_that_double_do_not_grow() {
    let mut aliases = Aliases::default();
    for number in 0..64 {
        let next = Item { negated: false, name: format!("A{}", (number + 1) % 64) };
        assert!(aliases.define(
            Alias::User,
            format!("A{number}"),
            vec![next.clone(), next, Item { negated: false, name: "u".into() }]
        ));
    }
    assert!(!aliases.define(Alias::User, "A0".to_owned(), Vec::new()));
    let start = [Item { negated: false, name: "A0".to_owned() }];
    assert_eq!(aliases.resolve(Alias::User, &start).len(), 64);
}

#[test]
fn a_layout_that_was_cut_or_made_up_is_refused() {
    let refused =
        |text: &str| try_read(&[("hosts", text.as_bytes())], &Limits::default()).expect_err("refused").to_string();
    let whole = host("");
    assert!(refused(whole.trim_end_matches("== end\n")).contains("line 1: a host without its end"));
    assert!(refused(&format!("{whole}{whole}")).contains("stands twice"));
    assert!(refused(&whole.replace(" ana:x", "ana:x")).contains("line 5: a line that does not begin with a space"));
    assert!(refused(&whole.replace("== end", "countersign-host 1 b")).contains("before the one above has ended"));
    assert!(refused(&whole.replace("== authorized_keys ana", "== authorized_keys")).contains("nobody's"));
    assert!(refused("countersign-host 2 a\n== end\n").contains("another version"));
    assert!(refused("countersign-host 1 a\n x\n== end\n").contains("a line of no file"));
}
