#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

//! What is counted, on a small installation with a ledger of known entries.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_administrator::{AccountParts, Actor, Administrator, Parts, Settings};
use countersign_assess::{Named, Own, Tally, Told};
use countersign_estate::{Input, Inventory, Limits, Watch, read};
use countersign_ledger::{Asked, DecisionEntry, Entry, EntryBody, LeaseEndedEntry, Ledger, Options, Point, SigningKey};
use countersign_model::{
    Action, ActionClass, Allowance, AuthenticationMethod, Circumstances, Clock, Decision, DecisionId,
    DeviceCircumstances, DeviceId, Entitled, GrantCircumstances, GrantId, Group, GroupId, LeaseId,
    NetworkCircumstances, Reasons, Resource, ResourceId, ResourceKind, Route, SessionId, Source, Subject, SubjectId,
    SubjectState, Tier, TimeCircumstances, Timestamp, Upstream, Wait,
};
use countersign_policy::{PolicySet, SourceFile, Symbols};
use countersign_store::SqliteStore;

use super::told;
use crate::progress::Progress;

/// A Friday, 08:00 UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn wait_until(&self, _: Timestamp) -> Wait<'_> {
        Box::pin(std::future::pending())
    }
}

const POLICY: &str = r#"
@id("readers") @owner("test") @review_by("2030-01-01")
permit (principal, action in Action::"read", resource) when { principal in resource.readers };

@id("administrators") @owner("test") @review_by("2030-01-01")
permit (principal, action, resource) when { principal in resource.administrators };

@id("healthy") @owner("test") @review_by("2030-01-01") @remedy("Use a healthy device.") @relaxable("for a while")
forbid (principal, action, resource) when { resource.tier == "high" }
unless { context has device && context.device.managed && context.device.compliant }
unless { context has "exception" && context["exception"].relaxes.contains("healthy") };
"#;

struct House {
    administrator: Administrator,
    /// The last of the decisions.
    number: u128,
    ledger: tempfile::TempDir,
}

fn alice() -> SubjectId {
    SubjectId::human("alice").unwrap()
}

