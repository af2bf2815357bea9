//! What `apply` and the API put into force over the server's own files: settings and policies. It is kept in the data
//! directory, so that a restart does not undo it, and counts until the own file or the policy directory says something
//! else than it did then: the last change wins. Not here: the inventory, which is in the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use countersign_administrator::{Administrator, PolicyApproval, Settings};
use countersign_model::SubjectId;
use countersign_policy::{PolicySet, SourceFile, Symbols};
use countersign_web as web;
use futures_util::future::{BoxFuture, FutureExt as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::configuration::{Configuration, at_start, over};
use crate::data_directory::{DataDirectory, replace};
use crate::policies;
use crate::system;

/// The name of the file in the data directory.
pub const FILE: &str = "applied.json";

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Contents {
    settings: Option<Kept<String>>,
    policies: Option<Kept<BTreeMap<String, String>>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept<T> {
    /// The hash of what the server's own files said when this was applied.
    over: String,
    /// A configuration file's text; policy files by name.
    is: T,
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct Applied(PathBuf);

impl Applied {
    pub fn of(directory: &DataDirectory) -> Self {
        Self(directory.root().join(FILE))
    }

    fn read(&self) -> anyhow::Result<Contents> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!("{} is damaged: remove it, and apply again what was applied", self.0.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Contents::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.0.display())),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) -> anyhow::Result<()> {
        let mut contents = self.read()?;
        change(&mut contents);
        replace(&self.0, &serde_json::to_vec_pretty(&contents)?)
    }

    /// The settings that count, where the own file means `own`.
    pub fn settings(&self, own: &Configuration, origin: &str) -> anyhow::Result<Settings> {
        match self.read()?.settings {
            Some(kept) if kept.over == fingerprint(own)? => Ok(system::settings(&over(own, &kept.is)?, origin)),
            Some(_) => {
                tracing::info!(
                    "the settings of the configuration file have changed: what was applied over them is gone"
                );
                self.change(|contents| contents.settings = None)?;
                Ok(system::settings(own, origin))
            }
            None => Ok(system::settings(own, origin)),
        }
    }

    /// The policies that count, where the policy directory is `own`.
    pub fn policies(&self, own: &Path, symbols: &Arc<Symbols>) -> anyhow::Result<PolicySet> {
        let set = PolicySet::load(policies::read(own)?, symbols)?;
        match self.read()?.policies {
            Some(kept) if kept.over == said(&set) => {
                let files = kept.is.into_iter().map(|(name, text)| SourceFile { path: name.into(), text }).collect();
                PolicySet::load(files, symbols)
                    .with_context(|| format!("the policies that were applied, in {}, do not load", self.0.display()))
            }
            Some(_) => {
                tracing::info!("the policy files have changed: the policies that were applied over them are gone");
                self.change(|contents| contents.policies = None)?;
                Ok(set)
            }
            None => Ok(set),
        }
    }
}

/// What policies and guardrails say.
fn said(set: &PolicySet) -> String {
    format!("{} {}", set.hash(), set.guardrails_hash())
}

/// What the own file's settings come to. Comments, and what is no setting, may change under what was applied.
fn fingerprint(own: &Configuration) -> anyhow::Result<String> {
    Ok(hash(&serde_json::to_vec(&system::settings(own, ""))?))
}

pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts settings that come over the API into force.
#[derive(Debug)]
pub struct Configurator {
    pub administrator: Administrator,
    pub applied: Applied,
    /// What the server was started with, as its own file says it.
    pub started: Configuration,
    pub origin: String,
}

impl Configurator {
    /// The own file as it is now, in the places that cannot move.
    fn own(&self) -> anyhow::Result<Configuration> {
        let Some(file) = &self.started.file else { return Ok(self.started.clone()) };
        let (own, _) = Configuration::read(file).context("the server's own configuration file has mistakes now")?;
        Ok(Configuration { data_directory: self.started.data_directory.clone(), ..own })
    }

    async fn put(&self, text: &str, by: &SubjectId, dry_run: bool) -> anyhow::Result<Result<Vec<String>, Vec<String>>> {
        let (sent, _) = match Configuration::parse(Path::new("countersign.toml"), text) {
            Ok(read) => read,
            Err(mistakes) => return Ok(Err(vec![mistakes.to_string()])),
        };
        let waits = at_start(text, &sent, &self.started);
        if !waits.is_empty() {
            return Ok(Err(waits));
        }
        let own = self.own()?;
        let merged = match over(&own, text) {
            Ok(merged) => merged,
            Err(mistakes) => return Ok(Err(vec![mistakes.to_string()])),
        };
        let settings = system::settings(&merged, &self.origin);
        let current = self.administrator.settings();
        // One person alone would need no second one after that.
        if current.policy_approval == PolicyApproval::SecondPerson
            && settings.policy_approval != current.policy_approval
        {
            let why = "decisions.policy_approval: it stays second-person until the server's own file says otherwise";
            return Ok(Err(vec![why.to_owned()]));
        }
        let changed = differences(&current, &settings)?;
        if dry_run || changed.is_empty() {
            return Ok(Ok(changed));
        }
        let kept = Kept { over: fingerprint(&own)?, is: text.to_owned() };
        // A crash after this leaves settings that were about to count: they count from the next start.
        self.applied.change(|contents| contents.settings = Some(kept))?;
        self.administrator.reconfigure(settings, hash(text.as_bytes()), Some(by.clone())).await?;
        Ok(Ok(changed))
    }
}

/// The settings that differ, by their keys.
fn differences(old: &Settings, new: &Settings) -> anyhow::Result<Vec<String>> {
    let (old, new) = (serde_json::to_value(old)?, serde_json::to_value(new)?);
    let members = new.as_object().into_iter().flatten();
    Ok(members
        .filter(|(name, value)| old.get(name) != Some(value))
        .map(|(name, _)| format!("setting {name}"))
        .collect())
}

impl web::Configure for Configurator {
    fn settings<'a>(
        &'a self,
        text: &'a str,
        by: &'a SubjectId,
        dry_run: bool,
    ) -> BoxFuture<'a, Result<Vec<String>, Vec<String>>> {
        async move { self.put(text, by, dry_run).await.unwrap_or_else(|error| Err(vec![format!("{error:#}")])) }.boxed()
    }

    fn keep_policies(&self, files: &BTreeMap<String, String>) -> Result<(), String> {
        let keep = || -> anyhow::Result<()> {
            let directory = self.own()?.policies_directory();
            let over = PolicySet::load(policies::read(&directory)?, &Arc::new(Symbols::default()))?;
            let kept = Kept { over: said(&over), is: files.clone() };
            self.applied.change(|contents| contents.policies = Some(kept))
        };
        keep().map_err(|error| format!("the policies cannot be kept: {error:#}"))
    }
}
