//! Policies as text: loaded, judged and, if all of it is right, put in force. And the copy of the store for a backup.
//! For those above who know neither the policy engine nor the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_model::PolicyId;
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
    /// By id. What differs from the set that was in force, where it is valid.
    pub changes: Vec<PolicyChange>,
    /// Whether the set is in force now.
    pub published: bool,
}

/// One policy, as it was in force and as it would be; absent where it is new, or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    pub id: PolicyId,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What is different in `after`. Comments and layout count: whoever reads the text wants to know.
fn changes(before: &PolicySet, after: &PolicySet) -> Vec<PolicyChange> {
    let mut all: BTreeMap<&PolicyId, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for policy in before.policies() {
        all.entry(&policy.id).or_default().0 = Some(&policy.text);
    }
    for policy in after.policies() {
        all.entry(&policy.id).or_default().1 = Some(&policy.text);
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let changed = all.into_iter().filter(|(_, (before, after))| before != after);
    changed
        .map(|(id, (before, after))| PolicyChange { id: id.clone(), before: owned(before), after: owned(after) })
        .collect()
}

impl Administrator {
    /// The policies in force as text: file name and content.
    pub fn policy_sources(&self) -> Vec<(String, String)> {
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let file = |file: &SourceFile| (name(&file.path), file.text.clone());
        self.policies().sources().iter().map(file).collect()
    }

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
            changes: changes(&self.policies(), &set),
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
