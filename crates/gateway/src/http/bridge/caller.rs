//! Which proxy asks. A proxy is a service with an API key, and may ask as long as policy lets it open a channel to
//! `countersign-bridge`: that permission is a lease like any other, kept while the proxy goes on asking, and cut when
//! its key is revoked or its owner leaves. Not here: what it asks about.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_lease::{Lease, RefusalKind};
use countersign_model::{
    AccessRequest, Action, ActionClass, Credential, CredentialSecret, DeviceEvidence, EnforcementPoint, ResourceId,
    SubjectId,
};
use http::{HeaderMap, HeaderName};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::http::Node;
use crate::http::pipeline::Facts;
use crate::http::refuse::No;

/// What a proxy proves itself with. Not `Authorization`: that one is the client's.
const KEY: HeaderName = HeaderName::from_static("countersign-proxy-key");
const RESOURCE: &str = "countersign-bridge";
/// A lease is asked for anew after this, so that the key's last use is known to about this much.
const KEPT: Duration = Duration::from_secs(300);

/// The proxies that asked lately, by the hash of what they prove themselves with and where from.
#[derive(Debug, Default)]
pub(in crate::http) struct Callers(Mutex<HashMap<[u8; 32], Arc<Caller>>>);

#[derive(Debug)]
struct Caller {
    lease: Lease,
    since: Instant,
}

impl Caller {
    fn stands(&self) -> bool {
        self.since.elapsed() < KEPT && self.lease.watch().revocation().is_none()
    }
}

impl Callers {
    /// Takes the proxy's key out of the headers and says whose it is.
    pub(super) async fn admit(&self, node: &Node, facts: &Facts, headers: &mut HeaderMap) -> Result<SubjectId, No> {
        let mut keys = headers.get_all(KEY).iter();
        let key = keys.next().and_then(|key| key.to_str().ok()).filter(|_| keys.next().is_none()).map(str::to_owned);
        headers.remove(KEY);
        let Some(key) = key else { return Err(No::UnknownProxy) };
        let place = place(&key, facts);
        let known = self.0.lock().get(&place).cloned().filter(|caller| caller.stands());
        if let Some(known) = known {
            return Ok(known.lease.principal().subject.clone());
        }
        let asked = AccessRequest {
            point: EnforcementPoint { node: node.settings.node.clone(), channel: "bridge", caller: None },
            credential: Credential::Bearer(CredentialSecret::new(key)),
            device: facts.device.clone(),
            action: Action::http(ActionClass::Connect),
            resource: ResourceId::new(RESOURCE).ok(),
            address: facts.peer,
            encrypted: facts.encrypted,
            http: None,
        };
        let lease = node.gate.open(asked).await.map_err(|refusal| match refusal.kind {
            RefusalKind::Unavailable | RefusalKind::Overloaded => No::Refused(refusal),
            RefusalKind::Denied { .. } | RefusalKind::Challenged { .. } => {
                tracing::warn!(peer = %facts.peer, decision = ?refusal.decision, "who asks for decisions may not");
                No::UnknownProxy
            }
        })?;
        let caller = Arc::new(Caller { lease, since: Instant::now() });
        let replaced = self.0.lock().insert(place, Arc::clone(&caller));
        drop(replaced);
        // Cut while it was recorded: it was never allowed.
        if caller.stands() { Ok(caller.lease.principal().subject.clone()) } else { Err(No::UnknownProxy) }
    }

    /// Lets go of those that did not come again.
    pub(in crate::http) fn sweep(&self) {
        let gone: Vec<_> = self.0.lock().extract_if(|_, caller| !caller.stands()).collect();
        drop(gone);
    }

    pub(in crate::http) fn clear(&self) {
        let gone = std::mem::take(&mut *self.0.lock());
        drop(gone);
    }
}

/// The lease rests on where the proxy is as well, so another place is another lease.
fn place(key: &str, facts: &Facts) -> [u8; 32] {
    let device = match &facts.device {
        DeviceEvidence::Absent => "",
        DeviceEvidence::Certificate { fingerprint } => fingerprint,
    };
    Sha256::digest(format!("{}\0{}\0{device}\0{key}", facts.peer, facts.encrypted)).into()
}
