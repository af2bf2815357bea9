//! How far something long is, for whoever waits, and the wish that it stop.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// Where a long work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// In a word or two.
    pub phase: &'static str,
    /// What is being read, where files are.
    pub file: String,
    pub done: u64,
    /// 0 where nobody knows.
    pub of: u64,
}

/// Shared by who works and who waits.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    step: Mutex<Step>,
    stop: AtomicBool,
}

impl Progress {
    pub(crate) fn step(&self) -> Step {
        self.step.lock().clone()
    }

    pub(crate) fn tell(&self, phase: &'static str, file: &str, done: u64, of: u64) {
        let mut step = self.step.lock();
        (step.phase, step.done, step.of) = (phase, done, of);
        if step.file != file {
            file.clone_into(&mut step.file);
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
