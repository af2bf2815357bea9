//! The way to the disk: one thread takes whatever has queued, writes it as one record, syncs once, and only then tells
//! everybody. It derives nothing; that is the publisher's.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::disk::Lock;
use crate::ledger::{Durable, Shared, Waiting};
use crate::wal::{self, Checksum, MAX_BATCH, RecordWriter};
use crate::{Disk, LogFile, Receipt};

/// The publisher may be this many bytes behind before the writer waits for it.
const MAX_TAIL: usize = 256 << 20;

/// Where several wait at a time, more are on their way: so long they are let in before the sync that they then share. A
/// sync for each few of them would cost more than everything else that is done for them.
const GATHER: Duration = Duration::from_micros(300);
/// Fewer than these are not kept waiting, and for more a sync is cheap.
const GATHERING: std::ops::Range<usize> = 4..256;

/// Where the next record goes.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) file: Box<dyn LogFile>,
    /// Bytes in the segment so far.
    pub(crate) length: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) next: u64,
    pub(crate) before: Checksum,
    pub(crate) buffer: Vec<u8>,
}

pub(crate) fn wal_directory(root: &Path) -> PathBuf {
    root.join("wal")
}

pub(crate) fn segment_path(root: &Path, base: u64) -> PathBuf {
    wal_directory(root).join(format!("{base:020}.wal"))
}

/// Starts a segment. After a crash in here the directory ends with a segment that is absent, short, or whole and
/// empty; no record can be in it yet. Recovery (`recovery::read_segments`) removes a short one and starts it again
/// through this function.
pub(crate) fn start_segment(
    disk: &dyn Disk,
    root: &Path,
    base: u64,
    before: &Checksum,
) -> io::Result<Box<dyn LogFile>> {
    let path = segment_path(root, base);
    disk.write(&path, &wal::segment_header(base, before))?;
    disk.sync(&path)?;
    disk.sync_directory(&wal_directory(root))?;
    disk.append(&path)
}

/// Runs until the ledger closes or the disk fails.
pub(crate) fn run(mut writer: Writer, shared: &Shared, lock: Arc<Lock>) {
    let mut last = 0;
    loop {
        let mut waiting = {
            let mut queue = shared.queue.lock();
            while queue.waiting.is_empty() && !queue.closing && !shared.is_broken() {
                shared.queue_changed.wait(&mut queue);
            }
            if GATHERING.contains(&last) && !queue.closing {
                shared.queue_changed.wait_for(&mut queue, GATHER);
            }
            std::mem::take(&mut queue.waiting)
        };
        last = waiting.len();
        if waiting.is_empty() || shared.is_broken() {
            break;
        }
        while !waiting.is_empty() {
            let batch = split_batch(&mut waiting);
            match writer.write(&batch, shared) {
                Ok(()) => acknowledge(batch, &mut writer, shared),
                // What is on the disk now is unknown, and a second sync may lie (fsync reports an error once). So
                // nothing is tried again: the ledger refuses until it is opened anew, which reads what is there.
                Err(error) => {
                    shared.break_down("the write-ahead log", &error);
                    break;
                }
            }
        }
        if shared.is_broken() {
            break;
        }
    }
    // Promises that are still queued are dropped, which says `Broken`.
    let rest = {
        let mut queue = shared.queue.lock();
        queue.closing = true;
        std::mem::take(&mut queue.waiting)
    };
    drop(rest);
    drop((writer, lock));
    shared.tail.lock().closed = true;
    shared.tail_changed.notify_all();
}

/// The front of the queue, as much as one record takes.
fn split_batch(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut bytes = 0;
    let fits = |entry: &&Waiting| {
        bytes += entry.bytes.len() + 2;
        bytes <= MAX_BATCH
    };
    let count = waiting.iter().take_while(fits).count();
    let rest = waiting.split_off(count);
    std::mem::replace(waiting, rest)
}

impl Writer {
    fn write(&mut self, batch: &[Waiting], shared: &Shared) -> io::Result<()> {
        if self.length >= self.segment_bytes {
            self.file = start_segment(&*shared.disk, &shared.root, self.next, &self.before)?;
            self.length = wal::SEGMENT_HEADER as u64;
            shared.tail.lock().segments.push_back(self.next);
        }
        let mut record = RecordWriter::new(std::mem::take(&mut self.buffer), self.next);
        for entry in batch {
            record.push(&entry.bytes, entry.leaf);
        }
        let (bytes, checksum) = record.finish(&self.before);
        // A crash in the write leaves any part of the record; nobody has a receipt for it. Recovery keeps it if it is
        // whole, and cuts it off if it is not.
        self.file.append(&bytes)?;
        // A crash before this returns: as above. After it, the record is found whole.
        self.file.sync()?;
        self.length += bytes.len() as u64;
        self.before = checksum;
        self.buffer = bytes;
        Ok(())
    }
}

fn acknowledge(batch: Vec<Waiting>, writer: &mut Writer, shared: &Shared) {
    let first = writer.next;
    writer.next += batch.len() as u64;
    let mut promises = Vec::with_capacity(batch.len());
    {
        let mut tail = shared.tail.lock();
        for Waiting { bytes, leaf, promise } in batch {
            tail.bytes += bytes.len();
            tail.entries.push_back(Arc::new(Durable { bytes, leaf }));
            promises.push(promise);
        }
        if tail.size() >= tail.awaited {
            shared.tail_changed.notify_all();
        }
    }
    // INVARIANT: the only place that makes receipts, behind the sync in `Writer::write`.
    for (index, promise) in (first..).zip(promises) {
        promise.keep(Ok(Receipt::new(index)));
    }
    let mut tail = shared.tail.lock();
    while tail.bytes > MAX_TAIL && !tail.finished {
        shared.tail_changed.wait(&mut tail);
    }
}
