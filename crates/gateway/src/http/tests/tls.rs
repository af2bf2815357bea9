//! TLS: what is negotiated, what a client certificate proves, and what is refused without it.

use std::sync::Arc;

use countersign_lease::Gate;
use countersign_model::{DeviceEvidence, Upstream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ResolvesServerCertUsingSni, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};

use super::client::{ask, send};
use super::fixture::{SESSION, Scripted, full, start, start_beside, start_with};
use crate::http::settings::{Listener, Purpose, TlsSettings};
use crate::http::{BindError, Gateway, Parts, Settings};

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_becomes_evidence_of_the_device() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let ca = issuer();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let roots = Arc::new(roots);
    let make = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        (certificate.der().clone(), PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())))
    };
    let (server, server_key) = make("app.localhost");
    let server = CertifiedKey::from_der(vec![server], server_key, &provider).unwrap();
    let mut certificates = ResolvesServerCertUsingSni::new();
    certificates.add("app.localhost", server).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .unwrap();
    let tls = TlsSettings { certificates: Arc::new(certificates), client_verifier: Some(verifier) };
    let fixture = start_with(|settings| settings.listeners[0].tls = Some(tls)).await;

    let (device, device_key) = make("laptop");
    let fingerprint = hex::encode(Sha256::digest(&device));
    for (alpn, certificate, expect) in [
        ("http/1.1", None, DeviceEvidence::Absent),
        ("h2", Some((device, device_key)), DeviceEvidence::Certificate { fingerprint }),
    ] {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&roots));
        let mut config = match certificate {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tcp = TcpStream::connect(fixture.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from("app.localhost").unwrap(), tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        let request = http::Request::builder().header("cookie", SESSION);
        let status = if alpn == "h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = request.uri("https://app.localhost/a").body(full("")).unwrap();
            sender.send_request(request).await.unwrap().status()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = request.uri("/a").header("host", "app.localhost").body(full("")).unwrap();
            sender.send_request(request).await.unwrap().status()
        };
        assert_eq!(status, 200);
        let asked = fixture.script.look(|observed| observed.asked.last().cloned().unwrap());
        assert_eq!((asked.device, asked.encrypted), (expect, true));
    }
    let seen = fixture.script.look(|observed| observed.seen[0].clone());
    assert_eq!(seen.headers["x-forwarded-proto"], "https");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_loopback_there_is_no_listening_without_tls() {
    let fixture = start().await;
    let mut settings = None;
    let _ = start_with(|given: &mut Settings| settings = Some(given.clone())).await;
    let mut settings = settings.unwrap();
    settings.listeners =
        vec![Listener { address: "0.0.0.0:0".parse().unwrap(), tls: None, purpose: Purpose::Applications }];
    let gate = Gate::new(Arc::new(Scripted(Arc::clone(&fixture.script))));
    let bound = Gateway::bind(gate, Parts::new(), fixture.signer.clone(), settings).await;
    assert!(matches!(bound, Err(BindError::PlainBeyondLoopback(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_over_tls_is_spoken_to_as_agreed_and_only_if_vouched_for() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let ca = issuer();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ours.pem"), ca.pem()).unwrap();
    std::fs::write(directory.path().join("another.pem"), issuer().pem()).unwrap();
    for (file, alpn, expect) in [
        ("ours.pem", b"h2".as_slice(), (200, "HTTP/2.0 localhost")),
        ("ours.pem", b"http/1.1", (200, "HTTP/1.1 localhost")),
        ("another.pem", b"h2", (502, "")),
        ("../ours.pem", b"h2", (502, "")),
        ("missing.pem", b"h2", (502, "")),
    ] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let host = match request.uri().host() {
                    Some(host) => host.to_owned(),
                    None => request.headers()["host"].to_str().unwrap().split(':').next().unwrap().to_owned(),
                };
                let text = format!("{:?} {host}", request.version());
                Ok::<_, std::convert::Infallible>(http::Response::new(full(&text)))
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
        let upstream = Upstream::Origin {
            url: format!("https://localhost:{port}"),
            ca: Some(file.to_owned()),
            preserve_host: false,
        };
        let authorities = Some(directory.path().to_owned());
        let fixture = start_beside(Some(upstream), |settings| settings.certificate_authorities = authorities).await;
        for _ in 0..2 {
            let answer = send(&fixture, false, &ask("other.localhost", "/").with("cookie", SESSION)).await.unwrap();
            assert_eq!(answer.status(), expect.0, "{file} {}", String::from_utf8_lossy(alpn));
            if expect.0 == 200 {
                assert_eq!(answer.text().await, expect.1);
            }
        }
    }
}
