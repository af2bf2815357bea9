//! A ledger in use: append, receipt, reading back, checkpoints, the lock, and readers beside the writer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::memory_disk::MemoryDisk;
use super::{append, at, decision, id, open, options, small, verifier};
use crate::verify::{Trust, verify_source};
use crate::{
    AppendError, Directory, EncodeError, Entry, EntryBody, Ledger, OpenError, Options, ReadError, Reader, SystemDisk,
};

#[test]
fn what_is_appended_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    assert_eq!((ledger.size(), ledger.checkpoint(), ledger.entry(0).unwrap()), (0, None, None));
    assert!(ledger.checkpoint_now().unwrap().is_none());
    let receipts = append(&ledger, (0..600).map(decision));
    assert!(receipts.iter().zip(0..).all(|(receipt, index)| receipt.index() == index));
    // In the memory of the writer, in bundles, and on the border.
    for index in [0, 1, 255, 256, 300, 511, 512, 599] {
        assert_eq!(ledger.entry(index).unwrap(), Some(decision(index)));
        assert_eq!(ledger.find(id(index)).unwrap(), Some((index, decision(index))));
    }
    assert_eq!(ledger.entry(600).unwrap(), None);
    assert_eq!(ledger.find(id(600)).unwrap(), None);
    let scanned: Vec<_> = ledger.scan(250..515).map(Result::unwrap).collect();
    assert_eq!(scanned, (250..515).map(|n| (n, decision(n))).collect::<Vec<_>>());
    let back: Vec<_> = ledger.scan_back(515).map(|item| item.unwrap().0).collect();
    assert_eq!(back, (0..515).rev().collect::<Vec<_>>());
    assert_eq!(ledger.scan(590..u64::MAX).count(), 10);
    assert_eq!(ledger.scan(700..800).count(), 0);
    assert_eq!(ledger.scan_back(u64::MAX).count(), 600);

    let checkpoint = ledger.checkpoint_now().unwrap().unwrap();
    assert_eq!(checkpoint.size(), 600);
    assert_eq!(ledger.file("checkpoint").unwrap(), checkpoint.note().as_bytes());
    assert_eq!(ledger.file("tile/0/001").unwrap().len(), 256 * 32);
    assert_eq!(ledger.file("tile/0/002.p/88").unwrap().len(), 88 * 32);
    let bundle = ledger.file("tile/entries/002.p/88").unwrap();
    assert_eq!(crate::bundle::split(&bundle).count(), 88);
    // A partial tile that has grown since is still to be had.
    assert_eq!(ledger.file("tile/0/001.p/3").unwrap(), ledger.file("tile/0/001").unwrap()[..96]);
    for name in
        ["tile/0/003", "tile/0/002", "lock", "wal/00000000000000000000.wal", "../x", "tile/entries/../../lock", ""]
    {
        assert_eq!(ledger.file(name), None, "{name}");
    }
    assert_eq!(ledger.status().broken, None);
    ledger.close();

    let again = open(directory.path());
    assert_eq!((again.size(), again.checkpoint().as_deref()), (600, Some(checkpoint.note())));
    assert_eq!(append(&again, [decision(600)])[0].index(), 600);
}

/// Entries stand in the order of their way to the disk, which is nearly, not exactly, that of their times.
#[test]
fn a_decision_out_of_order_is_found() {
    let ledger = Ledger::open(Path::new("/log"), options(Arc::new(MemoryDisk::default()))).unwrap();
    let mut times: Vec<u64> = (0..900).collect();
    for chunk in times.chunks_mut(90) {
        chunk.reverse();
    }
    append(&ledger, times.iter().map(|&n| decision(n)));
    for (index, &n) in (0..).zip(&times).step_by(17) {
        assert_eq!(ledger.find(id(n)).unwrap().map(|(index, _)| index), Some(index), "{n}");
    }
    // Mentioned is not decided.
    let body = EntryBody::Stopped { node: id(5000).to_string() };
    append(&ledger, [Entry { at: at(5000), body }]);
    assert_eq!(ledger.find(id(5000)).unwrap(), None);
}

