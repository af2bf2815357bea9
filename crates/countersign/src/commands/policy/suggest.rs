//! `policy suggest`: the narrowest policies that would have allowed what was used, from a ledger as files or as a server
//! publishes it. A server that runs also tells who is in which group. Nothing is put in force.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign_administrator::SystemClock;
use countersign_ledger::{Reader, Source, VerifierKey};
use countersign_model::{Clock as _, GroupId, Name, ResourceId, SubjectId, SubjectKind, Timestamp};
use countersign_policy::{EVERYONE, PolicySet, SourceFile, Symbols};
use countersign_replay::{Circumstance as Asked, Step, Suggestion, Terms};
use countersign_web::wire;

use super::eprint_progress;
use super::replay::{clear, instant, server, source};
use super::suggested::tell;
use crate::command_line::{Circumstance, Global, PolicySuggest};
use crate::commands;
use crate::commands::Misused;
use crate::commands::answer::all;
use crate::control::Control;
use crate::policies;
use crate::terminal::Terminal;

/// A policy that was fitted to use is looked at again in a quarter of a year.
const REVIEW: Duration = Duration::from_secs(90 * 86_400);

type Members = BTreeMap<GroupId, BTreeSet<SubjectId>>;

pub(super) async fn suggest(global: &Global, options: PolicySuggest, terminal: &Terminal) -> anyhow::Result<()> {
    if global.server.is_some() && options.recorded.ledger.is_none() {
        return Err(Misused("of a server on another machine say where its ledger is: --ledger URL".to_owned()).into());
    }
    let files = policies::read(&super::directory(global, &options.policies)?)?;
    let set = PolicySet::load(files.clone(), &Arc::new(Symbols::default()))?;
    let now = SystemClock.now();
    let members = match server(global, &options.recorded, terminal)? {
        Some(control) => {
            let known: Vec<wire::Resource> = read(all(&control, "/api/v1/resources", usize::MAX).await?)?;
            known_resources(&options, |id| known.iter().any(|resource| resource.id == *id))?;
            Some(members(&control).await?)
        }
        None => None,
    };
    let online = members.is_some();
    let terms = Terms {
        since: options.recorded.since.as_deref().map(instant).transpose()?,
        resources: options.resource.iter().cloned().collect(),
        excess: options.excess,
        rare: options.rare,
        circumstances: options.ask_for.iter().copied().map(asked).collect(),
        leave_out: options.leave_out.iter().cloned().collect(),
        members,
        owner: owner(options.owner.as_deref(), &set)?,
        review_by: match &options.review_by {
            Some(day) => format!("{day}T00:00:00Z")
                .parse()
                .with_context(|| Misused(format!("{day:?} is no date: write such as 2027-01-31")))?,
            None => now.plus(REVIEW),
        },
        observe: options.observe,
        as_of: now,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let progress = std::io::stderr().is_terminal() && !terminal.json;
    let (log, key) = source(global, &options.recorded, terminal)?;
    let current = files.clone();
    let suggestion = tokio::task::spawn_blocking(move || run(log, &key, &current, &terms, progress)).await?;
    clear(progress);
    let suggestion = suggestion?;
    if !online {
        known_resources(&options, |id| suggestion.resources.iter().any(|at| at.resource == *id))?;
    }
    if let Some(directory) = &options.out {
        write(directory, &files, &suggestion)?;
    }
    if terminal.json {
        terminal.json(&suggestion)?;
    } else {
        tell(&suggestion, &options, terminal);
    }
    if suggestion.check.holds() { Ok(()) } else { Err(commands::Found.into()) }
}

/// Nothing is proposed for a resource that nobody knows, and that would look as if nothing were to be proposed.
fn known_resources(options: &PolicySuggest, known: impl Fn(&ResourceId) -> bool) -> anyhow::Result<()> {
    match options.resource.iter().find(|id| !known(id)) {
        None => Ok(()),
        Some(id) => {
            Err(Misused(format!("nothing is known of a resource {id}: there is none, or nobody used it")).into())
        }
    }
}

const fn asked(circumstance: Circumstance) -> Asked {
    match circumstance {
        Circumstance::SignIn => Asked::SignIn,
        Circumstance::Device => Asked::Device,
        Circumstance::Network => Asked::Network,
        Circumstance::Time => Asked::Time,
    }
}

fn run(
    log: Box<dyn Source>,
    key: &VerifierKey,
    current: &[SourceFile],
    terms: &Terms,
    progress: bool,
) -> anyhow::Result<Suggestion> {
    let log = Reader::open(log, key)?;
    Ok(countersign_replay::suggest(&log, current, terms, |step, so_far| {
        if progress {
            let what = match step {
                Step::Reading => "entries read",
                Step::Replaying => "entries decided again",
                Step::Enforcing => "entries looked at for what observe mode let through",
            };
            eprint_progress(so_far.done, format_args!("{} {what}", so_far.total));
        }
        ControlFlow::Continue(())
    })?)
}

/// Who is said to answer for it, or who answers for most of what there is.
fn owner(said: Option<&str>, set: &PolicySet) -> anyhow::Result<String> {
    if let Some(owner) = said {
        return Ok(Name::new(owner).with_context(|| Misused(format!("{owner:?} cannot be an owner")))?.to_string());
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for info in set.policies() {
        *counts.entry(info.owner.as_str()).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(owner, count)| (*count, std::cmp::Reverse(*owner)));
    Ok(most.context("there is no policy to begin with")?.0.to_owned())
}

/// As the server knows them, directly and by way of other groups.
async fn members(control: &Control) -> anyhow::Result<Members> {
    let groups: Vec<wire::Group> = read(all(control, "/api/v1/groups", usize::MAX).await?)?;
    let subjects: Vec<wire::Subject> = read(all(control, "/api/v1/subjects", usize::MAX).await?)?;
    let within: BTreeMap<&GroupId, &[GroupId]> =
        groups.iter().map(|group| (&group.id, group.member_of.as_slice())).collect();
    let mut members = Members::new();
    for subject in &subjects {
        let mut open: Vec<GroupId> = subject.groups.clone();
        if subject.id.kind() == SubjectKind::Human {
            open.push(GroupId::new(EVERYONE)?);
        }
        while let Some(group) = open.pop() {
            let more = within.get(&group).copied().unwrap_or_default().to_vec();
            if members.entry(group).or_default().insert(subject.id.clone()) {
                open.extend(more);
            }
        }
    }
    Ok(members)
}

fn read<T: serde::de::DeserializeOwned>(items: Vec<serde_json::Value>) -> anyhow::Result<Vec<T>> {
    Ok(items.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?)
}

/// The policies as they are and the new file. What is there already has to be the same.
fn write(directory: &Path, files: &[SourceFile], suggestion: &Suggestion) -> anyhow::Result<()> {
    let new = suggestion.written.iter().map(|written| (written.name.clone(), written.text.clone()));
    let all: Vec<(String, String)> = files.iter().map(|file| (file.name(), file.text.clone())).chain(new).collect();
    for (name, text) in &all {
        let path = directory.join(name);
        match fs::read_to_string(&path) {
            Ok(there) if there == *text => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(_) => bail!("{} is there and is something else: say another directory", path.display()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }
    for (name, text) in &all {
        let path = directory.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        if !path.exists() {
            fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(())
}

/// The day of an instant.
pub(super) fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
