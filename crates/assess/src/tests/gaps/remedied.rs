//! Steps: what they gain is what is gained when they are done, they close themselves, and what leaves the house is inert.

use serde_json::json;

use super::{assessed, perfect};
use crate::tests::{Estate, GROUPS, USERS, ago, chain};
use crate::{Assessment, Assigned, Effort, Own, Step, StepKind, csv, markdown};

fn step<'a>(assessment: &'a Assessment, id: &str) -> &'a Step {
    assessment.steps.iter().find(|step| step.id == id).unwrap_or_else(|| panic!("{id} is a step"))
}

const ADMINS: &str = "sid:S-1-5-21-1-2-3-512";

/// Two who can sign in without a password, and `weak` who can reset that of an administrator.
fn estate(mended: bool, right: bool) -> Estate {
    let account = |not_required: bool| json!({"enabled": true, "password_not_required": not_required});
    let estate = Estate::default()
        .node(GROUPS, ADMINS, "group", json!({}))
        .node(USERS, "admin", "account", account(false))
        .edge(GROUPS, "admin", "member-of", ADMINS)
        .node(USERS, "weak", "account", account(!mended))
        .node(USERS, "other", "account", account(!mended))
        .edge(USERS, "nobody", "owns", "other");
    if right { estate.edge(USERS, "weak", "reset-password", "admin") } else { estate }
}

#[test]
fn the_gain_is_what_is_gained() {
    let before = assessed(&estate(false, true).inventory(), &Own::default());
    let after = assessed(&estate(true, true).inventory(), &Own::default());
    let mend = step(&before, "password-not-required");
    assert_eq!((mend.count, mend.effort, mend.kind), (2, Effort::Small, StepKind::Mend));
    let gained =
        (after.gaps.score.at_least - before.gaps.score.at_least, after.gaps.score.at_most - before.gaps.score.at_most);
    let near = |one: f64, other: f64| (one - other).abs() < 0.005;
    assert!(near(mend.gain.at_least, gained.0.min(gained.1)) && near(mend.gain.at_most, gained.0.max(gained.1)));
    // The evidence closes it.
    assert!(after.steps.iter().all(|step| step.id != "password-not-required"));
}

#[test]
fn the_cut_is_what_is_cut() {
    let before = assessed(&estate(false, true).inventory(), &Own::default());
    let after = assessed(&estate(false, false).inventory(), &Own::default());
    let cut = step(&before, "privileged-by-rights").radius.clone().unwrap();
    assert_eq!((cut.before, cut.after), (before.radius.reach_tier_zero, after.radius.reach_tier_zero));
    assert_eq!((cut.before, cut.after), (2, 1));
    let (then, now) = cut.spread.unwrap();
    assert_eq!((then, now), (before.radius.radius, after.radius.radius));
}

#[test]
fn the_earliest_missing_step_comes_first_and_the_rest_waits_for_it() {
    let assessment = assessed(&chain::inventory(), &Own::default());
    let earliest = assessment.gaps.earliest_skipped.unwrap();
    assert_eq!(earliest, crate::Sequence::Identity);
    let moving: Vec<&Step> = assessment.steps.iter().filter(|step| step.gain.at_most > 0.0).collect();
    let first = moving.iter().take_while(|step| step.sequence == earliest).count();
    assert!(first > 5);
    assert!(moving[first..].iter().all(|step| step.sequence != earliest));
    assert!(moving[first..].iter().all(|step| step.waits_for.contains(&earliest)));
    assert!(moving[..first].iter().all(|step| step.waits_for.is_empty()));
    let order: Vec<_> = moving[..first].iter().map(|step| (step.kind, step.severity)).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn every_query_can_be_asked() {
    for step in &assessed(&chain::inventory(), &perfect()).steps {
        let asked = crate::Filter::parse(&step.query);
        assert!(asked.is_ok() || step.query.starts_with("countersign "), "{}: {}", step.id, step.query);
    }
}

#[test]
fn what_is_assigned_says_whose_it_is_and_when_it_is_late() {
    let mut own = Own::default();
    let assigned = |due: i64| Assigned { owner: "ana@corp.example".to_owned(), due: Some(ago(due)) };
    own.assigned.insert("password-not-required".to_owned(), assigned(1));
    own.assigned.insert("assess-without-mfa".to_owned(), assigned(-1));
    let assessment = assessed(&chain::inventory(), &own);
    let late = |id: &str| {
        let step = step(&assessment, id);
        (step.owner.as_deref(), step.overdue)
    };
    assert_eq!(late("password-not-required"), (Some("ana@corp.example"), true));
    assert_eq!(late("assess-without-mfa"), (Some("ana@corp.example"), false));
    assert_eq!(late("krbtgt-password-old"), (None, false));
}

#[test]
fn what_people_wrote_is_inert_in_other_tools() {
    let mut own = Own::default();
    let owner = "=HYPERLINK(\"http://x\")\r\n@everyone [x](http://y) <b>\u{202e}".to_owned();
    own.assigned.insert("password-not-required".to_owned(), Assigned { owner, due: None });
    let assessment = assessed(&chain::inventory(), &own);
    let one = vec![step(&assessment, "password-not-required").clone()];
    let table = csv(&one);
    assert_eq!(table.lines().count(), 2);
    assert!(table.contains("\"'=HYPERLINK(\"\"http://x\"\")"), "{table}");
    let text = markdown(&one);
    assert!(text.contains("\\@everyone \\[x\\](http://y) \\<b\\>"), "{text}");
    assert!(!text.contains('\u{202e}') && !text.contains("<b>"));
    assert!(text.starts_with("## 1. Accounts that may have an empty password\n"), "{text}");
}
