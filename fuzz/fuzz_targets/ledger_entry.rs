//! A ledger's entry: what decodes is canonical, byte for byte.
#![no_main]

use countersign_ledger::Entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode().expect("what was decoded encodes"), bytes);
    }
});
