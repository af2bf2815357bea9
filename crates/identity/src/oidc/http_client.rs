//! The way to the provider: HTTPS with public roots, or with exactly the authority that the configuration names; plain
//! HTTP to a loopback address only. Follows no redirect, reads at most 1 MiB, waits at most ten seconds.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{HttpRequest, HttpResponse};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

const BODY_LIMIT: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Cheap to clone; keeps connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("the certificate authority in the settings cannot be read")]
    Authority,
    #[error("the address is neither https nor http on a loopback address")]
    Insecure,
    #[error("no connection, or it broke")]
    Connection,
    #[error("no answer within ten seconds")]
    Timeout,
    #[error("the answer is longer than 1 MiB")]
    TooLong,
}

impl HttpClient {
    /// With `authority_pem`, only that authority is trusted, for a provider inside the house.
    pub fn new(authority_pem: Option<&str>) -> Result<Self, HttpError> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| HttpError::Authority)?;
        let tls = match authority_pem {
            None => builder.with_webpki_roots().with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let certificate = certificate.map_err(|_| HttpError::Authority)?;
                    roots.add(certificate).map_err(|_| HttpError::Authority)?;
                }
                if roots.is_empty() {
                    return Err(HttpError::Authority);
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    pub(crate) async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !acceptable(request.uri()) {
            return Err(HttpError::Insecure);
        }
        let exchange = async {
            let response = self.client.request(request.map(|body| Full::new(Bytes::from(body)))).await;
            let (head, body) = response.map_err(|_| HttpError::Connection)?.into_parts();
            let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() { HttpError::TooLong } else { HttpError::Connection }
            })?;
            Ok(http::Response::from_parts(head, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| HttpError::Timeout)?
    }
}

/// Not a closure over [`HttpClient::call`]: of a future with such a closure inside, the compiler cannot tell that it is
/// `Send`.
impl<'c> openidconnect::AsyncHttpClient<'c> for HttpClient {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(Self::call(self, request))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

/// Whether a token or a secret may go there.
pub(crate) fn acceptable(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => uri.host().is_some_and(loopback),
        _ => false,
    }
}

/// By address, or `localhost` and the names below it, which no resolver may send elsewhere (RFC 6761).
fn loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
