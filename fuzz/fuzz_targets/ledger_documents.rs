//! What an auditor is handed: a checkpoint, a file name, proofs. None of it may crash a verifier.
#![no_main]

use std::sync::LazyLock;

use countersign_ledger::{ConsistencyProof, InclusionProof, LogPath, SigningKey, VerifierKey};

static KEY: LazyLock<VerifierKey> =
    LazyLock::new(|| SigningKey::from_seed([7; 32]).verifier_key("fuzz.example").expect("a name without white space"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Nobody has signed anything with this key.
    assert!(KEY.open(bytes).is_err());
    if let Ok(proof) = InclusionProof::parse(bytes) {
        assert!(proof.check(&KEY).is_err());
    }
    let _ = ConsistencyProof::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<VerifierKey>();
        if let Ok(path) = text.parse::<LogPath>() {
            assert_eq!(path.to_string(), text);
            assert!(!text.contains(".."));
        }
    }
});
