//! Sign-in through a provider, and the attacks on it (RFC 9700; OpenID Connect Core 3.1.3.7; Back-Channel Logout 2.6).

use std::time::Duration;

use countersign_model::{AuthenticationMethod, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::scripted_provider::{CLIENT, EVENT, Key, ScriptedProvider};
use super::{NOW, later};
use crate::encoding::base64url;
use crate::oidc::{
    AuthenticationDemand, Callback, FederatedIdentity, HttpClient, HttpError, LogoutToken, MethodMapping, OidcError,
    Provider, TokenFault,
};

async fn sign_in(scripted: &ScriptedProvider, provider: &Provider) -> Result<FederatedIdentity, OidcError> {
    sign_in_with(scripted, provider, &AuthenticationDemand::default(), NOW).await
}

async fn sign_in_with(
    scripted: &ScriptedProvider,
    provider: &Provider,
    demand: &AuthenticationDemand,
    now: Timestamp,
) -> Result<FederatedIdentity, OidcError> {
    let (query, flow) = scripted.visit(provider, demand);
    provider.finish(Callback::parse(&query)?, flow, now).await
}

#[tokio::test]
async fn a_person_signs_in() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let identity = sign_in(&scripted, &provider).await.unwrap();
    assert_eq!(identity.issuer, scripted.issuer);
    assert_eq!(identity.subject, "alice-at-provider");
    assert_eq!(identity.email.as_deref(), Some("alice@example.org"), "from the user info endpoint");
    assert!(identity.email_verified);
    assert_eq!(identity.sid.as_deref(), Some("session-1"));
    assert_eq!(identity.auth_time, Some(NOW));
    assert!(identity.methods.contains(&AuthenticationMethod::FederatedPhishingResistant));
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    use TokenFault as F;
    type Forge = fn(&Key, Value) -> String;
    fn with(mut claims: Value, name: &str, value: Value) -> Value {
        claims[name] = value;
        claims
    }
    fn mac(claims: &Value, secret: &[u8]) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret)).unwrap()
    }
    let forgeries: [(&str, F, Forge); 19] = [
        ("another nonce", F::Nonce, |key, claims| key.sign(&with(claims, "nonce", json!("another")))),
        ("no nonce", F::Nonce, |key, claims| key.sign(&with(claims, "nonce", Value::Null))),
        ("another audience", F::Audience, |key, claims| key.sign(&with(claims, "aud", json!("another")))),
        ("two audiences", F::Audience, |key, claims| key.sign(&with(claims, "aud", json!([CLIENT, "another"])))),
        ("another party", F::Audience, |key, claims| key.sign(&with(claims, "azp", json!("another")))),
        ("another issuer", F::Issuer, |key, claims| key.sign(&with(claims, "iss", json!("https://elsewhere.example")))),
        ("expired", F::Time, |key, claims| key.sign(&with(claims, "exp", json!(NOW.seconds() - 61)))),
        ("from the future", F::Time, |key, claims| key.sign(&with(claims, "iat", json!(NOW.seconds() + 61)))),
        ("made long ago", F::Time, |key, claims| key.sign(&with(claims, "iat", json!(NOW.seconds() - 3600)))),
        ("another access token", F::AccessToken, |key, claims| {
            key.sign(&with(claims, "at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")))
        }),
        ("HS256 with the client secret", F::Algorithm, |_, claims| mac(&claims, b"a client secret")),
        ("HS256 with the public key", F::Algorithm, |key, claims| mac(&claims, &key.point)),
        ("signed by a stranger under the provider's kid", F::Signature, |key, claims| Key::new(&key.kid).sign(&claims)),
        ("signed by a stranger without kid", F::Signature, |_, claims| {
            Key::new("").sign_with(&claims, |header| header.kid = None)
        }),
        ("a key brought along", F::Signature, |key, claims| {
            let stranger = Key::new(&key.kid);
            stranger.sign_with(&claims, |header| header.jwk = serde_json::from_value(stranger.jwk()).ok())
        }),
        ("a place to find the key", F::UnknownKey, |_, claims| {
            Key::new("x").sign_with(&claims, |header| header.jku = Some("https://elsewhere.example/jwks".to_owned()))
        }),
        ("a kid that is a path", F::UnknownKey, |_, claims| Key::new("../../../../dev/null").sign(&claims)),
        ("a logout token", F::Malformed, |key, claims| {
            key.sign_with(&claims, |header| header.typ = Some("logout+jwt".to_owned()))
        }),
        ("a critical header", F::Malformed, |key, claims| {
            key.sign_with(&claims, |header| header.crit = Some(vec!["exp".to_owned()]))
        }),
    ];
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    for (what, fault, forge) in forgeries {
        scripted.forge(forge);
        let verdict = sign_in(&scripted, &provider).await;
        assert_eq!(verdict, Err(OidcError::Token(fault)), "{what}");
    }
    scripted.forge(|_, claims| format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(claims.to_string())));
    let verdict = sign_in(&scripted, &provider).await;
    assert!(matches!(verdict, Err(OidcError::Token(TokenFault::Algorithm | TokenFault::Malformed))), "{verdict:?}");
    scripted.forge(|key, claims| key.sign(&claims));
    assert!(sign_in(&scripted, &provider).await.is_ok(), "and the honest one still passes");
}

