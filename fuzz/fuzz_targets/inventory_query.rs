//! The query language of the inventory: any text is a query, or a fault with a place in it; and any query can be put to an
//! inventory, one of which nothing is known too.
#![no_main]

use countersign_assess::{Filter, Parameters, View};
use countersign_estate::Inventory;
use countersign_model::Timestamp;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match Filter::parse(text) {
        Err(fault) => assert!(text.is_char_boundary(fault.at), "{fault}"),
        Ok(filter) => {
            let inventory = Inventory::new();
            let projection = inventory.project().expect("nothing is too large");
            let view = View::new(&inventory, &projection, &Parameters::default(), Timestamp::default());
            let (matching, untold) = filter.select(&view, Timestamp::default());
            assert!(matching.is_empty() && untold.is_empty());
        }
    }
});
