//! The system as `countersign up` puts it together, with one person signed in and one application; for the benches
//! that measure it from outside.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::policies;
use countersign_administrator::{AccountParts, Administrator, Parts, Settings, SystemClock};
use countersign_gateway::{Gateway, Limits, Listener, Purpose};
use countersign_identity::{assertion::Signer, secret};
use countersign_lease::{Authority, Gate};
use countersign_ledger::{Ledger, Options, SigningKey};
use countersign_model::{
    AuthenticationMethod, Clock, Entitled, Group, GroupId, Methods, Resource, ResourceId, ResourceKind, Route,
    SessionId, Source, Subject, SubjectId, SubjectState, Tier, Upstream,
};
use countersign_policy::PolicySet;
use countersign_store::{Change, SessionRecord, SqliteStore, Store};

/// Where the application is found.
pub(crate) const HOST: &str = "files.localhost";

pub(crate) fn person() -> SubjectId {
    SubjectId::human("person@example.org").unwrap()
}

/// `session` is the SHA-256 of the person's cookie at [`HOST`].
pub(crate) fn administrator(directory: &Path, upstream: Upstream, session: [u8; 32]) -> Administrator {
    let now = SystemClock.now();
    let people = GroupId::new("people").unwrap();
    let store = SqliteStore::open(&directory.join("store.sqlite")).unwrap();
    let subject = Subject {
        id: person(),
        display_name: "Person".to_owned(),
        email: Some("person@example.org".to_owned()),
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: vec![people.clone()],
        source: Source::Administrator,
        created: now,
        last_used: None,
    };
    let session = SessionRecord {
        id: SessionId::from_random(1),
        subject: person(),
        device: None,
        address: [127, 0, 0, 1].into(),
        methods: Methods::from([AuthenticationMethod::Passkey]),
        authenticated: now,
        created: now,
        last_used: now,
        expires: now.plus(Duration::from_secs(3600)),
        passkey: None,
        provider: None,
        secrets: [(HOST.to_owned(), session)].into(),
    };
    let resource = Resource {
        id: ResourceId::new("files").unwrap(),
        display_name: "Files".to_owned(),
        kind: ResourceKind::Http,
        tier: Tier::Standard,
        segment: None,
        owner: None,
        source: Source::Administrator,
        routes: vec![Route { host: HOST.to_owned(), path_prefix: "/".to_owned() }],
        upstream,
        rules: Vec::new(),
        entitled: Entitled { readers: vec![people.clone()], ..Entitled::default() },
        observe_until: None,
    };
    let group =
        Group { id: people, display_name: "People".to_owned(), member_of: Vec::new(), source: Source::Administrator };
    store
        .commit(&[
            Change::PutGroup(group),
            Change::PutSubject(subject),
            Change::PutSession(session),
            Change::PutResource(resource),
        ])
        .unwrap();

    let policy_directory = directory.join("policies");
    policies::write_starter(&policy_directory).unwrap();
    let symbols = Arc::default();
    let policies = PolicySet::load(policies::read(&policy_directory).unwrap(), &symbols).unwrap();
    let key = SigningKey::from_seed(secret::random_bytes());
    let ledger = Ledger::open(&directory.join("ledger"), Options::new("bench", key)).unwrap();
    Administrator::start(Parts {
        store: Arc::new(store),
        ledger,
        symbols,
        policies,
        settings: Settings::default(),
        clock: Arc::new(SystemClock),
        accounts: AccountParts::default(),
        node: "bench".to_owned(),
    })
    .unwrap()
}

/// Serves until the runtime ends; the port.
pub(crate) async fn gateway(authority: Arc<dyn Authority>, parts: countersign_gateway::Parts) -> u16 {
    let settings = countersign_gateway::Settings {
        node: "bench".to_owned(),
        control_host: "countersign.localhost".to_owned(),
        issuer: "http://countersign.localhost".to_owned(),
        listeners: vec![Listener { address: ([127, 0, 0, 1], 0).into(), tls: None, purpose: Purpose::Applications }],
        trusted_proxies: Vec::new(),
        limits: Limits::default(),
        certificate_authorities: None,
        clock: Arc::new(SystemClock),
    };
    let signer = Signer::from_seed(&secret::random_bytes());
    let gateway = Gateway::bind(Gate::new(authority), parts, signer, settings).await.unwrap();
    let port = gateway.addresses().first().unwrap().port();
    tokio::spawn(gateway.serve(std::future::pending()));
    port
}
