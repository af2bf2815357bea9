//! `check` and `init`: configuration and policies as files, without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign_model::Tier;
use countersign_policy::{Diagnostics, PolicySet, Symbols};
use serde_json::{Value, json};

use super::answer::count;
use super::policy::proofs;
use super::{Found, Misused, lock_out};
use crate::command_line::{Check, Global, Init};
use crate::configuration::{Configuration, Mistakes, STARTER, parse_duration};
use crate::terminal::{Terminal, Tone};
use crate::{policies, up};

/// Where the data directory is, as far as options and configuration say. A file with mistakes does not keep anybody from
/// a server that runs by an older one: a session has to be killed all the same.
pub(super) fn data_directory(global: &Global, terminal: &Terminal) -> anyhow::Result<PathBuf> {
    if let Some(data) = &global.data {
        return Ok(data.clone());
    }
    up::configuration(global).map(|(configuration, _)| configuration.data_directory).or_else(|error| {
        let mistakes: Mistakes = error.downcast()?;
        let directory = mistakes.data_directory();
        terminal.note(format!(
            "{} {} has mistakes (`countersign check`); the data directory is taken to be {}",
            terminal.paint(Tone::Attention, "warning:"),
            mistakes.path.display(),
            directory.display()
        ));
        Ok(directory)
    })
}

pub(super) fn span(text: &str) -> anyhow::Result<Duration> {
    parse_duration(text).with_context(|| Misused(format!("{text:?} is no span of time: write such as 30m, 24h or 30d")))
}

/// Invitations are made for whole hours: what was said counts, and not what is nearest.
pub(super) fn hours(text: &str) -> anyhow::Result<u64> {
    match span(text)?.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => Ok(seconds / 3600),
        _ => {
            let words = format!("an invitation is valid for whole hours, such as 1h, 24h or 7d, and not for {text}");
            Err(Misused(words).into())
        }
    }
}

/// Configuration and policies as files, and everything that is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) configuration: Option<Configuration>,
    /// The text of the configuration file.
    pub(super) text: Option<String>,
    /// Where they are.
    pub(super) policy_directory: PathBuf,
    /// File name → text; `None` where there is no directory of policies.
    pub(super) policies: Option<BTreeMap<String, String>>,
    policy_count: usize,
    pub(super) mistakes: Vec<String>,
    /// The same, by field.
    found: Vec<Value>,
    pub(super) warnings: Vec<String>,
}

impl Files {
    /// A directory as `apply` takes it: `countersign.toml`, and `policies` unless the file names another place.
    pub(super) fn of_directory(directory: &Path) -> anyhow::Result<Self> {
        Self::read(&directory.join("countersign.toml"), |configuration| {
            configuration.policies.clone().unwrap_or_else(|| directory.join("policies"))
        })
    }

    fn read(file: &Path, policies: impl FnOnce(&Configuration) -> PathBuf) -> anyhow::Result<Self> {
        let mut files = Self::default();
        // Where the file cannot be read as configuration, the policies are where they usually are.
        let mut directory = file.with_file_name("policies");
        match Configuration::read(file) {
            Ok((configuration, warnings)) => {
                files.warnings.extend(warnings.into_iter().map(|warning| warning.message));
                directory = policies(&configuration);
                files.text = Some(std::fs::read_to_string(file)?);
                files.configuration = Some(configuration);
            }
            Err(error) => files.wrong(&error),
        }
        files.read_policies(&directory)?;
        Ok(files)
    }

    fn wrong(&mut self, error: &anyhow::Error) {
        self.mistakes.push(format!("{error:#}"));
        self.found.extend(by_field(error));
    }

    fn read_policies(&mut self, directory: &Path) -> anyhow::Result<()> {
        directory.clone_into(&mut self.policy_directory);
        let symbols = Arc::new(Symbols::default());
        let mut set = None;
        if directory.is_dir() {
            let loaded = policies::read(directory).and_then(|sources| {
                let texts = sources.iter().map(|file| (file.name(), file.text.clone())).collect();
                Ok((texts, PolicySet::load(sources, &symbols)?))
            });
            match loaded {
                Ok((texts, loaded)) => {
                    self.warnings.extend(loaded.warnings().iter().map(ToString::to_string));
                    self.policy_count = loaded.policies().len();
                    self.policies = Some(texts);
                    set = Some(loaded);
                }
                Err(error) => self.wrong(&error),
            }
        }
        if let Some(configuration) = &self.configuration {
            self.warnings.extend(lock_out::warnings(configuration, set.as_ref().map(|set| (set, &symbols)))?);
        }
        Ok(())
    }

