//! The lines of a review as people read them, in the console and on the reviewer's own pages.

use countersign_model::{Review, ReviewDecided, ReviewLine, Reviewed, ReviewedAccess, ReviewedPolicy, Timestamp};

use crate::words::{Sign, sign};

/// How many lines stand on one page.
pub(crate) const SHOWN: usize = 200;

#[derive(Debug, Clone)]
pub(crate) struct LineRow {
    pub(crate) number: u32,
    pub(crate) what: String,
    pub(crate) detail: String,
    pub(crate) used: u64,
    pub(crate) last_used: Option<Timestamp>,
    pub(crate) reviewers: String,
    /// Who would have reviewed it, were it not their own.
    pub(crate) instead_of: Option<String>,
    /// What goes along when it is revoked.
    pub(crate) along: Option<String>,
    pub(crate) decided: Option<Sign>,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) left: Option<String>,
}

fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

pub(crate) const fn decided(decided: &ReviewDecided) -> Sign {
    match decided {
        ReviewDecided::Kept => sign("good", "kept"),
        ReviewDecided::Revoked => sign("bad", "revoked"),
        ReviewDecided::Gone => sign("plain", "gone"),
        ReviewDecided::Unconfirmed => sign("warn", "unconfirmed"),
    }
}

pub(crate) fn standing(review: &Review, now: &Timestamp) -> (&'static str, String) {
    let tone = match &review.end {
        Some(_) => "plain",
        None if review.is_due(*now) => "bad",
        None => "warn",
    };
    (tone, crate::wire::standing(review, *now))
}

impl LineRow {
    pub(crate) fn new(review: &Review, line: &ReviewLine) -> Self {
        let (what, detail, used, last_used) = match &line.about {
            Reviewed::Access(it) => (subject(it), access(it), it.used, it.last_used),
            Reviewed::Policy(it) => (format!("policy {}", it.policy), policy(it), it.decisions, it.last_decision),
        };
        let verdict = line.verdict.as_ref();
        Self {
            number: line.number,
            what,
            detail,
            used,
            last_used,
            reviewers: joined(&line.reviewers),
            instead_of: line.instead_of.as_ref().map(ToString::to_string),
            along: along(review, line),
            decided: verdict.map(|it| decided(&it.decided)),
            by: verdict
                .map(|it| it.by.as_ref().map_or_else(|| "the deadline".to_owned(), ToString::to_string))
                .unwrap_or_default(),
            reason: verdict.and_then(|it| it.reason.clone()).unwrap_or_default(),
            left: verdict.and_then(|it| it.left.clone()),
        }
    }
}

fn subject(access: &ReviewedAccess) -> String {
    access.subject.as_ref().map_or_else(|| "everybody".to_owned(), ToString::to_string)
}

fn access(access: &ReviewedAccess) -> String {
    let classes = joined(access.classes.iter().map(|class| class.name()));
    let through = access.through.as_ref().map_or_else(|| "by policy".to_owned(), |group| format!("through {group}"));
    format!("{classes} at {} ({}), {through}", access.resource, access.tier)
}

fn policy(policy: &ReviewedPolicy) -> String {
    let last = policy.changes.first().map_or_else(
        || "not changed since".to_owned(),
        |change| {
            let by = change.by.as_ref().map_or_else(|| "nobody known".to_owned(), ToString::to_string);
            format!("changed {} times, last on {} by {by}", policy.changes.len(), crate::words::exact(&change.at))
        },
    );
    format!(
        "owned by {}, review by {}; {last}; {} of {} guardrails proven",
        policy.owner,
        crate::words::exact(&policy.review_by),
        policy.proven,
        policy.guardrails
    )
}

fn along(review: &Review, line: &ReviewLine) -> Option<String> {
    let Reviewed::Access(this) = &line.about else { return None };
    let group = this.through.as_ref().filter(|_| this.subject.is_some())?;
    let others = review.lines.iter().filter_map(|other| match &other.about {
        Reviewed::Access(it) if other.number != line.number => Some(it),
        _ => None,
    });
    let same = others.filter(|it| it.subject == this.subject && it.through.as_ref() == Some(group));
    let names = joined(same.map(|it| &it.resource).take(8));
    (!names.is_empty()).then(|| format!("leaving {group} takes {names} along"))
}
