//! Words on controls, steps that somebody has taken on, and the past: recorded before they count, there after a restart, ended in time,
//! and told from what is damaged.

use std::time::Duration;

use countersign_assess::{Attestation, State};

use super::*;
use crate::{Because, DecideError};

const DAY: i64 = 24 * 3600;
const START: i64 = 1_790_000_000;
/// Ann's password never expires.
const STEP: &str = "password-never-expires";

fn stage() -> (Stage, Arc<Hand>) {
    let hand = Arc::new(Hand(AtomicI64::new(START)));
    (Stage::by(Arc::clone(&hand) as Arc<dyn Clock>), hand)
}

impl Hand {
    fn turn(&self, days: i64) {
        self.0.fetch_add(days * DAY, Ordering::Relaxed);
    }
}

impl Stage {
    async fn imported(&self, users: &str) {
        self.import(&[("users.json", users), ("groups.json", GROUPS)]).await.unwrap();
        self.estate.settled().await;
    }

    async fn decides(&self, word: Word) -> Result<(), DecideError> {
        let decided = self.estate.decide(vec![word], &owner()).await;
        self.estate.settled().await;
        decided
    }
}

fn mended() -> String {
    let mended = USERS.replace("\"pwdneverexpires\":true", "\"pwdneverexpires\":false");
    assert_ne!(mended, USERS);
    mended
}

fn word(until: Timestamp) -> Word {
    let statement = "two envelopes\r\nin the safe".to_owned();
    Word::Attest { control: "break-glass".to_owned(), claim: State::InPlace, statement, until }
}

fn assign(step: &str, owner: &str, due: Option<Timestamp>) -> Word {
    Word::Assign { step: step.to_owned(), owner: owner.to_owned(), due }
}

/// The state of the control that is attested, with the word that counts and the one that did.
fn found(estate: &Estate) -> (State, Option<Attestation>, Option<Attestation>) {
    let assessed = estate.assessed().unwrap();
    let control = assessed.gaps.controls().find(|control| control.id == "break-glass").unwrap();
    (control.state, control.attested.clone(), control.lapsed.clone())
}

#[tokio::test]
async fn a_word_counts_until_it_ends_and_survives_a_restart() {
    let (stage, hand) = stage();
    stage.imported(USERS).await;
    let until = hand.now().plus(Duration::from_secs(30 * 86_400));
    stage.decides(word(until)).await.unwrap();
    let (state, attested, _) = found(&stage.estate);
    let attested = attested.unwrap();
    assert_eq!(
        (state, &*attested.by, &*attested.statement),
        (State::InPlace, "human:alice", "two envelopes in the safe")
    );
    // The entry that it names is the one that records it.
    let entry = attested.entry.unwrap();
    let recorded = stage.administrator.ledger().scan(entry..entry + 1).next().unwrap().unwrap().1.body;
    let EntryBody::Act(act) = recorded else { panic!("{recorded:?}") };
    assert_eq!((&*act.verb, &*act.target), ("estate.attest", "break-glass"));

    // Neither an import nor a restart takes it away.
    stage.imported(USERS).await;
    let again = stage.again();
    again.settled().await;
    assert_eq!(found(&again).1.as_ref(), Some(&attested));
    assert_eq!(again.own().unwrap().1.attestations, std::slice::from_ref(&attested));

    hand.turn(30);
    assert!(again.lapsed(attested.at, hand.now()), "the next look assesses again");
    again.assess();
    again.settled().await;
    let (state, none, lapsed) = found(&again);
    assert_eq!((state, none, lapsed.unwrap().until), (State::NotAssessed, None, until));
    stage.decides(Word::TakeBack { control: "break-glass".to_owned(), by: None }).await.unwrap();
    assert_eq!(found(&stage.estate), (State::NotAssessed, None, None));
}

#[tokio::test]
async fn a_word_is_a_persons_and_bounded() {
    let (stage, hand) = stage();
    stage.imported(USERS).await;
    let acts = stage.acts().len();
    let soon = hand.now().plus(Duration::from_secs(86_400));
    let attest = |control: &str, claim, statement: &str, until| Word::Attest {
        control: control.to_owned(),
        claim,
        statement: statement.to_owned(),
        until,
    };
    for wrong in [
        attest("no-such-control", State::InPlace, "seen", soon),
        attest("break-glass", State::NotAssessed, "seen", soon),
        attest("break-glass", State::InPlace, " ", soon),
        attest("break-glass", State::InPlace, "a\u{202e}b", soon),
        attest("break-glass", State::InPlace, &"x".repeat(1001), soon),
        attest("break-glass", State::InPlace, "seen", hand.now()),
        attest("break-glass", State::InPlace, "seen", hand.now().plus(Duration::from_secs(400 * 86_400))),
        Word::TakeBack { control: "break-glass".to_owned(), by: None },
        assign("no-such-step", "ben", None),
        assign(STEP, "", None),
        assign(STEP, "a\nb", None),
        assign(STEP, "ben", Some(hand.now())),
        Word::Release { step: STEP.to_owned() },
    ] {
        assert!(stage.decides(wrong.clone()).await.is_err(), "{wrong:?}");
    }
    let programme = Actor { subject: SubjectId::service("backup").unwrap(), decision: None };
    assert!(stage.estate.decide(vec![word(soon)], &programme).await.is_err());
    assert_eq!(stage.acts().len(), acts, "what is refused leaves no trace of having been done");
    let operator = SubjectId::service(countersign_administrator::LOCAL_OPERATOR).unwrap();
    stage.estate.decide(vec![word(soon)], &Actor { subject: operator, decision: None }).await.unwrap();
    // One word of each person on each control; another's is taken back by name.
    stage.decides(word(soon)).await.unwrap();
    stage.decides(word(soon)).await.unwrap();
    assert_eq!(stage.estate.attestations().unwrap().len(), 2);
    let theirs = Word::TakeBack { control: "break-glass".to_owned(), by: Some("service:local-operator".to_owned()) };
    stage.decides(theirs).await.unwrap();
    assert_eq!(stage.estate.attestations().unwrap()[0].by, "human:alice");
}

