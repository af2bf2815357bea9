//! Signing in again, proving it anew, and going back to the host that asked: each as the page's script does it.

use countersign_lease::HandOff;

use super::*;

/// SHA-256 of `nonce`, base64url.
const NONCE_HASH: &str = "eDd7UldXtJRCf4kBT5fXmSjzk40U61HiD7XeyYNOswQ";

/// What the script posts, and what it gets.
async fn ceremony(stage: &Stage, person: &mut Person, signed_in: bool, wish: Value) -> Answer {
    let begun = {
        let who = signed_in.then_some(&*person);
        stage.json("sign-in", who, Method::POST, "/sign-in/passkey/begin", wish.clone()).await.json()
    };
    let credential = person.authenticator.get(&begun["options"], ORIGIN).unwrap();
    let mut finish = json!({ "ceremony": begun["ceremony"], "credential": credential });
    for (name, value) in wish.as_object().unwrap() {
        finish[name] = value.clone();
    }
    let who = signed_in.then_some(&*person);
    stage.json("sign-in", who, Method::POST, "/sign-in/passkey/finish", finish).await
}

#[tokio::test]
async fn a_passkey_signs_in_and_goes_back_to_the_path() {
    let stage = stage();
    let mut alice = stage.owner("alice").await;
    let done = ceremony(&stage, &mut alice, false, json!({ "return": "/my/keys?x=1" })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.json()["location"], "/my/keys?x=1");
    assert_ne!(session_secret(&done), alice.secret);
    let done = ceremony(&stage, &mut alice, false, json!({ "return": "//evil.example" })).await;
    assert_eq!(done.json()["location"], "/");
}

#[tokio::test]
async fn a_step_up_renews_the_session_and_its_secret() {
    let stage = stage();
    let mut alice = stage.owner("alice").await;
    let page = stage.get("sign-in", Some(&alice), "/sign-in?step_up=1&return=%2Fconsole").await;
    assert!(page.body.contains("Confirm with your passkey"));
    let done = ceremony(&stage, &mut alice, true, json!({ "step_up": "1", "return": "/console" })).await;
    assert_eq!((done.status, &done.json()["location"]), (StatusCode::OK, &json!("/console")), "{}", done.body);
    let secret = session_secret(&done);
    assert_ne!(secret, alice.secret);
    let old = Credential::SessionCookie { secret: CredentialSecret::new(alice.secret.as_str()), host: HOST.to_owned() };
    let read = (ActionClass::Read, "/");
    assert!(stage.open(old, DeviceEvidence::Absent, "countersign-portal", read).await.is_err());
    let again = stage.admit(secret, SoftwarePasskey::new()).await;
    assert_eq!(again.principal.session, alice.principal.session);
}

#[tokio::test]
async fn whoever_is_nobody_yet_hears_no_names() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.fill().await;
    let page = async |host: &str| {
        let path = format!("/sign-in?host={host}&return=%2F&nonce={NONCE_HASH}");
        stage.get("sign-in", None, &path).await.body.replace(host, "HOST")
    };
    assert_eq!(page("wiki.localhost").await, page("none.localhost").await);
    let known = stage.get("sign-in", Some(&alice), "/sign-in?host=wiki.localhost&return=%2F&step_up=1").await;
    assert!(known.body.contains("<strong>"), "{}", known.body);
}

