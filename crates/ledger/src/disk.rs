//! The file operations that the ledger is made of, as a trait, so that tests can fail each one in turn and cut the
//! power between any two. No format is known here.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

/// Where a ledger lives. What is written is durable once the matching sync has returned, and not before.
pub trait Disk: Send + Sync + fmt::Debug + 'static {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Creates or replaces the content of a file, in place.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Opens an existing file to append to.
    fn append(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Cuts a file to `length` bytes, durably.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    /// Makes a file's content durable.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    fn create_directories(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted; none if it does not exist.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Takes the lock that makes this the only writer; `None` if somebody else has it. Dropping it gives it back.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// A file that only grows.
pub trait LogFile: Send + fmt::Debug {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

/// Held while a ledger is open for writing.
#[derive(Debug)]
pub struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// For a disk that no other process can reach.
    pub const fn unshared() -> Self {
        Self { _file: None }
    }
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

/// Opens, and tries again for a while where the process or the machine is out of descriptors: then nothing was opened,
/// so nothing is half done, and the connections that hold them all come to an end.
fn opened<T>(open: impl Fn() -> io::Result<T>) -> io::Result<T> {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 0..600 {
        match open() {
            Err(error) if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => std::thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
    open()
}

impl Disk for SystemDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        opened(|| File::open(path))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        opened(|| File::create(path))?.write_all(bytes)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(opened(|| OpenOptions::new().append(true).open(path))?))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = opened(|| OpenOptions::new().write(true).open(path))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        opened(|| File::open(path))?.sync_all()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        opened(|| File::open(path))?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = match opened(|| fs::read_dir(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Replaces a file as a whole: a reader, and whoever comes after a crash, sees the old content or the new. Not
/// durable until file and directory are synced; a stale `.tmp` is overwritten by the next attempt.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        disk.create_directories(parent)?;
    }
    let temporary = path.with_added_extension("tmp");
    disk.write(&temporary, bytes)?;
    disk.rename(&temporary, path)
}

/// [`replace`], and durable when it returns.
pub(crate) fn replace_durably(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        disk.create_directories(parent)?;
    }
    let temporary = path.with_added_extension("tmp");
    disk.write(&temporary, bytes)?;
    // Before the rename: otherwise a crash could leave the new name with no content.
    disk.sync(&temporary)?;
    disk.rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |parent| disk.sync_directory(parent))
}