#[tokio::test]
async fn who_does_a_step_is_seen_at_once_and_when_it_is_late() {
    let (stage, hand) = stage();
    stage.imported(USERS).await;
    let due = hand.now().plus(Duration::from_secs(7 * 86_400));
    let before = stage.estate.assessed().unwrap();
    stage.decides(assign(STEP, "ben@corp.example", Some(due))).await.unwrap();
    let (assessed, _) = stage.estate.steps().unwrap();
    assert!(Arc::ptr_eq(&assessed, &before), "nothing that was found is otherwise");
    let step = |estate: &Estate| estate.steps().unwrap().1.into_iter().find(|step| step.id == STEP).unwrap();
    let check = |estate: &Estate, overdue| {
        let step = step(estate);
        assert_eq!((step.owner.as_deref(), step.due, step.overdue), (Some("ben@corp.example"), Some(due), overdue));
    };
    check(&stage.estate, false);
    let again = stage.again();
    again.settled().await;
    check(&again, false);
    hand.turn(8);
    check(&again, true);
    stage.decides(Word::Release { step: STEP.to_owned() }).await.unwrap();
    assert_eq!(step(&stage.estate).owner, None);
    let acts = stage.acts();
    let last: Vec<_> = acts.iter().rev().take(2).map(|(verb, target, _)| (&**verb, &**target)).collect();
    assert_eq!(last, [("estate.release", STEP), ("estate.assign", STEP)]);
}

#[tokio::test]
async fn the_evidence_closes_a_step_and_the_past_says_when() {
    let (stage, hand) = stage();
    stage.estate.assess();
    stage.estate.settled().await;
    assert_eq!(stage.estate.past().await.unwrap(), crate::Past::default(), "an empty estate has no past");
    stage.imported(USERS).await;
    stage.decides(assign(STEP, "ben", None)).await.unwrap();
    hand.0.fetch_add(60, Ordering::Relaxed);
    stage.imported(&mended()).await;
    let past = stage.estate.past().await.unwrap();
    assert_eq!(past.snapshots.len(), 1, "one for each day");
    assert_eq!(past.snapshots[0].as_of, hand.now(), "that day's last");
    let closed = past.closed.iter().find(|closed| closed.step == STEP).unwrap().clone();
    assert_eq!((closed.at, closed.because, closed.owner.as_deref()), (hand.now(), Because::Evidence, Some("ben")));
    assert_eq!(closed.count, 1);
    assert!(!closed.title.is_empty() && closed.title != STEP);
    let folder = stage.folder.path().join("estate/snapshots");
    for file in std::fs::read_dir(&folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    // It comes back, and so does who had it; then it is not closed any more.
    hand.turn(1);
    stage.imported(USERS).await;
    let again = stage.again();
    again.settled().await;
    let past = again.past().await.unwrap();
    assert_eq!(past.snapshots.len(), 2);
    assert!(past.closed.iter().all(|closed| closed.step != STEP), "{:?}", past.closed);
    let (_, steps) = again.steps().unwrap();
    assert_eq!(steps.iter().find(|step| step.id == STEP).unwrap().owner.as_deref(), Some("ben"));

    // What is damaged is named, and the rest is there.
    let file = |at: Timestamp| folder.join(format!("{}.json", &at.to_string()[..10]));
    std::fs::write(file(past.snapshots[0].as_of), "{").unwrap();
    std::fs::write(folder.join("2024-01-01.json"), past.snapshots[1].to_bytes().unwrap()).unwrap();
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    std::fs::write(folder.join("closed.json"), "[").unwrap();
    let damaged = again.past().await.unwrap();
    assert_eq!(damaged.snapshots, &past.snapshots[1..]);
    assert_eq!(damaged.damaged, ["2024-01-01.json", "2026-09-21.json", "closed.json"]);
    assert_eq!(damaged.closed, []);
    hand.turn(1);
    stage.imported(&mended()).await;
    let after = again.past().await.unwrap();
    assert_eq!((after.snapshots.len(), &*after.closed[0].step), (2, STEP));
}

#[tokio::test]
async fn the_past_is_bounded() {
    let (stage, hand) = stage();
    stage.imported(USERS).await;
    let folder = stage.folder.path().join("estate/snapshots");
    let newest = stage.estate.past().await.unwrap().snapshots.remove(0);
    for day in 1..400 {
        let mut older = newest.clone();
        older.as_of = Timestamp::from_seconds(START - day * DAY);
        let name = older.as_of.to_string();
        std::fs::write(folder.join(format!("{}.json", &name[..10])), older.to_bytes().unwrap()).unwrap();
    }
    hand.turn(1);
    stage.estate.assess();
    stage.estate.settled().await;
    let past = stage.estate.past().await.unwrap();
    let each = past.snapshots.iter().filter(|one| hand.now().since(one.as_of) < Duration::from_secs(90 * 86_400));
    assert_eq!(each.count(), 90);
    assert!((90 + 44..=90 + 46).contains(&past.snapshots.len()), "{}", past.snapshots.len());
    assert!(past.snapshots.is_sorted_by_key(|one| one.as_of));
    assert_eq!(past.damaged, Vec::<String>::new());
}
