//! A ledger's entry: what decodes is canonical, byte for byte, and a replay can read it.
#![no_main]

use countersign_ledger::Entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let replayed = countersign_replay::reads(bytes);
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode().expect("what was decoded encodes"), bytes);
        assert_eq!(Entry::peek(bytes).map(|peeked| peeked.kind), Some(entry.body.name()));
        assert!(replayed);
    }
});
