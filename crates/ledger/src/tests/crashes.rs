//! Every step of a ledger's life fails once, fills the disk, or is the last before the power goes; then everything is
//! looked at again. No acknowledged entry is missing, and no signed checkpoint is contradicted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::memory_disk::{Fault, Left, MemoryDisk};
use super::{options, small, verifier};
use crate::verify::{Trust, verify_directory};
use crate::{AppendError, Directory, Disk as _, Ledger, Options, SignedCheckpoint};

const LOG: &str = "/log";
const ARCHIVE: &str = "/archive";

fn start(disk: &MemoryDisk) -> Result<Ledger, crate::OpenError> {
    // Segments so small that they come and go.
    let options = Options { segment_bytes: 6_000, archive: Some(ARCHIVE.into()), ..options(Arc::new(disk.clone())) };
    Ledger::open(Path::new(LOG), options)
}

/// What somebody outside has been promised.
#[derive(Debug, Default)]
struct Promised {
    acknowledged: BTreeMap<u64, u64>,
    checkpoint: Option<Arc<SignedCheckpoint>>,
}

/// A log shortly before its first bundle is full, in several segments.
fn begun() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let ledger = start(&disk).unwrap();
    super::append(&ledger, (0..100).map(small));
    ledger.checkpoint_now().unwrap();
    super::append(&ledger, (100..200).map(small));
    super::append(&ledger, (200..250).map(small));
    ledger.close();
    disk.after(Left::All)
}

/// Goes on with it: a full bundle, checkpoints, a removal of segments, an archive. Does not stop at failures, as callers
/// do not.
fn live(disk: &MemoryDisk) -> Promised {
    let mut promised = Promised::default();
    let Ok(ledger) = start(disk) else { return promised };
    let mut refused = false;
    for burst in 0..3_u64 {
        let pending: Vec<_> =
            (0..5).map(|n| (250 + burst * 5 + n, ledger.append(&small(250 + burst * 5 + n)))).collect();
        for (n, pending) in pending {
            match pending.wait() {
                Ok(receipt) => {
                    assert!(!refused, "entry {n} was taken after another had been refused");
                    promised.acknowledged.insert(receipt.index(), n);
                }
                Err(error) => {
                    assert_eq!(error, AppendError::Broken);
                    refused = true;
                }
            }
        }
        if burst == 1 {
            let _ = ledger.checkpoint_now();
            promised.checkpoint = ledger.signed_checkpoint();
            let _ = ledger.archive(256, Path::new(ARCHIVE));
        }
    }
    if refused {
        assert_eq!(ledger.append(&small(0)).wait(), Err(AppendError::Broken));
    }
    ledger.close();
    promised
}

/// Opens what is left, and holds it against what was promised.
fn look(disk: &MemoryDisk, promised: &Promised, case: &str) {
    let directory = Directory::on(Arc::new(disk.clone()), Path::new(LOG), Some(Path::new(ARCHIVE)));
    let written = disk.read(&Path::new(LOG).join("checkpoint")).ok().map(|note| verifier().open(&note).unwrap());
    let ledger = start(disk).unwrap_or_else(|error| panic!("{case}: {error}"));
    let found: Vec<_> =
        ledger.scan(0..u64::MAX).map(|item| item.unwrap_or_else(|error| panic!("{case}: {error}"))).collect();
    for (index, n) in (0..250).zip(0..).chain(promised.acknowledged.iter().map(|(index, n)| (*index, *n))) {
        let place = usize::try_from(index).unwrap();
        assert_eq!(found.get(place), Some(&(index, small(n))), "{case}: entry {index}");
    }
    // Before anything is appended, what lies there is already a whole log, and continues what was seen of it.
    let verify = |since: Option<&SignedCheckpoint>| {
        let trust = Trust { key: verifier(), since: since.cloned() };
        assert_eq!(verify_directory(&directory, &trust, |_| {}).unwrap().faults, [], "{case}");
    };
    verify(promised.checkpoint.as_deref());
    assert_eq!(ledger.append(&small(9999)).wait().unwrap().index(), ledger.size() - 1, "{case}");
    assert_eq!(ledger.checkpoint_now().unwrap().unwrap().size(), ledger.size(), "{case}");
    verify(written.as_ref());
}

