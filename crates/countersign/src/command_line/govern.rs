//! The words of governing: the estate, the health check, the blast radius, and the assessment without a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_model::Timestamp;

use super::instant::instant;

/// Which estate is looked at, where the rest of the line is names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which estate")]
pub struct Which {
    /// Exports to read, folders and archives among them; nothing is kept of them.
    #[arg(long = "file", value_name = "FILE", conflicts_with = "estate")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub kept: Kept,
}

/// Which estate is looked at, where the rest of the line is files.
#[derive(Debug, Clone, Args)]
pub struct Looked {
    /// Exports to read, folders and archives among them; nothing is kept of them. Without any, and without --estate, the
    /// server's estate is looked at.
    #[arg(value_name = "FILE", conflicts_with = "estate")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub kept: Kept,
}

#[derive(Debug, Clone, Args)]
pub struct Kept {
    /// The estate that `estate import --estate` keeps in this file, in place of the server's.
    #[arg(long, value_name = "PATH")]
    pub estate: Option<PathBuf>,
}

impl From<Looked> for Which {
    fn from(looked: Looked) -> Self {
        Self { files: looked.files, kept: looked.kept }
    }
}

#[derive(Debug, Subcommand)]
pub enum Estate {
    /// Take exports of directories in: all of them, or none.
    #[command(after_help = "Examples:\n  countersign estate import collection.zip hr.csv\n  \
                            countersign estate import export/ --dry-run\n  \
                            countersign estate import --own\n  \
                            countersign estate import corp.ldif --estate corp.estate --at 2026-11-01T06:00:00Z\n  \
                            countersign estate import ldaps://dc1.corp.example --bind-dn reader@corp.example \\\n    \
                            --password-file reader.txt --directory-ca corp-ca.pem --mirror corp.ldif --incremental\n\n\
                            Without --estate it is the server's estate. Importing the same twice is importing it once.")]
    Import(EstateImport),
    /// What there is, or what a query selects.
    #[command(after_help = "Examples:\n  countersign estate list smith\n  \
                            countersign estate list --query \"account and privilege != none\" --csv\n  \
                            countersign estate list --kind device --estate corp.estate")]
    List(EstateList),
    /// One node in full: what each source says of it, where that stands, its links and edges.
    #[command(after_help = "Examples:\n  countersign estate show ana@corp.example\n  \
                            countersign estate show sid:S-1-5-21-1-2-3-512 --estate corp.estate --json")]
    Show {
        /// A key, or a name that a source gives it.
        #[arg(value_name = "NODE")]
        node: String,
        #[command(flatten)]
        which: Which,
    },
    /// What came and went since.
    #[command(after_help = "Examples:\n  countersign estate changes\n  \
                            countersign estate changes --since 2026-10-01 --csv")]
    Changes {
        /// Without it, since the last import but one.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        since: Option<Timestamp>,
        /// Comma-separated values, with a heading.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        #[command(flatten)]
        which: Which,
    },
    /// What the imports did not take, and why.
    #[command(
        after_help = "Examples:\n  countersign estate skipped\n  countersign estate skipped --file collection.zip"
    )]
    Skipped {
        #[command(flatten)]
        which: Which,
    },
    /// Accounts of different sources that are the same somebody: for certain, or as proposed.
    #[command(after_help = "Examples:\n  countersign estate links\n  countersign estate links --proposed")]
    Links {
        /// Only what a person has to decide.
        #[arg(long)]
        proposed: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Say that two accounts are the same somebody.
    #[command(after_help = "Example:\n  countersign estate link ana@corp.example asmith@okta.example")]
    Link(EstateLink),
    /// Say that two accounts are not the same: they are not proposed again.
    #[command(after_help = "Example:\n  countersign estate unlink ana@corp.example asmith@okta.example")]
    Unlink(EstateLink),
}

#[derive(Debug, Args)]
pub struct EstateImport {
    /// Exports: files, archives, folders; or a directory that is asked live: ldaps://HOST[:PORT], or ldap:// with StartTLS.
    #[arg(required_unless_present = "own", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What the server knows of itself, too: subjects, groups, devices, keys, resources. From then on it is taken in once a day.
    #[arg(long, conflicts_with = "estate")]
    pub own: bool,
    /// Keep the estate in this file, in place of the server's. It is made where there is none.
    #[arg(long, value_name = "PATH")]
    pub estate: Option<PathBuf>,
    /// Say what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// When the files were exported, as in 2026-11-01T06:00:00Z; without it, now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<Timestamp>,
    #[command(flatten)]
    pub live: LiveDirectory,
}

/// How a directory is asked live.
#[derive(Debug, Args)]
#[command(next_help_heading = "A directory that is asked live")]
pub struct LiveDirectory {
    /// The account that reads: a distinguished name, or with Active Directory a name such as reader@corp.example.
    #[arg(long, value_name = "NAME")]
    pub bind_dn: Option<String>,
    /// The file with its password; without it COUNTERSIGN_DIRECTORY_PASSWORD counts, or the terminal is asked.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// PEM file with the authority of the directory's certificate; without it, public authorities.
    #[arg(long, value_name = "FILE")]
    pub directory_ca: Option<PathBuf>,
    /// Read below this name only; may stand several times.
    #[arg(long = "base", value_name = "DN")]
    pub bases: Vec<String>,
    /// Keep what was read in this file, as LDIF: the evidence, and where the next import goes on.
    #[arg(long, value_name = "FILE")]
    pub mirror: Option<PathBuf>,
    /// Read only what changed since the mirror was written, where the directory can tell.
    #[arg(long, requires = "mirror")]
    pub incremental: bool,
    /// Without encryption; within this machine only.
    #[arg(long)]
    pub plaintext: bool,
}

