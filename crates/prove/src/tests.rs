//! Proofs with the real solver, against the starter policies, against small sets, and against every request of a small
//! world decided by the engine; and what happens when the solver is absent, slow, undecided or lies.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod brute_force;
mod cached;
mod fixtures;
mod proofs;
mod solvers;
