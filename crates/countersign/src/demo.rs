//! `countersign demo`: the real thing on loopback, with an example organisation and a sample application of each tier,
//! driven by people, services and devices over HTTP and HTTPS through the public interfaces only. What is shown was
//! measured in this run; what is not as expected is said, and is the exit code.

mod application;
mod cast;
mod estate;
mod scenes;
mod streams;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use countersign_administrator::SystemClock;
use serde_json::json;

use crate::command_line::Demo;
use crate::commands::Found;
use crate::configuration::Configuration;
use crate::control::Control;
use crate::system::{Options, System};
use crate::telemetry::{self, Telemetry};
use crate::terminal::{Terminal, Tone};

/// Made for this run, and removed with it: it holds keys.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How the run is told.
#[derive(Debug, Clone, Copy)]
struct Telling<'a> {
    terminal: &'a Terminal,
    fast: bool,
}

impl Telling<'_> {
    fn heading(&self, text: &str) {
        if !self.terminal.json {
            self.terminal.line("");
            self.terminal.line(self.terminal.paint(Tone::Strong, text));
        }
    }

    fn line(&self, text: &str) {
        if !self.terminal.json {
            self.terminal.line(format!("  {text}"));
        }
    }

    /// For the eye; a machine does not wait.
    async fn pause(&self) {
        if !self.fast {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
}

pub async fn demo(options: &Demo, terminal: &Terminal) -> anyhow::Result<()> {
    let _telemetry = Telemetry::start(false, None, true)?;
    let began = Instant::now();
    let name = format!("countersign-demo-{:08x}", rand::random::<u32>());
    let directory = Directory(std::env::temp_dir().join(name));
    std::fs::create_dir_all(&directory.0)?;
    let telling = Telling { terminal, fast: options.fast || options.exit || terminal.json };

    telling.heading("Countersign, shown at work");
    let applications = estate::Applications::start().await?;
    let file = estate::write(&directory.0, &applications, options.free_ports)?;
    let (configuration, _) = Configuration::read(&file).context("the demonstration's own configuration is wrong")?;
    let starting = Instant::now();
    let settings =
        Options { clock: Arc::new(SystemClock), metrics: telemetry::metrics()?, drain: Duration::from_secs(1) };
    let system = System::start(&configuration, settings).await?;
    let start_up = starting.elapsed();
    telling.line(&format!(
        "started in {} ms; an example organisation, four applications, one for each tier",
        start_up.as_millis()
    ));

    let run = perform(&system, &configuration, telling).await;
    let result = match run {
        Ok(run) => {
            if terminal.json {
                let mut report = run.report.clone();
                report.insert("start_up_ms".to_owned(), json!(start_up.as_millis()));
                report.insert("seconds".to_owned(), json!(began.elapsed().as_secs_f64()));
                report.insert("as_expected".to_owned(), json!(run.unexpected.is_empty()));
                report.insert("unexpected".to_owned(), json!(run.unexpected));
                terminal.json(&report)?;
            } else if run.unexpected.is_empty() {
                telling.heading(&format!("Everything was as expected, in {:.1} s", began.elapsed().as_secs_f64()));
            } else {
                terminal.line("");
                terminal.line(terminal.paint(Tone::Bad, "Not as expected:"));
                for surprise in &run.unexpected {
                    terminal.line(terminal.paint(Tone::Bad, &format!("  {surprise}")));
                }
            }
            if run.unexpected.is_empty() { Ok(()) } else { Err(Found.into()) }
        }
        Err(error) => Err(error),
    };
    // A surprise is worth looking around in; it is told, and in the exit code at the end.
    let ran = result.as_ref().err().is_none_or(|error| error.is::<Found>());
    if !options.exit && ran && !terminal.json {
        stay(&system, &configuration, telling).await?;
    }
    system.stop().await;
    result
}

/// What one run came to.
struct Run {
    report: serde_json::Map<String, serde_json::Value>,
    unexpected: Vec<String>,
}

async fn perform(system: &System, configuration: &Configuration, telling: Telling<'_>) -> anyhow::Result<Run> {
    let control = Control::local(system.directory())?;
    let mut cast = cast::Cast::assemble(&control, configuration, system).await?;
    telling.line("three people made passkeys, two laptops made keys and enrolled, a service got an API key");
    telling.pause().await;

    let mut unexpected = Vec::new();
    let mut report = serde_json::Map::new();
    let scenes = scenes::play(&mut cast, telling, &mut unexpected).await?;
    report.insert("requests".to_owned(), json!(scenes));
    telling.pause().await;
    let cut = streams::play(&control, &mut cast, telling, &mut unexpected).await?;
    report.insert("cut".to_owned(), json!(cut));
    telling.pause().await;
    let ledger = scenes::ledger(system, configuration, telling, &mut unexpected).await?;
    report.insert("ledger".to_owned(), ledger);
    Ok(Run { report, unexpected })
}

/// Keeps running, for a reader with a browser.
async fn stay(system: &System, configuration: &Configuration, telling: Telling<'_>) -> anyhow::Result<()> {
    let control = Control::local(system.directory())?;
    let body =
        json!({"subject": "human:you", "display_name": "You", "groups": ["owners", "finance", "staff"], "hours": 8});
    let link = control.post("/api/v1/invitations", &body).await?;
    let link = link.get("link").and_then(|link| link.as_str()).unwrap_or_default();
    let terminal = telling.terminal;
    telling.heading("Look around");
    telling.line(&format!("console    {}/console", system.origin()));
    for resource in &configuration.inventory.resources {
        for route in &resource.routes {
            let address = system.origin().replacen(&configuration.control_host, &route.host, 1);
            telling.line(&format!("{:10} {address}  ({})", resource.id.as_str(), resource.tier));
        }
    }
    telling.line("");
    telling.line("Make a passkey with this link (it works once) and you are an owner:");
    telling.line(&terminal.paint(Tone::Attention, link));
    telling.line("");
    telling.line(&terminal.paint(
        Tone::Quiet,
        &format!("data in {}, removed at the end; Ctrl-C stops", system.directory().root().display()),
    ));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
