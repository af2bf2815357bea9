//! What helps whoever writes policies: coverage, lint and formatting.

use std::path::Path;
use std::sync::Arc;

use countersign_model::*;

use super::fixtures::*;
use crate::{Coverage, Effect, Expectation, Finding, KnownNames, SourceFile, Symbols, Trial, format, lint, need_name};

fn trial(id: &str, groups: &[&str]) -> Trial {
    let case = Case::new(id);
    let groups = groups.iter().map(|group| GroupId::new(*group).unwrap()).collect();
    Trial {
        subject: case.subject,
        groups,
        resource: case.resource,
        action: case.action,
        circumstances: case.circumstances,
    }
}

const GUARDED: &str = "permit (principal in Group::\"staff\", action in Action::\"read\", resource)
when { resource.kind == \"http\" && (resource.tier == \"public\" || resource.tier == \"standard\") }
unless { context.risk >= 50 };";

#[test]
fn coverage_counts_what_was_reached() {
    let symbols = Arc::new(Symbols::default());
    let set = set(&symbols, &[GUARDED, "permit (principal in Group::\"other\", action, resource);"]);
    let mut coverage = Coverage::of(&set);
    let of = |coverage: &Coverage<'_>| -> Vec<(String, usize, bool, bool)> {
        let short = |covered: &crate::Covered| covered.condition.clone().unwrap_or_default();
        coverage.all().map(|c| (short(c), c.line, c.made_true, c.made_false)).collect()
    };
    assert_eq!(coverage.percent(), 0);
    coverage.observe(&trial("human:mia", &["staff"]));
    let expected = [
        ("", 1, true, false),
        ("resource.kind == \"http\"", 3, true, false),
        ("resource.tier == \"public\" || resource.tier == \"standard\"", 3, true, false),
        ("resource.tier == \"public\"", 3, false, true),
        ("resource.tier == \"standard\"", 3, true, false),
        ("context.risk >= 50", 4, false, true),
        ("", 5, false, false),
    ];
    let expected: Vec<_> = expected.map(|(text, line, yes, no)| (text.to_owned(), line, yes, no)).into();
    assert_eq!(of(&coverage), expected);
    // 6 conditions with two outcomes each, and a policy that has one.
    assert_eq!(coverage.outcomes(), (13, 6));
    let mut high = trial("human:mia", &["staff"]);
    high.resource.tier = Tier::High;
    coverage.observe(&high);
    let reached = of(&coverage);
    assert_eq!((reached[0].2, reached[0].3), (true, true), "the policy was false too");
    assert_eq!((reached[5].2, reached[5].3), (false, true), "behind the false && nothing was reached");
    let mut risky = trial("human:mia", &["staff", "other"]);
    risky.circumstances.risk = 50;
    coverage.observe(&risky);
    let mut internal = trial("human:mia", &["staff"]);
    internal.resource.kind = ResourceKind::Countersign;
    coverage.observe(&internal);
    assert_eq!(coverage.outcomes(), (13, 12));
    assert_eq!(coverage.percent(), 92);
    let mut public = trial("human:mia", &["staff"]);
    public.resource.tier = Tier::Public;
    coverage.observe(&public);
    assert_eq!(coverage.percent(), 100);
}

#[test]
fn a_trial_says_what_was_not_met_and_what_came_into_question() {
    let symbols = Arc::new(Symbols::default());
    let forbid = "forbid (principal is Human, action, resource) unless { context has authentication };";
    let set = set(&symbols, &["permit (principal in Group::\"staff\", action, resource);", forbid]);
    let trial = trial("human:mia", &["staff"]);
    let decision = trial.decide(&set).unwrap();
    let mut expectation = Expectation { effect: Effect::Challenge, by: None, needs: None, remedy: None };
    assert_eq!(expectation.unmet(&decision), Vec::<String>::new());
    let needs: Vec<String> = crate::remedy(&decision).unwrap().needs.iter().map(need_name).collect();
    assert_eq!(needs, ["sign-in"]);
    expectation.effect = Effect::Allow;
    expectation.by = Some([PolicyId::new("p00000").unwrap()].into());
    expectation.needs = Some(["grant".to_owned()].into());
    expectation.remedy = Some("passkey".to_owned());
    let unmet = expectation.unmet(&decision);
    let expected = [
        "expected allow, got challenge",
        "expected by p00000, got p00001",
        "expected needs grant, got sign-in",
        "expected a remedy with \"passkey\", got \"remedy 1\"",
    ];
    assert_eq!(unmet, expected);
    let considered = trial.considered(&set);
    assert_eq!(considered.len(), 2);
    assert_eq!((considered[1].line, considered[1].holds), (3, Some(true)));
    assert_eq!(considered[1].conditions, [(4, "context has authentication".to_owned(), Some(false))]);
}

