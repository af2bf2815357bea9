//! The command line's way to a running server: the HTTP API at the control host, through the gateway, decided like any
//! other request. On the server's machine the operator key in the data directory signs a short assertion for each
//! request; elsewhere an API key is sent.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use countersign_administrator::SystemClock;
use countersign_identity::assertion::Signer;
use countersign_identity::operator;
use countersign_model::{Clock, CredentialSecret};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;

use crate::command_line::Global;
use crate::data_directory::DataDirectory;
use crate::dial::{ClientIdentity, Dialler};

/// Where a certificate store of the system usually is.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Nothing has been started on a data directory, or it was stopped.
#[derive(Debug, thiserror::Error)]
#[error("no server runs on {}. Start one with `countersign up`, or name one with --server", .0.display())]
pub struct NoServer(std::path::PathBuf);

/// A server to talk to, and how to prove who is talking.
#[derive(Debug, Clone)]
pub struct Control {
    dialler: Dialler,
    /// What is dialled: scheme and authority.
    base: String,
    /// What is sent as `Host`, and what an assertion is addressed to.
    origin: String,
    credential: Option<OperatorOrKey>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone)]
enum OperatorOrKey {
    Operator(Box<Signer>),
    Key(CredentialSecret),
}

/// An answer that is not a success, as the server explained it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub status: StatusCode,
    pub message: String,
    pub body: Value,
}

impl Control {
    /// As the options and the environment say.
    pub fn from_options(global: &Global, data: &std::path::Path) -> anyhow::Result<Self> {
        let key = std::env::var("COUNTERSIGN_API_KEY").ok().filter(|key| !key.is_empty()).map(CredentialSecret::new);
        if let Some(server) = &global.server {
            let local = || Self::local(&DataDirectory::existing(data).ok()?).ok().filter(|local| local.is_at(server));
            if let (None, Some(local)) = (&key, local()) {
                return Ok(local);
            }
            let key = key.context(
                "a server on another machine needs an API key: set COUNTERSIGN_API_KEY (`countersign key create` makes one)",
            )?;
            return Self::remote(server, &authorities(global.ca.as_deref())?, Some(key));
        }
        let directory = DataDirectory::existing(data)?;
        let mut control = Self::local(&directory)?;
        if let Some(key) = key {
            control.credential = Some(OperatorOrKey::Key(key));
        }
        Ok(control)
    }

    /// The server that runs on this data directory, as the local operator.
    pub fn local(directory: &DataDirectory) -> anyhow::Result<Self> {
        let running = directory.running().ok_or_else(|| NoServer(directory.root().to_owned()))?;
        let authority = std::fs::read_to_string(directory.authority_certificate()).unwrap_or_default();
        let mut dialler = Dialler::new(&authority, None)?;
        dialler.address = Some(running.local.address.ip());
        let host = running.origin.parse::<Uri>()?.host().unwrap_or_default().to_owned();
        let scheme = if running.local.encrypted { "https" } else { "http" };
        let base = format!("{scheme}://{host}:{}", running.local.address.port());
        let credential = Some(OperatorOrKey::Operator(Box::new(directory.operator_signer()?)));
        Ok(Self { dialler, origin: base.clone(), base, credential, clock: Arc::new(SystemClock) })
    }

    /// Whether `url` means this server, by a name or an address of this machine and the port.
    fn is_at(&self, url: &str) -> bool {
        let (Ok(url), Ok(base)) = (url.parse::<Uri>(), self.base.parse::<Uri>()) else { return false };
        let this_machine = url.host().is_some_and(|host| is_localhost(host) || loopback(host).is_some());
        this_machine && url.scheme() == base.scheme() && url.port_u16() == base.port_u16()
    }

