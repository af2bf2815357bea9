//! A node that stops takes nothing with it that is still open, and one that runs keeps nothing that only looks alive.

use std::time::Duration;

use countersign_lease::{EndReason, RevocationCause};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::client::{ask, bare, send};
use super::fixture::{SESSION, start, start_with, within};
use crate::http::Body;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_by_itself_is_cut_and_recorded_as_shutdown() {
    let fixture = start().await;
    let stream = ask("app.localhost", "/stream").with("cookie", SESSION);
    let mut first = send(&fixture, false, &stream).await.unwrap();
    let mut second = send(&fixture, true, &stream).await.unwrap();
    let mut socket = bare(&fixture).await;
    socket
        .write(format!(
            "GET /live HTTP/1.1\r\nHost: app.localhost\r\nCookie: {SESSION}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ))
        .await;
    assert_eq!(socket.status().await, 101);
    socket.read_until(b"hello").await;
    let mut idle = bare(&fixture).await;
    for answer in [&mut first, &mut second] {
        answer.frame().await.unwrap().unwrap();
    }
    let script = fixture.script.clone();
    fixture.stop().await;
    script.until("the ends", |observed| observed.ended.len() == 3).await;
    for ended in script.look(|observed| observed.ended.clone()) {
        let EndReason::Revoked(revocation) = ended.reason else { panic!("not cut: {ended:?}") };
        assert_eq!(revocation.cause, RevocationCause::Shutdown);
    }
    assert!(first.frame().await.is_none_or(|frame| frame.is_err()));
    assert_eq!(&socket.rest().await[2..4], 1001u16.to_be_bytes());
    assert_eq!(idle.rest().await, b"");
}

/// The client answers every ping.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http2_connection_on_which_nothing_begins_ends() {
    let fixture = start_with(|settings| settings.limits.header_timeout = Duration::from_millis(100)).await;
    let stream = TokioIo::new(TcpStream::connect(fixture.address).await.unwrap());
    let (sender, connection) = http2::handshake::<_, _, Body>(TokioExecutor::new(), stream).await.unwrap();
    within("the end of the connection", connection).await.unwrap();
    assert!(sender.is_closed());
}
