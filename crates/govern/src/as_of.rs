//! The same estate on another date: the health check, the gap map, and how much of the evidence is of after that date. Imports are not
//! undone: what is told later is read as if it had been so then, and that it was told later is said.

use std::sync::Arc;

use countersign_assess::{GapMap, Health, HealthCheck, IndicatorFault, Own, View};
use countersign_model::Timestamp;

use crate::standing::Standing;

/// From when the evidence is, seen from a date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvidenceSpan {
    /// The first import that anything here rests on; the date of the assessment where there is none.
    pub first: Timestamp,
    /// Parts of sources, and those of them that were collected after the date.
    pub parts: usize,
    pub later: usize,
    /// The newest of those.
    pub newest: Option<Timestamp>,
}

impl Standing<'_> {
    /// The health check on another date. The last one asked for is kept: pages of one date follow each other.
    ///
    /// # Errors
    /// When an indicator's query is none.
    pub fn health_as_of(&self, as_of: Timestamp) -> Result<Arc<Health>, IndicatorFault> {
        if let Some((at, health)) = &*self.other.borrow()
            && *at == as_of
        {
            return Ok(Arc::clone(health));
        }
        let view = View::new(self.inventory, self.projection, &self.parameters, as_of);
        let health = Arc::new(HealthCheck::new(self.parameters)?.check(&view));
        self.other.replace(Some((as_of, Arc::clone(&health))));
        Ok(health)
    }

    /// The gap map on another date. What a running server counted later than that is not known of it.
    ///
    /// # Errors
    /// When an indicator's query is none.
    pub fn gaps_as_of(&self, as_of: Timestamp) -> Result<GapMap, IndicatorFault> {
        let mut own: Own = self.own.clone();
        own.tallies.retain(|_, tally| tally.newest <= as_of);
        GapMap::as_of(self.inventory, self.projection, &own, &self.parameters, as_of)
    }

    pub fn evidence(&self, as_of: Timestamp) -> EvidenceSpan {
        let parts = self.inventory.parts();
        let imports = self.inventory.imports().iter().map(|import| import.at);
        let first = imports.chain(parts.iter().map(|(_, at)| *at)).min();
        let later = || parts.iter().map(|(_, at)| *at).filter(|at| *at > as_of);
        EvidenceSpan {
            first: first.unwrap_or(as_of),
            parts: parts.len(),
            later: later().count(),
            newest: later().max(),
        }
    }
}
