//! The command line as clap sees it: words, options and help, and nothing of what they do.

mod ask;
mod exception;
mod gaps;
mod govern;
mod instant;
mod policy;
mod report;
mod review;
#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use countersign_model::{DeviceId, GroupId, KeyId, ResourceId, SessionId, SubjectId, Tier};

pub use ask::{Ask, Circumstances, Coverage, Shown, WhatCan, WhoCan, WhoDid, Why};
pub use exception::{Exception, ExceptionRequest};
pub use gaps::{Assessed, Claim, Gaps, GapsAssign, GapsAttest, GapsCommand, GapsShown, Metrics};
pub use govern::{
    Assess, BlastRadius, ChokePoints, Estate, EstateImport, EstateLink, EstateList, Followed, Graph, Health, Kept,
    LiveDirectory, Looked, Paths, WhatIf, Which,
};
pub use policy::{
    Circumstance, FailOn, LintFormat, Loss, Policy, PolicyDirectory, PolicyFmt, PolicyLint, PolicyMatrix, PolicyProve,
    PolicyReplay, PolicyReview, PolicySuggest, PolicyTest, Proving, Recorded, ReplayFormat, ReviewFormat, TestFormat,
};
pub use report::{Report, ReportCommand, ReportMade, ReportPortfolio, ReportVerify};
pub use review::{Review, ReviewAccess, ReviewCampaign, ReviewDecision};
pub use words::{described, read};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for a question: yes, or nothing wrong was found
  1  refused, failed, or something wrong was found
  2  the command line is mistaken, or the configuration or policies that were to be put into force
  3  the server cannot be reached

Environment:
  COUNTERSIGN_CONFIG   the configuration file (default: ./countersign.toml where it exists)
  COUNTERSIGN_DATA     the data directory (default: as configured, ./countersign-data)
  COUNTERSIGN_SERVER   the control host of a server on another machine, with
  COUNTERSIGN_API_KEY  an API key for it; otherwise the operator key in the data directory is used
  COUNTERSIGN_DIRECTORY_PASSWORD
                       the password of the account that `estate import ldaps://…` reads with
  NO_COLOR             no colours";

