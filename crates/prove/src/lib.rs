//! Proves guardrails: what has to hold for *all* possible requests, by Cedar's symbolic compiler and a solver that runs
//! as a process of its own (cvc5). Pure but for that process and the cache: no clock of the world, no store.
//!
//! The main path: [`prove`] (`run.rs`) asks, for each guardrail and each kind of request, the queries of `query.rs` under
//! what every real request has in common (`possible.rs`), in parts where the set is large (`parts.rs`); `solver.rs` has them answered, or finds the answer in `cache.rs`.
//! What does not hold comes back as a request in the product's words (`example.rs`, made small by `smaller.rs`) that the
//! policy engine itself has decided. What the solver cannot settle is unknown, and unknown is never proven.

mod cache;
mod example;
mod parts;
mod possible;
mod query;
mod run;
mod smaller;
mod solver;

pub use cache::Cache;
pub use example::{Example, Fault};
pub use run::{Options, Outcome, Progress, Report, Verdict, prove, record};
pub use solver::{Solver, SolverError};

#[cfg(test)]
mod tests;
