//! Sign-in, forgeries and logout against real OpenID providers: npm `oidc-provider`, which is certified, and
//! LemonLDAP::NG, which is of an older kind; both in `tests` at the root of the repository. The attacks in detail are in the unit tests, with a scripted
//! provider; here the question is whether the two sides understand each other.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::ops::Deref;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_identity::oidc::{
    AuthenticationDemand, Callback, FederatedIdentity, HttpClient, MethodMapping, OidcError, Provider,
    ProviderSettings, TokenFault,
};
use countersign_model::{AuthenticationMethod, CredentialSecret, Timestamp};
use countersign_testkit::ProviderProcess;
use countersign_testkit::provider::REDIRECT;

/// Nothing here takes a second; a provider that does not answer must not hold up the whole run.
const PATIENCE: Duration = Duration::from_secs(60);

struct RealProvider(ProviderProcess);

impl Deref for RealProvider {
    type Target = ProviderProcess;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl RealProvider {
    async fn discover(&self) -> Provider {
        let settings = ProviderSettings {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: Some(CredentialSecret::new(self.client_secret.clone())),
            redirect_uri: REDIRECT.to_owned(),
            scopes: ["email", "profile"].map(str::to_owned).into(),
            methods: MethodMapping::default(),
        };
        Provider::discover(settings, HttpClient::new(None).unwrap(), now()).await.unwrap()
    }

    async fn sign_in(
        &self,
        provider: &Provider,
        demand: &AuthenticationDemand,
    ) -> Result<FederatedIdentity, OidcError> {
        let (url, flow) = provider.begin(demand, now())?;
        let query = self.visit(url.as_str()).await;
        provider.finish(Callback::parse(&query)?, flow, now()).await
    }
}

/// A real provider has a real clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

#[tokio::test]
async fn a_real_provider_is_understood_and_its_forgeries_are_not_believed() {
    let real = RealProvider(ProviderProcess::oidc_provider());
    tokio::time::timeout(PATIENCE, whole_story(&real)).await.unwrap();
}

/// It offers the algorithm `none` and PKCE `plain`, does not name itself in the callback, and knows no back-channel logout.
#[tokio::test]
async fn a_provider_of_the_older_kind_is_understood() {
    let real = RealProvider(ProviderProcess::lemonldap_ng());
    tokio::time::timeout(PATIENCE, older_kind(&real)).await.unwrap();
}

async fn older_kind(real: &RealProvider) {
    let provider = real.discover().await;
    for fresh in [false, true] {
        let demand = AuthenticationDemand { fresh, ..AuthenticationDemand::default() };
        let identity = real.sign_in(&provider, &demand).await.unwrap();
        assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (real.issuer.as_str(), "rtyler"));
        assert_eq!(identity.email.as_deref(), Some("rtyler@badwolf.org"));
        assert!(!identity.email_verified, "it does not say so");
        assert!(identity.auth_time.is_some());
        assert_eq!(identity.methods.len(), 1, "a password is federated and nothing more: {:?}", identity.methods);
    }
    code_replay(real, &provider).await;
    // A code that was made for another browser: the verifier is another.
    let (theirs, _) = provider.begin(&AuthenticationDemand::default(), now()).unwrap();
    let (_, ours) = provider.begin(&AuthenticationDemand::default(), now()).unwrap();
    let query = real.visit(theirs.as_str()).await;
    let code = query.split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let injected = Callback::parse(&format!("{code}&state={}", ours.state())).unwrap();
    assert_eq!(provider.finish(injected, ours, now()).await, Err(OidcError::Code));
    let (url, flow) = provider.begin(&AuthenticationDemand::default(), now()).unwrap();
    let query = real.visit(url.as_str()).await.replace("state=", "state=x");
    assert_eq!(provider.finish(Callback::parse(&query).unwrap(), flow, now()).await, Err(OidcError::State));
}

