//! The ledger against a slow reference, a failing disk, forgers, and a verifier in another language.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

mod crashes;
mod formats;
mod independent;
mod memory_disk;
mod opened;
mod recoveries;
mod reference;
mod tampered;
mod trees;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign_model::{
    Action, ActionClass, Allowance, Circumstances, Decision, DecisionId, NetworkCircumstances, Reasons, ResourceId,
    SubjectId, TimeCircumstances, Timestamp,
};

use crate::{
    Asked, DecisionEntry, Disk, Entry, EntryBody, Ledger, Options, Point, Receipt, SigningKey, SystemDisk, VerifierKey,
};

const ORIGIN: &str = "ledger.test";

/// When the first entry happens; each further one a millisecond later.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// So long that a checkpoint comes only when it is asked for.
const NEVER: Duration = Duration::from_secs(86_400);

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

fn verifier() -> VerifierKey {
    static KEY: LazyLock<VerifierKey> = LazyLock::new(|| key().verifier_key(ORIGIN).unwrap());
    KEY.clone()
}

fn at(n: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(n))
}

fn small(n: u64) -> Entry {
    Entry { at: at(n), body: EntryBody::Stopped { node: format!("node-{n}") } }
}

fn id(n: u64) -> DecisionId {
    DecisionId::timed(at(n), u128::from(n) << 60)
}

fn decision(n: u64) -> Entry {
    let circumstances = Circumstances {
        authentication: None,
        device: None,
        network: NetworkCircumstances {
            address: "192.0.2.7".parse().unwrap(),
            zones: ["office".parse().unwrap()].into(),
            encrypted: true,
        },
        time: TimeCircumstances { now: at(n), hour: 9, weekday: 1, zone: "Europe/Zurich".into() },
        risk: 0,
        grant: None,
        exception: None,
        http: None,
    };
    let question = Asked {
        subject: SubjectId::human("alice@example.org").unwrap(),
        action: Action::http(ActionClass::Read),
        resource: Some(ResourceId::new("wiki").unwrap()),
        session: None,
        circumstances,
    };
    let entry = DecisionEntry {
        id: id(n),
        question,
        decision: Decision::Allow(Allowance { reasons: Reasons::default() }),
        point: Point { node: "a".to_owned(), channel: "http/1.1".to_owned(), caller: None },
        policy_set: "00".repeat(32),
        generation: n,
        credential_kind: "session-cookie".to_owned(),
        lease: None,
        supersedes: None,
        shown: None,
        observed: None,
    };
    Entry { at: at(n), body: EntryBody::Decision(Box::new(entry)) }
}

fn options(disk: Arc<dyn Disk>) -> Options {
    Options { checkpoint_every: NEVER, queue: 1 << 20, disk, ..Options::new(ORIGIN, key()) }
}

fn open(root: &Path) -> Ledger {
    Ledger::open(root, options(Arc::new(SystemDisk))).unwrap()
}

fn append(ledger: &Ledger, entries: impl IntoIterator<Item = Entry>) -> Vec<Receipt> {
    let pending: Vec<_> = entries.into_iter().map(|entry| ledger.append(&entry)).collect();
    pending.into_iter().map(|pending| pending.wait().unwrap()).collect()
}

/// A closed ledger of so many entries under one checkpoint.
fn made(root: &Path, entries: u64) {
    let ledger = open(root);
    append(&ledger, (0..entries).map(small));
    ledger.close();
}
