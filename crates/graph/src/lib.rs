//! The estate as a graph: who gets how far from any one compromise, what is exposed to whom, by which ways, and what would
//! have to go. Pure: it is given nodes and edges and answers; it reads no file, no store and no clock, and it does not know
//! where a node came from beyond an index into its owner's table of evidence.
//!
//! An edge says what it means for an attacker ([`EdgeKind`]); a [`Builder`] takes nodes and edges as they are found, in any
//! order, and gives a [`Graph`] of columns.

mod builder;
mod choke;
mod compare;
mod components;
mod cut;
mod dominators;
mod graph;
mod kind;
mod layer;
mod path;
mod progress;
mod reach;
mod removal;
mod routes;
mod towards;
mod what_if;

pub use builder::{BuildError, Builder};
pub use choke::{ChokeNode, ChokePoints, ChokeStep, Gain};
pub use compare::Comparison;
pub use components::Together;
pub use graph::{Edge, EdgeId, Evidence, Graph, Node, NodeId};
pub use kind::{Direction, EdgeKind, Effect, Meaning, NodeKind, Technique};
pub use layer::{Enforceable, Exercise, Layer};
pub use path::{Path, PathCount, Paths, Shortest, Step, Traffic};
pub use progress::{Progress, Stopped, Watch, unwatched};
pub use reach::{Class, Counts, Memory, Reach};
pub use removal::{Plan, Removal};
pub use routes::{Change, Routes, Traversal};
pub use towards::Towards;
pub use what_if::{Changed, Difference};

#[cfg(test)]
mod tests;
