//! The starter policies decide what their texts say, and say what would change it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use countersign_model::AuthenticationMethod as Method;
use countersign_model::*;

use super::fixtures::*;
use crate::{PolicySet, Symbols};

static STARTER: LazyLock<PolicySet> = LazyLock::new(|| {
    PolicySet::load(starter_files(), &Arc::new(Symbols::default()))
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
});

#[test]
fn they_load_without_a_warning_and_compile() {
    assert!(STARTER.warnings().is_empty(), "{:?}", STARTER.warnings());
    assert!(STARTER.policies().iter().all(|info| info.compiled), "every starter policy is compiled");
    assert_eq!(STARTER.age_thresholds(), [601, 3601, 43201]);
    assert!(!STARTER.time().continuous && !STARTER.time().hours && STARTER.time().instants.is_empty());
}

fn owner() -> Case {
    let mut case = Case::new("human:olga");
    case.groups = vec![GroupId::new("owners").unwrap()];
    case.circumstances.authentication = Some(proof(Method::Passkey, 60));
    case
}

fn member(group: &str) -> Case {
    Case { groups: vec![GroupId::new(group).unwrap()], ..Case::new("human:mia") }
}

fn needs(decision: &Decision) -> Vec<Need> {
    match decision {
        Decision::Allow(_) => panic!("allowed: {decision:?}"),
        Decision::Challenge(challenge) => challenge.remedy.needs.clone(),
        Decision::Deny(denial) => denial.remedy.as_ref().map(|remedy| remedy.needs.clone()).unwrap_or_default(),
    }
}

#[test]
fn a_fresh_laptop_is_useful() {
    let mut case = owner();
    loopback(&mut case.circumstances);
    for class in [ActionClass::Read, ActionClass::Write, ActionClass::Connect] {
        case.action = Action::http(class);
        assert_eq!(case.decide(&STARTER).name(), "allow", "{class:?}");
    }
    for (part, tier) in
        [("countersign-console", Tier::High), ("countersign-api", Tier::High), ("countersign-portal", Tier::Standard)]
    {
        case.resource = resource(part, ResourceKind::Countersign, tier);
        for class in ActionClass::ALL {
            case.action = Action::http(class);
            assert_eq!(case.decide(&STARTER).name(), "allow", "{part} {class:?}");
        }
    }
}

#[test]
fn the_console_from_afar_needs_a_healthy_device() {
    let mut case = owner();
    case.resource = resource("countersign-console", ResourceKind::Countersign, Tier::High);
    let decision = case.decide(&STARTER);
    let none = BTreeSet::new();
    let device = [Need::EnrolledDevice, Need::ManagedDevice, Need::CompliantDevice { failing: none }];
    assert_eq!(needs(&decision), device, "{decision:?}");
    case.circumstances.device = Some(device_of(true, false));
    let failing = BTreeSet::from([PostureAspect::Firewall]);
    assert_eq!(needs(&case.decide(&STARTER)), [Need::CompliantDevice { failing }]);
    case.circumstances.device = Some(device_of(true, true));
    assert_eq!(case.decide(&STARTER).name(), "allow");
}

fn device_of(managed: bool, compliant: bool) -> DeviceCircumstances {
    device(managed, compliant, Some(60))
}

#[test]
fn whoever_is_anonymous_is_asked_to_sign_in() {
    let mut case = Case::new("anonymous");
    let decision = case.decide(&STARTER);
    assert_eq!((decision.name(), needs(&decision)), ("challenge", vec![Need::SignIn]));
    case.resource = resource("countersign-console", ResourceKind::Countersign, Tier::High);
    loopback(&mut case.circumstances);
    let decision = case.decide(&STARTER);
    assert_eq!((decision.name(), needs(&decision)), ("challenge", vec![Need::PhishingResistantSignIn]));
    case.resource = resource("countersign-sign-in", ResourceKind::Countersign, Tier::Public);
    case.action = Action::http(ActionClass::Write);
    assert_eq!(case.decide(&STARTER).name(), "allow");
}

