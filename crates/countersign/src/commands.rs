//! What each command does, and how it ends. Questions and acts go to the running server over its API; what works on
//! files alone (`check`, `ledger verify`, `restore`, …) does not need one.

mod answer;
mod ask;
mod assess;
mod backup;
mod break_in;
mod coverage;
mod decision;
mod device;
mod estate;
mod exception;
mod files;
mod gaps;
mod graph;
mod health;
mod ledger;
pub(crate) mod lock_out;
mod organisation;
mod policy;
mod records;
mod report;
mod review;
mod work;

use std::process::ExitCode;

use anyhow::Context as _;
use hyper::StatusCode;

use crate::command_line::{Command, CommandLine, Decision, Device, Explain, Key as KeyCommand, KeyCreate, described};
use crate::configuration::Mistakes;
use crate::control::{Control, NoServer, Refused};
use crate::dial::Unreachable;
use crate::terminal::{Terminal, Tone};
use crate::{demo, up};

pub(crate) use decision::remedy_words;
pub(crate) use ledger::verify_directory;
pub(crate) use records::count_leases;

/// Something wrong was found, and has been shown already.
#[derive(Debug, thiserror::Error)]
#[error("")]
pub struct Found;

/// What was to be put into force has mistakes, which have been shown already.
#[derive(Debug, thiserror::Error)]
#[error("")]
pub struct Mistaken;

/// The command line says what cannot be meant, or names what cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misused(pub String);

/// What was asked for could not be looked at: nothing is said about it.
#[derive(Debug, thiserror::Error)]
#[error("the change could not be reviewed")]
pub struct Undone;

/// Runs a command; the exit code says how it ended.
pub async fn run(line: CommandLine) -> ExitCode {
    let terminal = Terminal::new(line.global.json);
    let list = listing(&line.command);
    let ended = dispatch(line, &terminal).await.map_err(|error| match (error.downcast_ref::<Refused>(), list) {
        // What is not there looks like what is not for the caller.
        (Some(refused), Some(list)) if refused.status == StatusCode::NOT_FOUND => {
            error.context(format!("no such id, for this caller: `countersign {list}` shows what there is"))
        }
        _ => error,
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Found>() => ExitCode::from(1),
        Err(error) if error.is::<Mistaken>() => ExitCode::from(2),
        Err(error) => {
            if terminal.json {
                let refused = error.downcast_ref::<Refused>().map(|refused| refused.body.clone());
                terminal.note(serde_json::json!({"error": format!("{error:#}"), "answer": refused}).to_string());
            } else {
                terminal.note(format!("{} {error:#}", terminal.paint(Tone::Bad, "error:")));
            }
            ExitCode::from(code(&error))
        }
    }
}

/// The command that shows the ids which this one takes.
const fn listing(command: &Command) -> Option<&'static str> {
    match command {
        Command::Session(_) => Some("session list"),
        Command::Subject(_) => Some("subject list"),
        Command::Group(_) => Some("group list"),
        Command::Resource(_) => Some("resource list"),
        Command::Device(Device::Invite { .. }) => Some("subject list"),
        Command::Device(_) => Some("device list"),
        Command::Key(KeyCommand::Create(KeyCreate { resources, .. })) if !resources.is_empty() => {
            Some("subject list` or `countersign resource list")
        }
        Command::Key(KeyCommand::Create(_)) => Some("subject list"),
        Command::Decision(Decision::Explain(Explain { device: Some(_), .. })) => {
            Some("subject list`, `countersign resource list` or `countersign device list")
        }
        Command::Decision(Decision::Explain(_)) => Some("subject list` or `countersign resource list"),
        Command::Key(_) => Some("key list"),
        Command::Exception(_) => Some("exception list"),
        Command::Review(_) => Some("review list"),
        Command::Decision(_) => Some("decision list"),
        _ => None,
    }
}