/// Lints policies that are written with every annotation, and returns rule and line (of the policies as given, from 1).
fn rules(policies: &[&str]) -> Vec<(&'static str, String)> {
    let mut text = String::new();
    for (policy, at) in policies.iter().zip(0..) {
        let head = format!("@id(\"p{at}\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"r\")");
        text += &format!("{head} {policy}\n");
    }
    let found = lint(vec![file(&text)], NOON.minus(std::time::Duration::from_secs(365 * 86_400)), None);
    found.into_iter().map(|finding| (finding.rule, format!("{}: {}", finding.line, finding.message))).collect()
}

fn finds(policies: &[&str], rule: &str, said: &str) {
    let found = rules(policies);
    assert!(found.iter().any(|(found, message)| *found == rule && message.contains(said)), "{rule}: {found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn lint_finds_what_can_never_matter() {
    let permit = "permit (principal in Group::\"a\", action in Action::\"read\", resource) when { context.risk < 5 };";
    assert_eq!(rules(&[permit]), []);
    finds(
        &[permit, "forbid (principal, action, resource);"],
        "unreachable",
        "p0: p1 (test.cedar:2) forbids everything",
    );
    assert_eq!(rules(&[permit, "forbid (principal, action in Action::\"write\", resource);"]), []);
    assert_eq!(rules(&[permit, "forbid (principal, action, resource) when { context.risk < 4 };"]), []);
    finds(&[permit, "forbid (principal, action, resource) when { context.risk < 5 };"], "unreachable", "p0");
    let wide = "permit (principal in Group::\"a\", action, resource);";
    finds(&[permit, wide], "shadowed", "1: p0: adds nothing to p1 (test.cedar:2)");
    finds(&[wide, permit], "shadowed", "2: p1: adds nothing to p0");
    finds(&[permit, permit], "duplicate-policy", "2: p1: says the same as p0");
    assert_eq!(rules(&[permit, "permit (principal in Group::\"b\", action, resource);"]), []);
    assert_eq!(rules(&[permit, "permit (principal is Human in Group::\"a\", action, resource);"]), [], "agents too");
    let human = "permit (principal is Human in Group::\"a\", action in Action::\"read\", resource);";
    finds(&[human, wide], "shadowed", "p0");
    finds(&[human, "permit (principal is Human, action, resource);"], "shadowed", "p0");
}

/// Cedar's places leave out the brackets around a part.
#[test]
fn a_condition_keeps_its_brackets() {
    let symbols = Arc::new(Symbols::default());
    let check = |condition: &str| {
        let text = format!("permit (principal, action, resource) when {{ context.risk < 5 && !({condition}) }};");
        let set = set(&symbols, &[&text]);
        let coverage = Coverage::of(&set);
        let shown: Vec<&str> = coverage.all().filter_map(|one| one.condition.as_deref()).collect();
        assert!(shown.contains(&condition), "{shown:?}");
        for one in shown {
            assert_eq!(one.matches('(').count(), one.matches(')').count(), "{one}");
        }
    };
    check("(context has device && context.device.managed) || context.network.zones.contains(\"a)(\")");
    check("context.network.zones.contains(\"a\") || (context has device && context.device.managed)");
    check("((context has device && context.device.managed)) || context.risk < 3");
    check("context.risk < 3 || context.risk > 7");
}

#[test]
fn lint_finds_conditions_that_decide_nothing() {
    let with = |condition: &str| format!("forbid (principal is Human, action, resource) when {{ {condition} }};");
    let one = |condition: &str, rule: &str, said: &str| finds(&[&with(condition)], rule, said);
    one("principal is Human && context.risk > 3", "always-true", "`principal is Human`");
    one("context.risk > 3 && context.risk > 3", "duplicate-condition", "`context.risk > 3` stands here twice");
    one("context.risk > 3 || (principal is Agent && context.risk > 1)", "always-false", "`principal is Agent");
    let twice = "context.risk > 3 || (resource.tier == \"high\" && resource.tier == \"public\")";
    one(twice, "always-false", "`resource.tier == \"high\" && resource.tier == \"public\"`");
    one("context.risk > 3 || !(context.risk > 3)", "always-true", "`context.risk > 3 || !(context.risk > 3)`");
    one("action in Action::\"access\" && context.risk > 3", "always-true", "Action::\"access\"");
    finds(&[&with("principal is Agent")], "never-applies", "impossible");
    assert_eq!(rules(&["forbid (principal, action, resource) when { principal is Agent && context.risk > 3 };"]), []);
}

#[test]
fn lint_finds_what_is_missing_overdue_and_unknown() {
    let lint_one = |text: &str, as_of: &str, known: Option<&KnownNames>| -> Vec<Finding> {
        lint(vec![file(text)], as_of.parse().unwrap(), known)
    };
    let missing = lint_one("@id(\"x\")\nforbid (principal, action, resource);", "2026-01-01T00:00:00Z", None);
    let missing: Vec<_> =
        missing.iter().map(|finding| (finding.rule, finding.line, finding.message.as_str())).collect();
    let expected = ["this policy has no @owner", "this policy has no @remedy", "this policy has no @review_by"];
    assert_eq!(missing, expected.map(|message| ("missing-annotation", 1, message)));
    assert_eq!(lint_one("permit (", "2026-01-01T00:00:00Z", None)[0].rule, "invalid");
    let text = "@id(\"x\") @owner(\"o\") @review_by(\"2026-06-30\")
permit (principal in Group::\"stuff\", action, resource)
when
{
    context.network.zones.contains(\"ofice\") &&
    resource in Segment::\"finance\"
};";
    assert_eq!(lint_one(text, "2026-06-29T23:59:59Z", None), []);
    let overdue = lint_one(text, "2026-06-30T00:00:00Z", None);
    assert_eq!((overdue[0].rule, overdue[0].line), ("review-overdue", 1));
    let mut known = KnownNames::default();
    for kind in ["Group", "Zone", "Segment"] {
        known.names.insert(kind, ["staff", "office", "finance"].map(str::to_owned).into());
    }
    let found = lint_one(text, "2026-01-01T00:00:00Z", Some(&known));
    let found: Vec<_> = found.iter().map(|finding| (finding.line, finding.message.as_str())).collect();
    let expected =
        [(1, "x: the configuration has no group \"stuff\""), (5, "x: the configuration has no zone \"ofice\"")];
    assert_eq!(found, expected);
}

#[test]
fn the_starter_policies_are_clean_and_formatted() {
    assert_eq!(lint(starter_files(), "2026-11-01T00:00:00Z".parse().unwrap(), None), []);
    for SourceFile { path, text } in starter_files() {
        assert_eq!(format(&path, &text).unwrap(), text, "{}", path.display());
    }
}

#[test]
fn formatting_keeps_comments_and_meaning() {
    let text = "// head\n@id(\"a\")permit(principal,action,resource)when{// why\ncontext.risk<3};\n// end\n";
    let once = format(Path::new("a.cedar"), text).unwrap();
    for comment in ["// head", "// why", "// end"] {
        assert!(once.contains(comment), "{once}");
    }
    assert_eq!(format(Path::new("a.cedar"), &once).unwrap(), once, "formatting again changes nothing");
    let headed = "// About the file,\n// in two lines.\n\n// About this.\npermit (principal, action, resource);\n";
    assert_eq!(format(Path::new("a.cedar"), headed).unwrap(), headed);
    let refused = format(Path::new("a.cedar"), "permit (").unwrap_err();
    assert_eq!(refused.iter().next().unwrap().line, 1);
}
