//! The API: everything that the console shows and does, as JSON under `/api/v1`. Reading is `read`, everything else
//! `administer`: policy decided it before a handler runs. Errors are `application/problem+json`.

pub(crate) mod account;
pub(crate) mod ask;
pub(crate) mod assessed;
pub(crate) mod control;
pub(crate) mod estate;
pub(crate) mod exceptions;
pub(crate) mod inventory;
pub(crate) mod map;
pub(crate) mod now;
pub(crate) mod proposals;
pub(crate) mod remediation;
pub(crate) mod replay;
pub(crate) mod reviews;

use axum::Router;
use axum::routing::{get, post, put};

use crate::error::Fault;
use crate::{Site, openapi};

pub(crate) fn router() -> Router<Site> {
    let v1 = Router::new()
        .route("/openapi.json", get(openapi::serve))
        .route("/status", get(now::status))
        .route("/decisions", get(now::decisions))
        .route("/decisions/{id}", get(now::decision))
        .route("/explain", post(now::explain))
        .route("/ask/who-can", get(ask::who_can))
        .route("/ask/what-can", get(ask::what_can))
        .route("/ask/why", get(ask::why))
        .route("/ask/did", get(ask::did))
        .route("/ask/matrix", get(ask::matrix))
        .route("/coverage", get(ask::coverage))
        .route("/stream", get(now::stream))
        .route("/sessions", get(account::sessions))
        .route("/sessions/{id}", get(account::session).delete(account::kill_session))
        .route("/leases", get(account::leases))
        .route("/keys", get(account::keys).post(account::create_key))
        .route("/keys/{id}", axum::routing::delete(account::revoke_key))
        .route("/invitations", get(account::invitations).post(account::invite))
        .route("/invitations/{id}", axum::routing::delete(account::withdraw_invitation))
        .route("/subjects", get(estate::subjects))
        .route("/subjects/{id}", get(estate::subject).put(estate::put_subject).delete(estate::remove_subject))
        .route("/subjects/{id}/state", put(estate::put_state))
        .route("/subjects/{id}/risk", put(estate::put_risk))
        .route("/groups", get(estate::groups))
        .route("/groups/{id}", get(estate::group).put(estate::put_group).delete(estate::remove_group))
        .route("/segments", get(estate::segments))
        .route("/segments/{id}", get(estate::segment).put(estate::put_segment))
        .route("/resources", get(estate::resources))
        .route("/resources/{id}", get(estate::resource).put(estate::put_resource).delete(estate::remove_resource))
        .route("/resources/{id}/decommission", get(reviews::decommission))
        .route("/devices", get(estate::devices))
        .route("/devices/{id}", get(estate::device).delete(estate::revoke_device))
        .route("/devices/{id}/managed", put(estate::put_managed))
        .route("/device-enrolments", post(estate::enrol_device))
        .route("/exceptions", get(exceptions::exceptions).post(exceptions::request))
        .route("/exceptions/undocumented", get(exceptions::undocumented))
        .route("/exceptions/{id}", get(exceptions::exception))
        .route("/exceptions/{id}/approve", post(exceptions::approve))
        .route("/exceptions/{id}/review", post(exceptions::review))
        .route("/exceptions/{id}/end", post(exceptions::end))
        .route("/exceptions/{id}/probe", post(exceptions::probe))
        .route("/reviews", get(reviews::reviews).post(reviews::open))
        .route("/reviews/{id}", get(reviews::review))
        .route("/reviews/{id}/lines", get(reviews::lines))
        .route("/reviews/{id}/decisions", post(reviews::decide))
        .route("/reviews/{id}/end", post(reviews::end))
        .route("/policies", get(control::policies).put(control::publish))
        .route("/policies/files", get(control::policy_files))
        .route("/policies/replay", post(replay::replay))
        .route("/policy-proposals", get(proposals::proposals).post(proposals::propose))
        .route("/policy-proposals/{id}", get(proposals::proposal).delete(proposals::reject))
        .route("/policy-proposals/{id}/approve", post(proposals::approve))
        .route("/apply", post(control::apply))
        .route("/backup", post(control::backup))
        .route("/estate", get(inventory::status))
        .route("/estate/imports", get(inventory::imports).post(inventory::import))
        .route("/estate/imports/under-way", axum::routing::delete(inventory::stop_import))
        .route("/estate/imports/{number}", get(inventory::one_import))
        .route("/estate/inventory", get(inventory::inventory))
        .route("/estate/proofs", get(inventory::proofs))
        .route("/estate/nodes", get(inventory::nodes))
        .route("/estate/node", get(inventory::node))
        .route("/estate/node/edges", get(inventory::node_edges))
        .route("/estate/links", get(inventory::links).post(inventory::decide_links))
        .route("/estate/classifications", post(inventory::classify))
        .route("/estate/assessment", post(assessed::assess).delete(assessed::stop_assessing))
        .route("/estate/health", get(assessed::health))
        .route("/estate/gaps", get(assessed::gaps))
        .route("/estate/steps", get(remediation::steps))
        .route("/estate/steps/{id}/assignment", put(remediation::assign).delete(remediation::release))
        .route(
            "/estate/attestations",
            get(remediation::attestations).post(remediation::attest).delete(remediation::take_back),
        )
        .route("/estate/own", get(remediation::own))
        .route("/estate/trend", get(remediation::over_time))
        .route("/estate/map", get(map::map))
        .route("/estate/map/edges", get(map::map_edges))
        .route("/graph/blast-radius", get(assessed::blast_radius))
        .route("/graph/paths", get(assessed::paths));
    Router::new().nest("/api/v1", v1)
}

/// How many items a page has, within what is allowed.
fn limit(asked: Option<u16>) -> Result<usize, Fault> {
    match asked.unwrap_or(50) {
        limit @ 1..=200 => Ok(usize::from(limit)),
        _ => Err(Fault::Malformed("limit is 1 to 200".to_owned())),
    }
}

/// Cuts what was found to a page. `found` is one item longer than `limit` where there is another page.
fn cut<T, W>(
    mut found: Vec<T>,
    limit: usize,
    id: impl Fn(&T) -> String,
    wire: impl Fn(&T) -> W,
) -> axum::Json<crate::wire::Page<W>> {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(id);
    axum::Json(crate::wire::Page { items: found.iter().map(wire).collect(), next })
}
