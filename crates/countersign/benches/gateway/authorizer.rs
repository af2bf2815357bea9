//! What stands behind nginx's `auth_request`: as little as a separate authorizer can do. It looks the cookie up by its
//! hash and answers; it evaluates no policy and records nothing.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use countersign_identity::secret::{self, SecretHash};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::COOKIE;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Serves until the runtime ends; the port.
pub(crate) async fn serve(session: SecretHash) -> u16 {
    let sessions = Arc::new(HashSet::from([session]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let sessions = Arc::clone(&sessions);
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let known = known(&request, &sessions);
                async move {
                    let mut response = Response::new(Empty::<Bytes>::new());
                    *response.status_mut() = if known { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
                    Ok::<_, Infallible>(response)
                }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // nginx closes its kept connections as it likes.
            tokio::spawn(async move { connection.await.unwrap_or_default() });
        }
    });
    port
}

fn known(request: &Request<Incoming>, sessions: &HashSet<SecretHash>) -> bool {
    let cookies = request.headers().get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut cookies = cookies.split("; ").filter_map(|cookie| cookie.split_once('='));
    cookies.any(|(name, value)| name == "__Host-countersign" && sessions.contains(&secret::hash(value)))
}
