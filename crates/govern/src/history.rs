//! What an import did, as the history keeps it: who, which files, what changed, what was skipped and why. Lists are cut, counts are
//! not; all of what an import changed is in the inventory itself, with the import's instant.

use countersign_estate::{Batch, Change, FileRead, Relation, Report, Skipped};
use countersign_model::{SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::proofs::ALL;

/// How many files and changes of one import are listed.
const LISTED: usize = 200;

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// Counted from 1. 0: it was only tried.
    pub number: u64,
    /// When it was collected, as far as whoever imported it says.
    pub at: Timestamp,
    /// When it was imported.
    pub recorded: Timestamp,
    pub by: SubjectId,
    /// Where the ledger has it; of imports that are older than this field nobody kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// System, realm and part: `active-directory:CORP.EXAMPLE/users`.
    pub parts: Vec<String>,
    /// The first of them.
    pub files: Vec<FileRead>,
    pub file_count: u64,
    pub counts: Tally,
    /// The first of them. What came with a part that is new altogether is only counted.
    pub changes: Vec<Changed>,
    pub change_count: u64,
    /// Nodes of which the files say different things, with the fields; the first of them.
    pub contradictions: Vec<(String, Vec<String>)>,
    pub contradiction_count: u64,
    pub skipped: Vec<Skipped>,
}

/// How much changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    pub nodes_added: u64,
    pub nodes_changed: u64,
    pub nodes_gone: u64,
    pub nodes_back: u64,
    pub edges_added: u64,
    pub edges_changed: u64,
    pub edges_gone: u64,
    pub edges_back: u64,
}

impl Tally {
    /// Whether anything is another than before.
    pub fn changed(&self) -> bool {
        *self != Self::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Added,
    Changed,
    Gone,
    Back,
}

/// One thing that changed: a node, or an edge where there is a relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    pub how: How,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl Imported {
    pub(crate) fn new(batch: &Batch, report: &Report, at: Timestamp, recorded: Timestamp, by: SubjectId) -> Self {
        let changes = &report.changes;
        let counts = &changes.counts;
        Self {
            number: 0,
            at,
            recorded,
            by,
            entry: None,
            parts: batch.parts().iter().map(ToString::to_string).collect(),
            files: batch.files().iter().take(LISTED).cloned().collect(),
            file_count: batch.files().len() as u64,
            counts: Tally {
                nodes_added: counts.nodes_added,
                nodes_changed: counts.nodes_changed,
                nodes_gone: counts.nodes_gone,
                nodes_back: counts.nodes_back,
                edges_added: counts.edges_added,
                edges_changed: counts.edges_changed,
                edges_gone: counts.edges_gone,
                edges_back: counts.edges_back,
            },
            changes: changes.list.iter().take(LISTED).map(Changed::from).collect(),
            change_count: changes.list.len() as u64,
            contradictions: changes
                .contradictions
                .iter()
                .take(LISTED)
                .map(|(key, fields)| (key.to_string(), fields.iter().map(|field| (*field).to_owned()).collect()))
                .collect(),
            contradiction_count: changes.contradictions.len() as u64,
            skipped: report.skipped.clone(),
        }
    }

    /// For the ledger: what was taken and what it did, in a line of bounded length. The hash over all of the files' hashes names those
    /// that the line has no room for.
    pub(crate) fn detail(&self, all: &str) -> String {
        const NAMED: usize = 50;
        let counts = &self.counts;
        let mut detail = format!(
            "collected {}; nodes +{} ~{} -{} back {}; edges +{} ~{} -{} back {}; files {} {ALL}{all})",
            self.at,
            counts.nodes_added,
            counts.nodes_changed,
            counts.nodes_gone,
            counts.nodes_back,
            counts.edges_added,
            counts.edges_changed,
            counts.edges_gone,
            counts.edges_back,
            self.file_count,
        );
        for file in self.files.iter().take(NAMED) {
            let name: String = file.name.chars().take(100).collect();
            detail.push_str(&format!("; {name} SHA-256 {}", file.sha256));
        }
        detail
    }
}

impl From<&Change> for Changed {
    fn from(change: &Change) -> Self {
        let node = |how, key: &str| Self { how, key: key.to_owned(), relation: None, to: None, fields: Vec::new() };
        let edge = |how, from: &str, relation: Relation, to: &str| Self {
            relation: Some(relation),
            to: Some(to.to_owned()),
            ..node(how, from)
        };
        match change {
            Change::NodeAdded { key } => node(How::Added, key),
            Change::NodeGone { key } => node(How::Gone, key),
            Change::NodeBack { key } => node(How::Back, key),
            Change::NodeChanged { key, fields } => {
                Self { fields: fields.iter().map(|field| (*field).to_owned()).collect(), ..node(How::Changed, key) }
            }
            Change::EdgeAdded { from, relation, to } => edge(How::Added, from, *relation, to),
            Change::EdgeChanged { from, relation, to } => edge(How::Changed, from, *relation, to),
            Change::EdgeGone { from, relation, to } => edge(How::Gone, from, *relation, to),
            Change::EdgeBack { from, relation, to } => edge(How::Back, from, *relation, to),
        }
    }
}
