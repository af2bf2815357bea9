//! Long work on this machine: on a terminal it says how far it is, on one line of standard error that goes away again, and Ctrl-C
//! ends it before anything is written.

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::terminal::Terminal;

/// Ctrl-C was pressed.
#[derive(Debug, thiserror::Error)]
#[error("stopped; nothing was written here")]
pub(super) struct Interrupted;

/// Work that is under way.
#[derive(Debug, Clone)]
pub(super) struct Work {
    shown: bool,
    stop: Arc<AtomicBool>,
}

impl Work {
    /// From here on Ctrl-C is for the work. What reads the answer as JSON is not told how far it is.
    pub(super) fn begin(terminal: &Terminal) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&stop);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                heard.store(true, Ordering::Relaxed);
            }
        });
        Self { shown: !terminal.json && std::io::stderr().is_terminal(), stop }
    }

    /// Does it, beside whatever else this process waits for.
    ///
    /// # Errors
    /// What it fails with; [`Interrupted`], whatever it came to, once Ctrl-C was pressed.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let done = tokio::task::block_in_place(work);
        self.erase();
        if self.stop.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { done }
    }

    /// Waits for a server.
    ///
    /// # Errors
    /// What it fails with, or [`Interrupted`].
    pub(super) async fn wait<T>(&self, answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            answer = answer => answer,
            _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        }
    }

    /// Watches files being read.
    pub(super) fn reading(&self) -> impl FnMut(countersign_estate::Progress<'_>) -> ControlFlow<()> {
        let work = self.clone();
        move |progress| {
            work.say(format_args!("reading {}: {} records", crate::terminal::plain(progress.file), progress.records));
            work.going()
        }
    }

    /// Watches a directory being asked.
    pub(super) fn asking(&self) -> impl FnMut(countersign_directory::Progress<'_>) -> ControlFlow<()> {
        let work = self.clone();
        move |progress| {
            work.say(format_args!(
                "asking for {}: {} entries",
                crate::terminal::plain(progress.what),
                progress.entries
            ));
            work.going()
        }
    }

    /// Watches the graph being computed on.
    pub(super) fn computing(&self, what: &'static str) -> impl FnMut(countersign_graph::Progress) -> ControlFlow<()> {
        let work = self.clone();
        move |progress| {
            work.say(format_args!("{what}: {} of {}", progress.done, progress.of));
            work.going()
        }
    }

    /// What is done now, where nothing counts how far it is.
    pub(super) fn doing(&self, what: &str) {
        self.say(format_args!("{what} …"));
    }

    fn going(&self) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        if self.shown {
            let mut error = std::io::stderr().lock();
            let _ = write!(error, "\r{what}\x1b[K");
            let _ = error.flush();
        }
    }

    fn erase(&self) {
        if self.shown {
            let mut error = std::io::stderr().lock();
            let _ = write!(error, "\r\x1b[K");
            let _ = error.flush();
        }
    }
}
