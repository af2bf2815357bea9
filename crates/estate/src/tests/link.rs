//! The same person in two directories.

use super::{NOON, batch};
use crate::{Basis, Inventory, Reason, Verdict};

/// Accounts of a directory with these attributes, as lines.
fn directory(realm: &str, accounts: &[(u32, &str)]) -> String {
    let line = |(id, properties): &(u32, &str)| {
        format!(
            r#"{{"type":"node","id":"{realm}{id}","labels":["User"],"properties":{{"domain":"{realm}","objectid":"{realm}-{id}",{properties}}}}}"#
        )
    };
    accounts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn two(one: &[(u32, &str)], other: &[(u32, &str)]) -> Inventory {
    let (one, other) = (directory("ONE", one), directory("TWO", other));
    let mut inventory = Inventory::new();
    let files = [("one", one.as_bytes()), ("two", other.as_bytes())];
    let files: Vec<(&str, &[u8])> = files.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    inventory.merge(&batch(&files), NOON).unwrap();
    inventory
}

#[test]
fn an_address_that_nobody_verified_is_a_proposal() {
    let mut inventory = two(&[(1, r#""email":"ana@corp.example""#)], &[(1, r#""email":"ANA@corp.example""#)]);
    assert_eq!(inventory.links(), []);
    let proposals = inventory.proposals();
    assert_eq!(proposals.len(), 1);
    assert_eq!((proposals[0].score, proposals[0].reasons.as_slice()), (60, &[Reason::Email][..]));
    let verdict = |same| Verdict {
        one: proposals[0].other.clone(),
        other: proposals[0].one.clone(),
        same,
        by: "ben".into(),
        at: NOON,
    };
    inventory.decide_link(verdict(true)).unwrap();
    assert_eq!(inventory.links()[0].basis, Basis::Confirmed);
    assert_eq!(inventory.proposals(), []);
    inventory.decide_link(verdict(false)).unwrap();
    assert_eq!(inventory.links(), []);
    assert_eq!(inventory.proposals(), []);
}

#[test]
fn names_that_say_what_an_account_is_for_propose_nothing() {
    let named = r#""samaccountname":"Administrator","displayname":"Admin""#;
    assert_eq!(two(&[(1, named)], &[(1, named)]).proposals(), []);
    let named = r#""samaccountname":"ana.lima","displayname":"Ana Lima""#;
    let inventory = two(&[(1, named)], &[(1, named)]);
    assert_eq!(inventory.links(), []);
    assert_eq!(inventory.proposals()[0].score, 70);
}

#[test]
fn identities_of_one_directory_are_not_each_other() {
    let named = r#""email":"ana@corp.example""#;
    assert_eq!(two(&[(1, named), (2, named)], &[]).proposals(), []);
}

#[test]
fn a_value_that_many_share_says_nothing() {
    let named = r#""displayname":"Conference Room""#;
    let rooms: Vec<(u32, &str)> = (0..10).map(|id| (id, named)).collect();
    assert_eq!(two(&rooms, &rooms).proposals(), []);
}

#[test]
fn nothing_is_decided_about_what_is_not_there() {
    let mut inventory = two(&[(1, r#""email":"a@b""#)], &[]);
    let verdict =
        Verdict { one: "object:ONE-1".into(), other: "object:nobody".into(), same: true, by: "ben".into(), at: NOON };
    assert!(inventory.decide_link(verdict).is_err());
}

/// Accounts of Active Directory domains with these principal names.
fn domains(accounts: &[(&str, u32, &str)]) -> Inventory {
    let entry = |(domain, id, principal): &(&str, u32, &str)| {
        format!(
            "dn: CN=a{id},DC={domain}\nobjectClass: user\nobjectSid: S-1-5-21-{}-2-3-{id}\nuserPrincipalName: {principal}\n\n",
            domain.len()
        )
    };
    let text: String = accounts.iter().map(entry).collect();
    let mut inventory = Inventory::new();
    inventory.merge(&batch(&[("ldif", text.as_bytes())]), NOON).unwrap();
    inventory
}

#[test]
fn a_principal_name_that_is_unique_in_both_links() {
    let inventory = domains(&[("one", 1101, "ana@corp.example"), ("three", 1102, "Ana@Corp.Example")]);
    let links = inventory.links();
    assert_eq!(links.len(), 1);
    assert_eq!((&*links[0].one, &*links[0].other), ("sid:S-1-5-21-3-2-3-1101", "sid:S-1-5-21-5-2-3-1102"));
    assert_eq!(links[0].basis, Basis::PrincipalName);
    assert_eq!(inventory.proposals(), []);
}

#[test]
fn a_key_that_two_of_one_directory_have_is_a_proposal() {
    let name = "ana@corp.example";
    let inventory = domains(&[("one", 1101, name), ("three", 1102, name), ("three", 1103, name)]);
    assert_eq!(inventory.links(), []);
    let proposals = inventory.proposals();
    assert_eq!(proposals.len(), 2);
    assert_eq!(proposals[0].reasons, [Reason::Ambiguous(Basis::PrincipalName)]);
}
