//! Freshness, names, routes and actions.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::time::Duration;

use crate::{
    Action, ActionClass, ActionRule, Decision, Entitled, Fact, Finding, Name, NameError, PathPattern, PostureAspect,
    PostureRequirements, PostureValue, Resource, ResourceId, ResourceKind, Route, SessionId, Source, SubjectId, Tier,
    Timestamp, Upstream, visible,
};

const NOON: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn reported(value: PostureValue, age: u64) -> Fact<PostureValue> {
    let observed = NOON.minus(Duration::from_secs(age));
    Fact { value, source: Source::DeviceReport, observed, max_age: Duration::from_secs(900) }
}

#[test]
fn a_fact_counts_until_its_age_and_not_from_the_future() {
    let check = |age: i64, expect: bool| {
        let observed = Timestamp::from_seconds(NOON.seconds() - age);
        let fact = Fact { value: (), source: Source::DeviceReport, observed, max_age: Duration::from_secs(900) };
        assert_eq!(fact.current(NOON).is_some(), expect, "age {age} s");
    };
    check(0, true);
    check(899, true);
    check(900, false);
    check(-1, false);
}

#[test]
fn unknown_and_stale_are_not_passed() {
    let requirements = PostureRequirements::default();
    let mut posture = requirements
        .required
        .keys()
        .map(|&aspect| match aspect {
            PostureAspect::PatchAge => (aspect, reported(PostureValue::Days(3), 60)),
            _ => (aspect, reported(PostureValue::On, 60)),
        })
        .collect::<std::collections::BTreeMap<_, _>>();
    let assessment = requirements.assess(&posture, NOON);
    assert!(assessment.compliant());
    assert_eq!(assessment.holds_until, NOON.plus(Duration::from_secs(840)));
    assert!(!requirements.assess(&posture, assessment.holds_until).compliant());

    posture.insert(PostureAspect::Firewall, reported(PostureValue::On, 901));
    posture.insert(PostureAspect::DiskEncryption, reported(PostureValue::Days(1), 0));
    posture.remove(&PostureAspect::PatchAge);
    let findings = requirements.assess(&posture, NOON).findings;
    assert_eq!(findings.get(&PostureAspect::Firewall), Some(&Finding::Stale));
    assert_eq!(findings.get(&PostureAspect::DiskEncryption), Some(&Finding::Failed));
    assert_eq!(findings.get(&PostureAspect::PatchAge), Some(&Finding::Unknown));
    assert_eq!(findings.len(), 3);
}

#[test]
fn names_are_safe_to_print() {
    assert!(Name::new("Zoë Müller@example.org").is_ok());
    assert_eq!(Name::new(""), Err(NameError::Empty));
    assert_eq!(Name::new(" a"), Err(NameError::Padded));
    assert_eq!(Name::new("a\nb"), Err(NameError::Forbidden(10)));
    for hidden in
        "\u{202E}\u{E0001}\u{E007F}\u{E01EF}\u{AD}\u{3164}\u{180E}\u{FE0F}\u{2028}\u{2029}\u{200D}\u{7}".chars()
    {
        assert_eq!(Name::new(format!("a{hidden}b")), Err(NameError::Forbidden(u32::from(hidden))), "{hidden:?}");
        assert_eq!(visible(hidden), '\u{FFFD}');
    }
    for seen in ["Zoë Ångström", "山田 太郎", "Ωμέγα", "o'brien", "🦀"] {
        assert_eq!(Name::new(seen).unwrap().as_str(), seen);
    }
    assert_eq!(Name::new("x".repeat(257)), Err(NameError::TooLong(257)));
}

#[test]
fn ids_read_back_as_written() {
    for text in ["human:alice@example.org", "service:a:b", "agent:x", "anonymous"] {
        assert_eq!(text.parse::<SubjectId>().unwrap().to_string(), text);
    }
    assert!("alice".parse::<SubjectId>().is_err());
    assert!("robot:x".parse::<SubjectId>().is_err());
    let id = SessionId::from_random(0xabc);
    assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
    assert!("+0000000000000000000000000000abc".parse::<SessionId>().is_err());
    assert!("0ABC".parse::<SessionId>().is_err());
    for action in Action::all() {
        assert_eq!(action.to_string().parse::<Action>().unwrap(), action);
    }
    for instant in [NOON, Timestamp::FOREVER] {
        assert_eq!(instant.to_string().parse::<Timestamp>().unwrap(), instant);
    }
}