#[test]
fn no_step_loses_an_acknowledged_entry() {
    let begun = begun();
    let whole = begun.after(Left::All);
    let promised = live(&whole);
    assert_eq!(promised.acknowledged.len(), 15);
    look(&whole, &promised, "nothing failed");
    assert!(!whole.names().contains(&Path::new(LOG).join("wal/00000000000000000000.wal")), "a segment is removed");
    assert!(whole.names().contains(&Path::new(ARCHIVE).join("tile/entries/000")), "a bundle is archived");
    for step in 0..whole.steps() {
        for (fault, lefts) in [
            (Fault::Once, &[Left::Synced][..]),
            (Fault::Full, &[Left::All]),
            (Fault::Stop, &[Left::Synced, Left::Half]),
        ] {
            let disk = begun.after(Left::All);
            disk.fail(step, fault);
            let promised = live(&disk);
            for &left in lefts {
                look(&disk.after(left), &promised, &format!("{fault:?} at step {step}, left {left:?}"));
            }
        }
    }
}

/// The first start of all.
#[test]
fn creation_can_be_interrupted() {
    let whole = MemoryDisk::default();
    start(&whole).unwrap().close();
    for step in 0..whole.steps() {
        for left in [Left::All, Left::Synced, Left::Half] {
            let disk = MemoryDisk::default();
            disk.fail(step, Fault::Stop);
            let _ = start(&disk).map(Ledger::close);
            let ledger = start(&disk.after(left)).unwrap();
            assert_eq!(super::append(&ledger, [small(0)])[0].index(), 0, "step {step}, left {left:?}");
        }
    }
}

/// Recovery is itself interrupted, and begun again.
#[test]
fn recovery_can_be_interrupted() {
    let begun = begun();
    let whole = begun.after(Left::All);
    live(&whole);
    for step in (0..whole.steps()).step_by(23) {
        let disk = begun.after(Left::All);
        disk.fail(step, Fault::Stop);
        let promised = live(&disk);
        for left in [Left::Synced, Left::Half] {
            let found = disk.after(left);
            let trial = found.after(Left::All);
            drop(start(&trial).unwrap());
            for second in 0..trial.steps() {
                let disk = found.after(Left::All);
                disk.fail(second, Fault::Stop);
                let _ = start(&disk).map(Ledger::close);
                let case = format!("step {step}, left {left:?}, recovery step {second}");
                look(&disk.after(Left::Half), &promised, &case);
            }
        }
    }
}

/// A full disk: a clear error, no entry taken, everything readable, and on again once there is room.
#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = MemoryDisk::default();
    let ledger = start(&disk).unwrap();
    super::append(&ledger, (0..300).map(small));
    let checkpoint = ledger.checkpoint_now().unwrap().unwrap();
    disk.fail(disk.steps(), Fault::Full);
    assert_eq!(ledger.append(&small(300)).wait(), Err(AppendError::Broken));
    let status = ledger.status();
    assert_eq!((status.size, status.checkpoint_size), (300, 300));
    // The publisher may still have been tidying up after the checkpoint: either of the two meets the full disk first.
    assert!(status.broken.unwrap().ends_with(": no storage space"));
    assert_eq!(ledger.entry(299).unwrap(), Some(small(299)));
    ledger.prove_inclusion(299).unwrap().check(&verifier()).unwrap();
    assert!(ledger.archive(256, Path::new(ARCHIVE)).is_err());
    ledger.close();

    let full = start(&disk);
    assert!(full.is_err(), "there is still no room");
    let roomy = disk.after(Left::All);
    let ledger = start(&roomy).unwrap();
    assert_eq!(ledger.checkpoint().as_deref(), Some(checkpoint.note()));
    assert_eq!(super::append(&ledger, [small(301)])[0].index(), 300);
}
