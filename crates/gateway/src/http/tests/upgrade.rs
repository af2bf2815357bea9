//! WebSockets that begin on HTTP/2 (RFC 8441), and tunnels that carry more than one frame.

use http::{Method, Request};
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{SESSION, full, start, within};

fn connect(protocol: Option<&'static str>, origin: &str) -> Request<crate::http::Body> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(if protocol.is_some() { "http://app.localhost/live" } else { "app.localhost:80" })
        .header("cookie", SESSION)
        .header("origin", origin)
        .header("countersign-subject", "human:mallory")
        .header("sec-websocket-version", "13");
    if let Some(protocol) = protocol {
        request = request.extension(Protocol::from_static(protocol));
    }
    request.body(full("")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_over_http2_is_the_same_pipeline() {
    let fixture = start().await;
    let stream = TokioIo::new(TcpStream::connect(fixture.address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    // The server's settings, which allow extended CONNECT, come with its first answer.
    let request = Request::builder().uri("http://app.localhost/a").body(full("")).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 401);

    for (protocol, origin, status) in [
        (Some("websocket"), "http://evil.localhost", 403),
        (Some("connect-udp"), "http://app.localhost", 405),
        (None, "http://app.localhost", 405),
    ] {
        let refused = sender.send_request(connect(protocol, origin)).await.unwrap();
        assert_eq!(refused.status(), status, "{protocol:?} {origin}");
    }
    let response = sender.send_request(connect(Some("websocket"), "http://app.localhost")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut hello = [0; 7];
    within("the greeting", tunnel.read_exact(&mut hello)).await.unwrap();
    assert_eq!(&hello, b"\x81\x05hello");
    let large = [b"\x82\x7e\x40\x00".as_slice(), &[7; 0x4000]].concat();
    tunnel.write_all(&large).await.unwrap();
    let mut back = vec![0; large.len()];
    within("the echo", tunnel.read_exact(&mut back)).await.unwrap();
    assert_eq!(back, large);
    let seen = fixture.script.look(|observed| observed.seen[0].clone());
    assert_eq!(seen.headers["countersign-subject"], "human:alice@example.org");
    assert_eq!(seen.headers["sec-websocket-key"].len(), 24);
    let asked = fixture.script.look(|observed| observed.asked.last().cloned().unwrap());
    assert_eq!((asked.point.channel, asked.action.to_string().as_str()), ("websocket", "http:connect"));

    fixture.script.cut();
    let mut close = Vec::new();
    within("the close frame", tunnel.read_to_end(&mut close)).await.unwrap();
    assert_eq!(close[2..4], 1008u16.to_be_bytes());
    fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
}