#[derive(Debug, Args)]
pub struct EstateList {
    /// Only what has this text in its name or key.
    #[arg(value_name = "TEXT")]
    pub search: Option<String>,
    /// Only what this query selects, as `health` writes them.
    #[arg(long, value_name = "QUERY")]
    pub query: Option<String>,
    /// Only this kind: account, human, service, group, device, ….
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Also what is gone.
    #[arg(long)]
    pub gone: bool,
    #[command(flatten)]
    pub shown: super::Shown,
    #[command(flatten)]
    pub which: Which,
}

#[derive(Debug, Args)]
pub struct EstateLink {
    /// A key, or a name that a source gives it.
    #[arg(value_name = "NODE")]
    pub one: String,
    /// The other account.
    #[arg(value_name = "NODE")]
    pub other: String,
    #[command(flatten)]
    pub kept: Kept,
}

#[derive(Debug, Args)]
pub struct Health {
    #[command(flatten)]
    pub looked: Looked,
    /// The date that everything is measured from, as in 2026-11-01; without it, now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<Timestamp>,
    /// One indicator in full, with its findings and their evidence.
    #[arg(long, value_name = "ID", conflicts_with = "query")]
    pub indicator: Option<String>,
    /// What this query selects, such as "account and enabled and last-use older-than 90 days".
    #[arg(long, value_name = "QUERY")]
    pub query: Option<String>,
    #[command(flatten)]
    pub shown: super::Shown,
}

#[derive(Debug, Args)]
pub struct Graph {
    #[command(flatten)]
    pub looked: Looked,
}

#[derive(Debug, Args)]
pub struct BlastRadius {
    /// Accounts, devices or anything else: a key, or a name that a source gives it.
    #[arg(value_name = "ACCOUNT", required_unless_present_any = ["all", "never_used"])]
    pub accounts: Vec<String>,
    /// Everybody, the farthest reach first.
    #[arg(long, conflicts_with = "accounts")]
    pub all: bool,
    /// What Countersign itself grants, policy allows and nobody used: the first to go. Of the server's ledger.
    #[arg(long, conflicts_with_all = ["accounts", "all", "files", "estate"])]
    pub never_used: bool,
    /// With --all or --never-used, at most this many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Comma-separated values, with a heading.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    #[command(flatten)]
    pub followed: Followed,
    #[command(flatten)]
    pub which: Which,
}

/// Which edges are followed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Followed {
    /// Follow only what holds without a condition: a lower bound in place of an upper one.
    #[arg(long)]
    pub certain: bool,
}

#[derive(Debug, Args)]
pub struct Paths {
    /// Where it begins: a key, or a name that a source gives it.
    pub from: String,
    /// Where it ends; without it, anything of tier zero.
    pub to: Option<String>,
    /// Every shortest way, and not just one.
    #[arg(long)]
    pub all: bool,
    /// With --all, at most this many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// The ways that take least, in place of those of fewest steps.
    #[arg(long)]
    pub by_effort: bool,
    #[command(flatten)]
    pub followed: Followed,
    #[command(flatten)]
    pub which: Which,
}

#[derive(Debug, Args)]
pub struct ChokePoints {
    #[command(flatten)]
    pub looked: Looked,
    /// What is to be protected, in place of tier zero; may be said more than once.
    #[arg(long = "to", value_name = "NODE")]
    pub to: Vec<String>,
    /// What to take away so that at most this many identities still get there; it may take a while.
    #[arg(long, value_name = "N")]
    pub at_most: Option<u64>,
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    #[command(flatten)]
    pub followed: Followed,
}

#[derive(Debug, Args)]
pub struct WhatIf {
    /// An edge as paths are printed, "FROM member-of TO", or "FROM -> TO" for all between two.
    #[arg(long, value_name = "EDGE", required_unless_present_any = ["remove_node", "disable"])]
    pub remove: Vec<String>,
    /// A node with all its edges.
    #[arg(long, value_name = "NODE")]
    pub remove_node: Vec<String>,
    /// An account that is disabled, and not removed.
    #[arg(long, value_name = "NODE")]
    pub disable: Vec<String>,
    /// At most this many of the nodes that it changes something for.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    #[command(flatten)]
    pub followed: Followed,
    #[command(flatten)]
    pub which: Which,
}

#[derive(Debug, Args)]
pub struct Assess {
    /// Exports: files, archives, folders.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the report is written: a directory that is empty or does not exist yet.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How the columns of a table among the files are to be read.
    #[arg(long = "map", value_name = "FILE")]
    pub maps: Vec<PathBuf>,
    /// Whose estate it is, for the report.
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// The date that everything is measured from, as in 2026-11-01; without it, now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<Timestamp>,
    /// Write into a directory that holds something already, over an older report.
    #[arg(long)]
    pub force: bool,
}