async fn whole_story(real: &RealProvider) {
    let provider = real.discover().await;
    let demand = AuthenticationDemand::default();
    let identity = real.sign_in(&provider, &demand).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.email.as_deref()), ("alice", Some("alice@example.org")));
    assert_eq!(identity.name.as_deref(), Some("Alice"));
    assert!(identity.email_verified);
    assert!(identity.methods.contains(&AuthenticationMethod::FederatedPhishingResistant), "{:?}", identity.methods);
    let fresh = AuthenticationDemand { fresh: true, login_hint: Some("bob".to_owned()), ..demand.clone() };
    let identity = real.sign_in(&provider, &fresh).await.unwrap();
    assert_eq!(identity.subject, "bob");
    assert!(identity.auth_time.is_some());

    code_replay(real, &provider).await;
    forgeries(real, &provider).await;
    logouts(real, &provider).await;
}

async fn code_replay(real: &RealProvider, provider: &Provider) {
    let (url, flow) = provider.begin(&AuthenticationDemand::default(), now()).unwrap();
    let callback = Callback::parse(&real.visit(url.as_str()).await).unwrap();
    provider.finish(callback.clone(), flow.clone(), now()).await.unwrap();
    assert_eq!(provider.finish(callback, flow, now()).await, Err(OidcError::Code));
}

async fn forgeries(real: &RealProvider, provider: &Provider) {
    use TokenFault as F;
    let kinds = [
        ("wrong-nonce", F::Nonce),
        ("no-nonce", F::Nonce),
        ("wrong-audience", F::Audience),
        ("two-audiences", F::Audience),
        ("wrong-party", F::Audience),
        ("wrong-issuer", F::Issuer),
        ("expired", F::Time),
        ("from-the-future", F::Time),
        ("old-proof", F::AuthenticationAge),
        ("hs256-secret", F::Algorithm),
        ("hs256-public-key", F::Algorithm),
        ("unknown-key", F::UnknownKey),
        ("stolen-kid", F::Signature),
        ("embedded-key", F::Signature),
    ];
    let demand = AuthenticationDemand { fresh: true, ..AuthenticationDemand::default() };
    for (kind, fault) in kinds {
        real.control(&format!("/malice?kind={kind}")).await;
        assert_eq!(real.sign_in(provider, &demand).await, Err(OidcError::Token(fault)), "{kind}");
    }
    real.control("/malice?kind=alg-none").await;
    assert!(matches!(real.sign_in(provider, &demand).await, Err(OidcError::Token(_))));
    for kind in ["mixed-up-issuer", "hidden-issuer"] {
        real.control(&format!("/malice?kind={kind}")).await;
        assert_eq!(real.sign_in(provider, &demand).await, Err(OidcError::Issuer), "{kind}");
    }
    real.control("/malice?kind=none-at-all").await;
    real.sign_in(provider, &demand).await.unwrap();
}

async fn logouts(real: &RealProvider, provider: &Provider) {
    let token = real.control("/logout?sub=alice&sid=session-1").await;
    let logout = provider.verify_logout_token(&token, now()).await.unwrap();
    assert_eq!((logout.subject.as_deref(), logout.sid.as_deref()), (Some("alice"), Some("session-1")));
    assert!(!logout.jti.is_empty());
    provider.verify_logout_token(&real.control("/forged-logout").await, now()).await.unwrap();
    // `%22` is a quotation mark.
    for (claims, fault) in [
        ("{%22nonce%22:%22x%22}", TokenFault::NotALogout),
        ("{%22events%22:{}}", TokenFault::NotALogout),
        ("{%22sub%22:null}", TokenFault::NotALogout),
        ("{%22aud%22:%22another%22}", TokenFault::Audience),
        ("{%22iss%22:%22https://elsewhere.example%22}", TokenFault::Issuer),
        ("{%22iat%22:1,%22exp%22:2}", TokenFault::Time),
    ] {
        let token = real.control(&format!("/forged-logout?claims={claims}")).await;
        assert_eq!(provider.verify_logout_token(&token, now()).await, Err(OidcError::Token(fault)), "{claims}");
    }
}
