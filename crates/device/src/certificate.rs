//! What is read out of a device's certificate: its fingerprint, its public key, its device. Whether it chains to the
//! authority was settled before, in the TLS handshake or by comparing the fingerprint.

use countersign_model::DeviceId;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest, Sha256};
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

/// Before the device id in the certificate's subject alternative name.
pub(crate) const URN: &str = "urn:countersign:device:";

/// SHA-256 of a certificate's DER, in lower-case hex: how a device's current certificate is known.
pub fn fingerprint(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}

/// The [`fingerprint`] of the first certificate in a PEM text.
pub fn fingerprint_of_pem(pem: &str) -> Option<String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok().map(|der| fingerprint(&der))
}

/// The device that a certificate names.
pub fn device_of(der: &[u8]) -> Option<DeviceId> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    match (rest, names.value.general_names.as_slice()) {
        ([], [GeneralName::URI(uri)]) => DeviceId::new(percent_decoded(uri.strip_prefix(URN)?)?).ok(),
        _ => None,
    }
}

/// A device's public key: P-256 or Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePublicKey {
    pub(crate) algorithm: KeyAlgorithm,
    /// An uncompressed point, or the 32 bytes of an Ed25519 key.
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    P256,
    Ed25519,
}

impl DevicePublicKey {
    pub fn from_certificate_pem(pem: &str) -> Option<Self> {
        Self::from_certificate_der(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)
    }

    pub fn from_certificate_der(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        rest.is_empty().then(|| Self::from_info(certificate.public_key()))?
    }

    pub(crate) fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let curve = info.algorithm.parameters.as_ref();
        let algorithm = if info.algorithm.algorithm == OID_SIG_ED25519 && curve.is_none() {
            KeyAlgorithm::Ed25519
        } else if info.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
            && curve?.as_oid().is_ok_and(|curve| curve == OID_EC_P256)
        {
            KeyAlgorithm::P256
        } else {
            return None;
        };
        let bytes = info.subject_public_key.data.to_vec();
        let whole = match algorithm {
            KeyAlgorithm::P256 => bytes.len() == 65 && bytes.first() == Some(&4),
            KeyAlgorithm::Ed25519 => bytes.len() == 32,
        };
        whole.then_some(Self { algorithm, bytes })
    }
}

/// RFC 3986: everything but the unreserved characters, so that any name fits into a URN.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            *hex::decode(digits).ok()?.first()?
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}
