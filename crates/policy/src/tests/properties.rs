//! On generated policies and questions: the plan and Cedar's `Authorizer` give the same decision with the same reasons
//! and the same faults, a forbid wins, a forbid that fails denies, order is irrelevant, and a remedy does what it says.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_model::AuthenticationMethod as Method;
use countersign_model::*;
use proptest::prelude::*;

use super::fixtures::*;
use crate::{PolicySet, Record, SourceFile, Symbols};

/// Conditions that validate on their own. The last ones are left to Cedar's evaluator or fail for some questions.
const ATOMS: &[&str] = &[
    "true",
    "false",
    "resource.tier == \"high\"",
    "resource.kind != \"http\"",
    "[\"public\", \"standard\"].contains(resource.tier)",
    "principal in resource.readers",
    "principal in Group::\"a\"",
    "principal in [Group::\"b\", Group::\"c\"]",
    "principal is Human",
    "(principal is Service && principal has owner && principal.owner == Human::\"h1\")",
    "(principal is Agent && principal has acts_for)",
    "principal == Human::\"h1\"",
    "(resource has owner && resource.owner == principal)",
    "(resource has owner && resource.owner == Human::\"h1\")",
    "resource in Segment::\"s1\"",
    "(resource has segment && resource.segment == Segment::\"s2\")",
    "resource == Resource::\"r1\"",
    "resource.readers.contains(Group::\"a\")",
    "resource.readers.containsAny(resource.writers)",
    "resource.writers.containsAll([Group::\"a\", Group::\"b\"])",
    "resource.readers == resource.writers",
    "resource.administrators.isEmpty()",
    "action in Action::\"read\"",
    "action == Action::\"http:connect\"",
    "action in [Action::\"write\", Action::\"administer\"]",
    "context has authentication",
    "(context has authentication && context.authentication.phishing_resistant)",
    "(context has authentication && context.authentication.age <= 3600)",
    "(context has authentication && context.authentication.age * 3 > 86400 - context.risk)",
    "(context has authentication && context.authentication.methods.contains(\"passkey\"))",
    "(context has authentication && context.authentication.methods.containsAny([\"api-key\", \"federated\"]))",
    "(context has device && context.device.managed && context.device.compliant)",
    "(context has device.posture_age && context.device.posture_age < 600)",
    "(context has device && context.device.id == Device::\"laptop\")",
    "context.network.zones.contains(\"office\")",
    "context.network.zones == [\"office\"]",
    "context.network.address.isInRange(ip(\"10.0.0.0/8\"))",
    "context.network.address.isLoopback()",
    "context.network.address == ip(\"2001:db8::1\")",
    "context.time.now < datetime(\"2027-01-15T08:00:01Z\")",
    "context.time.now.toTime() > duration(\"7h59m\")",
    "context.time.now.durationSince(datetime(\"2027-01-01\")).toDays() == 14",
    "context.time.now.toDate() == datetime(\"2027-01-15\")",
    "(context.time.hour >= 9 && context.time.weekday <= 5)",
    "context.time.zone like \"Europe/*\"",
    "context.risk > 50",
    "(if context has grant then context.grant.class == \"read\" else context.risk < 10)",
    "(context has http && context.http.path like \"/admin/*\")",
    "(context has http && context.http.method == \"GET\")",
    "(context has grant && context.grant.id like \"0*\")",
    "{a: resource.tier} == {a: \"high\"}",
    "[resource.tier, \"x\"].contains(\"high\")",
    "decimal(\"1.5\").lessThan(decimal(\"2.0\"))",
    "(resource has owner && resource.owner is Human)",
    "(context has authentication && context.authentication.age + 9223372036854775000 > 5)",
    "context.risk * 9223372036854775807 > 7",
    "context.time.now.offset(duration(\"106751991167d\")) > context.time.now",
];

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal",
    "principal is Human",
    "principal is Service",
    "principal == Human::\"h1\"",
    "principal == Human::\"h2\"",
    "principal in Group::\"a\"",
    "principal is Human in Group::\"b\"",
];

const ACTIONS: &[&str] = &[
    "action",
    "action",
    "action == Action::\"http:read\"",
    "action in Action::\"access\"",
    "action in [Action::\"write\", Action::\"read\"]",
];

