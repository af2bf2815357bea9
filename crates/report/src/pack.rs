//! The evidence pack: one JSON file with every figure, the query that reproduces it and the rows that it rests on, so that a third
//! party can check it without us. Every part has its hash in the manifest, and the manifest's hash is the *root*: whoever knows
//! the root knows the pack. A ledger's proof that the root was recorded is taken as it is given, and checked by who has the key.

mod canonical;
mod verify;

use countersign_assess::{Checked, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::Content;

pub(crate) use verify::open;
pub use verify::{Verified, Wrong, verify};

const FORMAT: &str = "countersign-evidence";
const VERSION: u64 = 1;

/// Why a pack could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PackFault {
    #[error("what was assessed cannot be written as JSON: {0}")]
    Writing(serde_json::Error),
    #[error("this is no evidence pack: {0}")]
    Reading(serde_json::Error),
    #[error("this is no evidence pack of version {VERSION}")]
    Format,
}

/// A file that figures rest on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    pub name: String,
    /// In hexadecimal.
    pub sha256: String,
    pub bytes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    sha256: String,
    /// Of its one form.
    bytes: u64,
}

/// What the root is the hash of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Manifest {
    format: String,
    version: u64,
    made_by: String,
    organisation: Option<String>,
    as_of: String,
    inventory_sha256: String,
    sources: Vec<SourceFile>,
    parts: Vec<Part>,
}

/// A pack, before it is a file.
#[derive(Clone, Debug)]
pub struct Pack {
    manifest: Value,
    root: String,
    /// Each in its one form.
    parts: Vec<(String, String)>,
    ledger: Vec<Value>,
}

impl Pack {
    /// # Errors
    /// When something in it cannot be written as JSON.
    pub fn of(content: &Content<'_>) -> Result<Self, PackFault> {
        let assessment = content.assessment;
        let mut parts = Vec::new();
        let mut part = |name: String, value: Value| parts.push((name, canonical::text(&canonical::rounded(value))));
        let mut whole = serde_json::to_value(assessment).map_err(PackFault::Writing)?;
        // The rows of the indicators are the bulk of it: each indicator is a part of its own.
        if let Some(health) = whole.pointer_mut("/health").and_then(Value::as_object_mut) {
            health.remove("indicators");
        }
        part("assessment".to_owned(), whole);
        for checked in &assessment.health.indicators {
            let checked: &Checked = checked;
            part(format!("indicator/{}", checked.id), serde_json::to_value(checked).map_err(PackFault::Writing)?);
        }
        // What the next report is compared with.
        let snapshot = Snapshot::of(assessment);
        part("snapshot".to_owned(), serde_json::to_value(snapshot).map_err(PackFault::Writing)?);
        if let Some(before) = content.before {
            part("before".to_owned(), serde_json::to_value(before).map_err(PackFault::Writing)?);
        }
        let mut sources: Vec<SourceFile> = content
            .files
            .iter()
            .map(|file| SourceFile { name: file.name.to_string(), sha256: file.sha256.to_string(), bytes: file.bytes })
            .collect();
        sources.sort();
        sources.dedup();
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_by: concat!("Countersign ", env!("CARGO_PKG_VERSION")).to_owned(),
            organisation: assessment.organisation.clone(),
            as_of: assessment.as_of.to_string(),
            inventory_sha256: assessment.inventory_sha256.clone(),
            sources,
            parts: parts
                .iter()
                .map(|(name, text)| Part { name: name.clone(), sha256: digest(text), bytes: text.len() as u64 })
                .collect(),
        };
        let manifest = serde_json::to_value(manifest).map_err(PackFault::Writing)?;
        let root = digest(&canonical::text(&manifest));
        Ok(Self { manifest, root, parts, ledger: Vec::new() })
    }

    /// What a ledger's entry names.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// With a proof that an entry which names the root is in a ledger: its own document of entry, path and checkpoint.
    #[must_use]
    pub fn recorded(mut self, proof: Value) -> Self {
        self.ledger.push(proof);
        self
    }

    /// The file.
    pub fn to_json(&self) -> String {
        // Parts are written as they were hashed, between brackets of our own.
        let value = |value: &Value| canonical::text(value);
        let parts: Vec<String> =
            self.parts.iter().map(|(name, text)| format!("{}:{text}", value(&json!(name)))).collect();
        format!(
            "{{\"ledger\":{},\n\"manifest\":{},\n\"parts\":{{{}}},\n\"root\":{}}}\n",
            value(&Value::Array(self.ledger.clone())),
            value(&self.manifest),
            parts.join(",\n"),
            value(&json!(self.root)),
        )
    }
}

/// The snapshot in a pack that holds, for a later report to be compared with.
///
/// # Errors
/// When it is no pack.
pub fn snapshot(pack: &[u8]) -> Result<Option<Snapshot>, PackFault> {
    let mut whole: Value = serde_json::from_slice(pack).map_err(PackFault::Reading)?;
    let part = whole.pointer_mut("/parts/snapshot").map(Value::take);
    part.map(serde_json::from_value).transpose().map_err(PackFault::Reading)
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The fields of a pack's file.
pub(crate) type Fields = Map<String, Value>;
