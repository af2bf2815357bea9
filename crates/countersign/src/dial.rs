//! A small HTTP client: one connection for each request, so that a caller sees exactly when its own connection ends.
//! It can be told to dial another address than the name says, to prove itself with a client certificate, and to
//! upgrade. No redirects, no cookies, no pool: whoever wants them keeps them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WebSocketError;

/// No answer that this programme reads whole is larger.
const LARGEST_ANSWER: usize = 64 << 20;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach, and whom to trust.
#[derive(Debug, Clone)]
pub struct Dialler {
    /// Dialled in place of what the URL's host resolves to; the port stays the URL's.
    pub address: Option<std::net::IpAddr>,
    tls: Arc<ClientConfig>,
}

/// What a client proves with in the TLS handshake, in PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    pub certificate: String,
    pub key: String,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientIdentity(…)")
    }
}

/// Nothing answered: the server is not there, or not reachable from here.
#[derive(Debug, thiserror::Error)]
#[error("{url} cannot be reached: {reason}. {advice}")]
pub struct Unreachable {
    url: String,
    reason: String,
    advice: &'static str,
}

const IS_IT_UP: &str = "Is Countersign up there (`countersign up`)?";
const NAME_THE_AUTHORITY: &str = "Name its authority with --ca FILE (COUNTERSIGN_CA): for Countersign's own it is \
                                  `authority.pem` in the server's data directory";

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub type BoxStream = Box<dyn Stream>;

impl Dialler {
    /// Trusts the authorities in `authorities` (PEM), and no others.
    pub fn new(authorities: &str, identity: Option<&ClientIdentity>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            roots.add(certificate.context("a certificate of the authority cannot be read")?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut tls = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .context("the client certificate cannot be read")?;
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())
                    .context("the key of the client certificate cannot be read")?;
                builder.with_client_auth_cert(chain, key)?
            }
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { address: None, tls: Arc::new(tls) })
    }

    /// An open connection to the host of `url`, encrypted if its scheme says so.
    pub async fn connect(&self, url: &Uri) -> anyhow::Result<BoxStream> {
        let host = url.host().ok_or_else(|| anyhow!("{url} names no host"))?;
        let encrypted = match url.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => bail!("{url} is neither http nor https"),
        };
        let port = url.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let unreachable = |reason: String| Unreachable { url: origin_of(url), reason, advice: IS_IT_UP };
        let dialled = async {
            let stream = match self.address {
                Some(address) => TcpStream::connect(SocketAddr::new(address, port)).await,
                // RFC 6761, section 6.3: names below `localhost` are this machine, whatever a resolver says.
                None if host == "localhost" || host.ends_with(".localhost") => {
                    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
                }
                None => TcpStream::connect((host.trim_matches(['[', ']']), port)).await,
            }
            .map_err(|error| unreachable(error.to_string()))?;
            stream.set_nodelay(true)?;
            if !encrypted {
                return Ok(Box::new(stream) as BoxStream);
            }
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
            let stream = connector.connect(name, stream).await.map_err(|error| Unreachable {
                advice: if of_unknown_authority(&error) { NAME_THE_AUTHORITY } else { IS_IT_UP },
                ..unreachable(format!("no encrypted connection: {error}"))
            })?;
            Ok(Box::new(stream) as BoxStream)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, dialled)
            .await
            .unwrap_or_else(|_| Err(unreachable("no answer in ten seconds".to_owned()).into()))
    }

    /// Sends one request to an absolute URL and returns the answer's head and its body as it comes.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let url = request.uri().clone();
        let stream = self.connect(&url).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends when the body has been read or dropped.
        tokio::spawn(connection.with_upgrades());
        Ok(sender.send_request(in_origin_form(request)?).await?)
    }

    /// Sends one request and reads the whole answer.
    pub async fn fetch(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let (head, body) = self.send(request).await?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| anyhow!("the answer broke off: {error}"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Opens a WebSocket; what refuses it is returned as the answer it gave.
    pub async fn web_socket(
        &self,
        request: Request<()>,
    ) -> anyhow::Result<Result<WebSocketStream<BoxStream>, Response<Option<Vec<u8>>>>> {
        let stream = self.connect(request.uri()).await?;
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Ok(socket)),
            Err(WebSocketError::Http(answer)) => Ok(Err(*answer)),
            Err(error) => Err(error.into()),
        }
    }
}

fn of_unknown_authority(error: &std::io::Error) -> bool {
    matches!(
        error.get_ref().and_then(|inner| inner.downcast_ref()),
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
    )
}

/// `scheme://host:port`, without what may be secret.
pub fn origin_of(url: &Uri) -> String {
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme_str().unwrap_or("http"))
}

fn in_origin_form(mut request: Request<Full<Bytes>>) -> anyhow::Result<Request<Full<Bytes>>> {
    let authority = request.uri().authority().context("the URL names no host")?.as_str().to_owned();
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, HeaderValue::from_str(&authority)?);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
    *request.uri_mut() = path;
    Ok(request)
}
