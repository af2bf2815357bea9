//! The messages, against bytes written by hand from the protocol files, and what is read out of a request.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use super::*;

fn request(host: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let field = |(key, value): &(&str, &str)| HeaderField {
        key: (*key).to_owned(),
        value: String::new(),
        raw_value: Bytes::copy_from_slice(value.as_bytes()),
    };
    let http = HttpAttributes {
        method: "GET".to_owned(),
        headers: HashMap::new(),
        path: path.to_owned(),
        host: host.to_owned(),
        scheme: "http".to_owned(),
        header_map: Some(Fields { headers: headers.iter().map(field).collect() }),
    };
    let address = Some(Address { socket_address: Some(SocketAddress { address: "192.0.2.7".to_owned() }) });
    CheckRequest {
        attributes: Some(Attributes {
            source: Some(Peer { address, certificate: String::new() }),
            request: Some(AttributesRequest { http: Some(http) }),
        }),
    }
}

#[test]
fn a_request_is_read_as_envoy_writes_it() {
    // attributes(1) { source(1) { address(1) { socket_address(1) { protocol(1)=0, address(2), port_value(3) } },
    // principal(4) } request(4) { http(2) { method(2) headers(3) path(4) host(5) scheme(6) protocol(10) } } }
    let mut http = b"\x12\x03GET".to_vec();
    http.extend(b"\x1a\x08\x0a\x03x-a\x12\x011");
    http.extend(b"\x22\x02/a\x2a\x03app\x32\x05https\x52\x08HTTP/1.1");
    let mut socket = b"\x12\x09192.0.2.7\x18\xd2\x09".to_vec();
    let wrap = |tag: u8, inner: &[u8]| {
        let mut out = vec![tag, u8::try_from(inner.len()).unwrap()];
        out.extend(inner);
        out
    };
    socket = wrap(0x0a, &wrap(0x0a, &socket));
    socket.extend(b"\x22\x03who");
    let mut attributes = wrap(0x0a, &socket);
    attributes.extend(wrap(0x22, &wrap(0x12, &http)));
    let original = original(CheckRequest::decode(wrap(0x0a, &attributes).as_slice()).unwrap()).unwrap();
    assert_eq!((original.parts.method.as_str(), original.parts.uri.path()), ("GET", "/a"));
    assert_eq!(
        (original.parts.headers["host"].as_bytes(), original.parts.headers["x-a"].as_bytes()),
        (&b"app"[..], &b"1"[..])
    );
    assert_eq!((original.address.to_string().as_str(), original.encrypted), ("192.0.2.7", true));
}

#[test]
fn what_is_missing_or_has_two_readings_is_refused() {
    let check = |change: &dyn Fn(&mut CheckRequest), expect: Fault| {
        let mut request = request("app", "/a", &[]);
        change(&mut request);
        assert_eq!(original(request).err(), Some(expect));
    };
    fn http(request: &mut CheckRequest) -> &mut HttpAttributes {
        request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap()
    }
    check(&|request| request.attributes = None, Fault::Original);
    check(&|request| request.attributes.as_mut().unwrap().source = None, Fault::Forwarded);
    check(&|request| request.attributes.as_mut().unwrap().request = None, Fault::Original);
    check(&|request| http(request).scheme = String::new(), Fault::Original);
    check(&|request| http(request).path = String::new(), Fault::Original);
    check(&|request| http(request).path = "/a#b".to_owned(), Fault::Original);
    check(&|request| http(request).method = "GET POST".to_owned(), Fault::Original);
    let source = |request: &mut CheckRequest, address: &str, certificate: &str| {
        let source = request.attributes.as_mut().unwrap().source.as_mut().unwrap();
        source.address = Some(Address { socket_address: Some(SocketAddress { address: address.to_owned() }) });
        source.certificate = certificate.to_owned();
    };
    check(&|request| source(request, "localhost", ""), Fault::Forwarded);
    check(&|request| source(request, "192.0.2.7", "%2"), Fault::Original);
    check(&|request| source(request, "192.0.2.7", "nonsense"), Fault::Original);
    assert_eq!(original(request("app", "/a", &[("host", "other")])).err(), Some(Fault::Host));
    assert_eq!(original(request("app", "/a", &[("bad name", "x")])).err(), Some(Fault::Original));
    // Left to the reading that all requests get, which refuses them.
    let two = original(request("a,b", "/a", &[(":authority", "a,b")])).unwrap();
    assert_eq!(inspect(&two), Some(Fault::Host));
    let repeated = original(request("app", "/a", &[("authorization", "a"), ("authorization", "b")])).unwrap();
    assert_eq!(repeated.parts.headers.get_all("authorization").iter().count(), 2);
}

fn inspect(original: &Original) -> Option<Fault> {
    crate::http::inspect::inspect(&original.parts, &crate::http::Limits::default()).err()
}

#[test]
fn what_is_granted_overwrites_and_what_is_empty_or_forged_is_removed() {
    let mut headers = HeaderMap::new();
    headers.insert("countersign-subject", HeaderValue::from_static("human:alice"));
    headers.insert("cookie", HeaderValue::from_static(""));
    let granted = Granted {
        headers,
        spoofed: vec![HeaderName::from_static("x-auth-user")],
        subject: "human:alice".to_owned(),
        decision: "d".to_owned(),
    };
    let answer = CheckResponse::decode(allowed(&granted).encode_to_vec().as_slice()).unwrap();
    assert_eq!(answer.status.unwrap().code, 0);
    let Some(HttpResponse::Ok(ok)) = answer.http_response else { unreachable!() };
    let [put] = ok.headers.as_slice() else { unreachable!() };
    assert!(!put.append.as_ref().unwrap().value);
    assert_eq!(put.header.as_ref().unwrap().value, "human:alice");
    assert_eq!(ok.headers_to_remove, ["cookie", "x-auth-user"]);
    let fields = answer.dynamic_metadata.unwrap().fields;
    assert_eq!((fields["decision"].string.as_str(), fields["subject"].string.as_str()), ("d", "human:alice"));
}
