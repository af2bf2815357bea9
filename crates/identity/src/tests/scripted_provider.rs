//! An OpenID provider on loopback that follows a script: everything it says can be made wrong. It checks nothing but
//! what a real one checks of us: the code, once, with its PKCE verifier.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::NOW;
use crate::encoding::base64url;
use crate::oidc::{AuthenticationDemand, FlowState, HttpClient, MethodMapping, OidcError, Provider, ProviderSettings};

pub(super) const CLIENT: &str = "countersign";
pub(super) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A P-256 key of the provider, or of a stranger.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: String,
    pkcs8: Vec<u8>,
    pub(super) point: Vec<u8>,
}

impl Key {
    pub(super) fn new(kid: &str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &SystemRandom::new()).unwrap();
        Self { kid: kid.to_owned(), point: pair.public_key().as_ref().to_vec(), pkcs8 }
    }

    pub(super) fn jwk(&self) -> Value {
        let (x, y) = (base64url(&self.point[1..33]), base64url(&self.point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": self.kid })
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_with(claims, |_| {})
    }

    pub(super) fn sign_with(&self, claims: &Value, change: impl Fn(&mut Header)) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        change(&mut header);
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }
}

type Forge = Box<dyn Fn(&Key, Value) -> String + Send>;

pub(super) struct Script {
    pub(super) key: Key,
    pub(super) published: Vec<Value>,
    /// Turns the honest claims into the token that is sent.
    pub(super) forge: Forge,
    /// Added to the metadata.
    pub(super) metadata: Value,
    pub(super) user_info: Value,
    pub(super) key_requests: usize,
    code_challenge: String,
    nonce: String,
    code_open: bool,
}

#[derive(Clone)]
pub(super) struct ScriptedProvider {
    pub(super) issuer: String,
    pub(super) script: Arc<Mutex<Script>>,
}

impl ScriptedProvider {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = Key::new("first");
        let script = Script {
            published: vec![key.jwk()],
            key,
            forge: Box::new(|key, claims| key.sign(&claims)),
            metadata: json!({ "authorization_response_iss_parameter_supported": true }),
            user_info: json!({ "sub": "alice-at-provider", "email": "alice@example.org", "email_verified": true }),
            key_requests: 0,
            code_challenge: String::new(),
            nonce: String::new(),
            code_open: false,
        };
        let provider = Self { issuer, script: Arc::new(Mutex::new(script)) };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                let service = service_fn(move |request| {
                    let provider = provider.clone();
                    async move { Ok::<_, Infallible>(provider.answer(request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        provider
    }

    pub(super) fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            issuer: self.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(countersign_model::CredentialSecret::new("a client secret")),
            redirect_uri: "http://countersign.localhost:8080/sign-in/federated/callback".to_owned(),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            methods: MethodMapping::default(),
        }
    }

    pub(super) async fn discover(&self) -> Result<Provider, OidcError> {
        Provider::discover(self.settings(), HttpClient::new(None).unwrap(), NOW).await
    }

    pub(super) fn forge(&self, forge: impl Fn(&Key, Value) -> String + Send + 'static) {
        self.script.lock().forge = Box::new(forge);
    }

    /// The person signs in: the query with which the browser comes back, and the state to finish with.
    pub(super) fn visit(&self, provider: &Provider, demand: &AuthenticationDemand) -> (String, FlowState) {
        let (url, flow) = provider.begin(demand, NOW).unwrap();
        let asked = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(asked("response_type").as_deref(), Some("code"));
        assert_eq!(asked("code_challenge_method").as_deref(), Some("S256"));
        let mut script = self.script.lock();
        script.code_challenge = asked("code_challenge").unwrap();
        script.nonce = asked("nonce").unwrap();
        script.code_open = true;
        let state = asked("state").unwrap();
        (format!("code=the-code&state={state}&iss={}", self.issuer), flow)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut script = self.script.lock();
        let (status, body) = match path.as_str() {
            "/.well-known/openid-configuration" => (200, self.metadata(&script)),
            "/jwks" => {
                script.key_requests += 1;
                (200, json!({ "keys": script.published }))
            }
            "/token" => self.token(&mut script, &body),
            "/userinfo" => (200, script.user_info.clone()),
            _ => (404, json!({})),
        };
        Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap()
    }

    fn metadata(&self, script: &Script) -> Value {
        let issuer = &self.issuer;
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        });
        for (name, value) in script.metadata.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        metadata
    }

    fn token(&self, script: &mut Script, body: &[u8]) -> (u16, Value) {
        let asked = |name: &str| {
            let mut pairs = openidconnect::url::form_urlencoded::parse(body);
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let proven = base64url(Sha256::digest(asked("code_verifier"))) == script.code_challenge;
        if !std::mem::take(&mut script.code_open) || !proven || asked("code") != "the-code" {
            return (400, json!({ "error": "invalid_grant" }));
        }
        let claims = json!({
            "iss": self.issuer, "sub": "alice-at-provider", "aud": CLIENT, "nonce": script.nonce,
            "iat": NOW.seconds(), "exp": NOW.seconds() + 600, "auth_time": NOW.seconds(),
            "amr": ["hwk", "pin"], "sid": "session-1",
        });
        let token = (script.forge)(&script.key, claims);
        (200, json!({ "access_token": "the-access-token", "token_type": "Bearer", "id_token": token }))
    }
}
