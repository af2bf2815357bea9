//! What is done about the gaps: steps with who has taken them on, words that persons give on controls, and how it went over time. What
//! may be said and done is the estate's to say; here it comes in and goes out.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_assess::{Trend, csv, markdown, trend};
use countersign_govern::{Past, Word};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::Site;
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::wire::{
    AssignmentBody, Attestation, AttestationBody, AttestationQuery, ClosedStep, KeptSnapshot, StepsQuery, TrendQuery,
};

/// What to do, in the right order, with who has taken it on; and the steps that closed by themselves. As JSON, as comma-separated values for
/// a spreadsheet, or as Markdown for an issue tracker.
#[utoipa::path(get, path = "/api/v1/estate/steps", tag = "estate", params(StepsQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn steps(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<StepsQuery>,
) -> Result<Response, Fault> {
    let (assessed, steps) = site.estate().steps()?;
    let file = |content_type, name, text: String| {
        let headers = [(header::CONTENT_TYPE, content_type), (header::CONTENT_DISPOSITION, name)];
        Ok((headers, text).into_response())
    };
    match query.format.as_deref() {
        None | Some("json") => {
            let closed: Vec<_> = site.estate().past().await?.closed.iter().map(ClosedStep::from).collect();
            let answer = json!({ "as-of": assessed.as_of, "steps": steps, "closed": closed });
            Ok(axum::Json(answer).into_response())
        }
        Some("csv") => file("text/csv; charset=utf-8", "attachment; filename=\"steps.csv\"", csv(&steps)),
        Some("markdown") => file("text/markdown; charset=utf-8", "attachment; filename=\"steps.md\"", markdown(&steps)),
        Some(other) => Err(Fault::Malformed(format!("{other:?} is neither json, csv nor markdown"))),
    }
}

/// Says who does a step, in place of whoever had it.
#[utoipa::path(put, path = "/api/v1/estate/steps/{id}/assignment", tag = "estate", params(("id" = String, Path)),
    request_body = AssignmentBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn assign(
    State(site): State<Site>,
    caller: Caller,
    Path(step): Path<String>,
    Json(AssignmentBody { owner, due }): Json<AssignmentBody>,
) -> Result<StatusCode, Fault> {
    site.estate().decide(vec![Word::Assign { step, owner, due }], &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nobody does a step any more.
#[utoipa::path(delete, path = "/api/v1/estate/steps/{id}/assignment", tag = "estate", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn release(
    State(site): State<Site>,
    caller: Caller,
    Path(step): Path<String>,
) -> Result<StatusCode, Fault> {
    site.estate().decide(vec![Word::Release { step }], &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every word on a control that was given and not taken back, those that have ended too.
#[utoipa::path(get, path = "/api/v1/estate/attestations", tag = "estate",
    responses((status = 200, body = Vec<Attestation>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn attestations(State(site): State<Site>, _: Caller) -> Result<axum::Json<Vec<Attestation>>, Fault> {
    let now = site.now();
    Ok(axum::Json(site.estate().attestations()?.iter().map(|word| Attestation::new(word, now)).collect()))
}

pub(crate) fn claim(text: &str) -> Result<countersign_assess::State, Fault> {
    let claim = serde_json::from_value(Value::String(text.to_owned()));
    claim.map_err(|_| Fault::Malformed(format!("{text:?} is neither in-place, partial nor not-in-place")))
}

/// Answers for a control under one's own name, in place of what one said of it before. It is shown as an attestation, it ends, and it
/// never outranks evidence.
#[utoipa::path(post, path = "/api/v1/estate/attestations", tag = "estate", request_body = AttestationBody,
    responses((status = 201, body = Attestation), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn attest(
    State(site): State<Site>,
    caller: Caller,
    Json(AttestationBody { control, claim: said, statement, until }): Json<AttestationBody>,
) -> Result<(StatusCode, axum::Json<Attestation>), Fault> {
    let (claim, by) = (claim(&said)?, caller.principal.subject.to_string());
    let word = Word::Attest { control: control.clone(), claim, statement, until };
    site.estate().decide(vec![word], &caller.actor()).await?;
    let words = site.estate().attestations()?;
    let word = words.iter().find(|word| word.control == control && word.by == by).ok_or(Fault::Absent)?;
    Ok((StatusCode::CREATED, axum::Json(Attestation::new(word, site.now()))))
}

/// Takes a word on a control back: one's own, or that of somebody who is named. The ledger has both.
#[utoipa::path(delete, path = "/api/v1/estate/attestations", tag = "estate", params(AttestationQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn take_back(
    State(site): State<Site>,
    caller: Caller,
    Query(AttestationQuery { control, by }): Query<AttestationQuery>,
) -> Result<StatusCode, Fault> {
    site.estate().decide(vec![Word::TakeBack { control, by }], &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What this server counts beside the inventory, and what persons have undertaken: with it and the inventory the command line comes to what
/// is shown here. `at` is the present instant, by this server.
#[utoipa::path(get, path = "/api/v1/estate/own", tag = "estate",
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn own(State(site): State<Site>, _: Caller) -> Result<axum::Json<Value>, Fault> {
    let (at, own) = site.estate().own()?;
    Ok(axum::Json(json!({ "at": at, "own": own })))
}

/// How it went: score, areas and metrics at each assessment that is kept (the last of a day), with the hashes of the evidence that each
/// was counted from; the steps that closed by themselves; and what of the past cannot be read.
#[utoipa::path(get, path = "/api/v1/estate/trend", tag = "estate", params(TrendQuery),
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn over_time(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<TrendQuery>,
) -> Result<axum::Json<Value>, Fault> {
    let inventory = site.estate().assessed().map(|assessed| assessed.inventory_sha256.clone());
    let Past { snapshots, closed, damaged } = site.estate().past().await?;
    let mut lines: Vec<Trend> = trend(&snapshots);
    if let Some(of) = &query.of {
        lines.retain(|line| line.of == *of);
        if lines.is_empty() && !snapshots.is_empty() {
            return Err(Fault::Unknown(format!("there is no line {of:?}: score, area …, or the id of a metric")));
        }
    }
    let kept = snapshots.iter().map(|snapshot| KeptSnapshot {
        as_of: snapshot.as_of,
        inventory_sha256: snapshot.inventory_sha256.clone(),
        own_sha256: snapshot.own_sha256.clone(),
        steps: snapshot.steps.len() as u64,
        reach_tier_zero: snapshot.reach_tier_zero,
        evidence_at_hand: inventory.as_ref() == Some(&snapshot.inventory_sha256),
    });
    let (kept, closed): (Vec<_>, Vec<_>) = (kept.collect(), closed.iter().map(ClosedStep::from).collect());
    Ok(axum::Json(json!({ "snapshots": kept, "lines": lines, "closed": closed, "damaged": damaged })))
}
