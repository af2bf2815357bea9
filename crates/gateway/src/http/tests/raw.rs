//! Requests that no HTTP library would write, byte by byte.

use super::client::{ask, bare, send};
use super::fixture::{SESSION, start, start_with};

/// Sends `request` and, on the same connection, one that must not be answered if the first was refused.
async fn check(request: &str, status: u16) {
    let fixture = start().await;
    let mut client = bare(&fixture).await;
    client.write(request.replace("$AUTH", &format!("Host: app.localhost\r\nCookie: {SESSION}"))).await;
    assert_eq!(client.status().await, status, "{request:?}");
    if status != 200 {
        let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
        assert!(!rest.contains("HTTP/1.1 2"), "{request:?}: {rest}");
        let seen = fixture.script.look(|observed| observed.seen.len());
        assert_eq!(seen, 0, "{request:?} reached the application");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_two_readings_are_refused() {
    check("GET /a HTTP/1.1\r\n$AUTH\r\n\r\n", 200).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\n$AUTH\r\n\r\n";
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Content-Length: 0\r\nContent-Length: 60",
        "Content-Length: 6\r\nContent-Length: 6",
        "Content-Length: 0, 60",
        "Content-Length: +6",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\r\rTransfer-Encoding: chunked",
        "X: \0",
        "Host: other.localhost",
        "host: app.localhost",
        "Connection: host",
        "Connection: cookie",
        "Connection: content-length",
    ] {
        check(&format!("POST /a HTTP/1.1\r\n$AUTH\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}"), 400).await;
    }
    for head in [
        "GET /a HTTP/1.1\n$AUTH\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost\n\r\n\r\n",
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost, other.localhost\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost other.localhost\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: user@app.localhost\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost:\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost:99999\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost.\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: app.localhost/x\r\n\r\n",
        "GET http://other.localhost/a HTTP/1.1\r\n$AUTH\r\n\r\n",
        "GET http://app.localhost@other.localhost/a HTTP/1.1\r\n$AUTH\r\n\r\n",
        "GET ftp://app.localhost/a HTTP/1.1\r\n$AUTH\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n$AUTH\r\n\r\n",
        "GET /a/../b HTTP/1.1\r\n$AUTH\r\n\r\n",
        "GET /a\\b HTTP/1.1\r\n$AUTH\r\n\r\n",
        "GET /a HTTP/3.0\r\n$AUTH\r\n\r\n",
        "GET /live HTTP/1.1\r\n$AUTH\r\nConnection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
        "GET /live HTTP/1.1\r\n$AUTH\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        check(&format!("{head}{smuggled}"), 400).await;
    }
    check("GET http://app.localhost/a HTTP/1.1\r\n$AUTH\r\n\r\n", 200).await;
    check("CONNECT app.localhost:80 HTTP/1.1\r\n$AUTH\r\n\r\n", 405).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_odd_chunks_ends_the_connection_and_the_upload() {
    for chunks in
        ["5;a=b\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "0x5\r\nhello\r\n"]
    {
        let fixture = start().await;
        let mut client = bare(&fixture).await;
        client
            .write(format!(
                "POST /a HTTP/1.1\r\nHost: app.localhost\r\nCookie: {SESSION}\r\nTransfer-Encoding: chunked\r\n\r\n\
                 {chunks}GET /smuggled HTTP/1.1\r\nHost: app.localhost\r\nCookie: {SESSION}\r\n\r\n"
            ))
            .await;
        let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
        assert!(!rest.contains("HTTP/1.1 2"), "{chunks:?}: {rest}");
        fixture.script.until("the end of the lease", |observed| observed.ended.len() == observed.asked.len()).await;
        assert!(fixture.script.look(|observed| observed.seen.iter().all(|seen| seen.target != "/smuggled")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_on_one_connection_are_decided_one_by_one() {
    let fixture = start().await;
    let mut client = bare(&fixture).await;
    let body = "POST /a HTTP/1.1\r\n$AUTH\r\nContent-Length: 6\r\n\r\nGET /x";
    let chunked = "POST /b HTTP/1.1\r\n$AUTH\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n";
    let request = format!("{body}{chunked}GET /c HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n");
    client.write(request.replace("$AUTH", &format!("Host: app.localhost\r\nCookie: {SESSION}"))).await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    let statuses: Vec<_> =
        rest.matches("HTTP/1.1 ").zip(rest.split("HTTP/1.1 ").skip(1)).map(|(_, r)| &r[..3]).collect();
    assert_eq!(statuses, ["200", "200", "401"], "{rest}");
    let asked = fixture.script.look(|observed| observed.asked.len());
    assert_eq!(asked, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_head_is_not_waited_for() {
    let fixture = start_with(|settings| settings.limits.header_timeout = std::time::Duration::from_millis(50)).await;
    for start in ["", "P", "GET /", "GET /a HTTP/1.1\r\nHost: app.localhost\r\n"] {
        let mut client = bare(&fixture).await;
        client.write(start).await;
        client.rest().await;
    }
    assert_eq!(fixture.script.look(|observed| observed.asked.len()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_names_one_host() {
    let fixture = start().await;
    let same = ask("app.localhost", "/a").with("cookie", SESSION).with("host", "app.localhost");
    assert_eq!(send(&fixture, true, &same).await.unwrap().status(), 200);
    let other = ask("app.localhost", "/a").with("cookie", SESSION).with("host", "other.localhost");
    assert_eq!(send(&fixture, true, &other).await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_gone_is_said_plainly_and_the_lease_ends() {
    let fixture = start().await;
    let answer = send(&fixture, false, &ask("gone.localhost", "/").with("cookie", SESSION)).await.unwrap();
    assert_eq!(answer.status(), 502);
    fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstream_connections_are_used_again() {
    let fixture = start().await;
    for _ in 0..5 {
        let answer = send(&fixture, false, &ask("app.localhost", "/%61").with("cookie", SESSION)).await.unwrap();
        assert_eq!(answer.text().await, "received 0");
    }
    assert!(fixture.script.look(|observed| observed.seen.iter().all(|seen| seen.target == "/a")));
}
