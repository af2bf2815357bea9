//! A disk in memory that knows what has been synced and what has not, fails where it is told to, and can lose its power.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Disk, Lock, LogFile};

/// What happens at one step, and from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The step fails and leaves half of what it writes; whatever comes later works.
    Once,
    /// There is no room left: from here on nothing can be written or made, though it can be removed.
    Full,
    /// The machine stops: nothing changes any more.
    Stop,
}

/// What is left after the machine has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Everything: only the process died.
    All,
    /// Only what was synced.
    Synced,
    /// All names, and of what was written since the last sync the first half.
    Half,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    steps: usize,
    fault: Option<(usize, Fault)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct MemoryDisk(Arc<Mutex<State>>);

fn no_room() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// How far a step gets.
#[derive(PartialEq, Eq)]
enum Outcome {
    Done,
    Half,
    Nothing,
}

impl State {
    /// Counts a step. `grows`: it needs room.
    fn step(&mut self, grows: bool) -> Outcome {
        let step = self.steps;
        self.steps += 1;
        match self.fault {
            Some((at, Fault::Once)) if step == at => Outcome::Half,
            Some((at, Fault::Full)) if step >= at && grows => Outcome::Half,
            Some((at, Fault::Stop)) if step >= at => Outcome::Nothing,
            _ => Outcome::Done,
        }
    }

    fn number(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(not_found)
    }

    fn extend(&mut self, number: usize, bytes: &[u8]) -> io::Result<()> {
        let outcome = self.step(true);
        let now = &mut self.contents[number].now;
        match outcome {
            Outcome::Done => now.extend_from_slice(bytes),
            Outcome::Half => now.extend_from_slice(&bytes[..bytes.len() / 2]),
            Outcome::Nothing => {}
        }
        if outcome == Outcome::Done { Ok(()) } else { Err(no_room()) }
    }

    fn simple(&mut self, grows: bool) -> io::Result<()> {
        if self.step(grows) == Outcome::Done { Ok(()) } else { Err(no_room()) }
    }
}

impl MemoryDisk {
    pub(super) fn steps(&self) -> usize {
        self.0.lock().steps
    }

    pub(super) fn fail(&self, step: usize, fault: Fault) {
        self.0.lock().fault = Some((step, fault));
    }

    /// The same disk in another machine, in order again.
    pub(super) fn after(&self, left: Left) -> Self {
        let mut state = self.0.lock().clone();
        state.steps = 0;
        state.fault = None;
        if left == Left::Synced {
            state.names = state.durable_names.clone();
        }
        for content in &mut state.contents {
            match left {
                Left::All => {}
                Left::Synced => content.now = content.durable.clone(),
                Left::Half => {
                    let common = content.now.iter().zip(&content.durable).take_while(|(a, b)| a == b).count();
                    let unsynced = content.now.len() - common;
                    content.now.truncate(common + unsynced / 2);
                }
            }
            content.durable = content.now.clone();
        }
        state.durable_names = state.names.clone();
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.0.lock().names.keys().cloned().collect()
    }

    /// Changes a file from outside.
    pub(super) fn set(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.0.lock();
        let number = state.number(path).unwrap();
        state.contents[number] = Content { now: bytes.to_vec(), durable: bytes.to_vec() };
    }

    pub(super) fn delete(&self, path: &Path) {
        let mut state = self.0.lock();
        state.names.remove(path);
        state.durable_names.remove(path);
    }
}

#[derive(Debug)]
struct Appending(Arc<Mutex<State>>, usize);

impl LogFile for Appending {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().extend(self.1, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.simple(true)?;
        let content = &mut state.contents[self.1];
        content.durable.clone_from(&content.now);
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.lock();
        Ok(state.contents[state.number(path)?].now.clone())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let number = match state.number(path) {
            Ok(number) => number,
            Err(_) => {
                if matches!(state.fault, Some((at, Fault::Stop)) if state.steps >= at) {
                    return Err(no_room());
                }
                state.contents.push(Content::default());
                let number = state.contents.len() - 1;
                state.names.insert(path.to_owned(), number);
                number
            }
        };
        if !matches!(state.fault, Some((at, Fault::Stop)) if state.steps >= at) {
            state.contents[number].now.clear();
        }
        state.extend(number, bytes)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let number = self.0.lock().number(path)?;
        Ok(Box::new(Appending(Arc::clone(&self.0), number)))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        let number = state.number(path)?;
        state.simple(false)?;
        let content = &mut state.contents[number];
        content.now.resize(usize::try_from(length).unwrap(), 0);
        content.durable.clone_from(&content.now);
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let number = state.number(path)?;
        state.simple(true)?;
        let content = &mut state.contents[number];
        content.durable.clone_from(&content.now);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.simple(false)?;
        let inside = |name: &Path| name.parent() == Some(path);
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|name, _| !inside(name));
        durable_names.extend(names.iter().filter(|(name, _)| inside(name)).map(|(name, n)| (name.clone(), *n)));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let number = state.number(from)?;
        state.simple(false)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.number(path)?;
        state.simple(false)?;
        state.names.remove(path);
        Ok(())
    }

    fn remove_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_directories(&self, _: &Path) -> io::Result<()> {
        self.0.lock().simple(true)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        let inside = state.names.keys().filter_map(|name| name.strip_prefix(path).ok()?.iter().next());
        let mut names: Vec<String> = inside.map(|name| name.to_string_lossy().into_owned()).collect();
        names.dedup();
        Ok(names)
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Lock::unshared()))
    }
}