#[tokio::test]
async fn no_error_shows_a_token() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    scripted.forge(|_, _| "header.SECRETPAYLOAD.signature".to_owned());
    let (query, flow) = scripted.visit(&provider, &AuthenticationDemand::default());
    let shown = format!("{flow:?} {:?} {provider:?}", Callback::parse(&query).unwrap());
    assert!(!shown.contains("the-code") && !shown.contains(flow.state()) && !shown.contains("a client secret"));
    let error = provider.finish(Callback::parse(&query).unwrap(), flow, NOW).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("SECRETPAYLOAD") && !shown.contains("the-access-token"), "{shown}");
}

#[tokio::test]
async fn the_callback_must_be_of_this_sign_in_and_this_provider() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let demand = AuthenticationDemand::default();
    let finish = async |change: &dyn Fn(&str) -> String, now| {
        let (query, flow) = scripted.visit(&provider, &demand);
        provider.finish(Callback::parse(&change(&query))?, flow, now).await
    };
    assert!(finish(&str::to_owned, NOW).await.is_ok());
    // Mix-up: an honest provider's code, sent to us as if from this one; or the hint taken away.
    let elsewhere = |query: &str| query.replace("iss=http", "iss=https");
    assert_eq!(finish(&elsewhere, NOW).await, Err(OidcError::Issuer));
    let hidden = |query: &str| query.split("&iss=").next().unwrap_or_default().to_owned();
    assert_eq!(finish(&hidden, NOW).await, Err(OidcError::Issuer));
    let another = |query: &str| query.replace("state=", "state=x");
    assert_eq!(finish(&another, NOW).await, Err(OidcError::State));
    assert_eq!(finish(&str::to_owned, later(901)).await, Err(OidcError::State), "too late");
    let refused = |query: &str| query.replace("code=the-code", "error=access_denied");
    assert_eq!(finish(&refused, NOW).await, Err(OidcError::Refused("access_denied".to_owned())));
    let markup = |query: &str| query.replace("code=the-code", "error=%3Cscript%3E");
    assert_eq!(finish(&markup, NOW).await, Err(OidcError::Refused("script".to_owned())));
    let doubled = |query: &str| format!("{query}&code=another");
    assert_eq!(finish(&doubled, NOW).await, Err(OidcError::Callback));
    // A flow that began at another provider.
    let other = ScriptedProvider::start().await;
    let (_, flow) = other.visit(&other.discover().await.unwrap(), &demand);
    let query = format!("code=the-code&state={}&iss={}", flow.state(), scripted.issuer);
    let verdict = provider.finish(Callback::parse(&query).unwrap(), flow, NOW).await;
    assert_eq!(verdict, Err(OidcError::Issuer));
}

