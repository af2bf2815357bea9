//! Policies that one person proposes and another puts in force.

use axum::extract::State;

use crate::Site;
use crate::api::control::keep;
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path};
use crate::guard::Caller;
use crate::wire::{Proposal, ProposalBody, ProposalFiles, Proposals, Proposed};

/// Those that wait, newest first.
#[utoipa::path(get, path = "/api/v1/policy-proposals", tag = "policies", responses((status = 200, body = Proposals),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn proposals(State(site): State<Site>, _: Caller) -> Result<axum::Json<Proposals>, Fault> {
    let set = site.administrator().policies();
    let all = site.administrator().proposals().await?;
    let items = all.into_iter().map(|it| ProposalFiles::new(it, set.hash()).proposal).collect();
    Ok(axum::Json(Proposals { items }))
}

/// One of them, with its text.
#[utoipa::path(get, path = "/api/v1/policy-proposals/{id}", tag = "policies", params(("id" = String, Path)),
    responses((status = 200, body = ProposalFiles), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn proposal(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ProposalFiles>, Fault> {
    let all = site.administrator().proposals().await?;
    let found = all.into_iter().find(|proposal| proposal.id == id).ok_or(Fault::Absent)?;
    Ok(axum::Json(ProposalFiles::new(found, site.administrator().policies().hash())))
}

/// Puts a whole policy set forward, over the one that is in force. It waits for somebody else, for seven days.
#[utoipa::path(post, path = "/api/v1/policy-proposals", tag = "policies", request_body = ProposalBody,
    responses((status = 200, body = Proposed), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn propose(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<ProposalBody>,
) -> Result<axum::Json<Proposed>, Fault> {
    let (report, proposal) = site.administrator().propose(body.files, &body.note, &caller.actor()).await?;
    let proposal = proposal.map(|it| {
        let base = it.base.clone();
        ProposalFiles::new(it, &base).proposal
    });
    Ok(axum::Json(Proposed { proposal, mistakes: report.mistakes, warnings: report.warnings }))
}

/// Puts a proposal in force. Whoever proposed it cannot, and it is in the way if other policies are in force by now.
#[utoipa::path(post, path = "/api/v1/policy-proposals/{id}/approve", tag = "policies", params(("id" = String, Path)),
    responses((status = 200, body = Proposal), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn approve(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Proposal>, Fault> {
    let approved = site.administrator().approve(&id, &caller.actor(), |files| keep(&site, files)).await?;
    let base = approved.base.clone();
    Ok(axum::Json(ProposalFiles::new(approved, &base).proposal))
}

/// Takes a proposal away.
#[utoipa::path(delete, path = "/api/v1/policy-proposals/{id}", tag = "policies", params(("id" = String, Path)),
    responses((status = 200, body = Proposal), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn reject(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Proposal>, Fault> {
    let rejected = site.administrator().reject(&id, &caller.actor()).await?;
    Ok(axum::Json(ProposalFiles::new(rejected, site.administrator().policies().hash()).proposal))
}
