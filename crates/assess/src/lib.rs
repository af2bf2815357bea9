//! The judging half of governing: what is wrong with what an organisation has, by name and with evidence, how far an attacker gets in
//! it ([`RadiusSummary`]), how much of Zero Trust is in place ([`GapMap`]) and what to do next ([`Step`]); all of it in one value,
//! the [`Assessment`]. Its questions are written as a [`Filter`], which anybody can ask with.
//!
//! Pure: there is no store, no clock and no file here. Whatever depends on a date takes the date. What no source says is
//! unknown, with the reason; unknown is never passed.

mod assessment;
mod crosswalk;
mod field;
mod filter;
mod gaps;
mod health;
mod interval;
mod metrics;
mod own;
mod radius;
mod snapshot;
mod steps;
mod truth;
mod view;
mod when;

pub use assessment::{Assessment, AssessmentFault, Counted};
pub use crosswalk::{Framework, Row};
pub use field::{FieldKind, FieldName, fields};
pub use filter::{Filter, FilterError};
pub use gaps::{Area, Control, Defined, DefinedIndicator, GapMap, Measured, Sequence, State, definitions};
pub use health::{
    Allowed, Checked, Finding, Health, HealthCheck, Imported, Indicator, IndicatorFault, NotAssessed, Outcome,
    Parameters, Severity, Share, indicators,
};
pub use interval::{Interval, Stage};
pub use metrics::{Definition, Figure, Metric, metric_definitions, prometheus};
pub use own::{Assigned, Attestation, ExceptionCount, LONGEST_ATTESTATION, Own, PrivilegeTime, Tally, Told};
pub use radius::{
    ChangedRadius, Choke, Cited, Exercised, Exposed, Figures, Layers, Named, NamedEdge, NamedNode, NamedPath,
    NamedStep, NoEdge, NoNode, OneRadius, RadiusSummary, RemovalStep, Spread, Ways, WhatIf, Worst,
};
pub use snapshot::{AreaThen, IndicatorThen, Moved, Since, Snapshot, SnapshotFault, Trend, trend};
pub use steps::{BeforeAfter, Effort, Step, StepKind, csv, markdown};
pub use truth::Truth;
pub use view::{Evidence, View};

#[cfg(test)]
mod tests;