#[test]
fn a_route_covers_whole_segments() {
    let route = Route { host: "wiki.localhost".into(), path_prefix: "/app".into() };
    for (path, expect) in [
        ("/app", true),
        ("/app/", true),
        ("/app/x", true),
        ("/App/x", true),
        ("/APP", true),
        ("/apple", false),
        ("/ap", false),
        ("/", false),
        ("/ä", false),
    ] {
        assert_eq!(route.covers("wiki.localhost", path), expect, "{path}");
    }
    assert!(!route.covers("other.localhost", "/app"));
    let root = Route { host: "wiki.localhost".into(), path_prefix: "/".into() };
    assert!(root.covers("wiki.localhost", "/"));
    assert!(root.covers("wiki.localhost", "/anything"));
}

#[test]
fn rules_come_before_methods() {
    let rule = |methods: &[&str], path: &str, action| ActionRule {
        methods: methods.iter().map(ToString::to_string).collect(),
        path: PathPattern(path.into()),
        action,
    };
    let resource = Resource {
        id: ResourceId::new("wiki").unwrap(),
        display_name: "Wiki".into(),
        kind: ResourceKind::Http,
        tier: Tier::Standard,
        segment: None,
        owner: None,
        source: Source::Configuration,
        routes: vec![],
        upstream: Upstream::Internal { part: "x".into() },
        rules: vec![rule(&["POST"], "/search", ActionClass::Read), rule(&[], "/admin/*", ActionClass::Administer)],
        entitled: Entitled::default(),
        observe_until: None,
    };
    let check = |method: &str, path: &str, upgrade: bool, expect: ActionClass| {
        assert_eq!(resource.http_action(method, path, upgrade).class, expect, "{method} {path} {upgrade}");
    };
    check("GET", "/", false, ActionClass::Read);
    check("GET", "/ADMIN/x", false, ActionClass::Administer);
    check("GET", "/Admin", false, ActionClass::Administer);
    check("POST", "/Search", false, ActionClass::Read);
    check("POST", "/", false, ActionClass::Write);
    check("BREW", "/", false, ActionClass::Write);
    check("POST", "/search", false, ActionClass::Read);
    check("GET", "/admin", false, ActionClass::Administer);
    check("GET", "/administrator", false, ActionClass::Read);
    check("GET", "/live", true, ActionClass::Connect);
    check("GET", "/admin/live", true, ActionClass::Administer);
    check("POST", "/search", true, ActionClass::Connect);
}

#[test]
fn the_zero_value_denies() {
    assert_eq!(Decision::default().name(), "deny");
}

/// What a person is told to do: complete, in order, and nothing twice.
#[test]
fn a_remedy_says_each_thing_once() {
    use crate::{Need as N, PostureAspect, Remedy};
    let compliant = |failing: &[PostureAspect]| N::CompliantDevice { failing: failing.iter().copied().collect() };
    let advice = "Use a managed device. Use a managed device whose security settings pass.";
    let failing = [PostureAspect::DiskEncryption, PostureAspect::ScreenLock];
    for (needs, steps) in [
        (vec![N::SignIn], &["Sign in."][..]),
        (vec![N::PhishingResistantSignIn], &["Confirm that it is you with your passkey."]),
        (vec![N::EnrolledDevice], &["Use a device that is enrolled with Countersign."]),
        (vec![N::EnrolledDevice, N::ManagedDevice], &["Use a device that your organisation manages."]),
        (
            vec![N::SignIn, N::EnrolledDevice, N::ManagedDevice, compliant(&[])],
            &["Sign in.", "Use a device that your organisation manages and whose security settings pass."],
        ),
        (vec![compliant(&[])], &["Let this device report its security settings again, then try again."]),
        (
            vec![compliant(&failing), N::Grant, N::Network { zone: crate::ZoneName::new("office").unwrap() }],
            &[
                "Put this right on the device, then try again: disk encryption, screen lock.",
                "Ask for temporary access.",
                "Connect from the network “office”.",
            ],
        ),
        (vec![], &[advice]),
    ] {
        assert_eq!(Remedy { needs, advice: Some(advice.to_owned()) }.steps(), steps);
    }
    assert!(Remedy { needs: vec![], advice: None }.steps().is_empty());
}
