//! Proves who is asking: passkeys, an external OpenID Connect provider, API keys, signed assertions. It never decides
//! what that person may do, keeps no state (what must survive between two steps is returned to the caller) and reads no
//! clock.

pub mod api_key;
pub mod assertion;
mod encoding;
pub mod oidc;
pub mod operator;
pub mod passkey;
pub mod secret;
pub mod software_passkey;

#[cfg(test)]
mod tests;
