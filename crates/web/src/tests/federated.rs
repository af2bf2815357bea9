//! Sign-in through a provider that follows a script: out and back with the flow's cookie, an invitation accepted there,
//! a step-up, and the provider's word that a session is over.

use countersign_administrator::Provision;
use countersign_identity::oidc::{HttpClient, MethodMapping, ProviderSettings};
use countersign_testkit::provider::{CLIENT, CLIENT_SECRET, Key, REDIRECT, ScriptedProvider};

use super::*;

fn parts(scripted: &ScriptedProvider) -> ProviderParts {
    let settings = ProviderSettings {
        issuer: scripted.issuer.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(CredentialSecret::new(CLIENT_SECRET)),
        redirect_uri: REDIRECT.to_owned(),
        scopes: vec!["email".to_owned()],
        methods: MethodMapping::default(),
    };
    ProviderParts {
        name: "corp".to_owned(),
        settings,
        provision: Provision::LinkedOnly,
        http: HttpClient::new(None).unwrap(),
    }
}

pub(super) async fn providers() -> Vec<ProviderParts> {
    vec![parts(&ScriptedProvider::start(SystemClock.now()).await)]
}

fn flow_cookie(answer: &Answer) -> String {
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

async fn come_back(stage: &Stage, who: Option<&Person>, query: &str, cookies: &[&str]) -> Answer {
    let mut request = Request::get(format!("/sign-in/federated/corp/callback?{query}")).body(Body::empty()).unwrap();
    for cookie in cookies {
        request.headers_mut().append(header::COOKIE, cookie.parse().unwrap());
    }
    request.extensions_mut().insert(who.map_or_else(nobody, |who| who.principal.clone()));
    request.extensions_mut().insert(arrival(DecisionId::from_random(1)));
    stage.send("sign-in", request).await
}

/// Somebody with an account at the provider, linked by invitation.
async fn invited() -> (Stage, ScriptedProvider, Person, Answer) {
    let scripted = ScriptedProvider::start(SystemClock.now()).await;
    let stage = Stage::new("", vec![parts(&scripted)]);
    let alice = stage.owner("alice").await;
    let body = json!({ "subject": "human:bea", "display_name": "Bea" });
    let link = stage.json("api", Some(&alice), Method::POST, "/api/v1/invitations", body).await.json();
    let secret = link["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let page = stage.get("sign-in", None, "/invite").await;
    assert!(page.body.contains("data-begin=\"/invite/federated/corp\""), "{}", page.body);
    let begin = json!({ "secret": secret });
    let begun = stage.json("sign-in", None, Method::POST, "/invite/federated/corp", begin.clone()).await;
    let query = scripted.visit(begun.json()["location"].as_str().unwrap());
    let back = come_back(&stage, None, &query, &[&flow_cookie(&begun)]).await;
    // It works once.
    let again = stage.json("sign-in", None, Method::POST, "/invite/federated/corp", begin).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "{}", again.body);
    (stage, scripted, alice, back)
}

#[tokio::test]
async fn an_invitation_is_accepted_with_an_account_at_the_provider() {
    let (stage, scripted, _, back) = invited().await;
    assert_eq!((back.status, &back.headers[header::LOCATION]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    let bea = stage.admit(session_secret(&back), SoftwarePasskey::new()).await;
    assert_eq!(bea.principal.subject, SubjectId::human("bea").unwrap());

    let out = stage.get("sign-in", None, "/sign-in/federated/corp?return=%2Fmy%2Fdevices").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let query = scripted.visit(out.headers[header::LOCATION].to_str().unwrap());
    let back = come_back(&stage, None, &query, &[&flow_cookie(&out)]).await;
    assert_eq!(back.headers[header::LOCATION], "/my/devices");
    assert_ne!(session_secret(&back), bea.secret);
}

#[tokio::test]
async fn who_comes_back_is_who_was_sent() {
    let (stage, scripted, ..) = invited().await;
    let out = stage.get("sign-in", None, "/sign-in/federated/corp?return=%2F").await;
    let query = scripted.visit(out.headers[header::LOCATION].to_str().unwrap());
    let cookie = flow_cookie(&out);
    let other = "__Host-federated-flow=another";
    for cookies in [&[][..], &[other], &[cookie.as_str(), other]] {
        let back = come_back(&stage, None, &query, cookies).await;
        assert_eq!(back.status, StatusCode::FORBIDDEN, "{cookies:?}");
        assert!(!back.headers.contains_key(header::SET_COOKIE));
    }
    assert_eq!(come_back(&stage, None, &query, &[&cookie]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(come_back(&stage, None, &query, &[&cookie]).await.status, StatusCode::FORBIDDEN, "used up");
    let unknown = stage.get("sign-in", None, "/sign-in/federated/elsewhere").await;
    assert_eq!(unknown.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_stranger_at_the_provider_gets_no_session() {
    let (stage, scripted, ..) = invited().await;
    scripted.script.lock().person["sub"] = json!("mallory-at-provider");
    let out = stage.get("sign-in", None, "/sign-in/federated/corp?return=%2F").await;
    let query = scripted.visit(out.headers[header::LOCATION].to_str().unwrap());
    let back = come_back(&stage, None, &query, &[&flow_cookie(&out)]).await;
    assert_eq!(back.status, StatusCode::FORBIDDEN);
    assert!(!back.body.contains("mallory"));
}

#[tokio::test]
async fn the_provider_ends_its_sessions() {
    let (stage, scripted, _, back) = invited().await;
    let bea = stage.admit(session_secret(&back), SoftwarePasskey::new()).await;
    let claims = scripted.logout("once", Some("alice-at-provider"), None);
    let honest = scripted.script.lock().key.sign_with(&claims, |header| header.typ = Some("logout+jwt".to_owned()));
    let forged = Key::new("first").sign_with(&claims, |header| header.typ = Some("logout+jwt".to_owned()));
    let post = async |content_type: &str, body: String| {
        // From a server: no origin, no session.
        let mut request = Request::post("/sign-in/federated/corp/logout").body(Body::from(body)).unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        request.extensions_mut().insert(nobody());
        request.extensions_mut().insert(arrival(DecisionId::from_random(2)));
        stage.send("sign-in", request).await.status
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post("application/json", format!("logout_token={honest}")).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(post(form, "token=x".to_owned()).await, StatusCode::BAD_REQUEST);
    assert_eq!(post(form, format!("logout_token={honest}&logout_token={honest}")).await, StatusCode::BAD_REQUEST);
    assert_eq!(post(form, format!("logout_token={forged}")).await, StatusCode::BAD_REQUEST);
    assert!(stage.administrator.session(bea.principal.session.unwrap()).is_some());
    assert_eq!(post(form, format!("logout_token={honest}")).await, StatusCode::OK);
    assert!(stage.administrator.session(bea.principal.session.unwrap()).is_none());
    assert_eq!(post(form, format!("logout_token={honest}")).await, StatusCode::BAD_REQUEST, "once");
}
