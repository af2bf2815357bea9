//! The words and options of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Validate a directory of policies against the schema.
    #[command(
        after_help = "Examples:\n  countersign policy check\n  countersign policy check ./estate/policies --json"
    )]
    Check { directory: Option<PathBuf> },
    /// Run the tests of the policies, as files: what they decide, by which policy, and what the tests do not cover.
    #[command(
        after_help = "Examples:\n  countersign policy test\n  countersign policy test --policies ./estate/policies --require-coverage 90\n  \
                            countersign policy test --format junit > report.xml"
    )]
    Test(PolicyTest),
    /// The access matrix of the policies: every kind of subject, place, action and tier, compared with `matrix.txt`.
    #[command(after_help = "Examples:\n  countersign policy matrix --write   after a change that is meant\n  \
                            countersign policy matrix           fails and shows each changed cell")]
    Matrix(PolicyMatrix),
    /// What is allowed in policies and probably not meant.
    #[command(
        after_help = "Examples:\n  countersign policy lint --deny warnings\n  countersign policy lint --as-of 2027-01-01 --format github"
    )]
    Lint(PolicyLint),
    /// Bring policy files into one form. Comments stay.
    #[command(
        after_help = "Examples:\n  countersign policy fmt\n  countersign policy fmt --check   lists files that are not"
    )]
    Fmt(PolicyFmt),
    /// The policies that are in force, or one of them.
    #[command(
        after_help = "Examples:\n  countersign policy show --json\n  countersign policy show high-risk-stops-everything-sensitive"
    )]
    Show { id: Option<String> },
    /// The schema that policies are written against.
    #[command(after_help = "Example:\n  countersign policy schema > countersign.cedarschema")]
    Schema,
    /// Run a corpus in the format of Cedar's integration tests against this policy engine.
    #[command(after_help = "Example:\n  countersign policy corpus cedar-integration-tests")]
    Corpus { directory: PathBuf },
}

/// Where policies are, for commands on files.
#[derive(Debug, Args)]
pub struct PolicyDirectory {
    /// The directory of policies; without it, the configuration's, or ./policies where there is no configuration.
    #[arg(long = "policies", value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PolicyTest {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    /// Files of tests; without them, every .toml file in DIR/tests.
    pub files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "human", conflicts_with = "json")]
    pub format: TestFormat,
    /// List every condition that no test made true, or false.
    #[arg(long)]
    pub coverage: bool,
    /// Fail below this share of outcomes that the tests reached.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub require_coverage: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    Human,
    /// Test Anything Protocol, version 14.
    Tap,
    Junit,
    /// Annotations of GitHub Actions.
    Github,
    /// A code quality report of GitLab.
    Gitlab,
}

#[derive(Debug, Args)]
pub struct PolicyMatrix {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    /// The table; without it, DIR/matrix.txt.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write the table instead of comparing with it.
    #[arg(long)]
    pub write: bool,
}

#[derive(Debug, Args)]
pub struct PolicyLint {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    /// The day that reviews are held against; without it, today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub as_of: Option<String>,
    /// Fail on warnings too.
    #[arg(long, value_parser = ["warnings"])]
    pub deny: Option<String>,
    #[arg(long, value_enum, default_value = "human", conflicts_with = "json")]
    pub format: LintFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    Human,
    /// Annotations of GitHub Actions.
    Github,
    /// A code quality report of GitLab.
    Gitlab,
}

#[derive(Debug, Args)]
pub struct PolicyFmt {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    /// Files; without them, every .cedar file of the directory.
    pub files: Vec<PathBuf>,
    /// Change nothing; list the files that are not formatted, and fail if there is one.
    #[arg(long)]
    pub check: bool,
}
