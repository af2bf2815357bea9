#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

//! The lease pipeline, with the real policy engine, the real ledger in a directory, and the store in memory.

mod exceptions;
mod observed;
mod past;
mod proposed;
mod replayed;
mod reviews;
mod strictness;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_lease::{Gate, Lease, RefusalKind, RevocationCause};
use countersign_ledger::{DecisionEntry, Entry, EntryBody, Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, Action, ActionClass, AuthenticationMethod, Credential, CredentialSecret, Decision, DenialCause,
    Device, DeviceEvidence, DeviceId, DeviceState, EnforcementPoint, Entitled, Fact, Group, GroupId, HttpRequestFacts,
    Methods, Need, PostureAspect, PostureValue, Proof, ProofResult, Proofs, Remedy, Resource, ResourceId, ResourceKind,
    Route, SessionId, Signal, SignalKind, Source, Subject, SubjectId, SubjectState, Tier, Timestamp, Upstream,
};
use countersign_policy::{PolicySet, SourceFile, Symbols};
use countersign_store::{Change, SessionRecord, SqliteStore};
use countersign_testkit::ManualClock;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{AccountParts, Administrator, Disclosure, LeaseFilter, Parts, Prover, PublishError, Settings};

/// A Friday, 08:00 UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const FINGERPRINT: &str = "abababababababababababababababababababababababababababababababab";
const HOST: &str = "ledgerbook.localhost";

const POLICY: &str = r#"
@id("writers") @owner("test") @review_by("2030-01-01")
permit (principal, action, resource) when { principal in resource.writers };

@id("public") @owner("test") @review_by("2030-01-01")
permit (principal, action in Action::"read", resource) when { resource.tier == "public" };

@id("healthy") @owner("test") @review_by("2030-01-01") @remedy("Use a healthy device.")
forbid (principal, action, resource) when { resource.tier == "high" }
unless { context has device && context.device.managed && context.device.compliant };

@id("recent") @owner("test") @review_by("2030-01-01") @remedy("Sign in again.")
forbid (principal, action, resource) when { resource.tier == "standard" }
unless { context has authentication && context.authentication.age <= 600 };

@id("calm") @owner("test") @review_by("2030-01-01") @remedy("Ask.")
forbid (principal, action, resource) when { context.risk > 50 && resource.tier != "public" };

@id("daytime") @owner("test") @review_by("2030-01-01") @remedy("Tomorrow.")
forbid (principal, action in Action::"connect", resource) when { context.time.hour >= 18 };
"#;

struct House {
    administrator: Administrator,
    gate: Gate,
    clock: Arc<ManualClock>,
    /// Dropped, it stops the administrator's timekeeping.
    _running: oneshot::Sender<()>,
    _directory: tempfile::TempDir,
}

fn policies(text: &str, symbols: &Arc<Symbols>) -> PolicySet {
    let file = SourceFile { path: PathBuf::from("test.cedar"), text: text.to_owned() };
    PolicySet::load(vec![file], symbols).unwrap_or_else(|problems| panic!("{problems}"))
}

fn alice() -> SubjectId {
    SubjectId::human("alice").unwrap()
}

fn laptop() -> DeviceId {
    DeviceId::new("laptop").unwrap()
}

fn staff() -> GroupId {
    GroupId::new("staff").unwrap()
}

fn fact(value: PostureValue, observed: Timestamp) -> Fact<PostureValue> {
    Fact { value, source: Source::DeviceReport, observed, max_age: Duration::from_secs(900) }
}

fn healthy(observed: Timestamp) -> Vec<(PostureAspect, Fact<PostureValue>)> {
    use PostureAspect as A;
    let on = [A::DiskEncryption, A::Firewall, A::ScreenLock, A::Integrity];
    let mut facts: Vec<_> = on.into_iter().map(|aspect| (aspect, fact(PostureValue::On, observed))).collect();
    facts.push((A::PatchAge, fact(PostureValue::Days(2), observed)));
    facts
}

