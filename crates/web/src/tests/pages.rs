//! Every page renders, escapes what it shows, and comes with the headers that every answer has; whatever changes
//! something refuses a request from elsewhere.

use super::*;

pub(super) const PAGES: &[(&str, &str)] = &[
    ("sign-in", "/sign-in?step_up=1"),
    ("sign-in", "/invite"),
    ("sign-in", "/sign-in/signed-out"),
    ("sign-in", "/.well-known/jwks.json"),
    ("portal", "/"),
    ("portal", "/my/sessions?done=session-ended"),
    ("portal", "/my/devices"),
    ("portal", "/my/passkeys"),
    ("portal", "/my/keys"),
    ("portal", "/my/reviews"),
    ("console", "/console"),
    ("console", "/console/decisions"),
    ("console", "/console/decisions?effect=allow&subject=human%3Aalice&resource=%3Cscript%3Ealert"),
    ("console", "/console/sessions?subject=%3Cscript%3Ealert"),
    ("console", "/console/leases"),
    ("console", "/console/subjects?search=alice"),
    ("console", "/console/subjects/human%3Aalice"),
    ("console", "/console/groups"),
    ("console", "/console/devices"),
    ("console", "/console/devices/phone%20%3Cb%3E"),
    ("console", "/console/resources"),
    ("console", "/console/resources/payroll"),
    ("console", "/console/policies?done=policies-published"),
    ("console", "/console/policy-set"),
    ("console", "/console/new-resource"),
    ("console", "/console/resources/payroll/edit"),
    ("console", "/console/access"),
    (
        "console",
        "/console/access?action=http%3Awrite&sign_in=multi-factor&sign_in_age=90&device=none&network=loopback&unencrypted=1&at=2026-12-24T23%3A00",
    ),
    ("console", "/console/access/who?resource=payroll"),
    ("console", "/console/access/who?resource=payroll&action=http%3Aread&sign_in=passkey&device=compliant&kind=human"),
    ("console", "/console/access/why"),
    ("console", "/console/access/why?subject=human%3Aalice&resource=payroll&action=http%3Aread"),
    ("console", "/console/coverage"),
    ("console", "/console/exceptions?done=exception-ended"),
    ("console", "/console/new-exception"),
    ("console", "/console/undocumented"),
    ("console", "/console/reviews"),
    ("console", "/console/new-review"),
    ("console", "/console/estate"),
    ("console", "/console/estate?search=%3Cscript%3Ealert&kind=account&found=on&unclassified=on"),
    ("console", "/console/estate/imports"),
    ("console", "/console/estate/links"),
    ("console", "/console/estate/links?state=linked"),
    ("console", "/console/map"),
    ("console", "/console/map?by=tier"),
    ("console", "/console/map?by=segment&open=segment"),
    ("console", "/console/map?by=kind&open=kind%3Aaccount"),
    ("console", "/console/map/edges?by=kind&from=kind%3Aaccount&to=kind%3Aaccount"),
    ("console", "/console/gaps"),
    ("console", "/console/gaps?as_of=2024-02-29"),
    ("console", "/console/gaps?day=17000"),
    ("console", "/console/gaps?all=1"),
    ("console", "/console/gaps/break-glass"),
    ("console", "/console/gaps/strong-sign-in"),
    ("console", "/console/board?done=step-assigned"),
    ("console", "/console/health"),
    ("console", "/console/health?as_of=2024-02-29"),
    ("console", "/console/health?day=17000"),
    ("console", "/console/health/indicators/password-never-expires"),
    ("console", "/console/health/query?text=account%20or%20%3Cscript%3Ealert"),
    ("console", "/console/health/query?text=not%20gone"),
    ("console", "/console/health/query?text=account"),
    ("console", "/console/health/paths?from=%3Cscript%3Ealert"),
    ("console", "/console/health/paths?from=ann"),
    ("console", "/console/keys"),
    ("console", "/console/invitations"),
    ("console", "/console/ledger"),
];

fn has_the_headers(answer: &Answer, path: &str) {
    assert_eq!(answer.headers[header::CONTENT_SECURITY_POLICY], crate::headers::POLICY, "{path}");
    assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin", "{path}");
    assert!(answer.headers.contains_key(header::CACHE_CONTROL), "{path}");
}

#[tokio::test]
async fn every_page_renders_and_escapes() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.fill().await;
    stage.imports(&alice).await;
    let mut pages: Vec<(&str, String)> = PAGES.iter().map(|(part, path)| (*part, (*path).to_owned())).collect();
    pages.push(("console", format!("/console/decisions/{}", alice.decision)));
    pages.push(("console", format!("/console/sessions/{}", alice.principal.session.unwrap())));
    let key = super::estate::ANN;
    pages.push(("console", "/console/estate/imports/1".to_owned()));
    pages.push(("console", format!("/console/estate/identity?key={key}")));
    pages.push(("console", format!("/console/estate/identity?key={key}&as_of=2017-02-01")));
    pages.push(("console", format!("/console/estate/identity/edges?key={key}&direction=incoming")));
    for policy in stage.administrator.policies().policies() {
        pages.push(("console", crate::console::policy_url(&policy.id)));
    }
    for (part, path) in pages {
        let answer = stage.get(part, Some(&alice), &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        has_the_headers(&answer, &path);
        assert!(!answer.body.contains("<script>"), "{path}");
        assert!(!answer.body.contains("\"/assets/\""), "{path} names an asset that is not there");
        assert!(!answer.body.contains("style=\"") && !answer.body.contains("onclick"), "{path} has something inline");
    }
}

