//! Policies as text: loaded, judged and, if all of it is right, put in force. And the copy of the store for a backup.
//! For those above who know neither the policy engine nor the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_policy::{PolicySet, SourceFile};

use crate::accounts::ActError;
use crate::{Actor, Administrator, PublishError};

/// What became of policy text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyReport {
    /// Of the set, where it is valid.
    pub hash: Option<String>,
    /// Every mistake, rendered with file, line and a caret.
    pub mistakes: Vec<String>,
    pub warnings: Vec<String>,
    /// Whether the set is in force now.
    pub published: bool,
}

impl Administrator {
    /// Loads `files` (name → text) as the whole policy set and, unless it is a dry run or has a mistake, publishes it.
    pub async fn publish_sources(
        &self,
        files: BTreeMap<String, String>,
        actor: &Actor,
        dry_run: bool,
    ) -> Result<PolicyReport, PublishError> {
        let files = files.into_iter().map(|(path, text)| SourceFile { path: PathBuf::from(path), text }).collect();
        let set = match PolicySet::load(files, self.symbols()) {
            Ok(set) => set,
            Err(diagnostics) => {
                return Ok(PolicyReport { mistakes: vec![diagnostics.to_string()], ..PolicyReport::default() });
            }
        };
        let report = PolicyReport {
            hash: Some(set.hash().to_owned()),
            mistakes: Vec::new(),
            warnings: set.warnings().iter().map(ToString::to_string).collect(),
            published: !dry_run,
        };
        if !dry_run {
            self.publish(set, Some(actor.subject.clone())).await?;
        }
        Ok(report)
    }

    /// Writes a consistent copy of the store to the new file `to` while everything runs, once that is on record.
    pub async fn back_up(&self, to: &Path, actor: &Actor) -> Result<(), ActError> {
        self.record_act(actor, "backup", "store", "").await?;
        let to = to.to_owned();
        Ok(self.stored(move |store| store.backup(&to)).await?)
    }
}