const RESOURCES: &[&str] = &[
    "resource",
    "resource",
    "resource == Resource::\"r1\"",
    "resource in Segment::\"s1\"",
    "resource is Resource in Segment::\"s2\"",
];

fn condition() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(ATOMS).prop_map(str::to_owned);
    atom.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

pub(super) fn policy() -> impl Strategy<Value = String> {
    let scope = (prop::sample::select(PRINCIPALS), prop::sample::select(ACTIONS), prop::sample::select(RESOURCES));
    (any::<bool>(), scope, condition(), prop::option::of(condition())).prop_map(|(forbid, scope, when, unless)| {
        let effect = if forbid { "forbid" } else { "permit" };
        let unless = unless.map(|unless| format!(" unless {{ {unless} }}")).unwrap_or_default();
        format!("{effect} ({}, {}, {}) when {{ {when} }}{unless};", scope.0, scope.1, scope.2)
    })
}

fn groups() -> impl Strategy<Value = Vec<GroupId>> {
    let group = prop::sample::select(&["a", "b", "c", "d"][..]).prop_map(|name| GroupId::new(name).unwrap());
    prop::collection::vec(group, 0..3)
}

pub(super) fn known_circumstances() -> impl Strategy<Value = Circumstances> {
    let authentication =
        (prop::sample::select(&Method::ALL[..]), prop::sample::select(&[0_u64, 3600, 3601, 100_000, u64::MAX][..]));
    let laptop = (any::<bool>(), any::<bool>(), prop::option::of(prop::sample::select(&[0_u64, 599, 600][..])));
    let address = prop::sample::select(&["127.0.0.1", "10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1", "::1"][..]);
    let time = (
        prop::sample::select(&[0_i64, 1_799_999_999, 1_800_000_001, -62_167_219_200, 300_000_000_000][..]),
        0_u8..24,
        1_u8..8,
    );
    let rare = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (prop::option::of(authentication), prop::option::of(laptop), address, time, 0_u8..101, rare).prop_map(
        |(authentication, device_of, address, (now, hour, weekday), risk, (grant, exception, http, office))| {
            let mut circumstances = circumstances();
            circumstances.time.now = Timestamp::from_seconds(now);
            (circumstances.time.hour, circumstances.time.weekday, circumstances.risk) = (hour, weekday, risk);
            circumstances.authentication =
                authentication.map(|(method, age)| Authentication { methods: Methods::from([method]), at: NOON, age });
            circumstances.device = device_of.map(|(managed, compliant, age)| device(managed, compliant, age));
            circumstances.network.address = address.parse().unwrap();
            circumstances.network.encrypted = hour % 2 == 0;
            if office {
                circumstances.network.zones.insert(ZoneName::new("office").unwrap());
            }
            circumstances.grant = grant.then(|| GrantCircumstances {
                id: GrantId::from_random(u128::from(risk) << 120),
                class: ActionClass::Read,
                expires: NOON,
            });
            circumstances.exception = exception.then(|| ExceptionCircumstances {
                ids: BTreeSet::new(),
                relaxes: ["p00", "p02"].map(|id| PolicyId::new(id).unwrap()).into(),
                expires: NOON,
            });
            if http {
                circumstances.http = None;
            }
            circumstances
        },
    )
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let subject_id = prop::sample::select(&["human:h1", "human:h2", "service:h1", "agent:g", "anonymous"][..]);
    let entitled = (groups(), groups(), groups());
    let related = (any::<bool>(), any::<bool>(), prop::option::of(prop::sample::select(&["s1", "s2"][..])));
    let class = prop::sample::select(&ActionClass::ALL[..]);
    let what = (prop::sample::select(&Tier::ALL[..]), prop::sample::select(&["r1", "r2"][..]), class);
    (subject_id, groups(), entitled, related, what, known_circumstances()).prop_map(
        |(id, groups, entitled, (owned, mine, segment), (tier, name, class), circumstances)| {
            let mut case = Case::new(id);
            let human: SubjectId = if mine { "human:h1" } else { "human:h2" }.parse().unwrap();
            (case.subject.owner, case.subject.acts_for) = (mine.then(|| human.clone()), owned.then(|| human.clone()));
            case.groups = groups;
            case.resource = resource(name, ResourceKind::Http, tier);
            case.resource.owner = owned.then_some(human);
            case.resource.segment = segment.map(|name| SegmentId::new(name).unwrap());
            case.resource.entitled = Entitled { readers: entitled.0, writers: entitled.1, administrators: entitled.2 };
            case.action = Action::http(class);
            case.circumstances = circumstances;
            case
        },
    )
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} in {:?}, {:?}, {:?}", self.subject, self.groups, self.resource, self.question())
    }
}

