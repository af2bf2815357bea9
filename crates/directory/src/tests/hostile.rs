//! Servers that attack whoever reads them: each ends with a clear fault and no result.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::fake::{Asked, BIND, Fake, SEARCH, active_directory, bound, done, entry, message, outcome, texts};
use super::{ask, within};
use crate::ber::{element, octets};
use crate::{Account, Address, Limits, Mangled, ReadFault, Request, WireFault, read, read_over};

fn fault(serve: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> ReadFault {
    ask(serve, None).expect_err("hostile")
}

/// Another directory than Microsoft's, whose entries `serve` gives.
fn people(mut serve: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> impl FnMut(&Asked) -> Vec<u8> + Send + 'static {
    move |asked| match (asked.kind, asked.base.as_str()) {
        (BIND, _) => bound(asked.id),
        (SEARCH, "") => {
            let root = [("namingContexts", texts(&["dc=example", "cn=Monitor"]))];
            [entry(asked.id, "", &root), done(asked.id, b"")].concat()
        }
        (SEARCH, _) => serve(asked),
        _ => Vec::new(),
    }
}

fn person(asked: &Asked, number: usize) -> Vec<u8> {
    entry(asked.id, &format!("uid=p{number},dc=example"), &[("uid", texts(&["p"]))])
}

#[test]
fn pages_without_end_are_left() {
    assert!(matches!(fault(people(|asked| done(asked.id, b"more"))), ReadFault::Endless));
    let limits = Limits { entries: 1000, ..Limits::default() };
    let same = people(|asked| [person(asked, 1), done(asked.id, b"more")].concat());
    assert!(matches!(within(limits, same, None).expect_err("hostile"), ReadFault::Entries { limit: 1000 }));
}

#[test]
fn answers_are_bounded_before_they_arrive() {
    // Four gigabytes are announced, and nothing of them comes.
    let announced = fault(people(|_| vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02]));
    assert!(matches!(announced, ReadFault::Wire(WireFault::LargeAnswer { .. })), "{announced}");
    let limits = Limits { bytes: 10_000, ..Limits::default() };
    let many = people(|asked| (0..1000).flat_map(|number| person(asked, number)).chain(done(asked.id, b"")).collect());
    let many = within(limits, many, None).expect_err("hostile");
    assert!(matches!(many, ReadFault::Wire(WireFault::LargeAnswers { limit: 10_000 })), "{many}");
}

#[test]
fn what_is_no_ldap_is_told_so() {
    let crowded = |count: usize, set: &[u8]| {
        let one = [&[0x30, u8::try_from(set.len() + 3).unwrap(), 4, 1, b'a'], set].concat();
        message(3, |out| {
            element(out, 0x64, |out| {
                octets(out, 4, b"cn=a");
                octets(out, 0x30, &one.repeat(count));
            });
        })
    };
    let nested = {
        let mut bytes = Vec::new();
        for _ in 0..10_000 {
            let inner = std::mem::take(&mut bytes);
            octets(&mut bytes, 0x30, &inner);
        }
        bytes
    };
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        vec![0x30, 0x80, 0, 0],
        vec![0x30, 0x85, 0, 0, 0, 0, 0],
        message(3, |out| element(out, 0x64, |out| octets(out, 4, b"\xff\xfe"))),
        message(3, |out| element(out, 0x79, |_| ())),
        message(3, |out| octets(out, 0x9f, b"")),
        message(3, |out| octets(out, 0x65, b"\x0a\x00")),
        nested,
        crowded(10_001, &[0x31, 0]),
    ] {
        let sent = bytes.clone();
        let fault = fault(people(move |_| sent.clone()));
        assert!(matches!(fault, ReadFault::Mangled(Mangled(_))), "{bytes:?}: {fault}");
    }
}

#[test]
fn an_end_in_the_middle_is_no_end() {
    let whole = |asked: &Asked| [person(asked, 1), done(asked.id, b"")].concat();
    let length = whole(&Asked { id: 3, ..Asked::default() }).len();
    for cut in 0..length {
        let fault = fault(people(move |asked| whole(asked)[..cut].to_vec()));
        assert!(matches!(fault, ReadFault::Wire(WireFault::Closed)), "{cut}: {fault}");
    }
}

#[test]
fn a_server_that_says_nothing_is_left() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("ldap://{}", silent.local_addr().unwrap())).unwrap().plain().unwrap();
    let account = Account::new("reader", b"x").unwrap();
    let within = |limits: Limits| {
        let request = Request { account: &account, bases: &[], before: None, limits };
        read(&address, None, request, &mut |_| ControlFlow::Continue(())).expect_err("nobody answers")
    };
    let quiet = within(Limits { silence: Duration::from_millis(50), ..Limits::default() });
    assert!(matches!(quiet, ReadFault::Wire(WireFault::Silent(_))), "{quiet}");
    let late = within(Limits { time: Duration::ZERO, ..Limits::default() });
    assert!(matches!(late, ReadFault::Wire(WireFault::TooLong(_))), "{late}");
}

#[test]
fn answers_to_others_are_none() {
    let other = fault(people(|asked| done(asked.id + 1, b"")));
    assert!(matches!(other, ReadFault::Wire(WireFault::Unexpected)));
    let another = fault(people(|asked| bound(asked.id)));
    assert!(matches!(another, ReadFault::Wire(WireFault::Unexpected)));
    let goodbye = fault(people(|_| outcome(0, 0x78, 52, "")));
    assert!(matches!(goodbye, ReadFault::Wire(WireFault::Closed)));
}

