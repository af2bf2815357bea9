//! A sample application of the demonstration: an ordinary HTTP server that knows nothing of sign-in. It shows the
//! identity that arrives with a request, and has what applications have: pages, JSON, a slow download, events, a
//! WebSocket.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How often the ticker ticks and the download grows.
const TICK: Duration = Duration::from_millis(100);

/// Starts the application and returns where it listens. It ends with the process.
pub(super) async fn start(name: &'static str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service =
                hyper::service::service_fn(move |request| async move { Ok::<_, Infallible>(answer(name, request)) });
            tokio::spawn(async move {
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // Ends when the gateway closes it: that is what the demonstration is about.
                let _ = connection.with_upgrades().await;
            });
        }
    });
    Ok(address)
}

fn answer(name: &str, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/" => page(name, request.headers()),
        "/api/me" => whole("application/json", me(name, request.headers()).to_string()),
        "/download" => stream("application/octet-stream", || Bytes::from_static(&[0; 1024])),
        "/events" => stream("text/event-stream", || Bytes::from_static(b"data: still here\n\n")),
        "/ticker" => web_socket(request),
        _ => {
            let mut response = whole("text/plain; charset=utf-8", "there is no such page\n".to_owned());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn identity<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn me(name: &str, headers: &HeaderMap) -> serde_json::Value {
    serde_json::json!({
        "application": name,
        "subject": identity(headers, "countersign-subject"),
        "groups": identity(headers, "countersign-groups"),
        "device": identity(headers, "countersign-device"),
        "decision": identity(headers, "countersign-decision"),
        "assertion": !identity(headers, "countersign-assertion").is_empty(),
    })
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, c| {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
        safe
    })
}

fn page(name: &str, headers: &HeaderMap) -> Response<Body> {
    let subject = match identity(headers, "countersign-subject") {
        "" => "nobody in particular",
        subject => subject,
    };
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}</title><style>body{{font:16px/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem}}\
         code{{background:#8882;padding:.1em .3em}}</style>\
         <h1>{name}</h1><p>A sample application. The request came from <code>{}</code>.</p>\
         <p><a href=\"/api/me\">What it was told</a> · <a href=\"/download\">a slow download</a> · \
         <a href=\"/events\">events</a></p></html>",
        escaped(subject)
    );
    whole("text/html; charset=utf-8", html)
}

fn whole(content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Full::from(text).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body that goes on until somebody closes it.
fn stream(content_type: &'static str, piece: fn() -> Bytes) -> Response<Body> {
    let pieces = futures_util::stream::unfold((), move |()| async move {
        tokio::time::sleep(TICK).await;
        Some((Ok::<_, Infallible>(Frame::data(piece())), ()))
    });
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn web_socket(mut request: Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes())) else {
        let mut response = whole("text/plain; charset=utf-8", "this is for WebSockets\n".to_owned());
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return response;
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(&mut request).await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            tick(socket).await;
        }
    });
    let mut response = whole("text/plain", String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(key) = HeaderValue::try_from(key) {
        headers.insert("sec-websocket-accept", key);
    }
    response
}

/// Ticks, and says again what is said to it.
async fn tick(mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) {
    let mut ticks = tokio::time::interval(TICK);
    let mut count: u64 = 0;
    loop {
        let message = tokio::select! {
            _ = ticks.tick() => {
                count += 1;
                Message::text(format!("tick {count}"))
            }
            received = socket.next() => match received {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
