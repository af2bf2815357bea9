//! `countersign up`: starts everything, says where to go, and reads configuration and policies again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use countersign_administrator::{Administrator, OWNERS, Page, SubjectFilter, SystemClock};
use countersign_model::{GroupId, Source, Subject, SubjectId, SubjectState};
use countersign_policy::GUARDRAILS;
use notify::{RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::command_line::{Global, Up};
use crate::configuration::Configuration;
use crate::reload::Reloader;
use crate::system::{Options, System, configuration_actor};
use crate::telemetry::{self, Telemetry};
use crate::terminal::{Terminal, Tone};

/// How long open exchanges may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Editors write a file in several steps; this long without another one is one change.
const SETTLE: Duration = Duration::from_millis(200);

const INVITATION: Duration = Duration::from_secs(24 * 3600);

/// The configuration that the options name, and the file it came from.
pub fn configuration(global: &Global) -> anyhow::Result<(Configuration, Option<PathBuf>)> {
    let usual = Path::new("countersign.toml");
    let file = global.config.clone().or_else(|| usual.is_file().then(|| usual.to_owned()));
    let mut configuration = match &file {
        Some(file) => {
            let (configuration, warnings) = Configuration::read(file)?;
            for warning in warnings {
                tracing::warn!(file = %file.display(), "{}", warning.message);
            }
            configuration
        }
        None => Configuration::for_directory(Path::new("countersign-data")),
    };
    if let Some(data) = &global.data {
        data.clone_into(&mut configuration.data_directory);
    }
    Ok((configuration, file))
}

pub async fn up(global: &Global, up: &Up, terminal: &Terminal) -> anyhow::Result<()> {
    let (configuration, file) = configuration(global)?;
    let telemetry = Telemetry::start(up.log_json, configuration.otlp.as_deref(), false)?;
    let signals = Signals::new()?;
    let options = Options { clock: Arc::new(SystemClock), metrics: telemetry::metrics()?, drain: DRAIN };
    let system = System::start(&configuration, options).await?;
    let (changed, mut changes) = mpsc::channel(1);
    let _watcher = watch(&configuration, file.as_deref(), changed);
    let mut reloader = Reloader::new(configuration.clone());
    // What was saved after it was read and before it was watched.
    reloader.reload(&system).await;
    greet(&system, &configuration, up, terminal).await?;

    let Signals { mut terminate, mut interrupt, mut hang_up } = signals;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {}
            Some(()) = changes.recv() => {
                // Whatever else changes within this time belongs to the same change.
                while let Ok(Some(())) = tokio::time::timeout(SETTLE, changes.recv()).await {}
            }
        }
        reloader.reload(&system).await;
    }
    terminal.note("stopping: open requests may finish");
    system.stop().await;
    telemetry.stop().await;
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }
}

/// Directories are watched, not files: an editor that replaces a file would leave a watch on the old one.
fn watch(
    configuration: &Configuration,
    file: Option<&Path>,
    changed: mpsc::Sender<()>,
) -> Option<notify::RecommendedWatcher> {
    let policies = configuration.policies_directory();
    let directory_of = |file: &Path| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = file.and_then(|file| file.file_name().map(ToOwned::to_owned));
    let handler = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let ours = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "cedar") || path.file_name() == name.as_deref()
        };
        let written = event.kind.is_modify() || event.kind.is_create() || event.kind.is_remove();
        if written && event.paths.iter().any(ours) {
            // Full means that a change is announced already.
            let _ = changed.try_send(());
        }
    };
    let started = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(&policies, RecursiveMode::NonRecursive)?;
        let guardrails = policies.join(GUARDRAILS);
        if guardrails.is_dir() {
            watcher.watch(&guardrails, RecursiveMode::NonRecursive)?;
        }
        if let Some(file) = file {
            watcher.watch(&directory_of(file), RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    match started {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "files cannot be watched: send SIGHUP after a change");
            None
        }
    }
}

