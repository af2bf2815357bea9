//! The policy engine: a set of policies, a slice of the world and a question, and out comes a decision with its
//! reasons. Pure: no clock, no store, no network; the only place that knows Cedar.
//!
//! The main path of one decision: [`PolicySet::decide`] (`decide.rs`) runs the plan for this kind of subject and this
//! action (`plan.rs`), whose conditions were compiled (`compile.rs`) from the validated policies (`load.rs`) and are
//! evaluated on interned records (`facts.rs`, `evaluate.rs`); what the plan does not cover is left to Cedar's own
//! evaluator (`cedar.rs`). After a deny, `remedy.rs` looks for what would change it. [`PolicySet::judge`] (`observe.rs`) is the
//! same with observe mode, and what counts live.
//!
//! For whoever writes policies: tests (`trial.rs`), what they cover (`coverage.rs`), the access matrix (`matrix.rs`), lint
//! (`lint.rs`), one form for all files (`format.rs`), policies that a
//! programme writes (`draft.rs`), and guardrails as they are written (`guardrail.rs`; they are proven
//! elsewhere).

mod analysis;
mod annotations;
pub mod ask;
mod cedar;
mod compile;
mod conditions;
pub mod corpus;
mod coverage;
mod decide;
mod diagnostics;
mod difference;
mod draft;
mod evaluate;
mod facts;
mod format;
mod guardrail;
mod lint;
mod load;
mod matrix;
mod observe;
mod plan;
mod records;
mod reduce;
mod relax;
mod remedy;
mod room;
mod set;
mod symbols;
mod trial;
mod value;

pub use coverage::{Coverage, Covered};
pub use diagnostics::{Diagnostic, Diagnostics, Severity, SourceFile};
pub use difference::Difference;
pub use draft::{Demand, Draft, Way};
pub use format::format;
pub use guardrail::{Claim, GUARDRAILS, Guardrail, NEVER_ERRORS};
pub use lint::{Finding, KnownNames, RULES, lint};
pub use matrix::{Change, Matrix, NoMatrix};
pub use observe::Judged;
pub use records::{Record, Slice};
pub use set::{Mode, PolicyInfo, PolicySet, TimeDependence};
pub use symbols::Symbols;
pub use trial::{Considered, Effect, Expectation, NEEDS, Trial, need_name, remedy};

/// What policies may speak about, in Cedar's schema language.
pub const SCHEMA: &str = include_str!("../schema.cedarschema");

/// The group that every human is in, without being listed.
pub const EVERYONE: &str = "everyone";

#[cfg(test)]
mod tests;