#[tokio::test]
async fn a_provider_that_does_not_name_itself_may_leave_it_out() {
    let scripted = ScriptedProvider::start().await;
    scripted.script.lock().metadata = json!({});
    let provider = scripted.discover().await.unwrap();
    let (query, flow) = scripted.visit(&provider, &AuthenticationDemand::default());
    let query = query.split("&iss=").next().unwrap();
    assert!(provider.finish(Callback::parse(query).unwrap(), flow, NOW).await.is_ok());
}

#[tokio::test]
async fn a_code_works_once_and_with_its_verifier_only() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let (query, flow) = scripted.visit(&provider, &AuthenticationDemand::default());
    let callback = Callback::parse(&query).unwrap();
    assert!(provider.finish(callback.clone(), flow.clone(), NOW).await.is_ok());
    assert_eq!(provider.finish(callback, flow, NOW).await, Err(OidcError::Code), "replayed");
    // A code that was made for another browser, injected into ours.
    let (_, ours) = provider.begin(&AuthenticationDemand::default(), NOW).unwrap();
    scripted.visit(&provider, &AuthenticationDemand::default());
    let query = format!("code=the-code&state={}&iss={}", ours.state(), scripted.issuer);
    assert_eq!(provider.finish(Callback::parse(&query).unwrap(), ours, NOW).await, Err(OidcError::Code));
}

#[tokio::test]
async fn a_step_up_needs_a_fresh_proof() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let fresh = AuthenticationDemand { fresh: true, ..AuthenticationDemand::default() };
    let (url, _) = provider.begin(&fresh, NOW).unwrap();
    let query = url.query().unwrap();
    assert!(query.contains("prompt=login") && query.contains("max_age=0"), "{query}");
    assert!(sign_in_with(&scripted, &provider, &fresh, NOW).await.is_ok());
    // A browser that took the parameters out comes back with the morning's proof.
    scripted.forge(|key, mut claims| {
        claims["auth_time"] = json!(NOW.seconds() - 3600);
        key.sign(&claims)
    });
    let too_old = Err(OidcError::Token(TokenFault::AuthenticationAge));
    assert_eq!(sign_in_with(&scripted, &provider, &fresh, NOW).await, too_old);
    let within = |seconds| AuthenticationDemand { max_age: Some(Duration::from_secs(seconds)), ..Default::default() };
    assert!(sign_in_with(&scripted, &provider, &within(3600), NOW).await.is_ok());
    assert_eq!(sign_in_with(&scripted, &provider, &within(3000), NOW).await, too_old);
    scripted.forge(|key, mut claims| {
        claims["auth_time"] = Value::Null;
        key.sign(&claims)
    });
    assert_eq!(sign_in_with(&scripted, &provider, &within(3600), NOW).await, too_old, "not told");
}

#[tokio::test]
async fn keys_rotate_and_strangers_cannot_make_us_ask_all_day() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let rotate = |kid: &str| {
        let mut script = scripted.script.lock();
        script.key = Key::new(kid);
        script.published = vec![script.key.jwk()];
    };
    rotate("second");
    let demand = AuthenticationDemand::default();
    // Just discovered: not asked again within a minute.
    let verdict = sign_in_with(&scripted, &provider, &demand, later(59)).await;
    assert_eq!(verdict, Err(OidcError::Token(TokenFault::UnknownKey)));
    assert_eq!(scripted.script.lock().key_requests, 1);
    assert!(sign_in_with(&scripted, &provider, &demand, later(60)).await.is_ok());
    assert_eq!(scripted.script.lock().key_requests, 2);
    // Tokens with unknown keys, many of them.
    let stranger = Key::new("stranger");
    for second in 61..119 {
        let verdict = provider.verify_logout_token(&stranger.sign(&logout(&scripted)), later(second)).await;
        assert_eq!(verdict, Err(OidcError::Token(TokenFault::UnknownKey)));
    }
    assert_eq!(scripted.script.lock().key_requests, 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_not_believed_for_long() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let stolen = scripted.script.lock().key.clone();
    scripted.script.lock().published = vec![Key::new("second").jwk()];
    let verdict = async |seconds| {
        let mut claims = logout(&scripted);
        claims["iat"] = json!(later(seconds).seconds());
        claims["exp"] = json!(later(seconds + 60).seconds());
        provider.verify_logout_token(&stolen.sign(&claims), later(seconds)).await.map(|_| ())
    };
    assert_eq!(verdict(3599).await, Ok(()));
    assert_eq!(verdict(3600).await, Err(OidcError::Token(TokenFault::UnknownKey)));
}

