//! Each kind of claim, proven and not; and the starter policies with their guardrails.

use std::collections::BTreeMap;

use countersign_model::{ActionClass, PolicyId, ProofResult, SubjectKind, Tier, Timestamp};
use countersign_policy::{Claim, Effect, Guardrail, PolicySet};

use super::fixtures::{options, outcome, run, set, solver, starter, verdict};
use crate::{Example, Options, Verdict, prove, record};

fn failed(verdict: Verdict) -> Box<Example> {
    match verdict {
        Verdict::Failed(example) => example,
        other => panic!("{other:?}"),
    }
}

fn proven(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Proven), "{verdict:?}");
}

const HUMANS: &str = "permit (principal is Human, action, resource);";

#[test]
fn the_starter_policies_hold_their_guardrails() {
    let set = starter();
    let report = run(&set, &solver(), &options());
    for outcome in &report.outcomes {
        assert!(matches!(outcome.verdict, Verdict::Proven), "{}: {:?}", outcome.guardrail.id, outcome.verdict);
    }
    assert!(report.outcomes.len() > 7 && report.proven());
    let proofs = record(&set, Some(&report), Timestamp::default());
    assert!(proofs.results.iter().all(|proof| proof.result == ProofResult::Proven));
    assert!(set.attach(proofs.clone()) && !set.attach(proofs), "once");
    let nobody = record(&set, None, Timestamp::default());
    assert!(nobody.results.iter().all(|proof| proof.result == ProofResult::NotRun));
}

#[test]
fn never_allowed() {
    let strong = "forbid (principal, action, resource) when { resource.tier == \"crown-jewel\" }
        unless { context has device && context.device.compliant && context.risk < 50 };";
    let claim = "forbid (principal, action, resource) when { resource.tier == \"crown-jewel\" }
        unless { context has device && context.device.compliant };";
    proven(&verdict(&[HUMANS, strong], claim));
    // It holds whatever is permitted, and a hole in the forbids is found.
    proven(&verdict(&["permit (principal, action, resource);", strong], claim));
    let hole = "forbid (principal is Service, action, resource) when { resource.tier == \"crown-jewel\" };";
    let example = failed(verdict(&[HUMANS, hole], claim));
    assert_eq!(Effect::of(&example.decision), Effect::Allow);
    assert_eq!(example.trial.resource.tier, Tier::CrownJewel);
    assert_eq!(example.trial.subject.id.kind(), SubjectKind::Human);
    assert!(example.trial.circumstances.device.as_ref().is_none_or(|device| !device.compliant));
    assert_eq!(example.wanted(&Claim::NeverAllowed), Effect::Deny);
}

/// An example says no more than it has to.
#[test]
fn an_example_is_as_small_as_it_can_be() {
    let night = "forbid (principal, action, resource)
        when { context.time.hour < 6 && principal in Group::\"contractors\" };";
    let permit = "permit (principal in Group::\"staff\", action in Action::\"write\", resource);";
    let example = failed(verdict(
        &[permit, night],
        "forbid (principal is Human, action, resource) when { context.time.hour < 6 };",
    ));
    let trial = &example.trial;
    assert_eq!(trial.groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["staff"]);
    assert_eq!(trial.action.class, ActionClass::Write);
    assert!(trial.circumstances.time.hour < 6);
    assert_eq!(trial.circumstances.risk, 0);
    assert!(trial.circumstances.device.is_none() && trial.circumstances.grant.is_none());
    assert!(trial.circumstances.exception.is_none() && trial.resource.segment.is_none());
}

#[test]
fn always_allowed() {
    let claim =
        "permit (principal in Group::\"owners\", action in Action::\"read\", resource) when { principal is Human };";
    proven(&verdict(&["permit (principal in Group::\"owners\", action, resource);"], claim));
    let stopped = "forbid (principal, action, resource) when { context.risk > 90 };";
    let example = failed(verdict(&["permit (principal in Group::\"owners\", action, resource);", stopped], claim));
    assert!(example.trial.circumstances.risk > 90);
    assert_eq!(example.wanted(&Claim::AlwaysAllowed), Effect::Allow);
}

/// What the schema allows and the world never has is no example: risk ends at 100, and no tier is called x.
#[test]
fn what_cannot_be_breaks_nothing() {
    for claim in [
        "forbid (principal, action, resource) when { context.risk > 100 || context.time.hour > 23 };",
        "forbid (principal, action, resource) unless {
            resource.tier == \"public\" || resource.tier == \"standard\" || resource.tier == \"high\"
            || resource.tier == \"crown-jewel\" };",
        "forbid (principal is Human, action, resource) unless { principal in Group::\"everyone\" };",
        "forbid (principal, action, resource) when { context has authentication &&
            context.authentication.phishing_resistant && !context.authentication.multi_factor };",
    ] {
        // There is no possible request, so there is nothing to promise either.
        let verdict = verdict(&["permit (principal, action, resource);"], claim);
        assert!(matches!(&verdict, Verdict::Unknown(why) if why.contains("describes no request")), "{verdict:?}");
    }
    let segment = "forbid (principal, action, resource) when { resource in Segment::\"hr\" };";
    proven(&verdict(
        &[HUMANS, segment],
        "forbid (principal, action, resource) when { resource has segment && resource.segment == Segment::\"hr\" };",
    ));
}

