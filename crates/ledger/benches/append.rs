//! Durable appends from several producers, what a producer waits at a moderate load, and the verification of a ledger of
//! a million entries; each beside the bare operations that it cannot do without, on the same disk in the same run.
//! `cargo bench -p countersign-ledger --bench append`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may stop, and prints what it measured")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_ledger::verify::{Trust, verify_directory};
use countersign_ledger::{
    Asked, DecisionEntry, Directory, Entry, EntryBody, Ledger, Options, Pending, Point, Reader, ShownPair, SigningKey,
};
use countersign_model::{
    Action, ActionClass, Allowance, Authentication, AuthenticationMethod, Circumstances, Decision, DecisionId,
    DeviceCircumstances, DeviceId, FactRead, HttpCircumstances, LeaseId, NetworkCircumstances, PolicyId,
    PolicyReference, PolicyRole, Reasons, ResourceId, SessionId, ShownId, SubjectId, TimeCircumstances, Timestamp,
};
use sha2::{Digest as _, Sha256};

const ORIGIN: &str = "bench.example.org";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PRODUCERS: u64 = 4;
/// Of each producer; together 1,000,000 and a few for the growing bundle.
const EACH: u64 = 250_003;
/// Entries that a producer has under way at most: a gateway with some hundred requests in flight.
const WINDOW: usize = 512;

/// An entry as the gateway's decisions are, about 900 bytes.
fn decision(n: u64) -> Entry {
    let at = NOW.plus(Duration::from_micros(n * 10));
    let fact = |name: &str, value: &str| FactRead { name: name.to_owned().into(), value: value.to_owned().into() };
    let circumstances = Circumstances {
        authentication: Some(Authentication { methods: [AuthenticationMethod::Passkey].into(), at: NOW, age: 340 }),
        device: Some(DeviceCircumstances {
            id: DeviceId::new(format!("laptop-{}", n % 5000)).unwrap(),
            managed: true,
            compliant: true,
            findings: std::collections::BTreeMap::new(),
            posture_age: Some(61),
        }),
        network: NetworkCircumstances {
            address: "192.0.2.7".parse().unwrap(),
            zones: ["office".parse().unwrap()].into(),
            encrypted: true,
        },
        time: TimeCircumstances { now: at, hour: 9, weekday: 1, zone: "Europe/Zurich".into() },
        risk: 5,
        grant: None,
        exception: None,
        http: Some(Arc::new(HttpCircumstances {
            method: "GET".to_owned(),
            host: "wiki.example.org".to_owned(),
            path: format!("/pages/{n}"),
        })),
    };
    let reasons = Reasons {
        determining: vec![PolicyReference {
            id: PolicyId::new("staff-read-standard").unwrap(),
            role: PolicyRole::Permit,
        }],
        faults: vec![],
        facts: vec![fact("resource.tier", "standard"), fact("context.authentication.phishing_resistant", "true")],
    };
    let entry = DecisionEntry {
        id: DecisionId::timed(at, u128::from(n) << 64),
        question: Asked {
            subject: SubjectId::human(&format!("person-{}@example.org", n % 5000)).unwrap(),
            action: Action::http(ActionClass::Read),
            resource: Some(ResourceId::new("wiki").unwrap()),
            session: Some(SessionId::from_random(n.into())),
            circumstances,
        },
        decision: Decision::Allow(Allowance { reasons }),
        point: Point { node: "node-a".to_owned(), channel: "http/2".to_owned(), caller: None },
        policy_set: "3b".repeat(32),
        generation: n,
        credential_kind: "session-cookie".to_owned(),
        lease: Some(LeaseId::from_random(n.into())),
        supersedes: None,
        shown: Some(ShownPair { subject: ShownId::from_random(n.into()), resource: ShownId::from_random(7) }),
        observed: None,
    };
    Entry { at, body: EntryBody::Decision(Box::new(entry)) }
}

fn options() -> Options {
    Options::new(ORIGIN, SigningKey::from_seed([7; 32]))
}

fn per_second(count: u64, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64()
}

/// As fast as it goes: entries per second, each acknowledged.
fn flood(ledger: &Ledger) -> f64 {
    // What a producer makes of its entries is not the ledger's time; encoding and hashing is.
    let entries: Vec<Entry> = (0..1024).map(decision).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..PRODUCERS {
            scope.spawn(|| {
                let mut under_way = std::collections::VecDeque::<Pending>::with_capacity(WINDOW);
                for entry in entries.iter().cycle().take(usize::try_from(EACH).unwrap()) {
                    if under_way.len() == WINDOW {
                        under_way.pop_front().unwrap().wait().unwrap();
                    }
                    under_way.push_back(ledger.append(entry));
                }
                for pending in under_way {
                    pending.wait().unwrap();
                }
            });
        }
    });
    per_second(PRODUCERS * EACH, start.elapsed())
}