fn logout(scripted: &ScriptedProvider) -> Value {
    json!({
        "iss": scripted.issuer, "aud": CLIENT, "iat": NOW.seconds(), "exp": NOW.seconds() + 120, "jti": "once",
        "sub": "alice-at-provider", "sid": "session-1", "events": { EVENT: {} },
    })
}

#[tokio::test]
async fn a_back_channel_logout_is_verified() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let key = scripted.script.lock().key.clone();
    let typed = |header: &mut Header| header.typ = Some("logout+jwt".to_owned());
    let verified = provider.verify_logout_token(&key.sign_with(&logout(&scripted), typed), NOW).await.unwrap();
    let expected = LogoutToken {
        issuer: scripted.issuer.clone(),
        subject: Some("alice-at-provider".to_owned()),
        sid: Some("session-1".to_owned()),
        jti: "once".to_owned(),
        issued: NOW,
        expires: later(180),
    };
    assert_eq!(verified, expected);
    let one_of = |name: &str| {
        let mut claims = logout(&scripted);
        claims.as_object_mut().unwrap().remove(name);
        key.sign(&claims)
    };
    assert!(provider.verify_logout_token(&one_of("sid"), NOW).await.is_ok(), "all sessions of a person");
    assert!(provider.verify_logout_token(&one_of("sub"), NOW).await.is_ok(), "one session");
    let late = provider.verify_logout_token(&key.sign(&logout(&scripted)), later(180)).await;
    assert_eq!(late, Err(OidcError::Token(TokenFault::Time)));
}

#[tokio::test]
async fn forged_logouts_are_refused() {
    use TokenFault as F;
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    let key = scripted.script.lock().key.clone();
    let claims = [
        ("another issuer", F::Issuer, "iss", json!("https://elsewhere.example")),
        ("another audience", F::Audience, "aud", json!("another")),
        ("two audiences", F::Audience, "aud", json!([CLIENT, "another"])),
        ("a nonce: an ID token in disguise", F::NotALogout, "nonce", json!("x")),
        ("no such event", F::NotALogout, "events", json!({ "http://elsewhere.example/event": {} })),
        ("an event that is no object", F::NotALogout, "events", json!({ EVENT: true })),
        ("no events", F::Malformed, "events", Value::Null),
        ("no id", F::Malformed, "jti", Value::Null),
        ("an empty id", F::NotALogout, "jti", json!("")),
        ("from the future", F::Time, "iat", json!(NOW.seconds() + 61)),
        ("old", F::Time, "iat", json!(NOW.seconds() - 181)),
        ("expired", F::Time, "exp", json!(NOW.seconds() - 61)),
        ("a date beyond reason", F::Time, "iat", json!(i64::MAX)),
    ];
    for (what, fault, name, value) in claims {
        let mut forged = logout(&scripted);
        forged[name] = value;
        let verdict = provider.verify_logout_token(&key.sign(&forged), NOW).await;
        assert_eq!(verdict, Err(OidcError::Token(fault)), "{what}");
    }
    let mut nobody = logout(&scripted);
    nobody.as_object_mut().unwrap().retain(|name, _| name != "sub" && name != "sid");
    let honest = logout(&scripted);
    let mac = |secret: &[u8]| {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &honest, &EncodingKey::from_secret(secret)).unwrap()
    };
    let stranger = Key::new(&key.kid);
    let tokens = [
        ("about nobody", F::NotALogout, key.sign(&nobody)),
        ("HS256 with the public key", F::Algorithm, mac(&key.point)),
        ("HS256 with the client secret", F::Algorithm, mac(b"a client secret")),
        ("a stranger's key", F::Signature, stranger.sign(&honest)),
        ("a key brought along", F::Signature, {
            stranger.sign_with(&honest, |header| header.jwk = serde_json::from_value(stranger.jwk()).ok())
        }),
        ("another type", F::NotALogout, key.sign_with(&honest, |header| header.typ = Some("at+jwt".to_owned()))),
        (
            "a critical header",
            F::NotALogout,
            key.sign_with(&honest, |header| header.crit = Some(vec!["b64".to_owned()])),
        ),
        ("no algorithm", F::Malformed, {
            format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(honest.to_string()))
        }),
        ("nothing", F::Malformed, String::new()),
    ];
    for (what, fault, token) in tokens {
        assert_eq!(provider.verify_logout_token(&token, NOW).await, Err(OidcError::Token(fault)), "{what}");
    }
}

