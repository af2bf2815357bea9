//! One-time links by which a person gets a first passkey, and the way back in for a locked-out owner.

use std::time::Duration;

use countersign_identity::secret;
use countersign_ledger::{ActEntry, AppendError, Entry, EntryBody, Ledger};
use countersign_model::{
    Group, GroupId, Name, NameError, Signal, SignalKind, Source, Subject, SubjectId, SubjectKind, SubjectState,
    Timestamp,
};
use countersign_store::{Change, Store, StoreError, TokenPurpose, TokenRecord};

use crate::accounts::{ActError, OneTimeLink};
use crate::sessions::stored;
use crate::{Actor, Administrator, OWNERS};

/// An invitation is worth an account: it does not lie around.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// What it is in the ledger.
pub(crate) const BROKEN_IN: &str = "break-in";
/// Followed at once, by whoever stands at the machine.
const BREAK_IN: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationView {
    /// What to withdraw it by. Says nothing about the secret.
    pub id: String,
    pub subject: SubjectId,
    pub made_by: SubjectId,
    pub created: Timestamp,
    pub expires: Timestamp,
}

/// Why there is no way back in yet.
#[derive(Debug, thiserror::Error)]
pub enum BreakInError {
    #[error("the owner's name: {0}")]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the ledger does not record it, so it is not done: {0}")]
    Ledger(#[from] AppendError),
}

/// A new token, as the store keeps it and as its bearer gets it.
pub(crate) fn token(
    purpose: TokenPurpose,
    made_by: &SubjectId,
    lifetime: Duration,
    now: Timestamp,
) -> (TokenRecord, OneTimeLink) {
    let (plain, hash) = secret::generate();
    let expires = now.plus(lifetime);
    let record = TokenRecord { hash: stored(&hash), purpose, made_by: made_by.clone(), created: now, expires };
    (record, OneTimeLink { secret: plain, expires })
}

/// 64 of the hash's bits: enough to name it, too few to help anybody find the secret.
fn short_id(record: &TokenRecord) -> String {
    record.hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The owner that a break-in makes, or brings back: active and in `owners`, whatever it was before.
fn restored_owner(existing: Option<Subject>, id: SubjectId, owners: GroupId, now: Timestamp) -> Subject {
    let mut subject = existing.unwrap_or_else(|| Subject {
        display_name: id.name().to_owned(),
        email: None,
        id,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Countersign,
        created: now,
        last_used: None,
    });
    subject.state = SubjectState::Active;
    if !subject.groups.contains(&owners) {
        subject.groups.push(owners);
    }
    subject
}

fn owners_group(owners: GroupId) -> Group {
    Group { id: owners, display_name: "Owners".to_owned(), member_of: Vec::new(), source: Source::Countersign }
}

/// A link that makes its bearer the owner `name`, made on the data directory of a stopped server by whoever can write
/// there. Recorded before it exists.
pub fn break_in_offline(
    store: &dyn Store,
    ledger: &Ledger,
    name: &str,
    now: Timestamp,
) -> Result<OneTimeLink, BreakInError> {
    let id = SubjectId::new(SubjectKind::Human, Name::new(name)?);
    let owners = GroupId::new(OWNERS)?;
    let mut existing = None;
    store.each_subject(&mut |subject| {
        if subject.id == id {
            existing = Some(subject);
        }
    })?;
    let known = store.groups()?.iter().any(|group| group.id == owners);
    let by = SubjectId::service(countersign_identity::operator::SUBJECT)?;
    let act = ActEntry {
        by: by.clone(),
        decision: None,
        verb: BROKEN_IN.to_owned(),
        target: id.to_string(),
        detail: "an owner's invitation, made on the data directory".to_owned(),
    };
    let former = match &existing {
        Some(subject) => SignalKind::SubjectPut { subject: subject.clone() },
        None => SignalKind::SubjectRemoved { id: id.clone() },
    };
    for body in [EntryBody::Former(Box::new(former)), EntryBody::Act(act)] {
        ledger.append(&Entry { at: now, body }).wait()?;
    }
    let subject = restored_owner(existing, id.clone(), owners.clone(), now);
    let (record, link) = token(TokenPurpose::Invitation { subject: id }, &by, BREAK_IN, now);
    let mut changes = vec![Change::PutSubject(subject), Change::PutToken(record)];
    if !known {
        changes.insert(0, Change::PutGroup(owners_group(owners)));
    }
    store.commit(&changes)?;
    Ok(link)
}

impl Administrator {
    /// A link with which its bearer enrols a passkey as `subject`, once.
    pub async fn invite(
        &self,
        subject: &SubjectId,
        lifetime: Duration,
        actor: &Actor,
    ) -> Result<OneTimeLink, ActError> {
        if lifetime.is_zero() || lifetime > LONGEST {
            return Err(ActError::Refused("an invitation lasts at most seven days".to_owned()));
        }
        if subject.kind() != SubjectKind::Human {
            return Err(ActError::Refused("only a human can be invited; a service gets a key".to_owned()));
        }
        if !self.may_sign_in(subject) {
            return Err(ActError::NotFound(format!("active {subject}")));
        }
        let purpose = TokenPurpose::Invitation { subject: subject.clone() };
        let (record, link) = token(purpose, &actor.subject, lifetime, self.now());
        self.record_act(actor, "invite", subject, format!("until {}", link.expires)).await?;
        self.commit(vec![Change::PutToken(record)]).await?;
        Ok(link)
    }

    /// Those that can still be followed, oldest first.
    pub async fn invitations(&self) -> Result<Vec<InvitationView>, ActError> {
        let now = self.now();
        let tokens = self.stored(move |store| store.tokens(now)).await?;
        let view = |record: TokenRecord| match &record.purpose {
            TokenPurpose::Invitation { subject } => Some(InvitationView {
                id: short_id(&record),
                subject: subject.clone(),
                made_by: record.made_by.clone(),
                created: record.created,
                expires: record.expires,
            }),
            TokenPurpose::DeviceEnrolment { .. } => None,
        };
        Ok(tokens.into_iter().filter_map(view).collect())
    }

    pub async fn withdraw_invitation(&self, id: &str, actor: &Actor) -> Result<(), ActError> {
        let now = self.now();
        let tokens = self.stored(move |store| store.tokens(now)).await?;
        let Some(record) = tokens.into_iter().find(|record| short_id(record) == id) else {
            return Err(ActError::NotFound("such invitation".to_owned()));
        };
        self.record_act(actor, "invitation.withdraw", id, "").await?;
        self.commit(vec![Change::RemoveToken { hash: record.hash }]).await?;
        Ok(())
    }

    /// The same as [`break_in_offline`] while the server runs. Only the local operator may.
    pub async fn break_in(&self, name: &str, actor: &Actor) -> Result<OneTimeLink, ActError> {
        let operator = SubjectId::service(countersign_identity::operator::SUBJECT).ok();
        if operator.as_ref() != Some(&actor.subject) {
            return Err(ActError::Refused("a break-in is for whoever stands at the machine".to_owned()));
        }
        let name = Name::new(name).map_err(|error| ActError::Refused(error.to_string()))?;
        let owners = GroupId::new(OWNERS).map_err(|error| ActError::Refused(error.to_string()))?;
        let _turn = self.0.accounts.acting.lock().await;
        let id = SubjectId::new(SubjectKind::Human, name);
        let now = self.now();
        self.record_act(actor, "break-in", &id, "an owner's invitation, made while running").await?;
        let mut signals = Vec::new();
        if self.group(&owners).is_none() {
            signals.push(SignalKind::GroupPut { group: owners_group(owners.clone()) });
        }
        let subject = restored_owner(self.subject(&id), id.clone(), owners, now);
        signals.push(SignalKind::SubjectPut { subject });
        for kind in signals {
            self.submit(Signal { at: now, source: Source::Countersign, by: Some(actor.subject.clone()), kind }).await?;
        }
        let (record, link) = token(TokenPurpose::Invitation { subject: id }, &actor.subject, BREAK_IN, now);
        self.commit(vec![Change::PutToken(record)]).await?;
        Ok(link)
    }
}
