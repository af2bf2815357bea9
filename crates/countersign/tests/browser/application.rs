//! The application behind the gateway: a page at every path that says where it is and who asked, with a WebSocket that
//! ticks and says how it ended. It knows nothing of sign-in.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

const TICK: Duration = Duration::from_millis(100);

/// `#socket` says how the WebSocket is, `#ticks` how often it ticked.
const SCRIPT: &str = "
const socket = new WebSocket(`ws://${location.host}/ticker`);
const say = (id, text) => { document.getElementById(id).textContent = text; };
let ticks = 0;
socket.onopen = () => say('socket', 'open');
socket.onmessage = () => say('ticks', ++ticks);
socket.onclose = (event) => say('socket', `closed ${event.code}`);
";

#[derive(Debug)]
pub(crate) struct Application {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Application {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = hyper::service::service_fn(|request| async { Ok::<_, Infallible>(answer(request)) });
                tokio::spawn(async move {
                    let connection =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // Ends when the gateway closes it.
                    let _ = connection.with_upgrades().await;
                });
            }
        });
        Self { address, serving }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/ticker" => ticker(request),
        "/favicon.ico" => status(StatusCode::NO_CONTENT),
        _ => page(&request),
    }
}

fn page(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let who = request.headers().get("countersign-subject").and_then(|who| who.to_str().ok()).unwrap_or("nobody");
    let html = format!(
        "<!doctype html><html lang=\"en\"><title>The application</title><h1>The application</h1>\
         <p>You are <span id=\"who\">{who}</span>, at <span id=\"place\"></span>.</p>\
         <p>The socket is <span id=\"socket\">not open yet</span>, ticks: <span id=\"ticks\"></span></p>\
         <script>document.getElementById('place').textContent = location.pathname + location.search;{SCRIPT}</script></html>"
    );
    let mut response = Response::new(Full::from(html));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn ticker(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(key) = request.headers().get("sec-websocket-key") else { return status(StatusCode::BAD_REQUEST) };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, None).await;
        // Until the gateway cuts it.
        while socket.send(Message::text("tick")).await.is_ok() {
            tokio::time::sleep(TICK).await;
        }
    });
    let mut response = status(StatusCode::SWITCHING_PROTOCOLS);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert("sec-websocket-accept", HeaderValue::from_str(&accept).unwrap());
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