fn group(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

fn resource(name: &str, tier: Tier, entitled: Entitled) -> Resource {
    Resource {
        id: ResourceId::new(name).unwrap(),
        display_name: name.to_owned(),
        kind: ResourceKind::Http,
        tier,
        segment: None,
        owner: None,
        source: Source::Administrator,
        routes: vec![Route { host: format!("{name}.localhost"), path_prefix: "/".to_owned() }],
        upstream: Upstream::Origin { url: "http://127.0.0.1:1".to_owned(), ca: None, preserve_host: false },
        rules: Vec::new(),
        entitled,
        observe_until: None,
    }
}

fn administrator(ledger: &Path) -> Administrator {
    let symbols = Arc::new(Symbols::default());
    let file = SourceFile { path: PathBuf::from("test.cedar"), text: POLICY.to_owned() };
    Administrator::start(Parts {
        store: Arc::new(SqliteStore::in_memory().unwrap()),
        ledger: Ledger::open(ledger, Options::new("test.example/ledger", SigningKey::from_seed([7; 32]))).unwrap(),
        policies: PolicySet::load(vec![file], &symbols).unwrap_or_else(|mistakes| panic!("{mistakes}")),
        symbols,
        settings: Settings::default(),
        clock: Arc::new(Fixed),
        accounts: AccountParts::default(),
        node: "test".to_owned(),
    })
    .unwrap()
}

impl House {
    async fn new() -> Self {
        let ledger = tempfile::tempdir().unwrap();
        let administrator = administrator(ledger.path());
        let actor = Actor { subject: alice(), decision: None };
        for name in ["staff", "others"] {
            let group = Group {
                id: group(name),
                display_name: name.to_owned(),
                member_of: vec![],
                source: Source::Administrator,
            };
            administrator.put_group(group, &actor).await.unwrap();
        }
        let subject = Subject {
            id: alice(),
            display_name: "Alice".to_owned(),
            email: None,
            owner: None,
            acts_for: None,
            state: SubjectState::Active,
            groups: vec![group("staff")],
            source: Source::Administrator,
            created: NOW,
            last_used: None,
        };
        administrator.put_subject(subject, &actor).await.unwrap();
        let entitled = Entitled {
            readers: vec![group("staff"), group("others")],
            administrators: vec![group("staff")],
            ..Entitled::default()
        };
        for (name, tier) in [("wiki", Tier::Standard), ("payroll", Tier::High)] {
            administrator.put_resource(resource(name, tier, entitled.clone()), &actor).await.unwrap();
        }
        Self { administrator, number: 0, ledger }
    }

    fn append(&self, at: Timestamp, body: EntryBody) {
        self.administrator.ledger().append(&Entry { at, body }).wait().unwrap();
    }

    fn signed_in(&self, days_ago: u64, methods: &[AuthenticationMethod]) {
        let at = ago(days_ago);
        self.append(
            at,
            EntryBody::SessionStarted {
                session: SessionId::from_random(1),
                subject: alice(),
                device: None,
                methods: methods.iter().copied().collect(),
                provider: None,
                address: None,
                expires: at,
            },
        );
    }

    fn decided(&mut self, seen: &Seen) -> DecisionId {
        self.number += 1;
        let at = ago(seen.days_ago);
        let id = DecisionId::timed(at, self.number << 64);
        let device = |compliant| DeviceCircumstances {
            id: DeviceId::new("laptop").unwrap(),
            managed: true,
            compliant,
            findings: BTreeMap::new(),
            posture_age: Some(60),
        };
        let address: IpAddr = seen.address.parse().unwrap();
        let circumstances = Circumstances {
            authentication: None,
            device: seen.device.map(device),
            network: NetworkCircumstances { address, zones: [].into(), encrypted: false },
            time: TimeCircumstances { now: at, hour: 9, weekday: 1, zone: "UTC".into() },
            risk: 0,
            grant: seen.grant.then(|| GrantCircumstances {
                id: GrantId::from_random(1),
                class: seen.class,
                expires: at.plus(Duration::from_secs(3600)),
            }),
            exception: None,
            http: None,
        };
        let question = Asked {
            subject: alice(),
            action: Action::http(seen.class),
            resource: Some(ResourceId::new(seen.resource).unwrap()),
            session: None,
            circumstances,
        };
        let entry = DecisionEntry {
            id,
            question,
            decision: Decision::Allow(Allowance { reasons: Reasons::default() }),
            point: Point { node: "test".to_owned(), channel: "http/1.1".to_owned(), caller: None },
            policy_set: "00".repeat(32),
            generation: 1,
            credential_kind: "session-cookie".to_owned(),
            lease: Some(LeaseId::from_random(self.number)),
            supersedes: None,
            shown: None,
            observed: None,
        };
        self.append(at, EntryBody::Decision(Box::new(entry)));
        id
    }

    fn own(&self) -> Own {
        self.beside(&Inventory::new())
    }

    fn beside(&self, inventory: &Inventory) -> Own {
        told(&self.administrator, inventory, NOW, &Progress::default()).0
    }
}

struct Seen {
    days_ago: u64,
    resource: &'static str,
    class: ActionClass,
    device: Option<bool>,
    address: &'static str,
    grant: bool,
}

const SEEN: Seen =
    Seen { days_ago: 1, resource: "wiki", class: ActionClass::Read, device: None, address: "192.0.2.7", grant: false };

fn ago(days: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(days * 86_400))
}

#[track_caller]
fn counts(own: &Own, told: Told, expected: (u64, u64, u64)) {
    let Tally { good, known, of, .. } = *own.tallies.get(&told).unwrap_or_else(|| panic!("{told:?} is not counted"));
    assert_eq!((good, known, of), expected, "{told:?}");
}

