//! Decisions on a ledger made under changing facts and policies, decided again: under the policies that made them all are
//! as they were, and under others exactly those differ that would have differed on the facts of that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use countersign_ledger::SHOWN_AGAIN;
use countersign_model::DecisionId;
use countersign_policy::{Effect, Record, Slice};
use countersign_replay::{Report, Span, replay};
use proptest::prelude::*;

use super::*;

/// The house's own, a stricter and a laxer set.
const SETS: [&str; 3] = [
    POLICY,
    r#"
@id("writers") @owner("test") @review_by("2030-01-01")
permit (principal, action, resource) when { principal in resource.writers };
@id("resistant") @owner("test") @review_by("2030-01-01") @remedy("Again.")
forbid (principal, action, resource) when { resource.tier != "public" }
unless { context has authentication && context.authentication.age < 60 };
@id("crew-only") @owner("test") @review_by("2030-01-01") @remedy("Join.")
forbid (principal, action in Action::"write", resource) unless { principal in Group::"crew" };
@id("watched") @owner("test") @review_by("2030-01-01") @remedy("Wait.") @mode("observe")
forbid (principal, action, resource) when { context.risk > 20 };
"#,
    r#"
@id("everything-but-crown-jewels") @owner("test") @review_by("2030-01-01")
permit (principal, action, resource) when { resource.tier != "crown-jewel" };
@id("path") @owner("test") @review_by("2030-01-01") @remedy("Elsewhere.")
forbid (principal, action, resource) when { context has http && context.http.path like "/closed*" };
"#,
];

const RESOURCES: [&str; 3] = ["ledgerbook", "wiki", "leaflet"];

#[derive(Clone, Debug)]
enum Step {
    Groups(bool, bool),
    CrewInStaff(bool),
    Tier(usize, usize),
    /// In observe mode for so many minutes.
    Observe(usize, u64),
    Risk(u8),
    Managed(bool),
    Active(bool),
    Publish(usize),
    Minutes(u64),
    Ask {
        resource: usize,
        class: usize,
        closed: bool,
        keep: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let ask = (0..RESOURCES.len(), 0..ActionClass::ALL.len(), any::<bool>(), any::<bool>())
        .prop_map(|(resource, class, closed, keep)| Step::Ask { resource, class, closed, keep });
    prop_oneof![
        6 => ask,
        1 => (any::<bool>(), any::<bool>()).prop_map(|(staff, crew)| Step::Groups(staff, crew)),
        1 => any::<bool>().prop_map(Step::CrewInStaff),
        1 => (0..RESOURCES.len(), 0..Tier::ALL.len()).prop_map(|(resource, tier)| Step::Tier(resource, tier)),
        1 => (0..RESOURCES.len(), 0_u64..40).prop_map(|(resource, minutes)| Step::Observe(resource, minutes)),
        1 => (0_u8..101).prop_map(Step::Risk),
        1 => any::<bool>().prop_map(Step::Managed),
        1 => any::<bool>().prop_map(Step::Active),
        1 => (0..SETS.len()).prop_map(Step::Publish),
        1 => (0_u64..20).prop_map(Step::Minutes),
    ]
}

/// What each set says of each decision, on the world as it was.
type Expected = BTreeMap<DecisionId, Vec<Effect>>;

fn crew() -> GroupId {
    GroupId::new("crew").unwrap()
}

fn crew_in(staff_too: bool) -> SignalKind {
    let member_of = if staff_too { vec![staff()] } else { Vec::new() };
    let group = Group { id: crew(), display_name: "Crew".to_owned(), member_of, source: Source::Administrator };
    SignalKind::GroupPut { group }
}

impl House {
    fn expect(&self, entry: &DecisionEntry, sets: &[PolicySet]) -> Vec<Effect> {
        let question = entry.question.question().unwrap();
        let subject = self.administrator.subject(&question.subject).unwrap();
        let groups = self.administrator.groups_of(&question.subject);
        let resource = self.administrator.resource(&question.resource).unwrap();
        let decide = |set: &PolicySet| {
            let person = Record::subject(set.symbols(), &subject, &groups);
            let resource = Record::resource(set.symbols(), &resource);
            Effect::of(&set.judge_by_reference(&Slice { subject: &person, resource: &resource }, &question).decision)
        };
        sets.iter().map(decide).collect()
    }

