//! The API's description, generated from the handlers and the wire types. `docs/openapi.json` is this document; a test
//! holds the two together.

use axum::response::{IntoResponse, Response};
use http::header;
use utoipa::OpenApi;

use crate::api::{
    account, ask, assessed, control, estate, exceptions, inventory, map, now, proposals, remediation, replay, reviews,
};
use crate::guard::Caller;
use crate::{authzen, device};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "One Zero Trust system: every request decided, recorded and leased. Authenticate with \
                       `Authorization: Bearer` and an API key, or from the console's own pages with the session cookie.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        now::status, now::decisions, now::decision, now::explain, now::stream,
        ask::who_can, ask::what_can, ask::why, ask::did, ask::matrix, ask::coverage,
        account::sessions, account::session, account::kill_session, account::leases,
        account::keys, account::create_key, account::revoke_key,
        account::invitations, account::invite, account::withdraw_invitation,
        estate::subjects, estate::subject, estate::put_subject, estate::remove_subject, estate::put_state,
        estate::put_risk, estate::groups, estate::group, estate::put_group, estate::remove_group,
        estate::segments, estate::segment, estate::put_segment,
        estate::resources, estate::resource, estate::put_resource, estate::remove_resource,
        estate::devices, estate::device, estate::revoke_device, estate::put_managed, estate::enrol_device,
        exceptions::exceptions, exceptions::undocumented, exceptions::exception, exceptions::request,
        exceptions::approve, exceptions::review, exceptions::end, exceptions::probe,
        reviews::reviews, reviews::open, reviews::review, reviews::lines, reviews::decide, reviews::end,
        reviews::decommission,
        control::policies, control::policy_files, control::publish, replay::replay,
        proposals::proposals, proposals::propose, proposals::proposal, proposals::approve, proposals::reject, control::apply, control::backup,
        inventory::status, inventory::import, inventory::stop_import, inventory::imports, inventory::one_import,
        inventory::inventory, inventory::proofs, inventory::nodes, inventory::node, inventory::node_edges, inventory::links,
        inventory::decide_links, inventory::classify, assessed::assess, assessed::stop_assessing, assessed::health,
        assessed::gaps, assessed::blast_radius, assessed::paths,
        remediation::steps, remediation::assign, remediation::release, remediation::attestations, remediation::attest,
        remediation::take_back, remediation::own, remediation::over_time,
        map::map, map::map_edges,
        device::enroll, device::renew, device::report,
        authzen::evaluation, authzen::evaluations, authzen::search::subjects, authzen::search::resources,
        authzen::search::actions, authzen::metadata,
    ),
    tags(
        (name = "now", description = "What is happening"),
        (name = "ask", description = "Who can, what can somebody, why, and who did"),
        (name = "sessions", description = "Who is signed in, and what is open"),
        (name = "keys", description = "API keys of services and agents"),
        (name = "invitations", description = "One-time links for people"),
        (name = "subjects", description = "Identities"),
        (name = "groups", description = "Sets of subjects and groups"),
        (name = "segments", description = "Trust boundaries"),
        (name = "resources", description = "What can be asked for"),
        (name = "devices", description = "What people ask from"),
        (name = "exceptions", description = "Documented deviations: who asked, who agreed, what relaxes, until when"),
        (name = "reviews", description = "Access and policies looked at again, and what nobody confirms is revoked"),
        (name = "policies", description = "Policies, configuration, backup"),
        (name = "estate", description = "What an organisation really has: imported, checked, measured"),
        (name = "device", description = "For devices themselves"),
        (name = "authzen", description = "For applications that enforce by themselves: OpenID AuthZEN 1.0"),
    )
)]
struct Document;

/// The whole document, as JSON text.
pub fn document() -> String {
    // Its types serialize without fail; an empty document would fail the test that compares it.
    Document::openapi().to_pretty_json().unwrap_or_default()
}

/// `GET /api/v1/openapi.json`
pub(crate) async fn serve(_: Caller) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
