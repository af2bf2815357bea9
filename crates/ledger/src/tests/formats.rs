//! The one spelling of entries and of file names, and the write-ahead log's records.

use std::sync::Arc;

use countersign_model::{
    Circumstances, Decision, Denial, DenialCause, HttpCircumstances, Observed, ObservedBecause, Proof, ProofResult,
    Proofs, Reasons, SessionId, ShownId,
};
use tlog_tiles::record_hash;

use super::{NOW, decision, small};
use crate::wal::{RecordWriter, any_record, parse_record, parse_segment_header, segment_header};
use crate::{
    DecodeError, EncodeError, Entry, EntryBody, KeyError, LogPath, MAX_ENTRY, PeekedDecision, PublishedPolicy,
    ShownPair, VerifierKey,
};

#[test]
fn every_kind_of_entry_comes_back() {
    let subject = countersign_model::SubjectId::human("zoë@example.org").unwrap();
    let bodies = [
        EntryBody::SessionStarted {
            session: countersign_model::SessionId::from_random(1),
            subject: subject.clone(),
            device: None,
            methods: [countersign_model::AuthenticationMethod::Passkey].into(),
            provider: Some("https://id.example.org".to_owned()),
            address: Some("2001:db8::1".parse().unwrap()),
            expires: countersign_model::Timestamp::FOREVER,
        },
        EntryBody::SignInRefused {
            subject: None,
            method: "passkey".to_owned(),
            cause: "control \u{0}\u{1f}\u{7f}, quote \", slash / and \\, \u{2028}, 😀".to_owned(),
            address: None,
        },
        EntryBody::ConfigurationChanged { hash: "00".to_owned(), by: Some(subject) },
        EntryBody::Started { version: "1".to_owned(), node: "a".to_owned() },
    ];
    let entries = bodies.into_iter().map(|body| Entry { at: NOW, body }).chain([decision(3), small(4)]);
    for entry in entries {
        let bytes = entry.encode().unwrap();
        assert_eq!(Entry::decode(&bytes).unwrap(), entry);
        assert_eq!(Entry::peek_at(&bytes), Some(entry.at));
        let key = format!(r#""body":{{"{}":"#, entry.body.name());
        assert!(String::from_utf8(bytes).unwrap().contains(&key), "{key}");
    }
}

#[test]
fn the_encoding_is_the_documented_one() {
    let text = r#"{"v":1,"at":"2027-01-15T08:00:00.000Z","body":{"stopped":{"node":"node-0"}}}"#;
    assert_eq!(String::from_utf8(small(0).encode().unwrap()).unwrap(), text);
}

#[test]
fn a_decision_is_taken_apart_whatever_it_is_about() {
    let EntryBody::Decision(usual) = decision(3).body else { panic!("a decision") };
    let hostile = r#"},"decision":{"effect":"allow"},"policy_set":"x","shown":{"subject":"a","resource":"b"}},\"#;
    let refused = Denial { cause: DenialCause::ForbidFailed, reasons: Reasons::default(), remedy: None };
    let shown = ShownPair { subject: ShownId::from_random(1), resource: ShownId::from_random(2) };
    for (text, denied, session, shown) in [
        ("/", false, None, None),
        (hostile, true, Some(SessionId::from_random(7)), Some(shown)),
        ("},", false, None, Some(shown)),
        ("\u{0}\"\\\"", true, Some(SessionId::from_random(7)), None),
    ] {
        let mut one = usual.clone();
        let http = HttpCircumstances { method: text.into(), host: text.into(), path: text.into() };
        one.question.circumstances.http = Some(Arc::new(http));
        one.question.session = session;
        one.point.node = text.to_owned();
        if denied {
            one.decision = Decision::Deny(refused.clone());
        }
        one.shown = shown;
        one.observed = Some(Box::new(Observed { because: ObservedBecause::Policies, decision: one.decision.clone() }));
        let bytes = Entry { at: NOW, body: EntryBody::Decision(one.clone()) }.encode().unwrap();
        let peeked = PeekedDecision::of(Entry::peek(&bytes).unwrap().content).unwrap();
        assert_eq!(peeked.action, one.question.action.to_string());
        assert_eq!(serde_json::from_slice::<Option<SessionId>>(peeked.session).unwrap(), session);
        let circumstances: Circumstances = serde_json::from_slice(peeked.circumstances).unwrap();
        assert_eq!(circumstances, one.question.circumstances);
        assert_eq!((peeked.effect, peeked.cause), (one.decision.name(), denied.then_some("forbid-failed")));
        assert_eq!(peeked.policy_set, one.policy_set);
        let names = shown.map(|shown| (shown.subject.to_string(), shown.resource.to_string()));
        assert_eq!(peeked.shown.map(|(one, other)| (one.to_owned(), other.to_owned())), names);
    }
}

#[test]
fn another_spelling_is_refused() {
    let right = r#"{"v":1,"at":"2027-01-15T08:00:00.000Z","body":{"started":{"version":"A","node":"b"}}}"#;
    Entry::decode(right.as_bytes()).unwrap();
    let not_canonical = [
        format!(" {right}"),
        format!("{right}\n"),
        right.replace(r#""v":1"#, r#""v": 1"#),
        right.replace(r#""v":1,"at":"2027-01-15T08:00:00.000Z""#, r#""at":"2027-01-15T08:00:00.000Z","v":1"#),
        right.replace(r#""version":"A","node":"b""#, r#""node":"b","version":"A""#),
        right.replace(r#""node":"b""#, r#""node":"b","more":1"#),
        right.replace("A", r"\u0041"),
        right.replace("08:00:00.000Z", "08:00:00Z"),
        right.replace("08:00:00.000Z", "09:00:00.000+01:00"),
    ];
    for text in &not_canonical {
        assert_eq!(Entry::decode(text.as_bytes()), Err(DecodeError::NotCanonical), "{text}");
    }
    let unknown = [
        String::new(),
        "null".to_owned(),
        right.replace(r#""v":1,"#, r#""v":1,"more":0,"#),
        right.replace(r#""v":1,"#, r#""v":1,"v":1,"#),
        right.replace(r#""v":1,"#, ""),
        right.replace(r#""v":1"#, r#""v":1.0"#),
        right.replace(r#""v":1"#, r#""v":256"#),
        right.replace("started", "begun"),
        right.replace(r#""node":"b""#, r#""node":1"#),
        format!("{right}{right}"),
    ];
    for text in &unknown {
        assert!(matches!(Entry::decode(text.as_bytes()), Err(DecodeError::Json(_))), "{text}");
    }
    assert!(matches!(Entry::decode(&[0xff, 0xfe]), Err(DecodeError::Json(_))));
    for version in [0, 2, 255] {
        let text = right.replace(r#""v":1"#, &format!(r#""v":{version}"#));
        assert_eq!(Entry::decode(text.as_bytes()), Err(DecodeError::Version(version)));
    }
}

/// A ledger that began before there were proofs is read as ever, and what says nothing of proofs is written as then.
#[test]
fn a_publication_without_proofs_is_what_it_was() {
    let old = r#"{"v":1,"at":"2027-01-15T08:00:00.000Z","body":{"policy-published":{"hash":"00","policies":[{"id":"a","hash":"11"}],"part":1,"parts":1,"by":null}}}"#;
    let policies = vec![PublishedPolicy { id: "a".parse().unwrap(), hash: "11".to_owned() }];
    let body = EntryBody::policy_published("00", policies.clone(), None, None, None).remove(0);
    let entry = Entry { at: NOW, body };
    assert_eq!(Entry::decode(old.as_bytes()).unwrap(), entry);
    assert_eq!(entry.encode().unwrap(), old.as_bytes());

    let proofs = Proofs {
        guardrails: "22".to_owned(),
        solver: None,
        at: NOW,
        results: vec![Proof { id: "g".parse().unwrap(), result: ProofResult::NotRun }],
    };
    let body = EntryBody::policy_published("00", policies, None, None, Some(&proofs)).remove(0);
    let new = old.replace(
        r#""by":null"#,
        r#""by":null,"proofs":{"guardrails":"22","solver":null,"at":"2027-01-15T08:00:00.000Z","results":[{"id":"g","result":"not-run"}]}"#,
    );
    assert_eq!(String::from_utf8(Entry { at: NOW, body }.encode().unwrap()).unwrap(), new);
    Entry::decode(new.as_bytes()).unwrap();
    let spelled_out = old.replace(r#""by":null"#, r#""by":null,"proofs":null"#);
    assert_eq!(Entry::decode(spelled_out.as_bytes()), Err(DecodeError::NotCanonical));
}

/// Whatever one byte is changed to: what is accepted is written back the same.
#[test]
fn no_byte_has_a_second_spelling() {
    let right = decision(1).encode().unwrap();
    for position in 0..right.len() {
        for byte in *b" \"\\0a{}[],:1\x00\xff" {
            let mut other = right.clone();
            other[position] = byte;
            let mut longer = right.clone();
            longer.insert(position, byte);
            let mut shorter = right.clone();
            shorter.remove(position);
            for bytes in [other, longer, shorter] {
                if let Ok(entry) = Entry::decode(&bytes) {
                    assert_eq!(entry.encode().unwrap(), bytes);
                }
            }
        }
    }
}

#[test]
fn too_long_is_refused_and_a_long_policy_set_divided() {
    let long = |length| Entry { at: NOW, body: EntryBody::Stopped { node: "x".repeat(length) } };
    let around = long(0).encode().unwrap().len();
    assert_eq!(long(MAX_ENTRY - around).encode().unwrap().len(), MAX_ENTRY);
    assert_eq!(long(MAX_ENTRY - around + 1).encode(), Err(EncodeError::TooLong(MAX_ENTRY + 1)));
    assert_eq!(Entry::decode(&vec![b' '; MAX_ENTRY + 1]), Err(DecodeError::TooLong(MAX_ENTRY + 1)));

    let name = "\"".repeat(256);
    let policies = vec![PublishedPolicy { id: name.parse().unwrap(), hash: "f".repeat(64) }; 1000];
    let proof = Proof { id: name.parse().unwrap(), result: ProofResult::Unknown };
    let proofs = Proofs {
        guardrails: "f".repeat(64),
        solver: Some("cvc5 1.0.3".to_owned()),
        at: NOW,
        results: vec![proof; 1500],
    };
    let parts = EntryBody::policy_published(&"f".repeat(64), policies, None, None, Some(&proofs));
    let mut count = (0, 0);
    for (number, body) in (1..).zip(&parts) {
        let EntryBody::PolicyPublished { part, parts: of, policies, proofs: Some(part_of), .. } = body else {
            panic!("{body:?}")
        };
        assert_eq!((*part, *of as usize), (number, parts.len()));
        assert_eq!(part_of.about(), proofs.about());
        count = (count.0 + policies.len(), count.1 + part_of.results.len());
        Entry { at: NOW, body: body.clone() }.encode().unwrap();
    }
    assert_eq!(count, (1000, 1500));
    assert_eq!(EntryBody::policy_published("00", vec![], None, None, None).len(), 1);
}

#[test]
fn names_of_files() {
    let right = [
        ("checkpoint", LogPath::Checkpoint),
        ("tile/0/000", LogPath::Tile { level: 0, n: 0, width: 256 }),
        ("tile/63/x001/x234/067", LogPath::Tile { level: 63, n: 1_234_067, width: 256 }),
        ("tile/1/x123/000.p/255", LogPath::Tile { level: 1, n: 123_000, width: 255 }),
        ("tile/entries/999", LogPath::Entries { n: 999, width: 256 }),
        ("tile/entries/x001/000.p/1", LogPath::Entries { n: 1000, width: 1 }),
    ];
    for (text, path) in right {
        assert_eq!(text.parse(), Ok(path));
        assert_eq!(path.to_string(), text);
    }
    for n in [0, 1, 255, 999, 1000, 1001, 999_999, 1_000_000, u64::MAX] {
        for path in [LogPath::Tile { level: 7, n, width: 9 }, LogPath::Entries { n, width: 256 }] {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
    }
    let wrong = [
        "",
        "/checkpoint",
        "checkpoint/",
        "Checkpoint",
        "lock",
        "archived",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/0/+00",
        "tile/0/x000/000",
        "tile/0/000/001",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/2",
        "tile/0/../../key",
        "tile/entries/..",
        "tile/0/000\n",
        "tile/data/000",
        "tile/0/x99999999999999999999/000",
        "wal/00000000000000000000.wal",
        "tile\\0\\000",
        "tile/0/٠٠٠",
    ];
    for text in wrong {
        assert!(text.parse::<LogPath>().is_err(), "{text}");
    }
}

#[test]
fn records_of_the_write_ahead_log() {
    let before = [9; 32];
    let mut writer = RecordWriter::new(vec![1, 2, 3], 40);
    for entry in [b"one".as_slice(), b"", b"three"] {
        writer.push(entry, record_hash(entry));
    }
    let (bytes, checksum) = writer.finish(&before);
    let record = parse_record(&bytes, &before).unwrap();
    assert_eq!((record.first, record.checksum, record.length), (40, checksum, bytes.len()));
    let entries: Vec<_> = record.entries.iter().map(|(entry, _)| *entry).collect();
    assert_eq!(entries, [b"one".as_slice(), b"", b"three"]);
    // In another place it is nothing, and neither is any part of it or any change to it.
    assert_eq!(parse_record(&bytes, &[8; 32]), None);
    for position in 0..bytes.len() {
        assert_eq!(parse_record(&bytes[..position], &before), None);
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        assert_eq!(parse_record(&changed, &before), None);
    }
    assert!(any_record(&[[0; 99].as_slice(), &before, &bytes, b"CSR1"].concat()));
    assert!(!any_record(&[[0; 99].as_slice(), &before, &bytes[..bytes.len() - 1], b"CSR1"].concat()));

    let header = segment_header(40, &before);
    assert_eq!(parse_segment_header(&header), Some((40, before)));
    for position in 0..header.len() {
        assert_eq!(parse_segment_header(&header[..position]), None);
        let mut changed = header.clone();
        changed[position] ^= 1;
        assert_eq!(parse_segment_header(&changed), None);
    }
}

#[test]
fn a_checkpoint_counts_only_as_signed() {
    let key = super::verifier();
    let root = tlog_tiles::Hash([5; 32]);
    let note = super::key().signer(super::ORIGIN).unwrap().sign(12, root).unwrap().note().to_owned();
    let open = |note: &str| key.open(note.as_bytes());
    assert_eq!(open(&note).unwrap().size(), 12);
    assert!(matches!(open(&note.replace("\n12\n", "\n13\n")), Err(KeyError::BadSignature(_))));
    assert!(matches!(open(&note.replace("\n— ", "\n- ")), Err(KeyError::Malformed(_))));
    assert!(matches!(open(""), Err(KeyError::Malformed(_))));
    let stranger = crate::SigningKey::from_seed([8; 32]).verifier_key(super::ORIGIN).unwrap();
    assert!(matches!(stranger.open(note.as_bytes()), Err(KeyError::Unsigned(_))));
    // A witness may add its signature; without the log's own it says nothing.
    let witness = super::key().signer("witness.test").unwrap().sign(12, root).unwrap().note().to_owned();
    let cosignature = witness.lines().last().unwrap();
    assert_eq!(open(&format!("{note}{cosignature}\n")).unwrap().size(), 12);
    let (text, _) = note.split_once("\n\n").unwrap();
    assert!(matches!(open(&format!("{text}\n\n{cosignature}\n")), Err(KeyError::Unsigned(_))));
    for text in ["", "a", "a+b+c", "ledger.test+00000000+AQIDBA=="] {
        assert_eq!(text.parse::<VerifierKey>().unwrap_err(), KeyError::Verifier, "{text}");
    }
    for origin in ["", "a b", "a+b", "a\nb"] {
        assert!(matches!(super::key().verifier_key(origin), Err(KeyError::Origin)), "{origin:?}");
    }
    assert_eq!(format!("{:?}", super::key()), "SigningKey(…)");
}