#[tokio::test]
async fn sign_ins_are_counted_by_how_and_no_further_back_than_the_span() {
    use AuthenticationMethod as By;
    let house = House::new().await;
    house.signed_in(40, &[By::Invitation]);
    for methods in [
        &[By::Passkey][..],
        &[By::FederatedPhishingResistant],
        &[By::FederatedMultiFactor],
        &[By::Federated],
        &[By::Invitation],
    ] {
        house.signed_in(2, methods);
    }
    let own = house.own();
    counts(&own, Told::SignInsMultiFactor, (3, 4, 5));
    // Several factors, says the provider, and not which.
    counts(&own, Told::SignInsPhishingResistant, (2, 3, 5));
}

#[tokio::test]
async fn decisions_are_counted_by_what_they_saw() {
    let mut house = House::new().await;
    house.decided(&Seen { device: Some(true), resource: "payroll", ..SEEN });
    house.decided(&Seen { address: "127.0.0.1", ..SEEN });
    let administered = Seen { class: ActionClass::Administer, device: Some(true), ..SEEN };
    house.decided(&Seen { grant: true, ..administered });
    house.decided(&Seen { resource: "gone", ..SEEN });
    let own = house.own();
    counts(&own, Told::RequestsEncrypted, (1, 4, 4));
    // Of what is gone nobody knows how sensitive it was.
    counts(&own, Told::DecisionsWithVerifiedPosture, (2, 3, 4));
    // Payroll ends with the device's posture; the wiki's do not.
    counts(&own, Told::LeasesBoundToDevice, (1, 3, 4));
    counts(&own, Told::PrivilegeJustInTime, (1, 1, 1));
    let privilege = own.privilege.unwrap();
    assert_eq!((privilege.just_in_time_seconds, privilege.until), (3600, NOW));
    // Of two resources, staff and others as readers and staff as administrators: wiki read and administered, payroll read.
    counts(&own, Told::EntitlementsUsed, (3, 6, 6));
}

#[tokio::test]
async fn a_decision_that_others_name_and_nobody_recorded_is_missing() {
    let mut house = House::new().await;
    house.decided(&Seen { days_ago: 5, ..SEEN });
    let there = house.decided(&Seen { days_ago: 3, ..SEEN });
    let ended = |decision| {
        EntryBody::LeaseEnded(LeaseEndedEntry {
            lease: LeaseId::from_random(9),
            decision,
            cause: "closed".to_owned(),
            bytes_sent: 0,
            bytes_received: 0,
            by_decision: None,
        })
    };
    house.append(ago(2), ended(there));
    counts(&house.own(), Told::DecisionsRecorded, (2, 2, 2));
    house.append(ago(2), ended(DecisionId::timed(ago(4), 7 << 64)));
    // Made before what is read: it may well be recorded.
    house.append(ago(2), ended(DecisionId::timed(ago(50), 8 << 64)));
    house.append(ago(1), ended(there));
    counts(&house.own(), Told::DecisionsRecorded, (2, 3, 3));
}

#[tokio::test]
async fn the_ledger_is_checked_and_what_was_changed_counts_against_it() {
    let mut house = House::new().await;
    for _ in 0..600 {
        house.decided(&SEEN);
    }
    house.administrator.ledger().checkpoint_now().unwrap();
    let own = house.own();
    let size = own.tallies[&Told::LedgerVerified].of;
    assert!(size >= 600);
    counts(&own, Told::LedgerVerified, (size, size, size));
    let bundle = house.ledger.path().join("tile/entries/000");
    let mut bytes = std::fs::read(&bundle).unwrap();
    let place = bytes.iter().rposition(|byte| *byte == b'9').unwrap();
    bytes[place] = b'8';
    let mut permissions = std::fs::metadata(&bundle).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&bundle, permissions).unwrap();
    std::fs::write(&bundle, bytes).unwrap();
    counts(&house.own(), Told::LedgerVerified, (size - 1, size, size));
}

