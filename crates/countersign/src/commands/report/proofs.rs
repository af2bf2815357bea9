//! The ledger's proofs in an evidence pack: taken from the server for the estate that it keeps, and checked offline, by whoever has
//! the ledger's key. A proof is of an entry that names the pack, or of the act that imported some of its sources.

use std::collections::BTreeSet;

use anyhow::Context as _;
use countersign_govern::SourceProof;
use countersign_ledger::{InclusionProof, VerifierKey};
use countersign_report::Verified;
use serde_json::Value;

use crate::commands::work::Work;
use crate::control::Control;

const SERVER: &str = "/api/v1/estate/proofs";

/// The proofs of all that the server's estate rests on.
pub(super) async fn of_server(control: &Control, work: &Work) -> anyhow::Result<Vec<Value>> {
    let mut answer = work.wait(control.get(SERVER)).await?;
    let proofs = answer.get_mut("proofs").map(Value::take);
    serde_json::from_value(proofs.unwrap_or_default()).context("the server's proofs cannot be read")
}

/// Whether the ledger of this key has an entry that names the pack, or imports of all of its sources. What is wrong; what holds
/// goes to the notes.
pub(super) fn check(verified: &Verified, key: &VerifierKey, notes: &mut Vec<String>) -> Vec<String> {
    if verified.ledger.is_empty() {
        return vec!["there is no proof in it that a ledger recorded it".to_owned()];
    }
    let (mut wrong, mut named, mut imported) = (Vec::new(), false, BTreeSet::new());
    for document in &verified.ledger {
        let held = if document.get("files").is_some() {
            import(document, key).map(|(note, files)| {
                imported.extend(files);
                note
            })
        } else {
            names(document, key, &verified.root).inspect(|_| named = true)
        };
        match held {
            Ok(note) => notes.push(note),
            Err(why) => wrong.push(format!("a proof does not hold: {why}")),
        }
    }
    let missing: Vec<_> = verified.sources.iter().filter(|source| !imported.contains(&source.sha256)).collect();
    if let (Some(first), false) = (missing.first(), named) {
        let (count, of) = (missing.len(), verified.sources.len());
        wrong.push(format!("no proof says that {count} of {of} sources were imported: {} is one", first.name));
    }
    wrong
}

/// An entry that names the pack.
fn names(document: &Value, key: &VerifierKey, root: &str) -> Result<String, String> {
    let proof = InclusionProof::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let proven = proof.check(key).map_err(|error| error.to_string())?;
    if !proof.entry.contains(root) {
        return Err("its entry does not name this pack".to_owned());
    }
    let (index, origin, at) = (proven.index, proven.checkpoint.origin(), proven.entry.at);
    Ok(format!("entry {index} of the ledger {origin} names it, at {at}"))
}

/// The act of an import, and the files that it was of.
fn import(document: &Value, key: &VerifierKey) -> Result<(String, Vec<String>), String> {
    let proof: SourceProof = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let proven = proof.check(key).map_err(|error| error.to_string())?;
    let (index, origin, at) = (proven.index, proven.checkpoint.origin(), proven.entry.at);
    let files = match proof.files.len() {
        1 => "one file".to_owned(),
        count => format!("{count} files"),
    };
    Ok((format!("entry {index} of the ledger {origin} is the import of {files}, at {at}"), proof.files))
}