#[tokio::test]
async fn an_unknown_address_looks_like_a_forbidden_one() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    for (part, path) in [
        ("console", "/console/nothing"),
        ("console", "/console/decisions/zzz"),
        ("console", "/console/decisions/00000000000000000000000000000000"),
        ("console", "/console/subjects/human%3Anobody"),
        ("console", "/console/devices/none"),
        ("portal", "/my/nothing"),
        ("sign-in", "/assets/style.css"),
        ("api", "/api/v1/nothing"),
        ("api", "/api/v1/sessions/zzz"),
        ("api", "/api/v1/subjects/human:nobody"),
        ("ledger", "/ledger/tile/../checkpoint"),
        ("ledger", "/ledger/tile/entries/999"),
    ] {
        let answer = stage.get(part, Some(&alice), path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.body);
        has_the_headers(&answer, path);
    }
}

#[tokio::test]
async fn whatever_changes_something_refuses_another_origin() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let session = alice.principal.session.unwrap();
    let kill = format!("/console/sessions/{session}/kill");
    let end = format!("/my/sessions/{session}/end");
    let delete = format!("/api/v1/sessions/{session}");
    let targets = [
        ("console", Method::POST, kill.as_str()),
        ("console", Method::POST, "/console/keys"),
        ("console", Method::POST, "/console/new-exception"),
        ("console", Method::POST, "/console/exceptions/e1/approve"),
        ("console", Method::POST, "/console/exceptions/e1/end"),
        ("api", Method::POST, "/api/v1/exceptions/e1/approve"),
        ("console", Method::POST, "/console/policy-set"),
        ("console", Method::POST, "/console/policy-set/review"),
        ("console", Method::POST, "/console/policy-set/publish"),
        ("console", Method::POST, "/console/new-resource"),
        ("console", Method::POST, "/console/resources/payroll/edit"),
        ("console", Method::POST, "/console/resources/payroll/remove"),
        ("portal", Method::POST, end.as_str()),
        ("sign-in", Method::POST, "/sign-in/sign-out"),
        ("sign-in", Method::POST, "/sign-in/passkey/begin"),
        ("console", Method::POST, "/console/estate/imports"),
        ("console", Method::POST, "/console/estate/imports/stop"),
        ("console", Method::POST, "/console/estate/links"),
        ("console", Method::POST, "/console/estate/classify"),
        ("console", Method::POST, "/console/board/assign"),
        ("console", Method::POST, "/console/board/release"),
        ("console", Method::POST, "/console/gaps/break-glass/attest"),
        ("console", Method::POST, "/console/gaps/break-glass/take-back"),
        ("api", Method::POST, "/api/v1/estate/attestations"),
        ("api", Method::PUT, "/api/v1/estate/steps/leavers/assignment"),
        ("api", Method::POST, "/api/v1/estate/imports"),
        ("api", Method::DELETE, delete.as_str()),
        ("api", Method::PUT, "/api/v1/policies"),
        ("device", Method::POST, "/device/report"),
    ];
    let origins: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://countersign.localhost")],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", ORIGIN), ("sec-fetch-site", "same-site")],
        &[("origin", ORIGIN), ("origin", "http://evil.example")],
    ];
    for (part, method, path) in targets {
        for headers in origins {
            let mut request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
            for (name, value) in headers {
                request.headers_mut().append(*name, value.parse().unwrap());
            }
            request.extensions_mut().insert(alice.principal.clone());
            request.extensions_mut().insert(arrival(alice.decision));
            let answer = stage.send(part, request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {headers:?}");
            has_the_headers(&answer, path);
        }
    }
    assert_eq!(stage.administrator.sessions(&Default::default()).len(), 1);
}

#[tokio::test]
async fn a_request_that_did_not_pass_the_gate_gets_nothing() {
    let stage = stage();
    for (part, path) in PAGES {
        let answer = stage.send(part, Request::get(*path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        has_the_headers(&answer, path);
    }
}

#[tokio::test]
async fn assets_have_the_address_of_their_content() {
    let stage = stage();
    for name in ["style.css", "passkey.js", "live.js", "estate.js", "as_of.js", "mark.svg"] {
        let answer = stage.get("sign-in", None, crate::assets::url(name)).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert!(answer.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{name}");
    }
}

#[tokio::test]
async fn a_killed_session_is_gone() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let bob = stage.owner("bob").await;
    let session = bob.principal.session.unwrap();
    // Not one's own: absent.
    let answer = stage.form("portal", Some(&alice), &format!("/my/sessions/{session}/end"), "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = stage.form("console", Some(&alice), &format!("/console/sessions/{session}/kill"), "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.headers[header::LOCATION], "/console/sessions?done=session-ended");
    assert_eq!(stage.administrator.sessions(&Default::default()).len(), 1);
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    for (wish, expected) in [
        ("return=%2Fmy%2Fkeys", "/my/keys"),
        ("return=%2F%2Fevil.example", "/"),
        ("return=%2F%5Cevil.example", "/"),
        ("return=https%3A%2F%2Fevil.example", "/"),
        ("host=evil.example&return=%2F&nonce=x", "/"),
    ] {
        let answer = stage.get("sign-in", Some(&alice), &format!("/sign-in?{wish}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{wish}");
        assert_eq!(answer.headers[header::LOCATION], expected, "{wish}");
    }
}
