//! An application that says what it was told, and one stream that never ends.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
            let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    address
}

fn answer(request: &Request<Incoming>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    if request.uri().path() == "/endless" {
        let piece = || async { Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"more"))), ())) };
        return Response::new(StreamBody::new(stream::unfold((), move |()| piece())).boxed_unsync());
    }
    let told = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let text = format!("{} {}", told("countersign-subject"), told("countersign-device"));
    Response::new(Full::from(text).boxed_unsync())
}
