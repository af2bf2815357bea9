//! What opening does with a write-ahead log that is not as it was left: an unfinished end is cut off, anything else is
//! refused and left alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory_disk::{Left, MemoryDisk};
use super::{append, key, options, small};
use crate::{Disk as _, Ledger, OpenError, Options, SigningKey};

const LOG: &str = "/log";

fn open_with(disk: &MemoryDisk, key: SigningKey) -> Result<Ledger, OpenError> {
    let options = Options { segment_bytes: 5_000, signing_key: key, ..options(Arc::new(disk.clone())) };
    Ledger::open(Path::new(LOG), options)
}

fn open(disk: &MemoryDisk) -> Result<Ledger, OpenError> {
    open_with(disk, key())
}

fn segments(disk: &MemoryDisk) -> Vec<PathBuf> {
    disk.names().into_iter().filter(|name| name.extension().is_some_and(|extension| extension == "wal")).collect()
}

/// 200 entries, each a record, in several segments, a checkpoint over the first 100.
fn made() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let ledger = open(&disk).unwrap();
    for n in 0..200 {
        // One at a time: how many share a record is otherwise the scheduler's choice.
        append(&ledger, [small(n)]);
        if n == 99 {
            ledger.checkpoint_now().unwrap();
        }
    }
    // As it is now, not as closing leaves it.
    let copy = disk.after(Left::All);
    assert_eq!((ledger.status().checkpoint_size, segments(&copy).len() > 2), (100, true));
    copy
}

/// Opening must not have touched anything.
fn refused(disk: &MemoryDisk) -> OpenError {
    let content = |disk: &MemoryDisk| -> Vec<_> {
        disk.names().into_iter().map(|name| (disk.read(&name).unwrap(), name)).collect()
    };
    let before = content(disk);
    let error = open(disk).unwrap_err();
    assert_eq!(content(disk), before, "{error}");
    error
}

#[test]
fn a_torn_end_is_cut_off_at_every_byte() {
    let disk = MemoryDisk::default();
    let ledger = open(&disk).unwrap();
    append(&ledger, (0..3).map(small));
    ledger.checkpoint_now().unwrap();
    let path = segments(&disk).pop().unwrap();
    let whole = disk.read(&path).unwrap();
    append(&ledger, [small(3)]);
    let longer = disk.read(&path).unwrap();
    let copy = disk.after(Left::All);
    for end in whole.len()..=longer.len() {
        for filler in [&[][..], &[0; 70], b"CSR1CSR1"] {
            let disk = copy.after(Left::All);
            disk.set(&path, &[&longer[..end], filler].concat());
            let ledger = open(&disk).unwrap_or_else(|error| panic!("cut at {end}: {error}"));
            let kept = if end == longer.len() { 4 } else { 3 };
            assert_eq!(ledger.size(), kept, "cut at {end}");
            assert_eq!(append(&ledger, [small(7)])[0].index(), kept);
            ledger.close();
            assert_eq!(open(&disk).unwrap().entry(kept).unwrap(), Some(small(7)));
        }
    }
}

#[test]
fn damage_before_later_records_is_refused() {
    let disk = made();
    for path in segments(&disk) {
        let bytes = disk.read(&path).unwrap();
        let last = segments(&disk).last() == Some(&path);
        // In the last segment only what stands before another record is certainly damage.
        let positions = [0, 20, 79, 80, 90, 110, 300, bytes.len() - 1];
        for position in positions.into_iter().take(if last { 7 } else { 8 }) {
            let disk = disk.after(Left::All);
            let mut changed = bytes.clone();
            changed[position] ^= 0x40;
            disk.set(&path, &changed);
            let error = refused(&disk);
            let expected = matches!(&error, OpenError::Damaged { file, .. } if Path::new(file) == path);
            assert!(expected, "{} at {position}: {error}", path.display());
        }
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let disk = made();
    let all = segments(&disk);
    for (number, path) in all.iter().enumerate() {
        let disk = disk.after(Left::All);
        disk.delete(path);
        if number + 1 < all.len() {
            refused(&disk);
        }
    }
    all.iter().for_each(|path| disk.delete(path));
    assert!(matches!(refused(&disk), OpenError::LogMissing { signed: 100 }));
}

#[test]
fn entries_that_were_signed_cannot_be_cut_off() {
    let disk = made();
    // Back to the third record: fewer entries than were signed.
    for path in segments(&disk).split_off(1) {
        disk.delete(&path);
    }
    let error = refused(&disk);
    assert!(matches!(error, OpenError::RolledBack { signed: 100, found } if found < 100), "{error}");
}

#[test]
fn entries_that_were_signed_cannot_be_exchanged() {
    let disk = made();
    let other = MemoryDisk::default();
    let ledger = open(&other).unwrap();
    append(&ledger, (1000..1200).map(small));
    ledger.checkpoint_now().unwrap();
    let note = Path::new(LOG).join("checkpoint");
    let other = other.after(Left::All);
    other.set(&note, &disk.read(&note).unwrap());
    assert!(matches!(refused(&other), OpenError::Contradicted { signed: 100 }));
}

#[test]
fn a_checkpoint_of_another_key_is_refused() {
    let disk = made();
    assert!(matches!(open_with(&disk, SigningKey::from_seed([8; 32])), Err(OpenError::Key(_))));
    disk.set(&Path::new(LOG).join("checkpoint"), b"nonsense");
    assert!(matches!(refused(&disk), OpenError::Key(_)));
}

#[test]
fn a_missing_tile_is_named() {
    let disk = MemoryDisk::default();
    let ledger = open(&disk).unwrap();
    for n in (0..600).step_by(20) {
        append(&ledger, (n..n + 20).map(small));
    }
    ledger.close();
    let oldest = segments(&disk)[0].file_name().unwrap().to_owned();
    assert_ne!(oldest, "00000000000000000000.wal", "what is in full bundles is no longer in the write-ahead log");
    disk.delete(&Path::new(LOG).join("tile/0/000"));
    assert!(matches!(refused(&disk), OpenError::TileMissing { file } if file == "tile/0/000"));
    let disk = disk.after(Left::All);
    disk.delete(&Path::new(LOG).join("checkpoint"));
    refused(&disk);
}
