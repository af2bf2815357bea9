//! The transparency log as files, in the layout of C2SP tlog-tiles, so that anybody's tools can check it.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};

use crate::Site;
use crate::error::Fault;
use crate::extract::Path;

pub(crate) fn router() -> Router<Site> {
    Router::new().route("/ledger/checkpoint", get(checkpoint)).route("/ledger/tile/{*path}", get(tile))
}

/// Also the console's download.
pub(crate) async fn checkpoint(State(site): State<Site>) -> Result<Response, Fault> {
    file(&site, "checkpoint".to_owned(), "text/plain; charset=utf-8", "no-cache").await
}

/// A full tile never changes; a partial one is replaced by a fuller one at another address.
async fn tile(State(site): State<Site>, Path(path): Path<String>) -> Result<Response, Fault> {
    file(&site, format!("tile/{path}"), "application/octet-stream", "private, max-age=31536000, immutable").await
}

async fn file(site: &Site, path: String, content_type: &'static str, caching: &'static str) -> Result<Response, Fault> {
    // The ledger knows the names of its own files and no other; what is no such name is not looked for on a disk.
    let bytes = site.read(move |administrator| administrator.ledger().file(&path)).await?.ok_or(Fault::Absent)?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}
