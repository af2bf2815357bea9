//! That what an assessment rests on was imported by a recorded act: for each import whose files the estate still rests on, the
//! ledger's proof of the act, and the files that it stands for. Whoever has the ledger's key checks it without us.

use countersign_ledger::{
    ActEntry, AppendError, EntryBody, InclusionProof, Ledger, ProofError, Proven, ReadError, VerifierKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::estate::{Estate, NotReady};
use crate::importing::blocking;

/// The verb of an import in the ledger.
pub(crate) const IMPORT: &str = "estate.import";
/// Stands in the detail of the act before one hash for all files, and before anything that somebody else chose.
pub(crate) const ALL: &str = "(SHA-256 of their SHA-256 ";

/// One import, proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceProof {
    /// The SHA-256 of each file of the import, in hexadecimal.
    pub files: Vec<String>,
    /// Of the act.
    pub proof: InclusionProof,
}

/// Why a proof shows nothing of its files.
#[derive(Debug, thiserror::Error)]
pub enum SourceProofError {
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error("its entry is no import of these files")]
    Other,
}

#[derive(Debug, thiserror::Error)]
pub enum ProofsError {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("the ledger has no checkpoint over its newest entries: {0}")]
    Checkpoint(#[from] AppendError),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the proofs could not be made")]
    Broken,
}

/// One hash that stands for all files, whatever their order.
pub(crate) fn hash_of<'h>(files: impl Iterator<Item = &'h str>) -> String {
    let mut hashes: Vec<&str> = files.collect();
    hashes.sort_unstable();
    hex::encode(Sha256::digest(hashes.join("\n")))
}

/// The hash of all files of an import, as its act has it.
fn all_of(act: &ActEntry) -> Option<&str> {
    let (_, rest) = act.detail.split_once(ALL).filter(|_| act.verb == IMPORT)?;
    Some(rest.split_once(')')?.0)
}

impl SourceProof {
    /// Checks that the ledger of `key` has an import of exactly these files.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, key: &VerifierKey) -> Result<Proven, SourceProofError> {
        let proven = self.proof.check(key)?;
        let EntryBody::Act(act) = &proven.entry.body else { return Err(SourceProofError::Other) };
        let all = hash_of(self.files.iter().map(String::as_str));
        if all_of(act) == Some(all.as_str()) { Ok(proven) } else { Err(SourceProofError::Other) }
    }
}

impl Estate {
    /// For each import whose place in the ledger is known, the newest first; those from before it was kept have none until they are
    /// imported again.
    ///
    /// # Errors
    /// When the estate is not there, or the ledger cannot be read.
    pub async fn proofs(&self) -> Result<Vec<SourceProof>, ProofsError> {
        let held = self.held()?;
        let ledger = self.0.administrator.ledger().clone();
        let made = blocking(move || {
            let imports: Vec<Vec<String>> = held
                .inventory
                .imports()
                .iter()
                .map(|import| import.files.iter().map(|file| file.sha256.to_string()).collect())
                .collect();
            let indices = held.history.iter().rev().filter_map(|import| import.entry);
            prove(&ledger, &imports, indices)
        });
        made.await.map_err(|_| ProofsError::Broken)?
    }
}

fn prove(
    ledger: &Ledger,
    imports: &[Vec<String>],
    indices: impl Iterator<Item = u64>,
) -> Result<Vec<SourceProof>, ProofsError> {
    ledger.checkpoint_now()?;
    let mut proofs: Vec<SourceProof> = Vec::new();
    for index in indices {
        let Some(entry) = ledger.entry(index)? else { continue };
        let EntryBody::Act(act) = &entry.body else { continue };
        let Some(all) = all_of(act) else { continue };
        let files = imports.iter().find(|files| hash_of(files.iter().map(String::as_str)) == all);
        // The same files once more are the same sources: the newest act is enough.
        let Some(files) = files.filter(|files| proofs.iter().all(|proof| proof.files != **files)) else { continue };
        proofs.push(SourceProof { files: files.clone(), proof: ledger.prove_inclusion(index)? });
    }
    Ok(proofs)
}
