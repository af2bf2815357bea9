//! The whole way with a real, certified provider: npm `oidc-provider`, and its own logout tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_identity::oidc::{HttpClient, MethodMapping, ProviderSettings};
use countersign_model::{CredentialSecret, Timestamp};
use countersign_testkit::ProviderProcess;
use countersign_testkit::provider::REDIRECT;

use super::federated::by_address;
use super::fixture::{CONTROL, House, client, human};
use crate::accounts::{ProviderParts, SignInError};

/// A real provider has a real clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

#[tokio::test]
async fn a_person_comes_in_through_a_real_provider_and_is_signed_out_by_it() {
    let real = ProviderProcess::oidc_provider();
    tokio::time::timeout(Duration::from_secs(60), whole_story(&real)).await.unwrap();
}

async fn whole_story(real: &ProviderProcess) {
    let settings = ProviderSettings {
        issuer: real.issuer.clone(),
        client_id: real.client_id.clone(),
        client_secret: Some(CredentialSecret::new(real.client_secret.clone())),
        redirect_uri: REDIRECT.to_owned(),
        scopes: ["email", "profile"].map(str::to_owned).into(),
        methods: MethodMapping::default(),
    };
    let http = HttpClient::new(None).unwrap();
    let parts = ProviderParts { name: "real".to_owned(), settings, provision: by_address(), http };
    let house = House::with_providers(now(), vec![parts]).await;
    let them = &house.administrator;
    let sign_in = async |step_up| {
        house.clock.set(now());
        let start = them.begin_federated("real", step_up, "/".to_owned(), &client()).await?;
        let query = real.visit(&start.url).await;
        house.clock.set(now());
        them.finish_federated(&start.flow, &query, &client()).await.map(|(signed_in, _)| signed_in)
    };
    let first = sign_in(None).await.unwrap();
    assert_eq!(first.subject, human("alice@example.org"));
    let renewed = sign_in(Some(first.session)).await.unwrap();
    assert_eq!(renewed.session, first.session);
    for kind in ["wrong-nonce", "alg-none", "hs256-secret", "stolen-kid", "mixed-up-issuer", "old-proof"] {
        real.control(&format!("/malice?kind={kind}")).await;
        assert_eq!(sign_in(Some(first.session)).await.unwrap_err(), SignInError::Refused, "{kind}");
    }
    real.control("/malice?kind=none-at-all").await;

    house.clock.set(now());
    let strangers = real.control("/logout?sub=alice&sid=another-session").await;
    assert_eq!(them.back_channel_logout("real", &strangers, client().address).await, Ok(0));
    assert!(house.cookie(&renewed.cookie.secret, CONTROL, &client()).is_ok());
    let token = real.control("/forged-logout").await;
    assert_eq!(them.back_channel_logout("real", &token, client().address).await, Ok(1), "every session of alice");
    assert_eq!(them.back_channel_logout("real", &token, client().address).await, Err(SignInError::Refused), "replayed");
    assert!(house.cookie(&renewed.cookie.secret, CONTROL, &client()).is_err());
}
