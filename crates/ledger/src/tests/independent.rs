//! The same log, judged by a verifier in another language that shares no code with this one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::tampered::{LAST_BUNDLE, LAST_TILE, change, edit, fit};
use super::{append, decision, made, open, small, verifier};
use crate::{Ledger, SigningKey};

fn python(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/independent/verify_ledger.py");
    let run = Command::new("python3").arg(script).args(arguments).output();
    run.unwrap_or_else(|error| panic!("python3 is needed to run the independent verifier: {error}"))
}

/// What it prints; whether it says that all is well.
fn judge(root: &Path, more: &[&str]) -> (bool, String) {
    let key = verifier().to_string();
    let output = python(&[&[root.to_str().unwrap(), &key], more].concat());
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("Traceback"), "{text}");
    (output.status.success(), text)
}

fn holds(root: &Path, more: &[&str]) {
    let (well, text) = judge(root, more);
    assert!(well, "{text}");
}

#[track_caller]
fn found(root: &Path, more: &[&str], what: &str) {
    let (well, text) = judge(root, more);
    assert!(!well && text.contains(what), "expected {what:?}: {text}");
}

#[test]
fn it_agrees_with_logs_of_many_sizes() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("log");
    let mut sinces = Vec::new();
    for size in [1, 2, 3, 255, 256, 257, 512, 700] {
        let ledger = open(&root);
        append(&ledger, (ledger.size()..size).map(decision));
        let checkpoint = ledger.checkpoint_now().unwrap().unwrap();
        let since = directory.path().join(format!("since-{size}"));
        fs::write(&since, checkpoint.note()).unwrap();
        let proof = directory.path().join("proof");
        fs::write(&proof, ledger.prove_inclusion(size / 2).unwrap().to_json()).unwrap();
        Ledger::close(ledger);
        sinces.push(since.to_str().unwrap().to_owned());
        let first = sinces[0].as_str();
        let middle = sinces[sinces.len() / 2].as_str();
        holds(&root, &["--since", first]);
        holds(&root, &["--since", middle, "--proof", proof.to_str().unwrap()]);
    }
}

#[test]
fn it_agrees_where_a_third_level_begins() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), 65_537);
    holds(directory.path(), &[]);
}

#[test]
fn it_finds_what_was_tampered_with() {
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole");
    made(&whole, 700);
    let tampered = |number: u32, tamper: &dyn Fn(&Path)| {
        let copy = directory.path().join(number.to_string());
        let status = Command::new("cp").arg("-r").arg(&whole).arg(&copy).status().unwrap();
        assert!(status.success());
        tamper(&copy);
        copy
    };
    let forged = |entries: &mut Vec<Vec<u8>>| entries[9] = small(10_000).encode().unwrap();
    found(&tampered(0, &|root| edit(root, "tile/entries/001", forged)), &[], "entry 265");
    found(&tampered(1, &|root| edit(root, LAST_BUNDLE, forged)), &[], "entry 521");
    let swap = |root: &Path| edit(root, "tile/entries/000", |entries| entries.swap(3, 4));
    found(&tampered(2, &swap), &[], "entry 3");
    let remove = |root: &Path| fs::remove_file(root.join("tile/entries/001")).unwrap();
    found(&tampered(3, &remove), &[], "tile/entries/001");
    let cut = |root: &Path| change(root, "tile/entries/001", |bytes| bytes.truncate(bytes.len() - 1));
    found(&tampered(4, &cut), &[], "tile/entries/001");
    found(&tampered(5, &|root| change(root, "tile/0/001", |bytes| bytes[7] ^= 1)), &[], "tile/0/001");
    found(&tampered(6, &|root| change(root, "tile/1/000.p/2", |bytes| bytes[7] ^= 1)), &[], "tile/1/000.p/2");
    let both = |root: &Path| {
        edit(root, LAST_BUNDLE, forged);
        fit(root, LAST_BUNDLE, LAST_TILE);
    };
    found(&tampered(7, &both), &[], "root");
    let note = |root: &Path| {
        change(root, "checkpoint", |note| *note = String::from_utf8_lossy(note).replace("\n700\n", "\n699\n").into());
    };
    found(&tampered(8, &note), &[], "signature");

    let stranger = SigningKey::from_seed([8; 32]).verifier_key(super::ORIGIN).unwrap().to_string();
    let output = python(&[whole.to_str().unwrap(), &stranger]);
    assert!(!output.status.success());

    let other = directory.path().join("other");
    let ledger = open(&other);
    append(&ledger, (1..400).map(small));
    ledger.close();
    let fork = other.join("checkpoint");
    found(&whole, &["--since", fork.to_str().unwrap()], "history");
    let later = whole.join("checkpoint");
    found(&other, &["--since", later.to_str().unwrap()], "rolled back");

    let ledger = open(&whole);
    let proof = ledger.prove_inclusion(300).unwrap().to_json();
    ledger.close();
    let file = directory.path().join("proof");
    fs::write(&file, proof.replace("node-300", "node-301")).unwrap();
    found(&whole, &["--proof", file.to_str().unwrap()], "proof");
}

#[test]
fn it_follows_an_archive() {
    let (directory, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made(directory.path(), 700);
    let ledger = open(directory.path());
    ledger.archive(300, archive.path()).unwrap();
    ledger.close();
    holds(directory.path(), &[]);
    let unread = "the contents of 256 of";
    assert!(judge(directory.path(), &[]).1.contains(unread));
    assert!(!judge(directory.path(), &["--archive", archive.path().to_str().unwrap()]).1.contains(unread));
    holds(directory.path(), &["--archive", archive.path().to_str().unwrap()]);
    edit(archive.path(), "tile/entries/000", |entries| entries[2] = small(1).encode().unwrap());
    found(directory.path(), &["--archive", archive.path().to_str().unwrap()], "entry 2");
}
