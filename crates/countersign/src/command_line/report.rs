//! The words of `report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_model::Timestamp;

use super::instant::instant;

use super::Looked;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Report {
    #[command(subcommand)]
    pub command: Option<ReportCommand>,
    #[command(flatten)]
    pub made: ReportMade,
}

#[derive(Debug, Args)]
pub struct ReportMade {
    #[command(flatten)]
    pub looked: Looked,
    /// Where it is written; the end of the name says what: .html, .pdf, or .json for the evidence pack.
    #[arg(long, required = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What it is compared with: the evidence pack of an earlier assessment, or a snapshot. Several are a trend.
    #[arg(long, value_name = "FILE")]
    pub before: Vec<PathBuf>,
    /// Whose estate it is.
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// The date that everything is measured from, as in 2026-11-01; without it, now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<Timestamp>,
    /// Write over a file that is there already.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Check an evidence pack: hashes, sums, sources, and that a ledger recorded it. Needs no server.
    #[command(after_help = "Examples:\n  countersign report verify evidence.json\n  \
                            countersign report verify evidence.json collection.zip\n  \
                            countersign report verify evidence.json --key countersign.example.org+…\n\n\
                            tests/independent/verify_pack.py does the same with Python alone.")]
    Verify(ReportVerify),
    /// Several tenants' evidence packs on one page, for whoever looks after them all: each is verified first and kept apart. Needs no server.
    #[command(after_help = "Examples:\n  countersign report portfolio tenants/* --out portfolio.html\n  \
                            countersign report portfolio ada/evidence.json bert/evidence.json --json\n\n\
                            A folder is a tenant: its evidence packs are the .json files in it, the newest counts, the one before is what it is\n\
                            compared with. Packs named one by one go to the organisation that they name. The exit code is 1 where a pack does\n\
                            not verify.")]
    Portfolio(ReportPortfolio),
}

#[derive(Debug, Args)]
pub struct ReportPortfolio {
    /// Folders, one for each tenant, or evidence packs.
    #[arg(required = true, value_name = "DIR|PACK")]
    pub packs: Vec<PathBuf>,
    /// Where the page is written (.html); without it, a table is printed.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The date that the age of evidence is measured from, as in 2026-11-01T00:00:00Z; without it, now.
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    /// Write over a file that is there already.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct ReportVerify {
    /// The evidence pack.
    #[arg(value_name = "PACK")]
    pub pack: PathBuf,
    /// Exports that were assessed: each must be one of the pack's sources.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The ledger's verifier key, as `ledger checkpoint` prints it: a pack that no entry of that ledger names is refused.
    #[arg(long)]
    pub key: Option<String>,
    #[arg(long, conflicts_with = "key")]
    pub key_file: Option<PathBuf>,
}
