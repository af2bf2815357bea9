//! The governing half of a running system: keeps the estate, imports into it, has it assessed off the path of requests, and answers from
//! the newest assessment with its date. What is judged is judged in `countersign_assess`, which is pure; here is what it
//! rests on and what becomes of it. Whoever calls has been admitted; every act here is recorded before it counts.

mod as_of;
mod assessing;
mod deciding;
mod estate;
mod files;
mod history;
mod importing;
mod map;
mod own;
mod progress;
mod proofs;
mod snapshots;
mod standing;
mod suggest;
mod told;
mod undertaken;

pub use as_of::EvidenceSpan;
pub use assessing::{Assessed, NotAssessed};
pub use deciding::{DecideError, Said, Word};
pub use estate::{Estate, NotReady, Status};
pub use files::KeptError;
pub use history::{Changed, How, Imported, Tally};
pub use importing::{Ended, ImportError, Pending, Turn, UPLOAD_BYTES, Upload, Wanted};
pub use map::{
    By, EstateMap, Flow, Flows, ImplicitTrust, MapEdge, MapEdges, MapFlow, MapItem, MapLine, MapWhat, MapWish,
    NotOnMap, Opened,
};
pub use progress::Step;
pub use proofs::{ProofsError, SourceProof, SourceProofError};
pub use snapshots::{Because, Closed, Past};
pub use standing::{
    EdgeLine, EdgeSeen, Facts, FoundHere, Lines, LinkedNode, NodePage, NodeRow, Nodes, QueryAnswer, SeenAt, Sort,
    Standing, Wish, word,
};
pub use suggest::Suggestion;
pub use told::NeverExercised;

#[cfg(test)]
mod tests;