/// One policy decides every request, and every session stays under it while it lives.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct CommandLine {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration file.
    #[arg(long, global = true, env = "COUNTERSIGN_CONFIG", value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, global = true, env = "COUNTERSIGN_DATA", value_name = "DIR", help_heading = "Everywhere")]
    pub data: Option<PathBuf>,
    /// The control host of the server to talk to, such as https://countersign.example.org.
    #[arg(long, global = true, env = "COUNTERSIGN_SERVER", value_name = "URL", help_heading = "Everywhere")]
    pub server: Option<String>,
    /// PEM file with the authority of that server's certificate.
    #[arg(long, global = true, env = "COUNTERSIGN_CA", value_name = "FILE", help_heading = "Everywhere")]
    pub ca: Option<PathBuf>,
    /// JSON instead of tables.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything: sign-in, gateway, console, ledger.
    #[command(
        after_help = "Examples:\n  countersign up\n  countersign up --config /etc/countersign.toml --log-json\n\n\
                            SIGHUP reads configuration and policies again, SIGTERM stops when open requests are done."
    )]
    Up(Up),
    /// Show it at work: an example organisation on this machine, driven through the public interfaces.
    #[command(after_help = "Examples:\n  countersign demo\n  countersign demo --exit   run, check and stop, for CI")]
    Demo(Demo),
    /// Read configuration and policies, and report every mistake.
    #[command(
        after_help = "Examples:\n  countersign check --config countersign.toml\n  countersign check ./estate --json   for CI"
    )]
    Check(Check),
    /// Write a configuration file with comments, and the starter policies.
    #[command(after_help = "Examples:\n  countersign init\n  countersign init /etc/countersign")]
    Init(Init),
    /// Put what a directory describes (countersign.toml, policies/) into force.
    #[command(after_help = "Examples:\n  countersign apply --dry-run ./estate\n  countersign apply ./estate")]
    Apply(Apply),
    /// Signed-in subjects.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign session list human:alice@example.org\n  countersign session kill ID"
    )]
    Session(Session),
    /// Live permissions.
    #[command(subcommand, after_help = "Example:\n  countersign lease list")]
    Lease(Lease),
    /// People, services and agents.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign subject list --json\n  countersign subject invite human:alice@example.org"
    )]
    Subject(Subject),
    /// Sets of subjects.
    #[command(subcommand, after_help = "Example:\n  countersign group add engineering")]
    Group(Group),
    /// What is protected.
    #[command(subcommand, after_help = "Example:\n  countersign resource list")]
    Resource(Resource),
    /// Devices and their posture.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign device invite laptop --owner human:alice@example.org\n  countersign device list"
    )]
    Device(Device),
    /// API keys of services and agents.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign key list\n  countersign key create service:backup --resource wiki --action read --valid 30d"
    )]
    Key(Key),
    /// What was decided, and why.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign decision list --effect deny\n  countersign decision show ID"
    )]
    Decision(Decision),
    /// Who can, what can somebody, why, and who did.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign ask who-can http:read wiki\n  countersign ask why human:alice http:read wiki"
    )]
    Ask(Ask),
    /// What policy does not speak for: where nothing but the default denies.
    #[command(
        after_help = "Examples:\n  countersign coverage\n  countersign coverage --csv > gaps.csv\n  countersign coverage --json   for a machine"
    )]
    Coverage(Coverage),
    /// Read exports of directories and write a report on them, without a server.
    #[command(after_help = "Examples:\n  countersign assess collection.zip --out report\n  \
                            countersign assess export/ hr.csv --out report --organisation \"Example Ltd\" --as-of 2026-11-01T00:00:00Z\n\n\
                            Nothing is sent anywhere; what was read is not kept, but named with its hash.")]
    Assess(Assess),
    /// The estate as a report: a page, a PDF or an evidence pack, by the end of the file's name.
    #[command(after_help = "Examples:\n  countersign report --out report.pdf\n  \
                            countersign report collection.zip --out report.html --organisation \"Example Ltd\"\n  \
                            countersign report export/ --out report.pdf --before last-quarter/evidence.json\n  \
                            countersign report verify evidence.json")]
    Report(Box<Report>),
    /// Everything that is inventoried: accounts, groups, devices, keys, and who has what over whom.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign estate import collection.zip\n  countersign estate show ana@corp.example"
    )]
    Estate(Estate),
    /// What is wrong with the accounts, groups and rights that there are, by name and with evidence.
    #[command(
        after_help = "Examples:\n  countersign health\n  countersign health collection.zip --as-of 2026-11-01T00:00:00Z\n  \
                            countersign health --indicator kerberoastable --csv > roastable.csv\n  \
                            countersign health --query \"account and enabled and last-use older-than 90 days\""
    )]
    Health(Health),
    /// The graph of the estate in figures.
    #[command(after_help = "Example:\n  countersign graph collection.zip")]
    Graph(Graph),
    /// How far an attacker gets from an account, or from each of them.
    #[command(after_help = "Examples:\n  countersign blast-radius ana@corp.example --file collection.zip\n  \
                            countersign blast-radius --all --top 50 --csv\n  \
                            countersign blast-radius --never-used")]
    BlastRadius(BlastRadius),
    /// The shortest ways from one to another, or to tier zero, step by step with technique and evidence.
    #[command(after_help = "Examples:\n  countersign paths ana@corp.example\n  \
                            countersign paths ana@corp.example \"domain admins@corp.example\" --all")]
    Paths(Paths),
    /// Where every way to tier zero passes, and what to take away first.
    #[command(after_help = "Examples:\n  countersign choke-points collection.zip\n  \
                            countersign choke-points --to payroll --at-most 10")]
    ChokePoints(ChokePoints),
    /// What would be different without some edges, nodes or accounts.
    #[command(
        after_help = "Examples:\n  countersign what-if --remove \"helpdesk@corp.example can-reset-password ana@corp.example\"\n  \
                            countersign what-if --remove-node oldserver.corp.example --disable svc-backup@corp.example"
    )]
    WhatIf(WhatIf),
    /// Documented deviations: who asked, who agreed, what relaxes for whom, until when.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign exception list\n  countersign exception approve ID\n  countersign exception list --undocumented"
    )]
    Exception(Exception),
    /// Campaigns in which access and policies are looked at again; what nobody confirms is revoked.
    #[command(
        subcommand,
        after_help = "Examples:\n  countersign review list\n  countersign review access --title \"Autumn\" --within 21d --fallback human:fred\n  \
                            countersign review export ID > to-do.csv"
    )]
    Review(Review),
    /// How much of Zero Trust is in place, the weakest first, and what to do next.
    #[command(
        after_help = "Examples:\n  countersign gaps collection.zip hr.csv\n  countersign gaps --area identity --csv > steps.csv\n  \
                            countersign gaps --snapshot november.json --before october.json\n  \
                            countersign gaps assign without-mfa --owner ben@corp.example --due 2026-12-01\n\n\
                            A score is an interval: what is not known counts as failed, and as passed."
    )]
    Gaps(Gaps),
    /// The figures that tell whether it works.
    #[command(after_help = "Examples:\n  countersign metrics collection.zip\n  \
                            countersign metrics --prometheus > countersign.prom")]
    Metrics(Metrics),
    /// Policies.
    #[command(subcommand, after_help = "Examples:\n  countersign policy check policies\n  countersign policy show")]
    Policy(Policy),
    /// The transparency log.
    #[command(subcommand, after_help = "Examples:\n  countersign ledger show\n  countersign ledger verify")]
    Ledger(Ledger),
    /// Copy the data directory while the server runs.
    #[command(after_help = "Example:\n  countersign backup /backup/2026-11-22")]
    Backup(Backup),
    /// Put a backup in the place of the data directory. Refused while a server runs on it.
    #[command(after_help = "Example:\n  countersign restore /backup/2026-11-22 --data ./countersign-data")]
    Restore(Restore),
    /// Get an owner back in. Needs the data directory, and is recorded in the ledger.
    #[command(after_help = "Example:\n  countersign break-in human:you@example.org\n\n\
                            Prints a one-time link for a passkey. Works with the server running or stopped.")]
    BreakIn(BreakIn),
    /// Completions for a shell, on standard output.
    #[command(after_help = "Example:\n  countersign completions bash > /etc/bash_completion.d/countersign")]
    Completions { shell: clap_complete::Shell },
    /// Manual pages, one for each command, into a directory.
    #[command(after_help = "Example:\n  countersign man /usr/local/share/man/man1")]
    Man { directory: PathBuf },
}

