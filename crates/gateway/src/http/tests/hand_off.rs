//! To sign-in and back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::client::{ask, send};
use super::fixture::start;

fn parameter<'a>(location: &'a str, name: &str) -> Option<&'a str> {
    location.split_once('?')?.1.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_sent_to_sign_in_and_a_programme_is_told() {
    let fixture = start().await;
    let browser = ask("app.localhost:8080", "/wiki?page=1&x=%2F").with("accept", "text/html");
    let answer = send(&fixture, false, &browser).await.unwrap();
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("http://countersign.localhost:8080/sign-in?"), "{location}");
    assert_eq!(parameter(location, "host"), Some("app.localhost"));
    assert_eq!(parameter(location, "return"), Some("/wiki%3Fpage%3D1%26x%3D%252F"));
    assert_eq!(parameter(location, "step_up"), Some("0"));
    assert_eq!(parameter(location, "decision").map(str::len), Some(32));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let (nonce, rest) = cookie.strip_prefix("__Host-countersign-nonce=").unwrap().split_once(';').unwrap();
    assert_eq!(rest, " Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600");
    assert_eq!(nonce.len(), 43);
    assert_eq!(parameter(location, "nonce").unwrap(), URL_SAFE_NO_PAD.encode(Sha256::digest(nonce)));
    assert!(!location.contains(nonce), "the nonce itself is in no address");

    let second = browser.clone().with("cookie", &format!("__Host-countersign-nonce={nonce}"));
    let answer = send(&fixture, false, &second).await.unwrap();
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains(nonce), "two tabs share one nonce");

    for other in [
        ask("app.localhost", "/wiki"),
        browser.clone().with("sec-fetch-mode", "cors"),
        super::client::Ask { method: http::Method::POST, ..browser },
    ] {
        assert_eq!(send(&fixture, false, &other).await.unwrap().status(), 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_counts_only_with_the_nonce_of_this_browser() {
    let fixture = start().await;
    let nonce = format!("__Host-countersign-nonce={}", "n".repeat(43));
    let check = async |target: &str, cookie: &str, status: u16| {
        let answer = send(&fixture, false, &ask("app.localhost", target).with("cookie", cookie)).await.unwrap();
        assert_eq!(answer.status(), status, "{target} {cookie}");
        answer
    };
    let code = "/.countersign/callback?code=a-one-time-code-of-length";
    let answer = check(code, &nonce, 303).await;
    assert_eq!(answer.headers()["location"], "/wiki?page=1");
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    assert_eq!(
        cookies,
        [
            "__Host-countersign=good; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600",
            "__Host-countersign-nonce=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
        ]
    );
    let redeemed = fixture.script.look(|observed| observed.redeemed[0].clone());
    assert_eq!((redeemed.nonce.expose(), redeemed.host.as_str()), ("n".repeat(43).as_str(), "app.localhost"));

    let astray = check("/.countersign/callback?code=a-code-that-leads-astray", &nonce, 303).await;
    assert_eq!(astray.headers()["location"], "/");

    check(code, "a=1", 400).await;
    check(code, &format!("{nonce}; {nonce}"), 400).await;
    check("/.countersign/callback?code=another-code-of-some-length", &nonce, 400).await;
    check("/.countersign/callback", &nonce, 400).await;
    check(&format!("{code}&code=another-code-of-some-length"), &nonce, 400).await;
    check("/.countersign/", &nonce, 404).await;
    check("/.countersign", &nonce, 404).await;
    check("/.countersigned", "a=1", 401).await;
    assert_eq!(fixture.script.look(|observed| observed.seen.len()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_may_offer_to_sign_in_though_nothing_demands_it() {
    let fixture = start().await;
    for (target, back) in [
        ("/.countersign/sign-in", "/"),
        ("/.countersign/sign-in?return=%2Fnews%3Fa%3Db%26c", "%2Fnews%3Fa%3Db%26c"),
        ("/.countersign/sign-in?return=/a&return=/b", "/"),
        ("/.countersign/sign-in?return=/a&nonce=mine&host=other.localhost&step_up=1", "/a"),
    ] {
        // Where nothing is served it looks the same.
        for host in ["app.localhost:8080", "unknown.localhost:8080"] {
            let answer = send(&fixture, false, &ask(host, target)).await.unwrap();
            assert_eq!(answer.status(), 303, "{target}");
            let location = answer.headers()["location"].to_str().unwrap();
            assert!(location.starts_with("http://countersign.localhost:8080/sign-in?host="), "{location}");
            assert_eq!(parameter(location, "host"), host.strip_suffix(":8080"), "{location}");
            assert_eq!(parameter(location, "return"), Some(back), "{location}");
            assert_eq!(parameter(location, "step_up"), Some("0"));
            let cookie = answer.headers()["set-cookie"].to_str().unwrap();
            let nonce = cookie.strip_prefix("__Host-countersign-nonce=").unwrap().split_once(';').unwrap().0;
            assert_eq!(parameter(location, "nonce").unwrap(), URL_SAFE_NO_PAD.encode(Sha256::digest(nonce)));
            assert_eq!(location.matches("nonce=").count(), 1, "{location}");
        }
    }
    let posted = super::client::Ask { method: http::Method::POST, ..ask("app.localhost", "/.countersign/sign-in") };
    assert_eq!(send(&fixture, false, &posted).await.unwrap().status(), 404);
    assert_eq!(send(&fixture, false, &ask("app.localhost", "/.countersign/sign-in/x")).await.unwrap().status(), 404);
    assert_eq!(fixture.script.look(|observed| (observed.seen.len(), observed.asked.len())), (0, 0));
}