    /// A server by its URL.
    pub fn remote(url: &str, authorities: &str, key: Option<CredentialSecret>) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is no URL"))?;
        let host = uri.host().with_context(|| format!("{url:?} names no host"))?;
        if loopback(host).is_some() {
            // The gateway goes by names: an address alone says not who is meant.
            bail!(
                "{url}: name the control host, such as http://countersign.localhost:8080; `countersign up` prints it"
            );
        }
        if uri.scheme_str() != Some("https") && !(uri.scheme_str() == Some("http") && is_localhost(host)) {
            bail!("{url}: beyond this machine the control host is spoken to over https only");
        }
        let base = crate::dial::origin_of(&uri);
        let credential = key.map(OperatorOrKey::Key);
        Ok(Self {
            dialler: Dialler::new(authorities, None)?,
            origin: base.clone(),
            base,
            credential,
            clock: Arc::new(SystemClock),
        })
    }

    /// The same, by another clock than the machine's.
    #[must_use]
    pub fn by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same server, with a device's certificate and without any other proof.
    pub fn as_device(url: &str, authorities: &str, identity: Option<&ClientIdentity>) -> anyhow::Result<Self> {
        let mut control = Self::remote(url, authorities, None)?;
        control.dialler = Dialler::new(authorities, identity)?;
        Ok(control)
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, path, None::<&()>).await
    }

    /// An answer whose body is read as it comes.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Response<Incoming>> {
        let answer = self.dialler.send(self.request(Method::GET, path, None, "text/event-stream")?).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let body = http_body_util::BodyExt::collect(body).await?.to_bytes();
        Err(refused(head.status, &body).into())
    }

    /// An answer to `body` that is one JSON value a line; each is told as it comes. The last one is returned.
    pub async fn lines(
        &self,
        path: &str,
        body: &impl Serialize,
        mut tell: impl FnMut(&Value),
    ) -> anyhow::Result<Value> {
        let request = self.request(Method::POST, path, Some(serde_json::to_vec(body)?), "application/x-ndjson")?;
        let (head, mut body) = self.dialler.send(request).await?.into_parts();
        let mut rest = Vec::new();
        let mut last = Value::Null;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            rest.extend_from_slice(&data);
            while head.status.is_success()
                && let Some(end) = rest.iter().position(|&byte| byte == b'\n')
            {
                let line: Vec<u8> = rest.drain(..=end).collect();
                last = serde_json::from_slice(&line).context("the server's answer is not JSON")?;
                tell(&last);
            }
        }
        if head.status.is_success() { Ok(last) } else { Err(refused(head.status, &rest).into()) }
    }

    /// A file as it is, and `None` where there is none.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Option<Bytes>> {
        let answer = self.dialler.fetch(self.request(Method::GET, path, None, "*/*")?).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer.into_body())),
            status => Err(refused(status, answer.body()).into()),
        }
    }

    /// A file that may be large, of at most `most` bytes, and `None` where there is none.
    pub async fn download(&self, path: &str, most: usize) -> anyhow::Result<Option<Vec<u8>>> {
        let answer = self.dialler.send(self.request(Method::GET, path, None, "*/*")?).await?;
        let (head, mut body) = answer.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("the server's answer broke off")?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                bail!("the server's answer is larger than {most} bytes");
            }
            bytes.extend_from_slice(&data);
        }
        match head.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(bytes)),
            status => Err(refused(status, &bytes).into()),
        }
    }

    /// Sends a body of another type than JSON, and reads the answer.
    pub async fn upload(&self, path: &str, content_type: &str, body: Bytes) -> anyhow::Result<Value> {
        let mut request = self.request(Method::POST, path, None, "application/json")?;
        request.headers_mut().insert(CONTENT_TYPE, content_type.parse()?);
        *request.body_mut() = Full::from(body);
        self.told(request).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> anyhow::Result<Value> {
        let body = body.map(serde_json::to_vec).transpose()?;
        self.told(self.request(method, path, body, "application/json")?).await
    }

    async fn told(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Value> {
        let answer = self.dialler.fetch(request).await?;
        if !answer.status().is_success() {
            return Err(refused(answer.status(), answer.body()).into());
        }
        if answer.body().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(answer.body()).context("the server's answer is not JSON: is this the control host?")
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        accept: &str,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let authority = self.origin.parse::<Uri>()?.authority().map(ToString::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(HOST, authority)
            .header(ACCEPT, accept);
        // A fresh assertion for each request: each counts once.
        let bearer = self.credential.as_ref().map(|credential| match credential {
            OperatorOrKey::Operator(signer) => operator::sign(signer, &self.origin, self.clock.now()),
            OperatorOrKey::Key(key) => key.clone(),
        });
        if let Some(bearer) = bearer {
            let mut value = hyper::header::HeaderValue::from_str(&format!("Bearer {}", bearer.expose()))
                .map_err(|_| anyhow!("the API key contains what no API key contains"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::from(body.unwrap_or_default()))?)
    }
}

fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

fn loopback(host: &str) -> Option<std::net::IpAddr> {
    host.trim_matches(['[', ']']).parse().ok().filter(std::net::IpAddr::is_loopback)
}

/// The certificates to trust for servers elsewhere.
pub fn authorities(file: Option<&std::path::Path>) -> anyhow::Result<String> {
    if let Some(file) = file {
        return std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()));
    }
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let found =
        named.into_iter().chain(SYSTEM_ROOTS.map(Into::into)).find_map(|path| std::fs::read_to_string(path).ok());
    Ok(found.unwrap_or_default())
}

/// Problem details (RFC 9457) as a sentence.
fn refused(status: StatusCode, body: &[u8]) -> Refused {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut message =
        text("detail").or_else(|| text("title")).unwrap_or_else(|| format!("the server answered {status}"));
    if let Some(decision) = text("decision") {
        message += &format!(" (decision {decision}; `countersign decision show {decision}` has the reasons)");
    }
    if status == StatusCode::UNAUTHORIZED {
        message += ". The credential was not accepted: is COUNTERSIGN_API_KEY right, and not expired?";
    }
    Refused { status, message, body }
}
