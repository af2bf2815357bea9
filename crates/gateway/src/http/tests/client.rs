//! Clients: hyper's for both versions of HTTP, and a bare socket.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::fixture::{Fixture, full, within};
use crate::http::{Body, BodyError};

/// One request as a test describes it.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) host: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<&'static str>,
}

pub(super) fn ask(host: &'static str, target: &str) -> Ask {
    Ask { method: Method::GET, host, target: target.to_owned(), headers: vec![], body: None }
}

impl Ask {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn request(&self, http2: bool, body: Body) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone());
        request = if http2 {
            request.uri(format!("http://{}{}", self.host, self.target))
        } else {
            request.uri(&self.target).header("host", self.host)
        };
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(body).unwrap()
    }
}

/// A response whose head has come. Dropping it closes the connection.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    _http1: Option<http1::SendRequest<Body>>,
    _http2: Option<http2::SendRequest<Body>>,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece; `None` at a proper end, `Some(Err)` at any other.
    pub(super) async fn frame(&mut self) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        within("a frame", self.response.body_mut().frame()).await
    }

    pub(super) async fn text(self) -> String {
        let body = within("the whole body", self.response.into_body().collect()).await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }
}

pub(super) async fn send(fixture: &Fixture, http2: bool, ask: &Ask) -> Result<Answer, hyper::Error> {
    let body = ask.body.map_or_else(|| Empty::new().map_err(|never| match never {}).boxed_unsync(), full);
    send_body(fixture.address, http2, ask, body).await
}

async fn send_body(address: SocketAddr, http2: bool, ask: &Ask, body: Body) -> Result<Answer, hyper::Error> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let request = ask.request(http2, body);
    if http2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        let response = within("a response", sender.send_request(request)).await?;
        return Ok(Answer { response, _http1: None, _http2: Some(sender) });
    }
    let (mut sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection.with_upgrades());
    let response = within("a response", sender.send_request(request)).await?;
    Ok(Answer { response, _http1: Some(sender), _http2: None })
}

/// The rest of an upload.
pub(super) type Feed = mpsc::Sender<Result<Frame<Bytes>, BodyError>>;

/// Begins an upload: one piece is on its way, more may follow.
pub(super) fn upload(
    fixture: &Fixture,
    http2: bool,
    ask: Ask,
) -> (Feed, impl Future<Output = Result<Answer, hyper::Error>> + use<>) {
    let (feed, mut receiver) = mpsc::channel(4);
    feed.try_send(Ok(Frame::data(Bytes::from_static(b"first")))).unwrap();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx))).boxed_unsync();
    let ask = Ask { method: Method::POST, ..ask };
    let address = fixture.address;
    (feed, async move { send_body(address, http2, &ask, body).await })
}

/// A connection on which the test writes every byte itself.
pub(super) struct Bare(pub(super) TcpStream);

pub(super) async fn bare(fixture: &Fixture) -> Bare {
    Bare(TcpStream::connect(fixture.address).await.unwrap())
}

impl Bare {
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Up to and with `end`, or up to the end of the connection.
    pub(super) async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            match within("a byte", self.0.read_u8()).await {
                Ok(byte) => read.push(byte),
                Err(_) => break,
            }
        }
        read
    }

    /// The status of the next response, whose head is read; 0 if there is none.
    pub(super) async fn status(&mut self) -> u16 {
        let head = String::from_utf8(self.read_until(b"\r\n\r\n").await).unwrap();
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Whatever comes until the gateway closes.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut read = Vec::new();
        let _ = within("the end of the connection", self.0.read_to_end(&mut read)).await;
        read
    }
}
