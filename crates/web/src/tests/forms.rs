//! The forms of the console and the portal, filled in and sent as a browser without scripts does it; what they changed
//! is looked up behind the page. And what the API does at length: the stream, a whole configuration.

use futures_util::StreamExt as _;

use super::*;

/// Sends a form, and follows to the page that says what was done.
async fn act(stage: &Stage, who: &Person, part: &str, path: &str, body: &str, says: &str) {
    let answer = stage.form(part, Some(who), path, body).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.body);
    let page = stage.get(part, Some(who), answer.headers[header::LOCATION].to_str().unwrap()).await;
    assert_eq!(page.status, StatusCode::OK, "{path}");
    assert!(page.body.contains(says), "{path}: {says}");
}

fn shown_once(page: &str) -> &str {
    page.split_once("aria-label=\"The secret\">").unwrap().1.split_once('<').unwrap().0
}

#[tokio::test]
async fn a_subject_is_disabled_and_enabled() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let bob = stage.owner("bob").await;
    act(&stage, &alice, "console", "/console/subjects/human%3Abob/disable", "", "The subject is disabled.").await;
    assert!(stage.administrator.session(bob.principal.session.unwrap()).is_none());
    act(&stage, &alice, "console", "/console/subjects/human%3Abob/enable", "", "active again").await;
    assert_eq!(stage.administrator.subject(&bob.principal.subject).unwrap().state, SubjectState::Active);
    stage.form("console", Some(&alice), "/console/subjects/human%3Abob/disable", "").await;
    let last = stage.form("console", Some(&alice), "/console/subjects/human%3Aalice/disable", "").await;
    assert_eq!(last.status, StatusCode::CONFLICT, "the last owner");
}

#[tokio::test]
async fn a_device_goes_under_management_out_of_it_and_away() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.fill().await;
    let device = || stage.administrator.device(&DeviceId::new("laptop").unwrap()).unwrap();
    let url = "/console/devices/laptop";
    act(&stage, &alice, "console", &format!("{url}/managed"), "", "it is in quarantine").await;
    assert!(!device().managed);
    act(&stage, &alice, "console", &format!("{url}/managed"), "managed=true", "under management now").await;
    assert!(device().managed);
    act(&stage, &alice, "console", &format!("{url}/revoke"), "", "The device is revoked.").await;
    assert_eq!(device().state, DeviceState::Revoked);
    let page = stage.get("console", Some(&alice), url).await;
    assert!(!page.body.contains(&format!("action=\"{url}/revoke\"")), "nothing is left to take away");
    let odd = stage.form("console", Some(&alice), &format!("{url}/managed"), "managed=true&also=this").await;
    assert!(odd.status.is_client_error());
}

#[tokio::test]
async fn a_key_is_made_used_within_its_scope_and_revoked() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.fill().await;
    let body = json!({ "display_name": "Backup", "owner": "human:alice", "groups": ["owners"] });
    stage.json("api", Some(&alice), Method::PUT, "/api/v1/subjects/service:backup", body).await;
    for (wrong, status) in [
        ("subject=service%3Abackup&owner=human%3Aalice&days=0&read=true", StatusCode::UNPROCESSABLE_ENTITY),
        ("subject=service%3Abackup&owner=human%3Aalice&days=30", StatusCode::UNPROCESSABLE_ENTITY),
        ("subject=nobody&owner=human%3Aalice&days=30&read=true", StatusCode::UNPROCESSABLE_ENTITY),
        ("subject=service%3Anobody&owner=human%3Aalice&days=30&read=true", StatusCode::NOT_FOUND),
    ] {
        let answer = stage.form("console", Some(&alice), "/console/keys", wrong).await;
        assert_eq!(answer.status, status, "{wrong}: {}", answer.body);
    }
    let form = "subject=service%3Abackup&owner=human%3Aalice&resources=blog%2C+wiki&days=30&read=true";
    let once = stage.form("console", Some(&alice), "/console/keys", form).await;
    assert_eq!(once.status, StatusCode::OK, "{}", once.body);
    let secret = shown_once(&once.body).to_owned();
    let made = &stage.administrator.keys(None)[0];
    assert_eq!(made.scope.resources.as_ref().unwrap().len(), 2);
    let use_it = async |what| {
        let key = Credential::Bearer(CredentialSecret::new(secret.as_str()));
        stage.open(key, DeviceEvidence::Absent, "blog", (what, "/")).await.is_ok()
    };
    assert!(use_it(ActionClass::Read).await);
    assert!(!use_it(ActionClass::Write).await, "out of scope");
    for (part, list) in [("console", "/console/keys"), ("portal", "/my/keys")] {
        let page = stage.get(part, Some(&alice), list).await;
        assert!(page.body.contains(made.id.as_str()) && !page.body.contains(&secret), "{list}");
    }
    let bob = stage.owner("bob").await;
    let url = format!("/my/keys/{}/revoke", made.id);
    assert_eq!(stage.form("portal", Some(&bob), &url, "").await.status, StatusCode::NOT_FOUND, "not bob's");
    act(&stage, &alice, "portal", &url, "", "The key is revoked.").await;
    assert!(!use_it(ActionClass::Read).await);
    let gone = stage.form("console", Some(&alice), &format!("/console/keys/{}/revoke", made.id), "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_invitation_is_made_and_withdrawn() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let form = "name=erin&display_name=Erin+Okafor&email=erin%40example.org&groups=owners";
    let once = stage.form("console", Some(&alice), "/console/invitations", form).await;
    assert_eq!(once.status, StatusCode::OK, "{}", once.body);
    let link = shown_once(&once.body);
    let secret = link.strip_prefix("http://countersign.localhost:8080/invite#").unwrap();
    let erin = stage.administrator.subject(&SubjectId::human("erin").unwrap()).unwrap();
    assert_eq!((erin.display_name.as_str(), erin.groups.len()), ("Erin Okafor", 1));
    let open = stage.administrator.invitations().await.unwrap();
    let url = crate::console::withdraw_url(&open[0].id);
    act(&stage, &alice, "console", &url, "", "The invitation is withdrawn.").await;
    let begin = json!({ "secret": secret, "name": "Mine" });
    let late = stage.json("sign-in", None, Method::POST, "/invite/begin", begin).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN, "{}", late.body);
    let odd = stage.form("console", Some(&alice), "/console/invitations", "name=service%3Abackup").await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", odd.body);
}

