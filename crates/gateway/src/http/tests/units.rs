//! Paths, credentials, headers and refusals, without a socket.

use countersign_lease::{Refusal, RefusalKind};
use countersign_model::{Credential, DecisionId, Need, Remedy};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;

use crate::http::credential;
use crate::http::headers::{strip_cookies, strip_request, strip_response};
use crate::http::inspect::{Fault, client};
use crate::http::path::normalize;
use crate::http::refuse::{Form, No};
use crate::http::settings::AddressRange;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_path_has_one_spelling_or_none() {
    let check = |path: &str, expect: Option<&str>| assert_eq!(normalize(path).ok().as_deref(), expect, "{path}");
    for same in ["/", "/a", "/a/", "/a.b/..c/d..", "/.well-known/x", "/.countersign/callback", "/a:b@c,d=e+f"] {
        check(same, Some(same));
    }
    check("/%61dmin", Some("/admin"));
    check("/a%7Eb%2d", Some("/a~b-"));
    check("/caf%c3%a9", Some("/caf%C3%A9"));
    check("/a%20b", Some("/a%20b"));
    check("/a{b}", Some("/a%7Bb%7D"));
    check("/100%25", Some("/100%25"));
    check("/%3f%23", Some("/%3F%23"));
    for refused in [
        "",
        "*",
        "a",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "/./a",
        "/a/.",
        "/../a",
        "/a/..",
        "/a/../b",
        "/%2e/a",
        "/a/%2E%2e/b",
        "/.%2e/a",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0d%0a",
        "/a%7f",
        "/a;b",
        "/a;b=c/d",
        "/a%3bb",
        "/a%252fb",
        "/a%2541",
        "/%25%32%66",
        "/%2%35%32f",
        "/a%",
        "/a%2",
        "/a%zz",
        "/%ff",
        "/%c0%af",
        "/%u002f",
    ] {
        check(refused, None);
    }
}

#[test]
fn normalizing_twice_changes_nothing() {
    for path in ["/%61/%7e/%c3%a9", "/a b".replace(' ', "%20").as_str(), "/x{y}|\"", "/100%25"] {
        let once = normalize(path).unwrap().into_owned();
        assert_eq!(normalize(&once).unwrap(), once);
    }
}

