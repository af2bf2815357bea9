//! A passkey in software, and the browser around it: answers the JSON that [`crate::passkey`] hands out, as
//! `navigator.credentials` would. For the demo and the tests, which sign in through the public interface with it. It keeps
//! its keys in memory, verifies no user, and can be told to lie: never a way for a person to sign in.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::encoding::{base64url, from_base64url};
use crate::passkey::Url;
use crate::secret;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED_DATA: u8 = 0x40;

/// Holds any number of credentials, each for one host and one person.
#[derive(Default)]
pub struct SoftwarePasskey {
    credentials: Vec<HeldCredential>,
    /// How the next answers deviate from an honest authenticator and browser.
    pub misbehaviour: Misbehaviour,
}

/// What a dishonest authenticator or page could answer. The default is honest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misbehaviour {
    /// Claim that the user was present only.
    pub skip_user_verification: bool,
    /// Do not check that the page may use this host's keys, as a browser does.
    pub skip_origin_check: bool,
    /// Use this counter, as a copy of the key would.
    pub counter: Option<u32>,
    /// Sign this challenge in place of the one that was asked.
    pub challenge: Option<String>,
    /// Sign client data of this type.
    pub client_data_type: Option<String>,
    /// Say that the page was inside another site's frame.
    pub cross_origin: bool,
    /// Name this person, in base64url.
    pub user_handle: Option<String>,
}

struct HeldCredential {
    id: [u8; 32],
    rp_id: String,
    user_handle: String,
    key: EcdsaKeyPair,
    counter: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SoftwarePasskeyError {
    #[error("the options cannot be read: {0} is missing")]
    Options(&'static str),
    #[error("the page's origin may not use passkeys of this host")]
    Origin,
    #[error("one of the excluded passkeys is held here already")]
    Excluded,
    #[error("no passkey for this host is held here")]
    NotFound,
    #[error("the key could not be made or used")]
    Key,
}

impl SoftwarePasskey {
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers creation options on a page of `origin`.
    pub fn create(&mut self, options: &Value, origin: &str) -> Result<Value, SoftwarePasskeyError> {
        let rp_id = text(options, "/publicKey/rp/id")?;
        let user_handle = text(options, "/publicKey/user/id")?;
        let challenge = text(options, "/publicKey/challenge")?;
        self.check_origin(rp_id, origin)?;
        let excluded = listed(options, "/publicKey/excludeCredentials");
        if self.credentials.iter().any(|held| held.rp_id == rp_id && excluded.contains(&base64url(held.id))) {
            return Err(SoftwarePasskeyError::Excluded);
        }
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| SoftwarePasskeyError::Key)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
            .map_err(|_| SoftwarePasskeyError::Key)?;
        let held = HeldCredential {
            id: secret::random_bytes(),
            rp_id: rp_id.to_owned(),
            user_handle: user_handle.to_owned(),
            key,
            counter: 0,
        };
        let mut data = self.authenticator_data(rp_id, ATTESTED_DATA, 0);
        // No AAGUID, the id's length, the id, and the public key as COSE.
        data.extend([0; 16]);
        data.extend([0, 32]);
        data.extend(held.id);
        data.extend(cose(held.key.public_key().as_ref()).ok_or(SoftwarePasskeyError::Key)?);
        let client_data = self.client_data("webauthn.create", challenge, origin);
        let id = base64url(held.id);
        self.credentials.push(held);
        Ok(json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url(client_data),
                "attestationObject": base64url(attestation_object(&data)),
                "transports": ["internal"],
            },
        }))
    }

    /// Answers request options on a page of `origin`, with the newest credential that fits.
    pub fn get(&mut self, options: &Value, origin: &str) -> Result<Value, SoftwarePasskeyError> {
        let rp_id = text(options, "/publicKey/rpId")?;
        let challenge = text(options, "/publicKey/challenge")?;
        self.check_origin(rp_id, origin)?;
        let allowed = listed(options, "/publicKey/allowCredentials");
        let fits = |held: &HeldCredential| {
            held.rp_id == rp_id && (allowed.is_empty() || allowed.contains(&base64url(held.id)))
        };
        let forced = self.misbehaviour.counter;
        let held = self.credentials.iter_mut().rev().find(|held| fits(held)).ok_or(SoftwarePasskeyError::NotFound)?;
        held.counter = forced.unwrap_or(held.counter.saturating_add(1));
        let counter = held.counter;
        let data = self.authenticator_data(rp_id, 0, counter);
        let client_data = self.client_data("webauthn.get", challenge, origin);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client_data));
        let held = self.credentials.iter().rev().find(|held| fits(held)).ok_or(SoftwarePasskeyError::NotFound)?;
        let signature = held.key.sign(&SystemRandom::new(), &signed).map_err(|_| SoftwarePasskeyError::Key)?;
        let id = base64url(held.id);
        Ok(json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url(client_data),
                "authenticatorData": base64url(data),
                "signature": base64url(signature),
                "userHandle": self.misbehaviour.user_handle.as_ref().unwrap_or(&held.user_handle),
            },
        }))
    }

    /// A browser lets a page use the keys of its own host and of the domains above it.
    fn check_origin(&self, rp_id: &str, origin: &str) -> Result<(), SoftwarePasskeyError> {
        let host = Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let own = host == rp_id || host.strip_suffix(rp_id).is_some_and(|prefix| prefix.ends_with('.'));
        if own || self.misbehaviour.skip_origin_check { Ok(()) } else { Err(SoftwarePasskeyError::Origin) }
    }

    fn authenticator_data(&self, rp_id: &str, flags: u8, counter: u32) -> Vec<u8> {
        let verified = if self.misbehaviour.skip_user_verification { 0 } else { USER_VERIFIED };
        let mut data = Sha256::digest(rp_id.as_bytes()).to_vec();
        data.push(USER_PRESENT | verified | flags);
        data.extend(counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, challenge: &str, origin: &str) -> Vec<u8> {
        json!({
            "type": self.misbehaviour.client_data_type.as_deref().unwrap_or(kind),
            "challenge": self.misbehaviour.challenge.as_deref().unwrap_or(challenge),
            "origin": origin,
            "crossOrigin": self.misbehaviour.cross_origin,
        })
        .to_string()
        .into_bytes()
    }
}

