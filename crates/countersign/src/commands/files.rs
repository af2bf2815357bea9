//! `check` and `init`: configuration and policies as files, without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign_model::Tier;
use countersign_policy::{PolicySet, Symbols};

use super::Found;
use crate::command_line::{Check, Global, Init};
use crate::configuration::{Configuration, STARTER, parse_duration};
use crate::terminal::{Terminal, Tone};
use crate::{policies, up};

/// Where the data directory is, as far as options and configuration say.
pub(super) fn data_directory(global: &Global) -> anyhow::Result<PathBuf> {
    match &global.data {
        Some(data) => Ok(data.clone()),
        None => Ok(up::configuration(global)?.0.data_directory),
    }
}

pub(super) fn span(text: &str) -> anyhow::Result<Duration> {
    parse_duration(text).with_context(|| format!("{text:?} is no span of time: write such as 30m, 24h or 30d"))
}

/// The configuration of a directory as `apply` takes it.
pub(super) fn of_directory(directory: &Path) -> anyhow::Result<(Configuration, Vec<String>)> {
    let (configuration, warnings) = Configuration::read(&directory.join("countersign.toml"))?;
    Ok((configuration, warnings.into_iter().map(|warning| warning.message).collect()))
}

/// The policies of such a directory, if it has any of its own.
pub(super) fn policies_of(directory: &Path, configuration: &Configuration) -> Option<PathBuf> {
    let own = configuration.policies.clone().unwrap_or_else(|| directory.join("policies"));
    own.is_dir().then_some(own)
}

pub(super) fn check(global: &Global, options: &Check, terminal: &Terminal) -> anyhow::Result<()> {
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    let read = match &options.directory {
        Some(directory) => of_directory(directory),
        None => match global.config.clone().or_else(|| Some(PathBuf::from("countersign.toml")).filter(|p| p.is_file()))
        {
            Some(file) => Configuration::read(&file).map(|(c, w)| (c, w.into_iter().map(|w| w.message).collect())),
            None => up::configuration(global).map(|(configuration, _)| (configuration, Vec::new())),
        },
    };
    let configuration = match read {
        Ok((configuration, found)) => {
            warnings.extend(found);
            Some(configuration)
        }
        Err(error) => {
            mistakes.push(format!("{error:#}"));
            None
        }
    };
    let policies = configuration.as_ref().map(|configuration| match &options.directory {
        Some(directory) => policies_of(directory, configuration).unwrap_or_else(|| directory.join("policies")),
        None => configuration.policies_directory(),
    });
    let mut checked = 0;
    if let Some(directory) = policies.filter(|directory| directory.is_dir()) {
        match policies::read(&directory).and_then(|files| Ok(PolicySet::load(files, &Arc::new(Symbols::default()))?)) {
            Ok(set) => {
                checked = set.policies().len();
                warnings.extend(set.warnings().iter().map(ToString::to_string));
            }
            Err(error) => mistakes.push(format!("{error:#}")),
        }
    }
    if let Some(configuration) = &configuration {
        warnings.extend(lock_out(configuration));
    }
    if terminal.json {
        terminal.json(&serde_json::json!({"mistakes": mistakes, "warnings": warnings, "policies": checked}))?;
    } else {
        for warning in &warnings {
            terminal.note(format!("{} {warning}", terminal.paint(Tone::Attention, "warning:")));
        }
        for mistake in &mistakes {
            terminal.note(mistake);
        }
    }
    if !mistakes.is_empty() {
        return Err(Found.into());
    }
    if !terminal.json {
        let resources = configuration.map_or(0, |configuration| configuration.inventory.resources.len());
        terminal.line(format!("no mistake: {resources} resources, {checked} policies"));
    }
    Ok(())
}

/// A file that names people and no owner among them is worth a word: whoever applies it may expect to be one.
fn lock_out(configuration: &Configuration) -> Option<String> {
    let subjects = &configuration.inventory.subjects;
    let owner = subjects.iter().any(|subject| subject.groups.iter().any(|group| group.as_str() == "owners"));
    (!subjects.is_empty() && !owner).then(|| {
        "no subject of this file is in the group owners: whoever administers Countersign has to be there from elsewhere \
         (the first invitation, or `countersign break-in`)"
            .to_owned()
    })
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
        return terminal
            .json(&serde_json::json!({"configuration": file, "policies": wrote.then_some(&policy_directory)}));
    }
    terminal.line(format!("wrote {}", file.display()));
    if wrote {
        terminal.line(format!(
            "wrote {}: who may do what, by tier ({}). To use them from there, write `policies = \"policies\"`",
            policy_directory.display(),
            tiers.join(", ")
        ));
    }
    terminal.line("next: describe an application in it, then `countersign up`");
    Ok(())
}
