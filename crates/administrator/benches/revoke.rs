//! Ten thousand open leases of one device, and the report that ends them: from the cause to the holder of each lease
//! being told. What the gateway then takes to close the connection is measured there.
//! `cargo bench -p countersign-administrator --bench revoke`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may stop, and prints what it measured")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_administrator::{AccountParts, Administrator, Parts, Settings};
use countersign_lease::Gate;
use countersign_ledger::{Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, Action, ActionClass, Credential, Device, DeviceEvidence, DeviceId, DeviceState, EnforcementPoint,
    Entitled, Resource, ResourceId, ResourceKind, Signal, SignalKind, Source, SubjectId, Tier, Timestamp, Upstream,
};
use countersign_policy::{PolicySet, SourceFile};
use countersign_store::SqliteStore;
use countersign_testkit::ManualClock;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LEASES: usize = 10_000;

const POLICY: &str = r#"
@id("managed") @owner("bench") @review_by("2030-01-01")
permit (principal, action, resource) when { context has device && context.device.managed };
"#;

fn signal(kind: SignalKind) -> Signal {
    Signal { at: NOW, source: Source::Administrator, by: None, kind }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(revoke());
}

async fn revoke() {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed([7; 32]);
    let ledger = Ledger::open(directory.path(), Options::new("bench", key)).unwrap();
    let symbols = Arc::default();
    let file = SourceFile { path: "bench.cedar".into(), text: POLICY.to_owned() };
    let policies = PolicySet::load(vec![file], &symbols).unwrap();
    let administrator = Administrator::start(Parts {
        store: Arc::new(SqliteStore::in_memory().unwrap()),
        ledger,
        symbols,
        policies,
        settings: Settings { shadow_one_in: 0, max_in_flight: LEASES, ..Settings::default() },
        clock: Arc::new(ManualClock::new(NOW)),
        accounts: AccountParts::default(),
        node: "bench".to_owned(),
    })
    .unwrap();

    let device = Device {
        id: DeviceId::new("kiosk").unwrap(),
        display_name: "Kiosk".to_owned(),
        owner: SubjectId::human("nobody").unwrap(),
        managed: true,
        state: DeviceState::Active,
        certificate: "ab".repeat(32),
        certificate_expires: Timestamp::FOREVER,
        enrolled: NOW,
        posture: BTreeMap::new(),
    };
    let resource = Resource {
        id: ResourceId::new("board").unwrap(),
        display_name: "Board".to_owned(),
        kind: ResourceKind::Http,
        tier: Tier::Public,
        segment: None,
        owner: None,
        source: Source::Administrator,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: "none".to_owned() },
        rules: Vec::new(),
        entitled: Entitled::default(),
        observe_until: None,
    };
    let id = device.id.clone();
    let facts = vec![signal(SignalKind::DevicePut { device }), signal(SignalKind::ResourcePut { resource })];
    administrator.submit_all(facts).await.unwrap();

    let gate = Gate::new(Arc::new(administrator.clone()));
    let open = (0..LEASES).map(|_| {
        let gate = gate.clone();
        async move {
            gate.open(AccessRequest {
                point: EnforcementPoint { node: "bench".to_owned(), channel: "websocket", caller: None },
                credential: Credential::Absent,
                device: DeviceEvidence::Certificate { fingerprint: "ab".repeat(32) },
                action: Action::http(ActionClass::Connect),
                resource: Some(ResourceId::new("board").unwrap()),
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                encrypted: true,
                http: None,
            })
            .await
            .unwrap()
        }
    });
    let began = Instant::now();
    let leases = futures_util::future::join_all(open).await;
    let opened = began.elapsed();

    let cause = Instant::now();
    let told: Vec<_> = leases
        .into_iter()
        .map(|lease| {
            tokio::spawn(async move {
                lease.watch().revoked().await;
                Instant::now()
            })
        })
        .collect();
    // The holders are waiting before the cause comes.
    tokio::task::yield_now().await;
    let waiting = cause.elapsed();
    let cause = Instant::now();
    administrator.submit(signal(SignalKind::DeviceManaged { id, managed: false })).await.unwrap();
    let kept = cause.elapsed();
    let mut after: Vec<Duration> = Vec::with_capacity(LEASES);
    for told in told {
        // A holder that is never told would be waited for here without end: none is left.
        after.push(told.await.unwrap().saturating_duration_since(cause));
    }
    after.sort_unstable();
    let at =
        |percent: usize| after.get(after.len() * percent / 100).or(after.last()).map_or(0.0, Duration::as_secs_f64);
    println!("<!-- figures -->");
    println!("| cause to the holder being told, {LEASES} leases | first ms | p50 ms | p99 ms | last ms | left |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| in the administrator | {:.2} | {:.2} | {:.2} | {:.2} | {} |",
        at(0) * 1e3,
        at(50) * 1e3,
        at(99) * 1e3,
        at(100) * 1e3,
        LEASES - after.len(),
    );
    println!("| budget, to the last byte | 5 | | 100 | | 0 |");
    println!(
        "\nOpening them, each recorded: {:.0} ms. The signal was in the store after {:.2} ms; starting the {LEASES} \
         holders took {:.2} ms.",
        opened.as_secs_f64() * 1e3,
        kept.as_secs_f64() * 1e3,
        waiting.as_secs_f64() * 1e3,
    );
    println!("<!-- end of figures -->");
    administrator.stop().await;
}
