//! What a forger can do to a copy of a log, done; each time the verifier says that, and where.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{ORIGIN, append, made, open, options, small, verifier};
use crate::verify::{Fault, MAX_FAULTS, Progress, Report, Trust, VerifyError, verify_directory};
use crate::{ArchiveError, Directory, KeyError, Ledger, Options, ReadError, Reader, SignedCheckpoint, SigningKey};

const SIZE: u64 = 700;

/// The file names of a log of [`SIZE`] entries.
pub(super) const LAST_BUNDLE: &str = "tile/entries/002.p/188";
pub(super) const LAST_TILE: &str = "tile/0/002.p/188";

pub(super) fn change(root: &Path, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
    let path = root.join(name);
    let mut bytes = fs::read(&path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Takes a bundle apart, and puts it together again.
pub(super) fn edit(root: &Path, name: &str, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    change(root, name, |bytes| {
        let mut entries: Vec<Vec<u8>> = crate::bundle::split(bytes).map(|entry| entry.unwrap().to_vec()).collect();
        edit(&mut entries);
        bytes.clear();
        entries.iter().for_each(|entry| crate::bundle::push(bytes, entry));
    });
}

/// Writes the tile that a bundle would have.
pub(super) fn fit(root: &Path, bundle: &str, tile: &str) {
    let bytes = fs::read(root.join(bundle)).unwrap();
    let leaves = crate::bundle::split(&bytes).flat_map(|entry| tlog_tiles::record_hash(entry.unwrap()).0);
    fs::write(root.join(tile), leaves.collect::<Vec<u8>>()).unwrap();
}

fn report(root: &Path, archive: Option<&Path>, since: Option<SignedCheckpoint>) -> Report {
    let trust = Trust { key: verifier(), since };
    verify_directory(&Directory::new(root, archive), &trust, |_| {}).unwrap()
}

fn faults(tamper: impl FnOnce(&Path)) -> Vec<Fault> {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), SIZE);
    tamper(directory.path());
    let found = report(directory.path(), None, None).faults;
    assert!(found.iter().all(|fault| !fault.to_string().is_empty()));
    found
}

#[test]
fn an_untouched_log_holds() {
    for size in [1, 2, 255, 256, 257, 512, SIZE] {
        let directory = tempfile::tempdir().unwrap();
        made(directory.path(), size);
        let mut last = None;
        let trust = Trust { key: verifier(), since: None };
        let found = verify_directory(&Directory::new(directory.path(), None), &trust, |now| last = Some(now)).unwrap();
        assert_eq!((found.faults.as_slice(), found.entries, found.archived), (&[][..], size, 0));
        assert_eq!(last, Some(Progress { done: size, total: size }));
    }
}

#[test]
fn a_changed_entry_is_named() {
    for (name, place, index) in [("tile/entries/000", 17, 17), ("tile/entries/001", 255, 511), (LAST_BUNDLE, 3, 515)] {
        let found = faults(|root| {
            edit(root, name, |entries| {
                let last = entries[place].len() - 4;
                entries[place][last] ^= 1;
            });
        });
        assert_eq!(found, [Fault::Changed { index }], "{name}");
    }
}

#[test]
fn swapped_entries_are_named() {
    let within = faults(|root| edit(root, "tile/entries/001", |entries| entries.swap(1, 9)));
    assert_eq!(within, [Fault::Moved { index: 257, belongs: 265 }, Fault::Moved { index: 265, belongs: 257 }]);
    let across = faults(|root| {
        edit(root, "tile/entries/000", |entries| entries[5] = small(256 + 7).encode().unwrap());
        edit(root, "tile/entries/001", |entries| entries[7] = small(5).encode().unwrap());
    });
    assert_eq!(across, [Fault::Changed { index: 5 }, Fault::Changed { index: 263 }]);
}

