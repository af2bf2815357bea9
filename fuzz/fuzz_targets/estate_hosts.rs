//! The grammars of hosts, `authorized_keys` and sudoers: whatever lines stand in them, the host is read, with what is no key and no
//! rule counted, and the same host twice is once.
#![no_main]

use std::ops::ControlFlow;

use countersign_estate::{Input, Inventory, Limits, Watch, read};
use countersign_model::Timestamp;

const AT: Timestamp = Timestamp::from_seconds(1_800_000_000);

libfuzzer_sys::fuzz_target!(|files: (&str, &str)| {
    let (keys, sudoers) = files;
    let mut text = String::from(
        "countersign-host 1 web1.example\n== passwd\n root:x:0:0::/root:/bin/sh\n ana:x:1000:1000::/home/ana:/bin/sh\n\
         == group\n sudo:x:27:ana\n",
    );
    for (head, lines) in [("authorized_keys ana", keys), ("sudoers /etc/sudoers", sudoers)] {
        text.push_str(&format!("== {head}\n"));
        for line in lines.lines() {
            text.push_str(&format!(" {line}\n"));
        }
    }
    text.push_str("== end\n");
    let limits = Limits { rows: 10_000, ..Limits::default() };
    let input = Input { name: "hosts", bytes: text.as_bytes() };
    // Refused for what no text may hold, or for its size; never for what a line says.
    let Ok(batch) = read(&[input], &limits, &mut Watch::new(&mut |_| ControlFlow::Continue(()))) else { return };
    assert!(batch.nodes().len() >= 4);
    let mut inventory = Inventory::new();
    inventory.merge(&batch, AT).expect("the first import is never old");
    let edges = inventory.edges().len();
    inventory.merge(&batch, AT).expect("the same instant");
    assert_eq!(inventory.edges().len(), edges);
    inventory.project().expect("few nodes");
});
