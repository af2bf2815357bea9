//! Mappings and tables: any mapping with any table is read, or refused with a place. A mapping that is right reads any table of its
//! columns row by row.
#![no_main]

use std::ops::ControlFlow;

use countersign_estate::{Input, Inventory, Limits, Watch, read};
use countersign_model::Timestamp;

const AT: Timestamp = Timestamp::from_seconds(1_800_000_000);

const RIGHT: &str = "mapping = 1\nrealm = \"r\"\nnode = { key = \"k:{id}\", kind = \"account\", attributes = { email = \"{mail}\" } }\n\
    [[edge]]\nfrom = \"k:{id}\"\nrelation = \"member-of\"\nto = \"g:{groups}\"\neach = \"groups\"\n";

libfuzzer_sys::fuzz_target!(|given: (bool, &str, &str)| {
    let (right, mapping, table) = given;
    let (mapping, table) = if right {
        (RIGHT.to_owned(), format!("id,mail,groups\n{table}"))
    } else {
        (format!("mapping = 1\nrealm = \"r\"\n{mapping}"), table.to_owned())
    };
    let inputs = [Input { name: "t", bytes: table.as_bytes() }, Input { name: "m", bytes: mapping.as_bytes() }];
    let limits = Limits { rows: 10_000, ..Limits::default() };
    match read(&inputs, &limits, &mut Watch::new(&mut |_| ControlFlow::Continue(()))) {
        Ok(batch) => {
            let mut inventory = Inventory::new();
            inventory.merge(&batch, AT).expect("the first import is never old");
            inventory.project().expect("few nodes");
        }
        Err(fault) => assert!(fault.file == "t" || fault.file == "m"),
    }
});