fn resource(name: &str, tier: Tier) -> Resource {
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
        entitled: Entitled { writers: vec![staff()], ..Entitled::default() },
        observe_until: None,
    }
}

fn facts() -> Vec<SignalKind> {
    let group =
        Group { id: staff(), display_name: "Staff".to_owned(), member_of: vec![], source: Source::Administrator };
    let subject = Subject {
        id: alice(),
        display_name: "Alice".to_owned(),
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: vec![staff()],
        source: Source::Administrator,
        created: NOW,
        last_used: None,
    };
    let device = Device {
        id: laptop(),
        display_name: "Laptop".to_owned(),
        owner: alice(),
        managed: true,
        state: DeviceState::Active,
        certificate: FINGERPRINT.to_owned(),
        certificate_expires: NOW.plus(Duration::from_secs(86_400)),
        enrolled: NOW,
        posture: BTreeMap::from_iter(healthy(NOW)),
    };
    vec![
        SignalKind::GroupPut { group },
        SignalKind::SubjectPut { subject },
        SignalKind::DevicePut { device },
        SignalKind::ResourcePut { resource: resource("ledgerbook", Tier::High) },
        SignalKind::ResourcePut { resource: resource("wiki", Tier::Standard) },
        SignalKind::ResourcePut { resource: resource("leaflet", Tier::Public) },
    ]
}

fn session() -> SessionRecord {
    let hash = countersign_identity::secret::hash("the cookie");
    SessionRecord {
        id: SessionId::from_random(7),
        subject: alice(),
        device: Some(laptop()),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        methods: Methods::from([AuthenticationMethod::Passkey]),
        authenticated: NOW,
        created: NOW,
        last_used: NOW,
        expires: NOW.plus(Duration::from_secs(12 * 3600)),
        passkey: None,
        provider: None,
        secrets: BTreeMap::from([(HOST.to_owned(), *hash.as_bytes())]),
    }
}

fn request(resource: Option<&str>, class: ActionClass) -> AccessRequest {
    AccessRequest {
        point: EnforcementPoint { node: "test".to_owned(), channel: "http/1.1", caller: None },
        credential: Credential::SessionCookie { secret: CredentialSecret::new("the cookie"), host: HOST.to_owned() },
        device: DeviceEvidence::Certificate { fingerprint: FINGERPRINT.to_owned() },
        action: Action::http(class),
        resource: resource.map(|name| ResourceId::new(name).unwrap()),
        address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
        encrypted: true,
        http: Some(HttpRequestFacts { method: "GET".to_owned(), host: HOST.to_owned(), path: "/".to_owned() }),
    }
}

