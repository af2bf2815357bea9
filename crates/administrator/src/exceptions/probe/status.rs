//! One GET to one address, for its status: no redirect is followed, no body read, nothing sent but the request itself. What
//! may be asked is settled before.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use countersign_identity::passkey::Url;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum StatusError {
    #[error("the address cannot be asked")]
    Address,
    #[error("no connection")]
    Connection,
    #[error("its certificate is not valid for the name, or its authority not public")]
    Tls,
    #[error("it does not speak HTTP/1.1")]
    Protocol,
}

/// The host goes into the certificate's check and the request; the connection goes to `address` and nowhere else.
pub(super) async fn status(url: &Url, address: SocketAddr) -> Result<u16, StatusError> {
    let stream = TcpStream::connect(address).await.map_err(|_| StatusError::Connection)?;
    if url.scheme() != "https" {
        return exchange(url, stream).await;
    }
    let host = url.host_str().ok_or(StatusError::Address)?.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| StatusError::Address)?;
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| StatusError::Tls)?.with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    exchange(url, connector.connect(name, stream).await.map_err(|_| StatusError::Tls)?).await
}

async fn exchange(url: &Url, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<u16, StatusError> {
    let host = url.host_str().ok_or(StatusError::Address)?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let request = Request::get(url.path())
        .header(header::HOST, authority)
        .header(header::USER_AGENT, "countersign-probe")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| StatusError::Address)?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| StatusError::Protocol)?;
    let driven = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    // Whatever else it has to say is not read.
    driven.abort();
    answer.map(|answer| answer.status().as_u16()).map_err(|_| StatusError::Protocol)
}
