//! Recorded decisions, decided again under a proposed policy set: who would lose what, who would gain what. It sees what
//! the ledger holds and nothing else: no live world, no store, no clock, so that a replay next year says the same.
//!
//! Each entry of a decision holds the question with its circumstances and names, by content, what the policies were shown
//! of subject and resource ([`countersign_model::Shown`]); that stands in an entry before it. [`replay`] reads the span
//! on several threads, decides each decision by the compiled plan alone, and looks closer at those that come out
//! otherwise. [`suggest`](suggest()) goes by the same records to the narrowest policies that would have allowed what was used.
//! Neither checks hashes: [`countersign_ledger::verify`] does.

mod read;
mod replay;
mod report;
mod suggest;

pub use read::reads;
pub use replay::{Progress, ReplayError, Span, replay};
pub use report::{Changes, Covered, How, Part, Report, Tally, Unchanged};
pub use suggest::{
    AtResource, Check, Circumstance, Counted, Cover, Outcomes, Rare, Refusal, Right, Share, Step, SuggestError,
    Suggestion, Terms, UnusedGroup, Used, Window, Written, suggest,
};

#[cfg(test)]
mod tests;
