//! The register of exceptions: asked for, agreed to by somebody else, reviewed, ended.

use axum::extract::State;
use countersign_administrator::UndocumentedKind;
use countersign_model::{ExceptionId, ExceptionStanding};
use http::StatusCode;

use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::wire::{
    Exception, ExceptionBody, ExceptionEndBody, ExceptionProbed, ExceptionQuery, ExceptionReviewBody, Exceptions,
    Undocumented,
};
use crate::{Site, asking};

const STANDINGS: [ExceptionStanding; 5] = [
    ExceptionStanding::Requested,
    ExceptionStanding::InForce,
    ExceptionStanding::Expired,
    ExceptionStanding::Ownerless,
    ExceptionStanding::Ended,
];

fn wire(site: &Site, id: &ExceptionId) -> Result<axum::Json<Exception>, Fault> {
    let view = site.administrator().exception(id).ok_or(Fault::Absent)?;
    Ok(axum::Json(Exception::from(&view)))
}

/// The register, newest first, with those that are over.
#[utoipa::path(get, path = "/api/v1/exceptions", tag = "exceptions", params(ExceptionQuery),
    responses((status = 200, body = Exceptions), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn exceptions(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<ExceptionQuery>,
) -> Result<axum::Json<Exceptions>, Fault> {
    let limit = super::limit(query.limit)?;
    let standing = query.standing.as_deref().map(|name| {
        let found = STANDINGS.into_iter().find(|standing| standing.name() == name);
        found.ok_or_else(|| Fault::Malformed(format!("{name:?} is no standing of an exception")))
    });
    let standing = standing.transpose()?;
    let mut found = site.administrator().exceptions();
    found.retain(|view| {
        let it = &view.exception;
        let about = |subject| it.scope.subjects.contains(subject) || it.owner == *subject || it.requester == *subject;
        standing.is_none_or(|standing| view.standing == standing)
            && query.subject.as_ref().is_none_or(about)
            && query.resource.as_ref().is_none_or(|resource| it.scope.resources.contains(resource))
    });
    let from = query.cursor.as_deref().map_or(0, |cursor| {
        let place = found.iter().position(|view| view.exception.id.as_str() == cursor);
        place.map_or(found.len(), |place| place + 1)
    });
    let page: Vec<_> = found.iter().skip(from).take(limit).collect();
    let more = found.len() > from + page.len();
    Ok(axum::Json(Exceptions {
        next: page.last().filter(|_| more).map(|view| view.exception.id.to_string()),
        items: page.into_iter().map(Exception::from).collect(),
        figures: site.administrator().exception_figures().into(),
    }))
}

/// Deviations that no exception documents.
#[utoipa::path(get, path = "/api/v1/exceptions/undocumented", tag = "exceptions", responses((status = 200, body = Vec<Undocumented>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn undocumented(State(site): State<Site>, _: Caller) -> Result<axum::Json<Vec<Undocumented>>, Fault> {
    Ok(axum::Json(deviations(&site).await?.into_iter().map(Undocumented::from).collect()))
}

/// What the administrator finds, and attestations that the newest assessment of the estate speaks against.
pub(crate) async fn deviations(site: &Site) -> Result<Vec<countersign_administrator::Undocumented>, Fault> {
    let mut found = asking::ask(site, |administrator, tick| administrator.undocumented(tick)).await?;
    let assessed = site.estate().assessed();
    let against = assessed.iter().flat_map(|assessed| assessed.gaps.contradicted());
    found.extend(against.map(|(control, word, measured)| countersign_administrator::Undocumented {
        kind: UndocumentedKind::SuppressedFinding,
        what: control.id.to_owned(),
        why: format!(
            "{} says that it is {}, and {} finds {}",
            word.by,
            word.claim.name(),
            measured.id,
            measured.found()
        ),
        until: Some(word.until),
    }));
    Ok(found)
}

#[utoipa::path(get, path = "/api/v1/exceptions/{id}", tag = "exceptions", params(("id" = String, Path)),
    responses((status = 200, body = Exception), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn exception(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<ExceptionId>,
) -> Result<axum::Json<Exception>, Fault> {
    wire(&site, &id)
}

/// Asks for an exception. It counts for nothing until somebody else agrees.
#[utoipa::path(post, path = "/api/v1/exceptions", tag = "exceptions", request_body = ExceptionBody,
    responses((status = 201, body = Exception), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn request(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<ExceptionBody>,
) -> Result<(StatusCode, axum::Json<Exception>), Fault> {
    let requested = site.administrator().request_exception(body.into(), &caller.actor()).await?;
    Ok((StatusCode::CREATED, wire(&site, &requested.id)?))
}

/// Puts it in force. Only an owner of the installation may, in person: not who asked, nor who answers for it.
#[utoipa::path(post, path = "/api/v1/exceptions/{id}/approve", tag = "exceptions", params(("id" = String, Path)),
    responses((status = 200, body = Exception), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn approve(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
) -> Result<axum::Json<Exception>, Fault> {
    site.administrator().approve_exception(&id, &caller.actor()).await?;
    wire(&site, &id)
}

/// It was looked at again, and is needed until then. Whoever may approve it may.
#[utoipa::path(post, path = "/api/v1/exceptions/{id}/review", tag = "exceptions", params(("id" = String, Path)),
    request_body = ExceptionReviewBody,
    responses((status = 200, body = Exception), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn review(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    Json(body): Json<ExceptionReviewBody>,
) -> Result<axum::Json<Exception>, Fault> {
    site.administrator().review_exception(&id, body.expires, &body.note, &caller.actor()).await?;
    wire(&site, &id)
}

/// Withdraws, refuses or ends it. What is open under it is decided again.
#[utoipa::path(post, path = "/api/v1/exceptions/{id}/end", tag = "exceptions", params(("id" = String, Path)),
    request_body = ExceptionEndBody,
    responses((status = 200, body = Exception), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    Json(body): Json<ExceptionEndBody>,
) -> Result<axum::Json<Exception>, Fault> {
    site.administrator().end_exception(&id, &body.why, &caller.actor()).await?;
    wire(&site, &id)
}

/// Looks whether its compensating control works. Only an owner of the installation may.
#[utoipa::path(post, path = "/api/v1/exceptions/{id}/probe", tag = "exceptions", params(("id" = String, Path)),
    responses((status = 200, body = ExceptionProbed), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn probe(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
) -> Result<axum::Json<ExceptionProbed>, Fault> {
    let result = site.administrator().probe_exception(&id, &caller.actor()).await?;
    Ok(axum::Json(ExceptionProbed::from(&result)))
}
