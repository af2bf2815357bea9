//! The map of trust boundaries as JSON: what the console draws.

use axum::extract::State;
use countersign_govern::NotAssessed;
use serde_json::{Value, json};

use super::assessed::json_of;
use crate::Site;
use crate::console::map::wish;
use crate::error::{Fault, Problem};
use crate::extract::Query;
use crate::guard::Caller;
use crate::wire::{MapEdgesQuery, MapQuery};

/// The map of trust boundaries and the ways over them: boxes with counts, the edges between two boxes summed, one box opened. However large
/// the estate is, the answer is bounded, and what is left out is counted. `observed` is what the newest entries of the ledger show.
#[utoipa::path(get, path = "/api/v1/estate/map", tag = "estate", params(MapQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn map(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<MapQuery>,
) -> Result<axum::Json<Value>, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let wish = wish(query.by.as_deref().unwrap_or_default(), query.open, query.within, query.skip)?;
    let observed = site.estate().flows().await?;
    let (implicit, all) = observed.implicit();
    let (entries, since, flows) = (observed.entries, observed.since, observed.flows);
    let map = site.estate().ask(move |standing| standing.map(&wish, &flows)).await??;
    json_of(json!({
        "as-of": assessed.as_of,
        "map": map,
        "observed": { "entries": entries, "since": since, "implicit": implicit, "implicit-total": all },
    }))
}

/// The edges from one thing on the map to another with their evidence, those on a way to tier zero first.
#[utoipa::path(get, path = "/api/v1/estate/map/edges", tag = "estate", params(MapEdgesQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn map_edges(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<MapEdgesQuery>,
) -> Result<axum::Json<Value>, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let limit = super::limit(query.limit)?;
    let wish = wish(query.by.as_deref().unwrap_or_default(), query.open, query.within, query.skip)?;
    let page = query.page.unwrap_or(0);
    let found = site.estate().ask(move |standing| standing.map_edges(&wish, &query.from, &query.to, page, limit));
    json_of(json!({ "as-of": assessed.as_of, "edges": found.await?? }))
}
