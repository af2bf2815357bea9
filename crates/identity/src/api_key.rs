//! API keys: `cs_<key id>_<43 characters of secret><6 of checksum>`. The checksum is no protection: it tells a typo from
//! a wrong key without a look-up, and lets a secret scanner recognise a leaked key with near certainty. Owner, scope and
//! expiry belong to the record that the caller keeps.

use countersign_model::{CredentialSecret, KeyId};
use sha2::{Digest, Sha256};

use crate::encoding::base64url;
use crate::secret::{self, SecretHash};

/// What every API key begins with.
pub const PREFIX: &str = "cs_";

const SECRET: usize = 43;
const CHECKSUM: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("this is not an API key of Countersign")]
    Shape,
    #[error("the API key has a typo, or a part of it is missing")]
    Checksum,
    #[error("a key id is 1 to 64 ASCII letters, digits and hyphens")]
    Id,
}

/// The whole key, to show once, and the hash of its secret part, to keep.
pub fn generate(id: &KeyId) -> Result<(CredentialSecret, SecretHash), ApiKeyError> {
    if !acceptable(id.as_str()) {
        return Err(ApiKeyError::Id);
    }
    let (secret, hash) = secret::generate();
    let body = format!("{PREFIX}{id}_{}", secret.expose());
    let check = checksum(&body);
    Ok((CredentialSecret::new(body + &check), hash))
}

/// The key's id and its secret part; compare the latter with [`SecretHash::matches`]. Nothing is proven yet.
pub fn parse(plain: &str) -> Result<(KeyId, CredentialSecret), ApiKeyError> {
    let rest = plain.strip_prefix(PREFIX).ok_or(ApiKeyError::Shape)?;
    let (id, tail) = rest.split_once('_').ok_or(ApiKeyError::Shape)?;
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !acceptable(id) || tail.len() != SECRET + CHECKSUM || !tail.bytes().all(alphabet) {
        return Err(ApiKeyError::Shape);
    }
    let (body, check) = plain.split_at_checked(plain.len() - CHECKSUM).ok_or(ApiKeyError::Shape)?;
    if checksum(body) != check {
        return Err(ApiKeyError::Checksum);
    }
    let secret = tail.get(..SECRET).ok_or(ApiKeyError::Shape)?;
    let id = KeyId::new(id).map_err(|_| ApiKeyError::Shape)?;
    Ok((id, CredentialSecret::new(secret)))
}

fn acceptable(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn checksum(body: &str) -> String {
    let mut text = base64url(Sha256::digest(body.as_bytes()));
    text.truncate(CHECKSUM);
    text
}
