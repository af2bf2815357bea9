#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

//! The estate of a running system over a real administrator: what is imported, kept, recorded, decided and asked.

mod map;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use countersign_administrator::{AccountParts, Actor, Administrator, Parts, Settings, SystemClock};
use countersign_ledger::{EntryBody, Ledger, Options, SigningKey};
use countersign_model::{Clock, SubjectId, Tier, Timestamp, Wait};
use countersign_policy::{PolicySet, Symbols};
use countersign_store::SqliteStore;

use crate::{Estate, ImportError, NotReady, Said, Upload, Wanted, Wish, Word};

mod undertaken;

const USERS: &str = include_str!("tests/domain.json");
const GROUPS: &str = include_str!("tests/groups.json");
const ANN: &str = "sid:S-1-5-21-1-2-3-1101";
const BEN: &str = "sid:S-1-5-21-1-2-3-1102";
const ADMINS: &str = "sid:S-1-5-21-1-2-3-512";

struct Stage {
    estate: Estate,
    administrator: Administrator,
    folder: tempfile::TempDir,
    _ledger: tempfile::TempDir,
}

/// A clock that is turned by hand.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }

    fn wait_until(&self, _: Timestamp) -> Wait<'_> {
        Box::pin(std::future::pending())
    }
}

fn administrator(ledger: &Path, clock: Arc<dyn Clock>) -> Administrator {
    let symbols = Arc::new(Symbols::default());
    Administrator::start(Parts {
        store: Arc::new(SqliteStore::in_memory().unwrap()),
        ledger: Ledger::open(ledger, Options::new("test.example/ledger", SigningKey::from_seed([7; 32]))).unwrap(),
        policies: PolicySet::load(Vec::new(), &symbols).unwrap_or_else(|mistakes| panic!("{mistakes}")),
        symbols,
        settings: Settings::default(),
        clock,
        accounts: AccountParts::default(),
        node: "test".to_owned(),
    })
    .unwrap()
}

impl Stage {
    fn new() -> Self {
        Self::by(Arc::new(SystemClock))
    }