#[derive(Debug, Args)]
pub struct Up {
    /// Log as JSON, one object for each line.
    #[arg(long)]
    pub log_json: bool,
    /// The subject that becomes the first owner.
    #[arg(long, value_name = "SUBJECT", default_value = "human:owner")]
    pub owner: SubjectId,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Stop after the run.
    #[arg(long)]
    pub exit: bool,
    /// Do not wait for a human eye between the steps.
    #[arg(long)]
    pub fast: bool,
    /// Free ports instead of the usual ones.
    #[arg(long)]
    pub free_ports: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// A directory as `apply` takes it, in place of the configured file.
    pub directory: Option<PathBuf>,
    /// Fail unless every guardrail of the policies is proven.
    #[arg(long)]
    pub prove: bool,
    #[command(flatten)]
    pub proving: Proving,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Where to write; nothing that exists is overwritten.
    #[arg(default_value = ".")]
    pub directory: PathBuf,
}

#[derive(Debug, Args)]
pub struct Apply {
    pub directory: PathBuf,
    /// Say what would change, and change nothing.
    #[arg(long, visible_alias = "diff")]
    pub dry_run: bool,
    /// Apply nothing unless every guardrail of the policies is proven, here and now.
    #[arg(long)]
    pub prove: bool,
    #[command(flatten)]
    pub proving: Proving,
}

