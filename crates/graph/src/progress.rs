//! Long computations say how far they are, and can be stopped there.

use std::ops::ControlFlow;

/// How far a computation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub done: usize,
    pub of: usize,
}

/// Told between two steps of some milliseconds; `Break` stops the computation.
pub type Watch<'w> = &'w mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Whoever watched stopped it; nothing was computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stopped before the end")]
pub struct Stopped;

pub(crate) fn tell(watch: Watch<'_>, done: usize, of: usize) -> Result<(), Stopped> {
    match watch(Progress { done, of }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Stopped),
    }
}

/// Watches nothing and never stops.
pub fn unwatched(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