#[tokio::test]
async fn user_info_about_somebody_else_is_an_attack() {
    let scripted = ScriptedProvider::start().await;
    let provider = scripted.discover().await.unwrap();
    scripted.script.lock().user_info =
        json!({ "sub": "mallory", "email": "owner@example.org", "email_verified": true });
    assert_eq!(sign_in(&scripted, &provider).await, Err(OidcError::Token(TokenFault::Audience)));
    scripted.script.lock().user_info = json!({ "sub": "alice-at-provider", "email": "owner@example.org" });
    assert!(!sign_in(&scripted, &provider).await.unwrap().email_verified, "an address that nobody verified");
}

#[tokio::test]
async fn discovery_is_suspicious() {
    let scripted = ScriptedProvider::start().await;
    scripted.script.lock().metadata = json!({ "issuer": "https://elsewhere.example" });
    assert!(matches!(scripted.discover().await, Err(OidcError::Metadata(_))));
    scripted.script.lock().metadata = json!({ "authorization_endpoint": "http://provider.example/auth" });
    assert!(matches!(scripted.discover().await, Err(OidcError::Metadata(_))));
    scripted.script.lock().metadata = json!({ "jwks_uri": "http://provider.example/jwks" });
    assert_eq!(scripted.discover().await.unwrap_err(), OidcError::Unreachable(HttpError::Insecure));
    let mut settings = scripted.settings();
    settings.issuer = "http://provider.example".to_owned();
    let verdict = Provider::discover(settings, HttpClient::new(None).unwrap(), NOW).await;
    assert!(matches!(verdict, Err(OidcError::Settings(_))));
    assert_eq!(HttpClient::new(Some("no certificate")).unwrap_err(), HttpError::Authority);
}

/// Servers spawn these; a closure as HTTP client once made them unfit for it.
#[tokio::test]
async fn a_sign_in_may_cross_threads() {
    let scripted = ScriptedProvider::start().await;
    let identity = tokio::spawn(async move {
        let provider = scripted.discover().await.unwrap();
        let _ = provider.verify_logout_token("", NOW).await;
        sign_in(&scripted, &provider).await
    });
    assert!(identity.await.unwrap().is_ok());
}

#[test]
fn words_about_methods_mean_what_the_mapping_says() {
    use AuthenticationMethod as M;
    let mapping = MethodMapping::default();
    let methods = |amr: &[&str], acr| mapping.methods(amr.iter().copied(), acr);
    assert_eq!(methods(&["pwd"], None), [M::Federated].into());
    assert_eq!(methods(&["pwd", "otp"], Some("1")), [M::Federated, M::FederatedMultiFactor].into());
    assert_eq!(methods(&[], Some("phr")), [M::Federated, M::FederatedPhishingResistant].into());
    assert_eq!(methods(&["HWK"], None), [M::Federated].into(), "words are exact");
}

proptest! {
    #[test]
    fn reading_a_callback_never_panics(query in ".{0,200}") {
        let _ = Callback::parse(&query);
    }
}
