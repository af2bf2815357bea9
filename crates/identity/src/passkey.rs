//! Passkeys (WebAuthn level 2, with user verification always required). A thin door over `webauthn-rs`: what a caller
//! could set wrongly there cannot be set here. Challenges are single-use because [`RegistrationState`] and
//! [`AuthenticationState`] are consumed; the caller keeps them, gives each out once, and lets them expire.
//!
//! Every passkey is made discoverable, so signing in asks for no name and there is none to try out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Webauthn, WebauthnBuilder, WebauthnError,
};
pub use webauthn_rs::prelude::{Url, Uuid};

use crate::encoding::base64url;

/// The relying party: one host, its origins.
#[derive(Debug, Clone)]
pub struct Passkeys {
    webauthn: Webauthn,
}

/// A registered passkey: its public key, counter and flags. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passkey(webauthn_rs::prelude::Passkey);

impl Passkey {
    /// The credential id in base64url: unique among all passkeys of all people, and the caller must keep it so.
    pub fn id(&self) -> String {
        base64url(self.0.cred_id())
    }
}

/// A registration that has begun.
#[derive(Debug, Serialize, Deserialize)]
pub struct RegistrationState(PasskeyRegistration);

/// A sign-in or step-up that has begun.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuthenticationState {
    ceremony: DiscoverableAuthentication,
    /// Whose passkey it must be; absent when anybody may sign in.
    user: Option<Uuid>,
}

impl AuthenticationState {
    /// Whose passkey it must be: the person who steps up. Absent for a sign-in.
    pub const fn user(&self) -> Option<Uuid> {
        self.user
    }
}

/// Who an answer says it comes from. Unproven until [`Passkeys::finish_authentication`] has seen that person's passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub user: Uuid,
    /// As [`Passkey::id`].
    pub credential: String,
}

/// A passkey proven just now, with user verification.
#[derive(Debug, Clone)]
pub struct Verified {
    /// As [`Passkey::id`].
    pub credential: String,
    /// With its new counter and backup flags: keep it in place of the old one, before the person is let on.
    pub passkey: Passkey,
    pub counter: u32,
    /// The key may leave the device that made it: a synchronised passkey.
    pub backup_eligible: bool,
    pub backed_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    #[error("the passkey host and its origins do not fit together")]
    Configuration,
    #[error("the browser's answer cannot be read")]
    Malformed,
    #[error("the answer is for another challenge, another page or another kind of ceremony")]
    WrongCeremony,
    #[error("the passkey did not verify its user")]
    UserNotVerified,
    #[error("the passkey is not known for this person")]
    Unknown,
    #[error("this passkey is registered already")]
    AlreadyRegistered,
    #[error("the passkey's counter went backwards: there may be a copy of it")]
    PossiblyCloned,
    #[error("the answer does not verify")]
    Invalid,
}

impl From<WebauthnError> for PasskeyError {
    fn from(error: WebauthnError) -> Self {
        use WebauthnError as E;
        match error {
            E::Configuration => Self::Configuration,
            E::InvalidClientDataType
            | E::MismatchedChallenge
            | E::InvalidRPOrigin
            | E::InvalidRPIDHash
            | E::CredentialCrossOrigin => Self::WrongCeremony,
            E::UserNotPresent | E::UserNotVerified => Self::UserNotVerified,
            E::CredentialNotFound | E::InvalidUserUniqueId => Self::Unknown,
            E::CredentialExcludedFromRequest => Self::AlreadyRegistered,
            E::CredentialPossibleCompromise => Self::PossiblyCloned,
            E::ParseBase64Failure(_) | E::ParseCBORFailure(_) | E::ParseJSONFailure(_) | E::ParseNOMFailure => {
                Self::Malformed
            }
            _ => Self::Invalid,
        }
    }
}

impl Passkeys {
    /// `rp_id` is the control host; `origins` all that it is served at, each with its port.
    pub fn new(rp_id: &str, origins: &[Url], name: &str) -> Result<Self, PasskeyError> {
        let (first, rest) = origins.split_first().ok_or(PasskeyError::Configuration)?;
        let mut builder = WebauthnBuilder::new(rp_id, first)?.rp_name(name);
        for origin in rest {
            // The builder looks at the first one only.
            WebauthnBuilder::new(rp_id, origin)?;
            builder = builder.append_allowed_origin(origin);
        }
        Ok(Self { webauthn: builder.build()? })
    }

