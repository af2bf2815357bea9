//! Exports of directories: whatever comes is read whole, or refused and nothing taken. What was read is merged, saved,
//! read back and made a graph.
#![no_main]

use std::ops::ControlFlow;

use countersign_estate::{Input, Inventory, Limits, Watch, read};
use countersign_model::Timestamp;

const AT: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Small enough that a run is many files.
const LIMITS: Limits = Limits {
    file_bytes: 1 << 20,
    total_bytes: 2 << 20,
    archive_files: 16,
    archive_ratio: 200,
    rows: 10_000,
    text_bytes: 4096,
    parts: 100,
    decisions: 100_000,
};

/// What a file has to begin with to be one of a family: the fuzzer's first byte chooses.
const BEGINNINGS: [&str; 15] = [
    "",
    r#"{"meta":{"type":"users","version":6},"data":["#,
    r#"{"type":"node","id":"1","labels":["User"],"#,
    r#"{"graph":{"nodes":["#,
    "dn: CN=a,DC=b\nobjectClass: user\nobjectSid: S-1-5-21-1-2-3-4\n",
    r#"{"UserDetailList":["#,
    r#"{"apiVersion":"v1","items":[{"kind":"Namespace","metadata":{"name":"kube-system","uid":"u"}},"#,
    "apiVersion: v1\nkind: List\nitems:\n- kind: Namespace\n  metadata: {name: kube-system, uid: u}\n",
    r#"{"source":"entra","realm":"t","users":[{"id":"u"}],"#,
    r#"{"source":"okta","realm":"r","users":[{"id":"u","#,
    r#"{"source":"google-workspace","realm":"r","users":[{"id":"u","primaryEmail":"a@b"}],"#,
    r#"{"source":"github","realm":"r","members":[{"login":"u","role":"admin"}],"#,
    r#"{"conditional_access_policies":[],"privileged_users":{},"tenant_details":[{"TenantId":"t"}],"#,
    r#"{"Report_Entry":[{"Employee_ID":"1","#,
    "Employee ID,Name,Status\n",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((family, rest)) = bytes.split_first() else { return };
    let beginning = BEGINNINGS[usize::from(*family) % BEGINNINGS.len()];
    let file = [beginning.as_bytes(), rest].concat();
    let input = Input { name: "file", bytes: &file };
    let Ok(batch) = read(&[input], &LIMITS, &mut Watch::new(&mut |_| ControlFlow::Continue(()))) else { return };
    let mut inventory = Inventory::new();
    inventory.merge(&batch, AT).expect("the first import is never old");
    let save = |inventory: &Inventory| {
        let mut text = Vec::new();
        inventory.save(&mut text).expect("a vector takes everything");
        text
    };
    let once = save(&inventory);
    inventory.merge(&batch, AT).expect("the same instant");
    assert_eq!(save(&inventory), once, "twice is once");
    let back = Inventory::load(once.as_slice()).expect("what was saved is read");
    assert_eq!(save(&back), once);
    let _ = inventory.links();
    let _ = inventory.proposals();
    inventory.project().expect("few nodes");
});
