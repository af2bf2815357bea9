//! Proves which device is asking, and what it says about its state: an internal certificate authority, the key that a
//! device makes for itself, its signed posture report, and a collector for Linux. It never decides whether a posture is
//! good enough, keeps no state and reads no clock; that a certificate belongs to an active device is for the caller.

pub mod authority;
mod certificate;
pub mod collector;
mod device_key;
pub mod report;

pub use authority::{Authority, AuthorityError, IssuedCertificate, ServerCertificate};
pub use certificate::{DevicePublicKey, device_of, fingerprint, fingerprint_of_pem};
pub use device_key::{DeviceKey, DeviceKeyError};

#[cfg(test)]
mod tests;
