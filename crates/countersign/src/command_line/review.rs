//! The words of `review`.

use clap::{Args, Subcommand};
use countersign_model::{GroupId, ResourceId, ReviewId, SegmentId, SubjectId};

#[derive(Debug, Subcommand)]
pub enum Review {
    /// Every campaign, newest first.
    #[command(after_help = "Examples:\n  countersign review list\n  countersign review list --json")]
    List,
    /// One campaign.
    #[command(after_help = "Example:\n  countersign review show ID")]
    Show { id: ReviewId },
    /// The lines of a campaign: who has what, how it is used, who reviews it, what was decided.
    #[command(
        after_help = "Examples:\n  countersign review lines ID --only undecided\n  countersign review lines ID --reviewer human:olga"
    )]
    Lines {
        id: ReviewId,
        /// `undecided` or `decided`.
        #[arg(long)]
        only: Option<String>,
        /// To be decided by this person.
        #[arg(long)]
        reviewer: Option<SubjectId>,
    },
    /// Open a campaign over access: what nobody confirms until its deadline is revoked.
    #[command(
        after_help = "Examples:\n  countersign review access --title \"Autumn\" --within 21d --fallback human:fred\n  \
                            countersign review access --title \"Payroll\" --resource payroll --within 14d --fallback human:fred"
    )]
    Access(Box<ReviewAccess>),
    /// Open a campaign over the policies in force. Its deadline takes no policy away.
    #[command(after_help = "Example:\n  countersign review policies --title \"Q1\" --within 30d --fallback human:fred")]
    Policies(ReviewCampaign),
    /// Confirm lines: as a person who is asked about them.
    #[command(after_help = "Example:\n  countersign review keep ID --line 3 --line 4 --reason \"still on the team\"")]
    Keep(ReviewDecision),
    /// Take away what lines are about: as a person who is asked about them.
    #[command(after_help = "Example:\n  countersign review revoke ID --line 7 --reason \"left the team\"")]
    Revoke(ReviewDecision),
    /// End a campaign now: what is not confirmed is revoked.
    #[command(after_help = "Example:\n  countersign review close ID --why \"everybody has answered\"")]
    Close {
        id: ReviewId,
        /// Why it ends.
        #[arg(long)]
        why: String,
    },
    /// Take a campaign back: what is not decided stays as it is.
    #[command(after_help = "Example:\n  countersign review withdraw ID --why \"wrong scope\"")]
    Withdraw {
        id: ReviewId,
        /// Why it ends.
        #[arg(long)]
        why: String,
    },
    /// What was revoked and is left to do elsewhere, for each source: as CSV, or as JSON with --json.
    #[command(after_help = "Example:\n  countersign review export ID > to-do.csv")]
    Export { id: ReviewId },
}

#[derive(Debug, Args)]
pub struct ReviewCampaign {
    /// What it is called.
    #[arg(long)]
    pub title: String,
    /// Until its deadline, from now; at most 92d.
    #[arg(long, value_name = "SPAN")]
    pub within: String,
    /// Who reviews where nobody else answers, or may: first come, first asked.
    #[arg(long = "fallback", required = true, value_name = "SUBJECT")]
    pub fallbacks: Vec<SubjectId>,
    /// Days of the ledger over which use is counted.
    #[arg(long, default_value_t = 90)]
    pub days: u32,
}

#[derive(Debug, Args)]
pub struct ReviewAccess {
    #[command(flatten)]
    pub campaign: ReviewCampaign,
    /// Of everybody in this group.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupId>,
    /// Of this kind: human, service or agent.
    #[arg(long = "kind", value_parser = ["human", "service", "agent"])]
    pub kinds: Vec<String>,
    /// To this resource.
    #[arg(long = "resource", value_name = "RESOURCE")]
    pub resources: Vec<ResourceId>,
    /// To every resource in this segment.
    #[arg(long = "segment", value_name = "SEGMENT")]
    pub segments: Vec<SegmentId>,
}

#[derive(Debug, Args)]
pub struct ReviewDecision {
    pub id: ReviewId,
    /// The number of a line.
    #[arg(long = "line", required = true, value_name = "NUMBER")]
    pub lines: Vec<u32>,
    /// Why. Needed to revoke, and to keep what nobody used.
    #[arg(long, default_value = "")]
    pub reason: String,
}