    fn by(clock: Arc<dyn Clock>) -> Self {
        let (folder, ledger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let administrator = administrator(ledger.path(), clock);
        let estate = Estate::open(&folder.path().join("estate"), administrator.clone()).unwrap();
        Self { estate, administrator, folder, _ledger: ledger }
    }

    fn again(&self) -> Estate {
        Estate::open(&self.folder.path().join("estate"), self.administrator.clone()).unwrap()
    }

    async fn import(&self, files: &[(&str, &str)]) -> crate::Ended {
        self.wanted(Wanted { uploads: uploads(files), ..Wanted::default() }).await
    }

    async fn wanted(&self, wanted: Wanted) -> crate::Ended {
        self.estate.turn().unwrap().import(wanted, owner()).ended().await
    }

    /// Verb, target and detail of what was recorded as an act, the oldest first.
    fn acts(&self) -> Vec<(String, String, String)> {
        let ledger = self.administrator.ledger();
        let entries = ledger.scan(0..ledger.size()).map(|entry| entry.unwrap().1.body);
        let acts = entries.filter_map(|body| match body {
            EntryBody::Act(act) => Some((act.verb, act.target, act.detail)),
            _ => None,
        });
        acts.collect()
    }
}

fn owner() -> Actor {
    Actor { subject: SubjectId::human("alice").unwrap(), decision: None }
}

fn uploads(files: &[(&str, &str)]) -> Vec<Upload> {
    let upload = |(name, text): &(&str, &str)| Upload {
        name: (*name).to_owned(),
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    };
    files.iter().map(upload).collect()
}

fn saved(estate: &Estate) -> String {
    let mut text = Vec::new();
    estate.saved().unwrap()(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn an_import_is_kept_recorded_and_assessed() {
    let stage = Stage::new();
    let done = stage.import(&[("users.json", USERS), ("groups.json", GROUPS)]).await.unwrap();
    assert_eq!((done.number, done.by.clone(), done.files.len()), (1, owner().subject, 2));
    let (verb, target, detail) = stage.acts().pop().unwrap();
    assert_eq!(verb, "estate.import");
    assert!(target.contains("sharphound:"), "{target}");
    for file in &done.files {
        assert!(detail.contains(&*file.sha256), "{detail}");
    }
    let path = stage.folder.path().join("estate");
    for file in ["inventory.jsonl", "history.jsonl"] {
        let mode = std::fs::metadata(path.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }

    stage.estate.settled().await;
    let assessed = stage.estate.assessed().unwrap();
    let never = assessed.health.indicators.iter().find(|one| one.findings.iter().any(|finding| finding.key == ANN));
    assert!(never.is_some(), "nothing is wrong with an account that nobody used for years");
    // Ann controls Ben, who is of tier zero.
    let ways = stage.estate.ask(|standing| {
        let ann = standing.find("ann@corp.example").unwrap();
        standing.named.ways(&standing.routes, &[ann], &standing.named.tier_zero(), false, 3)
    });
    assert!(ways.await.unwrap().is_some());

    // The same again is the same: one more line of history, and nothing else.
    let again = stage.import(&[("groups.json", GROUPS), ("users.json", USERS)]).await.unwrap();
    assert!(!again.counts.changed(), "{again:?}");
    let reopened = stage.again();
    reopened.settled().await;
    assert_eq!(saved(&reopened), saved(&stage.estate));
    assert_eq!(reopened.history(None, 10).unwrap().len(), 2);
}

#[tokio::test]
async fn a_fault_and_a_trial_leave_everything_as_it_was() {
    let stage = Stage::new();
    stage.import(&[("users.json", USERS)]).await.unwrap();
    let (before, acts) = (saved(&stage.estate), stage.acts().len());
    let cut = &GROUPS[..200];
    let error = stage.import(&[("users.json", USERS), ("groups.json", cut)]).await.unwrap_err();
    let ImportError::Fault(fault) = &*error else { panic!("{error}") };
    assert_eq!(fault.file, "groups.json");
    let trial = Wanted { uploads: uploads(&[("groups.json", GROUPS)]), dry_run: true, ..Wanted::default() };
    let trial = stage.wanted(trial).await.unwrap();
    assert_eq!(trial.number, 0);
    assert!(trial.counts.changed());
    let future = Timestamp::from_seconds(9_000_000_000);
    let wanted = Wanted { uploads: uploads(&[("users.json", USERS)]), at: Some(future), ..Wanted::default() };
    assert!(matches!(&*stage.wanted(wanted).await.unwrap_err(), ImportError::Future(_)));
    assert!(matches!(&*stage.import(&[]).await.unwrap_err(), ImportError::Nothing));
    assert_eq!((saved(&stage.estate), stage.acts().len()), (before, acts));
    assert_eq!(stage.estate.history(None, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn one_import_at_a_time_which_can_be_stopped() {
    let stage = Stage::new();
    let turn = stage.estate.turn().unwrap();
    assert!(matches!(stage.estate.turn(), Err(ImportError::Busy)));
    assert!(turn.uploaded("users.json", 10));
    assert_eq!(stage.estate.status().importing.unwrap().file, "users.json");
    assert!(stage.estate.stop_import());
    assert!(!turn.uploaded("users.json", 20), "whoever uploads hears of it");
    let wanted = Wanted { uploads: uploads(&[("users.json", USERS)]), ..Wanted::default() };
    let ended = turn.import(wanted, owner()).ended().await;
    assert!(matches!(&*ended.unwrap_err(), ImportError::Stopped));
    assert_eq!(stage.estate.status().nodes, 0);
    assert!(!stage.estate.stop_import(), "nothing is under way");
    stage.import(&[("users.json", USERS)]).await.unwrap();
}

#[tokio::test]
async fn what_persons_decide_outlives_imports_and_restarts() {
    let stage = Stage::new();
    stage.import(&[("users.json", USERS), ("groups.json", GROUPS)]).await.unwrap();
    let link = Word::Link { one: ANN.to_owned(), other: BEN.to_owned(), same: true };
    let said = Said { tier: Some(Tier::CrownJewel), owner: Some("human:alice".to_owned()), segment: None };
    let classify = Word::Classify { key: ADMINS.to_owned(), said };
    stage.estate.decide(vec![link, classify], &owner()).await.unwrap();
    let acts = stage.acts();
    assert_eq!(acts[acts.len() - 2].0, "estate.link");
    assert_eq!(acts[acts.len() - 1].2, "tier crown-jewel, owner human:alice");

    let check = async |estate: &Estate| {
        estate.settled().await;
        let page = estate.ask(|standing| standing.page(ADMINS).unwrap()).await.unwrap();
        assert_eq!((page.row.tier, page.owner.as_deref()), (Some(Tier::CrownJewel), Some("human:alice")));
        let linked = estate.ask(|standing| standing.page(ANN).unwrap().linked).await.unwrap();
        assert_eq!(linked[0].node.key, BEN);
    };
    check(&stage.estate).await;
    check(&stage.again()).await;
    stage.import(&[("users.json", USERS)]).await.unwrap();
    check(&stage.again()).await;

    for wrong in [
        Word::Classify { key: "nothing".to_owned(), said: Said::default() },
        Word::Classify {
            key: ADMINS.to_owned(),
            said: Said { owner: Some("a\u{202e}b".to_owned()), ..Said::default() },
        },
        Word::Link { one: ANN.to_owned(), other: ANN.to_owned(), same: true },
    ] {
        assert!(stage.estate.decide(vec![wrong.clone()], &owner()).await.is_err(), "{wrong:?}");
    }
    assert!(stage.estate.decide(Vec::new(), &owner()).await.is_err());
}

#[tokio::test]
async fn a_damaged_estate_is_said_and_not_touched() {
    let stage = Stage::new();
    stage.import(&[("users.json", USERS)]).await.unwrap();
    let path = stage.folder.path().join("estate/inventory.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let damaged = &text[..text.len() - 20];
    std::fs::write(&path, damaged).unwrap();
    let estate = stage.again();
    estate.ready().await;
    assert!(matches!(estate.turn(), Err(ImportError::NotReady(NotReady::Damaged(_)))));
    assert!(estate.status().not_ready.is_some());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
}

#[tokio::test]
async fn countersign_is_a_source_too() {
    let stage = Stage::new();
    let done = stage.estate.import_own(&owner()).await.unwrap();
    assert_eq!(done.parts, ["countersign:countersign.localhost/inventory"]);
    stage.estate.settled().await;
    let nodes = stage.estate.ask(|standing| {
        let wish = Wish { search: "console".to_owned(), limit: 10, ..Wish::default() };
        standing.nodes(&wish)
    });
    let nodes = nodes.await.unwrap();
    let console = nodes.rows.iter().find(|row| row.key.ends_with("resource:countersign-console")).unwrap();
    assert_eq!(console.tier, Some(Tier::High), "its configuration says so");
    // Whoever acts as the operator of this machine has all of it.
    let ways = stage.estate.ask(|standing| {
        let operator = standing.find("countersign:countersign.localhost/service:local-operator").unwrap();
        standing.named.ways(&standing.routes, &[operator], &standing.named.tier_zero(), false, 1)
    });
    assert!(ways.await.unwrap().is_some());
}

#[tokio::test]
async fn pages_are_complete_and_in_order() {
    let stage = Stage::new();
    stage.import(&[("users.json", USERS), ("groups.json", GROUPS)]).await.unwrap();
    stage.estate.settled().await;
    for sort in [crate::Sort::Name, crate::Sort::Findings] {
        let all = stage.estate.ask(move |standing| {
            let (mut keys, mut after) = (Vec::new(), None);
            loop {
                let page = standing.nodes(&Wish { sort, after: after.clone(), limit: 1, ..Wish::default() });
                keys.extend(page.rows.iter().map(|row| row.key.clone()));
                after = page.rows.last().map(|row| row.key.clone());
                if !page.more {
                    return (page.total, keys);
                }
            }
        });
        let (total, mut keys) = all.await.unwrap();
        assert_eq!(keys.len(), total);
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), total, "each once");
    }
    let assessed = stage.estate.assessed().unwrap();
    for checked in assessed.health.indicators.iter().filter(|checked| !checked.findings.is_empty()) {
        let (text, as_of) = (checked.query.clone(), assessed.as_of);
        let found = stage.estate.ask(move |standing| standing.query(&text, as_of, None, 1000).unwrap()).await.unwrap();
        let mut keys: Vec<_> = found.matching.rows.iter().map(|row| row.key.clone()).collect();
        keys.sort();
        let expected: Vec<_> = checked.findings.iter().map(|finding| finding.key.clone()).collect();
        assert_eq!(keys, expected, "the query of {} finds what it found", checked.id);
    }
}
