//! The words of `ask` and `coverage`.

use clap::{Args, Subcommand, ValueEnum};
use countersign_model::{Action, DeviceId, GroupId, ResourceId, SubjectId, Timestamp};

#[derive(Debug, Subcommand)]
pub enum Ask {
    /// Everybody who can. Without circumstances, with the weakest that suffice.
    #[command(after_help = "Examples:\n  countersign ask who-can http:read wiki\n  \
                            countersign ask who-can http:write payroll --auth passkey --device-state compliant --csv\n  \
                            countersign ask who-can http:read wiki --auth multi-factor --at 2026-12-24T23:00:00Z")]
    WhoCan(WhoCan),
    /// Everything that somebody can do. Without circumstances, with the weakest that suffice.
    #[command(after_help = "Examples:\n  countersign ask what-can human:alice\n  \
                            countersign ask what-can service:backup --network office --json")]
    WhatCan(WhatCan),
    /// Why a decision came out as it did, and what would turn it around. Without circumstances, under the best there are.
    #[command(after_help = "Examples:\n  countersign ask why DECISION\n  \
                            countersign ask why human:alice http:write payroll --auth passkey --from-device laptop")]
    Why(Why),
    /// Who did: accesses that were allowed, from the ledger.
    #[command(after_help = "Examples:\n  countersign ask who-did --resource payroll\n  \
                            countersign ask who-did --subject human:alice --from 2026-11-01T00:00:00Z --csv")]
    WhoDid(WhoDid),
    /// How many of each group can, at each resource.
    #[command(after_help = "Example:\n  countersign ask matrix http:write --auth passkey --device-state compliant")]
    Matrix(Matrix),
}

/// Circumstances. As soon as one is stated, those that are not are: not signed in, no device, from elsewhere, encrypted,
/// now.
#[derive(Debug, Args)]
#[command(next_help_heading = "Circumstances")]
pub struct Circumstances {
    /// How people have signed in; services and agents have their key unless it is none.
    #[arg(long, value_enum, value_name = "HOW")]
    pub auth: Option<SignIn>,
    /// How long ago, such as 90m.
    #[arg(long, value_name = "SPAN", requires = "auth")]
    pub auth_age: Option<String>,
    /// The device that is asked from.
    #[arg(long, value_enum, value_name = "STATE")]
    pub device_state: Option<DeviceState>,
    /// How long ago it reported, such as 5m.
    #[arg(long, value_name = "SPAN", requires = "device_state")]
    pub posture_age: Option<String>,
    /// A zone, an address, or elsewhere.
    #[arg(long, value_name = "ZONE")]
    pub network: Option<String>,
    /// Over a connection that is not encrypted.
    #[arg(long)]
    pub unencrypted: bool,
    /// The time, as in 2026-12-24T23:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// In place of each subject's own.
    #[arg(long, value_name = "0-100", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub risk: Option<u8>,
    /// Of the request, for policies that look at it.
    #[arg(long)]
    pub method: Option<String>,
    /// Of the request, for policies that look at it.
    #[arg(long)]
    pub path: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignIn {
    None,
    Federated,
    MultiFactor,
    PhishingResistant,
    Passkey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceState {
    /// None that proves itself.
    None,
    /// Enrolled, not managed, and its posture does not pass.
    Quarantine,
    /// Managed, and its posture does not pass.
    Managed,
    /// Managed, and its posture passes.
    Compliant,
}

#[derive(Debug, Args)]
pub struct Shown {
    /// Comma-separated values, with a heading.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// At most this many; without it a table has 100 and everything else all.
    #[arg(long)]
    pub limit: Option<usize>,
}

#[derive(Debug, Args)]
pub struct WhoCan {
    pub action: Action,
    pub resource: ResourceId,
    /// Only those in this group, directly or not.
    #[arg(long)]
    pub group: Option<GroupId>,
    /// Only people, services, agents, or whoever has not signed in.
    #[arg(long, value_parser = ["human", "service", "agent", "anonymous"])]
    pub kind: Option<String>,
    /// What could be at that time, as in 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    #[command(flatten)]
    pub circumstances: Circumstances,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Args)]
pub struct WhatCan {
    pub subject: SubjectId,
    /// Only this action.
    #[arg(long)]
    pub action: Option<Action>,
    /// What could be at that time, as in 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    #[command(flatten)]
    pub circumstances: Circumstances,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Args)]
pub struct Why {
    /// A decision's id; or a subject, an action and a resource.
    #[arg(num_args = 1..=3, required = true, value_names = ["DECISION | SUBJECT", "ACTION", "RESOURCE"])]
    pub about: Vec<String>,
    /// From this device, in the state that it is in now.
    #[arg(long, value_name = "DEVICE", conflicts_with = "device_state")]
    pub from_device: Option<DeviceId>,
    /// What could be at that time, as in 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "from_device")]
    pub as_of: Option<Timestamp>,
    /// Comma-separated values, a line for each part of the answer, with a heading.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    #[command(flatten)]
    pub circumstances: Circumstances,
}

#[derive(Debug, Args)]
pub struct WhoDid {
    #[arg(long)]
    pub resource: Option<ResourceId>,
    #[arg(long)]
    pub subject: Option<SubjectId>,
    #[arg(long)]
    pub action: Option<Action>,
    /// The first instant that counts; without it, 30 days before the last.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// The first instant that does not count; without it, now.
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
    /// Comma-separated values, with a heading.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

#[derive(Debug, Args)]
pub struct Matrix {
    #[arg(default_value = "http:read")]
    pub action: Action,
    #[command(flatten)]
    pub circumstances: Circumstances,
    /// Comma-separated values, with a heading.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

#[derive(Debug, Args)]
pub struct Coverage {
    /// Comma-separated values, with a heading.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}
