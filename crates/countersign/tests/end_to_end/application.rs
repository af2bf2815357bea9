//! An application that says what it was told, streams that never end, and a WebSocket that says everything back.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request| async move { Ok::<_, Infallible>(answer(request)) });
            let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving.with_upgrades());
        }
    });
    address
}

pub(crate) fn answer(request: Request<Incoming>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    if request.uri().path() == "/socket" {
        return socket(request);
    }
    if request.uri().path() == "/endless" {
        let piece = || async { Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"more"))), ())) };
        return Response::new(StreamBody::new(stream::unfold((), move |()| piece())).boxed_unsync());
    }
    if request.uri().path() == "/events" {
        // One event, and then it waits: nothing flows that could be found to be cut.
        let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"data: first\n\n")))]);
        let body = StreamBody::new(first.chain(stream::pending())).boxed_unsync();
        return Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).unwrap();
    }
    let told = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let text = format!("{} {}", told("countersign-subject"), told("countersign-device"));
    Response::new(Full::from(text).boxed_unsync())
}

fn socket(mut request: Request<Incoming>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).unwrap();
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgrading.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    });
    response.body(Full::default().boxed_unsync()).unwrap()
}
