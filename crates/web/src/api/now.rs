//! What is happening: status, decisions, the stream, and what would be decided.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use countersign_administrator::SessionFilter;
use countersign_ledger::{InclusionProof, ReadError};
use countersign_model::DecisionId;
use futures_util::StreamExt;
use http::{HeaderMap, header};

use crate::decisions::{self, Heard, Listed};
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::rows::DecisionRow;
use crate::wire::{
    Decision, DecisionQuery, Decisions, Explained, Inclusion, LedgerStatus, Question, RecordedDecision, Status,
    StreamItem,
};
use crate::{Site, explain as ask};

fn wire(row: &DecisionRow) -> Decision {
    Decision::new(row.index, row.at, &row.entry)
}

/// How this node is doing.
#[utoipa::path(get, path = "/api/v1/status", tag = "now", responses((status = 200, body = Status),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn status(State(site): State<Site>, _: Caller) -> axum::Json<Status> {
    let status = site.administrator().status();
    let ledger = status.ledger;
    axum::Json(Status {
        node: status.node,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: status.ready,
        now: site.now(),
        started: status.started,
        policy_set: status.policy_set,
        generation: status.generation,
        policies: status.policies as u64,
        subjects: status.counts.subjects as u64,
        groups: status.counts.groups as u64,
        devices: status.counts.devices as u64,
        resources: status.counts.resources as u64,
        sessions: site.administrator().sessions(&SessionFilter::default()).len() as u64,
        leases: status.leases as u64,
        in_flight: status.in_flight as u64,
        ledger: LedgerStatus {
            size: ledger.size,
            checkpoint_size: ledger.checkpoint_size,
            queued: ledger.queued as u64,
            archived: ledger.archived,
            broken: ledger.broken,
        },
    })
}

/// Recorded decisions, newest first.
#[utoipa::path(get, path = "/api/v1/decisions", tag = "now", params(DecisionQuery),
    responses((status = 200, body = Decisions), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn decisions(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<DecisionQuery>,
) -> Result<axum::Json<Decisions>, Fault> {
    let limit = super::limit(query.limit)?;
    if query.cursor.as_ref().is_some_and(|cursor| cursor.parse::<u64>().is_err()) {
        return Err(Fault::Malformed("the cursor is none of ours".to_owned()));
    }
    let Listed { rows, next, archived } = site.read(move |it| decisions::page(it.ledger(), &query, limit)).await??;
    let next = next.map(|next| next.to_string());
    Ok(axum::Json(Decisions { items: rows.iter().map(wire).collect(), next, archived }))
}

/// One decision in full, with the proof that it is in the ledger.
#[utoipa::path(get, path = "/api/v1/decisions/{id}", tag = "now", params(("id" = String, Path)),
    responses((status = 200, body = RecordedDecision), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn decision(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<DecisionId>,
) -> Result<axum::Json<RecordedDecision>, Fault> {
    let found = site
        .read(move |administrator| -> Result<_, ReadError> {
            let row = decisions::find(administrator.ledger(), id)?;
            Ok(row.map(|row| (administrator.ledger().prove_inclusion(row.index).ok(), row)))
        })
        .await??;
    let (proof, row) = found.ok_or(Fault::Absent)?;
    let proof = proof.map(|InclusionProof { v, index, entry, path, checkpoint }| Inclusion {
        v,
        index,
        entry,
        path,
        checkpoint,
    });
    Ok(axum::Json(RecordedDecision { decision: wire(&row), proof }))
}

/// What the policy engine would decide now. Nothing is opened, and nothing recorded but that you asked.
#[utoipa::path(post, path = "/api/v1/explain", tag = "now", request_body = Question,
    responses((status = 200, body = Explained), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn explain(
    State(site): State<Site>,
    _: Caller,
    Json(question): Json<Question>,
) -> Result<axum::Json<Explained>, Fault> {
    Ok(axum::Json(ask::answer(&site, question)?))
}

/// Everything that is recorded, as it becomes durable: one `StreamItem` a line (`application/x-ndjson`), or as
/// server-sent events where `Accept` asks for `text/event-stream`. It ends when the lease of this request is cut. Who
/// reads too slowly gets an item of kind `missed`, and finds the rest under `/decisions`.
#[utoipa::path(get, path = "/api/v1/stream", tag = "now",
    responses((status = 200, body = StreamItem, content_type = "application/x-ndjson"),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stream(State(site): State<Site>, _: Caller, headers: HeaderMap) -> Response {
    let clock = site.clone();
    let items = decisions::listen(site.administrator().stream()).map(move |heard| match heard {
        Heard::Entry(recorded) => StreamItem::new(Some(recorded.index), &recorded.entry),
        Heard::Missed(count) => {
            StreamItem { index: None, at: clock.now(), kind: "missed".to_owned(), decision: None, missed: Some(count) }
        }
    });
    let lines = items.filter_map(|item| std::future::ready(serde_json::to_string(&item).ok()));
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        let events = lines.map(|line| Ok::<_, Infallible>(Event::default().data(line)));
        return Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    }
    let body = Body::from_stream(lines.map(|line| Ok::<_, Infallible>(Bytes::from(line + "\n"))));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