#[test]
fn one_credential_counts_and_ours_stays_here() {
    let own = "eyJ0eXAiOiJjb3VudGVyc2lnbi1vcGVyYXRvcitqd3QiLCJhbGciOiJFZERTQSJ9.e30.x";
    let foreign = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.e30.x";
    let check = |fields: &[(&'static str, &str)], expect: &str, passes: Option<&str>| {
        let mut headers = headers(fields);
        let credential = credential::take(&mut headers, "h");
        let name = match &credential {
            Credential::Absent => "absent".to_owned(),
            Credential::SessionCookie { secret, host } => format!("cookie {} at {host}", secret.expose()),
            Credential::Bearer(secret) => format!("bearer {}", secret.expose()),
            Credential::Ambiguous => "ambiguous".to_owned(),
        };
        assert_eq!(name, expect, "{fields:?}");
        assert_eq!(headers.get("authorization").map(|v| v.to_str().unwrap()), passes, "{fields:?}");
        let cookies = headers.get_all("cookie").iter().map(|v| v.to_str().unwrap()).collect::<String>();
        assert!(!cookies.to_lowercase().contains("countersign"), "{fields:?}: {cookies}");
    };
    let cookie = ("cookie", "a=1; __Host-countersign=s");
    check(&[], "absent", None);
    check(&[cookie], "cookie s at h", None);
    check(&[("authorization", "Bearer cs_k_1")], "bearer cs_k_1", None);
    check(&[("authorization", "bEARER   cs_k_1")], "bearer cs_k_1", None);
    check(&[("authorization", &format!("Bearer {own}"))], &format!("bearer {own}"), None);
    let theirs = format!("Bearer {foreign}");
    check(&[("authorization", &theirs)], "absent", Some(&theirs));
    check(&[("authorization", "Basic YTpi")], "absent", Some("Basic YTpi"));
    check(&[cookie, ("authorization", &theirs)], "cookie s at h", Some(&theirs));
    check(&[cookie, ("authorization", "Bearer cs_k_1")], "ambiguous", None);
    check(&[cookie, ("cookie", "__Host-countersign=t")], "ambiguous", None);
    check(&[("cookie", "__Host-countersign=s; __Host-countersign=s")], "ambiguous", None);
    check(&[("authorization", &theirs), ("authorization", "Bearer cs_k_1")], "ambiguous", None);
    check(&[("authorization", "Basic cs_k_1")], "ambiguous", None);
    check(&[("authorization", "cs_k_1")], "ambiguous", None);
    check(&[("authorization", "Bearer x, Bearer cs_k_1")], "ambiguous", None);
    check(&[("cookie", "__HOST-COUNTERSIGN=s")], "absent", None);
    check(&[("cookie", "__Host-countersign-nonce=s")], "absent", None);
}

#[test]
fn cookies_lose_ours_only() {
    let check = |lines: &[&str], expect: Option<&str>| {
        let mut headers = headers(&lines.iter().map(|line| ("cookie", *line)).collect::<Vec<_>>());
        strip_cookies(&mut headers);
        assert_eq!(headers.get("cookie").map(|v| v.to_str().unwrap()), expect, "{lines:?}");
        assert!(headers.get_all("cookie").iter().count() < 2);
    };
    check(&["a=1; b=\"2\""], Some("a=1; b=\"2\""));
    check(&["a=1", "b=2"], Some("a=1; b=2"));
    check(&["__Host-countersign=x"], None);
    check(&["a=1;__host-Countersign-x=y ;b=2=3"], Some("a=1; b=2=3"));
}

#[test]
fn what_a_client_may_not_say_is_removed_in_every_spelling() {
    let mut sent = headers(&[
        ("countersign-subject", "x"),
        ("countersign_subject", "x"),
        ("countersign.groups", "x"),
        ("x-countersign-email", "x"),
        ("x_countersign_email", "x"),
        ("x-forwarded-for", "x"),
        ("x_forwarded_proto", "x"),
        ("forwarded", "for=x"),
        ("remote_user", "x"),
        ("x-http-method-override", "x"),
        ("x-original-url", "x"),
        ("x_script_name", "x"),
        ("x-remote-group", "x"),
        ("x-goog-iap-jwt-assertion", "x"),
        ("x-ms-client-principal-id", "x"),
        ("content_length", "7"),
        ("transfer_encoding", "chunked"),
        ("proxy", "x"),
        ("connection", "close, x-mine, countersign-subject"),
        ("x-mine", "x"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("accept", "y"),
        ("x-request-id", "y"),
    ]);
    assert!(strip_request(&mut sent).unwrap());
    let left: Vec<_> = sent.keys().map(|name| name.as_str()).collect();
    assert_eq!(left, ["accept", "x-request-id"]);
    for listed in ["host", "cookie", "authorization", "content-length", "transfer-encoding", "a b"] {
        assert!(strip_request(&mut headers(&[("connection", listed)])).is_err(), "{listed}");
    }
}

#[test]
fn an_application_cannot_speak_for_countersign() {
    let sent = [
        ("set-cookie", "a=1"),
        ("set-cookie", "__Host-Countersign=evil; Path=/"),
        ("set-cookie", " __host-countersign-nonce=evil"),
        ("set-cookie", "=__Host-countersign=evil"),
        ("set-cookie", " = =__Host-countersign"),
        ("clear-site-data", "\"cache\", \"cookies\""),
        ("clear-site-data", "\"*\""),
        ("alt-svc", "h3=\":443\""),
        ("countersign-decision", "x"),
        ("connection", "x-mine"),
        ("x-mine", "x"),
    ];
    let mut foreign = headers(&sent);
    strip_response(&mut foreign, true);
    assert_eq!(foreign.len(), 2);
    assert_eq!(foreign.get("set-cookie").unwrap(), "a=1");
    assert_eq!(foreign.get("clear-site-data").unwrap(), "\"cache\"");
    let mut all = headers(&[("clear-site-data", "\"*\"")]);
    strip_response(&mut all, true);
    assert!(all.is_empty());
    let mut own = headers(&sent[..2]);
    strip_response(&mut own, false);
    assert_eq!(own.get_all("set-cookie").iter().count(), 2);
}

#[test]
fn forwarding_is_believed_from_the_right_up_to_the_first_stranger() {
    let trusted: Vec<AddressRange> = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()].into();
    let check = |peer: &str, fields: &[(&'static str, &str)], address: &str, encrypted: bool| {
        let found = client(&headers(fields), peer.parse().unwrap(), false, &trusted);
        assert_eq!(found, Ok((address.parse().unwrap(), encrypted)), "{peer} {fields:?}");
    };
    let spoof = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
    check("9.9.9.9", &spoof, "9.9.9.9", false);
    check("10.0.0.1", &spoof, "1.1.1.1", true);
    check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.2")], "2.2.2.2", false);
    check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")], "2.2.2.2", false);
    check("10.0.0.1", &[("x-forwarded-for", "nonsense, 2.2.2.2, 10.0.0.2")], "2.2.2.2", false);
    check("10.0.0.1", &[], "10.0.0.1", false);
    check("10.0.0.1", &[("x-forwarded-proto", "wss")], "10.0.0.1", true);
    for (written, address) in [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("\"203.0.113.9\"", "203.0.113.9"),
        ("\"203.0.113.9:1\"", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:99", "2001:db8::1"),
        ("\"[2001:db8::1]:99\"", "2001:db8::1"),
    ] {
        check("10.0.0.1", &[("x-forwarded-for", written)], address, false);
    }
    for unreadable in [
        "",
        "unknown",
        "_x",
        "\"",
        "\"1.1.1.1",
        "1.1.1.1:",
        "1.1.1.1:99999",
        "[1.1.1.1]",
        "[::1",
        "1.1.1.1, , 10.0.0.2",
    ] {
        let found = client(&headers(&[("x-forwarded-for", unreadable)]), "10.0.0.1".parse().unwrap(), true, &trusted);
        assert_eq!(found, Err(Fault::Forwarded), "{unreadable}");
    }
    check("10.0.0.1", &[("forwarded", "for=1.1.1.1;proto=https")], "10.0.0.1", false);
    check("10.0.0.1", &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")], "10.0.0.1", false);
    check("::1", &[("x-forwarded-for", "::ffff:3.3.3.3")], "3.3.3.3", false);
    for bad in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "x/8", "10.0.0.0/8/8"] {
        assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
    }
    assert!("0.0.0.0/0".parse::<AddressRange>().unwrap().contains("1.2.3.4".parse().unwrap()));
    assert!("::/0".parse::<AddressRange>().unwrap().contains("fd00::1".parse().unwrap()));
}

async fn text(no: &No, form: Form) -> (http::response::Parts, String) {
    let (parts, body) = no.response(form, "http://countersign.localhost:8080").into_parts();
    (parts, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_refusal_speaks_the_askers_language() {
    let decision = DecisionId::from_random(7);
    let remedy = Remedy { needs: Vec::new(), advice: Some("Ask <b>IT</b>.".to_owned()) };
    let kind = RefusalKind::Denied { remedy: Some(remedy) };
    let no = No::Refused(Refusal { decision: Some(decision), kind });

    let browser = Form::of(&Method::GET, &headers(&[("accept", "text/html,*/*;q=0.8")]));
    assert_eq!(browser, Form::Page { navigation: true });
    let (parts, html) = text(&no, browser).await;
    assert_eq!(parts.status, 403);
    assert!(html.contains(&decision.to_string()) && html.contains("Ask &lt;b&gt;IT&lt;/b&gt;."), "{html}");
    assert!(parts.headers["content-security-policy"].to_str().unwrap().contains("style-src 'sha256-"));
    assert_eq!(parts.headers["cache-control"], "no-store");

    // Where steps are known they are told, and not once more in the author's words; a programme gets both.
    let advice = Some("Use a managed device.".to_owned());
    let remedy = Remedy { needs: vec![Need::EnrolledDevice, Need::ManagedDevice], advice };
    let kind = RefusalKind::Denied { remedy: Some(remedy) };
    let no = No::Refused(Refusal { decision: Some(decision), kind });
    let (_, html) = text(&no, browser).await;
    assert!(html.contains("<p>Use a device that your organisation manages.</p>"), "{html}");
    assert!(!html.contains("Use a managed device.") && !html.contains("enrolled"), "{html}");

    let programme = Form::of(&Method::GET, &headers(&[("accept", "*/*")]));
    let (parts, json) = text(&no, programme).await;
    assert_eq!(parts.headers["content-type"], "application/problem+json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["decision"], decision.to_string());
    assert_eq!(json["reason"], "denied");
    assert_eq!(json["needs"][1]["need"], "managed-device");
    assert_eq!(json["advice"], "Use a managed device.");

    let grpc = Form::of(&Method::POST, &headers(&[("content-type", "application/grpc+proto")]));
    let (parts, _) = text(&no, grpc).await;
    assert_eq!((parts.status.as_u16(), &parts.headers["grpc-status"]), (200, &HeaderValue::from_static("7")));

    let needs = vec![Need::PhishingResistantSignIn];
    let kind = RefusalKind::Challenged { remedy: Remedy { needs, advice: None } };
    let (parts, _) = text(&No::Refused(Refusal { decision: Some(decision), kind }), programme).await;
    assert_eq!(parts.status, 401);
    assert!(parts.headers["www-authenticate"].to_str().unwrap().contains("insufficient_user_authentication"));
    let (parts, _) = text(&No::Overloaded, programme).await;
    assert_eq!((parts.status.as_u16(), &parts.headers["retry-after"]), (503, &HeaderValue::from_static("1")));
    let script = Form::of(&Method::GET, &headers(&[("accept", "text/html"), ("sec-fetch-mode", "cors")]));
    assert_eq!(script, Form::Problem);
}
