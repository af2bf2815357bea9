//! The words of `gaps` and `metrics`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use countersign_model::Timestamp;

use super::instant::instant;

use super::Looked;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Gaps {
    #[command(subcommand)]
    pub command: Option<GapsCommand>,
    #[command(flatten)]
    pub shown: GapsShown,
}

/// What is done about the gaps of the server's estate.
#[derive(Debug, Subcommand)]
pub enum GapsCommand {
    /// Say who does a step, until when. It closes by itself when the evidence changes.
    #[command(
        after_help = "Examples:\n  countersign gaps assign without-mfa --owner ben@corp.example --due 2026-12-01\n  \
                            countersign gaps assign without-mfa --nobody"
    )]
    Assign(GapsAssign),
    /// Answer for a control under your own name, where nothing can be measured.
    #[command(
        after_help = "Examples:\n  countersign gaps attest break-glass --claim in-place --until 2027-05-01 \\\n    \
                            --statement \"two envelopes in the safe, seals checked\"\n  \
                            countersign gaps attest break-glass --take-back\n\n\
                            On the server's machine it is the operator's word, and is shown as that."
    )]
    Attest(GapsAttest),
    /// How it went: the last assessment of each day, and the steps that closed by themselves.
    #[command(after_help = "Examples:\n  countersign gaps trend\n  countersign gaps trend --of mfa-identities --json")]
    Trend {
        /// `score`, `area AREA`, or the id of a metric.
        #[arg(long, value_name = "LINE", default_value = "score")]
        of: String,
    },
}

#[derive(Debug, Args)]
pub struct GapsAssign {
    /// The id of the step, as `gaps --csv` lists it.
    #[arg(value_name = "STEP")]
    pub step: String,
    /// Who does it.
    #[arg(long, value_name = "NAME", required_unless_present = "nobody")]
    pub owner: Option<String>,
    /// Until the end of this day, as in 2026-12-01, or until this instant.
    #[arg(long, value_name = "DAY", value_parser = end_of_day)]
    pub due: Option<Timestamp>,
    /// Nobody does it any more.
    #[arg(long, conflicts_with_all = ["owner", "due"])]
    pub nobody: bool,
}

#[derive(Debug, Args)]
pub struct GapsAttest {
    /// The id of the control, as docs/gaps.md lists it.
    #[arg(value_name = "CONTROL")]
    pub control: String,
    /// What you answer for.
    #[arg(long, value_enum, required_unless_present = "take_back")]
    pub claim: Option<Claim>,
    /// What you saw.
    #[arg(long, value_name = "TEXT", required_unless_present = "take_back")]
    pub statement: Option<String>,
    /// It counts until the end of this day, as in 2027-05-01, or until this instant; a year at most.
    #[arg(long, value_name = "DAY", value_parser = end_of_day, required_unless_present = "take_back")]
    pub until: Option<Timestamp>,
    /// Take your word back.
    #[arg(long, conflicts_with_all = ["claim", "statement", "until"])]
    pub take_back: bool,
    /// Take that of somebody else back.
    #[arg(long, value_name = "SUBJECT", requires = "take_back")]
    pub by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Claim {
    InPlace,
    Partial,
    NotInPlace,
}

/// A day is meant until its end.
fn end_of_day(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T23:59:59Z") } else { text.to_owned() };
    whole.parse().map_err(|_| format!("{text:?} is no date: write such as 2026-12-01, or 2026-12-01T12:00:00Z"))
}

#[derive(Debug, Args)]
pub struct GapsShown {
    #[command(flatten)]
    pub assessed: Assessed,
    /// One area: identity, device, network, privileged-access, visibility-and-governance.
    #[arg(long, value_name = "AREA")]
    pub area: Option<String>,
    /// The steps as comma-separated values, with a heading.
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    pub csv: bool,
    /// The steps as an issue tracker takes them.
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Keep the figures in this file, to compare with later ones.
    #[arg(long, value_name = "PATH")]
    pub snapshot: Option<PathBuf>,
    /// What changed since the figures that are kept in this file.
    #[arg(long, value_name = "PATH")]
    pub before: Option<PathBuf>,
    /// At most this many steps in the table.
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub top: usize,
}

#[derive(Debug, Args)]
pub struct Metrics {
    #[command(flatten)]
    pub assessed: Assessed,
    /// Comma-separated values, with a heading.
    #[arg(long, conflicts_with_all = ["json", "markdown", "prometheus"])]
    pub csv: bool,
    /// A table in Markdown.
    #[arg(long, conflicts_with_all = ["json", "prometheus"])]
    pub markdown: bool,
    /// As Prometheus reads it, for a textfile collector.
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
}

/// What is assessed, and on which date.
#[derive(Debug, Args)]
pub struct Assessed {
    #[command(flatten)]
    pub looked: Looked,
    /// The date that everything is measured from, as in 2026-11-01; without it, now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<Timestamp>,
    /// What no directory says: attestations, who has taken a step on, counts of a server; JSON.
    #[arg(long, value_name = "FILE")]
    pub told: Option<PathBuf>,
}
