//! Observe mode, live: what is let through is recorded with what it would have been, a lease that it gave ends with it, and
//! what is refused before policies are asked stays refused.

use countersign_model::ObservedBecause;

use super::*;
use crate::{ActError, Actor, Inquiry, Page, RequestCondition, Stated, Under, WhoCan};

const OBSERVED_FORBID: &str = r#"
@id("nobody") @owner("test") @review_by("2030-01-01") @remedy("Wait.") @mode("observe")
forbid (principal, action, resource) when { resource.tier == "high" };
"#;

fn end() -> Timestamp {
    NOW.plus(Duration::from_secs(300))
}

fn observed_until(name: &str, tier: Tier, until: Timestamp) -> SignalKind {
    SignalKind::ResourcePut { resource: Resource { observe_until: Some(until), ..resource(name, tier) } }
}

fn stranger(name: &str) -> AccessRequest {
    let (credential, device) = (Credential::Absent, DeviceEvidence::Absent);
    AccessRequest { credential, device, ..request(Some(name), ActionClass::Read) }
}

impl House {
    fn recorded(&self, lease: &Lease) -> DecisionEntry {
        decision(self.administrator.decision(lease.decision()).unwrap().unwrap().1)
    }
}

/// The policies that a decision names.
fn by(decision: &Decision) -> Vec<&str> {
    decision.reasons().determining.iter().map(|policy| policy.id.as_str()).collect()
}

#[tokio::test]
async fn what_is_let_through_is_recorded_and_ends_at_its_instant() {
    let house = House::new().await;
    house.submit(observed_until("ledgerbook", Tier::High, end())).await;
    let own = house.open("ledgerbook").await;
    assert_eq!(house.recorded(&own).observed, None, "policies allow it, and it says no more");

    let lease = house.gate.open(stranger("ledgerbook")).await.unwrap();
    let principal = lease.principal();
    assert_eq!((&principal.subject, principal.session), (&SubjectId::anonymous(), None));
    assert!(principal.groups.is_empty() && principal.device.is_none() && principal.email.is_none());
    let entry = house.recorded(&lease);
    assert_eq!((entry.decision.name(), by(&entry.decision).len()), ("allow", 0));
    assert_eq!(entry.lease, Some(lease.id()));
    let observed = entry.observed.unwrap();
    assert_eq!(observed.because, ObservedBecause::Resource);
    assert_eq!(by(&observed.decision), ["healthy"]);

    // A forbid against risk is a denial that would have been.
    house.submit(SignalKind::RiskChanged { subject: alice(), risk: 90, reason: "seen elsewhere".to_owned() }).await;
    assert!(own.watch().revocation().is_none() && lease.watch().revocation().is_none());
    let risky = house.recorded(&house.open("ledgerbook").await).observed.unwrap();
    assert_eq!((risky.decision.name(), by(&risky.decision)), ("deny", vec!["calm"]));

    house.clock.set(end());
    for lease in [&own, &lease] {
        let revocation = lease.watch().revoked().await;
        assert_eq!((revocation.at, revocation.cause), (end(), RevocationCause::TimePassed));
    }
    let (refused, _) = house.refused(request(Some("ledgerbook"), ActionClass::Read)).await;
    assert_eq!((cause(&refused.decision), refused.observed), (DenialCause::Forbidden, None));
    let difference = |entry: &Entry| matches!(entry.body, EntryBody::ShadowDifference { .. });
    assert!(!house.entries().await.iter().any(difference));
}

#[tokio::test]
async fn taken_away_it_cuts_what_it_let_through() {
    let house = House::new().await;
    house.submit(observed_until("ledgerbook", Tier::High, end())).await;
    let (own, lease) = (house.open("ledgerbook").await, house.gate.open(stranger("ledgerbook")).await.unwrap());
    house.submit(SignalKind::ResourcePut { resource: resource("ledgerbook", Tier::High) }).await;
    assert_eq!(lease.watch().revocation().unwrap().cause, RevocationCause::FactChanged);
    assert!(own.watch().revocation().is_none());
}

#[tokio::test]
async fn what_no_policy_refuses_stays_refused() {
    let house = House::new().await;
    house.submit(observed_until("ledgerbook", Tier::High, end())).await;
    let mut forged = stranger("ledgerbook");
    forged.credential = Credential::Bearer(CredentialSecret::new("cs_forged_0000"));
    house.gate.open(forged).await.unwrap_err();
    let (unknown, _) = house.refused(request(Some("nowhere"), ActionClass::Read)).await;
    assert_eq!(cause(&unknown.decision), DenialCause::UnknownResource);
    house.submit(SignalKind::SubjectState { id: alice(), state: SubjectState::Disabled }).await;
    let (disabled, _) = house.refused(request(Some("ledgerbook"), ActionClass::Read)).await;
    assert_eq!((cause(&disabled.decision), disabled.observed), (DenialCause::SubjectDisabled, None));
}

