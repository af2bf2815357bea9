//! The gap map as one would show it to a board: how much of each area is in place for certain and at most, the control that holds it back, and
//! what to do next, in the right order.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_assess::{GapMap, Interval, Stage, State as Standing, Step, StepKind};
use countersign_govern::{Assessed, NotAssessed, Status};
use countersign_model::Timestamp;

use super::as_of::Slider;
use super::health::query_url;
use super::trend::Trend;
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::PageQuery;
use crate::guard::Caller;
use crate::page::{Shell, html};
use crate::words::{Sign, sign};

pub(super) const GAPS: &str = "/console/gaps";

/// How many steps are shown until somebody wants all.
const FIRST: usize = 10;

#[derive(Debug, Default, Clone, serde::Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    all: String,
    as_of: String,
    day: String,
}

#[derive(Template)]
#[template(path = "console/gaps.html")]
struct GapsPage {
    shell: Shell,
    status: Status,
    assessed: Arc<Assessed>,
    slider: Slider,
    as_of: Timestamp,
    /// On the day that was chosen.
    then: Option<GapMap>,
    steps: Vec<Step>,
    more: usize,
    trend: Trend,
}

pub(super) async fn gaps(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<Asked>,
) -> Result<Response, PageFault> {
    let status = site.estate().status();
    let assessed = status.assessed.clone().ok_or(Fault::from(NotAssessed::NotYet))?;
    let past = site.estate().past().await.map_err(Fault::from)?;
    let slider = Slider::new(&site, GAPS, Vec::new(), &asked.as_of, &asked.day).await?;
    let then = match slider.chosen {
        None => None,
        Some(day) => {
            let gaps = site.estate().ask(move |standing| standing.gaps_as_of(day)).await.map_err(Fault::from)?;
            Some(gaps.map_err(|error| Fault::Internal(error.to_string()))?)
        }
    };
    let shown = if asked.all.is_empty() { FIRST } else { usize::MAX };
    let steps: Vec<Step> = assessed.steps.iter().take(shown).cloned().collect();
    Ok(html(&GapsPage {
        shell: Shell::new(&caller, GAPS, site.now(), None),
        more: assessed.steps.len() - steps.len(),
        trend: Trend::of(&past, &assessed.inventory_sha256),
        as_of: slider.chosen.unwrap_or(assessed.as_of),
        status,
        assessed,
        slider,
        then,
        steps,
    }))
}

impl GapsPage {
    fn gaps(&self) -> &GapMap {
        self.then.as_ref().unwrap_or(&self.assessed.gaps)
    }
}

pub(crate) const fn state(state: &Standing) -> Sign {
    match state {
        Standing::InPlace => sign("good", "in place"),
        Standing::Partial => sign("warn", "partial"),
        Standing::NotInPlace => sign("bad", "not in place"),
        Standing::NotAssessed => sign("plain", "not assessed"),
    }
}

pub(crate) const fn stage(stage: &Stage) -> &'static str {
    stage.name()
}

/// From where to where the bar of an interval goes, of 100.
pub(crate) fn bar(score: &Interval) -> (f64, f64) {
    (score.at_least, (score.at_most - score.at_least).max(0.0))
}

/// Where the list of a step is: a query of the inventory is asked, a command is only shown.
pub(crate) fn list_url(step: &Step) -> Option<String> {
    (!step.query.starts_with("countersign ")).then(|| query_url(&step.query))
}

pub(crate) const fn kind(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Mend => "to mend",
        StepKind::Assess => "to find out about",
    }
}
