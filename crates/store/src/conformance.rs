//! What every implementation of [`Store`] has to do, as a program: each check gets an empty store of its own. It panics
//! where an implementation is wrong. What only one implementation can do wrong is in that one's own tests.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a conformance suite is a test, run from tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_model::{
    ActionClass, ActionRule, AuthenticationMethod, CompensatingControl, Device, DeviceId, DeviceState, Entitled,
    Exception, ExceptionApproval, ExceptionEnd, ExceptionId, ExceptionReview, ExceptionScope, Fact, Group, GroupId,
    KeyId, PathPattern, PolicyId, Posture, PostureAspect, PostureValue, Probe, Resource, ResourceId, ResourceKind,
    Review, ReviewAbout, ReviewDecided, ReviewId, ReviewLine, ReviewScope, ReviewVerdict, Reviewed, ReviewedAccess,
    ReviewerBecause, Route, Segment, SegmentId, SessionId, Source, Subject, SubjectId, SubjectState, Tier, Timestamp,
    Upstream,
};

use crate::{
    Change, KeyRecord, KeyScope, LinkRecord, PasskeyRecord, ProviderSession, RiskRecord, SessionRecord, Store,
    StoreError, TokenPurpose, TokenRecord,
};

const CHECKS: [fn(&dyn Store); 12] = [
    inventory_comes_back_as_it_went_in,
    replacing_keeps_what_refers_to_it,
    removing_takes_what_belongs_along,
    references_lead_somewhere,
    a_commit_is_all_or_nothing,
    devices_keep_their_posture,
    an_exception_outlives_whom_it_was_for,
    a_review_keeps_its_lines_and_outlives_whom_it_was_about,
    a_passkey_never_changes_hands,
    keys_and_sessions_come_back,
    a_token_is_consumed_once,
    what_is_used_once_is_remembered_until_it_expires,
];