/// Whoever has put it in, and for how long, is bounded where it is put; Countersign's own is enforced always.
#[tokio::test]
async fn it_is_bounded_and_never_for_countersign_itself() {
    let house = House::new().await;
    let actor = Actor { subject: alice(), decision: None };
    let days = |days: u64| NOW.plus(Duration::from_secs(days * 24 * 3600));
    let until = |until| Resource { observe_until: Some(until), ..resource("ledgerbook", Tier::High) };
    let refused = house.administrator.put_resource(until(days(91)), &actor).await.unwrap_err();
    let ActError::Refused(why) = &refused else { panic!("{refused:?}") };
    assert!(why.contains("within 90 days"), "{why}");
    house.administrator.put_resource(until(days(90)), &actor).await.unwrap();

    let console = house.administrator.resource(&ResourceId::new("countersign-console").unwrap()).unwrap();
    let console = Resource { observe_until: Some(days(1)), ..(*console).clone() };
    let refused = house.administrator.put_resource(console.clone(), &actor).await.unwrap_err();
    assert!(matches!(refused, ActError::Refused(_)));
    assert_eq!(console.observed_until(NOW), None);
    let said = |entry: &Entry| matches!(&entry.body, EntryBody::Act(act) if act.verb == "resource.put" && act.detail.starts_with("in observe mode until"));
    assert_eq!(house.entries().await.iter().filter(|entry| said(entry)).count(), 1);
}

#[tokio::test]
async fn an_observed_policy_changes_nothing_and_is_told() {
    let house = House::new().await;
    let them = &house.administrator;
    let lease = house.open("ledgerbook").await;
    them.publish(policies(&format!("{POLICY}{OBSERVED_FORBID}"), them.symbols()), None).await.unwrap();
    assert!(lease.watch().revocation().is_none());
    let entry = house.recorded(&house.open("ledgerbook").await);
    let observed = entry.observed.unwrap();
    assert_eq!((entry.decision.name(), observed.because), ("allow", ObservedBecause::Policies));
    assert_eq!((observed.decision.name(), by(&observed.decision)), ("deny", vec!["nobody"]));
    // Where both would deny, there is nothing to tell.
    house.submit(SignalKind::DeviceManaged { id: laptop(), managed: false }).await;
    let (refused, _) = house.refused(request(Some("ledgerbook"), ActionClass::Read)).await;
    assert_eq!((by(&refused.decision), refused.observed.is_some()), (vec!["healthy"], false));
    let difference = |entry: &Entry| matches!(entry.body, EntryBody::ShadowDifference { .. });
    assert!(!house.entries().await.iter().any(difference));

    them.publish(policies(&format!("{POLICY}{}", OBSERVED_FORBID.replace("observe", "enforce")), them.symbols()), None)
        .await
        .unwrap();
    house.submit(SignalKind::DeviceManaged { id: laptop(), managed: true }).await;
    let (refused, _) = house.refused(request(Some("ledgerbook"), ActionClass::Read)).await;
    assert_eq!(by(&refused.decision), ["nobody"]);
}

/// Whoever asks without a lease, and whoever asks who can, is told the same.
#[tokio::test]
async fn it_is_said_wherever_it_is_asked() {
    let house = House::new().await;
    house.submit(observed_until("ledgerbook", Tier::High, end())).await;
    let (subject, id) = (alice(), ResourceId::new("ledgerbook").unwrap());
    let action = Action::http(ActionClass::Read);
    let inquiry = Inquiry { subject: subject.clone(), action, resource: id.clone(), stated: Stated::default() };
    let answered = house.administrator.inquire(inquiry, &SubjectId::service("proxy").unwrap()).await.unwrap();
    assert_eq!(answered.decision.name(), "allow");
    let observed = answered.observed.unwrap();
    assert_eq!((observed.because, observed.decision.name()), (ObservedBecause::Resource, "deny"));

    let asked = WhoCan {
        action,
        resource: id.clone(),
        under: Under::Any,
        request: RequestCondition::default(),
        group: None,
        kind: None,
        page: Page { after: None, limit: 10 },
    };
    let go_on = |_: usize, _: usize| std::ops::ControlFlow::Continue(());
    let answer = house.administrator.who_can(&asked, &go_on).unwrap();
    assert_eq!((answer.not_enforced_until, answer.items.len()), (Some(end()), 1), "what policies say");
    assert!(answer.caveats.iter().any(|caveat| caveat.contains("not enforced until")));
    let coverage = house.administrator.coverage(&go_on).unwrap();
    assert_eq!(coverage.observed_resources, [(id, end())]);

    let entry = answered.id;
    let why = house.administrator.why_decided(entry).unwrap();
    assert_eq!((why.decision.name(), why.observed.is_some()), ("allow", true));
    assert_eq!(why.policies.iter().map(|policy| policy.id.as_str()).collect::<Vec<_>>(), ["healthy"]);
    let told = |why: &crate::Why| why.caveats.iter().any(|caveat| caveat.contains("is in observe mode"));
    assert!(told(&why), "{:?}", why.caveats);
    // Also where policies allow it by themselves, and no longer once it has ended.
    let question = why.question.clone();
    assert!(told(&house.administrator.why(&question).unwrap()));
    house.clock.advance(Duration::from_secs(100 * 24 * 3600));
    assert!(!told(&house.administrator.why_decided(entry).unwrap()));
}
