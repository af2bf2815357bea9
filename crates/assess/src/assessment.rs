//! Everything that is known of an estate on one date, in one value: what a report shows, what a snapshot remembers, what a command prints.
//! Computed from an inventory, its graph and what a running server tells; the same evidence gives the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use countersign_estate::{Inventory, Kind, Projection, SavedError};
use countersign_graph::{Stopped, Watch, unwatched};
use countersign_model::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::crosswalk::{Framework, crosswalk};
use crate::gaps::{Evidence, GapMap, Gauged, more};
use crate::health::{Checked, Health, HealthCheck, Imported, IndicatorFault, Parameters};
use crate::metrics::{Metric, Sources, metrics};
use crate::own::Own;
use crate::radius::{Named, RadiusSummary};
use crate::steps::{Cures, Step, steps};
use crate::view::View;

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Assessment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    pub as_of: Timestamp,
    pub sources: Vec<Imported>,
    /// What is there, by kind.
    pub population: Vec<Counted>,
    pub health: Health,
    pub radius: RadiusSummary,
    pub gaps: GapMap,
    pub metrics: Vec<Metric>,
    pub crosswalk: Vec<Framework>,
    /// In the order in which they should be done.
    pub steps: Vec<Step>,
    /// Of the inventory in its saved form.
    pub inventory_sha256: String,
    /// Of what the running server told.
    pub own_sha256: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Counted {
    pub kind: Kind,
    pub count: u64,
}

/// Why there is no assessment.
#[derive(Debug, thiserror::Error)]
pub enum AssessmentFault {
    #[error(transparent)]
    Indicator(#[from] IndicatorFault),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("the inventory could not be hashed: {0}")]
    Saved(#[from] SavedError),
    #[error("what the server tells could not be hashed: {0}")]
    Own(#[from] serde_json::Error),
}

impl Assessment {
    /// `projection` is that of the same inventory.
    ///
    /// # Errors
    /// When a query of an indicator is none, or the inventory cannot be written.
    pub fn of(
        inventory: &Inventory,
        projection: &Projection,
        own: &Own,
        parameters: &Parameters,
        as_of: Timestamp,
    ) -> Result<Self, AssessmentFault> {
        Self::watched(inventory, projection, own, parameters, as_of, &mut unwatched)
    }

    /// The same, for whoever waits: `watch` is told how far the graph is, and may stop it.
    ///
    /// # Errors
    /// Those of [`Assessment::of`], and when `watch` stops it.
    pub fn watched(
        inventory: &Inventory,
        projection: &Projection,
        own: &Own,
        parameters: &Parameters,
        as_of: Timestamp,
        watch: Watch<'_>,
    ) -> Result<Self, AssessmentFault> {
        let view = View::new(inventory, projection, parameters, as_of);
        let health = HealthCheck::new(*parameters)?.check(&view);
        let more = HealthCheck::over(*parameters, more())?.asked(&view, false);
        let checked: Vec<&Checked> = health.indicators.iter().chain(&more).collect();

        let named = Named::new(inventory, projection);
        let radius = RadiusSummary::of(&named, watch)?;
        let gauged = gauged(&view, &checked, &health.sources, own, parameters, as_of);
        let gaps = gauged.map();
        let mut cures = Cures::new(&view, named, &checked, &radius);
        let mut steps = steps(&gauged, &mut cures, own, as_of);
        cures.spread(&mut steps, watch)?;
        let metrics = metrics(&Sources { radius: &radius, gaps: &gaps, checked: &checked, own, as_of });
        Ok(Self {
            organisation: None,
            as_of,
            sources: health.sources.clone(),
            population: population(&view),
            crosswalk: crosswalk(&gaps),
            inventory_sha256: inventory_sha256(inventory)?,
            own_sha256: own_sha256(own)?,
            health,
            radius,
            gaps,
            metrics,
            steps,
        })
    }

    #[must_use]
    pub fn named(self, organisation: Option<String>) -> Self {
        Self { organisation, ..self }
    }
}

impl GapMap {
    /// The gap map alone, on any date. `projection` is that of the same inventory.
    ///
    /// # Errors
    /// When a query of an indicator is none.
    pub fn as_of(
        inventory: &Inventory,
        projection: &Projection,
        own: &Own,
        parameters: &Parameters,
        as_of: Timestamp,
    ) -> Result<Self, IndicatorFault> {
        let view = View::new(inventory, projection, parameters, as_of);
        let health = HealthCheck::new(*parameters)?.check(&view);
        let more = HealthCheck::over(*parameters, more())?.asked(&view, false);
        let checked: Vec<&Checked> = health.indicators.iter().chain(&more).collect();
        Ok(gauged(&view, &checked, &health.sources, own, parameters, as_of).map())
    }
}

fn gauged(
    view: &View<'_>,
    checked: &[&Checked],
    sources: &[Imported],
    own: &Own,
    parameters: &Parameters,
    as_of: Timestamp,
) -> Gauged {
    let accounts = view.present().any(|entry| entry.is_account());
    GapMap::of(&Evidence { checked, own, sources, as_of, source_days: parameters.source_days, accounts })
}

fn population(view: &View<'_>) -> Vec<Counted> {
    let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
    for entry in view.present() {
        *counts.entry(entry.kind).or_default() += 1;
    }
    counts.into_iter().map(|(kind, count)| Counted { kind, count }).collect()
}

/// Of the saved form, which is the same for the same estate.
pub(crate) fn inventory_sha256(inventory: &Inventory) -> Result<String, SavedError> {
    let mut hashing = Hashing(Sha256::new());
    inventory.save(&mut hashing)?;
    Ok(hex::encode(hashing.0.finalize()))
}

pub(crate) fn own_sha256(own: &Own) -> Result<String, serde_json::Error> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(own)?)))
}

struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
