//! The crate from outside: files in, batch, inventory and graph out. Fixtures are small and our own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod hostile;
mod link;
mod merge;
mod project;
mod sharphound;
mod sources;

use std::io::Write as _;
use std::ops::ControlFlow;

use countersign_model::Timestamp;
use zip::write::SimpleFileOptions;

use crate::{Batch, Fault, Input, Inventory, Limits, Relation, Report, Watch, read};

pub(crate) const NOON: Timestamp = Timestamp::from_seconds(1_700_000_000);
pub(crate) const LATER: Timestamp = Timestamp::from_seconds(1_700_100_000);

/// A domain's identifier, and somebody in it.
pub(crate) const DOMAIN: &str = "S-1-5-21-1-2-3";

pub(crate) fn sid(relative: u32) -> String {
    format!("sid:{DOMAIN}-{relative}")
}

pub(crate) fn try_read(files: &[(&str, &[u8])], limits: &Limits) -> Result<Batch, Fault> {
    let inputs: Vec<Input<'_>> = files.iter().map(|(name, bytes)| Input { name, bytes }).collect();
    read(&inputs, limits, &mut Watch::new(&mut |_| ControlFlow::Continue(())))
}

pub(crate) fn batch(files: &[(&str, &[u8])]) -> Batch {
    try_read(files, &Limits::default()).expect("readable files")
}

pub(crate) fn import(inventory: &mut Inventory, text: &str, at: Timestamp) -> Report {
    inventory.merge(&batch(&[("file", text.as_bytes())]), at).expect("in order")
}

pub(crate) fn inventory(text: &str) -> Inventory {
    let mut inventory = Inventory::new();
    import(&mut inventory, text, NOON);
    inventory
}

pub(crate) fn saved(inventory: &Inventory) -> String {
    let mut text = Vec::new();
    inventory.save(&mut text).expect("a vector takes everything");
    String::from_utf8(text).expect("JSON")
}

/// Edges as sentences, in order.
pub(crate) fn edges(inventory: &Inventory) -> Vec<(String, Relation, String)> {
    let key = |number: u32| inventory.nodes()[number as usize].key.to_string();
    let mut edges: Vec<_> =
        inventory.edges().iter().map(|edge| (key(edge.from), edge.relation, key(edge.to))).collect();
    edges.sort();
    edges
}

pub(crate) fn reasons(report: &Report) -> Vec<(&str, u64)> {
    report.skipped.iter().map(|skipped| (skipped.reason.as_str(), skipped.count)).collect()
}

pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).expect("a new entry");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("an archive").into_inner()
}

pub(crate) const USERS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-513",
  "AllowedToDelegate":[{"ObjectIdentifier":"S-1-5-21-1-2-3-1201","ObjectType":"Computer"}],
  "Properties":{"domain":"CORP.EXAMPLE","name":"ANA@CORP.EXAMPLE","enabled":true,"pwdneverexpires":true,
   "lastlogon":0,"lastlogontimestamp":1690000000,"pwdlastset":1600000000,"serviceprincipalnames":["http/web"],
   "email":"ana@corp.example","userpassword":"hunter2","description":"pw is hunter2"},
  "Aces":[{"PrincipalSID":"S-1-5-21-1-2-3-1102","PrincipalType":"User","RightName":"ForceChangePassword","IsInherited":false},
          {"PrincipalSID":"S-1-5-21-1-2-3-1102","PrincipalType":"User","RightName":"Unheard","IsInherited":false}],
  "HasSIDHistory":[],"SPNTargets":[],"IsDeleted":false,"ContainedBy":null},
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1102","PrimaryGroupSID":"S-1-5-21-1-2-3-513","AllowedToDelegate":null,
  "Properties":{"domain":"CORP.EXAMPLE","name":"BEN@CORP.EXAMPLE","enabled":false,"lastlogontimestamp":-1},"Aces":[]}
],"meta":{"methods":7,"type":"users","count":2,"version":6}}"#;

pub(crate) const GROUPS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-512","Properties":{"domain":"CORP.EXAMPLE","name":"DOMAIN ADMINS@CORP.EXAMPLE"},
  "Members":[{"ObjectIdentifier":"S-1-5-21-1-2-3-1101","ObjectType":"User"}],"Aces":[]},
 {"ObjectIdentifier":"CORP.EXAMPLE-S-1-5-32-544","Properties":{"domain":"CORP.EXAMPLE","name":"ADMINISTRATORS@CORP.EXAMPLE"},
  "Members":[{"ObjectIdentifier":"S-1-5-21-1-2-3-512","ObjectType":"Group"}],"Aces":[]}
],"meta":{"methods":7,"type":"groups","count":2,"version":6}}"#;

pub(crate) const COMPUTERS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1201","PrimaryGroupSID":"S-1-5-21-1-2-3-515",
  "Properties":{"domain":"CORP.EXAMPLE","name":"WEB.CORP.EXAMPLE","enabled":true,"haslaps":true},
  "Sessions":{"Results":[{"UserSID":"S-1-5-21-1-2-3-1101","ComputerSID":"S-1-5-21-1-2-3-1201"}],"Collected":true},
  "PrivilegedSessions":{"Results":[],"Collected":false,"FailureReason":"access denied"},
  "LocalGroups":[{"ObjectIdentifier":"S-1-5-21-9-9-9-544","Name":"ADMINISTRATORS@WEB","Collected":true,
    "Results":[{"ObjectIdentifier":"S-1-5-21-1-2-3-512","ObjectType":"Group"}],"LocalNames":[]}],"Aces":[]}
],"meta":{"methods":7,"type":"computers","count":1,"version":6}}"#;