#[tokio::test]
async fn what_policies_and_the_register_say_is_counted() {
    let house = House::new().await;
    let own = house.own();
    for told in [Told::DoorsCovered, Told::IdentitiesCovered, Told::DevicesCovered, Told::ExceptionsDocumented] {
        assert!(own.tallies.contains_key(&told), "{told:?}");
    }
    // The wiki is read by whoever signs in; payroll takes a device that is managed, which nothing proves here.
    counts(&own, Told::ResourcesConditional, (1, 2, 2));
    counts(&own, Told::UnmanagedDevicesLimited, (0, 0, 1));
    counts(&own, Told::AgentsActingForSomebody, (0, 0, 0));
    let exceptions = own.exceptions.unwrap();
    assert_eq!((exceptions.in_force, exceptions.relaxable), (0, 1));
}

#[tokio::test]
async fn devices_and_applications_are_compared_with_what_others_know() {
    let house = House::new().await;
    let own = house.own();
    assert!(!own.tallies.contains_key(&Told::DevicesEnrolled), "nobody else tells of any");
    assert!(!own.tallies.contains_key(&Told::ApplicationsBehindGateway));
    let ldif = "version: 1\n\ndn: DC=corp,DC=example\nobjectClass: domainDNS\nobjectSid: S-1-5-21-1-2-3\n\n\
                dn: CN=DESK-7,CN=Computers,DC=corp,DC=example\nobjectClass: computer\nobjectSid: S-1-5-21-1-2-3-1201\n\
                sAMAccountName: DESK-7$\nuserAccountControl: 4096\nprimaryGroupID: 515\n";
    let inputs = [Input { name: "corp.ldif", bytes: ldif.as_bytes() }];
    let go_on = &mut |_: countersign_estate::Progress<'_>| std::ops::ControlFlow::Continue(());
    let batch = read(&inputs, &Limits::default(), &mut Watch::new(go_on)).unwrap();
    let mut inventory = Inventory::new();
    inventory.merge(&batch, NOW).unwrap();
    // One that others know, and whether it is enrolled under another name nobody knows.
    counts(&house.beside(&inventory), Told::DevicesEnrolled, (0, 0, 1));
}

#[tokio::test]
async fn what_is_granted_is_compared_with_what_policy_lets_and_what_was_used() {
    let mut house = House::new().await;
    house.decided(&SEEN);
    house.decided(&SEEN);
    let own = crate::own::document(&house.administrator).unwrap();
    let inputs = [Input { name: "countersign", bytes: &own }];
    let go_on = &mut |_: countersign_estate::Progress<'_>| std::ops::ControlFlow::Continue(());
    let batch = read(&inputs, &Limits::default(), &mut Watch::new(go_on)).unwrap();
    let mut inventory = Inventory::new();
    inventory.merge(&batch, NOW).unwrap();
    let (_, layers) = told(&house.administrator, &inventory, NOW, &Progress::default());
    let mut projection = inventory.project().unwrap();
    let put = layers.unwrap().put(&inventory, &mut projection);
    let named = Named::new(&inventory, &projection);
    let all: Vec<_> = projection.graph.edge_ids().filter_map(|id| named.edge(id)).collect();
    let of = |group: &str, resource: &str, relation: &str| {
        let found = all.iter().find(|edge| {
            let ends = (edge.from.name.as_str(), edge.to.name.as_str(), edge.relation.as_str());
            ends == (group, resource, relation)
        });
        let layers = &found.unwrap_or_else(|| panic!("{group} {relation} {resource}")).layers;
        (layers.enforceable, layers.exercised.map(|seen| seen.count))
    };
    assert_eq!(of("staff", "wiki", "can-access"), (Some(true), Some(2)));
    assert_eq!(of("staff", "wiki", "administers"), (Some(true), None));
    assert_eq!(of("others", "wiki", "can-access"), (None, None), "nobody is in it");
    let never = put.never_exercised(&projection, |id| named.edge(id));
    let listed: Vec<String> = never.edges.iter().map(ToString::to_string).collect();
    assert!(listed.contains(&"staff administers payroll".to_owned()), "{listed:?}");
    assert!(!listed.contains(&"staff can-access wiki".to_owned()), "{listed:?}");
    assert_eq!(never.count as usize, never.edges.len());
}