/// Each of eight producers appends one entry, waits for it, and rests: (p50, p99, entries per second).
fn moderate(directory: &Path) -> (Duration, Duration, f64) {
    const WAITING: u64 = 8;
    const TIMES: u64 = 2000;
    let ledger = Ledger::open(directory, options()).unwrap();
    let start = Instant::now();
    let mut waits: Vec<Duration> = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..WAITING)
            .map(|producer| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let one = |n| {
                        let entry = decision(producer * TIMES + n);
                        let start = Instant::now();
                        ledger.append(&entry).wait().unwrap();
                        let waited = start.elapsed();
                        std::thread::sleep(Duration::from_millis(2));
                        waited
                    };
                    (0..TIMES).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        producers.into_iter().flat_map(|producer| producer.join().unwrap()).collect()
    });
    let rate = per_second(WAITING * TIMES, start.elapsed());
    waits.sort_unstable();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap();
    (at(50), at(99), rate)
}

/// The disk alone: one entry's bytes and a sync, again and again. (p50, p99, syncs per second)
fn bare_syncs(directory: &Path) -> (Duration, Duration, f64) {
    let bytes = decision(0).encode().unwrap();
    let mut file = File::create(directory.join("bare")).unwrap();
    let start = Instant::now();
    let mut waits: Vec<Duration> = (0..3000)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    let rate = per_second(waits.len() as u64, start.elapsed());
    waits.sort_unstable();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap();
    (at(50), at(99), rate)
}

/// Processor time of this process so far, all threads, in seconds: on a shared machine the steadier measure. Zero where
/// there is no /proc.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses, fields 14 and 15 of proc(5): hundredths of a second.
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn milliseconds(span: Duration) -> String {
    format!("{:.2} ms", span.as_secs_f64() * 1e3)
}

fn main() {
    // Where the build is: a disk, which the temporary directory of a machine need not be.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = directory.path().join("ledger");
    let key = options().signing_key.verifier_key(ORIGIN).unwrap();

    let (bare_p50, bare_p99, bare_rate) = bare_syncs(directory.path());
    let (p50, p99, load) = moderate(&directory.path().join("moderate"));

    let ledger = Ledger::open(&root, options()).unwrap();
    let spent = processor_time();
    let rate = flood(&ledger);
    ledger.close();
    let flood_spent = processor_time() - spent;

    let source = Directory::new(&root, None);
    let trust = Trust { key: key.clone(), since: None };
    let (start, spent) = (Instant::now(), processor_time());
    let report = verify_directory(&source, &trust, |_| {}).unwrap();
    let (verified, verify_spent) = (start.elapsed(), processor_time() - spent);
    assert!(report.faults.is_empty() && report.entries == PRODUCERS * EACH);

    let reader = Reader::open(source, &key).unwrap();
    let mut bytes = Vec::new();
    let mut hashed = Duration::ZERO;
    let mut total = 0;
    for n in 0..report.entries {
        bytes.extend(reader.raw_entry(n).unwrap().unwrap());
        if bytes.len() > 64 << 20 || n + 1 == report.entries {
            let start = Instant::now();
            std::hint::black_box(Sha256::digest(&bytes));
            hashed += start.elapsed();
            total += bytes.len();
            bytes.clear();
        }
    }

    println!("<!-- figures -->");
    println!("| what | measured | bare | ratio |");
    println!("|---|---|---|---|");
    println!(
        "| durable entries/s, {PRODUCERS} producers, {} bytes each (bare: one write and `fdatasync` per entry) | {rate:.0} | {bare_rate:.0} | {:.0} × |",
        total as u64 / report.entries,
        rate / bare_rate
    );
    println!(
        "| wait for a receipt, 8 producers, {load:.0} entries/s, p50 (bare: write and `fdatasync`) | {} | {} | {:.2} × |",
        milliseconds(p50),
        milliseconds(bare_p50),
        p50.as_secs_f64() / bare_p50.as_secs_f64()
    );
    println!(
        "| the same, p99 | {} | {} | {:.2} × |",
        milliseconds(p99),
        milliseconds(bare_p99),
        p99.as_secs_f64() / bare_p99.as_secs_f64()
    );
    println!(
        "| verification of {} entries, {} MB (bare: SHA-256 of the same bytes, in memory) | {:.2} s, {:.0} entries/s | {:.2} s | {:.2} × |",
        report.entries,
        total / 1_000_000,
        verified.as_secs_f64(),
        per_second(report.entries, verified),
        hashed.as_secs_f64(),
        verified.as_secs_f64() / hashed.as_secs_f64()
    );
    println!();
    println!(
        "Processor time per entry: {:.1} µs appended, from the producer's encoding to tiles and checkpoints; {:.1} µs verified.",
        flood_spent * 1e6 / report.entries as f64,
        verify_spent * 1e6 / report.entries as f64
    );
    println!("<!-- end of figures -->");
}