#[derive(Debug, Subcommand)]
pub enum Session {
    /// Every session, or those of one subject.
    #[command(
        after_help = "Examples:\n  countersign session list\n  countersign session list human:alice@example.org --json"
    )]
    List { subject: Option<SubjectId> },
    /// One session in full.
    #[command(after_help = "Example:\n  countersign session show ID")]
    Show { id: SessionId },
    /// End a session and every connection of it, at once.
    #[command(after_help = "Example:\n  countersign session kill ID")]
    Kill { id: SessionId },
}

#[derive(Debug, Subcommand)]
pub enum Lease {
    /// Every live permission.
    #[command(
        after_help = "Examples:\n  countersign lease list\n  countersign lease list human:alice@example.org --json"
    )]
    List { subject: Option<SubjectId> },
}

#[derive(Debug, Subcommand)]
pub enum Subject {
    /// Everybody, or those that contain a text.
    #[command(after_help = "Examples:\n  countersign subject list\n  countersign subject list alice --json")]
    List {
        /// Only what contains this text.
        search: Option<String>,
    },
    /// One subject in full.
    #[command(after_help = "Example:\n  countersign subject show human:alice@example.org")]
    Show { id: SubjectId },
    /// Add a subject, or change one: what is not said stays as it is.
    #[command(
        visible_alias = "set",
        after_help = "Examples:\n  countersign subject add human:alice@example.org --group staff\n  \
                            countersign subject add service:backup --owner human:alice@example.org\n  \
                            countersign subject set human:alice@example.org --no-groups   out of every group"
    )]
    Add(SubjectAdd),
    /// End every session of it, and refuse it everything.
    #[command(after_help = "Example:\n  countersign subject disable human:alice@example.org")]
    Disable { id: SubjectId },
    /// Undo `disable`.
    #[command(after_help = "Example:\n  countersign subject enable human:alice@example.org")]
    Enable { id: SubjectId },
    /// How likely it is that somebody else acts in its name, from 0 to 100. Raising it cuts what no longer holds.
    #[command(
        after_help = "Examples:\n  countersign subject risk human:alice@example.org 80 --reason \"reported a stolen laptop\"\n  countersign subject risk human:alice@example.org 0 --reason \"found it again\""
    )]
    Risk {
        id: SubjectId,
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        risk: u8,
        /// Stands in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// Remove it with its sessions and keys; its devices are revoked.
    #[command(after_help = "Example:\n  countersign subject remove service:backup")]
    Remove { id: SubjectId },
    /// A one-time link with which a person makes a passkey.
    #[command(after_help = "Example:\n  countersign subject invite human:alice@example.org --valid 2h")]
    Invite {
        id: SubjectId,
        /// How long the link works, in whole hours.
        #[arg(long, default_value = "24h")]
        valid: String,
    },
}

#[derive(Debug, Args)]
pub struct SubjectAdd {
    pub id: SubjectId,
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub email: Option<String>,
    /// The human who answers for a service or an agent.
    #[arg(long)]
    pub owner: Option<SubjectId>,
    /// Whom an agent acts for.
    #[arg(long)]
    pub acts_for: Option<SubjectId>,
    /// The groups it is in from now on, in place of those it was in.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupId>,
    /// Out of every group.
    #[arg(long, conflicts_with = "groups")]
    pub no_groups: bool,
}