fn code(error: &anyhow::Error) -> u8 {
    let malformed = |refused: &Refused| refused.status == StatusCode::BAD_REQUEST;
    let mistaken = error.is::<Mistakes>()
        || error.is::<countersign_policy::Diagnostics>()
        || error.is::<Undone>()
        || error.is::<Misused>()
        || error.is::<countersign_directory::AddressFault>()
        || error.is::<countersign_directory::AccountFault>()
        || error.downcast_ref::<Refused>().is_some_and(malformed);
    let unreachable = error.chain().any(|cause| cause.is::<Unreachable>() || cause.is::<NoServer>());
    match (mistaken, unreachable) {
        (true, _) => 2,
        (_, true) => 3,
        (false, false) => 1,
    }
}

async fn dispatch(line: CommandLine, terminal: &Terminal) -> anyhow::Result<()> {
    let CommandLine { global, command } = line;
    let control =
        || -> anyhow::Result<Control> { Control::from_options(&global, &files::data_directory(&global, terminal)?) };
    match command {
        Command::Up(options) => up::up(&global, &options, terminal).await,
        Command::Demo(options) => demo::demo(&options, terminal).await,
        Command::Check(options) => files::check(&global, &options, terminal),
        Command::Init(options) => files::init(&options, terminal),
        Command::Apply(options) => organisation::apply(control, &options, terminal).await,
        Command::Session(command) => records::session(&control()?, command, terminal).await,
        Command::Lease(command) => records::lease(&control()?, command, terminal).await,
        Command::Subject(command) => organisation::subject(&control()?, command, terminal).await,
        Command::Group(command) => organisation::group(&control()?, command, terminal).await,
        Command::Resource(command) => organisation::resource(&control()?, command, terminal).await,
        Command::Device(command) => device::device(&global, command, terminal).await,
        Command::Key(command) => records::key(&control()?, command, terminal).await,
        Command::Decision(command) => decision::decision(&control()?, command, terminal).await,
        Command::Ask(command) => ask::ask(&control()?, command, terminal).await,
        Command::Coverage(options) => coverage::coverage(&control()?, &options, terminal).await,
        Command::Assess(options) => assess::assess(&options, terminal).await,
        Command::Estate(command) => estate::estate(control, command, terminal).await,
        Command::Report(options) => report::report(control, &global, *options, terminal).await,
        Command::Health(options) => health::health(control, options, terminal).await,
        Command::Graph(options) => graph::graph(control, options, terminal).await,
        Command::BlastRadius(options) => graph::blast_radius(control, options, terminal).await,
        Command::Paths(options) => graph::paths(control, options, terminal).await,
        Command::ChokePoints(options) => graph::choke_points(control, options, terminal).await,
        Command::WhatIf(options) => graph::what_if(control, options, terminal).await,
        Command::Exception(command) => exception::exception(&control()?, command, terminal).await,
        Command::Review(command) => review::review(&control()?, command, terminal).await,
        Command::Gaps(options) => gaps::gaps(control, options, terminal).await,
        Command::Metrics(options) => gaps::metrics(control, options, terminal).await,
        Command::Policy(command) => policy::policy(&global, command, terminal).await,
        Command::Ledger(command) => ledger::ledger(&global, command, terminal).await,
        Command::Backup(options) => backup::backup(&global, &options, terminal),
        Command::Restore(options) => backup::restore(&global, &options, terminal),
        Command::BreakIn(options) => break_in::break_in(&global, &options, terminal).await,
        Command::Completions { shell } => {
            let mut command = described();
            // Into memory first: the generator takes a reader who has gone away for a reason to panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "countersign", &mut script);
            terminal.line(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Man { directory } => {
            std::fs::create_dir_all(&directory)
                .and_then(|()| clap_mangen::generate_to(described(), &directory))
                .with_context(|| format!("{} cannot be written: choose another directory", directory.display()))?;
            terminal.note(format!("manual pages are in {}", directory.display()));
            Ok(())
        }
    }
}
