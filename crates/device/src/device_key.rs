//! The key that a device makes for itself and never gives away. What leaves the device is a certificate request, which
//! proves that the device has the key, and nothing else: the authority takes only the public key out of it.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::certificate::KeyAlgorithm;

pub struct DeviceKey {
    pair: KeyPair,
    algorithm: KeyAlgorithm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceKeyError {
    #[error("the device key cannot be read: it must be P-256 or Ed25519, in PKCS#8 PEM")]
    Unreadable,
    #[error("the device key could not be made or used")]
    Crypto,
}

impl DeviceKey {
    /// A new P-256 key, which every TLS stack and every TPM knows.
    pub fn generate() -> Result<Self, DeviceKeyError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| DeviceKeyError::Crypto)?;
        Ok(Self { pair, algorithm: KeyAlgorithm::P256 })
    }

    /// P-256 or Ed25519.
    pub fn from_pem(pem: &str) -> Result<Self, DeviceKeyError> {
        let pair = KeyPair::from_pem(pem).map_err(|_| DeviceKeyError::Unreadable)?;
        let algorithm = if pair.algorithm() == &PKCS_ECDSA_P256_SHA256 {
            KeyAlgorithm::P256
        } else if pair.algorithm() == &PKCS_ED25519 {
            KeyAlgorithm::Ed25519
        } else {
            return Err(DeviceKeyError::Unreadable);
        };
        Ok(Self { pair, algorithm })
    }

    /// PKCS#8, to keep in a file that only its owner reads.
    pub fn to_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// For the TLS client that presents the certificate.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }

    /// A certificate request in PEM.
    pub fn csr(&self) -> Result<String, DeviceKeyError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "a device");
        let request = params.serialize_request(&self.pair).map_err(|_| DeviceKeyError::Crypto)?;
        request.pem().map_err(|_| DeviceKeyError::Crypto)
    }

    pub(crate) const fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    pub(crate) fn pkcs8(&self) -> &[u8] {
        self.pair.serialized_der()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({:?}, …)", self.algorithm)
    }
}
