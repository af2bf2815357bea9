//! Sign-in, forgeries and logout against a real, certified OpenID provider: npm `oidc-provider`, in
//! `tests/oidc-provider` at the root of the repository. The attacks in detail are in the unit tests, with a scripted
//! provider; here the question is whether the two sides understand each other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use countersign_identity::oidc::{
    AuthenticationDemand, Callback, FederatedIdentity, HttpClient, MethodMapping, OidcError, Provider,
    ProviderSettings, TokenFault,
};
use countersign_model::{AuthenticationMethod, CredentialSecret, Timestamp};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

const REDIRECT: &str = "http://countersign.localhost:8080/sign-in/federated/callback";

/// Nothing here takes a second; a provider that does not answer must not hold up the whole run.
const PATIENCE: Duration = Duration::from_secs(60);

/// The provider's process. It ends with its standard input, so it does not outlive a test that is killed.
struct RealProvider {
    child: Child,
    _stdin: ChildStdin,
    /// Kept open: a process that writes into a closed pipe ends.
    _stdout: BufReader<ChildStdout>,
    settings: ProviderSettings,
    browser: Client<HttpConnector, Full<Bytes>>,
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RealProvider {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oidc-provider");
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "the OpenID provider is not installed: run `npm ci` in tests/oidc-provider (or `cargo xtask setup`)"
        );
        let mut child = Command::new("node")
            .args(["server.mjs", &format!("--redirect={REDIRECT}")])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs Node.js 20 or later as `node`: {error}"));
        let stdin = child.stdin.take().unwrap();
        // The line comes, or the process ends and the pipe with it: this does not hang.
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!(
                "the OpenID provider did not start: run `npm ci` in tests/oidc-provider, then `node server.mjs` there"
            )
        });
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap().to_owned();
        let settings = ProviderSettings {
            issuer: text("issuer"),
            client_id: text("client_id"),
            client_secret: Some(CredentialSecret::new(text("client_secret"))),
            redirect_uri: REDIRECT.to_owned(),
            scopes: ["email", "profile"].map(str::to_owned).into(),
            methods: MethodMapping::default(),
        };
        Self {
            child,
            _stdin: stdin,
            _stdout: stdout,
            settings,
            browser: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn discover(&self) -> Provider {
        Provider::discover(self.settings.clone(), HttpClient::new(None).unwrap(), now()).await.unwrap()
    }

    async fn send(&self, method: &str, url: &str, cookies: &BTreeMap<String, String>) -> Response<Bytes> {
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder().method(method).uri(url);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let response = self.browser.request(request.body(Full::default()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// A person's browser: follows the provider's redirects until it is sent back to us.
    async fn visit(&self, start: &str) -> String {
        let mut url = start.to_owned();
        let mut cookies = BTreeMap::new();
        for _ in 0..12 {
            if let Some(query) = url.strip_prefix(REDIRECT) {
                return query.trim_start_matches('?').to_owned();
            }
            let response = self.send("GET", &url, &cookies).await;
            for cookie in response.headers().get_all(SET_COOKIE) {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = response.headers().get(LOCATION) else {
                panic!("{} at {url}: {}", response.status(), String::from_utf8_lossy(response.body()));
            };
            let location = location.to_str().unwrap();
            url = if location.starts_with('/') {
                format!("{}{location}", self.settings.issuer)
            } else {
                location.to_owned()
            };
        }
        panic!("the provider redirects in circles");
    }

    async fn control(&self, path: &str) -> String {
        let response = self.send("POST", &format!("{}{path}", self.settings.issuer), &BTreeMap::new()).await;
        String::from_utf8(response.into_body().to_vec()).unwrap()
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
    let real = RealProvider::start();
    tokio::time::timeout(PATIENCE, whole_story(&real)).await.unwrap();
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