#[test]
fn removed_entries_are_named() {
    let gone = |first, last, file: &str| [Fault::Removed { first, last, file: file.to_owned() }];
    let found = faults(|root| fs::remove_file(root.join("tile/entries/001")).unwrap());
    assert_eq!(found, gone(256, 511, "tile/entries/001"));
    let found = faults(|root| fs::remove_file(root.join(LAST_BUNDLE)).unwrap());
    assert_eq!(found, gone(512, 699, LAST_BUNDLE));
    let found = faults(|root| change(root, "tile/entries/000", |bytes| bytes.truncate(bytes.len() - 1)));
    assert_eq!(found, gone(0, 255, "tile/entries/000"));
    let found = faults(|root| edit(root, "tile/entries/001", |entries| drop(entries.remove(40))));
    assert_eq!(found, gone(256, 511, "tile/entries/001"));
    let found = faults(|root| edit(root, "tile/entries/001", |entries| entries.push(b"more".to_vec())));
    assert_eq!(found, gone(256, 511, "tile/entries/001"));
    // Saying that it is archived does not bring it back.
    let found = faults(|root| {
        fs::remove_file(root.join("tile/entries/001")).unwrap();
        fs::write(root.join("archived"), "1\n").unwrap();
    });
    assert_eq!(found, gone(256, 511, "tile/entries/001"));
}

#[test]
fn a_changed_tile_is_named() {
    for name in ["tile/0/000", "tile/0/001", LAST_TILE, "tile/1/000.p/2"] {
        let file = || [Fault::Tile { file: name.to_owned() }];
        assert_eq!(faults(|root| change(root, name, |bytes| bytes[33] ^= 1)), file(), "changed");
        assert_eq!(faults(|root| change(root, name, |bytes| bytes.truncate(33))), file(), "cut");
        assert_eq!(faults(|root| fs::remove_file(root.join(name)).unwrap()), file(), "removed");
    }
}

#[test]
fn a_changed_entry_with_a_changed_tile_is_found() {
    let forged = |entries: &mut Vec<Vec<u8>>| entries[9] = small(10_000).encode().unwrap();
    let found = faults(|root| {
        edit(root, "tile/entries/001", forged);
        fit(root, "tile/entries/001", "tile/0/001");
    });
    assert_eq!(found, [Fault::Rewritten { first: 256, last: 511 }]);
    // At the log's end nothing but the root vouches for a hash.
    let found = faults(|root| {
        edit(root, LAST_BUNDLE, forged);
        fit(root, LAST_BUNDLE, LAST_TILE);
    });
    assert_eq!(found, [Fault::Root]);
    // An entry changed and, elsewhere, a tile of the end: both are named.
    let found = faults(|root| {
        edit(root, "tile/entries/000", forged);
        change(root, "tile/1/000.p/2", |bytes| bytes[0] ^= 1);
    });
    assert_eq!(found, [Fault::Tile { file: "tile/1/000.p/2".to_owned() }, Fault::Changed { index: 9 }]);
}

#[test]
fn after_a_thousand_faults_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), 1300);
    for n in 0..5 {
        let name = format!("tile/entries/00{n}");
        edit(directory.path(), &name, |entries| entries.iter_mut().for_each(|entry| entry[0] = b'x'));
    }
    assert_eq!(report(directory.path(), None, None).faults.len(), MAX_FAULTS);
}

#[test]
fn a_kept_checkpoint_finds_a_rolled_back_log() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    made(root, 300);
    let old = fs::read(root.join("checkpoint")).unwrap();
    let ledger = open(root);
    append(&ledger, (300..SIZE).map(small));
    let kept = ledger.checkpoint_now().unwrap().unwrap();
    ledger.close();
    assert_eq!(report(root, None, Some(verifier().open(&old).unwrap())).faults, []);
    fs::write(root.join("checkpoint"), old).unwrap();
    // By itself it is a log that was once signed.
    assert_eq!(report(root, None, None).faults, []);
    let found = report(root, None, Some(SignedCheckpoint::clone(&kept))).faults;
    assert_eq!(found, [Fault::RolledBack { since: SIZE, size: 300 }]);
}

/// Whoever has the key can sign another history. Whoever kept a checkpoint notices.
#[test]
fn a_kept_checkpoint_finds_another_history() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made(first.path(), 300);
    let kept = Reader::open(Directory::new(first.path(), None), &verifier()).unwrap().checkpoint().clone();
    let ledger = open(second.path());
    append(&ledger, (0..SIZE).map(|n| small(if n == 299 { 5 } else { n })));
    ledger.close();
    assert_eq!(report(second.path(), None, None).faults, []);
    assert_eq!(report(second.path(), None, Some(kept)).faults, [Fault::History { since: 300 }]);
}

