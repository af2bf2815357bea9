//! How many exceptions there are, for how many policies that can be relaxed: the exception rate. Counted from the same
//! reading as everything else about exceptions.

use std::time::Duration;

use countersign_model::{ExceptionStanding, Tier, Timestamp};

use crate::Administrator;

/// Weeks of history, with the present one.
const WEEKS: u32 = 13;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Debug, Clone, PartialEq)]
pub struct ExceptionFigures {
    pub as_of: Timestamp,
    pub requested: usize,
    pub in_force: usize,
    /// Policies that are enforced and can be relaxed.
    pub relaxable: usize,
    /// In force for each policy that can be relaxed; absent where none can.
    pub rate: Option<f64>,
    /// One for each tier, the least sensitive first.
    pub by_tier: Vec<TierFigures>,
    /// How many were in force, a week apart, oldest first; the last is now.
    pub trend: Vec<(Timestamp, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TierFigures {
    pub tier: Tier,
    /// Exceptions in force about a resource of this tier.
    pub in_force: usize,
    /// Resources of this tier that one of them is about.
    pub resources: usize,
    /// Of how many.
    pub of: usize,
    /// In force for each policy that can be relaxed.
    pub rate: Option<f64>,
}

impl Administrator {
    pub fn exception_figures(&self) -> ExceptionFigures {
        let (view, now) = (self.0.world.view(), self.now());
        let relaxable = self.policies().relaxable().count();
        let rate = |count: usize| (relaxable > 0).then(|| count as f64 / relaxable as f64);
        let count = |wanted| view.exceptions().filter(|it| view.standing(it, now) == wanted).count();
        let in_force: Vec<_> =
            view.exceptions().filter(|it| view.standing(it, now) == ExceptionStanding::InForce).collect();
        let by_tier = Tier::ALL.into_iter().map(|tier| {
            let of: Vec<_> = view.resources().map(|record| &record.resource).filter(|it| it.tier == tier).collect();
            let about = |exception: &countersign_model::Exception, resource: &countersign_model::Resource| {
                exception.scope.covers_resource(&resource.id, resource.segment.as_ref())
            };
            let touching = in_force.iter().filter(|it| of.iter().any(|resource| about(it, resource))).count();
            TierFigures {
                tier,
                in_force: touching,
                resources: of.iter().filter(|resource| in_force.iter().any(|it| about(it, resource))).count(),
                of: of.len(),
                rate: rate(touching),
            }
        });
        let weeks_ago = |weeks: u32| {
            let then = now.minus(WEEK * weeks);
            (then, view.exceptions().filter(|it| it.was_in_force(then)).count())
        };
        let past = (1..WEEKS).rev().map(weeks_ago);
        ExceptionFigures {
            as_of: now,
            requested: count(ExceptionStanding::Requested),
            in_force: in_force.len(),
            relaxable,
            rate: rate(in_force.len()),
            by_tier: by_tier.collect(),
            trend: past.chain([(now, in_force.len())]).collect(),
        }
    }

    /// For whoever scrapes; whoever asks is told [what is now](Self::exception_figures).
    pub(crate) fn gauge_exceptions(&self) {
        let figures = self.exception_figures();
        metrics::gauge!("countersign_exceptions_in_force").set(figures.in_force as f64);
        metrics::gauge!("countersign_exceptions_requested").set(figures.requested as f64);
        metrics::gauge!("countersign_policies_relaxable").set(figures.relaxable as f64);
        for tier in figures.by_tier {
            let gauge = metrics::gauge!("countersign_exceptions_in_force_by_tier", "tier" => tier.tier.name());
            gauge.set(tier.in_force as f64);
        }
    }
}
