//! The key that signs checkpoints, and checkpoints as signed notes (C2SP signed-note, tlog-checkpoint; Ed25519). Which
//! key is the right one is the reader's to know: nothing here trusts a key found beside the log.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, Verifier as _, VerifierList};
use tlog_tiles::{Checkpoint, Hash};

/// An Ed25519 key, from the 32 bytes that are kept in the key file.
#[derive(Clone)]
pub struct SigningKey {
    seed: [u8; 32],
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Why a key, an origin or a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("an origin is a name without white space or '+', such as log.example.org")]
    Origin,
    #[error("a verifier key is written NAME+HASH+BASE64, with an Ed25519 key")]
    Verifier,
    #[error("the checkpoint is not a well-formed signed note: {0}")]
    Malformed(&'static str),
    #[error("the checkpoint is not signed by {0}")]
    Unsigned(String),
    #[error("the checkpoint carries a signature of {0} that is wrong")]
    BadSignature(String),
    #[error("the checkpoint is for the log {found:?}, not for {expected:?}")]
    OtherOrigin { expected: String, found: String },
}

const ED25519: u8 = 1;

impl SigningKey {
    pub const fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// What a verifier needs to know: `origin+hash+base64` (C2SP signed-note, "Verifier keys").
    pub fn verifier_key(&self, origin: &str) -> Result<VerifierKey, KeyError> {
        let public = ed25519_dalek::SigningKey::from_bytes(&self.seed).verifying_key();
        let key: Vec<u8> = [&[ED25519], public.as_bytes().as_slice()].concat();
        let id = signed_note::key_id(origin, &key);
        format!("{origin}+{id:08x}+{}", BASE64_STANDARD.encode(key)).parse().map_err(|_| KeyError::Origin)
    }

    pub(crate) fn signer(&self, origin: &str) -> Result<CheckpointSigner, KeyError> {
        let verifier = self.verifier_key(origin)?;
        let key = BASE64_STANDARD.encode([&[ED25519], self.seed.as_slice()].concat());
        let id = verifier.verifier.key_id();
        let signer =
            StandardSigner::new(&format!("PRIVATE+KEY+{origin}+{id:08x}+{key}")).map_err(|_| KeyError::Origin)?;
        Ok(CheckpointSigner { signer, verifier })
    }
}

/// A signing key with the name that it signs under.
pub(crate) struct CheckpointSigner {
    signer: StandardSigner,
    pub(crate) verifier: VerifierKey,
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointSigner({})", self.verifier)
    }
}

impl CheckpointSigner {
    pub(crate) fn sign(&self, size: u64, hash: Hash) -> Result<SignedCheckpoint, KeyError> {
        let origin = self.signer.name();
        let text = Checkpoint::new(origin, size, hash, "").map_err(|_| KeyError::Origin)?.to_bytes();
        let mut note = Note::new(&text, &[]).map_err(|_| KeyError::Origin)?;
        note.add_sigs(&[&self.signer]).map_err(|_| KeyError::Origin)?;
        let note = String::from_utf8(note.to_bytes()).map_err(|_| KeyError::Malformed("not UTF-8"))?;
        Ok(SignedCheckpoint { origin: origin.to_owned(), size, hash, note })
    }
}

/// A log's public key, with the log's name.
#[derive(Clone)]
pub struct VerifierKey {
    text: String,
    verifier: StandardVerifier,
}

impl VerifierKey {
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// Reads a checkpoint: foreign bytes. It counts only if this key has signed it and it is for this log; further
    /// signatures, such as a witness's, are not looked at.
    pub fn open(&self, note: &[u8]) -> Result<SignedCheckpoint, KeyError> {
        let parsed = Note::from_bytes(note).map_err(|_| KeyError::Malformed("text, blank line, signatures"))?;
        let known = VerifierList::new(vec![Box::new(self.verifier.clone())]);
        parsed.verify(&known).map_err(|error| match error {
            signed_note::NoteError::InvalidSignature { name, .. } => KeyError::BadSignature(name),
            _ => KeyError::Unsigned(self.text.clone()),
        })?;
        let checkpoint = Checkpoint::from_bytes(parsed.text())
            .map_err(|_| KeyError::Malformed("origin, size and root hash, a line each"))?;
        if checkpoint.origin() != self.origin() {
            let (expected, found) = (self.origin().to_owned(), checkpoint.origin().to_owned());
            return Err(KeyError::OtherOrigin { expected, found });
        }
        Ok(SignedCheckpoint {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            hash: *checkpoint.hash(),
            note: String::from_utf8_lossy(note).into_owned(),
        })
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let verifier = StandardVerifier::new(text).map_err(|_| KeyError::Verifier)?;
        Ok(Self { text: text.to_owned(), verifier })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A checkpoint whose signature is right: the log had `size` entries, and `hash` was their root.
#[derive(Clone, PartialEq, Debug)]
pub struct SignedCheckpoint {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) hash: Hash,
    pub(crate) note: String,
}

impl SignedCheckpoint {
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// As signed.
    pub fn note(&self) -> &str {
        &self.note
    }
}
