#![expect(clippy::unwrap_used, reason = "a test may stop")]
//! What a probe asks, and what it never does.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

#[test]
fn what_is_inside_is_chosen_and_secrets_of_clouds_never() {
    let check = |address: &str, elsewhere: bool, inside: bool| {
        let parsed: IpAddr = address.parse().unwrap();
        assert_eq!((may_ask(parsed, false), may_ask(parsed, true)), (elsewhere, inside), "{address}");
    };
    for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111"] {
        check(public, true, true);
    }
    for inside in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"] {
        check(inside, false, true);
    }
    for mapped in ["::ffff:127.0.0.1", "::ffff:10.0.0.1"] {
        check(mapped, false, true);
    }
    for never in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.1",
        "::",
        "fe80::1",
        "ff02::1",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "2001::1",
        "2001:db8::1",
    ] {
        check(never, false, false);
    }
}

#[tokio::test]
async fn a_status_is_read_and_a_redirect_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1024];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(request.get(..read).unwrap()).into_owned()
    });
    let url = format!("http://127.0.0.1:{port}/guard");
    assert!(matches!(ask(&url, false).await, Err(ProbeError::NotAsked(_))), "inside was not chosen");
    assert_eq!(ask(&url, true).await.unwrap(), 302);
    let request = server.await.unwrap();
    assert!(request.starts_with("GET /guard HTTP/1.1\r\n") && request.contains(&format!("host: 127.0.0.1:{port}")));
}
