//! The words of `gaps` and `metrics`.

use std::path::PathBuf;

use clap::Args;
use countersign_model::Timestamp;

use super::instant::instant;

use super::Looked;

#[derive(Debug, Args)]
pub struct Gaps {
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
