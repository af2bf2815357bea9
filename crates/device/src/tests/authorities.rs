//! What the authority issues, and to whom a listener opens.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{DAY, NOW, laptop, later};
use crate::{Authority, AuthorityError, DeviceKey, DeviceKeyError, DevicePublicKey, device_of, fingerprint};

fn authority() -> Authority {
    Authority::create(NOW, "Countersign on a test machine").unwrap()
}

fn at(instant: countersign_model::Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(instant.seconds()).unwrap()))
}

fn device_certificate(authority: &Authority) -> CertificateDer<'static> {
    let csr = DeviceKey::generate().unwrap().csr().unwrap();
    let issued = authority.sign_request(&csr, &laptop(), DAY, NOW).unwrap();
    CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap()
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    roots
}

fn server_verdict(authority: &Authority, certificate: &CertificateDer<'_>, host: &str) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(authority)), provider).build().unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    verifier.verify_server_cert(certificate, &[], &name, &[], at(NOW)).map(|_| ())
}

#[test]
fn a_device_gets_a_certificate_for_its_own_key() {
    let authority = authority();
    let key = DeviceKey::generate().unwrap();
    let issued = authority.sign_request(&key.csr().unwrap(), &laptop(), DAY, NOW).unwrap();
    let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
    assert_eq!(issued.fingerprint, fingerprint(&der));
    assert_eq!(Some(issued.fingerprint), crate::fingerprint_of_pem(&issued.pem));
    assert_eq!(issued.expires, NOW.plus(DAY));
    assert_eq!(device_of(&der), Some(laptop()), "a name with any characters");
    assert!(DevicePublicKey::from_certificate_pem(&issued.pem).is_some());
    let verifier = authority.client_verifier().unwrap();
    assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
    assert!(verifier.verify_client_cert(&der, &[], at(NOW)).is_ok());
    assert!(verifier.verify_client_cert(&der, &[], at(later(86_401))).is_err(), "expired");
    let restored = Authority::from_pem(&authority.to_pem()).unwrap();
    assert!(restored.client_verifier().unwrap().verify_client_cert(&der, &[], at(NOW)).is_ok());
    let again = device_certificate(&restored);
    assert!(verifier.verify_client_cert(&again, &[], at(NOW)).is_ok());
    assert_ne!(fingerprint(&again), fingerprint(&der));
}

#[test]
fn certificates_of_others_and_for_other_uses_prove_nothing() {
    let authority = authority();
    let verifier = authority.client_verifier().unwrap();
    let strangers = device_certificate(&Authority::create(NOW, "Countersign on a test machine").unwrap());
    assert!(verifier.verify_client_cert(&strangers, &[], at(NOW)).is_err(), "another authority of the same name");
    let server = authority.issue_server(&["wiki.localhost".to_owned()], DAY, NOW).unwrap();
    assert!(verifier.verify_client_cert(&server.chain[0], &[], at(NOW)).is_err(), "a server certificate");
    let device = device_certificate(&authority);
    assert!(server_verdict(&authority, &device, "wiki.localhost").is_err(), "a device is no server");
    // A device as an authority of its own.
    let key = DeviceKey::generate().unwrap();
    let issued = authority.sign_request(&key.csr().unwrap(), &laptop(), DAY, NOW).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&issued.pem, KeyPair::from_pem(&key.to_pem()).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let forged: CertificateDer<'static> = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().into();
    let between = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
    assert!(verifier.verify_client_cert(&forged, &[between], at(NOW)).is_err());
}

#[test]
fn what_a_request_wishes_is_not_looked_at() {
    let authority = authority();
    let mut wishes = CertificateParams::new(vec!["countersign.localhost".to_owned()]).unwrap();
    wishes.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wishes.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::Any];
    wishes.subject_alt_names.push(SanType::URI("urn:countersign:device:another".try_into().unwrap()));
    let csr = wishes.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    let issued = authority.sign_request(&csr, &laptop(), DAY, NOW).unwrap();
    let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(!certificate.is_ca());
    assert_eq!(device_of(&der), Some(laptop()));
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(server_verdict(&authority, &der, "countersign.localhost").is_err());
}

#[test]
fn a_request_must_prove_its_key() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let authority = authority();
    let csr = DeviceKey::generate().unwrap().csr().unwrap();
    let body: String = csr.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect();
    let mut der = STANDARD.decode(body).unwrap();
    let pem = |der: &[u8]| {
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", STANDARD.encode(der))
    };
    let verdict = |csr: &str| authority.sign_request(csr, &laptop(), DAY, NOW).map(|_| ());
    let last = der.len() - 1;
    der[last] ^= 1;
    assert_eq!(verdict(&pem(&der)), Err(AuthorityError::NotProven));
    der[last] ^= 1;
    assert_eq!(verdict(&pem(&der)), Ok(()));
    der.push(0);
    assert_eq!(verdict(&pem(&der)), Err(AuthorityError::Request), "something after it");
    assert_eq!(verdict("nothing"), Err(AuthorityError::Request));
    let request = |key: KeyPair| CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    assert_eq!(verdict(&request(p384)), Err(AuthorityError::KeyType));
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    assert_eq!(verdict(&request(ed25519)), Ok(()));
}