#[tokio::test]
async fn the_hand_off_goes_to_the_host_that_asked_and_works_once() {
    let stage = stage();
    let mut alice = stage.owner("alice").await;
    stage.fill().await;
    let wish = json!({ "host": "wiki.localhost", "return": "/page?a=b", "nonce": NONCE_HASH });
    let done = ceremony(&stage, &mut alice, false, wish).await;
    let location = done.json()["location"].as_str().unwrap().to_owned();
    let code = location.strip_prefix("http://wiki.localhost:8080/.countersign/callback?code=").unwrap();
    let gate = Gate::new(Arc::new(stage.administrator.clone()));
    let hand_off = |host: &str, nonce: &str| HandOff {
        code: CredentialSecret::new(code),
        nonce: CredentialSecret::new(nonce),
        host: host.to_owned(),
        device: DeviceEvidence::Absent,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let redeemed = gate.redeem(hand_off("wiki.localhost", "nonce")).await.unwrap();
    assert_eq!(redeemed.return_to, "/page?a=b");
    assert!(gate.redeem(hand_off("wiki.localhost", "nonce")).await.is_err(), "once");
    // Who is signed in already goes on at once.
    let query = format!("/sign-in?host=wiki.localhost&return=%2F&nonce={NONCE_HASH}");
    let on = stage.get("sign-in", Some(&alice), &query).await;
    let on = on.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert!(on.starts_with("http://wiki.localhost:8080/.countersign/callback?code="), "{on}");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let other = stage.admit(alice.secret.clone(), SoftwarePasskey::new()).await;
    let out = stage.form("sign-in", Some(&alice), "/sign-in/sign-out", "").await;
    signed_out(&stage, &out, &alice, &other);
}

/// The session is over and the browser is told to forget it; the answer that tells it is not cut, everything else is.
fn signed_out(stage: &Stage, answer: &Answer, asking: &Person, other: &Person) {
    assert_eq!(answer.headers[header::LOCATION], "/sign-in/signed-out");
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-countersign=;") && cookie.ends_with("Max-Age=0"), "{cookie}");
    assert!(stage.administrator.session(asking.principal.session.unwrap()).is_none());
    assert!(asking.lease.watch().revocation().is_none(), "the very answer was cut");
    assert!(other.lease.watch().revocation().is_some(), "another request of the session was not cut");
}

#[tokio::test]
async fn whoever_ends_their_own_session_otherwise_is_signed_out_too() {
    let stage = Stage::new("", Vec::new());
    let mut alice = stage.owner("alice").await;
    let mut begun = Vec::new();
    for _ in 0..2 {
        let done = ceremony(&stage, &mut alice, false, json!({})).await;
        let mine = stage.admit(session_secret(&done), SoftwarePasskey::new()).await;
        let other = stage.admit(mine.secret.clone(), SoftwarePasskey::new()).await;
        begun.push((mine, other));
    }
    for ((mine, other), (part, url)) in
        begun.iter().zip([("portal", "/my/sessions/ID/end"), ("console", "/console/sessions/ID/kill")])
    {
        let url = url.replace("ID", &mine.principal.session.unwrap().to_string());
        let out = stage.form(part, Some(mine), &url, "").await;
        signed_out(&stage, &out, mine, other);
    }
    // Somebody else's session, or one's own elsewhere, is only ended.
    let bob = stage.owner("bob").await;
    let url = format!("/console/sessions/{}/kill", bob.principal.session.unwrap());
    let ended = stage.form("console", Some(&alice), &url, "").await;
    assert!(ended.headers[header::LOCATION].to_str().unwrap().ends_with("done=session-ended"));
    assert!(bob.lease.watch().revocation().is_some() && !ended.headers.contains_key(header::SET_COOKIE));

    // The passkey that this session was made with.
    stage.administrator.invite(&alice.principal.subject, Duration::from_secs(60), &operator()).await.unwrap();
    let other = stage.admit(alice.secret.clone(), SoftwarePasskey::new()).await;
    let mine = stage.administrator.passkeys(&alice.principal.subject).await.unwrap();
    let url = crate::portal::passkey_url(&mine[0].credential, "remove");
    let out = stage.form("portal", Some(&alice), &url, "").await;
    signed_out(&stage, &out, &alice, &other);
}

#[tokio::test]
async fn passkeys_are_explained_where_browsers_do_not_offer_them() {
    let stage = stage();
    for (scheme, host, offered) in [
        ("http", "countersign.localhost", true),
        ("https", "countersign.example.org", true),
        ("http", "127.0.0.1", true),
        ("http", "countersign.example.org", false),
        ("http", "10.0.0.7", false),
    ] {
        for path in ["/sign-in", "/invite"] {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            request.extensions_mut().insert(nobody());
            let here = Arrival { scheme, host: host.to_owned(), ..arrival(DecisionId::from_random(4)) };
            request.extensions_mut().insert(here);
            let page = stage.send("sign-in", request).await;
            assert_eq!(page.body.contains("data-ceremony"), offered, "{scheme} {host} {path}");
            assert_eq!(page.body.contains("Passkeys do not work at this address."), !offered, "{scheme} {host} {path}");
        }
    }
}
