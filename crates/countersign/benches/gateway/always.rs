//! The decision switched off: an authority that admits whatever is asked. It exists here only; the product has no such
//! switch. A lease takes a receipt of the ledger even so, and these come from a ledger that was filled beforehand and
//! is closed while anything is measured, so that they cost one pop each.

use std::path::Path;
use std::sync::Arc;

use countersign_administrator::SystemClock;
use countersign_identity::secret;
use countersign_lease::{
    Admission, Authority, AuthorityFuture, Catalog, Ended, HandOff, HandOffError, Principal, Refusal, RefusalKind,
    SessionCookie, Tether,
};
use countersign_ledger::{Entry, EntryBody, Ledger, Options, Receipt, SigningKey};
use countersign_model::{AccessRequest, Clock, DecisionId, LeaseId, ResourceId, SessionId};
use parking_lot::Mutex;

#[derive(Debug)]
pub(crate) struct Always {
    receipts: Mutex<Vec<Receipt>>,
    catalog: Arc<Catalog>,
    principal: Principal,
}

impl Always {
    pub(crate) fn new(directory: &Path, catalog: Arc<Catalog>, receipts: usize) -> Self {
        let key = SigningKey::from_seed(secret::random_bytes());
        let ledger = Ledger::open(&directory.join("receipts"), Options::new("receipts", key)).unwrap();
        let entry = Entry { at: SystemClock.now(), body: EntryBody::Stopped { node: String::new() } };
        let mut minted = Vec::with_capacity(receipts);
        while minted.len() < receipts {
            let batch: Vec<_> = (0..30_000).map(|_| ledger.append(&entry)).collect();
            minted.extend(batch.into_iter().map(|pending| pending.wait().unwrap()));
        }
        ledger.close();
        let principal = Principal {
            subject: crate::estate::person(),
            display_name: "Person".to_owned(),
            email: Some("person@example.org".to_owned()),
            groups: vec!["people".to_owned()],
            session: Some(SessionId::from_random(1)),
            device: None,
            resource: ResourceId::new("files").unwrap(),
        };
        Self { receipts: Mutex::new(minted), catalog, principal }
    }
}

impl Authority for Always {
    fn admit(&self, _: AccessRequest, _: Tether) -> AuthorityFuture<'_, Result<Admission, Refusal>> {
        Box::pin(async move {
            let now = SystemClock.now();
            let (lease, decision) = (LeaseId::timed(now, rand::random()), DecisionId::timed(now, rand::random()));
            let none_left = Refusal { decision: None, kind: RefusalKind::Overloaded };
            let receipt = self.receipts.lock().pop().ok_or(none_left)?;
            Ok(Admission::new(lease, decision, receipt, self.principal.clone()))
        })
    }

    fn end(&self, _: Ended) {}

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn redeem(&self, _: HandOff) -> AuthorityFuture<'_, Result<SessionCookie, HandOffError>> {
        Box::pin(async { Err(HandOffError::Invalid) })
    }
}
