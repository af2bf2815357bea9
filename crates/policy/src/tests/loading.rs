//! What a bad file is told, and what a good one becomes.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_model::*;

use super::fixtures::*;
use crate::{Diagnostics, PolicySet, Severity, SourceFile, Symbols};

fn load(text: &str) -> Result<PolicySet, Diagnostics> {
    PolicySet::load(vec![file(text)], &Arc::new(Symbols::default()))
}

/// Each expected mistake: line, column, and a part of the message or the help.
fn check(text: &str, expect: &[(usize, usize, &str)]) {
    let diagnostics = load(text).expect_err("it must not load");
    let errors: Vec<_> = diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert_eq!(errors.len(), expect.len(), "{diagnostics}");
    for (found, (line, column, part)) in errors.iter().zip(expect) {
        let said = format!("{} {}", found.message, found.help.as_deref().unwrap_or_default());
        assert_eq!((found.line, found.column), (*line, *column), "{diagnostics}");
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
}

const GOOD: &str = "@id(\"a\") @owner(\"o\") @review_by(\"2027-01-01\")\n";

#[test]
fn every_mistake_is_reported_with_its_place() {
    check("permit (principal, action, resource)", &[(1, 37, "expected")]);
    check("permit (principal, action, resource);", &[(1, 1, "no @id"), (1, 1, "no @owner"), (1, 1, "no @review_by")]);
    check(
        "@id(\"a\") @owner(\"o\") @review_by(\"2027-13-01\")\nforbid (principal, action, resource);",
        &[(1, 1, "no @remedy"), (1, 22, "is no date")],
    );
    check(&format!("{GOOD}@remdy(\"x\")\npermit (principal, action, resource);"), &[(2, 1, "@remdy")]);
    check(
        &format!(
            "{GOOD}permit (principal, action, resource)\nwhen {{ resource.teir == \"high\" || context.risk > \"x\" }};"
        ),
        &[(3, 8, "teir"), (3, 50, "expected")],
    );
    check(
        &format!("{GOOD}permit (principal, action, resource)\nwhen {{ resource.tier == \"crown-jewl\" }};"),
        &[(3, 25, "crown-jewel")],
    );
    check(
        &format!("{GOOD}permit (principal, action, resource)\nwhen {{ [\"hihg\"].contains(resource.tier) }};"),
        &[(3, 9, "no tier")],
    );
    check(&format!("{GOOD}permit (principal == ?principal, action, resource);"), &[(1, 1, "template")]);
    check(
        &format!("{GOOD}permit (principal, action, resource)\nwhen {{ context.device.managed }};"),
        &[(3, 8, "optional")],
    );
    check(&format!("{GOOD}permit (principal is Robot, action, resource);"), &[(2, 22, "Robot")]);
    check(&format!("{GOOD}permit (principal, action in Action::\"raed\", resource);"), &[(2, 30, "raed")]);
}

#[test]
fn nesting_has_an_end() {
    let chain = |terms: usize| {
        let terms = vec!["context.risk == 1"; terms].join(" || ");
        format!("{GOOD}permit (principal, action, resource) when {{ {terms} }};")
    };
    assert!(load(&chain(80)).is_ok());
    check(&chain(1000), &[(1, 1, "levels deep")]);
}

#[test]
fn no_policy_looks_further_than_the_slice() {
    let text = format!(
        "{GOOD}permit (principal, action, resource)\nwhen {{ resource has owner && resource.owner in Group::\"a\" }};"
    );
    let diagnostics = load(&text).expect_err("level 2");
    assert!(diagnostics.to_string().contains("level"), "{diagnostics}");
}

#[test]
fn ids_are_unique_across_files() {
    let text = format!("{GOOD}permit (principal, action, resource);");
    let one = |name: &str| SourceFile { path: PathBuf::from(name), text: text.clone() };
    let diagnostics = PolicySet::load(vec![one("a.cedar"), one("b.cedar")], &Arc::new(Symbols::default()))
        .expect_err("two of one name");
    let found: Vec<_> = diagnostics.iter().collect();
    assert_eq!(found.len(), 1, "{diagnostics}");
    assert_eq!(found[0].file, PathBuf::from("b.cedar"));
    assert!(found[0].help.as_deref().unwrap().contains("a.cedar:1"), "{diagnostics}");
}

#[test]
fn mistakes_of_all_files_come_at_once_and_are_drawn() {
    let files = vec![
        SourceFile { path: "a.cedar".into(), text: "permit (principal, action, ressource);".into() },
        SourceFile {
            path: "b.cedar".into(),
            text: format!("{GOOD}permit (principal, action, resource)\nwhen {{ foo }};"),
        },
        SourceFile { path: "c.cedar".into(), text: format!("{GOOD}permit (principal, action, resource);") },
    ];
    let diagnostics = PolicySet::load(files, &Arc::new(Symbols::default())).expect_err("two bad files");
    let text = diagnostics.to_string();
    assert!(text.contains("a.cedar:1:28") && text.contains("b.cedar:3:8"), "{text}");
    assert!(text.contains("when { foo };"), "the line is shown: {text}");
}

#[test]
fn a_good_set_tells_what_it_holds() {
    let text = "// first\n@id(\"b\")\n@owner(\"team b\")\n@review_by(\"2027-01-31\")\n@remedy(\"ask\")\nforbid (principal, action, resource)\nwhen { context has authentication && context.authentication.age > 60 };\n\n@id(\"a\") @owner(\"x\") @review_by(\"2027-02-01\") @description(\"why\")\npermit (principal, action, resource);\n";
    let set = load(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let [a, b] = set.policies() else { panic!("two policies") };
    assert_eq!((a.id.as_str(), a.line, a.role, a.description.as_deref()), ("a", 9, PolicyRole::Permit, Some("why")));
    assert_eq!((b.id.as_str(), b.line, b.role, b.remedy.as_deref()), ("b", 2, PolicyRole::Forbid, Some("ask")));
    assert_eq!(b.review_by.to_string(), "2027-01-31T00:00:00.000Z");
    assert!(b.text.starts_with("@id(\"b\")") && b.text.ends_with("};"), "{}", b.text);
    assert_eq!(set.age_thresholds(), [61]);
    let comments = load(&text.replace("// first", "// second").replace("\n\n", "\n")).unwrap();
    assert_eq!(set.hash(), comments.hash(), "comments and layout do not count");
    assert_ne!(set.hash(), load(&text.replace("> 60", "> 61")).unwrap().hash());
    assert_ne!(set.hash(), load(&text.replace("\"ask\"", "\"beg\"")).unwrap().hash());
}

#[test]
fn time_dependence_is_read_off() {
    let check = |condition: &str, expect: (&[u64], usize, bool, bool)| {
        let symbols = Arc::new(Symbols::default());
        let set = set(&symbols, &[&format!("permit (principal, action, resource) when {{ {condition} }};")]);
        let time = set.time();
        assert_eq!((&time.ages[..], time.instants.len(), time.hours, time.continuous), expect, "{condition}");
    };
    check("context has authentication && context.authentication.age <= 60", (&[61], 0, false, false));
    check("context has authentication && context.authentication.age < 60", (&[60], 0, false, false));
    check("context has authentication && 60 >= context.authentication.age", (&[61], 0, false, false));
    check("context has authentication && context.authentication.age == 60", (&[60, 61], 0, false, false));
    check("context has device.posture_age && context.device.posture_age > 9", (&[10], 0, false, false));
    check("context.time.now < datetime(\"2027-01-01\")", (&[], 1, false, false));
    check("context.time.hour < 9", (&[], 0, true, false));
    check("context has authentication && context.authentication.age + 1 < 60", (&[], 0, false, true));
    check("context.time.now.toTime() < duration(\"9h\")", (&[], 0, false, true));
    check("context has grant && context.grant.expires < context.time.now", (&[], 0, false, true));
}

#[test]
fn a_forbid_that_fails_denies_and_cedar_names_the_fault() {
    let symbols = Arc::new(Symbols::default());
    let set = set(
        &symbols,
        &[
            "permit (principal, action, resource);",
            "forbid (principal, action, resource) when { context.time.now.offset(duration(\"106751991167d\")) > context.time.now };",
        ],
    );
    let mut case = Case::new("human:a");
    assert!(matches!(case.decide(&set), Decision::Deny(Denial { cause: DenialCause::ForbidFailed, remedy: None, .. })));
    let decision = case.decide(&set);
    let [fault] = &decision.reasons().faults[..] else { panic!("one fault: {decision:?}") };
    assert_eq!(fault.policy.id.as_str(), "p00001");
    assert!(fault.message.contains("overflow"), "{}", fault.message);
    case.circumstances.time.now = Timestamp::from_millis(-1_000_000_000_000_000);
    assert!(matches!(case.decide(&set), Decision::Deny(Denial { cause: DenialCause::Forbidden, .. })));
}

#[test]
fn a_permit_that_fails_is_skipped_and_told() {
    let symbols = Arc::new(Symbols::default());
    let set = set(
        &symbols,
        &[
            "permit (principal, action, resource) when { context.risk + 9223372036854775807 > 1 };",
            "permit (principal, action, resource) when { context.risk > 0 };",
        ],
    );
    let mut case = Case::new("human:a");
    case.circumstances.risk = 1;
    let decision = case.decide(&set);
    assert_eq!((decision.name(), decision.reasons().faults.len()), ("allow", 1));
}

#[test]
fn remedies_are_the_cheapest() {
    let check = |forbid: &str, expect: &[Need]| {
        let symbols = Arc::new(Symbols::default());
        let forbid = format!("forbid (principal, action, resource) unless {{ {forbid} }};");
        let set = set(&symbols, &["permit (principal, action, resource);", &forbid]);
        let mut case = Case::new("human:a");
        case.circumstances.authentication = Some(proof(AuthenticationMethod::Federated, 100));
        let (needs, advice) = match case.decide(&set) {
            Decision::Allow(_) => panic!("allowed"),
            Decision::Challenge(challenge) => (challenge.remedy.needs, challenge.remedy.advice),
            Decision::Deny(denial) => denial.remedy.map(|remedy| (remedy.needs, remedy.advice)).unwrap_or_default(),
        };
        assert_eq!((&needs[..], advice.as_deref()), (expect, Some("remedy 1")), "{forbid}");
    };
    let zone = |name: &str| Need::Network { zone: ZoneName::new(name).unwrap() };
    let young = "context has authentication && context.authentication.age < 60";
    check(young, &[Need::SignIn]);
    check(&format!("{young} && context.authentication.multi_factor"), &[Need::PhishingResistantSignIn]);
    check("context has grant || context.network.zones.contains(\"office\")", &[Need::Grant]);
    check("context.network.zones.contains(\"office\")", &[zone("office")]);
    check("context.network.zones.containsAll([\"office\", \"lab\"])", &[]);
    check("context.network.zones.contains(\"loopback\")", &[]);
    check("context has device", &[Need::EnrolledDevice]);
    check("context has device && context.device.managed", &[Need::EnrolledDevice, Need::ManagedDevice]);
    check(&format!("(context has device && context.device.managed) || ({young})"), &[Need::SignIn]);
    check("context.risk > 5", &[]);
}

#[test]
fn records_in_the_wrong_place_deny() {
    let symbols = Arc::new(Symbols::default());
    let set = set(&symbols, &["permit (principal, action, resource);"]);
    let case = Case::new("human:a");
    let (subject, resource) = case.records(&symbols);
    let slice = crate::Slice { subject: &resource, resource: &subject };
    assert!(matches!(
        set.decide(&slice, &case.question()),
        Decision::Deny(Denial { cause: DenialCause::Unavailable, .. })
    ));
}

#[test]
fn an_empty_set_denies() {
    let set = PolicySet::load(Vec::new(), &Arc::new(Symbols::default())).unwrap();
    assert!(matches!(Case::new("human:a").decide(&set), Decision::Deny(Denial { cause: DenialCause::NoPermit, .. })));
}

/// An exception is looked at by the forbids that are relaxable, each for its own id, and by nothing else.
#[test]
fn only_a_relaxable_forbid_looks_at_exceptions_and_only_for_itself() {
    const OWN: &str = "context has \"exception\" && context[\"exception\"].relaxes.contains(\"a\")";
    let forbid = |annotation: &str, clauses: &str| {
        format!("{GOOD}@remedy(\"r\") {annotation}\nforbid (principal, action, resource)\n{clauses};")
    };
    let relaxable = "@relaxable(\"A guard at the door.\")";
    let unless = |condition: &str| format!("unless {{ {condition} }}");
    let good = load(&forbid(relaxable, &format!("when {{ context.risk > 5 }} {}", unless(OWN)))).unwrap();
    assert_eq!(good.policies()[0].relaxable.as_deref(), Some("A guard at the door."));
    assert_eq!(good.relaxable().count(), 1);
    let observed = load(&forbid(&format!("{relaxable} @mode(\"observe\")"), &unless(OWN))).unwrap();
    assert_eq!(observed.relaxable().count(), 0, "there is nothing to relax");

    check(&forbid("@relaxable(\"\")", &unless(OWN)), &[(2, 14, "empty")]);
    check(&forbid(relaxable, "when { context.risk > 5 }"), &[(1, 1, "nothing relaxes it")]);
    check(&forbid("", &unless(OWN)), &[(4, 1, "not @relaxable")]);
    check(
        &format!("{GOOD}{relaxable}\npermit (principal, action, resource)\n{};", unless(OWN)),
        &[(1, 1, "a permit cannot be")],
    );
    let not_like_this = "does not look at exceptions like this";
    for condition in [
        // Another policy's, any, whatever it relaxes, and turned round.
        "context has \"exception\" && context[\"exception\"].relaxes.contains(\"b\")",
        "context has \"exception\"",
        "context has \"exception\" && context[\"exception\"].relaxes.isEmpty()",
        "!(context has \"exception\" && context[\"exception\"].relaxes.contains(\"a\"))",
        // With something beside it that could make it mean anything.
        "context.risk > 5 || (context has \"exception\" && context[\"exception\"].relaxes.contains(\"a\"))",
        "if context has \"exception\" then context.risk > 5 else false",
    ] {
        let diagnostics =
            load(&forbid(relaxable, &format!("{} {}", unless(OWN), unless(condition)))).expect_err(condition);
        assert!(diagnostics.to_string().contains(not_like_this), "{condition}: {diagnostics}");
        let permit = format!("{GOOD}permit (principal, action, resource) when {{ {condition} }};");
        let said = load(&permit).expect_err(condition).to_string();
        assert!(said.contains(not_like_this) || said.contains("not @relaxable"), "{condition}: {said}");
    }
    let whole = load(&forbid("", "when { context == context }")).expect_err("the context as a whole");
    assert!(whole.to_string().contains("as a whole"), "{whole}");
}
