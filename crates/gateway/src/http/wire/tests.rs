//! Framing with one reading passes, everything else does not, however the bytes are cut up.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use super::{Fault, Scanner};

/// Scans `bytes` whole, in every two pieces, and byte by byte: the verdict must be the same.
fn check(bytes: &str, passes: bool) {
    let bytes = bytes.as_bytes();
    let whole = Scanner::default().scan(bytes);
    assert_eq!(whole.is_ok(), passes, "{:?}: {whole:?}", String::from_utf8_lossy(bytes));
    for at in 0..bytes.len() {
        let mut scanner = Scanner::default();
        let pieces = scanner.scan(&bytes[..at]).and_then(|()| scanner.scan(&bytes[at..]));
        assert_eq!(pieces.is_ok(), passes, "{:?} cut at {at}", String::from_utf8_lossy(bytes));
    }
    let mut scanner = Scanner::default();
    let single = bytes.iter().try_for_each(|byte| scanner.scan(&[*byte]));
    assert_eq!(single.is_ok(), passes, "{:?} byte by byte", String::from_utf8_lossy(bytes));
}

#[test]
fn plain_requests_pass_one_after_the_other() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET\n\0";
    let chunked = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\n\0\r\n0\r\nT: x\r\n\r\n";
    check(get, true);
    check(&format!("{get}{post}{chunked}{get}"), true);
    check("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", true);
    check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", true);
}

#[test]
fn two_readings_are_refused() {
    let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 4",
        "Content-Length: +4",
        "Content-Length: 0x4",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "X: a\r\n Transfer-Encoding: chunked",
        "X: a\r\n\tb",
        "X: a\nTransfer-Encoding: chunked",
        "X: a\rTransfer-Encoding: chunked",
        "X: a\0b",
        "X",
        ": a",
        "Host: b",
        "hOsT: a",
    ] {
        check(&head(fields), false);
    }
    for head in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        check(head, false);
    }
}

#[test]
fn chunks_have_one_shape() {
    let body = |chunks: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    for chunks in
        ["1;x=y\r\na\r\n0\r\n\r\n", "1\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", " 1\r\na\r\n", "\r\n", "g\r\n"]
    {
        check(&body(chunks), false);
    }
    for chunks in
        ["1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "ffffffffffffffff\r\n", "0\r\nT x\r\n\r\n", "0\r\nT: x\n\r\n"]
    {
        check(&body(chunks), false);
    }
}

#[test]
fn a_fault_in_a_head_is_reported_at_the_line_that_has_it() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n";
    let at = bytes.iter().position(|&byte| byte == b'a').unwrap() + 1;
    assert_eq!(Scanner::default().scan(bytes), Err(Fault::InHead { at }));
}
