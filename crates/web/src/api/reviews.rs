//! Reviews: campaigns in which access and policies are looked at again, and what goes along when a resource goes. Who may
//! decide a line is the administrator's to say.

use axum::extract::State;
use countersign_administrator::NewVerdict;
use countersign_model::{ResourceId, ReviewId, ReviewLine as Line};
use http::StatusCode;

use crate::Site;
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::wire::{
    Decommission, Page, Review, ReviewBody, ReviewEndBody, ReviewLine, ReviewLineQuery, ReviewVerdictBody,
};

fn wire(site: &Site, id: &ReviewId) -> Result<axum::Json<Review>, Fault> {
    let review = site.administrator().review(id).ok_or(Fault::Absent)?;
    Ok(axum::Json(Review::of(&review, site.now())))
}

/// Every campaign, newest first.
#[utoipa::path(get, path = "/api/v1/reviews", tag = "reviews", responses((status = 200, body = Vec<Review>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn reviews(State(site): State<Site>, _: Caller) -> axum::Json<Vec<Review>> {
    let all = site.administrator().reviews();
    axum::Json(all.iter().map(|review| Review::of(review, site.now())).collect())
}

/// Opens a campaign: who has what is frozen, with its use, and each line gets its reviewer.
#[utoipa::path(post, path = "/api/v1/reviews", tag = "reviews", request_body = ReviewBody,
    responses((status = 201, body = Review), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn open(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<ReviewBody>,
) -> Result<(StatusCode, axum::Json<Review>), Fault> {
    let asked = body.asked().ok_or_else(|| Fault::Malformed("a review is about access or policies".to_owned()))?;
    let opened = site.administrator().open_review(asked, &caller.actor()).await?;
    Ok((StatusCode::CREATED, wire(&site, &opened.id)?))
}

#[utoipa::path(get, path = "/api/v1/reviews/{id}", tag = "reviews", params(("id" = String, Path)),
    responses((status = 200, body = Review), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn review(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<ReviewId>,
) -> Result<axum::Json<Review>, Fault> {
    wire(&site, &id)
}

/// Its lines, in the order of their numbers. `only=left` is what was revoked and has to be done elsewhere.
#[utoipa::path(get, path = "/api/v1/reviews/{id}/lines", tag = "reviews", params(("id" = String, Path), ReviewLineQuery),
    responses((status = 200, body = Page<ReviewLine>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn lines(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<ReviewId>,
    Query(query): Query<ReviewLineQuery>,
) -> Result<axum::Json<Page<ReviewLine>>, Fault> {
    let limit = super::limit(query.limit)?;
    let review = site.administrator().review(&id).ok_or(Fault::Absent)?;
    let wanted: fn(&Line) -> bool = match query.only.as_deref() {
        None => |_| true,
        Some("undecided") => |line| line.verdict.is_none(),
        Some("decided") => |line| line.verdict.is_some(),
        Some("left") => |line| line.verdict.as_ref().is_some_and(|it| it.left.is_some()),
        Some(_) => return Err(Fault::Malformed("only is undecided, decided or left".to_owned())),
    };
    let theirs = query.reviewer.as_ref().map(|reviewer| site.administrator().decidable(&review, reviewer));
    let from = query.cursor.unwrap_or_default();
    let found: Vec<&Line> = review
        .lines
        .iter()
        .filter(|line| line.number > from && wanted(line))
        .filter(|line| theirs.as_ref().is_none_or(|theirs| theirs.contains(&line.number)))
        .take(limit + 1)
        .collect();
    Ok(super::cut(found, limit, |line| line.number.to_string(), |line| ReviewLine::from(*line)))
}

/// Decides lines: all of them, or none. Only whoever is asked about a line may, never about their own access, nothing twice.
#[utoipa::path(post, path = "/api/v1/reviews/{id}/decisions", tag = "reviews", params(("id" = String, Path)),
    request_body = ReviewVerdictBody,
    responses((status = 200, body = Review), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn decide(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ReviewId>,
    Json(body): Json<ReviewVerdictBody>,
) -> Result<axum::Json<Review>, Fault> {
    let ReviewVerdictBody { lines, decision, reason } = body;
    let keep = match decision.as_str() {
        "keep" => true,
        "revoke" => false,
        _ => return Err(Fault::Malformed("a decision is keep or revoke".to_owned())),
    };
    site.administrator().decide_review(&id, &NewVerdict { lines, keep, reason }, &caller.actor()).await?;
    wire(&site, &id)
}

/// Ends it before its deadline.
#[utoipa::path(post, path = "/api/v1/reviews/{id}/end", tag = "reviews", params(("id" = String, Path)),
    request_body = ReviewEndBody,
    responses((status = 200, body = Review), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ReviewId>,
    Json(body): Json<ReviewEndBody>,
) -> Result<axum::Json<Review>, Fault> {
    let administrator = site.administrator();
    match body.how.as_str() {
        "close" => administrator.close_review(&id, &body.why, &caller.actor()).await?,
        "withdraw" => administrator.withdraw_review(&id, &body.why, &caller.actor()).await?,
        _ => return Err(Fault::Malformed("a review is ended by close or withdraw".to_owned())),
    };
    wire(&site, &id)
}

/// What else goes when this resource goes. A plan: nothing is changed.
#[utoipa::path(get, path = "/api/v1/resources/{id}/decommission", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = Decommission), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn decommission(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<Decommission>, Fault> {
    Ok(axum::Json(site.administrator().decommission(&id)?.into()))
}