#[test]
fn many_producers_each_get_their_own_receipt() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let producers: Vec<_> = (0..4_u64)
        .map(|producer| {
            let ledger = ledger.clone();
            std::thread::spawn(move || {
                for n in 0..100 {
                    let entry = small(producer * 1000 + n);
                    let receipt = ledger.append(&entry).wait().unwrap();
                    assert_eq!(ledger.entry(receipt.index()).unwrap(), Some(entry));
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    let mut entries: Vec<_> = ledger.scan(0..400).map(|item| item.unwrap().1.at).collect();
    entries.sort_unstable();
    entries.dedup();
    assert_eq!(entries.len(), 400);
}

#[test]
fn a_second_writer_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let second = || Ledger::open(directory.path(), options(Arc::new(SystemDisk)));
    assert!(matches!(second(), Err(OpenError::Locked)));
    append(&ledger, [small(0)]);
    let clone = ledger.clone();
    ledger.close();
    assert_eq!(clone.append(&small(1)).wait(), Err(AppendError::Broken));
    assert_eq!(clone.entry(0).unwrap(), Some(small(0)));
    assert_eq!(second().unwrap().size(), 1);
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let limited = Options { queue: 0, ..options(Arc::new(MemoryDisk::default())) };
    let ledger = Ledger::open(Path::new("/log"), limited).unwrap();
    assert_eq!(ledger.append(&small(0)).wait(), Err(AppendError::Full));
    let long = Entry { at: at(0), body: EntryBody::Stopped { node: "x".repeat(70_000) } };
    assert!(matches!(ledger.append(&long).wait(), Err(AppendError::Entry(EncodeError::TooLong(_)))));
    assert_eq!((ledger.size(), ledger.status().broken), (0, None));
    let bad = Options { origin: "a b".to_owned(), ..options(Arc::new(MemoryDisk::default())) };
    assert!(matches!(Ledger::open(Path::new("/log"), bad), Err(OpenError::Key(_))));
}

/// Dropping the promise does not take the entry back.
#[test]
fn nobody_has_to_wait() {
    let ledger = Ledger::open(Path::new("/log"), options(Arc::new(MemoryDisk::default()))).unwrap();
    drop(ledger.append(&small(0)));
    assert_eq!(ledger.append(&small(1)).wait().unwrap().index(), 1);
    assert_eq!(ledger.entry(0).unwrap(), Some(small(0)));
}

/// Readers see a whole log at whatever checkpoint they find, while it is being written.
#[test]
fn reading_while_writing() {
    let directory = tempfile::tempdir().unwrap();
    let eager = Options { checkpoint_every: Duration::ZERO, ..options(Arc::new(SystemDisk)) };
    let ledger = Ledger::open(directory.path(), eager).unwrap();
    let source = || Directory::new(directory.path(), None);
    assert!(matches!(Reader::open(source(), &verifier()), Err(ReadError::NoCheckpoint)));
    append(&ledger, [decision(0)]);
    ledger.checkpoint_now().unwrap();
    let early = Reader::open(source(), &verifier()).unwrap();
    let writing = ledger.clone();
    let writer = std::thread::spawn(move || {
        for n in (1..700).step_by(10) {
            append(&writing, (n..n + 10).map(decision));
        }
        writing.checkpoint_now().unwrap();
    });
    let mut kept = None;
    while !writer.is_finished() {
        // At the moment that this opens, the checkpoint's partial files are the newest or the last but one; a writer
        // so eager may have gone two further before they are read. What was read is right, and nothing is made up.
        let reader = Reader::open(source(), &verifier()).unwrap();
        match reader.entry(reader.size() - 1) {
            Ok(entry) => assert_eq!(entry, Some(decision(reader.size() - 1))),
            Err(error) => assert!(matches!(error, ReadError::Missing { .. }), "{error}"),
        }
        kept = Some(reader.checkpoint().clone());
    }
    writer.join().unwrap();
    let reader = Reader::open(source(), &verifier()).unwrap();
    assert_eq!(reader.size(), ledger.size());
    assert_eq!(reader.find(id(650)).unwrap(), Some((650, decision(650))));
    assert_eq!(reader.raw_entry(650).unwrap(), Some(decision(650).encode().unwrap()));
    assert_eq!(reader.scan(0..u64::MAX).count() as u64, reader.size());
    assert_eq!(reader.scan_back(5).map(|item| item.unwrap().0).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
    reader.prove_inclusion(650).unwrap().check(&verifier()).unwrap();
    let proof = reader.prove_consistency(early.size(), reader.size()).unwrap();
    proof.check(early.checkpoint(), reader.checkpoint()).unwrap();
    let trust = Trust { key: verifier(), since: kept };
    assert_eq!(verify_source(&source(), &trust, |_| {}).unwrap().faults, []);
}
