//! The estate as a graph: who gets how far from any one compromise, what is exposed to whom, by which ways, and what would
//! have to go. Pure: it is given nodes and edges and answers; it reads no file, no store and no clock, and it does not know
//! where a node came from beyond an index into its owner's table of evidence.
//!
//! An edge says what it means for an attacker ([`EdgeKind`]); a [`Builder`] takes nodes and edges as they are found, in any
//! order, and gives a [`Graph`] of columns.

mod builder;
mod graph;
mod kind;
mod layer;

pub use builder::{BuildError, Builder};
pub use graph::{Edge, EdgeId, Evidence, Graph, Node, NodeId};
pub use kind::{Direction, EdgeKind, Effect, Meaning, NodeKind, Technique};
pub use layer::{Enforceable, Exercise, Layer};

#[cfg(test)]
mod tests;
