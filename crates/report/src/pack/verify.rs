//! Checks a pack: foreign bytes. Everything that is wrong is told, not the first alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeSeed as _;
use serde_json::Value;

use super::{FORMAT, Fields, Manifest, PackFault, SourceFile, VERSION, canonical, digest};

/// Something in a pack that is not as its manifest, or its own figures, say.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Wrong {
    #[error("the manifest is not the one whose root this is")]
    Root,
    #[error("part `{0}` was changed")]
    Changed(String),
    #[error("part `{0}` is in the manifest and not in the pack")]
    Missing(String),
    #[error("part `{0}` is in the pack and not in the manifest")]
    Unlisted(String),
    #[error("part `{0}` stands twice in the manifest")]
    Twice(String),
    #[error("the numbers of `{0}` do not add up")]
    Sum(String),
    #[error("`{part}` rests on a file that is none of the sources: {sha256}")]
    Source { part: String, sha256: String },
    #[error("the field `{0}` does not belong there")]
    Foreign(String),
}

/// What a pack says of itself, and what is wrong with it.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    pub root: String,
    pub organisation: Option<String>,
    pub as_of: String,
    pub parts: u64,
    pub indicators: u64,
    /// Rows of evidence that were looked at.
    pub rows: u64,
    pub sources: Vec<SourceFile>,
    /// The ledger's documents, unchecked: they need the ledger's key.
    pub ledger: Vec<Value>,
    pub wrong: Vec<Wrong>,
}

/// Checks the hashes of all parts and of the manifest, that each indicator's numbers add up to its population and its rows,
/// and that each row of evidence comes from one of the sources.
///
/// # Errors
/// When it is no pack at all.
pub fn verify(bytes: &[u8]) -> Result<Verified, PackFault> {
    open(bytes).map(|(verified, _)| verified)
}

/// The same, with the parts as they were checked.
pub(crate) fn open(bytes: &[u8]) -> Result<(Verified, Fields), PackFault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let whole = canonical::Strict.deserialize(&mut reader).map_err(PackFault::Reading)?;
    reader.end().map_err(PackFault::Reading)?;
    let Value::Object(mut fields) = whole else { return Err(PackFault::Format) };
    let (Some(manifest), Some(Value::Object(parts)), Some(Value::String(root)), Some(Value::Array(ledger))) =
        (fields.remove("manifest"), fields.remove("parts"), fields.remove("root"), fields.remove("ledger"))
    else {
        return Err(PackFault::Format);
    };
    let mut wrong: Vec<Wrong> = fields.into_iter().map(|(field, _)| Wrong::Foreign(field)).collect();
    if digest(&canonical::text(&manifest)) != root {
        wrong.push(Wrong::Root);
    }
    let manifest: Manifest = serde_json::from_value(manifest).map_err(PackFault::Reading)?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        return Err(PackFault::Format);
    }
    check_parts(&manifest, &parts, &mut wrong);
    let known: BTreeSet<&str> = manifest.sources.iter().map(|source| &*source.sha256).collect();
    let (mut indicators, mut rows) = (0, 0);
    for (name, part) in parts.iter().filter(|(name, _)| name.starts_with("indicator/")) {
        indicators += 1;
        rows += check_indicator(name, part, &known, &mut wrong);
    }
    let verified = Verified {
        root,
        organisation: manifest.organisation,
        as_of: manifest.as_of,
        parts: parts.len() as u64,
        indicators,
        rows,
        sources: manifest.sources,
        ledger,
        wrong,
    };
    Ok((verified, parts))
}

fn check_parts(manifest: &Manifest, parts: &Fields, wrong: &mut Vec<Wrong>) {
    let mut listed = BTreeMap::new();
    for part in &manifest.parts {
        if listed.insert(&part.name, part).is_some() {
            wrong.push(Wrong::Twice(part.name.clone()));
        }
        let Some(value) = parts.get(&part.name) else {
            wrong.push(Wrong::Missing(part.name.clone()));
            continue;
        };
        let text = canonical::text(value);
        if digest(&text) != part.sha256 || text.len() as u64 != part.bytes {
            wrong.push(Wrong::Changed(part.name.clone()));
        }
    }
    let unlisted = parts.keys().filter(|name| !listed.contains_key(name));
    wrong.extend(unlisted.map(|name| Wrong::Unlisted(name.clone())));
}

/// How many rows of evidence it has.
fn check_indicator(name: &str, part: &Value, known: &BTreeSet<&str>, wrong: &mut Vec<Wrong>) -> u64 {
    let number = |pointer: &str| part.pointer(pointer).and_then(Value::as_u64);
    let findings = part.get("findings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let sums = || {
        let (found, passed, not_assessed) = (number("/found")?, number("/passed")?, number("/not-assessed")?);
        let population = number("/population")?;
        let whole = found.checked_add(passed)?.checked_add(not_assessed)? == population;
        Some(whole && findings.len() as u64 == found)
    };
    if sums() != Some(true) {
        wrong.push(Wrong::Sum(name.to_owned()));
    }
    let mut rows = 0;
    let mut unknown = BTreeSet::new();
    for row in findings.iter().filter_map(|finding| finding.get("evidence")?.as_array()).flatten() {
        rows += 1;
        let sha256 = row.get("sha256").and_then(Value::as_str).unwrap_or_default();
        // What follows from several statements names no file of its own.
        if !sha256.is_empty() && !known.contains(sha256) {
            unknown.insert(sha256);
        }
    }
    let source = |sha256: &str| Wrong::Source { part: name.to_owned(), sha256: sha256.to_owned() };
    wrong.extend(unknown.into_iter().map(source));
    rows
}
