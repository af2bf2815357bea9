//! Envoy's message, byte by byte: what is read has one host and one path, in the spelling that policies compare.
#![no_main]

use countersign_gateway::{Told, normalize_path, told_to_decide_on};

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    if let Some((host, path)) = told_to_decide_on(Told::Check(message)) {
        assert!(!host.is_empty() && !host.bytes().any(|byte| byte.is_ascii_uppercase() || b",@/ ".contains(&byte)));
        assert_eq!(normalize_path(&path).as_deref(), Ok(&*path));
    }
});