/// Runs every check, each on a store that `make` has just made.
pub fn run(make: &dyn Fn() -> Box<dyn Store>) {
    for check in CHECKS {
        check(&*make());
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn human(name: &str) -> SubjectId {
    SubjectId::human(name).unwrap()
}

fn subject(id: &SubjectId, groups: &[&str]) -> Subject {
    Subject {
        id: id.clone(),
        display_name: format!("The {}", id.name()),
        email: Some("a@example.org".to_owned()),
        owner: Some(human("owner")),
        acts_for: None,
        state: SubjectState::Active,
        groups: groups.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
        source: Source::Configuration,
        created: at(1),
        last_used: Some(at(2)),
    }
}

fn group(id: &str, member_of: &[&str]) -> Group {
    Group {
        id: GroupId::new(id).unwrap(),
        display_name: id.to_uppercase(),
        member_of: member_of.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
        source: Source::Administrator,
    }
}

fn device(id: &str, owner: &SubjectId) -> Device {
    let fact = Fact {
        value: PostureValue::On,
        source: Source::DeviceReport,
        observed: at(5),
        max_age: Duration::from_secs(9),
    };
    Device {
        id: DeviceId::new(id).unwrap(),
        display_name: id.to_owned(),
        owner: owner.clone(),
        managed: true,
        state: DeviceState::Active,
        certificate: format!("{id:0>64}"),
        certificate_expires: at(100),
        enrolled: at(3),
        posture: Posture::from([(PostureAspect::Firewall, fact)]),
    }
}

fn passkey(credential: &str, subject: &SubjectId) -> PasskeyRecord {
    PasskeyRecord {
        credential: credential.to_owned(),
        subject: subject.clone(),
        user_handle: 0x1234,
        name: "laptop".to_owned(),
        public_key: "{}".to_owned(),
        created: at(4),
        last_used: None,
    }
}

fn session(id: u128, subject: &SubjectId) -> SessionRecord {
    SessionRecord {
        id: SessionId::from_random(id),
        subject: subject.clone(),
        device: Some(DeviceId::new("laptop").unwrap()),
        address: "2001:db8::1".parse().unwrap(),
        methods: BTreeSet::from([AuthenticationMethod::Passkey, AuthenticationMethod::Invitation]),
        authenticated: at(10),
        created: at(10),
        last_used: at(11),
        expires: at(1000),
        passkey: Some("credential".to_owned()),
        provider: Some(ProviderSession { issuer: "https://i".to_owned(), subject: "s".to_owned(), session: None }),
        secrets: BTreeMap::from([("a.localhost".to_owned(), [1; 32]), ("b.localhost".to_owned(), [0xfe; 32])]),
    }
}

fn token(hash: u8, subject: &SubjectId) -> TokenRecord {
    TokenRecord {
        hash: [hash; 32],
        purpose: TokenPurpose::Invitation { subject: subject.clone() },
        made_by: human("boss"),
        created: at(1),
        expires: at(100),
    }
}

fn subjects(store: &dyn Store) -> Vec<Subject> {
    let mut all = Vec::new();
    store.each_subject(&mut |subject| all.push(subject)).unwrap();
    all
}

fn devices(store: &dyn Store) -> Vec<Device> {
    let mut all = Vec::new();
    store.each_device(&mut |device| all.push(device)).unwrap();
    all
}

fn sessions(store: &dyn Store) -> Vec<SessionRecord> {
    let mut all = Vec::new();
    store.each_session(&mut |session| all.push(session)).unwrap();
    all
}

fn risks(store: &dyn Store) -> Vec<RiskRecord> {
    let mut all = Vec::new();
    store.each_risk(&mut |risk| all.push(risk)).unwrap();
    all
}

/// Alice, with one of everything that belongs to a subject.
fn alice_with_everything(store: &dyn Store) -> SubjectId {
    let alice = human("alice");
    let key = KeyRecord {
        id: KeyId::new("k1").unwrap(),
        hash: [7; 32],
        subject: alice.clone(),
        owner: human("owner"),
        scope: KeyScope {
            resources: Some(BTreeSet::from([ResourceId::new("wiki").unwrap()])),
            classes: BTreeSet::from([ActionClass::Read]),
        },
        created: at(1),
        expires: at(50),
        last_used: None,
    };
    let link = LinkRecord {
        issuer: "https://i".to_owned(),
        provider_subject: "s".to_owned(),
        subject: alice.clone(),
        linked: at(2),
    };
    let risk = RiskRecord { subject: alice.clone(), risk: 40, reason: "odd hours".to_owned(), changed: at(9) };
    store
        .commit(&[
            Change::PutGroup(group("staff", &[])),
            Change::PutSubject(subject(&alice, &["staff"])),
            Change::PutDevice(device("laptop", &alice)),
            Change::PutPasskey(passkey("credential", &alice)),
            Change::PutKey(key),
            Change::PutSession(session(1, &alice)),
            Change::PutToken(token(3, &alice)),
            Change::PutLink(link),
            Change::PutRisk(risk),
        ])
        .unwrap();
    alice
}

fn inventory_comes_back_as_it_went_in(store: &dyn Store) {
    let resource = Resource {
        id: ResourceId::new("wiki").unwrap(),
        display_name: "Wiki “ü”".to_owned(),
        kind: ResourceKind::Http,
        tier: Tier::CrownJewel,
        segment: Some(SegmentId::new("inside").unwrap()),
        owner: Some(human("alice")),
        source: Source::Configuration,
        routes: vec![Route { host: "wiki.localhost".to_owned(), path_prefix: "/".to_owned() }],
        upstream: Upstream::Origin { url: "http://127.0.0.1:1".to_owned(), ca: None, preserve_host: true },
        rules: vec![ActionRule {
            methods: vec!["POST".to_owned()],
            path: PathPattern("/search".to_owned()),
            action: ActionClass::Read,
        }],
        entitled: Entitled { readers: vec![GroupId::new("staff").unwrap()], ..Entitled::default() },
        observe_until: Some(Timestamp::from_millis(1_800_000_000_123)),
    };
    let segment = Segment {
        id: SegmentId::new("inside").unwrap(),
        display_name: "Inside".to_owned(),
        source: Source::Configuration,
    };
    let (service, agent) = (SubjectId::service("backup").unwrap(), SubjectId::agent("planner").unwrap());
    let planner = Subject { acts_for: Some(service.clone()), last_used: None, email: None, ..subject(&agent, &[]) };
    // In one commit, what refers may come before what is referred to.
    store
        .commit(&[
            Change::PutResource(resource.clone()),
            Change::PutSegment(segment.clone()),
            Change::PutSubject(subject(&service, &["staff", "admins", "staff"])),
            Change::PutSubject(planner.clone()),
            Change::PutGroup(group("staff", &["everybody"])),
            Change::PutGroup(group("admins", &[])),
            Change::PutGroup(group("everybody", &[])),
        ])
        .unwrap();
    assert_eq!(store.resources().unwrap(), [resource]);
    assert_eq!(store.segments().unwrap(), [segment]);
    assert_eq!(
        store.groups().unwrap(),
        [group("admins", &[]), group("everybody", &[]), group("staff", &["everybody"])]
    );
    assert_eq!(subjects(store), [planner, subject(&service, &["admins", "staff"])]);
    store.commit(&[Change::PutBlob { name: "key".to_owned(), value: vec![0, 255] }]).unwrap();
    assert_eq!(store.blob("key").unwrap(), Some(vec![0, 255]));
    store.commit(&[Change::RemoveBlob { name: "key".to_owned() }]).unwrap();
    assert_eq!(store.blob("key").unwrap(), None);
}

fn replacing_keeps_what_refers_to_it(store: &dyn Store) {
    let alice = alice_with_everything(store);
    let renamed = Subject { display_name: "Another".to_owned(), ..subject(&alice, &["staff"]) };
    let staff = Group { display_name: "Another".to_owned(), ..group("staff", &[]) };
    store.commit(&[Change::PutSubject(renamed.clone()), Change::PutGroup(staff)]).unwrap();
    assert_eq!(subjects(store), [renamed]);
    assert_eq!(store.passkeys_of(&alice).unwrap().len(), 1);
    assert_eq!(sessions(store).len(), 1);
    assert_eq!(store.keys().unwrap().len(), 1);
}

fn removing_takes_what_belongs_along(store: &dyn Store) {
    let alice = alice_with_everything(store);
    store.commit(&[Change::RemoveGroup(GroupId::new("staff").unwrap())]).unwrap();
    assert_eq!(subjects(store), [subject(&alice, &[])]);
    store.commit(&[Change::RemoveSubject(alice.clone())]).unwrap();
    assert!(subjects(store).is_empty() && sessions(store).is_empty() && risks(store).is_empty());
    assert!(store.keys().unwrap().is_empty() && store.tokens(at(2)).unwrap().is_empty());
    assert!(store.passkeys_of(&alice).unwrap().is_empty() && store.links_of(&alice).unwrap().is_empty());
    assert_eq!(devices(store), [device("laptop", &alice)], "the record of a device outlives its owner");
    store.commit(&[Change::RemoveSubject(alice), Change::RemoveDevice(DeviceId::new("laptop").unwrap())]).unwrap();
    assert!(devices(store).is_empty());
}

fn references_lead_somewhere(store: &dyn Store) {
    let check = |change: Change| {
        let outcome = store.commit(&[change]);
        assert!(matches!(outcome, Err(StoreError::Missing(_))), "{outcome:?}");
    };
    check(Change::PutSubject(subject(&human("alice"), &["nowhere"])));
    check(Change::PutGroup(group("staff", &["nowhere"])));
    check(Change::PutPasskey(passkey("c", &human("nobody"))));
    check(Change::PutSession(session(1, &human("nobody"))));
    check(Change::PutToken(token(1, &human("nobody"))));
    assert!(subjects(store).is_empty() && store.groups().unwrap().is_empty());
}

fn a_commit_is_all_or_nothing(store: &dyn Store) {
    let alice = human("alice");
    let spent = Change::ConsumeToken { hash: [9; 32], now: at(1) };
    let outcome = store.commit(&[Change::PutSubject(subject(&alice, &[])), spent]);
    assert!(matches!(outcome, Err(StoreError::AlreadyUsed)), "{outcome:?}");
    assert!(subjects(store).is_empty());
}

fn devices_keep_their_posture(store: &dyn Store) {
    let owner = human("alice");
    let (a, b) = (device("a", &owner), device("b", &owner));
    store.commit(&[Change::PutDevice(b.clone()), Change::PutDevice(a.clone())]).unwrap();
    let fact = Fact {
        value: PostureValue::Version("14.2".to_owned()),
        source: Source::DeviceReport,
        observed: at(20),
        max_age: Duration::from_secs(900),
    };
    let facts = vec![(PostureAspect::OsVersion, fact.clone())];
    store.commit(&[Change::PutPosture { device: a.id.clone(), facts }]).unwrap();
    let mut reported = a.clone();
    reported.posture.insert(PostureAspect::OsVersion, fact);
    assert_eq!(devices(store), [reported, b.clone()]);
    // The same certificate on two devices would let one be the other.
    let twin = Device { certificate: b.certificate, ..a };
    assert!(matches!(store.commit(&[Change::PutDevice(twin)]), Err(StoreError::Conflict(_))));
}

fn an_exception_outlives_whom_it_was_for(store: &dyn Store) {
    let alice = alice_with_everything(store);
    let requested = Exception {
        id: ExceptionId::new("e1").unwrap(),
        requester: alice.clone(),
        behind: BTreeSet::from([human("boss")]),
        owner: human("owner"),
        reason: "A lathe “ü”\nwithout updates".to_owned(),
        scope: ExceptionScope {
            subjects: BTreeSet::from([alice.clone()]),
            groups: BTreeSet::from([GroupId::new("staff").unwrap()]),
            resources: BTreeSet::from([ResourceId::new("wiki").unwrap()]),
            segments: BTreeSet::from([SegmentId::new("inside").unwrap()]),
            classes: BTreeSet::from([ActionClass::Read, ActionClass::Connect]),
        },
        relaxes: BTreeSet::from([PolicyId::new("healthy").unwrap()]),
        control: CompensatingControl {
            description: "A guard".to_owned(),
            probe: Some(Probe::Http { url: "https://guard.example/".to_owned(), status: 204, private: true }),
        },
        requested: at(1),
        expires: at(100),
        approval: None,
        end: None,
        reviews: Vec::new(),
    };
    let put = |exception: &Exception| store.commit(&[Change::PutException(Box::new(exception.clone()))]).unwrap();
    put(&requested);
    assert_eq!(store.exceptions().unwrap(), std::slice::from_ref(&requested));
    let other = Exception { id: ExceptionId::new("e0").unwrap(), ..requested.clone() };
    let by = human("other");
    let ended = Exception {
        approval: Some(ExceptionApproval { by: by.clone(), at: at(2) }),
        end: Some(ExceptionEnd { by: None, at: at(5), why: "left".to_owned() }),
        reviews: vec![ExceptionReview { by, at: at(3), note: "still".to_owned(), before: at(100), expires: at(200) }],
        expires: at(200),
        ..requested
    };
    put(&ended);
    put(&other);
    store.commit(&[Change::RemoveSubject(alice), Change::Forget { before: at(1000) }]).unwrap();
    assert_eq!(store.exceptions().unwrap(), [other, ended]);
}

fn a_review_keeps_its_lines_and_outlives_whom_it_was_about(store: &dyn Store) {
    let alice = alice_with_everything(store);
    let line = |number| ReviewLine {
        number,
        about: Reviewed::Access(ReviewedAccess {
            subject: Some(alice.clone()),
            resource: ResourceId::new("wiki").unwrap(),
            tier: Tier::Standard,
            classes: BTreeSet::from([ActionClass::Read]),
            through: Some(GroupId::new("staff").unwrap()),
            source: Source::Configuration,
            used: 3,
            last_used: Some(at(2)),
        }),
        reviewers: vec![human("owner")],
        because: ReviewerBecause::ResourceOwner,
        instead_of: None,
        verdict: None,
    };
    let review = Review {
        id: ReviewId::new("r1").unwrap(),
        title: "Autumn “ü”".to_owned(),
        about: ReviewAbout::Access { scope: ReviewScope::default() },
        made_by: human("owner"),
        opened: at(5),
        deadline: at(50),
        fallbacks: vec![human("other")],
        counted_from: at(1),
        population: "ab".repeat(32),
        end: None,
        lines: (1..=11).map(line).collect(),
    };
    store.commit(&[Change::PutReview(Box::new(review.clone()))]).unwrap();
    assert_eq!(store.reviews().unwrap(), std::slice::from_ref(&review));
    let mut decided = review;
    decided.lines[9].verdict = Some(ReviewVerdict {
        decided: ReviewDecided::Revoked,
        by: Some(human("owner")),
        at: at(6),
        reason: Some("left the team".to_owned()),
        carried_out: true,
        left: None,
    });
    let line = Box::new(decided.lines[9].clone());
    store.commit(&[Change::PutReviewLine { review: decided.id.clone(), line: line.clone() }]).unwrap();
    store.commit(&[Change::RemoveSubject(alice.clone()), Change::Forget { before: at(1000) }]).unwrap();
    assert_eq!(store.reviews().unwrap(), [decided]);
    let unknown = Change::PutReviewLine { review: ReviewId::new("r2").unwrap(), line };
    assert!(matches!(store.commit(&[unknown]), Err(StoreError::Missing(_))));
}

fn a_passkey_never_changes_hands(store: &dyn Store) {
    let alice = alice_with_everything(store);
    let mallory = human("mallory");
    store.commit(&[Change::PutSubject(subject(&mallory, &[]))]).unwrap();
    let outcome = store.commit(&[Change::PutPasskey(passkey("credential", &mallory))]);
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    let used = PasskeyRecord { last_used: Some(at(8)), ..passkey("credential", &alice) };
    store.commit(&[Change::PutPasskey(used.clone())]).unwrap();
    assert_eq!(store.passkey("credential").unwrap(), Some(used));
    store.commit(&[Change::RemovePasskey { credential: "credential".to_owned() }]).unwrap();
    assert_eq!(store.passkey("credential").unwrap(), None);
}

fn keys_and_sessions_come_back(store: &dyn Store) {
    let alice = alice_with_everything(store);
    let id = session(1, &alice).id;
    assert_eq!(sessions(store), [session(1, &alice)]);
    let key = KeyId::new("k1").unwrap();
    store.commit(&[Change::SessionUsed { id, at: at(77) }, Change::KeyUsed { id: key.clone(), at: at(78) }]).unwrap();
    assert_eq!(sessions(store)[0].last_used, at(77));
    assert_eq!(store.keys().unwrap()[0].last_used, Some(at(78)));
    // When somebody was last seen never goes back, whoever writes them.
    for seen in [90, 80] {
        store.commit(&[Change::SubjectUsed { id: alice.clone(), at: at(seen) }]).unwrap();
    }
    let known = || subjects(store).into_iter().find(|subject| subject.id == alice).unwrap();
    store.commit(&[Change::PutSubject(Subject { last_used: None, ..known() })]).unwrap();
    assert_eq!(known().last_used, Some(at(90)));
    assert_eq!(store.link("https://i", "s").unwrap().unwrap().subject, alice);
    assert_eq!(risks(store)[0].risk, 40);
    let rotated = SessionRecord {
        secrets: BTreeMap::from([("a.localhost".to_owned(), [5; 32])]),
        device: None,
        provider: None,
        ..session(1, &alice)
    };
    store.commit(&[Change::PutSession(rotated.clone())]).unwrap();
    assert_eq!(sessions(store), [rotated]);
    // The secret of one session is never the secret of another.
    let twin = SessionRecord { id: SessionId::from_random(2), ..sessions(store).remove(0) };
    assert!(matches!(store.commit(&[Change::PutSession(twin)]), Err(StoreError::Conflict(_))));
    let unlink = Change::RemoveLink { issuer: "https://i".to_owned(), provider_subject: "s".to_owned() };
    store.commit(&[Change::RemoveSession(id), Change::RemoveKey(key), unlink]).unwrap();
    assert!(sessions(store).is_empty() && store.keys().unwrap().is_empty());
    assert_eq!(store.link("https://i", "s").unwrap(), None);
}

fn a_token_is_consumed_once(store: &dyn Store) {
    let alice = human("alice");
    let device = TokenRecord {
        hash: [4; 32],
        purpose: TokenPurpose::DeviceEnrolment { owner: alice.clone(), device: DeviceId::new("laptop").unwrap() },
        created: at(2),
        ..token(0, &alice)
    };
    store
        .commit(&[
            Change::PutSubject(subject(&alice, &[])),
            Change::PutToken(token(3, &alice)),
            Change::PutToken(device.clone()),
        ])
        .unwrap();
    assert_eq!(store.tokens(at(99)).unwrap(), [token(3, &alice), device]);
    assert!(store.tokens(at(100)).unwrap().is_empty(), "at its expiry a token is over");
    assert_eq!(store.token(&[3; 32], at(99)).unwrap(), Some(token(3, &alice)));
    assert_eq!(store.token(&[3; 32], at(100)).unwrap(), None);
    let consume = |hash: u8, now| store.commit(&[Change::ConsumeToken { hash: [hash; 32], now }]);
    assert!(matches!(consume(3, at(100)), Err(StoreError::AlreadyUsed)));
    consume(3, at(99)).unwrap();
    assert!(matches!(consume(3, at(99)), Err(StoreError::AlreadyUsed)));
    assert_eq!(store.token(&[3; 32], at(1)).unwrap(), None);
    store.commit(&[Change::RemoveToken { hash: [4; 32] }]).unwrap();
    assert!(matches!(consume(4, at(5)), Err(StoreError::AlreadyUsed)));
}

fn what_is_used_once_is_remembered_until_it_expires(store: &dyn Store) {
    let alice = alice_with_everything(store);
    let use_once = |purpose, id: &str| store.commit(&[Change::UseOnce { purpose, id: id.to_owned(), expires: at(60) }]);
    use_once("report", "1").unwrap();
    use_once("logout", "1").unwrap();
    assert!(matches!(use_once("report", "1"), Err(StoreError::AlreadyUsed)));
    store.commit(&[Change::Forget { before: at(59) }]).unwrap();
    assert!(matches!(use_once("report", "1"), Err(StoreError::AlreadyUsed)));
    store.commit(&[Change::Forget { before: at(60) }]).unwrap();
    use_once("report", "1").unwrap();
    assert_eq!((sessions(store).len(), store.tokens(at(1)).unwrap().len()), (1, 1));
    store.commit(&[Change::Forget { before: at(1000) }]).unwrap();
    assert_eq!((sessions(store).len(), store.tokens(at(1)).unwrap().len()), (0, 0));
    assert_eq!(store.keys().unwrap().len(), 1, "an expired key is evidence");
    assert_eq!(subjects(store)[0].id, alice);
}
