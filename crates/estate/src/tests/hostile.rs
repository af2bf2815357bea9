//! Files that attack whoever reads them: each ends with a clear fault and nothing taken.

use std::ops::ControlFlow;

use super::{USERS, batch, inventory, saved, sid, try_read, zipped};
use crate::{Cause, Input, Inventory, Limits, Watch, read};

fn cause(bytes: &[u8], limits: &Limits) -> Cause {
    try_read(&[("file", bytes)], limits).expect_err("hostile").cause
}

fn refused(bytes: &[u8]) -> String {
    try_read(&[("file", bytes)], &Limits::default()).expect_err("hostile").to_string()
}

#[test]
fn utf_16_as_powershell_writes_it_is_read() {
    let mut little = vec![0xff, 0xfe];
    little.extend(USERS.encode_utf16().flat_map(u16::to_le_bytes));
    let mut big = vec![0xfe, 0xff];
    big.extend(USERS.encode_utf16().flat_map(u16::to_be_bytes));
    let marked = [&[0xef, 0xbb, 0xbf], USERS.as_bytes()].concat();
    let plain = batch(&[("file", USERS.as_bytes())]);
    for bytes in [little, big, marked] {
        let read = batch(&[("file", &bytes)]);
        assert_eq!(read.nodes(), plain.nodes());
        assert_eq!(read.edges(), plain.edges());
    }
}

#[test]
fn encodings_with_holes_are_refused() {
    assert_eq!(cause(b"{\"a\":\"\xff\"}", &Limits::default()), Cause::Encoding { offset: 6 });
    assert_eq!(cause(b"\xff\xfe{\0\"", &Limits::default()), Cause::Encoding { offset: 4 });
    assert_eq!(cause(b"\xff\xfe\x00\xd8", &Limits::default()), Cause::Encoding { offset: 2 });
    assert_eq!(cause(b"{\0\"\0", &Limits::default()), Cause::Encoding { offset: 1 });
    assert_eq!(cause(b"\xef\xbb\xbf \n", &Limits::default()), Cause::Empty);
}

