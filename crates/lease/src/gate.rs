//! The one door. There is no other way to a [`Lease`].

use std::sync::Arc;

use countersign_model::AccessRequest;

use crate::{Authority, AuthorityFuture, Catalog, HandOff, HandOffError, Lease, Refusal, SessionCookie, Tether};

#[derive(Debug, Clone)]
pub struct Gate {
    authority: Arc<dyn Authority>,
}

impl Gate {
    pub fn new(authority: Arc<dyn Authority>) -> Self {
        Self { authority }
    }

    /// A lease, or why not. By the time this returns a lease, the decision is durable in the ledger.
    pub async fn open(&self, request: AccessRequest) -> Result<Lease, Refusal> {
        let tether = Tether::default();
        let admission = self.authority.admit(request, tether.clone()).await?;
        // A lease that was cut while it was recorded is still handed out: its holder sees the cut before the first
        // byte, and dropping it records the end.
        Ok(Lease::new(admission, tether, Arc::clone(&self.authority)))
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.authority.catalog()
    }

    pub fn redeem(&self, hand_off: HandOff) -> AuthorityFuture<'_, Result<SessionCookie, HandOffError>> {
        self.authority.redeem(hand_off)
    }
}
