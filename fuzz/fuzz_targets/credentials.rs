//! API keys and signed assertions as a stranger sends them.
#![no_main]

use std::sync::LazyLock;

use countersign_identity::assertion::Signer;
use countersign_identity::oidc::Callback;
use countersign_identity::{api_key, operator};
use countersign_model::Timestamp;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::from_seed(&[7; 32]));

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = api_key::parse(text);
    let _ = Callback::parse(text);
    let now = Timestamp::from_seconds(1_800_000_000);
    assert!(operator::verify(text, &SIGNER.public_key(), &["http://countersign.localhost"], now).is_err());
});