#[test]
fn a_cut_file_says_where_it_ends_and_nothing_of_what_it_says() {
    let cut = &USERS[..USERS.len() / 2];
    let fault = refused(cut.as_bytes());
    assert!(fault.contains("ends in the middle"), "{fault}");
    let wrong = USERS.replace(r#""RightName":"Unheard""#, r#""RightName":["s3cret"]"#);
    let fault = refused(wrong.as_bytes());
    assert!(fault.contains("line 8"), "{fault}");
    assert!(!fault.contains("s3cret"), "{fault}");
    let wrong = USERS.replace(r#""IsDeleted":false"#, r#""IsDeleted":"s3cret""#);
    let fault = refused(wrong.as_bytes());
    assert!(!fault.contains("s3cret"), "{fault}");
}

#[test]
fn keys_that_stand_twice_are_refused() {
    let twice = USERS.replace(r#""Aces":[]"#, r#""Aces":[],"Aces":[]"#);
    assert!(refused(twice.as_bytes()).contains("duplicate field"));
    let twice = USERS.replace(r#""meta":"#, r#""data":[],"meta":"#);
    assert!(refused(twice.as_bytes()).contains("the key data stands twice"));
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refused(deep.as_bytes()).contains("recursion limit") || refused(deep.as_bytes()).contains("no kind"));
    let within =
        USERS.replace(r#""enabled":true"#, &format!(r#""enabled":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)));
    assert!(refused(within.as_bytes()).contains("recursion limit"));
}

#[test]
fn archives_are_bounded_by_what_comes_out() {
    let zeros = vec![b' '; 8 << 20];
    let bomb = zipped(&[("users.json", &zeros)]);
    assert_eq!(cause(&bomb, &Limits::default()), Cause::Ratio { limit: 200 });
    let generous = Limits { archive_ratio: usize::MAX, file_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(cause(&bomb, &generous), Cause::TooLarge { limit: 1 << 20 });
    let files: Vec<(String, Vec<u8>)> = (0..4).map(|n| (format!("{n}"), USERS.as_bytes().to_vec())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let many = zipped(&files);
    assert_eq!(cause(&many, &Limits { archive_files: 3, ..Limits::default() }), Cause::TooManyFiles { limit: 3 });
    let together = Limits { total_bytes: USERS.len() * 3, ..Limits::default() };
    assert_eq!(cause(&many, &together), Cause::TooLargeTogether { limit: USERS.len() * 3 });
}

#[test]
fn an_archive_leads_nowhere() {
    let nested = zipped(&[("inner.zip", &zipped(&[("users.json", USERS.as_bytes())]))]);
    assert_eq!(cause(&nested, &Limits::default()), Cause::NestedArchive);
    let climbing = zipped(&[("../../etc/cron.d/users.json", USERS.as_bytes())]);
    assert_eq!(&*batch(&[("a.zip", &climbing)]).files()[0].name, "a.zip:../../etc/cron.d/users.json");
    let mut cut = zipped(&[("users.json", USERS.as_bytes())]);
    cut.truncate(cut.len() - 30);
    assert!(matches!(cause(&cut, &Limits::default()), Cause::Archive(_)));
    assert_eq!(cause(&zipped(&[]), &Limits::default()), Cause::Empty);
}

#[test]
fn every_byte_of_an_archive_may_be_wrong() {
    let archive = zipped(&[("users.json", USERS.as_bytes())]);
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] ^= 0xff;
        // It is refused or, where the byte does not matter, read whole.
        if let Ok(read) = try_read(&[("file", &damaged)], &Limits::default()) {
            assert!(read.nodes().len() == 2 || read.files().is_empty(), "byte {at}");
        }
    }
}

#[test]
fn rows_and_texts_are_bounded() {
    let rows = Limits { rows: 3, ..Limits::default() };
    assert_eq!(cause(USERS.as_bytes(), &rows), Cause::TooManyRows { limit: 3 });
    let long = USERS.replace("ANA@", &"A".repeat(5000));
    assert_eq!(cause(long.as_bytes(), &Limits::default()), Cause::TextTooLong { limit: 4096 });
}

#[test]
fn a_small_file_cannot_ask_for_much_work() {
    let domains: Vec<String> = (0..20)
        .map(|id| format!(r#"{{"ObjectIdentifier":"S-1-5-21-1-2-3-{id}","Properties":{{"domain":"D{id}"}}}}"#))
        .collect();
    let domains = format!(r#"{{"data":[{}],"meta":{{"type":"users","version":6}}}}"#, domains.join(","));
    assert_eq!(
        cause(domains.as_bytes(), &Limits { parts: 10, ..Limits::default() }),
        Cause::TooManyParts { limit: 10 }
    );
    let users: Vec<String> = (0..50)
        .map(|id| {
            let policy = r#"{"Statement":{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*"}}"#;
            let arn = format!("arn:aws:iam::123456789012:user/{id}");
            format!(r#"{{"UserName":"{id}","Arn":"{arn}","UserPolicyList":[{{"PolicyDocument":{policy}}}]}}"#)
        })
        .collect();
    let users = format!(r#"{{"UserDetailList":[{}]}}"#, users.join(","));
    let few = Limits { decisions: 1000, ..Limits::default() };
    assert_eq!(cause(users.as_bytes(), &few), Cause::TooMuchWork { limit: 1000 });
}

#[test]
fn names_cannot_turn_a_terminal_around() {
    let hostile = USERS.replace("ANA@", "ANA\\u202e\\u001b[2J@");
    let inventory = inventory(&hostile);
    assert_eq!(inventory.node(&sid(1101)).unwrap().name(), "ANA\u{fffd}\u{fffd}[2J@CORP.EXAMPLE");
}

#[test]
fn one_fault_and_nothing_is_taken() {
    let fault = try_read(&[("good", USERS.as_bytes()), ("bad", b"{")], &Limits::default()).expect_err("bad");
    assert_eq!(fault.file, "bad");
    assert_eq!(saved(&Inventory::new()).lines().count(), 1);
}

#[test]
fn it_can_be_stopped() {
    let mut heard = 0;
    let many: String = (0..2000).fold(String::new(), |text, id| {
        text + &format!("{{\"type\":\"node\",\"id\":\"{id}\",\"labels\":[\"User\"]}}\n")
    });
    let mut stop = |progress: crate::Progress<'_>| {
        heard += 1;
        if progress.records >= 1000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let input = Input { name: "many", bytes: many.as_bytes() };
    let fault = read(&[input], &Limits::default(), &mut Watch::new(&mut stop)).expect_err("stopped");
    assert_eq!(fault.cause, Cause::Cancelled);
    assert_eq!(heard, 4);
}

#[test]
fn what_is_no_export_is_told_so() {
    assert!(refused(b"hello").contains("SharpHound"));
    assert!(refused(b"{\"users\":[]}").contains("SharpHound"));
    assert!(refused(br#"{"data":[],"meta":{"type":"users","version":99}}"#).contains("version 99"));
    assert!(refused(br#"{"data":[],"meta":{"type":"sofas","version":6}}"#).contains("type"));
}