#[test]
fn a_policy_that_fails_is_found() {
    let sum = "forbid (principal is Human, action in Action::\"read\", resource)
        when { context has authentication && context.authentication.age + 1 > 3600 };";
    let set = set(&[HUMANS, sum], &[]);
    let report = run(&set, &solver(), &options());
    let never = outcome(&report, "policies-never-error");
    let Verdict::Failed(example) = &never.verdict else { panic!("{:?}", never.verdict) };
    assert_eq!(example.policy.as_ref().map(PolicyId::as_str), Some("p1"));
    assert!(example.trial.considered(&set).iter().any(|policy| policy.holds.is_none()));
    // Risk ends at 100, so this one fails on no request that there can be.
    proven(&verdict(
        &["permit (principal, action, resource) when { context.risk + 1 > 5 };"],
        "forbid (principal, action, resource) when { context.risk < 4 };",
    ));
}

/// On a request on which its condition fails, a guardrail would say nothing.
#[test]
fn a_guardrail_that_may_fail_is_not_proven() {
    let claim = "forbid (principal, action, resource)
        when { context has authentication && context.authentication.age + 1 > 3600 };";
    let verdict = verdict(&["permit (principal, action, resource) when { context.risk > 99 };"], claim);
    assert!(matches!(&verdict, Verdict::Unknown(why) if why.contains("own condition")), "{verdict:?}");
}

#[test]
fn comparisons() {
    let compared = |policies: &[&str], other: &[&str], claim: fn(std::path::PathBuf) -> Claim| {
        let id = PolicyId::new("compared").unwrap();
        let guardrails = [Guardrail::about_all(id.clone(), claim("other".into()), "d")];
        let (this, other): (PolicySet, PolicySet) = (set(policies, &[]), set(other, &[]));
        let others = BTreeMap::from([(id, other)]);
        let mut report = prove(&this, &guardrails, &others, &solver(), &options(), &|_| {});
        report.outcomes.remove(0).verdict
    };
    let read = "permit (principal is Human, action in Action::\"read\", resource);";
    let read_or_write = "permit (principal is Human, action in [Action::\"read\", Action::\"write\"], resource);";
    let write = "permit (principal is Human, action in Action::\"write\", resource);";
    proven(&compared(&[read], &[read_or_write], Claim::OnlyNarrows));
    let example = failed(compared(&[read_or_write], &[read], Claim::OnlyNarrows));
    assert_eq!(example.trial.action.class, ActionClass::Write);
    assert_eq!(example.other.as_ref().map(Effect::of), Some(Effect::Deny));
    proven(&compared(&[read, write], &[read_or_write], Claim::EquivalentTo));
    failed(compared(&[read], &[read_or_write], Claim::EquivalentTo));
    // A set in which a policy may fail is decided otherwise by Cedar than here.
    let sum = "forbid (principal, action, resource)
        when { context has authentication && context.authentication.age + 1 > 3600 };";
    let verdict = compared(&[read, sum], &[read, sum], Claim::EquivalentTo);
    assert!(matches!(&verdict, Verdict::Unknown(why) if why.contains("may fail")), "{verdict:?}");
}

#[test]
fn a_comparison_with_nothing_is_not_run() {
    let set = set(&[HUMANS], &["@only_narrows(\"../elsewhere\") permit (principal, action, resource);"]);
    let report = run(&set, &solver(), &options());
    assert!(matches!(outcome(&report, "g0").verdict, Verdict::NotRun(_)) && !report.proven());
}

#[test]
fn what_names_much_is_asked_in_parts() {
    let mut policies = vec![
        "permit (principal, action in Action::\"read\", resource) when { resource.tier == \"public\" };".to_owned(),
    ];
    for at in 0..3 {
        policies.push(format!(
            "permit (principal in Group::\"g{at}\", action, resource == Resource::\"r{at}\")
                 when {{ context has authentication && resource.tier != \"public\" }};"
        ));
        policies.push(format!(
            "forbid (principal is Human, action, resource in Segment::\"s{at}\") when {{ context.risk > {at} }};"
        ));
    }
    let guardrails = [
        // By every part, by none of the general forbids.
        "forbid (principal, action, resource) unless { resource.tier == \"public\" || context has authentication };",
        // Some permit does not look at the risk, and some forbid looks at more than this one does.
        "forbid (principal is Service, action, resource) when { context.risk >= 70 && resource.tier == \"high\" };",
        "permit (principal is Service, action in Action::\"read\", resource) when { resource.tier == \"public\" };",
        "permit (principal is Human, action in Action::\"read\", resource) when { resource.tier == \"public\" };",
        "permit (principal is Human, action in Action::\"read\", resource)
             when { resource.tier == \"public\" && context.risk == 0 };",
    ];
    let set = set(&policies.iter().map(String::as_str).collect::<Vec<_>>(), &guardrails);
    let options = Options { together: 2, ..options() };
    let report = prove(&set, &set.guardrails()[1..], &BTreeMap::new(), &solver(), &options, &|_| {});
    let results: Vec<_> = report.outcomes.iter().map(|outcome| outcome.verdict.result().name()).collect();
    assert_eq!(results, ["proven", "failed", "proven", "failed", "proven"], "{:?}", report.outcomes);
}
