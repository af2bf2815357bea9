//! What the ledger says of a decision: enough to know it without the campaign.

use countersign_model::{ReviewDecided, ReviewLine, Reviewed, ReviewedAccess};

pub(super) const fn verb(decided: ReviewDecided) -> &'static str {
    match decided {
        ReviewDecided::Kept => "review.keep",
        ReviewDecided::Revoked => "review.revoke",
        ReviewDecided::Gone => "review.gone",
        ReviewDecided::Unconfirmed => "review.unconfirmed",
    }
}

pub(super) fn of_verdict(line: &ReviewLine, decided: ReviewDecided, reason: Option<&str>) -> String {
    let what = of_about(&line.about);
    match reason {
        Some(reason) => format!("{}: {what}: {reason}", decided.name()),
        None => format!("{}: {what}", decided.name()),
    }
}

pub(super) fn of_about(about: &Reviewed) -> String {
    match about {
        Reviewed::Access(access) => of_access(access),
        Reviewed::Policy(policy) => format!("policy {} as of {}", policy.policy, policy.hash),
    }
}

fn of_access(access: &ReviewedAccess) -> String {
    let classes: Vec<&str> = access.classes.iter().map(|class| class.name()).collect();
    let subject = access.subject.as_ref().map_or_else(|| "everybody".to_owned(), ToString::to_string);
    let through = access.through.as_ref().map_or_else(|| "by policy".to_owned(), |group| format!("through {group}"));
    format!("{subject} at {} ({}) {through}", access.resource, classes.join(" "))
}