#[test]
fn another_key_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), 3);
    let verify = |key| {
        let trust = Trust { key, since: None };
        verify_directory(&Directory::new(directory.path(), None), &trust, |_| {}).unwrap_err()
    };
    let stranger = SigningKey::from_seed([8; 32]);
    let unsigned = |error| matches!(error, VerifyError::Checkpoint(KeyError::Unsigned(_)));
    assert!(unsigned(verify(stranger.verifier_key(ORIGIN).unwrap())));
    assert!(unsigned(verify(super::key().verifier_key("another.test").unwrap())));
    change(directory.path(), "checkpoint", |note| {
        let text = String::from_utf8_lossy(note).replacen("\n3\n", "\n2\n", 1);
        *note = text.into_bytes();
    });
    assert!(matches!(verify(verifier()), VerifyError::Checkpoint(KeyError::BadSignature(_))));
    fs::remove_file(directory.path().join("checkpoint")).unwrap();
    assert!(matches!(verify(verifier()), VerifyError::NoCheckpoint));
}

#[test]
fn archived_entries_are_still_proven() {
    let (directory, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (root, archive) = (directory.path(), archive.path());
    made(root, SIZE);
    let ledger = open(root);
    assert!(matches!(ledger.archive(SIZE, root), Err(ArchiveError::IsLedger(_))));
    assert_eq!(ledger.archive(255, archive).unwrap().bundles, 0..0);
    let moved = ledger.archive(SIZE, archive).unwrap();
    assert_eq!((moved.bundles, moved.entries), (0..2, 0..512));
    assert_eq!(ledger.archive(SIZE, archive).unwrap().bundles, 2..2);
    assert_eq!(ledger.status().archived, 512);
    assert!(!root.join("tile/entries/000").exists() && archive.join("tile/entries/001").exists());
    assert!(matches!(ledger.entry(300), Err(ReadError::Archived { before: 512 })));
    let back: Vec<_> = ledger.scan_back(SIZE).collect();
    assert_eq!(back.iter().filter(|item| item.is_ok()).count() as u64, SIZE - 512);
    assert!(matches!(back.last(), Some(Err(ReadError::Archived { before: 512 }))));
    assert!(ledger.prove_inclusion(600).unwrap().check(&verifier()).is_ok());
    assert!(ledger.prove_consistency(3, SIZE).is_ok());
    ledger.close();

    // Without the archive by their hashes, with it in full.
    let without = report(root, None, None);
    assert_eq!((without.faults.as_slice(), without.archived), (&[][..], 512));
    let with = report(root, Some(archive), None);
    assert_eq!((with.faults.as_slice(), with.archived), (&[][..], 0));
    let again = Options { archive: Some(archive.to_owned()), ..options(Arc::new(crate::SystemDisk)) };
    let ledger = Ledger::open(root, again).unwrap();
    assert_eq!(ledger.entry(300).unwrap(), Some(small(300)));
    assert_eq!(ledger.scan(0..u64::MAX).filter(Result::is_ok).count() as u64, SIZE);
    ledger.prove_inclusion(300).unwrap().check(&verifier()).unwrap();
    append(&ledger, [small(SIZE)]);
    ledger.close();

    edit(archive, "tile/entries/001", |entries| entries[2] = small(1).encode().unwrap());
    assert_eq!(report(root, Some(archive), None).faults, [Fault::Changed { index: 258 }]);
    change(root, "tile/0/000", |bytes| bytes[0] ^= 1);
    let found = report(root, None, None).faults;
    assert!(matches!(found.as_slice(), [Fault::Removed { first: 0, last: 255, .. }]), "{found:?}");
}

/// What is damaged stays where it is.
#[test]
fn damage_is_not_archived() {
    let (directory, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made(directory.path(), 600);
    // Opening derives again what the write-ahead log still holds: so the harm is done behind its back.
    let ledger = open(directory.path());
    edit(directory.path(), "tile/entries/001", |entries| entries.swap(0, 1));
    assert!(matches!(ledger.archive(600, archive.path()), Err(ArchiveError::Damaged { .. })));
    assert_eq!(ledger.status().archived, 0);
    assert!(directory.path().join("tile/entries/000").exists());
}
