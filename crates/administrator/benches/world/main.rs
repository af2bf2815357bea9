//! How long a decision takes in worlds of 1,000, 100,000 and 1,000,000 people with a device each, what such a world
//! weighs, and how soon a changed fact is seen. Without the wait for the ledger's disk, which has a bench of its own.
//! `cargo bench -p countersign-administrator --bench world [-- PEOPLE…]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may stop, and prints what it measured")]

mod synthetic;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_administrator::{AccountParts, Administrator, Parts, Settings};
use countersign_ledger::{Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, Action, ActionClass, AuthenticationMethod, Credential, CredentialSecret, Decision, DeviceEvidence,
    EnforcementPoint, HttpRequestFacts, Methods, PostureAspect, PostureValue, SessionId, Signal, SignalKind, Source,
    Timestamp,
};
use countersign_policy::{PolicySet, SourceFile};
use countersign_store::SessionRecord;
use countersign_testkit::ManualClock;
use synthetic::{Synthetic, application, fact, fingerprint, laptop, person};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ASKED: u32 = 100_000;
/// People who are signed in.
const SIGNED_IN: u32 = 10_000;
/// As an argument, followed by a number: measure this world in this process.
const ONE: &str = "--people";

/// Spread over the whole world, so that the records are not all in the cache.
fn who(turn: u32, people: u32) -> u32 {
    let signed_in = SIGNED_IN.min(people);
    turn.wrapping_mul(2_654_435_761) % signed_in * (people / signed_in)
}

fn secret(number: u32) -> String {
    format!("secret-of-person-{number}")
}

fn sessions(people: u32) -> Vec<SessionRecord> {
    let signed_in = SIGNED_IN.min(people);
    let make = |turn: u32| {
        let number = turn * (people / signed_in);
        let hash = countersign_identity::secret::hash(&secret(number));
        SessionRecord {
            id: SessionId::from_random(u128::from(number) + 1),
            subject: person(number),
            device: Some(laptop(number)),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            methods: Methods::from([AuthenticationMethod::Passkey]),
            authenticated: NOW.minus(Duration::from_secs(60)),
            created: NOW.minus(Duration::from_secs(60)),
            last_used: NOW,
            expires: NOW.plus(Duration::from_secs(3600)),
            passkey: None,
            provider: None,
            secrets: BTreeMap::from([("application.localhost".to_owned(), *hash.as_bytes())]),
        }
    };
    (0..signed_in).map(make).collect()
}

fn request(number: u32) -> AccessRequest {
    let host = "application.localhost".to_owned();
    AccessRequest {
        point: EnforcementPoint { node: "bench".to_owned(), channel: "http/1.1", caller: None },
        credential: Credential::SessionCookie { secret: CredentialSecret::new(secret(number)), host: host.clone() },
        device: DeviceEvidence::Certificate { fingerprint: fingerprint(number) },
        action: Action::http(ActionClass::Write),
        resource: Some(application(number)),
        address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
        encrypted: true,
        http: Some(HttpRequestFacts { method: "POST".to_owned(), host, path: "/invoices".to_owned() }),
    }
}

/// The starter policies, filled up to a hundred with permits for teams.
fn policies() -> Vec<SourceFile> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
    let mut files: Vec<SourceFile> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cedar"))
        .map(|path| SourceFile { text: std::fs::read_to_string(&path).unwrap(), path })
        .collect();
    let have: usize = files.iter().map(|file| file.text.matches("@id(").count()).sum();
    let filling = (have..100).map(|number| {
        format!(
            "@id(\"team-{number}\")\n@owner(\"bench\")\n@review_by(\"2030-01-01\")\n\
             permit (principal in Group::\"team{number}\", action in Action::\"read\", resource)\n\
             when {{ resource.tier == \"high\" && context.risk < {number} }};\n"
        )
    });
    files.push(SourceFile { path: "filling.cedar".into(), text: filling.collect() });
    files
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or(0)
}

fn percentile(sorted: &[u128], percent: usize) -> f64 {
    let nanoseconds = sorted.get(sorted.len() * percent / 100).copied().unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap()).as_secs_f64() * 1e6
}

fn main() {
    // Each world in a process of its own: memory that an earlier one gave back would hide what this one takes.
    if let Some(people) = std::env::args().skip_while(|argument| argument != ONE).nth(1) {
        return measure(people.parse().unwrap());
    }
    let sizes: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 100_000, 1_000_000] } else { sizes };
    println!("<!-- figures -->");
    println!(
        "| people, and as many devices | load s | memory MiB | bytes per pair | decision p50 µs | p99 µs | change seen p50 µs | p99 µs |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for people in sizes {
        let this = std::env::current_exe().unwrap();
        let ran = std::process::Command::new(this).args([ONE, &people.to_string()]).status().unwrap();
        assert!(ran.success());
    }
    println!("| budget at 1,000,000 | | 1536 | | 5 | 15 | 1000 | |");
    println!("<!-- end of figures -->");
}

fn measure(people: u32) {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed([7; 32]);
    let ledger = Ledger::open(directory.path(), Options::new("bench", key)).unwrap();
    let symbols = Arc::default();
    let policies = PolicySet::load(policies(), &symbols).unwrap();
    let before = resident();
    let began = Instant::now();
    let administrator = Administrator::start(Parts {
        store: Arc::new(Synthetic { people }),
        ledger,
        symbols,
        policies,
        settings: Settings { shadow_one_in: 0, ..Settings::default() },
        clock: Arc::new(ManualClock::new(NOW)),
        accounts: AccountParts::default(),
        node: "bench".to_owned(),
    })
    .unwrap();
    let load = began.elapsed();
    let kilobytes = resident().saturating_sub(before);

    let mut taken = Vec::with_capacity(ASKED as usize);
    for turn in 0..ASKED {
        let request = request(who(turn, people));
        let began = Instant::now();
        let decision = administrator.would_decide(request);
        taken.push(began.elapsed().as_nanos());
        assert!(matches!(decision, Decision::Allow(_)), "{decision:?}");
    }
    taken.sort_unstable();

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut seen = runtime.block_on(visibility(&administrator, people));
    seen.sort_unstable();

    println!(
        "| {people} | {:.2} | {} | {} | {:.2} | {:.2} | {:.0} | {:.0} |",
        load.as_secs_f64(),
        kilobytes / 1024,
        kilobytes * 1024 / u64::from(people),
        percentile(&taken, 50),
        percentile(&taken, 99),
        percentile(&seen, 50),
        percentile(&seen, 99),
    );
}

/// From handing in a report that a disk is no longer encrypted to the first decision that denies for it.
async fn visibility(administrator: &Administrator, people: u32) -> Vec<u128> {
    let mut seen = Vec::new();
    for turn in 0..200 {
        let number = who(turn, people);
        let facts = vec![(PostureAspect::DiskEncryption, fact(PostureValue::Off))];
        let kind = SignalKind::PostureReported { device: laptop(number), facts };
        let began = Instant::now();
        let reported = tokio::spawn({
            let administrator = administrator.clone();
            async move {
                administrator.submit(Signal { at: NOW, source: Source::DeviceReport, by: None, kind }).await.unwrap();
            }
        });
        while matches!(administrator.would_decide(request(number)), Decision::Allow(_)) {
            tokio::task::yield_now().await;
        }
        seen.push(began.elapsed().as_nanos());
        reported.await.unwrap();
    }
    seen
}