async fn greet(system: &System, configuration: &Configuration, up: &Up, terminal: &Terminal) -> anyhow::Result<()> {
    let origin = system.origin();
    let link = first_owner(system.administrator(), &up.owner).await?;
    if terminal.json {
        return terminal.json(&serde_json::json!({
            "origin": origin,
            "console": format!("{origin}/console"),
            "listeners": system.addresses(),
            "operations": system.running().operations,
            "data_directory": system.directory().root(),
            "enrolment": link.as_ref().map(|secret| format!("{origin}/invite#{secret}")),
        }));
    }
    terminal.line(terminal.paint(Tone::Strong, "Countersign is up"));
    terminal.line(format!("  portal        {origin}  (my applications)"));
    terminal.line(format!("  console       {origin}/console"));
    // In this order: http, https, the other proxies'.
    let https = usize::from(configuration.listen.http.is_some());
    if let (Some(_), Some(address)) = (configuration.listen.https, system.addresses().get(https)) {
        let https = format!("https://{}:{}", configuration.control_host, address.port());
        terminal.line(format!("  https         {https}  (here devices prove themselves)"));
    }
    if let (Some(_), Some(address)) = (&configuration.bridge, system.addresses().last()) {
        terminal.line(format!("  bridge        {address}  (here other proxies ask)"));
    }
    for resource in &configuration.inventory.resources {
        for route in &resource.routes {
            let app = origin.replacen(&configuration.control_host, &route.host, 1);
            terminal.line(format!(
                "  {:12}  {app}{}  → {}",
                resource.id.as_str(),
                route.path_prefix,
                upstream(resource)
            ));
        }
    }
    if let Some(operations) = system.running().operations {
        terminal.line(format!("  operations    http://{operations}/metrics  /healthz  /readyz"));
    }
    terminal.line(format!("  data          {}", system.directory().root().display()));
    if let Some(secret) = link {
        terminal.line("");
        terminal.line(format!("{} is the owner and has no passkey yet. Open this once, within a day:", up.owner));
        terminal.line(format!("  {}", terminal.paint(Tone::Attention, &format!("{origin}/invite#{secret}"))));
    }
    terminal.line("");
    Ok(())
}

fn upstream(resource: &countersign_model::Resource) -> &str {
    match &resource.upstream {
        countersign_model::Upstream::Origin { url, .. } => url,
        countersign_model::Upstream::Internal { part } => part,
    }
}

/// While no owner has a way in, a one-time link for one; made anew at each start, and recorded like any invitation.
async fn first_owner(administrator: &Administrator, wanted: &SubjectId) -> anyhow::Result<Option<String>> {
    let group = GroupId::new(OWNERS)?;
    let owners = administrator.subjects(
        &Page { after: None, limit: 50 },
        &SubjectFilter { group: Some(group.clone()), ..SubjectFilter::default() },
    );
    for owner in &owners {
        if !administrator.passkeys(&owner.id).await?.is_empty() {
            return Ok(None);
        }
    }
    let actor = configuration_actor()?;
    let owner = match owners.iter().find(|owner| owner.id == *wanted) {
        Some(owner) => owner.id.clone(),
        None => {
            let known = administrator.subject(wanted);
            let mut subject = known.unwrap_or_else(|| Subject {
                id: wanted.clone(),
                display_name: wanted.name().to_owned(),
                email: None,
                owner: None,
                acts_for: None,
                state: SubjectState::Active,
                groups: Vec::new(),
                source: Source::Administrator,
                created: countersign_model::Clock::now(&SystemClock),
                last_used: None,
            });
            subject.groups.push(group);
            administrator.put_subject(subject, &actor).await?;
            wanted.clone()
        }
    };
    let link = administrator.invite(&owner, INVITATION, &actor).await?;
    Ok(Some(link.secret.expose().to_owned()))
}
