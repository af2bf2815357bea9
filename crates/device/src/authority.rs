//! The internal certificate authority. It issues client certificates to devices and server certificates to Countersign's
//! own listeners, each for that use only. There is no revocation list: a certificate counts only while its fingerprint is
//! the current one of an active device, which the administrator looks up for each request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_model::{DeviceId, Timestamp};
use rand::Rng as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
    SerialNumber, SubjectPublicKeyInfo,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::certificate::{DevicePublicKey, URN, fingerprint, percent_encoded};

const LIFETIME: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Certificates begin a little before they are made: clocks differ.
const BACKDATE: Duration = Duration::from_secs(5 * 60);

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    expires: Timestamp,
}

/// A device's certificate, as it goes back to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    pub pem: String,
    /// SHA-256 of the DER in lower-case hex.
    pub fingerprint: String,
    pub expires: Timestamp,
}

/// A certificate and key for one of Countersign's own listeners.
pub struct ServerCertificate {
    /// The certificate, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub expires: Timestamp,
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("expires", &self.expires).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    #[error("the authority's certificate or key cannot be read, or they do not belong together")]
    Unreadable,
    #[error("the certificate request cannot be read")]
    Request,
    #[error("the certificate request does not prove that its sender has the key")]
    NotProven,
    #[error("the device's key must be P-256 or Ed25519")]
    KeyType,
    #[error(
        "a certificate needs at least one host; each a DNS name or an address, and no wildcard for a top-level domain"
    )]
    Host,
    #[error("the certificate would end at or before the moment it begins, or outlive the authority")]
    Validity,
    #[error("the certificate could not be made")]
    Crypto,
}

impl Authority {
    /// A new authority for any host.
    pub fn create(now: Timestamp, name: &str) -> Result<Self, AuthorityError> {
        Self::create_for(now, name, &[])
    }

    /// A new authority whose server certificates count only for these domains, the hosts below them, and loopback
    /// addresses: what a machine risks that trusts it. An empty list is no limit.
    pub fn create_for(now: Timestamp, name: &str, domains: &[&str]) -> Result<Self, AuthorityError> {
        let expires = now.plus(LIFETIME);
        let mut params = params(name, now, expires)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        if !domains.is_empty() {
            let mut permitted: Vec<_> =
                domains.iter().map(|&domain| GeneralSubtree::DnsName(domain.to_owned())).collect();
            permitted.push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)));
            let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
            permitted.push(GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(loopback, 128)));
            params.name_constraints =
                Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| AuthorityError::Crypto)?;
        let certificate = params.self_signed(&key).map_err(|_| AuthorityError::Crypto)?;
        Self::from_pem(&(certificate.pem() + &key.serialize_pem()))
    }

    /// From what [`to_pem`](Self::to_pem) wrote: the certificate and its PKCS#8 key, in either order.
    pub fn from_pem(pem: &str) -> Result<Self, AuthorityError> {
        let unreadable = |_| AuthorityError::Unreadable;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(unreadable)?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unreadable)?;
        let key = KeyPair::try_from(&key).map_err(|_| AuthorityError::Unreadable)?;
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| AuthorityError::Unreadable)?;
        let own = parsed.public_key().subject_public_key.data.as_ref() == key.public_key_raw();
        if !own || !parsed.is_ca() {
            return Err(AuthorityError::Unreadable);
        }
        let expires = Timestamp::from_seconds(parsed.validity().not_after.timestamp());
        let certificate_pem = pem_of(&certificate);
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| AuthorityError::Unreadable)?;
        Ok(Self { issuer, certificate, certificate_pem, expires })
    }

    /// The certificate and the key: to keep in a file that only its owner reads.
    pub fn to_pem(&self) -> String {
        self.certificate_pem.clone() + &self.issuer.key().serialize_pem()
    }

    /// The certificate alone, for whoever shall trust it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Makes a key and a server certificate for Countersign's own listener.
    pub fn issue_server(
        &self,
        hosts: &[String],
        validity: Duration,
        now: Timestamp,
    ) -> Result<ServerCertificate, AuthorityError> {
        let first = hosts.first().ok_or(AuthorityError::Host)?;
        let mut params = params(first, now, self.until(now, validity)?)?;
        params.subject_alt_names = hosts.iter().map(|host| alternative_name(host)).collect::<Result<_, _>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| AuthorityError::Crypto)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|_| AuthorityError::Crypto)?;
        Ok(ServerCertificate {
            chain: vec![certificate.into(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            expires: self.until(now, validity)?,
        })
    }

    /// Certifies the key in `csr_pem` as `device`'s. The request proves that its sender has the key; everything else in
    /// it (names, uses, extensions) is the sender's wish and is not looked at.
    pub fn sign_request(
        &self,
        csr_pem: &str,
        device: &DeviceId,
        validity: Duration,
        now: Timestamp,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let expires = self.until(now, validity)?;
        let key = proven_key(csr_pem)?;
        let mut params = params(device.as_str(), now, expires)?;
        let urn = format!("{URN}{}", percent_encoded(device.as_str()));
        params.subject_alt_names = vec![SanType::URI(urn.try_into().map_err(|_| AuthorityError::Crypto)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(|_| AuthorityError::Crypto)?;
        Ok(IssuedCertificate { pem: certificate.pem(), fingerprint: fingerprint(certificate.der()), expires })
    }

    /// For a TLS listener: a client may show a certificate; if it does, it must be a current one of this authority, for
    /// client authentication, with proof of its key. Otherwise the handshake fails.
    pub fn client_verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, AuthorityError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(|_| AuthorityError::Unreadable)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|_| AuthorityError::Unreadable)
    }

    fn until(&self, now: Timestamp, validity: Duration) -> Result<Timestamp, AuthorityError> {
        let expires = Timestamp::from_seconds(now.plus(validity).seconds());
        if expires <= now || expires > self.expires { Err(AuthorityError::Validity) } else { Ok(expires) }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &fingerprint(&self.certificate)).finish_non_exhaustive()
    }
}