    async fn take(&self, step: Step, sets: &[PolicySet], kept: &mut Vec<Lease>, expected: &mut Expected) {
        match step {
            Step::Groups(in_staff, in_crew) => {
                let groups = [(in_staff, staff()), (in_crew, crew())];
                let groups = groups.into_iter().filter(|(is_in, _)| *is_in).map(|(_, group)| group).collect();
                self.submit(SignalKind::MembershipChanged { subject: alice(), groups }).await;
            }
            Step::CrewInStaff(is) => self.submit(crew_in(is)).await,
            Step::Tier(at, tier) => {
                self.submit(SignalKind::ResourcePut { resource: resource(RESOURCES[at], Tier::ALL[tier]) }).await;
            }
            Step::Observe(at, minutes) => {
                let until = self.administrator.now().plus(Duration::from_secs(60 * minutes));
                let resource = Resource { observe_until: Some(until), ..resource(RESOURCES[at], Tier::High) };
                self.submit(SignalKind::ResourcePut { resource }).await;
            }
            Step::Risk(risk) => {
                self.submit(SignalKind::RiskChanged { subject: alice(), risk, reason: String::new() }).await;
            }
            Step::Managed(managed) => self.submit(SignalKind::DeviceManaged { id: laptop(), managed }).await,
            Step::Active(active) => {
                let state = if active { SubjectState::Active } else { SubjectState::Disabled };
                self.submit(SignalKind::SubjectState { id: alice(), state }).await;
            }
            Step::Publish(at) => {
                self.administrator.publish(policies(SETS[at], self.administrator.symbols()), None).await.unwrap();
            }
            Step::Minutes(minutes) => self.clock.advance(Duration::from_secs(60 * minutes)),
            Step::Ask { resource, class, closed, keep } => {
                let mut request = request(Some(RESOURCES[resource]), ActionClass::ALL[class]);
                if let (true, Some(http)) = (closed, &mut request.http) {
                    http.path = "/closed/door".to_owned();
                }
                let opened = self.gate.open(request).await;
                // Nobody is refused without a record now and then: the session has ended.
                let id = opened.as_ref().map_or_else(|refusal| refusal.decision, |lease| Some(lease.decision()));
                let Some(id) = id else { return };
                let entry = decision(self.administrator.decision(id).unwrap().unwrap().1);
                if entry.shown.is_some() {
                    expected.insert(id, self.expect(&entry, sets));
                }
                kept.extend(opened.ok().filter(|_| keep));
            }
        }
    }
}

fn run(house: &House, set: &PolicySet) -> Report {
    let span = Span { since: None, newest: None, examples: usize::MAX, threads: 2 };
    let symbols = Arc::default();
    let set = PolicySet::load(set.sources().to_vec(), &symbols).unwrap();
    let all = replay(house.administrator.ledger(), &set, None, &span, |_| ControlFlow::Continue(())).unwrap();
    // What the change from a set cannot touch comes out as it did.
    for before in SETS {
        let before = policies(before, &symbols);
        let some = replay(house.administrator.ledger(), &set, Some(&before), &span, |_| ControlFlow::Continue(()));
        assert_eq!(some.unwrap(), all);
    }
    all
}

async fn check(steps: Vec<Step>) {
    let house = House::new().await;
    house.submit(crew_in(false)).await;
    let sets = SETS.map(|text| policies(text, &Arc::default()));
    let (mut kept, mut expected) = (Vec::new(), Expected::new());
    for step in steps {
        house.take(step, &sets, &mut kept, &mut expected).await;
    }
    drop(kept);
    let entries = house.entries().await;
    let decisions: Vec<DecisionEntry> =
        entries.into_iter().filter(|entry| matches!(entry.body, EntryBody::Decision(_))).map(super::decision).collect();
    for (at, set) in sets.iter().enumerate() {
        let report = run(&house, set);
        assert_eq!(report.covered.unknown, 0);
        assert_eq!(report.covered.decisions, decisions.len() as u64);
        let named = [&report.newly_denied, &report.newly_challenged, &report.newly_allowed];
        let changed: BTreeSet<DecisionId> = named.iter().flat_map(|it| it.all.examples.iter().copied()).collect();
        for decision in decisions.iter().filter(|decision| decision.shown.is_some()) {
            let was = Effect::of(&decision.decision);
            if decision.policy_set == set.hash() {
                assert!(!changed.contains(&decision.id), "unchanged policies: {decision:?}");
            }
            if let Some(effects) = expected.get(&decision.id) {
                assert_eq!(changed.contains(&decision.id), effects[at] != was, "set {at}: {decision:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_is_exact(steps in prop::collection::vec(step(), 1..48)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(steps));
    }
}

#[tokio::test]
async fn what_was_shown_is_recorded_once_and_before() {
    let house = House::new().await;
    for _ in 0..3 {
        drop(house.open("wiki").await);
    }
    house.submit(SignalKind::RiskChanged { subject: alice(), risk: 10, reason: String::new() }).await;
    drop(house.open("wiki").await);
    let mut shown = Vec::new();
    for entry in house.entries().await {
        match entry.body {
            EntryBody::Shown(it) => shown.push(countersign_ledger::shown_id(&it).unwrap()),
            EntryBody::Decision(decision) => {
                let pair = decision.shown.unwrap();
                assert!(shown.contains(&pair.subject) && shown.contains(&pair.resource));
            }
            _ => {}
        }
    }
    // The changed subject is another record with the same content; it was recorded again, as the first of its own.
    assert_eq!(shown.len(), 3);
    assert_eq!(BTreeSet::from_iter(&shown).len(), 2);
}

#[test]
fn what_was_recorded_long_ago_is_due_again() {
    let symbols = countersign_policy::Symbols::default();
    let (record, once) = (Record::anonymous(&symbols), crate::world::ShownOnce::default());
    assert!(!once.due(0), "nobody has asked for its name");
    once.id(&record, &symbols).unwrap();
    assert!(once.due(0));
    once.recorded(5);
    assert!(!once.due(6) && !once.due(5 + SHOWN_AGAIN));
    assert!(once.due(6 + SHOWN_AGAIN));
}
