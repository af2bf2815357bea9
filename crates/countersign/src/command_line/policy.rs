//! The words and options of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use countersign_model::ResourceId;

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Validate a directory of policies against the schema.
    #[command(
        after_help = "Examples:\n  countersign policy check\n  countersign policy check ./estate/policies --json"
    )]
    Check {
        /// The directory of policies; without it, the configuration's.
        #[arg(conflicts_with = "policies")]
        directory: Option<PathBuf>,
        #[command(flatten)]
        policies: PolicyDirectory,
    },
    /// Run the tests of the policies, as files: what they decide, by which policy, and what the tests do not cover.
    #[command(
        after_help = "Examples:\n  countersign policy test\n  countersign policy test --policies ./estate/policies --require-coverage 90\n  \
                            countersign policy test --format junit > report.xml"
    )]
    Test(PolicyTest),
    /// Prove the guardrails of the policies: what holds for every possible request, and a request where it does not.
    #[command(
        after_help = "Examples:\n  countersign policy prove\n  countersign policy prove --only-narrows ../main/policies\n  \
                            countersign policy prove --write-tests policies/tests   keeps what was found as tests\n  \
                            countersign policy prove --in-force                     what the running server enforces\n\n\
                            Ends with 0 only if every guardrail is proven. It needs the solver cvc5: the package cvc5 of Debian, or \
                            the programme that COUNTERSIGN_CVC5 names."
    )]
    Prove(PolicyProve),
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
    /// Recorded decisions, decided again under proposed policies: who would lose what, and who would gain what.
    #[command(after_help = "Examples:\n  countersign policy replay --policies ./estate/policies --since 30d\n  \
                            countersign policy replay --policies new --fail-on newly-denied --format markdown > replay.md\n  \
                            countersign policy replay --policies new --ledger ./copy --key-file ledger.key --json\n\n\
                            Without --ledger the server that runs is asked, and tells of what is open now too; where none runs, the \
                            ledger of the data directory is read.")]
    Replay(PolicyReplay),
    /// What a change of policies does, as one report for whoever reviews it: its mistakes, lint, tests, access matrix, proofs
    /// and replay.
    #[command(after_help = "Examples:\n  countersign policy review main HEAD\n  \
                            countersign policy review origin/main HEAD --path policies --output report.md\n  \
                            countersign policy review ../main ./ --ledger ./copy --key-file ledger.key --no-names\n\n\
                            BASE and HEAD are revisions of the git repository here, or directories, written with a / \
                            (./policies, ../main/). Ends with 0 if there is nothing to object, with 1 if there is, and with 2 if \
                            it could not be done. What is unknown is an objection.")]
    Review(Box<PolicyReview>),
    /// The narrowest policies that would have allowed what was used, with what they take away and their replay.
    #[command(after_help = "Examples:\n  countersign policy suggest --since 30d\n  \
                            countersign policy suggest --since 90d --resource payroll --out narrower\n  \
                            countersign policy suggest --observe --out policies          to be tried: recorded, not enforced\n  \
                            countersign policy suggest --ledger ./copy --key-file ledger.key --policies policies --json\n\n\
                            Without --ledger the ledger of the data directory is read, and the server that runs is asked who is in which \
                            group. Where the ledger begins later than --since, nothing is taken away for not being used.\n\n\
                            Nothing is put in force. Ends with 1 where recorded uses would be refused.")]
    Suggest(PolicySuggest),
    /// Put a policy set forward, for somebody else to approve.
    #[command(
        after_help = "Example:\n  countersign policy propose --policies ./estate/policies --note 'contractors out of finance'"
    )]
    Propose {
        #[command(flatten)]
        policies: PolicyDirectory,
        /// Why, for whoever approves it.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// The policies that wait for a second person.
    #[command(after_help = "Example:\n  countersign policy proposals")]
    Proposals,
    /// Put a proposal in force that somebody else made.
    #[command(after_help = "Example:\n  countersign policy approve 5f0c2a91b3d4e607")]
    Approve { id: String },
    /// Take a proposal away.
    #[command(after_help = "Example:\n  countersign policy reject 5f0c2a91b3d4e607")]
    Reject { id: String },
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
    #[arg(id = "policies", long = "policies", value_name = "DIR")]
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
    /// As if the policies in observe mode were enforced.
    #[arg(long)]
    pub as_enforced: bool,
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
pub struct PolicyProve {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    /// The policies that are in force in the running server, in place of files. Its guardrails that compare with another
    /// directory are not run.
    #[arg(long, conflicts_with = "policies")]
    pub in_force: bool,
    /// As if the policies in observe mode were enforced.
    #[arg(long)]
    pub as_enforced: bool,
    /// Guardrails, by id; without them, all of DIR/guardrails and the built-in one.
    #[arg(value_name = "GUARDRAIL")]
    pub guardrails: Vec<String>,
    #[command(flatten)]
    pub proving: Proving,
    /// Prove besides that nothing is allowed which these policies do not allow.
    #[arg(long, value_name = "DIR")]
    pub only_narrows: Option<PathBuf>,
    /// Prove besides that exactly that is allowed which these policies allow.
    #[arg(long, value_name = "DIR")]
    pub equivalent_to: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "human", conflicts_with = "json")]
    pub format: TestFormat,
    /// Write each request for which a guardrail does not hold as a policy test into this folder.
    #[arg(long, value_name = "DIR")]
    pub write_tests: Option<PathBuf>,
}

