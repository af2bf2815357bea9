//! Secrets that Countersign makes itself: session cookies, one-time codes and links, API keys. Each has 256 bits from
//! the operating system, so a plain SHA-256 at rest is enough; no salt and no slow hash would add anything.
//! Passwords are not made here: Countersign has none.

use std::fmt;
use std::hash::{Hash, Hasher};

use countersign_model::CredentialSecret;
use rand::Rng as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::encoding::base64url;

/// A new secret as 43 characters of base64url, and the only thing to keep of it.
pub fn generate() -> (CredentialSecret, SecretHash) {
    let plain = base64url(random_bytes::<32>());
    let hash = hash(&plain);
    (CredentialSecret::new(plain), hash)
}

/// What is kept of a secret. Takes any text: what a stranger sent as a secret is hashed first and compared then.
pub fn hash(plain: &str) -> SecretHash {
    SecretHash(Sha256::digest(plain.as_bytes()).into())
}

/// From the operating system. A machine without randomness cannot keep any promise of this crate, so that stops the
/// programme rather than going on with something guessable.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

/// 128 random bits, for identifiers.
pub fn random_u128() -> u128 {
    u128::from_be_bytes(random_bytes())
}

/// SHA-256 of a secret. Comparison takes the same time wherever the two differ.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn matches(&self, plain: &str) -> bool {
        *self == hash(plain)
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl Hash for SecretHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| serde::de::Error::custom("a secret's hash is 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}
