//! The local operator: whoever can read the operator key in the data directory. The command line signs a short
//! assertion for each request; the control host accepts it as `service:local-operator`. Using one twice is for the
//! caller to refuse, by its `jti`.

use std::time::Duration;

use countersign_model::{CredentialSecret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::assertion::{AssertionError, PublicKey, Signer, check_times, open};
use crate::secret;

pub const TYPE: &str = "countersign-operator+jwt";

/// The subject that it stands for, without its kind.
pub const SUBJECT: &str = "local-operator";

pub const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    jti: String,
}

/// A verified operator assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Remember it until `expires`, and refuse it when it comes again.
    pub jti: String,
    /// The last instant at which the assertion is still accepted.
    pub expires: Timestamp,
}

/// `origin` is the control host's, as the caller reaches it.
pub fn sign(signer: &Signer, origin: &str, now: Timestamp) -> CredentialSecret {
    let claims = Claims {
        aud: origin.to_owned(),
        sub: format!("service:{SUBJECT}"),
        iat: now.seconds(),
        exp: now.plus(LIFETIME).seconds(),
        jti: format!("{:032x}", secret::random_u128()),
    };
    CredentialSecret::new(signer.sign_as(TYPE, &claims))
}

/// `origins` are all that the control host has: the one it is reached at without and with TLS.
pub fn verify<O: AsRef<str>>(
    token: &str,
    key: &PublicKey,
    origins: &[O],
    now: Timestamp,
) -> Result<Operator, AssertionError> {
    let claims: Claims = open(token, key, TYPE)?;
    if !origins.iter().any(|origin| origin.as_ref() == claims.aud) {
        return Err(AssertionError::Audience);
    }
    if claims.sub != format!("service:{SUBJECT}") {
        return Err(AssertionError::Issuer);
    }
    if claims.jti.is_empty() || claims.jti.len() > 64 {
        return Err(AssertionError::Shape);
    }
    check_times(claims.iat, claims.exp, LIFETIME, now)?;
    Ok(Operator { jti: claims.jti, expires: Timestamp::from_seconds(claims.exp).plus(crate::assertion::SKEW) })
}
