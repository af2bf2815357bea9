//! Observe mode: what is observed changes no decision that counts, what would be decided with it is what a set decides in
//! which it is enforced, and a resource in observe mode lets through what policies deny and nothing else.

use std::sync::Arc;
use std::time::Duration;

use countersign_model::*;
use proptest::prelude::*;

use super::fixtures::*;
use super::properties::{case, config, policy};
use crate::{Effect, KnownNames, Mode, PolicySet, Severity, Slice, SourceFile, Symbols, lint};

/// Those that `takes` picks, each by its place in `policies`.
fn load(policies: &[(String, bool)], takes: impl Fn(bool) -> Option<Mode>) -> Result<PolicySet, TestCaseError> {
    let one = |(at, (text, observed)): (usize, &(String, bool))| {
        let mode = match takes(*observed)? {
            Mode::Enforce => "",
            Mode::Observe => "@mode(\"observe\") ",
        };
        let head = format!("@id(\"p{at:02}\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"r\") {mode}");
        Some(SourceFile { path: format!("{at}.cedar").into(), text: format!("{head}\n{text}") })
    };
    PolicySet::load(policies.iter().enumerate().filter_map(one).collect(), &Arc::new(Symbols::default()))
        .map_err(|diagnostics| TestCaseError::reject(diagnostics.to_string()))
}

fn judged(set: &PolicySet, case: &Case) -> (Decision, Option<Observed>) {
    let (subject, resource) = case.records(&set.symbols);
    let slice = Slice { subject: &subject, resource: &resource };
    let question = case.question();
    let judged = set.judge(&slice, &question);
    assert_eq!(judged, set.judge_by_reference(&slice, &question), "plan and Authorizer differ: {case:?}");
    let effect = set.effect(&slice, question.action, question.session, &question.circumstances);
    assert_eq!(effect, Effect::of(&judged.decision), "{case:?}");
    (judged.decision, judged.observed)
}

fn forbid_failed(decision: &Decision) -> bool {
    let forbid = |fault: &PolicyFault| fault.policy.role == PolicyRole::Forbid;
    decision.reasons().faults.iter().any(forbid)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_observed_changes_nothing_and_is_told(
        policies in prop::collection::vec((policy(), any::<bool>()), 1..8),
        cases in prop::collection::vec(case(), 12),
        observe in any::<bool>(),
    ) {
        let set = load(&policies, |observed| Some(if observed { Mode::Observe } else { Mode::Enforce }))?;
        let without = load(&policies, |observed| (!observed).then_some(Mode::Enforce))?;
        let with = load(&policies, |_| Some(Mode::Enforce))?;
        prop_assert_eq!(set.time(), without.time());
        for mut case in cases {
            // Some instants that are drawn lie beyond the end of it.
            let end = case.circumstances.time.now.plus(Duration::from_millis(1));
            case.resource.observe_until = observe.then_some(end);
            let open = observe && case.circumstances.time.now < end;
            let enforced = case.decide(&without);
            let full = case.decide(&with);
            prop_assert_eq!(&case.decide(&set), &enforced);
            let (decision, observed) = judged(&set, &case);
            let by_policy = match &enforced {
                Decision::Allow(_) => false,
                Decision::Challenge(_) => true,
                Decision::Deny(denial) => denial.cause.is_of_policy(),
            };
            if open && by_policy && !forbid_failed(&enforced) {
                prop_assert_eq!(decision, Decision::Allow(Allowance { reasons: Reasons::default() }));
                prop_assert_eq!(observed, Some(Observed { because: ObservedBecause::Resource, decision: full }));
            } else {
                let differs = Effect::of(&enforced) != Effect::of(&full);
                let expected = Observed { because: ObservedBecause::Policies, decision: full };
                prop_assert_eq!(decision, enforced);
                prop_assert_eq!(observed, differs.then_some(expected));
            }
        }
    }
}

/// What everybody may, but for a forbid that fails on a grown risk.
const OPEN: &str = "permit (principal, action, resource) when { context.risk < 60 };";
const FAILS: &str =
    "forbid (principal, action, resource) when { context.risk > 50 && context.risk * 9223372036854775807 > 7 };";

fn of_risk(risk: u8, observe_until: Option<Timestamp>) -> Case {
    let mut case = Case::new("human:h1");
    case.circumstances.risk = risk;
    case.resource.observe_until = observe_until;
    case
}

#[test]
fn it_ends_at_its_instant_and_a_forbid_that_fails_denies_within() {
    let symbols = Arc::new(Symbols::default());
    let set = set(&symbols, &[OPEN]);
    let after = |span| Some(NOON.plus(Duration::from_millis(span)));
    assert_eq!(judged(&set, &of_risk(90, after(1))).0.name(), "allow");
    assert_eq!(judged(&set, &of_risk(90, after(0))), (case_denied(&set), None));
    assert_eq!(judged(&set, &of_risk(90, Some(NOON.minus(Duration::from_millis(1))))), (case_denied(&set), None));

    let failing = super::fixtures::set(&symbols, &[OPEN, FAILS]);
    for until in [None, after(1)] {
        let (decision, observed) = judged(&failing, &of_risk(90, until));
        assert!(matches!(decision, Decision::Deny(Denial { cause: DenialCause::ForbidFailed, .. })));
        assert_eq!(observed, None);
    }
}

