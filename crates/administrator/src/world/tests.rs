//! The world by itself: a change at a time equals a world built anew, taking first ends the same, the order of independent
//! reports is irrelevant, and the trie is a map.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_model::{
    DeviceState, Entitled, Fact, Group, PostureAspect, PostureRequirements, PostureValue, Resource, ResourceKind,
    Segment, SignalKind, Source, Subject, SubjectState, Tier, Timestamp, Upstream,
};
use countersign_policy::Record;
use countersign_store::{SqliteStore, Store};
use proptest::prelude::*;

use super::trie::Keyed;
use super::*;

fn person(number: u8) -> SubjectId {
    SubjectId::human(&format!("person{number}")).unwrap()
}

fn group_id(number: u8) -> GroupId {
    GroupId::new(format!("group{number}")).unwrap()
}

fn device_id(number: u8) -> DeviceId {
    DeviceId::new(format!("device{number}")).unwrap()
}

fn subject(number: u8, groups: &[u8]) -> Subject {
    Subject {
        id: person(number),
        display_name: format!("Person {number}"),
        email: Some(format!("person{number}@example.org")),
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: groups.iter().copied().map(group_id).collect(),
        source: Source::Administrator,
        created: Timestamp::from_seconds(5),
        last_used: None,
    }
}

fn group(number: u8, parents: &[u8]) -> Group {
    Group {
        id: group_id(number),
        display_name: format!("Group {number}"),
        member_of: parents.iter().copied().map(group_id).collect(),
        source: Source::Administrator,
    }
}

fn device(number: u8, managed: bool) -> Device {
    Device {
        id: device_id(number),
        display_name: format!("Device {number}"),
        owner: person(number),
        managed,
        state: DeviceState::Active,
        certificate: format!("{number:02x}").repeat(32),
        certificate_expires: Timestamp::FOREVER,
        enrolled: Timestamp::from_seconds(1),
        posture: BTreeMap::new(),
    }
}

fn resource(number: u8, tier: Tier) -> Resource {
    Resource {
        id: ResourceId::new(format!("resource{number}")).unwrap(),
        display_name: "A resource".to_owned(),
        kind: ResourceKind::Http,
        tier,
        segment: None,
        owner: None,
        source: Source::Configuration,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: "none".to_owned() },
        rules: Vec::new(),
        entitled: Entitled::default(),
        observe_until: None,
    }
}

fn segment(number: u8) -> Segment {
    let id = SegmentId::new(format!("segment{number}")).unwrap();
    Segment { id, display_name: "A segment".to_owned(), source: Source::Configuration }
}

fn signal(kind: SignalKind) -> Signal {
    Signal { at: Timestamp::from_seconds(1_000_000), source: Source::Administrator, by: None, kind }
}

fn posture(device: u8, aspect: PostureAspect, value: PostureValue, observed: i64) -> SignalKind {
    let fact = Fact {
        value,
        source: Source::DeviceReport,
        observed: Timestamp::from_seconds(observed),
        max_age: Duration::from_secs(900),
    };
    SignalKind::PostureReported { device: device_id(device), facts: vec![(aspect, fact)] }
}

fn world() -> World {
    World::new(Arc::default())
}

fn put(world: &World, kind: SignalKind) -> Result<Touched, WorldError> {
    world.prepare(&[signal(kind)]).map(|prepared| world.publish(prepared))
}

/// Everything in a view, in an order, with the policy engine's records rendered by the names that they stand for.
#[derive(Debug, PartialEq)]
struct Contents {
    subjects: BTreeMap<SubjectId, (Subject, u8, Vec<GroupId>)>,
    groups: BTreeMap<GroupId, (Group, Vec<GroupId>)>,
    devices: BTreeMap<DeviceId, Device>,
    certificates: BTreeMap<String, DeviceId>,
    resources: BTreeMap<ResourceId, Resource>,
    segments: BTreeMap<SegmentId, Segment>,
}

/// Also checks that each subject's record is the one that its groups make.
fn contents(world: &World) -> Contents {
    let view = world.view();
    for record in view.subjects() {
        let fresh = Record::subject(world.symbols(), &record.subject(), &view.closure(record.groups()));
        assert_eq!(record.record, fresh, "{} has a stale record", record.id());
    }
    Contents {
        subjects: view
            .subjects()
            .map(|it| (it.id().clone(), (it.subject(), it.risk, view.closure(it.groups()))))
            .collect(),
        groups: view.groups.iter().map(|it| (it.group.id.clone(), (it.group.clone(), it.closed.to_vec()))).collect(),
        devices: view.devices().map(|it| (it.id().clone(), it.device())).collect(),
        certificates: view.certificates.iter().map(|it| (it.fingerprint.to_string(), it.device.clone())).collect(),
        resources: view.resources().map(|it| (it.resource.id.clone(), it.resource.as_ref().clone())).collect(),
        segments: view.segments().map(|it| (it.id.clone(), it.clone())).collect(),
    }
}

