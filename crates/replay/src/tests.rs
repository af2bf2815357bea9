//! On a log in memory: what is counted, for whom, and what a replay says nothing about. That it is exact on a ledger of a
//! real administrator, under changing facts and policies, is tested there.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use countersign_ledger::{
    Asked, DecisionEntry, Entries, Entry, EntryBody, Point, RawBundle, ReadError, ShownPair, TILE, shown_id,
};
use countersign_model::*;
use countersign_policy::{PolicySet, Record, Slice, SourceFile, Symbols};

use crate::{How, ReplayError, Report, Span, replay};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const BEFORE: &str = r#"
@id("readers") @owner("t") @review_by("2030-01-01") @remedy("Ask.")
permit (principal, action in Action::"read", resource) when { principal in resource.readers };
@id("calm") @owner("t") @review_by("2030-01-01") @remedy("Calm down.")
forbid (principal, action, resource) when { context.risk > 50 };
"#;

const AFTER: &str = r#"
@id("readers") @owner("t") @review_by("2030-01-01") @remedy("Ask.")
permit (principal, action in Action::"read", resource) when { principal in resource.readers && resource.tier != "high" };
@id("resistant") @owner("t") @review_by("2030-01-01") @remedy("Use your passkey.")
forbid (principal, action, resource) when { resource.tier == "crown-jewel" }
unless { context has authentication && context.authentication.phishing_resistant };
"#;

#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Box<[u8]>>,
    archived: u64,
}

impl Entries for Log {
    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn bundle(&self, n: u64) -> Result<RawBundle, ReadError> {
        if n < self.archived {
            return Err(ReadError::Archived { before: self.archived * TILE });
        }
        Ok(self.entries.iter().skip((n * TILE) as usize).take(TILE as usize).cloned().collect())
    }
}

impl Log {
    pub(crate) fn put(&mut self, body: EntryBody) {
        let at = NOW.plus(Duration::from_secs(60 * self.entries.len() as u64));
        self.entries.push(Entry { at, body }.encode().unwrap().into());
    }
}

pub(crate) fn policies(text: &str) -> PolicySet {
    with_symbols(text, &Arc::default())
}

fn with_symbols(text: &str, symbols: &Arc<Symbols>) -> PolicySet {
    let file = SourceFile { path: "test.cedar".into(), text: text.to_owned() };
    PolicySet::load(vec![file], symbols).unwrap_or_else(|problems| panic!("{problems}"))
}

fn staff() -> Vec<GroupId> {
    vec![GroupId::new("staff").unwrap()]
}

fn subject(name: &str) -> Shown {
    Shown::Subject(ShownSubject {
        id: SubjectId::human(name).unwrap(),
        owner: None,
        acts_for: None,
        groups: if name == "mallory" { Vec::new() } else { staff() },
    })
}

fn resource(tier: Tier) -> Shown {
    Shown::Resource(ShownResource {
        id: ResourceId::new(tier.name()).unwrap(),
        kind: ResourceKind::Http,
        tier,
        segment: None,
        owner: None,
        entitled: Entitled { readers: staff(), ..Entitled::default() },
        observe_until: None,
    })
}

pub(crate) fn circumstances(risk: u8) -> Circumstances {
    Circumstances {
        authentication: None,
        device: None,
        network: NetworkCircumstances {
            address: "192.0.2.7".parse().unwrap(),
            zones: Default::default(),
            encrypted: true,
        },
        time: TimeCircumstances { now: NOW, hour: 9, weekday: 1, zone: "Europe/Zurich".into() },
        risk,
        grant: None,
        exception: None,
        http: None,
    }
}

/// `name` reads the application of `tier` at `risk`, and `set` decides.
fn decision(set: &PolicySet, number: u128, name: &str, tier: Tier, risk: u8) -> DecisionEntry {
    let (subject, resource) = (subject(name), resource(tier));
    let question = Question {
        subject: SubjectId::human(name).unwrap(),
        action: Action::http(ActionClass::Read),
        resource: ResourceId::new(tier.name()).unwrap(),
        session: Some(SessionId::from_random(7)),
        circumstances: circumstances(risk),
    };
    let records = [&subject, &resource].map(|shown| Record::of(set.symbols(), shown));
    let decision = set.decide(&Slice { subject: &records[0], resource: &records[1] }, &question);
    DecisionEntry {
        id: DecisionId::from_random(number),
        question: Asked::from(question),
        decision,
        point: Point { node: "a".to_owned(), channel: "http/1.1".to_owned(), caller: None },
        policy_set: set.hash().to_owned(),
        generation: 1,
        credential_kind: "session-cookie".to_owned(),
        lease: None,
        supersedes: None,
        shown: Some(ShownPair { subject: shown_id(&subject).unwrap(), resource: shown_id(&resource).unwrap() }),
        observed: None,
    }
}

/// Alice reads everything, is risky once; Mallory is in no group.
fn log() -> Log {
    let (set, mut log) = (policies(BEFORE), Log::default());
    for shown in [subject("alice"), subject("mallory")].into_iter().chain(Tier::ALL.map(resource)) {
        log.put(EntryBody::Shown(Box::new(shown)));
    }
    let asked = [
        ("alice", Tier::Standard, 0),
        ("alice", Tier::High, 0),
        ("alice", Tier::CrownJewel, 0),
        ("alice", Tier::Standard, 90),
        ("mallory", Tier::Standard, 0),
        ("alice", Tier::High, 0),
    ];
    for (number, (name, tier, risk)) in (0..).zip(asked) {
        log.put(EntryBody::Decision(Box::new(decision(&set, number, name, tier, risk))));
    }
    log
}

fn span() -> Span {
    Span { since: None, newest: None, examples: 1, threads: 2 }
}