#[test]
fn a_certificate_ends_and_not_after_its_authority() {
    let authority = authority();
    let csr = DeviceKey::generate().unwrap().csr().unwrap();
    for validity in [Duration::ZERO, DAY * 365 * 11, Duration::MAX] {
        let verdict = authority.sign_request(&csr, &laptop(), validity, NOW);
        assert_eq!(verdict.unwrap_err(), AuthorityError::Validity, "{validity:?}");
    }
}

#[test]
fn a_listener_gets_a_certificate_for_its_hosts() {
    let authority = authority();
    let hosts = ["countersign.localhost", "*.apps.localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let server = authority.issue_server(&hosts, DAY, NOW).unwrap();
    for host in ["countersign.localhost", "wiki.apps.localhost", "127.0.0.1", "::1"] {
        assert_eq!(server_verdict(&authority, &server.chain[0], host), Ok(()), "{host}");
    }
    assert!(server_verdict(&authority, &server.chain[0], "wiki.example").is_err());
    assert_eq!(authority.issue_server(&[], DAY, NOW).unwrap_err(), AuthorityError::Host);
    for host in ["a b", "-a.example", "a..b", "", "*", "*.localhost", "a.*.example"] {
        let verdict = authority.issue_server(&[host.to_owned()], DAY, NOW);
        assert_eq!(verdict.unwrap_err(), AuthorityError::Host, "{host}");
    }
}

#[test]
fn a_constrained_authority_cannot_speak_for_other_domains() {
    let authority = Authority::create_for(NOW, "Countersign", &["localhost"]).unwrap();
    let issue = |host: &str| authority.issue_server(&[host.to_owned()], DAY, NOW).unwrap().chain.remove(0);
    assert_eq!(server_verdict(&authority, &issue("wiki.localhost"), "wiki.localhost"), Ok(()));
    assert_eq!(server_verdict(&authority, &issue("127.0.0.1"), "127.0.0.1"), Ok(()));
    assert_eq!(server_verdict(&authority, &issue("::1"), "::1"), Ok(()));
    assert!(server_verdict(&authority, &issue("bank.example"), "bank.example").is_err());
    assert!(server_verdict(&authority, &issue("10.0.0.1"), "10.0.0.1").is_err());
    let device = device_certificate(&authority);
    assert!(authority.client_verifier().unwrap().verify_client_cert(&device, &[], at(NOW)).is_ok());
}

/// The whole handshake, in memory, as of the machine's clock: with a certificate, without, and with a stranger's.
#[test]
fn a_listener_knows_the_device_and_lets_others_come_without() {
    let now = countersign_model::Timestamp::from_seconds(i64::try_from(UnixTime::now().as_secs()).unwrap());
    let here = Authority::create(now, "Countersign").unwrap();
    let server = here.issue_server(&["countersign.localhost".to_owned()], DAY, now).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(here.client_verifier().unwrap())
        .with_single_cert(server.chain, server.key)
        .unwrap();
    let config = Arc::new(config);
    let handshake = |device: Option<(&Authority, &DeviceKey)>| {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots(&here));
        let client = match device {
            None => builder.with_no_client_auth(),
            Some((authority, key)) => {
                let issued = authority.sign_request(&key.csr().unwrap(), &laptop(), DAY, now).unwrap();
                let certificate = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key.private_key()).unwrap()
            }
        };
        let name = ServerName::try_from("countersign.localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
        for _ in 0..4 {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        assert!(!server.is_handshaking());
        Ok::<_, rustls::Error>(server.peer_certificates().and_then(|chain| device_of(&chain[0])))
    };
    let key = DeviceKey::generate().unwrap();
    assert_eq!(handshake(None), Ok(None));
    assert_eq!(handshake(Some((&here, &key))), Ok(Some(laptop())));
    let stranger = Authority::create(now, "Countersign").unwrap();
    assert!(handshake(Some((&stranger, &key))).is_err());
}

#[test]
fn keys_and_authorities_are_read_back_or_refused() {
    let key = DeviceKey::generate().unwrap();
    assert_eq!(DeviceKey::from_pem(&key.to_pem()).unwrap().to_pem(), key.to_pem());
    assert!(!format!("{key:?}").contains("PRIVATE"));
    assert_eq!(DeviceKey::from_pem("nothing").unwrap_err(), DeviceKeyError::Unreadable);
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    assert_eq!(DeviceKey::from_pem(&p384).unwrap_err(), DeviceKeyError::Unreadable);
    let authority = authority();
    assert!(authority.certificate_pem().lines().all(|line| line.len() <= 64));
    let mixed = authority.certificate_pem().to_owned() + &key.to_pem();
    assert_eq!(Authority::from_pem(&mixed).unwrap_err(), AuthorityError::Unreadable);
    assert_eq!(Authority::from_pem(authority.certificate_pem()).unwrap_err(), AuthorityError::Unreadable);
    let leaf = KeyPair::generate().unwrap();
    let pem = CertificateParams::default().self_signed(&leaf).unwrap().pem() + &leaf.serialize_pem();
    assert_eq!(Authority::from_pem(&pem).unwrap_err(), AuthorityError::Unreadable, "not an authority");
}

proptest! {
    #[test]
    fn reading_a_request_or_certificate_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        use base64::Engine as _;

        let body = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
        prop_assert!(crate::authority::proven_key(&pem).is_err());
        prop_assert!(device_of(&bytes).is_none());
        prop_assert!(DevicePublicKey::from_certificate_der(&bytes).is_none());
        prop_assert!(Authority::from_pem(&String::from_utf8_lossy(&bytes)).is_err());
    }
}