    pub(super) fn tell(&self, terminal: &Terminal) {
        for warning in &self.warnings {
            terminal.note(format!("{} {warning}", terminal.paint(Tone::Attention, "warning:")));
        }
        for mistake in &self.mistakes {
            terminal.note(mistake);
        }
    }
}

/// Each mistake with its place, for programmes.
pub(super) fn by_field(error: &anyhow::Error) -> Vec<Value> {
    if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
        let each = mistakes.list.iter().map(|mistake| {
            let (line, column) = mistakes.place(mistake);
            json!({"file": mistakes.path, "line": line, "column": column, "message": mistake.message, "help": mistake.help})
        });
        return each.collect();
    }
    if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
        let each = diagnostics
            .iter()
            .map(|d| json!({"file": d.file, "line": d.line, "column": d.column, "message": d.message, "help": d.help}));
        return each.collect();
    }
    vec![json!({"file": null, "line": null, "column": null, "message": format!("{error:#}"), "help": null})]
}

pub(super) fn check(global: &Global, options: &Check, terminal: &Terminal) -> anyhow::Result<()> {
    let usual = PathBuf::from("countersign.toml");
    let files = match (&options.directory, &global.config) {
        (Some(directory), _) => Files::of_directory(directory)?,
        (None, Some(file)) => Files::read(file, Configuration::policies_directory)?,
        (None, None) if usual.is_file() => Files::read(&usual, Configuration::policies_directory)?,
        (None, None) => {
            let (configuration, _) = up::configuration(global)?;
            let directory = configuration.policies_directory();
            let mut files = Files { configuration: Some(configuration), ..Files::default() };
            files.read_policies(&directory)?;
            files
        }
    };
    let proofs = match options.prove && files.mistakes.is_empty() {
        true => Some(proofs::demand(&files.policy_directory, &options.proving, terminal)?),
        false => None,
    };
    if terminal.json {
        let Files { found, warnings, policy_count, .. } = &files;
        let mut answer = json!({"mistakes": found, "warnings": warnings, "policies": policy_count});
        if let (Some(answer), Some(proofs)) = (answer.as_object_mut(), &proofs) {
            answer.insert("proofs".to_owned(), proofs.clone());
        }
        terminal.json(&answer)?;
    } else {
        files.tell(terminal);
    }
    if !files.mistakes.is_empty() {
        return Err(Found.into());
    }
    if !terminal.json {
        let resources = files.configuration.map_or(0, |configuration| configuration.inventory.resources.len());
        let policies = match &files.policies {
            Some(_) => count(files.policy_count, "policy", "policies"),
            None => "no directory of policies yet, so `up` writes the starter set".to_owned(),
        };
        let proven = if proofs.is_some() { ", every guardrail proven" } else { "" };
        let resources = count(resources, "resource", "resources");
        terminal.line(format!("no mistake: {resources}, {policies}{proven}"));
    }
    Ok(())
}

pub(super) fn init(options: &Init, terminal: &Terminal) -> anyhow::Result<()> {
    let file = options.directory.join("countersign.toml");
    if file.exists() {
        bail!("{} is there already, and stays as it is", file.display());
    }
    std::fs::create_dir_all(&options.directory)?;
    std::fs::write(&file, STARTER).with_context(|| format!("{} cannot be written", file.display()))?;
    let policy_directory = options.directory.join("policies");
    let wrote = policies::write_starter(&policy_directory)?;
    let tiers: Vec<&str> = Tier::ALL.iter().map(|tier| tier.name()).collect();
    if terminal.json {
        return terminal.json(&json!({"configuration": file, "policies": wrote.then_some(&policy_directory)}));
    }
    terminal.line(format!("wrote {}", file.display()));
    if wrote {
        terminal.line(format!("wrote {}: who may do what, by tier ({})", policy_directory.display(), tiers.join(", ")));
    }
    terminal.line("next: describe an application in it, then `countersign up`");
    Ok(())
}
