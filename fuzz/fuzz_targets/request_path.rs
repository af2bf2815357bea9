//! The path of a request: what is accepted has one spelling, and reading it again changes nothing.
#![no_main]

use countersign_gateway::normalize_path;

libfuzzer_sys::fuzz_target!(|path: &str| {
    if let Ok(once) = normalize_path(path) {
        assert_eq!(normalize_path(&once).as_deref(), Ok(&*once));
        assert!(!once.split('/').any(|segment| matches!(segment, "." | "..")));
        assert!(!once.contains('\\') && !once.contains("//"));
    }
});
