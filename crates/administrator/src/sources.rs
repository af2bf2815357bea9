//! Policies as text: loaded, judged and, if all of it is right, put in force. And the copy of the store for a backup.
//! For those above who know neither the policy engine nor the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_model::{PolicyId, SubjectId};
use countersign_policy::{Diagnostics, GUARDRAILS, PolicySet, SourceFile};

use crate::accounts::ActError;
use crate::{Actor, Administrator, PolicyApproval, PublishError};

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

/// Who puts a set in force, for the record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Publication {
    pub(crate) by: Option<SubjectId>,
    pub(crate) approved_by: Option<SubjectId>,
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
    let (before, after) = (guardrails(before), guardrails(after));
    for (id, text) in &before {
        all.entry(id).or_default().0 = Some(text);
    }
    for (id, text) in &after {
        all.entry(id).or_default().1 = Some(text);
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let changed = all.into_iter().filter(|(_, (before, after))| before != after);
    changed
        .map(|(id, (before, after))| PolicyChange { id: id.clone(), before: owned(before), after: owned(after) })
        .collect()
}

/// A guardrail may have the name of a policy: here it goes by its folder.
fn guardrails(set: &PolicySet) -> BTreeMap<PolicyId, &str> {
    let written = set.guardrails().iter().filter(|guardrail| guardrail.line > 0);
    written
        .filter_map(|guardrail| {
            let id = PolicyId::new(format!("{GUARDRAILS}/{}", guardrail.id)).ok()?;
            Some((id, guardrail.text.as_str()))
        })
        .collect()
}

impl Administrator {
    /// The policies in force as text: file name and content.
    pub fn policy_sources(&self) -> Vec<(String, String)> {
        let file = |file: &SourceFile| (file.name(), file.text.clone());
        self.policies().sources().iter().map(file).collect()
    }

    pub(crate) fn load_sources(&self, files: &BTreeMap<String, String>) -> Result<PolicySet, Diagnostics> {
        let file = |(path, text): (&String, &String)| SourceFile { path: PathBuf::from(path), text: text.clone() };
        PolicySet::load(files.iter().map(file).collect(), self.symbols())
    }

    /// What `files` (name → text) would be as the whole policy set. Nothing is put in force.
    pub fn try_sources(&self, files: &BTreeMap<String, String>) -> PolicyReport {
        match self.load_sources(files) {
            Ok(set) => self.report(&set, false),
            Err(mistakes) => PolicyReport { mistakes: vec![mistakes.to_string()], ..PolicyReport::default() },
        }
    }

    /// Every reason why `files` must not go live for want of a proof; none where nothing has to be proven.
    pub async fn prove_sources(&self, files: &BTreeMap<String, String>) -> Vec<String> {
        let Ok(set) = self.load_sources(files) else { return Vec::new() };
        match self.proven(set).await {
            Err(PublishError::NotProven(reasons)) => reasons,
            _ => Vec::new(),
        }
    }

    fn report(&self, set: &PolicySet, published: bool) -> PolicyReport {
        PolicyReport {
            hash: Some(set.hash().to_owned()),
            mistakes: Vec::new(),
            warnings: set.warnings().iter().map(ToString::to_string).collect(),
            changes: changes(&self.policies(), set),
            published,
        }
    }

    /// Puts `files` in force, unless they have a mistake. With `base`, only over that set. Where it takes a second person,
    /// nobody does this alone: see `proposals`.
    pub async fn publish_sources(
        &self,
        files: &BTreeMap<String, String>,
        actor: &Actor,
        base: Option<String>,
    ) -> Result<PolicyReport, PublishError> {
        let set = match self.load_sources(files) {
            Ok(set) => set,
            Err(mistakes) => {
                return Ok(PolicyReport { mistakes: vec![mistakes.to_string()], ..PolicyReport::default() });
            }
        };
        if self.settings().policy_approval == PolicyApproval::SecondPerson {
            return Err(PublishError::NeedsApproval);
        }
        let report = self.report(&set, true);
        let publication = Publication { by: Some(actor.subject.clone()), approved_by: None };
        self.publish_over(set, publication, base).await?;
        Ok(report)
    }

    /// Writes a consistent copy of the store to the new file `to` while everything runs, once that is on record.
    pub async fn back_up(&self, to: &Path, actor: &Actor) -> Result<(), ActError> {
        self.record_act(actor, "backup", "store", "").await?;
        let to = to.to_owned();
        Ok(self.stored(move |store| store.backup(&to)).await?)
    }
}