fn any_kind() -> impl Strategy<Value = SignalKind> {
    let few = 0_u8..5;
    let groups = prop::collection::vec(0_u8..5, 0..3);
    let state = prop::bool::ANY.prop_map(|on| if on { SubjectState::Active } else { SubjectState::Disabled });
    let values = prop_oneof![
        Just(PostureValue::On),
        Just(PostureValue::Off),
        (0_u32..60).prop_map(PostureValue::Days),
        Just(PostureValue::Version("14.2".to_owned())),
    ];
    let aspects = prop::sample::select(PostureAspect::ALL.to_vec());
    prop_oneof![
        3 => (few.clone(), groups.clone()).prop_map(|(n, g)| SignalKind::SubjectPut { subject: subject(n, &g) }),
        1 => (few.clone(), state).prop_map(|(n, state)| SignalKind::SubjectState { id: person(n), state }),
        1 => few.clone().prop_map(|n| SignalKind::SubjectRemoved { id: person(n) }),
        4 => (few.clone(), groups.clone()).prop_map(|(n, g)| SignalKind::GroupPut { group: group(n, &g) }),
        1 => few.clone().prop_map(|n| SignalKind::GroupRemoved { id: group_id(n) }),
        2 => (few.clone(), groups).prop_map(|(n, g)| SignalKind::MembershipChanged {
            subject: person(n),
            groups: g.into_iter().map(group_id).collect(),
        }),
        1 => (few.clone(), 0_u8..120).prop_map(|(n, risk)| SignalKind::RiskChanged {
            subject: person(n),
            risk,
            reason: "seen".to_owned(),
        }),
        2 => (few.clone(), prop::bool::ANY).prop_map(|(n, m)| SignalKind::DevicePut { device: device(n, m) }),
        1 => (few.clone(), prop::bool::ANY).prop_map(|(n, managed)| SignalKind::DeviceManaged { id: device_id(n), managed }),
        2 => (few.clone(), aspects, values, 0_i64..100).prop_map(|(n, a, v, at)| posture(n, a, v, at)),
        2 => (few.clone(), prop::sample::select(Tier::ALL.to_vec()), prop::option::of(few.clone())).prop_map(
            |(n, tier, inside)| {
                let segment = inside.map(|n| segment(n).id);
                SignalKind::ResourcePut { resource: Resource { segment, ..resource(n, tier) } }
            }
        ),
        1 => few.clone().prop_map(|n| SignalKind::ResourceRemoved { id: ResourceId::new(format!("resource{n}")).unwrap() }),
        1 => few.clone().prop_map(|n| SignalKind::SegmentPut { segment: segment(n) }),
        1 => few.prop_map(|n| SignalKind::SegmentRemoved { id: segment(n).id }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// An incremental world equals one that is rebuilt from what the store was told.
    #[test]
    fn incremental_equals_rebuilt(kinds in prop::collection::vec(any_kind(), 1..40)) {
        let store = SqliteStore::in_memory().unwrap();
        let incremental = world();
        for kind in kinds {
            let signal = signal(kind);
            // What the world refuses the store is not asked.
            let Ok(prepared) = incremental.prepare(std::slice::from_ref(&signal)) else { continue };
            let change = crate::signals::change(&signal, &prepared.view);
            store.commit(change.as_slice()).unwrap();
            incremental.publish(prepared);
        }
        let rebuilt = world();
        rebuilt.fill(&store).unwrap();
        prop_assert_eq!(contents(&incremental), contents(&rebuilt));
    }

    /// What a signal takes away, taken first, changes nothing about where it ends; and undone, nothing at all.
    #[test]
    fn taking_first_ends_the_same(kinds in prop::collection::vec(any_kind(), 1..30)) {
        let (plain, taken_first) = (world(), world());
        let requirements = PostureRequirements::default();
        for kind in kinds {
            let signal = signal(kind);
            let Ok(prepared) = plain.prepare(std::slice::from_ref(&signal)) else { continue };
            plain.publish(prepared);

            let before = taken_first.view().clone();
            let was = contents(&taken_first);
            let prepared = taken_first.prepare(std::slice::from_ref(&signal)).unwrap();
            if let Some(takes) = taking(&before, &signal, &requirements) {
                taken_first.publish(taken_first.prepare(&[takes]).unwrap());
                taken_first.restore(&before, &prepared.touched);
                prop_assert_eq!(contents(&taken_first), was);
            }
            taken_first.publish(prepared);
        }
        prop_assert_eq!(contents(&plain), contents(&taken_first));
    }

    /// Reports about different aspects, and older and newer ones about the same, may come in any order.
    #[test]
    fn order_of_reports_is_irrelevant(
        reports in prop::collection::btree_map((0_usize..8, 0_i64..50), prop::bool::ANY, 1..12),
        seed in prop::collection::vec(0_usize..1000, 12),
    ) {
        let kinds: Vec<SignalKind> = reports
            .into_iter()
            .filter_map(|((aspect, at), on)| {
                let value = if on { PostureValue::On } else { PostureValue::Off };
                Some(posture(0, *PostureAspect::ALL.get(aspect)?, value, at))
            })
            .collect();
        let mut shuffled: Vec<_> = kinds.iter().zip(seed).collect();
        shuffled.sort_by_key(|(_, place)| *place);
        let (one, other) = (world(), world());
        for world in [&one, &other] {
            put(world, SignalKind::DevicePut { device: device(0, true) }).unwrap();
        }
        for kind in &kinds {
            put(&one, kind.clone()).unwrap();
        }
        for (kind, _) in shuffled {
            put(&other, kind.clone()).unwrap();
        }
        prop_assert_eq!(contents(&one), contents(&other));
    }

    /// The trie against the standard map, and its older copies against what they were.
    #[test]
    fn a_trie_is_a_map(steps in prop::collection::vec((0_u16..300, prop::option::of(0_u32..9)), 1..400)) {
        let (mut trie, mut map) = (Trie::<Pair>::default(), HashMap::new());
        let mut copies = Vec::new();
        for (key, value) in steps {
            match value {
                Some(value) => {
                    trie.put(Arc::new(Pair(key, value)));
                    map.insert(key, value);
                }
                None => {
                    let removed = trie.remove(&key).map(|pair| pair.1);
                    prop_assert_eq!(removed, map.remove(&key));
                }
            }
            prop_assert_eq!(trie.len(), map.len());
            if copies.len() < 8 {
                copies.push((trie.clone(), map.clone()));
            }
        }
        copies.push((trie, map));
        for (trie, map) in copies {
            let entries: HashMap<u16, u32> = trie.iter().map(|pair| (pair.0, pair.1)).collect();
            prop_assert!(map.keys().all(|key| trie.get(key).map(|pair| pair.1) == map.get(key).copied()));
            prop_assert_eq!(entries, map);
        }
    }
}

#[derive(Debug)]
struct Pair(u16, u32);

impl Keyed for Pair {
    type Key = u16;
    fn key(&self) -> &u16 {
        &self.0
    }
}

#[test]
fn a_cycle_is_refused_and_changes_nothing() {
    let world = world();
    for kind in [(1, vec![]), (2, vec![1]), (3, vec![2])] {
        put(&world, SignalKind::GroupPut { group: group(kind.0, &kind.1) }).unwrap();
    }
    let was = contents(&world);
    for (child, parent) in [(1, 3), (1, 1), (2, 3)] {
        let refused = put(&world, SignalKind::GroupPut { group: group(child, &[parent]) });
        assert_eq!(refused.unwrap_err(), WorldError::Cycle(group_id(child)));
    }
    assert_eq!(contents(&world), was);
}

#[test]
fn what_is_unknown_or_taken_is_refused() {
    let world = world();
    let check = |kind: SignalKind, expect: WorldError| assert_eq!(put(&world, kind).unwrap_err(), expect);
    check(SignalKind::SubjectPut { subject: subject(1, &[4]) }, WorldError::UnknownGroup(group_id(4)));
    check(SignalKind::DeviceManaged { id: device_id(1), managed: true }, WorldError::UnknownDevice(device_id(1)));
    put(&world, SignalKind::DevicePut { device: device(1, true) }).unwrap();
    let thief = Device { certificate: "01".repeat(32), ..device(2, true) };
    check(
        SignalKind::DevicePut { device: thief },
        WorldError::CertificateTaken { device: device_id(2), holder: device_id(1) },
    );
    let forged = Device { certificate: "AB".repeat(32), ..device(2, true) };
    check(SignalKind::DevicePut { device: forged }, WorldError::Fingerprint(device_id(2)));
    let mut anonymous = subject(1, &[]);
    anonymous.id = SubjectId::anonymous();
    check(SignalKind::SubjectPut { subject: anonymous }, WorldError::BuiltIn("anonymous".to_owned()));
}

/// A group's parent moves from one group to another while others look: nobody ever sees a member in both, and whoever
/// looks sees one whole state or the other.
#[test]
fn a_change_of_the_group_graph_is_seen_whole() {
    let world = world();
    for number in [1, 2] {
        put(&world, SignalKind::GroupPut { group: group(number, &[]) }).unwrap();
    }
    put(&world, SignalKind::GroupPut { group: group(3, &[1]) }).unwrap();
    for number in 0..20 {
        put(&world, SignalKind::SubjectPut { subject: subject(number, &[3]) }).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let view = world.view();
                    let state = |parent: u8| {
                        let closed = view.closure([&group_id(3)]);
                        closed.contains(&group_id(parent))
                    };
                    assert!(state(1) != state(2));
                    for record in view.subjects() {
                        let fresh = Record::subject(world.symbols(), &record.subject(), &view.closure([&group_id(3)]));
                        assert_eq!(record.record, fresh);
                    }
                }
            });
        }
        for round in 0..200_u8 {
            put(&world, SignalKind::GroupPut { group: group(3, &[1 + round % 2]) }).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}