#[derive(Debug, Subcommand)]
pub enum Group {
    /// Every group.
    #[command(after_help = "Example:\n  countersign group list --json")]
    List,
    /// Add a group, or replace one.
    #[command(after_help = "Example:\n  countersign group add interns --member-of staff")]
    Add {
        id: GroupId,
        #[arg(long)]
        name: Option<String>,
        #[arg(long = "member-of", value_name = "GROUP")]
        member_of: Vec<GroupId>,
    },
    /// Remove a group; what its members had through it ends.
    #[command(after_help = "Example:\n  countersign group remove interns")]
    Remove { id: GroupId },
}

#[derive(Debug, Subcommand)]
pub enum Resource {
    /// Every resource.
    #[command(after_help = "Example:\n  countersign resource list --json")]
    List,
    /// One resource in full.
    #[command(after_help = "Example:\n  countersign resource show wiki")]
    Show { id: ResourceId },
    /// Protect an HTTP application, or replace how one is protected.
    #[command(
        after_help = "Example:\n  countersign resource add wiki --host wiki.localhost --upstream http://127.0.0.1:3000 --writers everyone"
    )]
    Add(ResourceAdd),
    /// Observe mode: for a while whoever asks is let through, and what policies would have denied is recorded.
    #[command(after_help = "Examples:\n  countersign resource observe wiki --for 14d\n  \
                            countersign decision list --observed --resource wiki   what would have been denied\n\n\
                            It ends by itself, within 90 days. Whoever asks is let through, signed in or not. Countersign's own \
                            resources are always enforced.")]
    Observe(ResourceObserve),
    /// End observe mode now.
    #[command(after_help = "Example:\n  countersign resource enforce wiki")]
    Enforce { id: ResourceId },
    /// What else must go when it goes: a plan, nothing is changed.
    #[command(after_help = "Example:\n  countersign resource decommission wiki --plan --json")]
    Decommission {
        id: ResourceId,
        /// Say what goes. There is nothing else that this command does.
        #[arg(long, required = true)]
        plan: bool,
    },
    /// Protect it no longer: nobody reaches it any more.
    #[command(after_help = "Example:\n  countersign resource remove wiki")]
    Remove { id: ResourceId },
}

#[derive(Debug, Args)]
pub struct ResourceAdd {
    pub id: ResourceId,
    /// Where admitted requests go.
    #[arg(long)]
    pub upstream: String,
    /// Where clients find it.
    #[arg(long = "host", value_name = "HOST", required = true)]
    pub hosts: Vec<String>,
    #[arg(long, default_value = "standard", value_parser = tier)]
    pub tier: Tier,
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long = "readers", value_name = "GROUP")]
    pub readers: Vec<GroupId>,
    #[arg(long = "writers", value_name = "GROUP")]
    pub writers: Vec<GroupId>,
    #[arg(long = "administrators", value_name = "GROUP")]
    pub administrators: Vec<GroupId>,
}

#[derive(Debug, Args)]
pub struct ResourceObserve {
    pub id: ResourceId,
    /// From now on, such as 14d.
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "until", required_unless_present = "until")]
    pub span: Option<String>,
    /// Such as 2027-03-01T08:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    pub until: Option<countersign_model::Timestamp>,
}

fn tier(text: &str) -> Result<Tier, String> {
    let names = || Tier::ALL.map(Tier::name).join(", ");
    Tier::ALL.into_iter().find(|tier| tier.name() == text).ok_or_else(|| format!("one of {}", names()))
}

