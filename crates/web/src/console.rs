//! The console: what is happening, the estate, and control over both, for administrators and auditors. Whoever reaches
//! a handler has been admitted by policy, for exactly this method and path; reading is `read`, every act `administer`.
//! Pages are rendered here from the model; the API says the same as JSON.

mod access;
mod as_of;
pub(crate) mod board;
mod control;
mod estate;
mod exceptions;
pub(crate) mod gap_control;
pub(crate) mod gaps;
pub(crate) mod health;
pub(crate) mod identity;
pub(crate) mod inventory;
pub(crate) mod map;
mod now;
mod policy_form;
mod policy_proposal;
mod resource_form;
mod reviews;
mod seen;
mod trend;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use countersign_model::{DeviceId, ExceptionId, PolicyId, ResourceId, SessionId, SubjectId, SubjectState};

pub(crate) use access::why_url;
pub(crate) use control::{invitation_link, make_known};
pub(crate) use now::role;

use crate::page::encode;
use crate::words::{self, Sign, sign};
use crate::{Site, ledger};

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/console", get(now::overview))
        .route("/console/decisions", get(now::decisions))
        .route("/console/decisions/stream", get(now::stream))
        .route("/console/decisions/{id}", get(now::decision))
        .route("/console/decisions/{id}/proof", get(now::proof))
        .route("/console/sessions", get(now::sessions))
        .route("/console/sessions/{id}", get(now::session))
        .route("/console/sessions/{id}/kill", post(now::kill))
        .route("/console/leases", get(now::leases))
        .route("/console/subjects", get(estate::subjects))
        .route("/console/subjects/{id}", get(estate::subject))
        .route("/console/subjects/{id}/enable", post(estate::enable))
        .route("/console/subjects/{id}/disable", post(estate::disable))
        .route("/console/groups", get(estate::groups))
        .route("/console/devices", get(estate::devices))
        .route("/console/devices/enrolment", post(estate::enrolment))
        .route("/console/devices/{id}", get(estate::device))
        .route("/console/devices/{id}/managed", post(estate::managed))
        .route("/console/devices/{id}/revoke", post(estate::revoke))
        .route("/console/resources", get(estate::resources))
        .route("/console/resources/{id}", get(estate::resource))
        .route("/console/resources/{id}/edit", get(resource_form::edit).post(resource_form::change))
        .route("/console/resources/{id}/remove", post(resource_form::remove))
        .route(resource_form::NEW, get(resource_form::new).post(resource_form::add))
        .route(access::MATRIX, get(access::matrix))
        .route("/console/access/who", get(access::who))
        .route("/console/access/why", get(access::why))
        .route(access::COVERAGE, get(access::coverage))
        .merge(policy_set())
        .route("/console/exceptions", get(exceptions::register))
        .route("/console/undocumented", get(exceptions::undocumented))
        .route("/console/exceptions/{id}", get(exceptions::show))
        .route("/console/exceptions/{id}/approve", post(exceptions::approve))
        .route("/console/exceptions/{id}/review", post(exceptions::review))
        .route("/console/exceptions/{id}/end", post(exceptions::end))
        .route("/console/exceptions/{id}/probe", post(exceptions::probe))
        .route(exceptions::NEW, get(exceptions::new).post(exceptions::request))
        .route(reviews::PLACE, get(reviews::reviews))
        .route("/console/reviews/{id}", get(reviews::show))
        .route("/console/reviews/{id}/end", post(reviews::end))
        .route(reviews::NEW, get(reviews::new).post(reviews::open))
        .merge(estate_routes())
        .route("/console/policy-proposals/{id}", get(policy_proposal::show))
        .route("/console/policy-proposals/{id}/approve", post(policy_proposal::approve))
        .route("/console/policy-proposals/{id}/reject", post(policy_proposal::reject))
        .route("/console/policies", get(control::policies))
        .route("/console/policies/{id}", get(control::policy))
        .route("/console/keys", get(control::keys).post(control::make_key))
        .route("/console/keys/{id}/revoke", post(control::revoke_key))
        .route("/console/invitations", get(control::invitations).post(control::invite))
        .route("/console/invitations/{id}/withdraw", post(control::withdraw))
        .route("/console/ledger", get(control::ledger))
        .route("/console/ledger/checkpoint", get(ledger::checkpoint))
}

