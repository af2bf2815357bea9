//! API keys: for services and agents, each with an owner, a scope and an expiry, shown once. What a key may do is its
//! scope *and* what policy lets its subject do.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_identity::{api_key, secret};
use countersign_model::{CredentialSecret, KeyId, SubjectId, SubjectKind, Timestamp};
use countersign_store::{Change, KeyRecord, KeyScope};

use crate::accounts::ActError;
use crate::sessions::stored;
use crate::{Actor, Administrator};

/// A year and a day: a key that is renewed yearly does not lapse on the way.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The service or agent that the key authenticates.
    pub subject: SubjectId,
    /// The human who answers for it.
    pub owner: SubjectId,
    pub scope: KeyScope,
    /// `None` is "never", and refused.
    pub expires: Option<Timestamp>,
}

/// A key that was just made. The secret is nowhere else.
#[derive(Debug)]
pub struct IssuedKey {
    pub id: KeyId,
    pub secret: CredentialSecret,
    pub expires: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    pub id: KeyId,
    pub subject: SubjectId,
    pub owner: SubjectId,
    pub scope: KeyScope,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub last_used: Option<Timestamp>,
}

impl From<KeyRecord> for KeyView {
    fn from(record: KeyRecord) -> Self {
        let KeyRecord { id, subject, owner, scope, created, expires, last_used, hash: _ } = record;
        Self { id, subject, owner, scope, created, expires, last_used }
    }
}

impl Administrator {
    pub async fn create_key(&self, new: NewKey, actor: &Actor) -> Result<IssuedKey, ActError> {
        let refused = |text: &str| ActError::Refused(text.to_owned());
        let now = self.now();
        let _turn = self.0.accounts.acting.lock().await;
        let Some(expires) = new.expires else {
            return Err(refused("a key without an expiry is refused: give a date, at most 366 days ahead"));
        };
        if expires <= now || expires > now.plus(LONGEST) {
            return Err(refused("a key expires in the future, and within 366 days"));
        }
        if !matches!(new.subject.kind(), SubjectKind::Service | SubjectKind::Agent) {
            return Err(refused("a key is for a service or an agent; people sign in"));
        }
        if !self.may_sign_in(&new.subject) {
            return Err(ActError::NotFound(format!("active {}", new.subject)));
        }
        if new.owner.kind() != SubjectKind::Human || !self.may_sign_in(&new.owner) {
            return Err(refused("a key is owned by an active human"));
        }
        if new.scope.classes.is_empty() {
            return Err(refused("a key's scope names at least one kind of action"));
        }
        if let Some(resources) = &new.scope.resources {
            let known: BTreeSet<_> = self.resources().iter().map(|resource| resource.id.clone()).collect();
            if let Some(unknown) = resources.difference(&known).next() {
                return Err(ActError::NotFound(format!("resource {unknown}")));
            }
            if resources.is_empty() {
                return Err(refused("a key's scope names at least one resource, or leaves that to policy"));
            }
        }
        let id = KeyId::new(format!("{:016x}", secret::random_u128() >> 64));
        let id = id.map_err(|error| ActError::Refused(error.to_string()))?;
        let (plain, hash) = api_key::generate(&id).map_err(|error| ActError::Refused(error.to_string()))?;
        let record = KeyRecord {
            id: id.clone(),
            hash: stored(&hash),
            subject: new.subject,
            owner: new.owner,
            scope: new.scope,
            created: now,
            expires,
            last_used: None,
        };
        let detail = format!("for {}, owned by {}, until {expires}", record.subject, record.owner);
        self.record_act(actor, "key.create", &id, detail).await?;
        self.commit(vec![Change::PutKey(record.clone())]).await?;
        self.0.accounts.sessions.put_key(record);
        Ok(IssuedKey { id, secret: plain, expires })
    }

    /// Those of one subject or owner, or all.
    pub fn keys(&self, of: Option<&SubjectId>) -> Vec<KeyView> {
        let wanted = |record: &KeyRecord| of.is_none_or(|of| record.subject == *of || record.owner == *of);
        self.0.accounts.sessions.keys(wanted).into_iter().map(KeyView::from).collect()
    }

    /// From now on the key proves nothing, and what is open with it is decided again.
    pub async fn revoke_key(&self, id: &KeyId, actor: &Actor) -> Result<(), ActError> {
        if self.0.accounts.sessions.remove_key(id).is_none() {
            return Err(ActError::NotFound(format!("key {id}")));
        }
        self.key_changed(id);
        self.commit(vec![Change::RemoveKey(id.clone())]).await?;
        self.record_act(actor, "key.revoke", id, "").await
    }
}