#[test]
fn a_crown_jewel_asks_for_the_passkey_again() {
    let mut case = member("readers");
    case.resource = resource("vault", ResourceKind::Http, Tier::CrownJewel);
    case.circumstances.device = Some(device_of(true, true));
    for (method, age, expect) in [
        (Method::Passkey, 3600, "allow"),
        (Method::Passkey, 3601, "challenge"),
        (Method::FederatedMultiFactor, 1, "challenge"),
        (Method::FederatedPhishingResistant, 1, "allow"),
    ] {
        case.circumstances.authentication = Some(proof(method, age));
        let decision = case.decide(&STARTER);
        assert_eq!(decision.name(), expect, "{method} {age}");
        if expect == "challenge" {
            assert_eq!(needs(&decision), [Need::PhishingResistantSignIn]);
        }
    }
    // Also a posture that is not fresh enough, at once with the sign-in: nothing that can be done in front of the screen.
    case.circumstances.device = Some(device(true, true, Some(601)));
    case.circumstances.authentication = Some(proof(Method::Passkey, 3601));
    let decision = case.decide(&STARTER);
    let device = Need::CompliantDevice { failing: BTreeSet::new() };
    assert_eq!((decision.name(), needs(&decision)), ("deny", vec![Need::PhishingResistantSignIn, device]));
    let Decision::Deny(denial) = decision else { panic!("no denial") };
    assert_eq!(denial.cause, DenialCause::Forbidden);
    assert_eq!(denial.reasons.determining.len(), 2);
    let advice = denial.remedy.unwrap().advice.unwrap();
    assert!(advice.contains("once an hour") && advice.contains("within the last ten minutes"), "{advice}");
    let read = |name: &str| denial.reasons.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.clone());
    assert_eq!(read("resource.tier").as_deref(), Some("crown-jewel"));
    assert_eq!(read("context.authentication.age").as_deref(), Some("3601"));
    assert_eq!(read("context.device.posture_age").as_deref(), Some("601"));
}

#[test]
fn nobody_who_is_not_entitled_is_told_to_try_harder() {
    let mut case = member("somebody-else");
    case.circumstances.authentication = Some(proof(Method::Passkey, 60));
    let Decision::Deny(denial) = case.decide(&STARTER) else { panic!("no denial") };
    assert_eq!((denial.cause, denial.remedy), (DenialCause::NoPermit, None));
    assert!(denial.reasons.facts.iter().any(|fact| fact.name == "resource.readers" && fact.value.contains("readers")));
}

#[test]
fn a_service_is_never_asked_for_a_passkey() {
    let mut case = Case::new("service:backup");
    case.groups = vec![GroupId::new("readers").unwrap()];
    case.circumstances.authentication = None;
    let decision = case.decide(&STARTER);
    assert_eq!((decision.name(), needs(&decision)), ("deny", vec![]));
    case.circumstances.authentication = Some(proof(Method::ApiKey, 0));
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.resource.tier = Tier::High;
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.circumstances.network.encrypted = false;
    assert_eq!(case.decide(&STARTER).name(), "deny");
    loopback(&mut case.circumstances);
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.resource.tier = Tier::CrownJewel;
    assert_eq!(case.decide(&STARTER).name(), "deny");
}

#[test]
fn the_local_operator_is_local() {
    let mut case = Case::new("service:local-operator");
    case.resource = resource("countersign-api", ResourceKind::Countersign, Tier::High);
    case.action = Action::http(ActionClass::Administer);
    case.circumstances.authentication = Some(proof(Method::LocalOperator, 0));
    assert_eq!(case.decide(&STARTER).name(), "deny");
    loopback(&mut case.circumstances);
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.circumstances.authentication = Some(proof(Method::ApiKey, 0));
    assert_eq!(case.decide(&STARTER).name(), "deny", "an API key of that name is not the key in the data directory");
}

#[test]
fn an_agent_acts_for_somebody_and_never_administers() {
    let mut case = Case::new("agent:planner");
    case.groups = vec![GroupId::new("administrators").unwrap()];
    case.circumstances.authentication = Some(proof(Method::ApiKey, 0));
    assert_eq!(case.decide(&STARTER).name(), "deny");
    case.subject.acts_for = Some("human:mia".parse().unwrap());
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.action = Action::http(ActionClass::Administer);
    assert_eq!(case.decide(&STARTER).name(), "deny");
}

#[test]
fn an_unmanaged_device_reads_and_no_more() {
    let mut case = member("writers");
    case.circumstances.authentication = Some(proof(Method::Passkey, 60));
    case.circumstances.device = Some(device_of(false, true));
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.action = Action::http(ActionClass::Write);
    assert_eq!(needs(&case.decide(&STARTER)), [Need::ManagedDevice]);
    case.circumstances.device = Some(device_of(true, true));
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.circumstances.risk = 70;
    let decision = case.decide(&STARTER);
    assert_eq!((decision.name(), needs(&decision)), ("deny", vec![]));
}

#[test]
fn everybody_is_every_human() {
    let mut case = Case::new("human:new");
    case.circumstances.authentication = Some(proof(Method::Passkey, 60));
    case.resource.entitled.readers = vec![GroupId::new(crate::EVERYONE).unwrap()];
    assert_eq!(case.decide(&STARTER).name(), "allow");
    case.subject = subject("service:new");
    case.circumstances.authentication = Some(proof(Method::ApiKey, 0));
    assert_eq!(case.decide(&STARTER).name(), "deny");
}
