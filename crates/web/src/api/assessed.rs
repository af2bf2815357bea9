//! What the assessment of the estate says: the health check, how far a compromise gets, by which ways. The answers have the form that
//! the command line prints; they are as of the assessment's date, which they carry.

use axum::extract::State;
use countersign_assess::Checked;
use countersign_govern::{NotAssessed, Standing};
use countersign_graph::NodeId;
use http::StatusCode;
use serde_json::{Value, json};

use crate::Site;
use crate::error::{Fault, Problem};
use crate::extract::Query;
use crate::guard::Caller;
use crate::wire::{HealthQuery, PathsQuery, RadiusQuery};

/// How many findings of each indicator stand in the list of all.
const LISTED: usize = 10;

pub(super) fn json_of(value: impl serde::Serialize) -> Result<axum::Json<Value>, Fault> {
    let value = serde_json::to_value(value);
    value.map(axum::Json).map_err(|error| Fault::Internal(format!("an answer has no JSON: {error}")))
}

/// The identity health check: each indicator with what was found, what passed, what could not be told and why, the worst first.
/// `findings` has the first ten of each; one indicator alone has all.
#[utoipa::path(get, path = "/api/v1/estate/health", tag = "estate", params(HealthQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn health(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<HealthQuery>,
) -> Result<axum::Json<Value>, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let mut health = match query.as_of {
        None => assessed.health.clone(),
        Some(as_of) => {
            let asked = site.estate().ask(move |standing| standing.health_as_of(as_of)).await?;
            std::sync::Arc::unwrap_or_clone(asked.map_err(|error| Fault::Internal(error.to_string()))?)
        }
    };
    match &query.indicator {
        Some(id) => {
            health.indicators.retain(|checked: &Checked| checked.id == id);
            if health.indicators.is_empty() {
                return Err(Fault::Unknown(format!("there is no indicator {id:?}")));
            }
        }
        None => health.indicators.iter_mut().for_each(|checked| checked.findings.truncate(LISTED)),
    }
    json_of(health)
}

/// How much of Zero Trust is in place, what to do next, the metrics and the crosswalk to other frameworks.
#[utoipa::path(get, path = "/api/v1/estate/gaps", tag = "estate",
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn gaps(State(site): State<Site>, _: Caller) -> Result<axum::Json<Value>, Fault> {
    let (assessed, steps) = site.estate().steps()?;
    json_of(json!({
        "as-of": assessed.as_of,
        "inventory-sha256": assessed.inventory_sha256,
        "own-sha256": assessed.own_sha256,
        "gaps": assessed.gaps,
        "steps": steps,
        "metrics": assessed.metrics,
        "crosswalk": assessed.crosswalk,
    }))
}

/// Assesses the estate again, as it is now.
#[utoipa::path(post, path = "/api/v1/estate/assessment", tag = "estate", responses((status = 202),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn assess(State(site): State<Site>, _: Caller) -> StatusCode {
    site.estate().assess();
    StatusCode::ACCEPTED
}

/// Stops the assessment under way; the one before it goes on answering.
#[utoipa::path(delete, path = "/api/v1/estate/assessment", tag = "estate", responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stop_assessing(State(site): State<Site>, _: Caller) -> Result<StatusCode, Fault> {
    if site.estate().stop_assessing() { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::Absent) }
}

pub(crate) fn find(standing: &Standing<'_>, text: &str) -> Result<NodeId, Fault> {
    standing.find(text).map_err(|error| Fault::Unknown(error.to_string()))
}

/// How far a compromise gets: of one node, or the summary of all, with the standing access that nobody used.
#[utoipa::path(get, path = "/api/v1/graph/blast-radius", tag = "estate", params(RadiusQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn blast_radius(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<RadiusQuery>,
) -> Result<axum::Json<Value>, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let Some(of) = query.of else {
        return json_of(
            json!({ "as-of": assessed.as_of, "radius": assessed.radius, "never-exercised": assessed.never_exercised }),
        );
    };
    let radius = site.estate().ask(move |standing| {
        let id = find(standing, &of)?;
        standing.named.radius(&standing.routes, id).ok_or(Fault::Absent)
    });
    json_of(json!({ "as-of": assessed.as_of, "radius": radius.await?? }))
}

/// The shortest ways from one node to another, or to tier zero: each step with technique and evidence. `ways` is null where no way
/// leads there.
#[utoipa::path(get, path = "/api/v1/graph/paths", tag = "estate", params(PathsQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn paths(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PathsQuery>,
) -> Result<axum::Json<Value>, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let most = match query.limit.unwrap_or(10) {
        most @ 1..=100 => usize::from(most),
        _ => return Err(Fault::Malformed("limit is 1 to 100".to_owned())),
    };
    let ways = site.estate().ask(move |standing| {
        let from = find(standing, &query.from)?;
        let to = match query.to.as_deref() {
            Some(to) => vec![find(standing, to)?],
            None => standing.named.tier_zero(),
        };
        Ok::<_, Fault>(standing.named.ways(&standing.routes, &[from], &to, query.by_effort, most))
    });
    json_of(json!({ "as-of": assessed.as_of, "ways": ways.await?? }))
}
