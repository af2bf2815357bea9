//! Recorded decisions decided again, beside a plain scan of the same ledger in the same run.
//! `cargo bench -p countersign-replay`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench may stop, and prints what it measured"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_ledger::{
    Asked, DecisionEntry, Directory, Entry, EntryBody, Ledger, Options, Pending, Point, Reader, ShownPair, SigningKey,
    shown_id,
};
use countersign_model::*;
use countersign_policy::{PolicySet, Record, Slice, SourceFile, Symbols};
use countersign_replay::{Report, Span, replay};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PEOPLE: usize = 2000;
const POLICIES: usize = 100;

/// The starter policies and as many of teams as make a hundred; `change` is what is proposed.
fn policies(change: &str, symbols: &Arc<Symbols>) -> PolicySet {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<SourceFile> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cedar"))
        .map(|path| SourceFile { text: std::fs::read_to_string(&path).unwrap(), path })
        .collect();
    let starter: usize = files.iter().map(|file| file.text.matches("@id(").count()).sum();
    let mut text = change.to_owned();
    for number in starter..POLICIES {
        text.push_str(&format!(
            "@id(\"team-{number}\") @owner(\"bench\") @review_by(\"2027-01-01\") @remedy(\"none\")\n\
             permit (principal in Group::\"team-{number}\", action in Action::\"access\", resource)\n\
             when {{ context.time.hour >= 7 && context.risk < 40 }};\n"
        ));
    }
    files.push(SourceFile { path: "generated.cedar".into(), text });
    PolicySet::load(files, symbols).unwrap()
}

fn subject(number: usize) -> Shown {
    let mut groups: Vec<GroupId> =
        (0..8).map(|more| GroupId::new(format!("team-{:03}", (number * 7 + more) % 150)).unwrap()).collect();
    groups.sort_unstable();
    groups.dedup();
    let id = SubjectId::human(&format!("person-{number}@example.org")).unwrap();
    Shown::Subject(ShownSubject { id, owner: None, acts_for: None, groups })
}

fn resource(tier: Tier) -> Shown {
    Shown::Resource(ShownResource {
        id: ResourceId::new(format!("application-{tier}")).unwrap(),
        kind: ResourceKind::Http,
        tier,
        segment: Some(SegmentId::new("main").unwrap()),
        owner: None,
        entitled: Entitled { writers: vec![GroupId::new("everyone").unwrap()], ..Entitled::default() },
        observe_until: None,
    })
}

fn circumstances(number: usize) -> Circumstances {
    let age = (number as u64 * 7919) % 50_000;
    Circumstances {
        authentication: Some(Authentication {
            methods: Methods::from([AuthenticationMethod::Passkey]),
            at: NOW.minus(Duration::from_secs(age)),
            age,
        }),
        device: Some(DeviceCircumstances {
            id: DeviceId::new(format!("laptop-{}", number % PEOPLE)).unwrap(),
            managed: !number.is_multiple_of(31),
            compliant: !number.is_multiple_of(23),
            findings: Default::default(),
            posture_age: Some(age % 700),
        }),
        network: NetworkCircumstances {
            address: [10, 0, 0, (number % 250) as u8].into(),
            zones: ["office".parse().unwrap()].into(),
            encrypted: true,
        },
        time: TimeCircumstances { now: NOW, hour: 12, weekday: 3, zone: "Europe/Berlin".into() },
        risk: (number % 30) as u8,
        grant: None,
        exception: None,
        http: Some(Arc::new(HttpCircumstances {
            method: "GET".into(),
            host: "wiki.example.org".into(),
            path: format!("/pages/{number}"),
        })),
    }
}