/// What an organisation really has, and what is wrong with it.
fn estate_routes() -> Router<Site> {
    Router::new()
        .route(inventory::ESTATE, get(inventory::estate))
        .route(inventory::IMPORTS, get(inventory::imports).post(inventory::import))
        .route("/console/estate/imports/stop", post(inventory::stop_import))
        .route("/console/estate/imports/{number}", get(inventory::one_import))
        .route("/console/estate/assess", post(inventory::assess))
        .route(inventory::LINKS, get(inventory::links).post(inventory::decide_link))
        .route(identity::IDENTITY, get(identity::identity))
        .route("/console/estate/identity/edges", get(identity::edges))
        .route("/console/estate/classify", post(identity::classify))
        .route(gaps::GAPS, get(gaps::gaps))
        .route("/console/gaps/{id}", get(gap_control::control))
        .route("/console/gaps/{id}/attest", post(gap_control::attest))
        .route("/console/gaps/{id}/take-back", post(gap_control::take_back))
        .route(board::BOARD, get(board::board))
        .route("/console/board/assign", post(board::assign))
        .route("/console/board/release", post(board::release))
        .route(health::HEALTH, get(health::overview))
        .route("/console/health/indicators/{id}", get(health::indicator))
        .route(health::QUERY, get(health::ask))
        .route(identity::PATHS, get(identity::paths))
        .route(map::MAP, get(map::map))
        .route(map::EDGES, get(map::edges))
}

/// These take the text of the whole set.
fn policy_set() -> Router<Site> {
    Router::new()
        .route("/console/policy-set", get(policy_form::edit).post(policy_form::edit_again))
        .route("/console/policy-set/review", post(policy_form::review))
        .route("/console/policy-set/publish", post(policy_form::publish))
        .route("/console/policy-set/propose", post(policy_form::propose))
        .layer(DefaultBodyLimit::max(POLICY_BODY))
}

/// As much policy text as a person edits, encoded as a form.
const POLICY_BODY: usize = 2 * 1024 * 1024;

pub(crate) fn subject_url(id: &SubjectId) -> String {
    format!("/console/subjects/{}", encode(&id.to_string()))
}

pub(crate) fn resource_url(id: &ResourceId) -> String {
    format!("/console/resources/{}", encode(id.as_str()))
}

pub(crate) fn remove_url(id: &ResourceId) -> String {
    format!("{}/remove", resource_url(id))
}

pub(crate) fn device_url(id: &DeviceId) -> String {
    format!("/console/devices/{}", encode(id.as_str()))
}

pub(crate) fn policy_url(id: &PolicyId) -> String {
    format!("/console/policies/{}", encode(id.as_str()))
}

pub(crate) fn exception_url(id: &ExceptionId) -> String {
    format!("/console/exceptions/{}", encode(id.as_str()))
}

pub(crate) fn kill_url(id: &SessionId) -> String {
    format!("/console/sessions/{id}/kill")
}

pub(crate) fn withdraw_url(id: &str) -> String {
    format!("/console/invitations/{}/withdraw", encode(id))
}

pub(crate) const fn state_sign(state: &SubjectState) -> Sign {
    match state {
        SubjectState::Active => sign("good", "active"),
        SubjectState::Disabled => sign("bad", "disabled"),
    }
}

pub(crate) fn age(seconds: &u64) -> String {
    words::span(std::time::Duration::from_secs(*seconds))
}

pub(crate) const fn weekday(day: &u8) -> &'static str {
    match day {
        1 => "Monday",
        2 => "Tuesday",
        3 => "Wednesday",
        4 => "Thursday",
        5 => "Friday",
        6 => "Saturday",
        7 => "Sunday",
        _ => "an unknown day",
    }
}

/// How many rows a page has.
const ROWS: usize = 50;