fn case_denied(set: &PolicySet) -> Decision {
    let decision = of_risk(90, None).decide(set);
    assert!(matches!(decision, Decision::Deny(Denial { cause: DenialCause::NoPermit, .. })));
    decision
}

#[test]
fn no_part_of_countersign_is_in_observe_mode() {
    let symbols = Arc::new(Symbols::default());
    let set = set(&symbols, &[OPEN]);
    let mut case = of_risk(90, Some(Timestamp::FOREVER));
    case.resource.kind = ResourceKind::Countersign;
    let (decision, observed) = judged(&set, &case);
    assert_eq!((decision.name(), observed), ("deny", None));
    // Nor does it become one by being recorded.
    let (_, record) = case.records(&symbols);
    let Some(Shown::Resource(shown)) = record.shown(&symbols) else { panic!("a resource is shown as one") };
    assert_eq!(shown.observe_until, None);
}

#[test]
fn both_at_once_are_told_apart() {
    let observed_permit = "@mode(\"observe\")\npermit (principal, action, resource);";
    let text = |policies: &[&str]| {
        let head = |at: usize| format!("@id(\"p{at}\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"r\")\n");
        policies.iter().enumerate().map(|(at, policy)| head(at) + policy + "\n").collect::<String>()
    };
    let load = |policies: &[&str]| PolicySet::load(vec![file(&text(policies))], &Arc::default()).unwrap();
    let set = load(&[observed_permit]);
    // An observed permit opens nothing …
    let (decision, observed) = judged(&set, &of_risk(0, None));
    let observed = observed.unwrap();
    assert_eq!(
        (decision.name(), observed.because, observed.decision.name()),
        ("deny", ObservedBecause::Policies, "allow")
    );
    // … and where the resource lets it through, that is what is said.
    let (decision, observed) = judged(&set, &of_risk(0, Some(Timestamp::FOREVER)));
    let observed = observed.unwrap();
    assert_eq!(
        (decision.name(), observed.because, observed.decision.name()),
        ("allow", ObservedBecause::Resource, "allow")
    );
    assert!(decision.reasons().determining.is_empty());
    // As if enforced, it opens.
    let enforced = set.as_enforced();
    assert_eq!(judged(&enforced, &of_risk(0, None)).0.name(), "allow");
    assert!(enforced.observed().next().is_none());
    // An observed forbid denies nothing, on a resource in observe mode neither.
    let set = load(&[OPEN, "@mode(\"observe\")\nforbid (principal, action, resource);"]);
    for until in [None, Some(Timestamp::FOREVER)] {
        let (decision, observed) = judged(&set, &of_risk(0, until));
        let observed = observed.unwrap();
        let told = (decision.name(), observed.because, observed.decision.name());
        assert_eq!(told, ("allow", ObservedBecause::Policies, "deny"));
    }
    assert_ne!(set.hash(), load(&[OPEN, "forbid (principal, action, resource);"]).hash());
}

#[test]
fn a_mode_that_is_none_is_a_mistake() {
    let text =
        "@id(\"a\") @owner(\"o\") @review_by(\"2027-01-01\")\n@mode(\"watch\")\npermit (principal, action, resource);";
    let mistakes = PolicySet::load(vec![file(text)], &Arc::default()).unwrap_err().to_string();
    assert!(mistakes.contains("\"watch\" is no mode") && mistakes.contains("test.cedar:2"), "{mistakes}");
    assert!(mistakes.contains("@mode(\"observe\") records"), "{mistakes}");
    let plain = text.replace("watch", "enforce");
    let set = PolicySet::load(vec![file(&plain)], &Arc::default()).unwrap();
    assert_eq!(set.policies()[0].mode, Mode::Enforce);
}

#[test]
fn lint_names_what_is_observed_and_takes_it_for_nothing_that_counts() {
    let text = "@id(\"a\") @owner(\"o\") @review_by(\"2030-01-01\")\npermit (principal, action, resource);\n\
        @id(\"b\") @owner(\"o\") @review_by(\"2030-01-01\") @remedy(\"r\") @mode(\"observe\")\n\
        forbid (principal, action, resource);";
    let rules = |text: &str| -> Vec<_> {
        let found = lint(vec![file(text)], NOON, None::<&KnownNames>);
        assert!(found.iter().all(|finding| finding.severity == Severity::Warning));
        found.into_iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules(text), ["observed"]);
    assert_eq!(rules(&text.replace(" @mode(\"observe\")", "")), ["unreachable"]);
}
