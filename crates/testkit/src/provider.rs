//! An OpenID provider on loopback that follows a script: everything it says can be made wrong. It checks nothing but
//! what a real one checks of us: the code, once, with its PKCE verifier. Its time is told to it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "part of tests, which may stop")]

use std::fmt;
use std::io::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use countersign_model::Timestamp;
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

pub const CLIENT: &str = "countersign";
pub const CLIENT_SECRET: &str = "a client secret";
pub const REDIRECT: &str = "http://countersign.localhost:8080/sign-in/federated/callback";
/// Of a back-channel logout.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A P-256 key of the provider, or of a stranger.
#[derive(Clone, Debug)]
pub struct Key {
    pub kid: String,
    pkcs8: Vec<u8>,
    pub point: Vec<u8>,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &SystemRandom::new()).unwrap();
        Self { kid: kid.to_owned(), point: pair.public_key().as_ref().to_vec(), pkcs8 }
    }

    pub fn jwk(&self) -> Value {
        let (x, y) = (base64url(&self.point[1..33]), base64url(&self.point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": self.kid })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(claims, |_| {})
    }

    pub fn sign_with(&self, claims: &Value, change: impl Fn(&mut Header)) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        change(&mut header);
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }
}

type Forge = Box<dyn Fn(&Key, Value) -> String + Send>;

pub struct Script {
    pub now: Timestamp,
    pub key: Key,
    pub published: Vec<Value>,
    /// Who sits at the keyboard, and how they have proved it: claims of the next token.
    pub person: Value,
    /// Every connection is closed without an answer.
    pub down: bool,
    /// Turns the honest claims into the token that is sent.
    pub forge: Forge,
    /// Added to the metadata.
    pub metadata: Value,
    pub user_info: Value,
    pub key_requests: usize,
    code_challenge: String,
    nonce: String,
    code_open: bool,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("person", &self.person).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub struct ScriptedProvider {
    pub issuer: String,
    pub script: Arc<Mutex<Script>>,
}

impl ScriptedProvider {
    /// Serves until the runtime ends.
    pub async fn start(now: Timestamp) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = Key::new("first");
        let script = Script {
            now,
            published: vec![key.jwk()],
            key,
            person: json!({
                "sub": "alice-at-provider", "sid": "session-1", "auth_time": now.seconds(), "amr": ["hwk", "pin"],
            }),
            down: false,
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
                    async move {
                        let down = provider.script.lock().down;
                        // An error here breaks the connection: those that were kept open too.
                        if down { Err(Error::other("down")) } else { Ok(provider.answer(request).await) }
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        provider
    }

    pub fn forge(&self, forge: impl Fn(&Key, Value) -> String + Send + 'static) {
        self.script.lock().forge = Box::new(forge);
    }

    /// The person follows the redirect to `url` and signs in: the query with which the browser comes back.
    pub fn visit(&self, url: &str) -> String {
        let asked = |name: &str| query_value(url.split_once('?').unwrap().1.as_bytes(), name);
        assert_eq!(asked("response_type").as_deref(), Some("code"));
        assert_eq!(asked("code_challenge_method").as_deref(), Some("S256"));
        let mut script = self.script.lock();
        script.code_challenge = asked("code_challenge").unwrap();
        script.nonce = asked("nonce").unwrap();
        script.code_open = true;
        let state = asked("state").unwrap();
        format!("code=the-code&state={state}&iss={}", self.issuer)
    }

    /// The claims of a logout token, honest and of this instant.
    pub fn logout(&self, jti: &str, sub: Option<&str>, sid: Option<&str>) -> Value {
        let now = self.script.lock().now.seconds();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": jti, "events": { EVENT: {} },
        });
        for (name, value) in [("sub", sub), ("sid", sid)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        claims
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
        merge(&mut metadata, &script.metadata);
        metadata
    }

    fn token(&self, script: &mut Script, body: &[u8]) -> (u16, Value) {
        let asked = |name: &str| query_value(body, name).unwrap_or_default();
        let proven = base64url(Sha256::digest(asked("code_verifier"))) == script.code_challenge;
        if !std::mem::take(&mut script.code_open) || !proven || asked("code") != "the-code" {
            return (400, json!({ "error": "invalid_grant" }));
        }
        let now = script.now.seconds();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "nonce": script.nonce, "iat": now, "exp": now + 600,
        });
        merge(&mut claims, &script.person);
        let token = (script.forge)(&script.key, claims);
        (200, json!({ "access_token": "the-access-token", "token_type": "Bearer", "id_token": token }))
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
}

fn query_value(query: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
