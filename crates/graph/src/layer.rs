//! The three layers of an edge: what the directory grants, what policy lets through, what was really used. They are columns of
//! the graph, not graphs of their own, so that they can be compared edge by edge.

use countersign_model::Timestamp;

/// Which of the three a question is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Layer {
    /// What is granted in the directory, whatever policy says.
    #[default]
    Granted,
    /// Of that, what policy does not refuse. What policy was not asked about is in it: unknown is not passed.
    Enforceable,
    /// What was used, granted or not.
    Exercised,
}

/// What policy says about an edge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Enforceable {
    /// Nobody asked, or it does not pass by a place where policy is enforced.
    #[default]
    Unknown,
    Allowed,
    Refused,
}

/// That an edge was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exercise {
    pub last: Timestamp,
    /// How often it was seen; at least 1.
    pub count: u32,
}