/// How proofs are made.
#[derive(Debug, Args)]
pub struct Proving {
    /// How long the solver may take for one claim about one kind of request. What takes longer is unknown.
    #[arg(long, value_name = "SPAN", default_value = "20s")]
    pub timeout: String,
    /// How many solvers at once; without it, one for each core.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Ask the solver everything anew.
    #[arg(long)]
    pub no_cache: bool,
    /// Where answers are kept; without it, the user's cache directory. Whoever can write there can lie about proofs.
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    pub cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PolicyMatrix {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    /// As if the policies in observe mode were enforced.
    #[arg(long)]
    pub as_enforced: bool,
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

#[derive(Debug, Args)]
pub struct PolicyReplay {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    #[command(flatten)]
    pub recorded: Recorded,
    /// How many decisions to name beside each count.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub examples: u8,
    #[arg(long, value_enum, default_value = "human", conflicts_with = "json")]
    pub format: ReplayFormat,
    /// Exit with 1 where there is such a thing.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub fail_on: Vec<FailOn>,
}

/// Where recorded decisions are read from.
#[derive(Debug, Args)]
pub struct Recorded {
    /// A ledger's directory or URL.
    #[arg(long, value_name = "DIR|URL")]
    pub ledger: Option<String>,
    /// From so long ago, such as 30d, or from such as 2027-01-31T08:00:00Z; without it, from the first entry at hand.
    #[arg(long, value_name = "SPAN|INSTANT")]
    pub since: Option<String>,
    /// The verifier key; without it, that of the data directory.
    #[arg(long, requires = "ledger", conflicts_with = "key_file")]
    pub key: Option<String>,
    /// The verifier key, in a file.
    #[arg(long, requires = "ledger", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub archive: super::Archive,
}

#[derive(Debug, Args)]
pub struct PolicySuggest {
    #[command(flatten)]
    pub policies: PolicyDirectory,
    #[command(flatten)]
    pub recorded: Recorded,
    /// Only this resource. May be said again.
    #[arg(long, value_name = "RESOURCE")]
    pub resource: Vec<ResourceId>,
    /// Propose no group of which more than this share never used it: people by name instead.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub excess: u8,
    /// Call rare what was used less often.
    #[arg(long, value_name = "USES", default_value_t = 5)]
    pub rare: u64,
    /// The circumstances that may be asked for, where all uses had them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT", default_values_t = [Circumstance::SignIn, Circumstance::Device, Circumstance::Network])]
    pub ask_for: Vec<Circumstance>,
    /// A resource, group or policy that stays as it is. Whatever has break-glass in its name does without being named.
    #[arg(long, value_name = "NAME")]
    pub leave_out: Vec<String>,
    /// Who answers for what is proposed; without it, who answers for most of the policies.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// When what is proposed is looked at again; without it, in 90 days.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub review_by: Option<String>,
    /// Propose in observe mode: what would be refused is recorded, and not refused.
    #[arg(long)]
    pub observe: bool,
    /// Write the policies and what is proposed into this directory. No file that is there is changed.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Circumstance {
    SignIn,
    Device,
    Network,
    /// Hours and weekdays, of what was used often and for long enough to tell.
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    Human,
    /// For a comment on a change.
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    NewlyDenied,
    NewlyChallenged,
    NewlyAllowed,
    /// The facts of a decision are not recorded, or not at hand.
    Unknown,
    /// Something that is open now would be cut.
    Cut,
}

#[derive(Debug, Args)]
pub struct PolicyReview {
    /// What there was: a revision, or a directory written with a /.
    pub base: String,
    /// What is proposed: the same.
    pub head: String,
    /// Where the policies are, as seen from the top of each; without it, `policies`, or the top.
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    #[arg(long, value_enum, default_value = "markdown", conflicts_with = "json")]
    pub format: ReviewFormat,
    /// Where the report goes; standard output then has a line for each check.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The day that reviews of policies are held against; without it, today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub as_of: Option<String>,
    /// Object below this share of outcomes that the tests reach.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub require_coverage: Option<u8>,
    /// Leave the proofs out.
    #[arg(long)]
    pub no_prove: bool,
    #[command(flatten)]
    pub proving: Proving,
    #[command(flatten)]
    pub recorded: Recorded,
    /// Of people in the ledger only their number, and no decisions: for a report that others may read.
    #[arg(long)]
    pub no_names: bool,
    /// Object to this too, besides what is newly allowed and what is unknown.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub object_to: Vec<Loss>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReviewFormat {
    /// For a comment on a change.
    Markdown,
    Json,
}

/// What the replay of a change may find that takes something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Loss {
    NewlyDenied,
    NewlyChallenged,
}
