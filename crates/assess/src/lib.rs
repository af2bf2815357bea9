//! The governing half: what is wrong with what an organisation has, by name and with evidence. So far the identity health
//! check: [`HealthCheck`] over an inventory, and the [`Filter`] that its indicators are written in and that anybody can ask with.
//!
//! Pure: there is no store, no clock and no file here. Whatever depends on a date takes the date. What no source says is
//! unknown, with the reason; unknown is never passed.

mod field;
mod filter;
mod health;
mod radius;
mod truth;
mod view;
mod when;

pub use field::{FieldKind, FieldName, fields};
pub use filter::{Filter, FilterError};
pub use health::{
    Allowed, Checked, Finding, Health, HealthCheck, Imported, Indicator, IndicatorFault, NotAssessed, Outcome,
    Parameters, Severity, Share, indicators,
};
pub use radius::{
    ChangedRadius, Choke, Cited, Exercised, Exposed, Figures, Layers, Named, NamedEdge, NamedNode, NamedPath,
    NamedStep, NoEdge, NoNode, OneRadius, RadiusSummary, RemovalStep, Spread, Ways, WhatIf, Worst,
};
pub use truth::Truth;
pub use view::{Evidence, View};

#[cfg(test)]
mod tests;