#[derive(Debug, Subcommand)]
pub enum Device {
    /// Every device and its posture.
    #[command(after_help = "Example:\n  countersign device list --json")]
    List,
    /// One device in full.
    #[command(after_help = "Example:\n  countersign device show laptop")]
    Show { id: DeviceId },
    /// A one-time token with which a device enrols.
    #[command(after_help = "Example:\n  countersign device invite laptop --owner human:alice@example.org")]
    Invite {
        id: DeviceId,
        #[arg(long)]
        owner: SubjectId,
        /// How long the token works, in whole hours.
        #[arg(long, default_value = "1h")]
        valid: String,
    },
    /// Enrol this device: the key is made here and stays here.
    #[command(
        after_help = "Example:\n  COUNTERSIGN_DEVICE_TOKEN=… countersign device enroll https://countersign.example.org --ca authority.pem\n\n\
                            authority.pem is in the server's data directory; --ca is needed unless the server has a certificate that this system trusts."
    )]
    Enroll(DeviceEnroll),
    /// Report this device's posture, signed by its key.
    #[command(after_help = "Examples:\n  countersign device report --every 5m\n  \
                            countersign device report --set firewall=off   what would happen if")]
    Report(DeviceReport),
    /// The next certificate before the present one ends. `report` does this by itself in its last third.
    #[command(after_help = "Example:\n  countersign device renew")]
    Renew(DeviceRenew),
    /// Take a device into management.
    #[command(after_help = "Examples:\n  countersign device manage laptop\n  countersign device manage laptop --stop")]
    Manage {
        id: DeviceId,
        /// Out of management again, into quarantine.
        #[arg(long)]
        stop: bool,
    },
    /// Lost, sold, stolen: its certificate proves nothing any more.
    #[command(after_help = "Example:\n  countersign device revoke laptop")]
    Revoke { id: DeviceId },
}

#[derive(Debug, Args)]
pub struct DeviceEnroll {
    /// The control host.
    pub url: String,
    /// The one-time token. In the environment it does not show in the list of processes.
    #[arg(long, env = "COUNTERSIGN_DEVICE_TOKEN", hide_env_values = true)]
    pub token: String,
    /// Where the device's key and certificate are kept.
    #[arg(long, default_value = "countersign-device")]
    pub identity: PathBuf,
}

#[derive(Debug, Args)]
pub struct DeviceRenew {
    #[arg(long, default_value = "countersign-device")]
    pub identity: PathBuf,
}

#[derive(Debug, Args)]
pub struct DeviceReport {
    #[arg(long, default_value = "countersign-device")]
    pub identity: PathBuf,
    /// Report this instead of what was found: disk-encryption=on, patch-age=12, os-version=14.2.
    #[arg(long = "set", value_name = "ASPECT=VALUE")]
    pub set: Vec<String>,
    /// Show what would be sent, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Report again and again, at this interval.
    #[arg(long, value_name = "SPAN")]
    pub every: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Every key, or those of one subject. Never the secret.
    #[command(after_help = "Example:\n  countersign key list --json")]
    List { subject: Option<SubjectId> },
    /// Make a key for a service or an agent. It is shown once.
    #[command(
        after_help = "Example:\n  countersign key create service:backup --resource wiki --action read --valid 30d"
    )]
    Create(KeyCreate),
    /// A key proves nothing any more.
    #[command(after_help = "Example:\n  countersign key revoke ID")]
    Revoke { id: KeyId },
}

#[derive(Debug, Args)]
pub struct KeyCreate {
    pub subject: SubjectId,
    /// The human who answers for the key; without it, the owner of the subject.
    #[arg(long)]
    pub owner: Option<SubjectId>,
    /// Only at these resources; without it, at every resource.
    #[arg(long = "resource", value_name = "RESOURCE")]
    pub resources: Vec<ResourceId>,
    /// Only these: read, write, administer, connect; without it, all.
    #[arg(long = "action", value_name = "CLASS")]
    pub actions: Vec<Class>,
    /// How long it counts. "Never" is refused.
    #[arg(long, value_name = "SPAN")]
    pub valid: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Class {
    Read,
    Write,
    Administer,
    Connect,
}

#[derive(Debug, Subcommand)]
pub enum Decision {
    /// The last decisions.
    #[command(
        after_help = "Example:\n  countersign decision list --effect deny --subject human:alice@example.org --json"
    )]
    List(DecisionList),
    /// One decision in full, with its proof.
    #[command(after_help = "Example:\n  countersign decision show ID")]
    Show { id: countersign_model::DecisionId },
    /// Decisions as they are made.
    #[command(
        after_help = "Examples:\n  countersign decision watch\n  countersign decision watch --json   one object for each line"
    )]
    Watch,
    /// What would be decided now, and why.
    #[command(
        after_help = "Example:\n  countersign decision explain human:alice@example.org wiki --action http:write --method passkey"
    )]
    Explain(Explain),
}

