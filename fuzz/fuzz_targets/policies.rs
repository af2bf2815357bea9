//! Policy sources: any text is a policy set or a list of mistakes.
#![no_main]

use std::sync::Arc;

use countersign_policy::{PolicySet, SourceFile, Symbols};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = SourceFile { path: "fuzz.cedar".into(), text: text.to_owned() };
    match PolicySet::load(vec![file], &Arc::new(Symbols::default())) {
        Ok(set) => assert_eq!(set.hash().len(), 64),
        Err(mistakes) => assert!(!mistakes.is_empty() && !mistakes.to_string().is_empty()),
    }
});