impl House {
    async fn new() -> Self {
        Self::with(Settings { shadow_one_in: 1, ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options::new("test", SigningKey::from_seed([3; 32]));
        let ledger = Ledger::open(&directory.path().join("ledger"), options).unwrap();
        let clock = Arc::new(ManualClock::new(NOW));
        let symbols = Arc::default();
        let administrator = Administrator::start(Parts {
            store: Arc::new(SqliteStore::in_memory().unwrap()),
            ledger,
            policies: policies(POLICY, &symbols),
            symbols,
            settings,
            clock: Arc::clone(&clock) as _,
            accounts: AccountParts::default(),
            node: "test".to_owned(),
        })
        .unwrap();
        let (running, stopped) = oneshot::channel::<()>();
        let timekeeper = administrator.clone();
        tokio::spawn(async move {
            timekeeper
                .run(async {
                    let _dropped = stopped.await;
                })
                .await;
        });
        let gate = Gate::new(Arc::new(administrator.clone()));
        let house = Self { administrator, gate, clock, _running: running, _directory: directory };
        house.submit_all(facts()).await;
        house.administrator.0.store.commit(&[Change::PutSession(session())]).unwrap();
        house.administrator.0.accounts.sessions.put(session());
        house
    }

    fn signal(kind: SignalKind) -> Signal {
        Signal { at: NOW, source: Source::Administrator, by: None, kind }
    }

    async fn submit(&self, kind: SignalKind) {
        self.administrator.submit(Self::signal(kind)).await.unwrap();
    }

    async fn submit_all(&self, kinds: Vec<SignalKind>) {
        self.administrator.submit_all(kinds.into_iter().map(Self::signal).collect()).await.unwrap();
    }

    async fn open(&self, resource: &str) -> Lease {
        self.gate.open(request(Some(resource), ActionClass::Read)).await.unwrap()
    }

    async fn refused(&self, request: AccessRequest) -> (DecisionEntry, RefusalKind) {
        let refusal = self.gate.open(request).await.unwrap_err();
        let (_, entry) = self.administrator.decision(refusal.decision.unwrap()).unwrap().unwrap();
        (decision(entry), refusal.kind)
    }

    /// Everything recorded so far, oldest first.
    async fn entries(&self) -> Vec<Entry> {
        self.administrator.0.recorder.flush().await;
        let ledger = self.administrator.ledger();
        ledger.scan(0..ledger.size()).map(|entry| entry.unwrap().1).collect()
    }
}

fn decision(entry: Entry) -> DecisionEntry {
    match entry.body {
        EntryBody::Decision(decision) => *decision,
        other => panic!("{other:?}"),
    }
}

fn cause(decision: &Decision) -> DenialCause {
    match decision {
        Decision::Deny(denial) => denial.cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lease_is_recorded_before_it_is_and_when_it_ends() {
    let house = House::new().await;
    let lease = house.open("ledgerbook").await;
    let (index, entry) = house.administrator.decision(lease.decision()).unwrap().unwrap();
    assert_eq!(index, lease.receipt().index());
    let recorded = decision(entry);
    assert_eq!(recorded.lease, Some(lease.id()));
    assert_eq!(recorded.question.subject, alice());
    assert!(recorded.question.circumstances.device.as_ref().unwrap().compliant);
    assert_eq!(lease.principal().groups, ["staff"]);
    assert_eq!(house.administrator.leases(&LeaseFilter::default()).len(), 1);
    lease.usage().add_sent(42);

    let id = lease.id();
    drop(lease);
    assert!(house.administrator.leases(&LeaseFilter::default()).is_empty());
    let last = house.entries().await.pop().unwrap();
    let EntryBody::LeaseEnded(ended) = last.body else { panic!("{last:?}") };
    assert_eq!((ended.lease, ended.cause.as_str(), ended.bytes_sent), (id, "completed", 42));
}

#[tokio::test]
async fn every_refusal_is_recorded_with_its_cause() {
    let house = House::new().await;
    let (unknown, kind) = house.refused(request(None, ActionClass::Read)).await;
    assert_eq!(cause(&unknown.decision), DenialCause::UnknownResource);
    assert_eq!(kind, RefusalKind::Denied { remedy: None });
    let (unknown, _) = house.refused(request(Some("nowhere"), ActionClass::Read)).await;
    assert_eq!(cause(&unknown.decision), DenialCause::UnknownResource);

    let mut forged = request(Some("leaflet"), ActionClass::Read);
    forged.credential = Credential::Bearer(CredentialSecret::new("cs_forged_0000"));
    let (forged, _) = house.refused(forged).await;
    assert_eq!(cause(&forged.decision), DenialCause::InvalidCredential);
    assert!(forged.credential_kind.starts_with("bearer, refused"), "{}", forged.credential_kind);

    house.submit(SignalKind::SubjectState { id: alice(), state: SubjectState::Disabled }).await;
    let (disabled, _) = house.refused(request(Some("leaflet"), ActionClass::Read)).await;
    assert_eq!(cause(&disabled.decision), DenialCause::SubjectDisabled);
    assert!(house.entries().await.iter().all(|entry| !format!("{entry:?}").contains("the cookie")));
}

/// Whoever only knocks at doors does not fill the ledger; everybody else is recorded all the same.
#[tokio::test]
async fn strangers_share_a_bound_on_entries() {
    let house = House::new().await;
    let mut stranger = request(Some("wiki"), ActionClass::Read);
    stranger.device = DeviceEvidence::Absent;
    let mut recorded = 0;
    for _ in 0..40 {
        let refusal = house.gate.open(stranger.clone()).await.unwrap_err();
        recorded += usize::from(refusal.decision.is_some());
    }
    assert_eq!(recorded, 30);
    let (known, _) = house.refused(request(None, ActionClass::Read)).await;
    assert_eq!(known.question.subject, alice());
    house.administrator.record_summary_of_refusals();
    let last = house.entries().await.pop().unwrap();
    let EntryBody::SignInRefused { cause, .. } = last.body else { panic!("{last:?}") };
    assert!(cause.starts_with("10 more refused requests of nobody known since "), "{cause}");
    house.clock.set(NOW.plus(Duration::from_secs(60)));
    house.refused(stranger).await;
}

/// A stolen cookie counts for nothing elsewhere, and what needs no proof stays open to whoever has a stale one.
#[tokio::test]
async fn a_cookie_without_its_device_is_no_cookie() {
    let house = House::new().await;
    for device in [DeviceEvidence::Absent, DeviceEvidence::Certificate { fingerprint: "cd".repeat(32) }] {
        let mut stolen = request(Some("wiki"), ActionClass::Read);
        stolen.device = device.clone();
        let (stolen, _) = house.refused(stolen).await;
        assert_eq!(stolen.question.subject, SubjectId::anonymous());
        let mut public = request(Some("leaflet"), ActionClass::Read);
        public.device = device;
        let lease = house.gate.open(public).await.unwrap();
        assert_eq!(lease.principal().subject, SubjectId::anonymous());
    }
}

#[tokio::test]
async fn what_may_be_told_is_a_setting() {
    let house = House::new().await;
    house.submit(SignalKind::DeviceManaged { id: laptop(), managed: false }).await;
    let (told, kind) = house.refused(request(Some("ledgerbook"), ActionClass::Read)).await;
    let Decision::Deny(denial) = &told.decision else { panic!("{told:?}") };
    assert!(denial.remedy.is_some());
    assert_eq!(kind, RefusalKind::Denied { remedy: denial.remedy.clone() });

    let silent = Settings { disclosure: Disclosure::None, ..Settings::default() };
    house.administrator.reconfigure(silent, "00".to_owned(), None).await.unwrap();
    let (_, kind) = house.refused(request(Some("ledgerbook"), ActionClass::Read)).await;
    assert_eq!(kind, RefusalKind::Denied { remedy: None });
}

/// Each fact that a lease rests on, changed: the lease is cut, with the decision that no longer grants it on record.
#[tokio::test]
async fn a_changed_fact_cuts_what_rested_on_it() {
    let bad = vec![(PostureAspect::Firewall, fact(PostureValue::Off, NOW))];
    let other = Resource { entitled: Entitled::default(), ..resource("ledgerbook", Tier::High) };
    let changes = [
        SignalKind::PostureReported { device: laptop(), facts: bad },
        SignalKind::DeviceManaged { id: laptop(), managed: false },
        SignalKind::DeviceState { id: laptop(), state: DeviceState::Revoked },
        SignalKind::SubjectState { id: alice(), state: SubjectState::Disabled },
        SignalKind::SubjectRemoved { id: alice() },
        SignalKind::MembershipChanged { subject: alice(), groups: vec![] },
        SignalKind::GroupRemoved { id: staff() },
        SignalKind::RiskChanged { subject: alice(), risk: 90, reason: "seen elsewhere".to_owned() },
        SignalKind::ResourcePut { resource: other },
        SignalKind::ResourceRemoved { id: ResourceId::new("ledgerbook").unwrap() },
    ];
    for change in changes {
        let house = House::new().await;
        let lease = house.open("ledgerbook").await;
        let bystander = house.open("leaflet").await;
        let name = change.name();
        let stays = matches!(
            change,
            SignalKind::PostureReported { .. }
                | SignalKind::DeviceManaged { .. }
                | SignalKind::MembershipChanged { .. }
                | SignalKind::RiskChanged { .. }
                | SignalKind::GroupRemoved { .. }
                | SignalKind::ResourcePut { .. }
                | SignalKind::ResourceRemoved { .. }
        );
        house.submit(change).await;
        let revocation = lease.watch().revocation().unwrap_or_else(|| panic!("{name} cut nothing")).clone();
        assert_eq!(revocation.cause, RevocationCause::FactChanged, "{name}");
        assert_eq!(bystander.watch().revocation().is_none(), stays, "{name}");
        house.administrator.0.recorder.flush().await;
        let (_, entry) = house.administrator.decision(revocation.decision.unwrap()).unwrap().unwrap();
        let recorded = decision(entry);
        assert_eq!((recorded.supersedes, recorded.lease), (Some(lease.decision()), None), "{name}");
    }
}

/// One pass over many leases decides a question once, and each is recorded with its own request.
#[tokio::test]
async fn leases_share_a_decision_only_where_they_ask_the_same() {
    let house = House::new().await;
    let them = &house.administrator;
    let open = async |path: &str| {
        let http = HttpRequestFacts { method: "GET".to_owned(), host: HOST.to_owned(), path: path.to_owned() };
        let asked = AccessRequest { http: Some(http), ..request(Some("ledgerbook"), ActionClass::Read) };
        house.gate.open(asked).await.unwrap()
    };
    let risk = |risk| SignalKind::RiskChanged { subject: alice(), risk, reason: "seen elsewhere".to_owned() };
    let reads_path = r#"
@id("own") @owner("test") @review_by("2030-01-01") @remedy("Ask.")
forbid (principal, action, resource) when { context has http && context.http.path == "/own" && context.risk > 10 };
"#;
    them.publish(policies(&format!("{POLICY}{reads_path}"), them.symbols()), None).await.unwrap();
    let leases = [open("/").await, open("/own").await, open("/").await];
    house.submit(risk(20)).await;
    let cut = leases.each_ref().map(|lease| lease.watch().revocation().is_some());
    assert_eq!(cut, [false, true, false]);

    drop(leases);
    them.publish(policies(POLICY, them.symbols()), None).await.unwrap();
    let paths = ["/one", "/two", "/three"];
    let leases = [open(paths[0]).await, open(paths[1]).await, open(paths[2]).await];
    house.submit(risk(90)).await;
    them.0.recorder.flush().await;
    for (lease, path) in leases.iter().zip(paths) {
        let by = lease.watch().revocation().unwrap().decision.unwrap();
        let recorded = decision(them.decision(by).unwrap().unwrap().1);
        assert_eq!(recorded.supersedes, Some(lease.decision()));
        assert_eq!(recorded.question.circumstances.http.unwrap().path, path);
    }
}

/// Whoever is nobody yet is told the same everywhere, whatever may be disclosed to somebody: sign in.
#[tokio::test]
async fn nobody_is_asked_to_sign_in_wherever_they_knock() {
    for disclosure in [Disclosure::None, Disclosure::Remedy] {
        let house = House::with(Settings { disclosure, ..Settings::default() }).await;
        let forbidden = Resource { entitled: Entitled::default(), ..resource("forbidden", Tier::Standard) };
        house.submit(SignalKind::ResourcePut { resource: forbidden }).await;
        for at in [Some("ledgerbook"), Some("wiki"), Some("forbidden"), None] {
            let void = Credential::SessionCookie { secret: CredentialSecret::new("void"), host: HOST.to_owned() };
            for credential in [Credential::Absent, void] {
                let asked =
                    AccessRequest { credential, device: DeviceEvidence::Absent, ..request(at, ActionClass::Read) };
                let refusal = house.gate.open(asked).await.unwrap_err();
                let RefusalKind::Challenged { remedy } = &refusal.kind else { panic!("{at:?}: {:?}", refusal.kind) };
                assert!(remedy.needs.contains(&Need::SignIn), "{at:?}: {remedy:?}");
                if disclosure == Disclosure::None {
                    assert_eq!(*remedy, Remedy { needs: vec![Need::SignIn], advice: None }, "{at:?}");
                }
            }
            // A token that proves nothing is refused, not asked to sign in.
            let token = Credential::Bearer(CredentialSecret::new("cs_no_key"));
            let asked = AccessRequest { credential: token, ..request(at, ActionClass::Read) };
            let refusal = house.gate.open(asked).await.unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::Denied { remedy: None }, "{at:?}");
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_takes_its_leases_with_it() {
    let house = House::new().await;
    let lease = house.open("wiki").await;
    // Even what is open to everybody: it was opened as somebody.
    let public = house.open("leaflet").await;
    house.administrator.0.accounts.sessions.remove(session().id).unwrap();
    house.administrator.session_changed(session().id, None);
    for lease in [lease, public] {
        assert_eq!(lease.watch().revocation().unwrap().cause, RevocationCause::SessionEnded);
    }
}

/// Turns the clock to one millisecond before, and to, each instant at which time alone ends a lease.
#[tokio::test]
async fn time_cuts_exactly_at_its_instant() {
    let cases = [
        // The posture was observed at the start and counts for fifteen minutes.
        ("ledgerbook", ActionClass::Read, NOW.plus(Duration::from_secs(900))),
        // An age of 600 whole seconds is still allowed; 601 is not.
        ("wiki", ActionClass::Read, NOW.plus(Duration::from_secs(601))),
        // The session rests for an hour.
        ("leaflet", ActionClass::Read, NOW.plus(Duration::from_secs(3600))),
    ];
    for (resource, class, instant) in cases {
        let house = House::new().await;
        let lease = house.gate.open(request(Some(resource), class)).await.unwrap();
        let before = instant.minus(Duration::from_millis(1));
        house.clock.set(before);
        house.administrator.pass(before).await;
        assert!(lease.watch().revocation().is_none(), "{resource} was cut too early");
        house.clock.set(instant);
        let revocation = lease.watch().revoked().await;
        assert_eq!((revocation.cause, revocation.at), (RevocationCause::TimePassed, instant), "{resource}");
    }
}

#[tokio::test]
async fn an_hour_that_passes_is_a_cause_in_the_configured_zone() {
    // 08:00 UTC is 13:30 in Kolkata, so 18:00 there is 12:30 UTC.
    let zone = Settings {
        time_zone: "Asia/Kolkata".to_owned(),
        session_idle: Duration::from_secs(86_400),
        ..Settings::default()
    };
    let house = House::with(zone).await;
    let lease = house.gate.open(request(Some("leaflet"), ActionClass::Read)).await.unwrap();
    let channel =
        SignalKind::ResourcePut { resource: Resource { tier: Tier::Public, ..resource("chat", Tier::Public) } };
    house.submit(channel).await;
    let chat = house.gate.open(request(Some("chat"), ActionClass::Connect)).await.unwrap();
    let evening = NOW.plus(Duration::from_secs(4 * 3600 + 1800));
    for hour in 1..=4_u64 {
        let now = NOW.plus(Duration::from_secs(hour * 3600));
        house.clock.set(now);
        house.administrator.pass(now).await;
        assert!(chat.watch().revocation().is_none());
    }
    house.clock.set(evening);
    assert_eq!(chat.watch().revoked().await.at, evening);
    assert!(lease.watch().revocation().is_none());
}

/// A later report keeps a lease alive past the instant at which the earlier one would have grown stale.
#[tokio::test]
async fn a_fresh_report_moves_the_instant() {
    let house = House::new().await;
    let lease = house.open("ledgerbook").await;
    let later = NOW.plus(Duration::from_secs(800));
    house.clock.set(later);
    house.submit(SignalKind::PostureReported { device: laptop(), facts: healthy(later) }).await;
    let stale = NOW.plus(Duration::from_secs(900));
    house.clock.set(stale);
    house.administrator.pass(stale).await;
    assert!(lease.watch().revocation().is_none());
    house.clock.set(later.plus(Duration::from_secs(900)));
    lease.watch().revoked().await;
}

/// Once expired, always expired: no later instant allows again what an earlier one no longer did.
#[tokio::test]
async fn expiry_is_monotone() {
    let house = House::new().await;
    let mut denied = false;
    for second in (0..2000).step_by(37) {
        house.clock.set(NOW.plus(Duration::from_secs(second)));
        let decision = house.administrator.would_decide(request(Some("ledgerbook"), ActionClass::Read));
        let allowed = matches!(decision, Decision::Allow(_));
        assert!(!(denied && allowed), "allowed again after {second} s");
        denied = !allowed;
    }
    assert!(denied);
}

#[tokio::test]
async fn a_published_policy_decides_every_lease_again() {
    let house = House::new().await;
    let (wiki, leaflet) = (house.open("wiki").await, house.open("leaflet").await);
    let only_public =
        POLICY.split("@id(\"healthy\")").next().unwrap().replace("principal in resource.writers", "false");
    let set = policies(&only_public, house.administrator.symbols());
    let hash = set.hash().to_owned();
    house.administrator.publish(set, None).await.unwrap();
    assert_eq!(wiki.watch().revocation().unwrap().cause, RevocationCause::PolicyChanged);
    assert!(leaflet.watch().revocation().is_none());
    let published = |entry: &Entry| matches!(&entry.body, EntryBody::PolicyPublished { hash: it, .. } if *it == hash);
    assert!(house.entries().await.iter().any(published));

    let foreign = policies(POLICY, &Arc::default());
    house.administrator.publish(foreign, None).await.unwrap_err();
}

/// What became of the guardrails is recorded with the set, and a set that must be proven and is not decides nothing.
#[tokio::test]
async fn a_set_goes_live_with_its_proofs_or_not_at_all() {
    #[derive(Debug)]
    struct Answers(Mutex<VecDeque<Result<ProofResult, String>>>);

    impl Prover for Answers {
        fn prove(&self, set: &PolicySet) -> Result<Option<Proofs>, Vec<String>> {
            let answer = self.0.lock().pop_front().unwrap();
            let result = answer.map_err(|reason| vec![reason])?;
            let results = set.guardrails().iter().map(|it| Proof { id: it.id.clone(), result }).collect();
            let guardrails = set.guardrails_hash().to_owned();
            Ok(Some(Proofs { guardrails, solver: Some("s 1".to_owned()), at: NOW, results }))
        }
    }

    let house = House::new().await;
    let administrator = &house.administrator;
    let recorded = async || {
        let entries = house.entries().await;
        let found = entries.into_iter().filter_map(|entry| match entry.body {
            EntryBody::PolicyPublished { proofs, .. } => Some(proofs),
            _ => None,
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(recorded().await, [None], "nobody could prove anything at the start");
    let answers = [Ok(ProofResult::Proven), Ok(ProofResult::Unknown), Err("not this one".to_owned())];
    administrator.prove_with(Arc::new(Answers(Mutex::new(answers.into()))));
    administrator.prove_in_force().await.unwrap();
    administrator.prove_in_force().await.unwrap();
    let last = |all: &[Option<Box<Proofs>>]| all.last().unwrap().as_ref().unwrap().results[0].result;
    let all = recorded().await;
    assert_eq!((all.len(), last(&all)), (2, ProofResult::Proven), "once");

    administrator.publish(policies(POLICY, administrator.symbols()), None).await.unwrap();
    assert_eq!(last(&recorded().await), ProofResult::Unknown);
    let before = administrator.policies();
    let refused = administrator.publish(policies(POLICY, administrator.symbols()), None).await.unwrap_err();
    assert_eq!(refused, PublishError::NotProven(vec!["not this one".to_owned()]));
    assert!(Arc::ptr_eq(&before, &administrator.policies()));
    assert_eq!(recorded().await.len(), 3, "and nothing of it is recorded");
}

/// Facts change while admissions are under way: whatever is open afterwards is open under the facts as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_falls_between_a_decision_and_its_lease() {
    let house = House::new().await;
    for _ in 0..25 {
        let opening: Vec<_> = (0..16)
            .map(|_| {
                let gate = house.gate.clone();
                tokio::spawn(async move { gate.open(request(Some("ledgerbook"), ActionClass::Read)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        house.submit(SignalKind::DeviceManaged { id: laptop(), managed: false }).await;
        for lease in opening {
            if let Ok(lease) = lease.await.unwrap() {
                assert!(lease.watch().revocation().is_some(), "a lease outlived its facts");
            }
        }
        house.submit(SignalKind::DeviceManaged { id: laptop(), managed: true }).await;
    }
}

#[tokio::test]
async fn too_many_at_once_are_shed() {
    let house = House::with(Settings { max_in_flight: 0, ..Settings::default() }).await;
    let refusal = house.gate.open(request(Some("leaflet"), ActionClass::Read)).await.unwrap_err();
    assert_eq!((refusal.decision, refusal.kind), (None, RefusalKind::Overloaded));
}

/// No record, no access: neither for what asks now nor for what is open.
#[tokio::test]
async fn a_closed_ledger_means_no_access() {
    let house = House::new().await;
    let lease = house.open("leaflet").await;
    house.administrator.ledger().clone().close();
    let refusal = house.gate.open(request(Some("leaflet"), ActionClass::Read)).await.unwrap_err();
    assert_eq!((refusal.decision, refusal.kind), (None, RefusalKind::Unavailable));
    assert!(!house.administrator.ready());
    assert_eq!(lease.watch().revoked().await.cause, RevocationCause::RecordFailed);
    assert_eq!(house.administrator.leases(&LeaseFilter::default()).len(), 1, "only its holder takes it off the table");
    // A change of facts that cannot be recorded is not in force either.
    let promote = SignalKind::RiskChanged { subject: alice(), risk: 90, reason: String::new() };
    house.administrator.submit(House::signal(promote)).await.unwrap_err();
    assert_eq!(house.administrator.risk(&alice()), Some(0));
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_lease_behind() {
    let house = House::new().await;
    let opening = house.gate.open(request(Some("leaflet"), ActionClass::Read));
    // Polled once, it waits for the ledger, and is dropped.
    let given_up = tokio::time::timeout(Duration::ZERO, opening).await;
    drop(given_up);
    assert!(house.administrator.leases(&LeaseFilter::default()).is_empty());
}

#[tokio::test]
async fn stopping_ends_everything_and_says_so() {
    let house = House::new().await;
    let lease = house.open("leaflet").await;
    house.administrator.stop().await;
    assert_eq!(lease.watch().revocation().unwrap().cause, RevocationCause::Shutdown);
    let refusal = house.gate.open(request(Some("leaflet"), ActionClass::Read)).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert!(house.entries().await.iter().any(|entry| matches!(entry.body, EntryBody::Stopped { .. })));
}

#[tokio::test]
async fn what_is_recorded_can_be_listened_to() {
    let house = House::new().await;
    let mut stream = house.administrator.stream();
    let lease = house.open("leaflet").await;
    let heard = stream.recv().await.unwrap();
    assert_eq!((heard.index, decision(heard.entry.clone()).lease), (lease.receipt().index(), Some(lease.id())));
}

#[tokio::test]
async fn built_in_parts_are_there_and_stay() {
    let house = House::new().await;
    let catalog = house.administrator.catalog();
    let at = |path: &str| catalog.find("countersign.localhost", path).map(|it| it.id.to_string());
    assert_eq!(at("/sign-in").as_deref(), Some("countersign-sign-in"));
    assert_eq!(at("/console/x").as_deref(), Some("countersign-console"));
    assert_eq!(at("/").as_deref(), Some("countersign-portal"));
    let shadow = Resource {
        routes: vec![Route { host: "countersign.localhost".to_owned(), path_prefix: "/console/fake".to_owned() }],
        ..resource("fake", Tier::Public)
    };
    for kind in [
        SignalKind::ResourceRemoved { id: ResourceId::new("countersign-console").unwrap() },
        SignalKind::ResourcePut { resource: shadow },
        SignalKind::GroupRemoved { id: GroupId::new("owners").unwrap() },
    ] {
        house.administrator.submit(House::signal(kind)).await.unwrap_err();
    }
}
