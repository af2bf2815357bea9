//! From the sign-in host to an application's: a one-time code, bound to the session, the host, the device and the
//! browser that was sent, is exchanged for a session cookie at that host. No session secret is ever in an address.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::secret::{self, SecretHash};
use countersign_lease::{HandOff, HandOffError, SessionCookie};
use countersign_model::{CredentialSecret, DeviceId, SessionId, SubjectId};
use countersign_store::{Change, SessionRecord};

use crate::Administrator;
use crate::accounts::{Client, SignInError};

/// What a code stands for.
#[derive(Debug)]
pub(crate) struct HandOffCode {
    session: SessionId,
    host: String,
    nonce: SecretHash,
    return_to: String,
    device: Option<DeviceId>,
}

/// `path` if it leads nowhere but to the host it is used at, and `/` otherwise.
pub fn local_path(path: &str) -> &str {
    let mut characters = path.chars();
    let rooted = characters.next() == Some('/');
    let elsewhere = matches!(characters.next(), Some('/' | '\\'));
    // Beyond printable ASCII a browser would re-encode, and a backslash it reads as a slash.
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if rooted && !elsewhere && plain && path.len() <= 4096 { path } else { "/" }
}

impl Administrator {
    /// A code for the browser of `client`, to bring to `host` within a minute. `nonce_hash` is base64url of the SHA-256
    /// of the cookie that the browser got there.
    pub async fn hand_off(
        &self,
        session: SessionId,
        host: &str,
        nonce_hash: &str,
        return_to: &str,
        client: &Client,
    ) -> Result<CredentialSecret, HandOffError> {
        let address = client.address;
        let Some(session) = self.live_session(session, client) else {
            return Err(self.refuse_hand_off(None, "the session has ended or is another device's", address).await);
        };
        let nonce = URL_SAFE_NO_PAD.decode(nonce_hash).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        // Only where something is served, and never to the control host: it has its cookie from the sign-in itself.
        let served = self.catalog().serves(host) && host != self.settings().control_host;
        let (Some(nonce), true) = (nonce.map(SecretHash::from_bytes), served) else {
            let cause = "the host is not served, or the browser's nonce is none";
            return Err(self.refuse_hand_off(Some(&session.subject), cause, address).await);
        };
        let code = HandOffCode {
            session: session.id,
            host: host.to_owned(),
            nonce,
            return_to: local_path(return_to).to_owned(),
            device: session.device,
        };
        Ok(self.0.accounts.hand_offs.put(code, client.address, self.now()))
    }

    /// The cookie for the code. The code is used up, whatever comes of it.
    ///
    /// Crash after memory, before the store: the cookie is lost with the answer, and the person is sent round again.
    pub(crate) async fn redeem_hand_off(&self, hand_off: HandOff) -> Result<SessionCookie, HandOffError> {
        let sessions = &self.0.accounts.sessions;
        let address = hand_off.address;
        let Some(code) = self.0.accounts.hand_offs.take(&hand_off.code, self.now()) else {
            return Err(self.refuse_hand_off(None, "unknown, used or expired code", address).await);
        };
        let session = sessions.session(code.session);
        let subject = session.as_ref().map(|session| &session.subject);
        let device = self.device_of(&hand_off.device);
        let cause = if code.host != hand_off.host {
            Some("brought to another host")
        } else if device != Ok(code.device) {
            Some("brought from another device")
        } else if !code.nonce.matches(hand_off.nonce.expose()) {
            Some("brought by another browser")
        } else {
            None
        };
        if let Some(cause) = cause {
            return Err(self.refuse_hand_off(subject, cause, address).await);
        }
        let idle = self.settings().session_idle;
        let lives = |session: &SessionRecord| {
            self.now() < session.expires.min(session.last_used.plus(idle)) && self.may_sign_in(&session.subject)
        };
        let Some(session) = session.filter(lives) else {
            return Err(self.refuse_hand_off(None, "the session has ended", address).await);
        };
        let (plain, hash) = secret::generate();
        let record = sessions.add_secret(session.id, &code.host, &hash).ok_or(HandOffError::Invalid)?;
        self.commit(vec![Change::PutSession(record)]).await.map_err(|_| HandOffError::Unavailable)?;
        // Ended between the two: what was just stored must not come back at the next start.
        if sessions.session(session.id).is_none() {
            let _ = self.commit(vec![Change::RemoveSession(session.id)]).await;
            return Err(HandOffError::Invalid);
        }
        Ok(SessionCookie { secret: plain, expires: session.expires, return_to: local_path(&code.return_to).to_owned() })
    }

    async fn refuse_hand_off(&self, subject: Option<&SubjectId>, cause: &str, address: IpAddr) -> HandOffError {
        match self.refuse_sign_in(subject, "hand-off", cause, address).await {
            SignInError::Unavailable => HandOffError::Unavailable,
            SignInError::Refused | SignInError::StepUpNeeded => HandOffError::Invalid,
        }
    }
}