/// The public key of a certificate request that is signed with its own private key.
pub(crate) fn proven_key(csr_pem: &str) -> Result<SubjectPublicKeyInfo, AuthorityError> {
    // A P-256 request takes half a KiB; nobody's wishes need sixteen.
    if csr_pem.len() > 16 * 1024 {
        return Err(AuthorityError::Request);
    }
    let der = rustls::pki_types::CertificateSigningRequestDer::from_pem_slice(csr_pem.as_bytes())
        .map_err(|_| AuthorityError::Request)?;
    let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| AuthorityError::Request)?;
    if !rest.is_empty() {
        return Err(AuthorityError::Request);
    }
    let info = &request.certification_request_info.subject_pki;
    DevicePublicKey::from_info(info).ok_or(AuthorityError::KeyType)?;
    request.verify_signature().map_err(|_| AuthorityError::NotProven)?;
    SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| AuthorityError::KeyType)
}

fn params(name: &str, now: Timestamp, expires: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let instant =
        |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.seconds()).map_err(|_| AuthorityError::Validity);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // X.520 ends a common name at 64 characters; the full name is in the alternative name.
    params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    params.not_before = instant(now.minus(BACKDATE))?;
    params.not_after = instant(expires)?;
    let mut serial = [0; 16];
    UnwrapErr(SysRng).fill_bytes(&mut serial);
    // Positive, and of one length, as RFC 5280 wants it.
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn alternative_name(host: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let labels = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // Verifiers do not accept a wildcard for a whole top-level domain, and `*.localhost` is one.
    let too_wide = labels.len() < host.len() && !labels.contains('.');
    if too_wide || labels.len() > 253 || !labels.split('.').all(label) {
        return Err(AuthorityError::Host);
    }
    Ok(SanType::DnsName(host.try_into().map_err(|_| AuthorityError::Host)?))
}

/// RFC 7468.
fn pem_of(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;

    let body = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem + "-----END CERTIFICATE-----\n"
}