#[tokio::test]
async fn passkeys_are_added_renamed_and_removed() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    let begin = json!({ "name": "Blue key" });
    let begun = stage.json("portal", Some(&alice), Method::POST, "/my/passkeys/begin", begin).await.json();
    let credential = SoftwarePasskey::new().create(&begun["options"], ORIGIN).unwrap();
    let finish = json!({ "ceremony": begun["ceremony"], "credential": credential, "name": "Blue key" });
    let done = stage.json("portal", Some(&alice), Method::POST, "/my/passkeys/finish", finish).await;
    assert_eq!(done.json()["location"], "/my/passkeys?done=passkey-added", "{}", done.body);
    let mine = stage.administrator.passkeys(&alice.principal.subject).await.unwrap();
    let blue = mine.iter().find(|one| one.name == "Blue key").unwrap();
    let url = |act| crate::portal::passkey_url(&blue.credential, act);
    act(&stage, &alice, "portal", &url("rename"), "name=Green+key", "its new name").await;
    let page = stage.get("portal", Some(&alice), "/my/passkeys").await;
    assert!(page.body.contains("Green key"));
    let bob = stage.owner("bob").await;
    assert_eq!(stage.form("portal", Some(&bob), &url("remove"), "").await.status, StatusCode::NOT_FOUND);
    act(&stage, &alice, "portal", &url("remove"), "", "The passkey is removed.").await;
    assert_eq!(stage.administrator.passkeys(&alice.principal.subject).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_decision_arrives_on_the_page_while_it_is_made() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    for (part, path, looked_for) in [
        ("console", "/console/decisions/stream?subject=anonymous", "nothing is known at this address".to_owned()),
        ("api", "/api/v1/stream", "\"subject\":\"anonymous\"".to_owned()),
    ] {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(alice.principal.clone());
        request.extensions_mut().insert(arrival(alice.decision));
        let response = stage.parts[part].clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let mut body = response.into_body().into_data_stream();
        let read = (ActionClass::Read, "/nothing");
        assert!(stage.open(Credential::Absent, DeviceEvidence::Absent, "nothing", read).await.is_err());
        let mut heard = String::new();
        while !heard.to_lowercase().contains(&looked_for) {
            let piece = body.next().await.unwrap().unwrap();
            heard.push_str(std::str::from_utf8(&piece).unwrap());
        }
        assert!(!heard.contains("human:alice") || part == "api", "{heard}");
    }
}

#[tokio::test]
async fn a_whole_configuration_is_applied_or_nothing() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let apply = async |body: Value| stage.json("api", Some(&alice), Method::POST, "/api/v1/apply", body).await;
    let good = json!({ "groups": { "staff": { "display_name": "Staff" } },
        "resources": { "wiki": { "display_name": "Wiki", "tier": "standard",
            "routes": [{ "host": "wiki.localhost" }], "upstream": { "url": "http://127.0.0.1:3000" },
            "entitled": { "readers": ["staff"] } } } });
    let answer = apply(good).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.json()["created"].as_array().unwrap().len(), 2, "{}", answer.body);
    let bad = json!({ "resources": { "blog": { "display_name": "Blog", "tier": "public",
        "routes": [{ "host": "wiki.localhost" }, { "host": "Not A Host" }],
        "upstream": { "url": "http://127.0.0.1:3000" }, "entitled": { "readers": ["nobody-of-that-name"] } } } });
    let answer = apply(bad).await;
    assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.body);
    assert!(stage.administrator.resource(&ResourceId::new("blog").unwrap()).is_none());
    assert!(stage.administrator.resource(&ResourceId::new("wiki").unwrap()).is_some());
}
