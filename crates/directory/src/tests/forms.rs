//! Addresses, accounts, numbers and mirrors as they are written and read.

use proptest::prelude::*;

use crate::ber::{INTEGER, Reader, number};
use crate::entry::Entry;
use crate::mirror::{Mirror, Origin};
use crate::{Account, AccountFault, Address, AddressFault, message};

#[test]
fn an_address_is_a_host_and_perhaps_a_port() {
    for (text, shown) in [
        ("ldaps://dc.corp.example", "ldaps://dc.corp.example:636"),
        ("LDAPS://dc.corp.example:3269/", "ldaps://dc.corp.example:3269"),
        ("ldap://10.0.0.1", "ldap://10.0.0.1:389"),
        ("ldaps://[::1]:1636", "ldaps://[::1]:1636"),
    ] {
        assert_eq!(Address::parse(text).unwrap().to_string(), shown);
    }
    for text in [
        "ldaps://",
        "ldaps://user:secret@dc.corp.example",
        "ldaps://dc.corp.example/dc=corp?*?sub",
        "ldaps://dc.corp.example:0",
        "ldaps://dc.corp.example:99999",
        "ldaps://dc.corp.example:",
        "ldaps://::1",
        "ldaps://[dc]",
        "ldaps://[::1]x",
        "ldaps://dc corp",
    ] {
        assert_eq!(Address::parse(text), Err(AddressFault::Form), "{text}");
    }
    assert_eq!(Address::parse("https://dc"), Err(AddressFault::Scheme));
    assert!(Address::is_meant("LDAPS://x") && !Address::is_meant("users.ldif"));
}

#[test]
fn without_encryption_only_this_machine_is_asked() {
    let plain = |text: &str| Address::parse(text).unwrap().plain();
    assert!(plain("ldap://127.0.0.1:3389").is_ok() && plain("ldap://[::1]").is_ok());
    for text in ["ldap://localhost", "ldap://10.0.0.1", "ldaps://127.0.0.1", "ldap://127.0.0.1.example.org"] {
        assert_eq!(plain(text), Err(AddressFault::PlainElsewhere), "{text}");
    }
}

#[test]
fn an_account_has_a_password_and_does_not_show_it() {
    assert_eq!(Account::new("reader", b"").unwrap_err(), AccountFault::NoPassword);
    assert_eq!(Account::new(" ", b"x").unwrap_err(), AccountFault::NoName);
    assert!(!format!("{:?}", Account::new("reader", b"hunter2").unwrap()).contains("hunter2"));
}

#[test]
fn a_mirror_that_was_changed_is_none() {
    let text = mirror([("cn=a".to_owned(), vec![("cn".to_owned(), vec![b"a".to_vec()])])]).to_ldif();
    assert!(Mirror::parse(&text).is_ok());
    for changed in [
        text.replace("form 1", "form 2"),
        text.replace("# account: reader\n", ""),
        text.replace("entries: 1", "entries: 2"),
        text.replace("newest: 7", "newest: many"),
        text.replace("cn: a", "cn:: a!"),
        text.replace("cn: a", "cn"),
        text.replace("dn: cn=a", "cn: a"),
        text[..text.len() / 2].to_owned(),
        String::new(),
    ] {
        assert!(Mirror::parse(&changed).is_err(), "{changed}");
    }
}

fn mirror(entries: impl IntoIterator<Item = (String, Vec<(String, Vec<Vec<u8>>)>)>) -> Mirror {
    let [server, account, asked] = ["ldaps://dc:636", "reader", "00"].map(str::to_owned);
    let bases = vec!["DC=a".to_owned(), "DC=b".to_owned()];
    let mut mirror = Mirror::new(Origin { server, account, bases, asked }, Some(("0707".to_owned(), 7)));
    for (name, attributes) in entries {
        let mut entry = Entry::new(&name);
        for (name, values) in attributes {
            entry.take(&name, values).unwrap();
        }
        entry.attributes.retain(|_, values| !values.is_empty());
        entry.settle();
        mirror.insert(entry);
    }
    mirror
}

proptest! {
    #[test]
    fn a_mirror_is_read_as_it_was_written(entries in prop::collection::vec(
        ("\\PC{1,20}", prop::collection::vec(
            ("[a-z]{1,8}", prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4)), 0..5)), 0..6)
    ) {
        let mirror = mirror(entries);
        prop_assert_eq!(Mirror::parse(&mirror.to_ldif()).unwrap(), mirror);
    }

    #[test]
    fn numbers_are_read_as_they_were_written(value in any::<u32>()) {
        let mut bytes = Vec::new();
        number(&mut bytes, INTEGER, value);
        prop_assert_eq!(Reader::new(&bytes).number(INTEGER).unwrap(), i64::from(value));
    }

    #[test]
    fn any_bytes_are_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = message::answer(&bytes);
        let _ = Mirror::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn whatever_is_changed_in_an_answer_it_is_read_or_refused(place in 0..200_usize, byte in any::<u8>()) {
        let values = vec![b"a".to_vec(), vec![b'b'; 130]];
        let mut bytes = super::fake::entry(3, "cn=a", &[("member;range=0-1", values)]);
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = message::answer(&bytes);
    }
}
