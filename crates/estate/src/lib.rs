//! The estate: what an organisation really has, read from the exports of its directories into one inventory and one
//! typed graph, with source, first and last seen, and evidence for every node and edge.
//!
//! Reading foreign files is what this crate is for. Every file is hostile: it is read within limits, whole or not at all, and
//! nothing is opened, written or sent. There is no clock and no network here, nothing is judged, and nothing is guessed in
//! silence: what was not taken is counted with its reason, and identities that may be the same are proposed, not merged.

mod archive;
mod batch;
mod csv;
mod detect;
mod fault;
mod inventory;
mod json;
mod limits;
mod link;
mod observation;
mod project;
mod read;
mod sid;
mod sources;
mod text;

pub use batch::{Batch, FileRead, Part, Skipped, System};
pub use detect::Format;
pub use fault::{Cause, Fault};
pub use inventory::{
    Change, Changes, Classification, Counts, Edge, EdgeSighting, Evidence, Import, Inventory, Node, NodeSighting,
    Report, SavedError, Span, UnknownNode, Verdict,
};
pub use limits::{Limits, Progress, Watch};
pub use link::{Basis, Link, Proposal, Reason};
pub use observation::{Attributes, EdgeSeen, Factor, Kind, Moment, NodeSeen, Place, Relation, SignIn, SignInKind};
pub use project::{Because, Projection};
pub use read::{Input, is_known, read};
pub use sources::countersign::{OwnInventory, OwnKey, OwnSession};

#[cfg(test)]
mod tests;
