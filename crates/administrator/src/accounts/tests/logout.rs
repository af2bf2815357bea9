//! A provider's word that somebody has left, and the forgeries of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_lease::RevocationCause;
use countersign_ledger::EntryBody;
use countersign_model::CredentialSecret;
use countersign_testkit::provider::{Key, ScriptedProvider};
use serde_json::{Value, json};

use super::federated::{by_address, house, parts, person, sign_in};
use super::fixture::{CONTROL, House, NOW, actor, client};
use super::hand_off::wiki;
use crate::SessionFilter;
use crate::accounts::SignInError;

async fn logout(house: &House, scripted: &ScriptedProvider, claims: &Value) -> Result<usize, SignInError> {
    let key = scripted.script.lock().key.clone();
    let token = key.sign_with(claims, |header| header.typ = Some("logout+jwt".to_owned()));
    house.administrator.back_channel_logout("corp", &token, client().address).await
}

#[tokio::test]
async fn a_logout_ends_exactly_its_sessions_and_cuts_their_leases() {
    let (mut house, scripted) = house(by_address()).await;
    let resource = wiki("wiki", "wiki.localhost", "http://127.0.0.1:3000");
    house.administrator.put_resource(resource, &actor()).await.unwrap();
    let one = sign_in(&house, &scripted, person("alice", "s1")).await.unwrap();
    let two = sign_in(&house, &scripted, person("alice", "s2")).await.unwrap();
    let three = sign_in(&house, &scripted, person("alice", "s3")).await.unwrap();
    let bob = sign_in(&house, &scripted, person("bob", "s1")).await.unwrap();
    let (_, passkey) = house.person("alice@example.org", &client()).await;
    let mut leases = Vec::new();
    for signed_in in [&one, &two, &three, &bob, &passkey] {
        leases.push(house.open(&signed_in.cookie.secret, &client(), "wiki").await);
    }
    let cut = || leases.iter().map(|lease| lease.watch().revocation().is_some()).collect::<Vec<_>>();
    let lives = |house: &House, secret: &CredentialSecret| house.cookie(secret, CONTROL, &client()).is_ok();

    // One session of one person: another's of the same name at the provider is not meant.
    let by_sid = scripted.logout("1", Some("alice-at-provider"), Some("s1"));
    assert_eq!(logout(&house, &scripted, &by_sid).await, Ok(1));
    assert_eq!(cut(), [true, false, false, false, false]);
    assert_eq!(leases[0].watch().revocation().unwrap().cause, RevocationCause::SessionEnded);
    assert_eq!(logout(&house, &scripted, &by_sid).await, Err(SignInError::Refused), "replayed");
    let ended = |body: &EntryBody| {
        matches!(body, EntryBody::SessionEnded { session, cause, .. }
            if *session == one.session && cause == "signed out at the provider")
    };
    assert!(house.recorded().await.iter().any(ended));
    // A session whose person is not told.
    assert_eq!(logout(&house, &scripted, &scripted.logout("2", None, Some("s2"))).await, Ok(1));
    assert_eq!(cut(), [true, true, false, false, false]);
    // The person and a session that is somebody else's: neither is meant.
    assert_eq!(logout(&house, &scripted, &scripted.logout("3", Some("bob-at-provider"), Some("s3"))).await, Ok(0));
    // Whatever a person signed in with through the provider, and nothing else of theirs.
    assert_eq!(logout(&house, &scripted, &scripted.logout("4", Some("alice-at-provider"), None)).await, Ok(1));
    assert_eq!(cut(), [true, true, true, false, false]);
    assert!(lives(&house, &bob.cookie.secret) && lives(&house, &passkey.cookie.secret));
    drop(leases);
    house.restart();
    assert!(!lives(&house, &one.cookie.secret) && !lives(&house, &three.cookie.secret), "and stay ended");
    assert!(lives(&house, &bob.cookie.secret));
}

#[tokio::test]
async fn a_forged_logout_ends_nothing() {
    let (house, scripted) = house(by_address()).await;
    let signed_in = sign_in(&house, &scripted, person("alice", "s1")).await.unwrap();
    let honest = scripted.logout("x", Some("alice-at-provider"), Some("s1"));
    let changes = [
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "aud": "another" }),
        json!({ "events": {} }),
        json!({ "nonce": "an ID token" }),
        json!({ "sub": null, "sid": null }),
        json!({ "iat": NOW.seconds() - 3600, "exp": NOW.seconds() - 3000 }),
        json!({ "jti": null }),
    ];
    for change in changes {
        let mut claims = honest.clone();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        assert_eq!(logout(&house, &scripted, &claims).await, Err(SignInError::Refused), "{change}");
        assert_eq!(house.last_refusal().await.1, "back-channel-logout", "{change}");
    }
    let them = &house.administrator;
    let kid = scripted.script.lock().key.kid.clone();
    let strange = Key::new(&kid).sign(&honest);
    assert_eq!(
        them.back_channel_logout("corp", &strange, client().address).await,
        Err(SignInError::Refused),
        "a stranger's key"
    );
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({ "alg": "none", "typ": "logout+jwt" })), part(&honest));
    assert_eq!(them.back_channel_logout("corp", &unsigned, client().address).await, Err(SignInError::Refused), "none");
    assert_eq!(them.back_channel_logout("corp", "a.b.c", client().address).await, Err(SignInError::Refused));
    assert_eq!(them.back_channel_logout("no-such", &strange, client().address).await, Err(SignInError::Refused));
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_ok());
    assert_eq!(
        logout(&house, &scripted, &honest).await,
        Ok(1),
        "and the honest one still counts: its id was not used up"
    );
    assert!(them.sessions(&SessionFilter::default()).is_empty());
}

/// What one provider says of a person is about its own sessions.
#[tokio::test]
async fn one_provider_does_not_sign_out_another_s() {
    let (one, two) = (ScriptedProvider::start(NOW).await, ScriptedProvider::start(NOW).await);
    let both = vec![parts("corp", &one, by_address()), parts("partner", &two, by_address())];
    let house = House::with_providers(NOW, both).await;
    let signed_in = sign_in(&house, &one, person("alice", "s1")).await.unwrap();
    let key = two.script.lock().key.clone();
    let theirs = key.sign(&two.logout("1", Some("alice-at-provider"), None));
    assert_eq!(house.administrator.back_channel_logout("partner", &theirs, client().address).await, Ok(0));
    assert_eq!(
        house.administrator.back_channel_logout("corp", &theirs, client().address).await,
        Err(SignInError::Refused)
    );
    let as_the_other = key.sign(&one.logout("2", Some("alice-at-provider"), None));
    assert_eq!(
        house.administrator.back_channel_logout("partner", &as_the_other, client().address).await,
        Err(SignInError::Refused)
    );
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_ok());
}