/// The same, whether what the change cannot touch is decided again or not.
fn run(log: &Log, text: &str, span: &Span) -> Report {
    let symbols = Arc::default();
    let (before, after) = (with_symbols(BEFORE, &symbols), with_symbols(text, &symbols));
    let by = |before| replay(log, &after, before, span, |_| ControlFlow::Continue(())).unwrap();
    let all = by(None);
    assert_eq!(by(Some(&before)), all);
    all
}

#[test]
fn who_loses_and_who_gains_is_counted() {
    let report = run(&log(), AFTER, &span());
    assert_eq!((report.covered.decisions, report.covered.replayed, report.changed()), (6, 6, 4));
    let denied = &report.newly_denied;
    assert_eq!((denied.all.count, denied.were.allowed), (2, 2));
    assert_eq!(denied.all.examples, [DecisionId::from_random(1)]);
    assert_eq!(
        (denied.all.first, denied.all.last),
        (Some(NOW.plus(Duration::from_secs(420))), Some(NOW.plus(Duration::from_secs(660))))
    );
    let names =
        |parts: &[crate::Part]| parts.iter().map(|part| (part.name.clone(), part.tally.count)).collect::<Vec<_>>();
    assert_eq!(names(&denied.people), [("human:alice".to_owned(), 2)]);
    assert_eq!(names(&denied.resources), [("high".to_owned(), 2)]);
    assert_eq!(names(&denied.sessions), [(SessionId::from_random(7).to_string(), 2)]);
    let how = |parts: &[crate::Part]| parts.iter().map(|part| (part.name.clone(), part.how)).collect::<Vec<_>>();
    assert_eq!(how(&denied.policies), [("readers".to_owned(), Some(How::NoLongerPermits))]);
    assert_eq!(how(&report.newly_challenged.policies), [("resistant".to_owned(), Some(How::Forbids))]);
    assert_eq!(how(&report.newly_allowed.policies), [("calm".to_owned(), Some(How::NoLongerForbids))]);
    assert_eq!((report.unchanged.allowed, report.unchanged.denied), (1, 1));
}

#[test]
fn under_the_same_policies_nothing_changes_however_many_read() {
    let mut log = log();
    let set = policies(BEFORE);
    for number in 0..20_000_u32 {
        let name = if number % 3 == 0 { "mallory" } else { "alice" };
        let tier = Tier::ALL[number as usize % 4];
        log.put(EntryBody::Decision(Box::new(decision(&set, u128::from(number), name, tier, (number % 100) as u8))));
    }
    let one = run(&log, BEFORE, &Span { threads: 1, ..span() });
    assert_eq!((one.changed(), one.covered.unknown, one.covered.replayed), (0, 0, 20_006));
    assert_eq!(one.recorded_under[set.hash()], 20_006);
    let (few, many) =
        (run(&log, AFTER, &Span { threads: 1, ..span() }), run(&log, AFTER, &Span { threads: 7, ..span() }));
    assert_eq!(few, many);
    assert!(few.changed() > 1000);
}

#[test]
fn what_is_not_known_is_counted_and_not_guessed() {
    let set = policies(BEFORE);
    let mut log = log();
    let nameless = DecisionEntry { shown: None, ..decision(&set, 90, "alice", Tier::High, 0) };
    let elsewhere = decision(&set, 91, "nobody-shown", Tier::High, 0);
    let refused = Denial { cause: DenialCause::InvalidCredential, reasons: Reasons::default(), remedy: None };
    let refused =
        DecisionEntry { decision: Decision::Deny(refused), shown: None, ..decision(&set, 92, "alice", Tier::High, 0) };
    for entry in [nameless, elsewhere, refused] {
        log.put(EntryBody::Decision(Box::new(entry)));
    }
    let covered = run(&log, AFTER, &span()).covered;
    assert_eq!((covered.decisions, covered.replayed, covered.unknown, covered.before_policies), (9, 6, 2, 1));
    // The facts are in the archive, the decisions after it.
    let mut long = log;
    while long.entries.len() < TILE as usize {
        long.put(EntryBody::Stopped { node: "a".to_owned() });
    }
    long.put(EntryBody::Decision(Box::new(decision(&set, 93, "alice", Tier::High, 0))));
    long.archived = 1;
    let covered = run(&long, AFTER, &span()).covered;
    assert_eq!((covered.decisions, covered.unknown, covered.archived, covered.first_entry), (1, 1, TILE, TILE));
}

#[test]
fn a_span_begins_where_it_says_with_the_facts_from_before() {
    // The log's minutes: six shown, then the decisions.
    let since = NOW.plus(Duration::from_secs(60 * 8));
    let report = run(&log(), AFTER, &Span { since: Some(since), ..span() });
    assert_eq!((report.covered.decisions, report.covered.unknown), (4, 0));
    assert_eq!(report.covered.first, Some(since));
    let none = run(&log(), AFTER, &Span { since: Some(Timestamp::FOREVER), ..span() });
    assert_eq!(none.covered.decisions, 0);
    assert_eq!(run(&Log::default(), AFTER, &span()).covered.decisions, 0);
}

#[test]
fn it_stops_when_it_is_told_to_and_at_what_is_no_entry() {
    let stopped = replay(&log(), &policies(AFTER), None, &span(), |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ReplayError::Interrupted)));
    for text in ["", "{}", r#"{"v":1,"at":"2027-01-15T08:00:00.000Z","body":{"decision":{}}}"#] {
        let mut log = log();
        log.entries.push(text.as_bytes().into());
        let failed = replay(&log, &policies(AFTER), None, &span(), |_| ControlFlow::Continue(()));
        assert!(matches!(failed, Err(ReplayError::Entry { index: 12, .. })), "{text}");
    }
}