fn annotated(policies: &[String], order: &[usize]) -> Vec<SourceFile> {
    let one = |at: &usize| SourceFile {
        path: format!("{at}.cedar").into(),
        text: format!("@id(\"p{at:02}\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"r\")\n{}", policies[*at]),
    };
    order.iter().map(one).collect()
}

/// A generated policy may be one that Cedar refuses, as when a test narrows the principal to a type that it cannot have.
fn load(policies: &[String]) -> Result<PolicySet, TestCaseError> {
    let order: Vec<_> = (0..policies.len()).collect();
    PolicySet::load(annotated(policies, &order), &Arc::new(Symbols::default()))
        .map_err(|diagnostics| TestCaseError::reject(diagnostics.to_string()))
}

/// Few by default, since each case is a hundred decisions twice; `PROPTEST_CASES=8192` for a long run.
pub(super) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.div_ceil(16), max_global_rejects: 100_000, ..default }
}

proptest! {
    #![proptest_config(config())]

    /// `Case::decide` compares plan and Authorizer.
    #[test]
    fn the_plan_and_the_authorizer_agree(
        policies in prop::collection::vec(policy(), 1..8),
        cases in prop::collection::vec(case(), 12),
    ) {
        let set = load(&policies)?;
        for case in &cases {
            let decision = case.decide(&set);
            let forbid = |role: &PolicyReference| role.role == PolicyRole::Forbid;
            let reasons = decision.reasons();
            match &decision {
                Decision::Allow(_) => {
                    prop_assert!(!reasons.determining.is_empty() && !reasons.determining.iter().any(forbid));
                    prop_assert!(!reasons.faults.iter().any(|fault| forbid(&fault.policy)), "a failed forbid denies");
                }
                Decision::Deny(denial) => {
                    prop_assert_eq!(denial.cause == DenialCause::NoPermit, reasons.determining.is_empty());
                    prop_assert!(reasons.determining.iter().all(forbid));
                }
                Decision::Challenge(challenge) => {
                    prop_assert!(challenge.remedy.immediate());
                    prop_assert!(matches!(case.subject.id.kind(), SubjectKind::Human | SubjectKind::Anonymous));
                }
            }
        }
    }

    /// In the table that it was made in, and in another one.
    #[test]
    fn what_was_shown_makes_the_same_record(case in case()) {
        let (symbols, others) = (Symbols::default(), Symbols::default());
        others.intern("Group", "d");
        let (subject, resource) = case.records(&symbols);
        for record in [subject, resource] {
            let shown = record.shown(&symbols).unwrap();
            prop_assert_eq!(&Record::of(&symbols, &shown), &record);
            prop_assert_eq!(Record::of(&others, &shown).shown(&others), Some(shown));
        }
    }

    #[test]
    fn a_forbid_wins_over_whatever_permits(
        policies in prop::collection::vec(policy(), 0..6),
        cases in prop::collection::vec(case(), 4),
    ) {
        let mut all = policies;
        all.push("permit (principal, action, resource);".to_owned());
        all.push("forbid (principal, action, resource);".to_owned());
        let set = load(&all)?;
        for case in &cases {
            let forbidden = matches!(case.decide(&set), Decision::Deny(Denial { cause: DenialCause::Forbidden, .. }));
            prop_assert!(forbidden);
        }
    }

    #[test]
    fn neither_files_nor_their_order_count(
        policies in prop::collection::vec(policy(), 2..7),
        cases in prop::collection::vec(case(), 4),
        turn in 1_usize..7,
    ) {
        let set = load(&policies)?;
        let mut order: Vec<_> = (0..policies.len()).collect();
        order.rotate_left(turn % policies.len());
        let other = PolicySet::load(annotated(&policies, &order), &Arc::new(Symbols::default())).unwrap();
        prop_assert_eq!(set.hash(), other.hash());
        for case in &cases {
            prop_assert_eq!(case.decide(&set), case.decide(&other));
        }
    }

    /// An exception takes away the forbids that it relaxes, and nothing else: no other forbid, and no permit is given.
    #[test]
    fn with_an_exception_is_decided_as_without_what_it_relaxes(
        policies in prop::collection::vec(policy(), 1..7),
        relaxed in prop::collection::vec(any::<bool>(), 7),
        cases in prop::collection::vec(case(), 8),
    ) {
        let id = |at: usize| format!("p{at:02}");
        let relaxable = |(at, policy): (usize, &String)| match policy.strip_suffix(';') {
            Some(rest) if policy.starts_with("forbid") => format!(
                "@relaxable(\"x\") {rest} unless {{ context has \"exception\" && \
                 context[\"exception\"].relaxes.contains({:?}) }};",
                id(at)
            ),
            _ => policy.clone(),
        };
        let all: Vec<String> = policies.iter().enumerate().map(relaxable).collect();
        let goes = |at: &usize| policies[*at].starts_with("forbid") && relaxed[*at];
        let (gone, rest): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(goes);
        let set = load(&all)?;
        let without = PolicySet::load(annotated(&all, &rest), &Arc::new(Symbols::default())).unwrap();
        for mut case in cases {
            case.circumstances.exception = Some(ExceptionCircumstances {
                ids: BTreeSet::new(),
                relaxes: gone.iter().map(|at| PolicyId::new(id(*at)).unwrap()).collect(),
                expires: NOON,
            });
            let decision = case.decide(&set);
            let failed = decision.reasons().faults.iter().any(|fault| fault.policy.role == PolicyRole::Forbid);
            // A forbid that fails denies, relaxed or not.
            prop_assert!(!failed || decision.name() == "deny");
            if !failed {
                prop_assert_eq!(decision.name(), case.decide(&without).name());
            }
        }
    }

    /// A signed-in subject who does what the challenge says is allowed.
    #[test]
    fn a_challenge_that_is_met_is_an_allow(
        policies in prop::collection::vec(policy(), 1..8),
        cases in prop::collection::vec(case(), 12),
    ) {
        let mut all = policies;
        all.push("permit (principal, action, resource);".to_owned());
        all.push(
            "forbid (principal, action, resource) unless { context has authentication && \
             context.authentication.phishing_resistant && context.authentication.age < 60 };".to_owned(),
        );
        let set = load(&all)?;
        for mut case in cases {
            let Decision::Challenge(challenge) = case.decide(&set) else { continue };
            prop_assert_eq!(&challenge.remedy.needs, &[Need::PhishingResistantSignIn]);
            if case.subject.id.kind() == SubjectKind::Human {
                let at = case.circumstances.time.now;
                let fresh = Authentication { methods: Methods::from([Method::Passkey]), at, age: 0 };
                case.circumstances.authentication = Some(fresh);
                prop_assert_eq!(case.decide(&set).name(), "allow");
            }
        }
    }

    /// Whatever stands in a file: a set or diagnostics, and every diagnostic can be shown.
    #[test]
    fn loading_is_total(text in "(permit|forbid|@id|@owner|\\(|\\)|\"|principal|action|resource|when|\\{|\\}|;|==|in|[ a-zé\n\u{1F600}?.,:]|Group|//){0,40}") {
        if let Err(diagnostics) = PolicySet::load(vec![file(&text)], &Arc::new(Symbols::default())) {
            prop_assert!(!diagnostics.is_empty() && !diagnostics.to_string().is_empty());
        }
    }
}

#[test]
fn every_atom_validates() {
    for atom in ATOMS {
        let symbols = Arc::new(Symbols::default());
        let set = set(&symbols, &[&format!("permit (principal, action, resource) when {{ {atom} }};")]);
        assert_eq!(set.policies().len(), 1);
    }
}