impl fmt::Debug for SoftwarePasskey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwarePasskey").field("credentials", &self.credentials.len()).finish_non_exhaustive()
    }
}

fn text<'a>(options: &'a Value, pointer: &'static str) -> Result<&'a str, SoftwarePasskeyError> {
    options.pointer(pointer).and_then(Value::as_str).ok_or(SoftwarePasskeyError::Options(pointer))
}

/// The ids in a list of credential descriptors, in canonical base64url.
fn listed(options: &Value, pointer: &str) -> Vec<String> {
    let descriptors = options.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let id = |descriptor: &Value| Some(base64url(from_base64url(descriptor.get("id")?.as_str()?)?));
    descriptors.iter().filter_map(id).collect()
}

/// An uncompressed P-256 point as a COSE key: `{1: 2, 3: -7, -1: 1, -2: x, -3: y}`.
fn cose(point: &[u8]) -> Option<Vec<u8>> {
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let mut cbor = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32];
    cbor.extend(x);
    cbor.extend([0x22, 0x58, 32]);
    cbor.extend(y);
    Some(cbor)
}

/// `{"fmt": "none", "attStmt": {}, "authData": data}` in CBOR.
fn attestation_object(data: &[u8]) -> Vec<u8> {
    let mut cbor = vec![0xa3];
    cbor.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData");
    // 37 + 18 + 32 + 77 bytes: always below 256, so the length takes one byte.
    cbor.extend([0x58, u8::try_from(data.len()).unwrap_or(u8::MAX)]);
    cbor.extend(data);
    cbor
}
