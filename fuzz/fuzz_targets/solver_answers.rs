//! What a solver says: a real one's answers with something else in them, or anything. Whatever it is, nothing is proven by
//! what is not "unsat", and an example is one that the policy engine confirms.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign_policy::{Effect, PolicySet, SourceFile, Symbols};
use countersign_prove::{Options, Solver, Verdict, prove};

static SET: LazyLock<PolicySet> = LazyLock::new(|| {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.to_owned() };
    let policy = r#"@id("p") @owner("o") @review_by("2027-01-01") @remedy("r")
        permit (principal is Human, action in Action::"read", resource)
        when { principal in Group::"staff" && context.risk < 50 && resource.tier != "public" };"#;
    let guardrail = r#"@id("g") @owner("o") @review_by("2027-01-01") @description("d")
        forbid (principal is Human, action in Action::"read", resource)
        when { context.risk > 10 && context has device };"#;
    let files = vec![file("p.cedar", policy), file("guardrails/g.cedar", guardrail)];
    PolicySet::load(files, &Arc::new(Symbols::default())).expect("a set")
});

/// What cvc5 said about this very set.
const ANSWERS: [&str; 3] =
    [include_str!("../answers/1.txt"), include_str!("../answers/2.txt"), include_str!("../answers/3.txt")];

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<(usize, u8, &str)>)| {
    let (number, changes) = input;
    let mut words = ANSWERS.get(usize::from(number)).map_or_else(String::new, |answer| (*answer).to_owned());
    for (at, length, text) in changes {
        let at = (0..=at % (words.len() + 1)).rev().find(|at| words.is_char_boundary(*at)).unwrap_or(0);
        let end = (at + usize::from(length)).min(words.len());
        let end = (end..=words.len()).find(|end| words.is_char_boundary(*end)).unwrap_or(words.len());
        words.replace_range(at..end, text);
    }
    let options = Options { timeout: Duration::from_secs(60), jobs: 1, together: Options::TOGETHER, cache: None };
    let guardrails = &SET.guardrails()[1..];
    let report = prove(&SET, guardrails, &BTreeMap::new(), &Solver::saying(&words), &options, &|_| {});
    match &report.outcomes[0].verdict {
        Verdict::Proven => assert_eq!(words.lines().next().map(str::trim_end), Some("unsat")),
        Verdict::Failed(example) => {
            let decision = example.trial.decide(&SET).expect("plan and reference agree");
            assert_eq!(Effect::of(&decision), Effect::Allow);
        }
        Verdict::Unknown(_) | Verdict::NotRun(_) | Verdict::Fault(_) => {}
    }
});
