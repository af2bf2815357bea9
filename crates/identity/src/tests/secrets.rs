//! Secrets and API keys.

use std::collections::HashSet;

use countersign_model::KeyId;
use proptest::prelude::*;

use crate::api_key::{self, ApiKeyError};
use crate::secret::{self, SecretHash};

#[test]
fn a_secret_matches_its_hash_and_nothing_else() {
    let (plain, hash) = secret::generate();
    assert_eq!(plain.expose().len(), 43);
    assert!(hash.matches(plain.expose()));
    assert!(!hash.matches(secret::generate().0.expose()));
    assert!(!hash.matches(""));
    assert_eq!(hash, SecretHash::from_bytes(*hash.as_bytes()));
    let stored = serde_json::to_string(&hash).unwrap();
    assert_eq!(serde_json::from_str::<SecretHash>(&stored).unwrap(), hash);
    assert!(serde_json::from_str::<SecretHash>("\"00\"").is_err());
}

#[test]
fn nothing_prints_a_secret() {
    let (plain, hash) = secret::generate();
    let shown = format!("{plain:?} {hash:?}");
    assert!(!shown.contains(plain.expose()));
    assert!(!shown.contains(&hex::encode(hash.as_bytes())));
}

#[test]
fn secrets_do_not_repeat() {
    let all: HashSet<_> = (0..1000).map(|_| secret::generate().0.expose().to_owned()).collect();
    assert_eq!(all.len(), 1000);
}

#[test]
fn an_api_key_comes_back_as_its_id_and_secret() {
    let id = KeyId::new("backup-1").unwrap();
    let (plain, hash) = api_key::generate(&id).unwrap();
    assert!(plain.expose().starts_with("cs_backup-1_"));
    let (parsed, secret) = api_key::parse(plain.expose()).unwrap();
    assert_eq!(parsed, id);
    assert!(hash.matches(secret.expose()));
    assert!(!plain.expose().ends_with(secret.expose()), "the checksum is not a part of the secret");
}

#[test]
fn a_key_id_cannot_blur_where_the_secret_begins() {
    for id in ["a_b", "a b", "ä", "a.b"] {
        assert_eq!(api_key::generate(&KeyId::new(id).unwrap()).unwrap_err(), ApiKeyError::Id, "{id}");
    }
}

#[test]
fn a_typo_is_told_from_a_wrong_key() {
    let (plain, _) = api_key::generate(&KeyId::new("backup").unwrap()).unwrap();
    let plain = plain.expose();
    let other = if plain.as_bytes()[20] == b'A' { "B" } else { "A" };
    let typo = format!("{}{other}{}", &plain[..20], &plain[21..]);
    assert_eq!(api_key::parse(&typo).unwrap_err(), ApiKeyError::Checksum);
    assert_eq!(api_key::parse(&plain[..plain.len() - 1]).unwrap_err(), ApiKeyError::Shape);
    assert_eq!(api_key::parse("cs_").unwrap_err(), ApiKeyError::Shape);
    assert_eq!(api_key::parse("Bearer x").unwrap_err(), ApiKeyError::Shape);
}

proptest! {
    #[test]
    fn parsing_a_key_never_panics(text in ".{0,200}") {
        let _ = api_key::parse(&text);
        let _ = api_key::parse(&format!("cs_{text}"));
    }

    #[test]
    fn every_acceptable_id_survives(id in "[A-Za-z0-9-]{1,64}") {
        let id = KeyId::new(id.as_str()).unwrap();
        let (plain, hash) = api_key::generate(&id).unwrap();
        let (parsed, secret) = api_key::parse(plain.expose()).unwrap();
        prop_assert_eq!(parsed, id);
        prop_assert!(hash.matches(secret.expose()));
    }
}
