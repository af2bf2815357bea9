//! Proposed policies, tried on what is recorded and on who is here, while the caller waits: the answer is a line of JSON
//! for each step. A caller who goes away stops it.

use std::ops::ControlFlow;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use countersign_administrator::{Administrator, PreviewError, Progress, Span};
use futures_util::{StreamExt as _, stream};
use http::header;
use tokio::sync::mpsc;

use crate::Site;
use crate::error::{Fault, Problem};
use crate::extract::Json;
use crate::guard::Caller;
use crate::wire::{ReplayBody, ReplayItem};

/// Beside live decisions: not all of the machine.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |all| (usize::from(all) / 2).max(1))
}

/// Decides every recorded decision again under the proposed policies, and what is open now too. Nothing is changed. One
/// `ReplayItem` a line (`application/x-ndjson`).
#[utoipa::path(post, path = "/api/v1/policies/replay", tag = "policies", request_body = ReplayBody,
    responses((status = 200, body = ReplayItem, content_type = "application/x-ndjson"),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn replay(
    State(site): State<Site>,
    _: Caller,
    Json(body): Json<ReplayBody>,
) -> Result<Response, Fault> {
    let examples = body.examples.unwrap_or(3);
    if examples > 100 {
        return Err(Fault::Malformed("examples is 0 to 100".to_owned()));
    }
    let (tell, told) = mpsc::channel(16);
    let administrator = site.administrator().clone();
    tokio::task::spawn_blocking(move || work(&administrator, &body, usize::from(examples), &tell));
    let lines = stream::unfold(told, async |mut told| told.recv().await.map(|item: ReplayItem| (item, told)));
    let line =
        async |item| serde_json::to_string(&item).ok().map(|line| Ok::<_, std::io::Error>(Bytes::from(line + "\n")));
    let body = Body::from_stream(lines.filter_map(line));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn work(administrator: &Administrator, body: &ReplayBody, examples: usize, tell: &mpsc::Sender<ReplayItem>) {
    let span = Span { since: body.since, newest: body.newest, examples, threads: threads() };
    let progress = |progress: &Progress| {
        // A reader that is slow misses steps, and not the result.
        match tell.try_send(ReplayItem::Progress(progress.into())) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => ControlFlow::Continue(()),
            Err(mpsc::error::TrySendError::Closed(_)) => ControlFlow::Break(()),
        }
    };
    let item = match administrator.preview(&body.files, &span, progress) {
        Ok(preview) => ReplayItem::Replay(Box::new(preview.into())),
        Err(PreviewError::Mistakes(mistakes)) => ReplayItem::Mistakes(vec![mistakes]),
        Err(error @ PreviewError::Busy) => ReplayItem::Failed(error.to_string()),
        Err(PreviewError::Replay(error)) => {
            tracing::warn!(%error, "a replay did not end");
            ReplayItem::Failed(format!("the replay did not end: {error}"))
        }
    };
    // Nobody is left to hear it.
    let _told = tell.blocking_send(item);
}
