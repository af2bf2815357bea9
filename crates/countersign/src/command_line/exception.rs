//! The words of `exception`.

use clap::{Args, Subcommand};
use countersign_model::{ExceptionId, GroupId, PolicyId, ResourceId, SegmentId, SubjectId};

use super::Class;

#[derive(Debug, Subcommand)]
pub enum Exception {
    /// The register, newest first.
    #[command(
        after_help = "Examples:\n  countersign exception list\n  countersign exception list --standing in-force --json\n  countersign exception list --undocumented   what is in no register"
    )]
    List {
        /// `requested`, `in-force`, `expired`, `ownerless` or `ended`.
        #[arg(long)]
        standing: Option<String>,
        /// For this subject, owned or asked for by it.
        #[arg(long)]
        subject: Option<SubjectId>,
        /// What lets more through than its tier means to, and nobody agreed to; ends with 1 where there is something.
        #[arg(long, conflicts_with_all = ["standing", "subject"])]
        undocumented: bool,
    },
    /// One exception in full, with its history.
    #[command(after_help = "Example:\n  countersign exception show ID")]
    Show { id: ExceptionId },
    /// Ask for one. It counts for nothing until somebody else agrees.
    #[command(
        after_help = "Example:\n  countersign exception request --relaxes high-needs-healthy-device --subject human:alice --resource payroll \\\n    --action read --owner human:bob --reason \"laptop in repair until Friday\" --control \"sits beside Bob\" --valid 3d"
    )]
    Request(Box<ExceptionRequest>),
    /// Agree to one: an owner, who neither asked for it nor answers for it.
    #[command(after_help = "Example:\n  countersign exception approve ID")]
    Approve { id: ExceptionId },
    /// It was looked at again, and is needed for that much longer. Whoever may agree may.
    #[command(
        after_help = "Example:\n  countersign exception review ID --valid 30d --note \"the vendor ships in May\""
    )]
    Review {
        id: ExceptionId,
        /// From now.
        #[arg(long, value_name = "SPAN")]
        valid: String,
        /// What was found.
        #[arg(long)]
        note: String,
    },
    /// Withdraw, refuse or end one, at once.
    #[command(after_help = "Example:\n  countersign exception end ID --why \"the laptop is back\"")]
    End {
        id: ExceptionId,
        /// Why it ends.
        #[arg(long)]
        why: String,
    },
    /// Look whether its compensating control works: owners only.
    #[command(after_help = "Example:\n  countersign exception probe ID")]
    Probe { id: ExceptionId },
}

#[derive(Debug, Args)]
pub struct ExceptionRequest {
    /// A policy that is @relaxable.
    #[arg(long, required = true, value_name = "POLICY")]
    pub relaxes: Vec<PolicyId>,
    /// For whom it is, such as human:alice@example.org.
    #[arg(long = "subject", value_name = "SUBJECT", required_unless_present = "groups")]
    pub subjects: Vec<SubjectId>,
    /// For everybody in this group.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupId>,
    /// At which resource.
    #[arg(long = "resource", value_name = "RESOURCE", required_unless_present = "segments")]
    pub resources: Vec<ResourceId>,
    /// At every resource in this segment.
    #[arg(long = "segment", value_name = "SEGMENT")]
    pub segments: Vec<SegmentId>,
    /// What they may do.
    #[arg(long = "action", value_enum, required = true)]
    pub actions: Vec<Class>,
    /// The human who answers for it. It ends when they leave.
    #[arg(long)]
    pub owner: SubjectId,
    /// Why the policy cannot be kept yet.
    #[arg(long)]
    pub reason: String,
    /// What stands in the place of what is relaxed.
    #[arg(long)]
    pub control: String,
    /// Until it ends, from now.
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    pub valid: String,
    /// The control works while every resource is in this segment.
    #[arg(long, value_name = "SEGMENT", group = "probe")]
    pub probe_segment: Option<SegmentId>,
    /// The control works while this policy is enforced.
    #[arg(long, value_name = "POLICY", group = "probe")]
    pub probe_policy: Option<PolicyId>,
    /// The control works while this address answers; asked when an owner asks for it.
    #[arg(long, value_name = "URL", group = "probe")]
    pub probe_url: Option<String>,
    /// With this status.
    #[arg(long, requires = "probe_url", default_value_t = 200)]
    pub probe_status: u16,
    /// The address is meant to be inside the house.
    #[arg(long, requires = "probe_url")]
    pub probe_private: bool,
}
