//! Who could: after random changes of facts and policies every past answer is what the answer was then, and whoever's
//! change does not say what it took the place of is named, not guessed.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use countersign_model::{Segment, SegmentId};
use proptest::prelude::*;

use super::*;
use crate::{AskError, Holder, Page, PastError, Under, WhatCan, WhoCan};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];
const GROUPS: [&str; 3] = ["staff", "crew", "guests"];
const RESOURCES: [&str; 3] = ["ledgerbook", "wiki", "leaflet"];
const SETS: [&str; 2] = [
    POLICY,
    r#"
@id("writers") @owner("test") @review_by("2030-01-01")
permit (principal, action, resource) when { principal in resource.writers && context.risk < 40 };
@id("crew") @owner("test") @review_by("2030-01-01")
permit (principal in Group::"crew", action, resource in Segment::"harbour");
"#,
];

#[derive(Clone, Debug)]
enum Step {
    Person(usize, Vec<usize>),
    PersonGone(usize),
    Groups(usize, Vec<usize>),
    Active(usize, bool),
    Risk(usize, u8),
    Group(usize, Vec<usize>),
    GroupGone(usize),
    Resource(usize, usize, bool),
    ResourceGone(usize),
    Publish(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let groups = || prop::collection::vec(0..GROUPS.len(), 0..3);
    prop_oneof![
        2 => (0..PEOPLE.len(), groups()).prop_map(|(person, groups)| Step::Person(person, groups)),
        1 => (0..PEOPLE.len()).prop_map(Step::PersonGone),
        2 => (0..PEOPLE.len(), groups()).prop_map(|(person, groups)| Step::Groups(person, groups)),
        1 => (0..PEOPLE.len(), any::<bool>()).prop_map(|(person, active)| Step::Active(person, active)),
        1 => (0..PEOPLE.len(), 0_u8..101).prop_map(|(person, risk)| Step::Risk(person, risk)),
        2 => (0..GROUPS.len(), groups()).prop_map(|(group, of)| Step::Group(group, of)),
        1 => (0..GROUPS.len()).prop_map(Step::GroupGone),
        2 => (0..RESOURCES.len(), 0..Tier::ALL.len(), any::<bool>())
            .prop_map(|(resource, tier, harbour)| Step::Resource(resource, tier, harbour)),
        1 => (0..RESOURCES.len()).prop_map(Step::ResourceGone),
        1 => (0..SETS.len()).prop_map(Step::Publish),
    ]
}

fn person(at: usize) -> SubjectId {
    SubjectId::human(PEOPLE[at]).unwrap()
}

fn groups(of: &[usize]) -> Vec<GroupId> {
    of.iter().map(|at| GroupId::new(GROUPS[*at]).unwrap()).collect()
}

fn harbour() -> SegmentId {
    SegmentId::new("harbour").unwrap()
}

fn subject(at: usize, of: &[usize]) -> Subject {
    let facts = facts();
    let Some(SignalKind::SubjectPut { subject }) = facts.into_iter().nth(1) else { panic!("no subject") };
    Subject { id: person(at), groups: groups(of), ..subject }
}

impl Step {
    fn kind(&self) -> Option<SignalKind> {
        let state = |active| if active { SubjectState::Active } else { SubjectState::Disabled };
        Some(match self {
            Self::Person(at, of) => SignalKind::SubjectPut { subject: subject(*at, of) },
            Self::PersonGone(at) => SignalKind::SubjectRemoved { id: person(*at) },
            Self::Groups(at, of) => SignalKind::MembershipChanged { subject: person(*at), groups: groups(of) },
            Self::Active(at, active) => SignalKind::SubjectState { id: person(*at), state: state(*active) },
            Self::Risk(at, risk) => {
                SignalKind::RiskChanged { subject: person(*at), risk: *risk, reason: String::new() }
            }
            Self::Group(at, of) => SignalKind::GroupPut {
                group: Group {
                    id: groups(&[*at]).remove(0),
                    display_name: String::new(),
                    member_of: groups(of),
                    source: Source::Administrator,
                },
            },
            Self::GroupGone(at) => SignalKind::GroupRemoved { id: groups(&[*at]).remove(0) },
            Self::Resource(at, tier, inside) => SignalKind::ResourcePut {
                resource: Resource {
                    segment: inside.then(harbour),
                    // They change places, so that going back has to make room.
                    routes: vec![Route { host: format!("host{}.localhost", tier % 3), path_prefix: "/".to_owned() }],
                    ..resource(RESOURCES[*at], Tier::ALL[*tier])
                },
            },
            Self::ResourceGone(at) => SignalKind::ResourceRemoved { id: ResourceId::new(RESOURCES[*at]).unwrap() },
            Self::Publish(_) => return None,
        })
    }
}

/// Who can do what, of everything that there is; and what each can.
type Answers = (Vec<Option<Vec<Holder>>>, Vec<Option<Vec<(ResourceId, Action)>>>, String);

fn page() -> Page {
    Page { after: None, limit: 1000 }
}

fn who(resource: &str, action: Action) -> WhoCan {
    WhoCan {
        action,
        resource: ResourceId::new(resource).unwrap(),
        under: Under::Any,
        request: Default::default(),
        group: None,
        kind: None,
        page: page(),
    }
}

fn what(subject: SubjectId) -> WhatCan {
    WhatCan { subject, action: None, under: Under::Any, request: Default::default(), page: page() }
}

fn answers(administrator: &Administrator, as_of: Option<Timestamp>) -> Answers {
    let go_on = |_: usize, _: usize| ControlFlow::Continue(());
    let mut set = String::new();
    let mut holders = Vec::new();
    for resource in RESOURCES {
        let answer = administrator.who_could(&who(resource, Action::http(ActionClass::Write)), as_of, &go_on);
        holders.push(unless_missing(answer).map(|answer| {
            assert!(answer.unknown.is_empty());
            set = answer.policy_set;
            answer.items
        }));
    }
    let reaches = (0..PEOPLE.len()).map(|at| {
        let answer = unless_missing(administrator.what_could(&what(person(at)), as_of, &go_on))?;
        Some(answer.items.into_iter().map(|reach| (reach.resource, reach.action)).collect())
    });
    (holders, reaches.collect(), set)
}

fn unless_missing<T>(answer: Result<T, AskError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(AskError::UnknownResource(_) | AskError::UnknownSubject(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

impl House {
    /// Off the runtime's threads, where asking about the past belongs.
    async fn asked<T: Send + 'static>(&self, ask: impl FnOnce(&Administrator) -> T + Send + 'static) -> T {
        let administrator = self.administrator.clone();
        tokio::task::spawn_blocking(move || ask(&administrator)).await.unwrap()
    }

    async fn take_step(&self, step: &Step) {
        match step.kind() {
            // What the world refuses changes nothing.
            Some(kind) => drop(self.administrator.submit(Self::signal(kind)).await),
            None => {
                let Step::Publish(at) = step else { panic!("{step:?}") };
                self.administrator.publish(policies(SETS[*at], self.administrator.symbols()), None).await.unwrap();
            }
        }
    }
}

async fn check(steps: Vec<Step>) {
    let house = House::new().await;
    let segment = Segment { id: harbour(), display_name: String::new(), source: Source::Administrator };
    house.submit(SignalKind::SegmentPut { segment }).await;
    let mut seen = Vec::new();
    for step in &steps {
        house.clock.advance(Duration::from_secs(60));
        house.take_step(step).await;
        house.clock.advance(Duration::from_secs(60));
        let then = house.administrator.now();
        seen.push((then, house.asked(|administrator| answers(administrator, None)).await));
    }
    house.clock.advance(Duration::from_secs(60));
    for (then, (holders, reaches, set)) in seen {
        let (holders_then, reaches_then, set_then) =
            house.asked(move |administrator| answers(administrator, Some(then))).await;
        assert_eq!(holders_then, holders, "{then}, {steps:?}");
        assert_eq!(reaches_then, reaches, "{then}, {steps:?}");
        assert_eq!(set_then, set, "{then}, {steps:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn who_could_is_who_can_was(steps in prop::collection::vec(step(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(steps));
    }
}

#[tokio::test]
async fn what_is_not_recorded_is_named_and_not_guessed() {
    let house = House::new().await;
    house.submit(SignalKind::SubjectPut { subject: subject(1, &[0]) }).await;
    house.clock.advance(Duration::from_secs(60));
    let then = house.administrator.now();
    let could = |of: WhoCan, at: Timestamp| {
        house.asked(move |administrator| {
            administrator.who_could(&of, Some(at), &|_: usize, _: usize| ControlFlow::Continue(()))
        })
    };
    let wiki = || who("wiki", Action::http(ActionClass::Write));
    let names = |holders: Vec<Holder>| holders.iter().map(|holder| holder.subject.to_string()).collect::<BTreeSet<_>>();

    // A change that was recorded with what it took the place of, and then did not come about.
    house.clock.advance(Duration::from_secs(60));
    let gone = SignalKind::MembershipChanged { subject: person(1), groups: Vec::new() };
    let former = SignalKind::SubjectPut { subject: subject(1, &[0]) };
    house.administrator.record(EntryBody::Former(Box::new(former))).await.unwrap();
    house.administrator.record(EntryBody::Signal(Box::new(House::signal(gone.clone())))).await.unwrap();
    house.clock.advance(Duration::from_secs(60));
    let between = house.administrator.now().minus(Duration::from_secs(1));
    for at in [then, between] {
        let answer = could(wiki(), at).await.unwrap();
        assert_eq!(names(answer.items), BTreeSet::from(["human:alice".to_owned(), "human:bob".to_owned()]));
        assert!(answer.unknown.is_empty());
    }

    // As changes were recorded once: before it he is unknown, up to what an earlier one says.
    house.administrator.record(EntryBody::Signal(Box::new(House::signal(gone)))).await.unwrap();
    house.clock.advance(Duration::from_secs(60));
    let answer = could(wiki(), between).await.unwrap();
    assert_eq!(names(answer.items), BTreeSet::from(["human:alice".to_owned()]));
    assert_eq!(answer.unknown, ["human:bob"]);
    assert!(could(wiki(), then).await.unwrap().unknown.is_empty());
    let of_groups = SignalKind::GroupRemoved { id: staff() };
    house.administrator.record(EntryBody::Signal(Box::new(House::signal(of_groups)))).await.unwrap();
    let at = house.administrator.now();
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(could(wiki(), then).await, Err(PastError::NotRecorded(at).into()));
    assert!(could(wiki(), at).await.is_ok());

    let future = house.administrator.now().plus(Duration::from_secs(1));
    assert_eq!(could(wiki(), future).await, Err(PastError::NotPast(future).into()));
    let before = NOW.minus(Duration::from_secs(1));
    assert_eq!(could(wiki(), before).await, Err(PastError::BeforeLedger(NOW).into()));
}