#[test]
fn refusals_are_told_in_words_and_without_the_password() {
    let refused =
        |code, said: &'static str| fault(move |asked: &Asked| outcome(asked.id, 0x61, code, said)).to_string();
    let locked = refused(49, "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 775, v3839");
    assert!(locked.contains("the account is locked"), "{locked}");
    assert!(!refused(49, "no: s3cret is wrong").contains("s3cret"));
    assert!(!refused(1, "\u{1b}[2J").contains('\u{1b}'));
    // Somebody let in is not what was asked for when the server only says so.
    let limited = fault(people(|asked| [person(asked, 1), outcome(asked.id, 0x65, 4, "")].concat()));
    assert!(limited.to_string().contains("only so many entries"), "{limited}");
}

#[test]
fn referrals_are_counted_and_not_followed() {
    let elsewhere =
        |asked: &Asked| message(asked.id, |out| element(out, 0x73, |out| octets(out, 4, b"ldap://10.0.0.9/")));
    let reading = ask(people(move |asked| [person(asked, 1), elsewhere(asked), done(asked.id, b"")].concat()), None);
    let reading = reading.unwrap();
    assert_eq!((reading.mirror.len(), reading.referrals), (1, 1));
    let nothing = ask(people(move |asked| [elsewhere(asked), done(asked.id, b"")].concat()), None);
    assert!(matches!(nothing, Err(ReadFault::NothingSeen { .. })));
}

#[test]
fn values_in_ranges_are_fetched_to_the_last() {
    let serve = active_directory(5, |asked| {
        let range = asked.attributes.iter().find_map(|name| name.strip_prefix("member;range="));
        let member = match range {
            None if asked.filters_by("unixUserPassword") => return done(asked.id, b""),
            None => ("member;range=0-1", texts(&["cn=a", "cn=b"])),
            Some("2-*") => ("member;range=2-3", texts(&["cn=c", "cn=d"])),
            Some("4-*") => ("member;range=4-*", texts(&["cn=e"])),
            Some(other) => panic!("{other}"),
        };
        let guid = ("objectGUID", vec![vec![1; 16]]);
        [entry(asked.id, "CN=all,DC=corp,DC=example", &[guid, member]), done(asked.id, b"")].concat()
    });
    let text = ask(serve, None).unwrap().mirror.to_ldif();
    assert!(text.contains("member: cn=a\nmember: cn=b\nmember: cn=c\nmember: cn=d\nmember: cn=e\n"), "{text}");
}

#[test]
fn ranges_that_stand_still_or_never_end_are_left() {
    let ranges = |next: fn(usize) -> String| {
        let rounds = AtomicUsize::new(0);
        fault(active_directory(5, move |asked| {
            let name = format!("member;range={}", next(rounds.fetch_add(1, Ordering::Relaxed)));
            let guid = ("objectGUID", vec![vec![1; 16]]);
            let member = (name.as_str(), texts(&["cn=a"]));
            [entry(asked.id, "CN=all,DC=corp,DC=example", &[guid, member]), done(asked.id, b"")].concat()
        }))
    };
    assert!(matches!(ranges(|_| "0-1".to_owned()), ReadFault::Endless));
    assert!(matches!(ranges(|round| format!("0-{}", round * 300_000)), ReadFault::Values { .. }));
    assert!(matches!(ranges(|_| "0-18446744073709551616".to_owned()), ReadFault::Mangled(_)));
}

#[test]
fn a_watch_that_says_stop_is_heard() {
    let account = Account::new("reader", b"x").unwrap();
    let request = Request { account: &account, bases: &[], before: None, limits: Limits::default() };
    let server = Fake::new(people(|asked| [person(asked, 1), done(asked.id, b"")].concat()));
    let stopped = read_over(server, "test", request, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ReadFault::Cancelled)));
}

#[test]
fn names_with_lines_in_them_stay_one_line() {
    let serve = people(|asked| {
        let name = "uid=a\n\ndn: uid=b,dc=example";
        let values = texts(&["x\ndn: uid=c", " led by a space", ":", "<file:///etc/passwd"]);
        [entry(asked.id, name, &[("uid", values)]), done(asked.id, b"")].concat()
    });
    let mirror = ask(serve, None).unwrap().mirror;
    assert_eq!(mirror.len(), 1);
    assert_eq!(crate::Mirror::parse(&mirror.to_ldif()).unwrap(), mirror);
}

#[test]
fn what_was_not_asked_for_is_not_taken() {
    // Least of all where only the presence of passwords was: there it could overwrite what is known.
    let serve = active_directory(5, |asked| {
        let all = [
            ("objectGUID", vec![vec![if asked.filters_by("unixUserPassword") { 2 } else { 1 }; 16]]),
            ("sAMAccountName", texts(&["ana"])),
            ("unixUserPassword", texts(&["hunter2"])),
        ];
        [entry(asked.id, "CN=Ana,DC=corp,DC=example", &all), done(asked.id, b"")].concat()
    });
    let text = ask(serve, None).unwrap().mirror.to_ldif();
    let expected = "dn: CN=Ana,DC=corp,DC=example\n\
                    objectguid:: AQEBAQEBAQEBAQEBAQEBAQ==\nsamaccountname: ana\nunixuserpassword: \n\n";
    assert!(text.ends_with(expected), "{text}");
}
