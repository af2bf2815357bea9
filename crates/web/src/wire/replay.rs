//! A replay as JSON: what proposed policies would change, for what is recorded and for whoever is here now.

use std::collections::BTreeMap;

use countersign_administrator as administrator;
use countersign_model::{DecisionId, SessionId, SubjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Effect, Instant, Lease};

/// What to decide again, and by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    /// The proposed set: file name → text.
    pub files: BTreeMap<String, String>,
    /// Without it, from the first entry at hand.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
    /// No more than so many entries, the newest ones.
    #[serde(default)]
    pub newest: Option<u64>,
    /// How many decisions to name beside each count; 3 if absent, 100 at most.
    #[serde(default)]
    pub examples: Option<u8>,
}

/// One line of the answer: progress now and then, and at the end one of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayItem {
    Progress(ReplayProgress),
    /// The proposed set has mistakes: each with file, line and a caret.
    Mistakes(Vec<String>),
    Replay(Box<Replay>),
    /// It could not be finished.
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayProgress {
    /// Entries read, of so many.
    pub done: u64,
    pub total: u64,
    pub decisions: u64,
    pub changed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    /// SHA-256 of the proposed set, in hex.
    pub proposed: String,
    pub covered: ReplayCovered,
    /// Decisions by the policy set that made them.
    pub recorded_under: BTreeMap<String, u64>,
    pub unchanged: ReplayCounts,
    pub newly_denied: ReplayChanges,
    pub newly_challenged: ReplayChanges,
    pub newly_allowed: ReplayChanges,
    pub live: ReplayLive,
}

/// What it speaks about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayCovered {
    pub first_entry: u64,
    pub end_entry: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Instant>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Instant>,
    /// Older entries that are archived and not at hand.
    pub archived: u64,
    pub decisions: u64,
    /// Decided again.
    pub replayed: u64,
    /// Denied before a policy was asked: no policy changes that.
    pub before_policies: u64,
    /// The facts that they were made on are not recorded, or not at hand: nothing is said about these.
    pub unknown: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayCounts {
    pub allowed: u64,
    pub challenged: u64,
    pub denied: u64,
}

/// Decisions with one new outcome, and the same by who asked, by resource, by policy and by session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayChanges {
    pub all: ReplayTally,
    pub were: ReplayCounts,
    pub people: Vec<ReplayPart>,
    pub resources: Vec<ReplayPart>,
    pub policies: Vec<ReplayPart>,
    pub sessions: Vec<ReplayPart>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayTally {
    pub count: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Instant>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Instant>,
    /// The first of them.
    #[schema(value_type = Vec<String>)]
    pub examples: Vec<DecisionId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayPart {
    pub name: String,
    /// Of a policy: `forbids`, `no-longer-forbids`, `permits` or `no-longer-permits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub how: Option<administrator::How>,
    pub count: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Instant>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Instant>,
    #[schema(value_type = Vec<String>)]
    pub examples: Vec<DecisionId>,
}

/// What would become of what is open now, and of whoever is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayLive {
    /// Live leases, and how many of them would stay.
    pub leases: u64,
    pub kept: u64,
    /// Sessions for which something would be otherwise.
    pub sessions: Vec<ReplaySession>,
    /// What would be cut and belongs to no session.
    pub others: Vec<ReplayEnding>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplaySession {
    #[schema(value_type = String)]
    pub session: SessionId,
    #[schema(value_type = String)]
    pub subject: SubjectId,
    /// What would be cut at once.
    pub ends: Vec<ReplayEnding>,
    /// Of what it was decided before.
    pub newly_denied: u64,
    pub newly_challenged: u64,
    pub newly_allowed: u64,
}

/// A live lease that would not be granted again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayEnding {
    pub lease: Lease,
    pub effect: Effect,
    /// By these.
    pub policies: Vec<String>,
}

impl From<&administrator::Progress> for ReplayProgress {
    fn from(progress: &administrator::Progress) -> Self {
        let administrator::Progress { done, total, decisions, changed } = *progress;
        Self { done, total, decisions, changed }
    }
}

impl From<administrator::Unchanged> for ReplayCounts {
    fn from(counts: administrator::Unchanged) -> Self {
        let administrator::Unchanged { allowed, challenged, denied } = counts;
        Self { allowed, challenged, denied }
    }
}

impl From<administrator::Tally> for ReplayTally {
    fn from(tally: administrator::Tally) -> Self {
        let administrator::Tally { count, first, last, examples } = tally;
        Self { count, first, last, examples }
    }
}

impl From<administrator::Part> for ReplayPart {
    fn from(part: administrator::Part) -> Self {
        let administrator::Part { name, how, tally } = part;
        let administrator::Tally { count, first, last, examples } = tally;
        Self { name, how, count, first, last, examples }
    }
}

impl From<administrator::Changes> for ReplayChanges {
    fn from(changes: administrator::Changes) -> Self {
        let administrator::Changes { all, were, people, resources, policies, sessions } = changes;
        let parts = |parts: Vec<administrator::Part>| parts.into_iter().map(Into::into).collect();
        Self {
            all: all.into(),
            were: were.into(),
            people: parts(people),
            resources: parts(resources),
            policies: parts(policies),
            sessions: parts(sessions),
        }
    }
}

impl From<administrator::Covered> for ReplayCovered {
    fn from(covered: administrator::Covered) -> Self {
        let administrator::Covered {
            first_entry,
            end_entry,
            first,
            last,
            archived,
            decisions,
            replayed,
            before_policies,
            unknown,
        } = covered;
        Self { first_entry, end_entry, first, last, archived, decisions, replayed, before_policies, unknown }
    }
}

impl From<administrator::Ending> for ReplayEnding {
    fn from(ending: administrator::Ending) -> Self {
        let administrator::Ending { lease, decision } = ending;
        let determining = &decision.reasons().determining;
        Self {
            policies: determining.iter().map(|policy| policy.id.to_string()).collect(),
            effect: Effect::of(&decision),
            lease: Lease::from(&lease),
        }
    }
}

impl From<administrator::Outlook> for ReplayLive {
    fn from(outlook: administrator::Outlook) -> Self {
        let administrator::Outlook { leases, kept, sessions, others } = outlook;
        let endings = |endings: Vec<administrator::Ending>| endings.into_iter().map(Into::into).collect();
        let session = |it: administrator::SessionOutlook| ReplaySession {
            session: it.session.id,
            subject: it.session.subject,
            ends: endings(it.ends),
            newly_denied: it.newly_denied,
            newly_challenged: it.newly_challenged,
            newly_allowed: it.newly_allowed,
        };
        Self {
            leases: leases as u64,
            kept: kept as u64,
            sessions: sessions.into_iter().map(session).collect(),
            others: endings(others),
        }
    }
}

impl From<administrator::Preview> for Replay {
    fn from(preview: administrator::Preview) -> Self {
        let administrator::Preview { report, outlook } = preview;
        Self {
            proposed: report.proposed,
            covered: report.covered.into(),
            recorded_under: report.recorded_under,
            unchanged: report.unchanged.into(),
            newly_denied: report.newly_denied.into(),
            newly_challenged: report.newly_challenged.into(),
            newly_allowed: report.newly_allowed.into(),
            live: outlook.into(),
        }
    }
}
