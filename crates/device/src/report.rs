//! The posture report that a device signs with its own key: a JWS of type `countersign-posture+jwt`, ES256 or EdDSA as
//! the key is. It says what the device says about itself; how much that is worth is policy. It counts for a minute, and
//! using one twice is for the caller to refuse, by its id.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_model::{DeviceId, PostureAspect, PostureValue, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rand::Rng as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use crate::certificate::{DevicePublicKey, KeyAlgorithm, device_of, fingerprint};
use crate::device_key::DeviceKey;

pub const TYPE: &str = "countersign-posture+jwt";

/// How far the moment of signing may lie from the moment of arrival, either way.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Longer than any honest report with its certificate.
pub const MAX_LENGTH: usize = 16 * 1024;

/// What a device says about itself at one moment. An aspect that it does not know is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub device: DeviceId,
    /// Whole seconds.
    pub issued: Timestamp,
    /// Remember it for [`WINDOW`] after `issued`, twice over, and refuse it when it comes again.
    pub id: String,
    /// One per aspect, in the aspects' order.
    pub facts: Vec<(PostureAspect, PostureValue)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("the posture report cannot be read")]
    Malformed,
    #[error("the posture report is not signed by the device's current key")]
    Signature,
    #[error("the posture report was signed too long ago, or in the future")]
    Time,
    #[error("the posture report could not be signed")]
    Crypto,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: DeviceId,
    iat: i64,
    jti: String,
    posture: BTreeMap<PostureAspect, PostureValue>,
}

impl Report {
    /// With a new random id.
    pub fn new(device: DeviceId, facts: Vec<(PostureAspect, PostureValue)>, now: Timestamp) -> Self {
        let mut id = [0; 16];
        UnwrapErr(SysRng).fill_bytes(&mut id);
        let facts = facts.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        Self { device, issued: Timestamp::from_seconds(now.seconds()), id: hex::encode(id), facts }
    }
}

/// Signs without naming the certificate: for a receiver that keeps the public key.
pub fn sign(key: &DeviceKey, report: &Report) -> Result<String, ReportError> {
    encode(key, None, report)
}

/// Signs and carries the device's certificate (`x5c`), so that the receiver needs to know its fingerprint only.
pub fn sign_with_certificate(key: &DeviceKey, certificate_pem: &str, report: &Report) -> Result<String, ReportError> {
    use base64::Engine as _;

    let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| ReportError::Malformed)?;
    encode(key, Some(vec![base64::engine::general_purpose::STANDARD.encode(der)]), report)
}

fn encode(key: &DeviceKey, x5c: Option<Vec<String>>, report: &Report) -> Result<String, ReportError> {
    let (algorithm, signing) = match key.algorithm() {
        KeyAlgorithm::P256 => (Algorithm::ES256, EncodingKey::from_ec_der(key.pkcs8())),
        KeyAlgorithm::Ed25519 => (Algorithm::EdDSA, EncodingKey::from_ed_der(key.pkcs8())),
    };
    let mut header = Header::new(algorithm);
    header.typ = Some(TYPE.to_owned());
    header.x5c = x5c;
    let claims = Claims {
        iss: report.device.clone(),
        iat: report.issued.seconds(),
        jti: report.id.clone(),
        posture: report.facts.iter().cloned().collect(),
    };
    jsonwebtoken::encode(&header, &claims, &signing).map_err(|_| ReportError::Crypto)
}

/// Verifies a report against the key that the device is known to have.
pub fn verify(token: &str, key: &DevicePublicKey, now: Timestamp) -> Result<Report, ReportError> {
    if token.len() > MAX_LENGTH {
        return Err(ReportError::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| ReportError::Malformed)?;
    if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
        return Err(ReportError::Malformed);
    }
    // The key decides the algorithm, whatever the header says.
    let (algorithm, decoding) = match key.algorithm {
        KeyAlgorithm::P256 => (Algorithm::ES256, DecodingKey::from_ec_der(&key.bytes)),
        KeyAlgorithm::Ed25519 => (Algorithm::EdDSA, DecodingKey::from_ed_der(&key.bytes)),
    };
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = match jsonwebtoken::decode::<Claims>(token, &decoding, &validation) {
        Ok(opened) => opened.claims,
        Err(error) => {
            use jsonwebtoken::errors::ErrorKind as E;
            return Err(match error.kind() {
                E::InvalidSignature | E::InvalidAlgorithm => ReportError::Signature,
                _ => ReportError::Malformed,
            });
        }
    };
    if !(16..=64).contains(&claims.jti.len()) || !claims.posture.values().all(plausible) {
        return Err(ReportError::Malformed);
    }
    let issued = Timestamp::from_seconds(claims.iat);
    if issued.plus(WINDOW) < now || now.plus(WINDOW) < issued {
        return Err(ReportError::Time);
    }
    Ok(Report { device: claims.iss, issued, id: claims.jti, facts: claims.posture.into_iter().collect() })
}

/// Verifies a report that carries its certificate, which must be the one with this fingerprint: the device's current
/// one. The certificate was checked when it was issued; a fingerprint that the caller still holds needs no chain.
pub fn verify_by_fingerprint(token: &str, fingerprint_hex: &str, now: Timestamp) -> Result<Report, ReportError> {
    let certificate = presented(token)?;
    if fingerprint(&certificate) != fingerprint_hex {
        return Err(ReportError::Signature);
    }
    let key = DevicePublicKey::from_certificate_der(&certificate).ok_or(ReportError::Malformed)?;
    let report = verify(token, &key, now)?;
    if device_of(&certificate).as_ref() != Some(&report.device) {
        return Err(ReportError::Signature);
    }
    Ok(report)
}

/// The fingerprint of the certificate that a report carries: where to look the device up. Unproven.
pub fn claimed_fingerprint(token: &str) -> Result<String, ReportError> {
    presented(token).map(|certificate| fingerprint(&certificate))
}

fn presented(token: &str) -> Result<Vec<u8>, ReportError> {
    if token.len() > MAX_LENGTH {
        return Err(ReportError::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| ReportError::Malformed)?;
    let chain = header.x5c_der().ok().flatten().ok_or(ReportError::Malformed)?;
    chain.into_iter().next().ok_or(ReportError::Malformed)
}

/// Whether a value fits where it will be shown and compared.
fn plausible(value: &PostureValue) -> bool {
    match value {
        PostureValue::Version(version) => {
            version.len() <= 64 && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+~_:".contains(&byte))
        }
        PostureValue::On | PostureValue::Off | PostureValue::Days(_) => true,
    }
}
