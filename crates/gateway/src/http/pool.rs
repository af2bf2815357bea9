//! Connections to one upstream origin: opened when needed, kept while they are useful. Every way to get one takes the
//! [`Access`] that it is for.

use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::access::Access;
use super::body::RequestBody;

/// The most unused HTTP/1 connections that are kept for one origin.
const MOST_IDLE: usize = 128;

/// An origin's address as meant.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) host: HeaderValue,
    name: String,
    port: u16,
    security: Security,
    connect_timeout: Duration,
    keep: Duration,
    idle: Mutex<Vec<Idle>>,
    shared: Mutex<Option<http2::SendRequest<RequestBody>>>,
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Security {
    Plain { http2: bool },
    Tls { any: Arc<ClientConfig>, http1: Arc<ClientConfig>, name: ServerName<'static>, speaks: Mutex<Option<bool>> },
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<RequestBody>,
    since: Instant,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum OriginError {
    #[error("the upstream address is not a URL such as http://127.0.0.1:3000")]
    Url,
    #[error("the upstream's certificate authority cannot be read")]
    CertificateAuthority,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the upstream did not take the connection in time")]
    Timeout,
    #[error("the upstream cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    #[error("the upstream's HTTP handshake failed: {0}")]
    Http(#[from] hyper::Error),
}

/// TLS settings for one set of trusted roots.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) any: Arc<ClientConfig>,
    pub(super) http1: Arc<ClientConfig>,
}

/// A connection that is ready for one request.
pub(super) enum Connection {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

/// An HTTP/1 connection that is out for one exchange.
pub(super) struct Lent {
    pub(super) origin: Arc<Origin>,
    pub(super) sender: http1::SendRequest<RequestBody>,
}

impl Lent {
    /// The response has been read to its end.
    pub(super) fn give_back(self) {
        let mut idle = self.origin.idle.lock();
        if !self.sender.is_closed() && idle.len() < MOST_IDLE {
            idle.push(Idle { sender: self.sender, since: Instant::now() });
        }
    }
}

impl Origin {
    /// `url` is `http://`, `https://` or `h2c://`, with a host, perhaps a port, and no path.
    pub(super) fn new(
        url: &str,
        trust: impl FnOnce() -> Result<Trust, OriginError>,
        connect_timeout: Duration,
        keep: Duration,
    ) -> Result<Self, OriginError> {
        let url: Uri = url.parse().map_err(|_| OriginError::Url)?;
        let authority = url.authority().ok_or(OriginError::Url)?.clone();
        if !matches!(url.path(), "" | "/") || url.query().is_some() || authority.as_str().contains('@') {
            return Err(OriginError::Url);
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (security, scheme, port) = match url.scheme_str() {
            Some("http") => (Security::Plain { http2: false }, Scheme::HTTP, 80),
            Some("h2c") => (Security::Plain { http2: true }, Scheme::HTTP, 80),
            Some("https") => {
                let Trust { any, http1 } = trust()?;
                let name = ServerName::try_from(name.clone()).map_err(|_| OriginError::Url)?;
                (Security::Tls { any, http1, name, speaks: Mutex::new(None) }, Scheme::HTTPS, 443)
            }
            _ => return Err(OriginError::Url),
        };
        Ok(Self {
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| OriginError::Url)?,
            port: authority.port_u16().unwrap_or(port),
            scheme,
            authority,
            name,
            security,
            connect_timeout,
            keep,
            idle: Mutex::default(),
            shared: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// A connection for one request; `fresh` when an unused one has just turned out to be dead, `upgrade` when it will
    /// become a tunnel.
    pub(super) async fn connection(
        &self,
        access: &Access,
        upgrade: bool,
        fresh: bool,
    ) -> Result<Connection, ConnectError> {
        if !fresh && !upgrade {
            if let Some(sender) = self.shared() {
                return Ok(Connection::Http2(sender));
            }
            if let Some(sender) = self.unused() {
                return Ok(Connection::Http1(sender));
            }
        }
        if upgrade || !self.may_speak_http2() {
            return self.connect(access, upgrade).await;
        }
        // One connection carries everybody: whoever comes second waits for the first to have opened it.
        let turn = self.connecting.lock().await;
        if let Some(sender) = self.shared().filter(|_| !fresh) {
            return Ok(Connection::Http2(sender));
        }
        let connection = self.connect(access, upgrade).await?;
        if let Connection::Http2(sender) = &connection {
            *self.shared.lock() = Some(sender.clone());
        }
        drop(turn);
        Ok(connection)
    }

    fn may_speak_http2(&self) -> bool {
        match &self.security {
            Security::Plain { http2 } => *http2,
            Security::Tls { speaks, .. } => speaks.lock().unwrap_or(true),
        }
    }

    fn shared(&self) -> Option<http2::SendRequest<RequestBody>> {
        let mut shared = self.shared.lock();
        shared.take_if(|sender| sender.is_closed());
        shared.clone()
    }

    fn unused(&self) -> Option<http1::SendRequest<RequestBody>> {
        let mut idle = self.idle.lock();
        // The latest first; one that is still finishing its last exchange is left for later.
        let mut at = idle.len();
        while let Some(next) = at.checked_sub(1) {
            at = next;
            let Some(candidate) = idle.get(at) else { break };
            if candidate.sender.is_closed() || candidate.since.elapsed() > self.keep {
                idle.swap_remove(at);
            } else if candidate.sender.is_ready() {
                return Some(idle.swap_remove(at).sender);
            }
        }
        None
    }

    /// Closes what nobody has used for a while.
    pub(super) fn sweep(&self) {
        self.idle.lock().retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() <= self.keep);
    }

    // The access is not read: that it must be there is the point.
    async fn connect(&self, _access: &Access, upgrade: bool) -> Result<Connection, ConnectError> {
        let opening = async {
            let stream = TcpStream::connect((self.name.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            match &self.security {
                Security::Plain { http2 } => handshake(stream, *http2 && !upgrade).await,
                Security::Tls { any, http1, name, speaks } => {
                    let config = if upgrade { http1 } else { any };
                    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
                    let stream = connector.connect(name.clone(), stream).await?;
                    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    if !upgrade {
                        *speaks.lock() = Some(http2);
                    }
                    handshake(stream, http2).await
                }
            }
        };
        tokio::time::timeout(self.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
    }
}

async fn handshake<S>(stream: S, http2: bool) -> Result<Connection, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    if http2 {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .handshake(io)
            .await?;
        // A failed connection shows in the exchanges that it carried.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        return Ok(Connection::Http2(sender));
    }
    let (mut sender, connection) = http1::handshake(io).await?;
    tokio::spawn(async move { connection.with_upgrades().await.unwrap_or_default() });
    sender.ready().await?;
    Ok(Connection::Http1(sender))
}