/// A ledger of so many decisions by `set`, with what they were shown.
fn written(directory: &Path, set: &PolicySet, decisions: usize) {
    let ledger = Ledger::open(directory, Options::new("bench", SigningKey::from_seed([7; 32]))).unwrap();
    let mut under_way = std::collections::VecDeque::<Pending>::new();
    let mut put = |at: Timestamp, body: EntryBody| {
        if under_way.len() == 4096 {
            under_way.pop_front().unwrap().wait().unwrap();
        }
        under_way.push_back(ledger.append(&Entry { at, body }));
    };
    let people: Vec<Shown> = (0..PEOPLE).map(subject).collect();
    let resources = [Tier::Standard, Tier::Standard, Tier::Standard, Tier::High, Tier::CrownJewel].map(resource);
    let known = |all: &[Shown]| -> Vec<(Record, ShownId)> {
        all.iter().map(|shown| (Record::of(set.symbols(), shown), shown_id(shown).unwrap())).collect()
    };
    let (subjects, applications) = (known(&people), known(&resources));
    for shown in people.into_iter().chain(resources) {
        put(NOW, EntryBody::Shown(Box::new(shown)));
    }
    for number in 0..decisions {
        let at = NOW.plus(Duration::from_millis(number as u64));
        let person = number % PEOPLE;
        let application = (number / 3) % applications.len();
        let (subject, resource) = (&subjects[person], &applications[application]);
        let tier = ["standard", "standard", "standard", "high", "crown-jewel"][application];
        let question = Question {
            subject: SubjectId::human(&format!("person-{person}@example.org")).unwrap(),
            action: Action::http(ActionClass::Read),
            resource: ResourceId::new(format!("application-{tier}")).unwrap(),
            session: Some(SessionId::from_random(person as u128)),
            circumstances: circumstances(number),
        };
        let decision = set.decide(&Slice { subject: &subject.0, resource: &resource.0 }, &question);
        let entry = DecisionEntry {
            id: DecisionId::timed(at, (number as u128) << 64),
            question: Asked::from(question),
            lease: matches!(decision, Decision::Allow(_)).then(|| LeaseId::from_random(number as u128)),
            decision,
            point: Point { node: "node-a".to_owned(), channel: "http/2".to_owned(), caller: None },
            policy_set: set.hash().to_owned(),
            generation: number as u64,
            credential_kind: "session-cookie".to_owned(),
            supersedes: None,
            shown: Some(ShownPair { subject: subject.1, resource: resource.1 }),
            observed: None,
        };
        put(at, EntryBody::Decision(Box::new(entry)));
    }
    for pending in under_way {
        pending.wait().unwrap();
    }
    ledger.close();
}

fn main() {
    // `cargo test --benches` runs this too: a glance is enough there.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let decisions = if quick { 2000 } else { 1_000_000 };
    let directory = tempfile::tempdir().unwrap();
    let symbols = Arc::default();
    let set = policies("", &symbols);
    written(directory.path(), &set, decisions);
    let key = SigningKey::from_seed([7; 32]).verifier_key("bench").unwrap();
    let open = || Reader::open(Directory::new(directory.path(), None), &key).unwrap();
    let timed = |work: &dyn Fn() -> Report| {
        let start = Instant::now();
        let report = work();
        assert_eq!(report.covered.replayed, decisions as u64);
        (report, decisions as f64 / start.elapsed().as_secs_f64())
    };
    let again = |set: &PolicySet, before, threads| {
        let span = Span { since: None, newest: None, examples: 3, threads };
        replay(&open(), set, before, &span, |_| ControlFlow::Continue(())).unwrap()
    };
    // Both read from the page cache.
    let start = Instant::now();
    let scanned = open().scan(0..u64::MAX).map(Result::unwrap).count();
    let scan = scanned as f64 / start.elapsed().as_secs_f64();

    let changed = policies(
        "@id(\"proposed\") @owner(\"bench\") @review_by(\"2027-01-01\") @remedy(\"none\")\n\
         forbid (principal is Human, action, resource) when { resource.tier == \"high\" && context.risk > 20 };\n",
        &symbols,
    );
    let one_team = policies(
        "@id(\"proposed\") @owner(\"bench\") @review_by(\"2027-01-01\") @remedy(\"none\")\n\
         forbid (principal in Group::\"team-007\", action, resource) when { context.risk > 20 };\n",
        &symbols,
    );
    println!("<!-- figures -->");
    println!("| {decisions} decisions, {POLICIES} policies | entries or decisions/s | × scan |");
    println!("|---|---|---|");
    println!("| scan: every entry read and decoded, one thread | {scan:.0} | 1.00 |");
    let every = "every decision made again";
    let reports: Vec<Report> = [
        (format!("the same policies, {every}, one thread"), &set, None, 1),
        (format!("the same policies, {every}"), &set, None, 2),
        (format!("a rule for a tier, {every}"), &changed, None, 2),
        ("a rule for a tier, what it can touch made again".to_owned(), &changed, Some(&set), 2),
        (format!("a rule for one group, {every}"), &one_team, None, 2),
        ("a rule for one group, what it can touch made again".to_owned(), &one_team, Some(&set), 2),
    ]
    .into_iter()
    .map(|(name, set, before, threads)| {
        let (report, rate) = timed(&|| again(set, before, threads));
        assert_eq!(report.changed() == 0, name.contains("same"));
        println!("| replay: {name} ({} changed) | {rate:.0} | {:.2} |", report.changed(), rate / scan);
        report
    })
    .collect();
    // Not making a decision again is not another answer.
    assert!(reports[2] == reports[3] && reports[4] == reports[5]);
    let bytes: u64 = size(directory.path().join("tile/entries").as_path());
    println!();
    println!("{} bytes per decision on disk, what was shown included.", bytes / decisions as u64);
    println!("<!-- end of figures -->");
}

fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}