    /// Begins adding a passkey. `user` is a stable random number of that person, and says nothing about them; `existing`
    /// are the passkeys that they have. The first value is what the browser gets.
    pub fn begin_registration(
        &self,
        user: Uuid,
        name: &str,
        display_name: &str,
        existing: &[Passkey],
    ) -> Result<(Value, RegistrationState), PasskeyError> {
        let exclude: Vec<CredentialID> = existing.iter().map(|passkey| passkey.0.cred_id().clone()).collect();
        let (challenge, state) = self.webauthn.start_passkey_registration(user, name, display_name, Some(exclude))?;
        let mut challenge = serde_json::to_value(challenge).map_err(|_| PasskeyError::Malformed)?;
        // `webauthn-rs` asks for a discoverable key only together with attestation, which consumer passkeys do not give.
        // Asking is enough: a key that is not discoverable cannot sign in, and its owner is told so while adding it.
        if let Some(Value::Object(selection)) = challenge.pointer_mut("/publicKey/authenticatorSelection") {
            selection.insert("residentKey".to_owned(), "required".into());
            selection.insert("requireResidentKey".to_owned(), true.into());
        }
        Ok((challenge, RegistrationState(state)))
    }

    pub fn finish_registration(&self, response: &Value, state: RegistrationState) -> Result<Passkey, PasskeyError> {
        let response = RegisterPublicKeyCredential::deserialize(response).map_err(|_| PasskeyError::Malformed)?;
        Ok(Passkey(self.webauthn.finish_passkey_registration(&response, &state.0)?))
    }

    /// Begins a sign-in by whoever holds a passkey of this host.
    pub fn begin_sign_in(&self) -> Result<(Value, AuthenticationState), PasskeyError> {
        self.begin(None, &[])
    }

    /// Begins a step-up by a known person, with one of their passkeys.
    pub fn begin_step_up(
        &self,
        user: Uuid,
        passkeys: &[Passkey],
    ) -> Result<(Value, AuthenticationState), PasskeyError> {
        self.begin(Some(user), passkeys)
    }

    fn begin(&self, user: Option<Uuid>, passkeys: &[Passkey]) -> Result<(Value, AuthenticationState), PasskeyError> {
        let (mut challenge, ceremony) = self.webauthn.start_discoverable_authentication()?;
        // Conditional mediation (autofill) needs a name field on the page; the sign-in page has a button.
        challenge.mediation = None;
        let mut challenge = serde_json::to_value(challenge).map_err(|_| PasskeyError::Malformed)?;
        if let Some(Value::Array(allowed)) = challenge.pointer_mut("/publicKey/allowCredentials") {
            allowed
                .extend(passkeys.iter().map(|passkey| serde_json::json!({ "type": "public-key", "id": passkey.id() })));
        }
        Ok((challenge, AuthenticationState { ceremony, user }))
    }

    /// Whose passkeys [`finish_authentication`](Self::finish_authentication) needs. Unproven.
    pub fn identify(&self, response: &Value) -> Result<Claimed, PasskeyError> {
        let response = PublicKeyCredential::deserialize(response).map_err(|_| PasskeyError::Malformed)?;
        let (user, credential) = self.webauthn.identify_discoverable_authentication(&response)?;
        Ok(Claimed { user, credential: base64url(credential) })
    }

    /// `user` and `passkeys` are what the caller holds *now* of the person that the answer [claims](Self::identify) to
    /// come from: a counter that has moved since the beginning counts as moved.
    pub fn finish_authentication(
        &self,
        response: &Value,
        state: AuthenticationState,
        user: Uuid,
        passkeys: &[Passkey],
    ) -> Result<Verified, PasskeyError> {
        let response = PublicKeyCredential::deserialize(response).map_err(|_| PasskeyError::Malformed)?;
        // An authenticator may leave the person out when it was told which keys to look for.
        let claimed = match response.get_user_unique_id() {
            Some(handle) => Some(Uuid::from_slice(handle).map_err(|_| PasskeyError::Unknown)?),
            None => state.user,
        };
        if claimed != Some(user) || state.user.is_some_and(|expected| expected != user) {
            return Err(PasskeyError::Unknown);
        }
        let known = |passkey: &&Passkey| AsRef::<[u8]>::as_ref(passkey.0.cred_id()) == response.get_credential_id();
        let passkey = passkeys.iter().find(known).ok_or(PasskeyError::Unknown)?;
        refuse_framed(&response.response.client_data_json)?;
        let result = self.webauthn.finish_discoverable_authentication_v2(&response, state.ceremony, &passkey.0)?;
        if !result.user_verified() {
            return Err(PasskeyError::UserNotVerified);
        }
        let mut updated = passkey.clone();
        updated.0.update_credential(&result);
        Ok(Verified {
            credential: passkey.id(),
            passkey: updated,
            counter: result.counter(),
            backup_eligible: result.backup_eligible(),
            backed_up: result.backup_state(),
        })
    }
}

/// `webauthn-rs` looks at `crossOrigin` when a key is made, not when it is used.
fn refuse_framed(client_data: &[u8]) -> Result<(), PasskeyError> {
    let client_data: Value = serde_json::from_slice(client_data).map_err(|_| PasskeyError::Malformed)?;
    match client_data.get("crossOrigin") {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(_) => Err(PasskeyError::WrongCeremony),
    }
}
