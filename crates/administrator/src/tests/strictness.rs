//! What resources ask for at the least, and agents within whom they act for: as the gap map counts them.

use countersign_policy::Claim;

use super::*;
use crate::{Strictness, Unmanaged};

const GUARDRAILS: &str = include_str!("../../../../policies/guardrails/starter.cedar");

fn subject(id: SubjectId, groups: Vec<GroupId>, acts_for: Option<SubjectId>) -> SignalKind {
    let subject = Subject {
        display_name: id.to_string(),
        id,
        email: None,
        owner: Some(alice()),
        acts_for,
        state: SubjectState::Active,
        groups,
        source: Source::Administrator,
        created: NOW,
        last_used: None,
    };
    SignalKind::SubjectPut { subject }
}

fn found(house: &House, name: &str) -> Option<Strictness> {
    let all = house.administrator.strictness(&|_, _| std::ops::ControlFlow::Continue(())).unwrap();
    all.into_iter().find(|one| one.resource.as_str() == name)
}

#[tokio::test]
async fn a_sign_in_alone_is_told_from_what_asks_for_a_device() {
    let house = House::new().await;
    house.submit(SignalKind::ResourcePut { resource: resource("diary", Tier::Standard) }).await;
    house.submit(SignalKind::ResourcePut { resource: resource("payroll", Tier::High) }).await;
    house.submit(SignalKind::ResourcePut { resource: resource("news", Tier::Public) }).await;
    let diary = found(&house, "diary").unwrap();
    assert!(!diary.beyond_sign_in, "signing in again just now is still signing in");
    assert_eq!(diary.unmanaged, Unmanaged::Open);
    let payroll = found(&house, "payroll").unwrap();
    assert!(payroll.beyond_sign_in);
    assert_eq!(payroll.unmanaged, Unmanaged::NotProven, "nobody gets in, and nothing proves it");
    assert_eq!(found(&house, "news"), None);
}

#[tokio::test]
async fn an_agent_is_bound_where_it_may_nothing_more_than_its_person() {
    let house = House::new().await;
    let agent = |name: &str| SubjectId::agent(name).unwrap();
    let other = GroupId::new("robots").unwrap();
    let group = Group {
        id: other.clone(),
        display_name: "Robots".to_owned(),
        member_of: vec![],
        source: Source::Administrator,
    };
    house.submit(SignalKind::GroupPut { group }).await;
    let more = Resource {
        entitled: Entitled { writers: vec![other.clone()], ..Entitled::default() },
        ..resource("factory", Tier::Standard)
    };
    house.submit(SignalKind::ResourcePut { resource: more }).await;
    house.submit(SignalKind::ResourcePut { resource: resource("diary", Tier::Standard) }).await;
    house.submit(subject(agent("within"), vec![staff()], Some(alice()))).await;
    house.submit(subject(agent("beyond"), vec![other], Some(alice()))).await;
    house.submit(subject(agent("alone"), vec![staff()], None)).await;
    let bounds = house.administrator.agent_bounds(&|_, _| std::ops::ControlFlow::Continue(())).unwrap();
    let bounds: Vec<(String, bool)> = bounds.into_iter().map(|one| (one.agent.to_string(), one.bound)).collect();
    let expected = [("agent:alone", false), ("agent:beyond", false), ("agent:within", true)];
    assert_eq!(bounds, expected.map(|(agent, bound)| (agent.to_owned(), bound)));
}

/// Whoever changes one of these guardrails looks at what it is still counted as.
#[test]
fn the_guardrails_that_close_resources_to_unmanaged_devices_are_those_of_a_new_installation() {
    let file = SourceFile { path: PathBuf::from("guardrails/starter.cedar"), text: GUARDRAILS.to_owned() };
    let set =
        PolicySet::load(vec![file], &Arc::new(Symbols::default())).unwrap_or_else(|problems| panic!("{problems}"));
    let hash = |id: &str| {
        let found = set.guardrails().iter().find(|one| one.id.as_str() == id).unwrap();
        assert_eq!(found.claim, Claim::NeverAllowed);
        found.hash.clone()
    };
    let expected = ["quarantine-holds", "crown-jewels-take-a-healthy-device-and-a-strong-sign-in"].map(hash);
    assert_eq!(crate::ask::CLOSED_TO_UNMANAGED.map(|(hash, _)| hash.to_owned()), expected);
}