#[derive(Debug, Args)]
pub struct DecisionList {
    #[arg(long, value_parser = ["allow", "challenge", "deny"])]
    pub effect: Option<String>,
    #[arg(long)]
    pub subject: Option<SubjectId>,
    #[arg(long)]
    pub resource: Option<ResourceId>,
    /// Only those in which observe mode made a difference.
    #[arg(long)]
    pub observed: bool,
    #[arg(long, default_value_t = 30)]
    pub limit: u16,
}

#[derive(Debug, Args)]
pub struct Explain {
    pub subject: SubjectId,
    pub resource: ResourceId,
    #[arg(long, default_value = "http:read")]
    pub action: countersign_model::Action,
    /// As if from this device, in its present state.
    #[arg(long)]
    pub device: Option<DeviceId>,
    #[arg(long)]
    pub address: Option<IpAddr>,
    /// As if signed in like this: passkey, api-key, federated, ….
    #[arg(long = "method", value_name = "METHOD")]
    pub methods: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Entries, newest last.
    #[command(after_help = "Examples:\n  countersign ledger show\n  countersign ledger show 0 --limit 100000 --json")]
    Show {
        /// The first entry to show; without it, the last ones.
        from: Option<u64>,
        #[arg(long, default_value_t = 20)]
        limit: u64,
        #[command(flatten)]
        archive: Archive,
    },
    /// The proof that an entry is in the log.
    #[command(after_help = "Example:\n  countersign ledger prove 42 > proof.json")]
    Prove {
        index: u64,
        #[command(flatten)]
        archive: Archive,
    },
    /// Verify a copied directory or a server's log, offline, and say which entry is wrong.
    #[command(after_help = "Examples:\n  countersign ledger verify /backup/ledger --key countersign.example.org+…\n  \
                            countersign ledger verify https://countersign.example.org/ledger --key-file log.vkey\n\n\
                            Without --key the key in the data directory is used.")]
    Verify(Verify),
    /// The newest signed checkpoint, and the key to verify it with.
    #[command(after_help = "Example:\n  countersign ledger checkpoint > checkpoint-2026-11.txt")]
    Checkpoint,
    /// Move old entry bundles out of the log directory. Proofs keep working. Needs the data directory, and no server on it.
    #[command(after_help = "Example:\n  countersign ledger archive --before 1000000 --to /archive/ledger")]
    Archive {
        /// Entries before this one, as far as they fill bundles of 256.
        #[arg(long)]
        before: u64,
        /// Where the bundles go; keep it, it is part of the log.
        #[arg(long)]
        to: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Archive {
    /// Where `ledger archive` moved old bundles.
    #[arg(id = "archive", long = "archive", value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// A directory, or the URL of the log.
    pub source: Option<String>,
    /// The log's verifier key, as `ledger checkpoint` prints it.
    #[arg(long)]
    pub key: Option<String>,
    #[arg(long, conflicts_with = "key")]
    pub key_file: Option<PathBuf>,
    /// A checkpoint that was kept from before: a log that was rolled back behind it, or rewritten, is found out.
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    #[command(flatten)]
    pub archive: Archive,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// A directory that does not exist yet.
    pub directory: PathBuf,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// What `backup` wrote.
    pub directory: PathBuf,
    /// Replace what the data directory holds now.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct BreakIn {
    /// Who becomes an owner.
    pub subject: SubjectId,
}
