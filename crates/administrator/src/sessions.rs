//! Who is signed in, in memory: from the hash of a presented secret to the session or key behind it. What is here is
//! also in the store; what was last used when reaches the store in batches. Whether a session may do anything is not
//! decided here.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use countersign_identity::assertion::PublicKey;
use countersign_identity::secret::{self, SecretHash};
use countersign_identity::{api_key, operator};
use countersign_model::{AuthenticationMethod, Credential, DeviceId, KeyId, Methods, SessionId, SubjectId, Timestamp};
use countersign_store::{Change, Hash, KeyRecord, KeyScope, SessionRecord, Store, StoreError};
use parking_lot::{Mutex, RwLock};

/// What came with a request, and when.
#[derive(Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) credential: &'a Credential,
    /// The device that the connection proved; the caller has refused a certificate that does not count.
    pub(crate) device: Option<&'a DeviceId>,
    pub(crate) address: IpAddr,
    /// How long a session may rest, by the current settings.
    pub(crate) idle: Duration,
    pub(crate) now: Timestamp,
}

/// Whom a credential proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) subject: SubjectId,
    pub(crate) session: Option<SessionId>,
    pub(crate) key: Option<KeyId>,
    /// Who answers for the key. A key whose owner is gone or disabled proves nothing.
    pub(crate) owner: Option<SubjectId>,
    /// How the subject proved itself, and when.
    pub(crate) authentication: Option<(Methods, Timestamp)>,
    pub(crate) scope: Option<KeyScope>,
    /// Whether that is what was proved before the session's last step-up, because the secret is from before it.
    pub(crate) outdated: bool,
    /// The device that the session is pinned to.
    pub(crate) device: Option<DeviceId>,
    /// The first instant at which it no longer holds.
    pub(crate) expires: Timestamp,
}

/// Why a credential proves nothing. For the record: from outside all are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialFault {
    #[error("more than one credential, or an unreadable one")]
    Ambiguous,
    #[error("no such session, key or assertion")]
    Unknown,
    #[error("the credential has expired")]
    Expired,
    #[error("the session belongs to another device")]
    WrongDevice,
    #[error("the session cookie belongs to another host")]
    WrongHost,
    #[error("the operator assertion did not come from this machine")]
    NotLocal,
    #[error("the operator assertion was used before")]
    Replayed,
}

/// How the command line of this machine proves itself.
#[derive(Debug)]
pub(crate) struct OperatorAccess {
    pub(crate) key: PublicKey,
    /// Of the control host.
    pub(crate) origins: Vec<String>,
}

#[derive(Debug)]
struct Session {
    record: SessionRecord,
    /// By host. No host is both here and in the record.
    outdated: BTreeMap<String, Outdated>,
    last_used: AtomicI64,
    /// Used since the last flush.
    used: AtomicBool,
}

/// A secret from before a step-up. It goes on proving what it proved then, and nothing of what was proved since, until
/// its host gets a new one. It is not stored: a restart ends it.
#[derive(Debug)]
struct Outdated {
    hash: Hash,
    proved: (Methods, Timestamp),
}

#[derive(Debug)]
struct Key {
    record: KeyRecord,
    last_used: AtomicI64,
    used: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Timestamp,
    stored: bool,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<SessionId, Arc<Session>>,
    /// Every live secret, with the session and the host that it counts for.
    secrets: HashMap<SecretHash, (SessionId, Arc<str>)>,
    keys: HashMap<KeyId, Arc<Key>>,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    table: RwLock<Table>,
    operator: Option<OperatorAccess>,
    /// When each subject was last seen here, by any credential, and whether the store knows.
    seen: Mutex<HashMap<SubjectId, Seen>>,
    /// Assertions accepted, until they expire by themselves.
    used_assertions: Mutex<BTreeMap<String, Timestamp>>,
    started: Timestamp,
}

impl Sessions {
    pub(crate) fn load(
        store: &dyn Store,
        operator: Option<OperatorAccess>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut table = Table::default();
        store.each_session(&mut |record| {
            if now < record.expires {
                table.insert(record, BTreeMap::new());
            }
        })?;
        for record in store.keys()? {
            table.keys.insert(record.id.clone(), Arc::new(Key::new(record)));
        }
        let (table, seen, used_assertions) = (RwLock::new(table), Mutex::default(), Mutex::default());
        Ok(Self { table, operator, seen, used_assertions, started: now })
    }

    /// Whom the credential proves. A secret is hashed before it is looked up, so that the time of the look-up tells
    /// nothing about secrets that exist.
    pub(crate) fn resolve(&self, presented: &Presented<'_>) -> Result<Resolved, CredentialFault> {
        match presented.credential {
            Credential::Absent => Ok(Resolved::anonymous()),
            Credential::Ambiguous => Err(CredentialFault::Ambiguous),
            Credential::SessionCookie { secret, host } => self.session_cookie(secret.expose(), host, presented),
            Credential::Bearer(token) if token.expose().starts_with(api_key::PREFIX) => {
                self.api_key(token.expose(), presented.now)
            }
            Credential::Bearer(token) => self.operator_assertion(token.expose(), presented.address, presented.now),
        }
    }

    fn session_cookie(&self, plain: &str, host: &str, p: &Presented<'_>) -> Result<Resolved, CredentialFault> {
        let hash = secret::hash(plain);
        let table = self.table.read();
        let (id, at_host) = table.secrets.get(&hash).ok_or(CredentialFault::Unknown)?;
        let session = table.sessions.get(id).ok_or(CredentialFault::Unknown)?;
        if **at_host != *host {
            return Err(CredentialFault::WrongHost);
        }
        if session.record.device.as_ref() != p.device {
            return Err(CredentialFault::WrongDevice);
        }
        if p.now >= session.expires(p.idle) {
            return Err(CredentialFault::Expired);
        }
        // A clock that jumps back must not shorten what a later request has earned.
        session.last_used.fetch_max(p.now.millis(), Ordering::Relaxed);
        session.used.store(true, Ordering::Relaxed);
        let resolved = session.resolved(p.idle);
        Ok(match session.outdated.get(host) {
            Some(Outdated { proved, .. }) => {
                Resolved { authentication: Some(proved.clone()), outdated: true, ..resolved }
            }
            None => resolved,
        })
    }

    fn api_key(&self, plain: &str, now: Timestamp) -> Result<Resolved, CredentialFault> {
        let (id, secret) = api_key::parse(plain).map_err(|_| CredentialFault::Unknown)?;
        let key = self.table.read().keys.get(&id).cloned();
        // An unknown id costs the same comparison as a known one.
        let expected = SecretHash::from_bytes(key.as_ref().map_or([0; 32], |key| key.record.hash));
        let matches = expected.matches(secret.expose());
        let key = key.filter(|_| matches).ok_or(CredentialFault::Unknown)?;
        if now >= key.record.expires {
            return Err(CredentialFault::Expired);
        }
        key.last_used.fetch_max(now.millis(), Ordering::Relaxed);
        key.used.store(true, Ordering::Relaxed);
        Ok(key.resolved(now))
    }

    fn operator_assertion(&self, token: &str, address: IpAddr, now: Timestamp) -> Result<Resolved, CredentialFault> {
        let access = self.operator.as_ref().ok_or(CredentialFault::Unknown)?;
        if !address.to_canonical().is_loopback() {
            return Err(CredentialFault::NotLocal);
        }
        let assertion =
            operator::verify(token, &access.key, &access.origins, now).map_err(|_| CredentialFault::Unknown)?;
        // Which assertions were used before a restart is not remembered: none from before it is accepted.
        if assertion.expires < self.started.plus(operator::LIFETIME) {
            return Err(CredentialFault::Replayed);
        }
        let mut used = self.used_assertions.lock();
        used.retain(|_, expires| now <= *expires);
        if used.insert(assertion.jti, assertion.expires).is_some() {
            return Err(CredentialFault::Replayed);
        }
        let subject = SubjectId::service(operator::SUBJECT).map_err(|_| CredentialFault::Unknown)?;
        self.saw(&subject, now);
        Ok(Resolved {
            subject,
            authentication: Some((Methods::from([AuthenticationMethod::LocalOperator]), now)),
            expires: assertion.expires,
            ..Resolved::anonymous()
        })
    }

    /// The same proof as it stands now, for whoever decides a live lease again; `None` once its session or key has ended
    /// or expired. No use of it: a connection that only stays open lets its session run out.
    pub(crate) fn standing(&self, resolved: &Resolved, idle: Duration, now: Timestamp) -> Option<Resolved> {
        let table = self.table.read();
        let standing = match (&resolved.session, &resolved.key) {
            (Some(session), _) if resolved.outdated => Resolved {
                authentication: resolved.authentication.clone(),
                outdated: true,
                ..table.sessions.get(session)?.resolved(idle)
            },
            (Some(session), _) => table.sessions.get(session)?.resolved(idle),
            (None, Some(key)) => {
                let presented = resolved.authentication.as_ref().map_or(now, |(_, at)| *at);
                table.keys.get(key)?.resolved(presented)
            }
            (None, None) => resolved.clone(),
        };
        (now < standing.expires).then_some(standing)
    }

    pub(crate) fn session(&self, id: SessionId) -> Option<SessionRecord> {
        self.table.read().sessions.get(&id).map(|session| session.current())
    }

    /// Sessions for which `wanted` holds, newest first.
    pub(crate) fn sessions(&self, wanted: impl Fn(&SessionRecord) -> bool) -> Vec<SessionRecord> {
        let table = self.table.read();
        let mut found: Vec<_> = table
            .sessions
            .values()
            .filter(|session| wanted(&session.record))
            .map(|session| session.current())
            .collect();
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
        found
    }

    pub(crate) fn keys(&self, wanted: impl Fn(&KeyRecord) -> bool) -> Vec<KeyRecord> {
        let table = self.table.read();
        let mut found: Vec<_> =
            table.keys.values().filter(|key| wanted(&key.record)).map(|key| key.current()).collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    pub(crate) fn put(&self, record: SessionRecord) {
        self.table.write().insert(record, BTreeMap::new());
    }

    /// Replaces a session after a step-up, unless it has ended meanwhile. Of the secrets that it had before, those of
    /// the record's hosts stop counting at once; the others are outdated from now on.
    pub(crate) fn replace(&self, record: SessionRecord) -> bool {
        let mut table = self.table.write();
        let Some((former, mut outdated)) = table.remove(record.id) else { return false };
        let proved = (former.methods, former.authenticated);
        outdated
            .extend(former.secrets.into_iter().map(|(host, hash)| (host, Outdated { hash, proved: proved.clone() })));
        outdated.retain(|host, _| !record.secrets.contains_key(host));
        table.insert(record, outdated);
        true
    }

    pub(crate) fn outdated_at(&self, id: SessionId, host: &str) -> bool {
        self.table.read().sessions.get(&id).is_some_and(|session| session.outdated.contains_key(host))
    }

    /// Where the session has a cookie.
    pub(crate) fn hosts(&self, id: SessionId) -> Vec<String> {
        let table = self.table.read();
        let session = table.sessions.get(&id);
        session.into_iter().flat_map(|it| it.record.secrets.keys().chain(it.outdated.keys()).cloned()).collect()
    }

    /// Gives the session a secret at `host`, in place of the one it had there. The record as it is then; `None` once
    /// the session has ended.
    pub(crate) fn add_secret(&self, id: SessionId, host: &str, hash: &SecretHash) -> Option<SessionRecord> {
        let mut table = self.table.write();
        let (mut record, mut outdated) = table.remove(id)?;
        record.secrets.insert(host.to_owned(), stored(hash));
        outdated.remove(host);
        table.insert(record.clone(), outdated);
        Some(record)
    }

    /// From now on no secret of it counts. `None` when it had ended before.
    pub(crate) fn remove(&self, id: SessionId) -> Option<SessionRecord> {
        let (record, _) = self.table.write().remove(id)?;
        self.saw(&record.subject, record.last_used);
        Some(record)
    }

    pub(crate) fn put_key(&self, record: KeyRecord) {
        self.table.write().keys.insert(record.id.clone(), Arc::new(Key::new(record)));
    }

    pub(crate) fn remove_key(&self, id: &KeyId) -> Option<KeyRecord> {
        let record = self.table.write().keys.remove(id)?.current();
        if let Some(at) = record.last_used {
            self.saw(&record.subject, at);
        }
        Some(record)
    }

    fn saw(&self, subject: &SubjectId, at: Timestamp) {
        let mut all = self.seen.lock();
        match all.get_mut(subject) {
            Some(seen) if seen.at >= at => {}
            Some(seen) => *seen = Seen { at, stored: false },
            None => drop(all.insert(subject.clone(), Seen { at, stored: false })),
        }
    }

    /// As of the last flush, and since this process began.
    pub(crate) fn last_seen(&self, subject: &SubjectId) -> Option<Timestamp> {
        self.seen.lock().get(subject).map(|seen| seen.at)
    }

    /// Sessions that have run out, by age or by rest.
    pub(crate) fn expired(&self, idle: Duration, now: Timestamp) -> Vec<SessionId> {
        let table = self.table.read();
        let expired = |session: &&Arc<Session>| session.expires(idle) <= now;
        table.sessions.values().filter(expired).map(|session| session.record.id).collect()
    }

    /// What was used since the last call, as changes for the store.
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        {
            let table = self.table.read();
            for session in table.sessions.values().filter(|session| session.used.swap(false, Ordering::Relaxed)) {
                let SessionRecord { id, subject, last_used: at, .. } = session.current();
                self.saw(&subject, at);
                changes.push(Change::SessionUsed { id, at });
            }
            for key in table.keys.values().filter(|key| key.used.swap(false, Ordering::Relaxed)) {
                let KeyRecord { id, subject, last_used, .. } = key.current();
                if let Some(at) = last_used {
                    self.saw(&subject, at);
                    changes.push(Change::KeyUsed { id, at });
                }
            }
        }
        for (id, seen) in self.seen.lock().iter_mut().filter(|(_, seen)| !seen.stored) {
            seen.stored = true;
            changes.push(Change::SubjectUsed { id: id.clone(), at: seen.at });
        }
        changes
    }
}

impl Table {
    fn insert(&mut self, record: SessionRecord, outdated: BTreeMap<String, Outdated>) {
        let former = outdated.iter().map(|(host, secret)| (host, &secret.hash));
        for (host, hash) in record.secrets.iter().chain(former) {
            self.secrets.insert(SecretHash::from_bytes(*hash), (record.id, host.as_str().into()));
        }
        let (last_used, used) = (AtomicI64::new(record.last_used.millis()), AtomicBool::new(false));
        self.sessions.insert(record.id, Arc::new(Session { record, outdated, last_used, used }));
    }

    fn remove(&mut self, id: SessionId) -> Option<(SessionRecord, BTreeMap<String, Outdated>)> {
        let session = self.sessions.remove(&id)?;
        let outdated = session.outdated.values().map(|secret| &secret.hash);
        for hash in session.record.secrets.values().chain(outdated) {
            self.secrets.remove(&SecretHash::from_bytes(*hash));
        }
        let record = session.current();
        Some((record, Arc::into_inner(session).map(|session| session.outdated).unwrap_or_default()))
    }
}

impl Session {
    fn current(&self) -> SessionRecord {
        let last_used = Timestamp::from_millis(self.last_used.load(Ordering::Relaxed));
        SessionRecord { last_used, ..self.record.clone() }
    }

    fn expires(&self, idle: Duration) -> Timestamp {
        let last_used = Timestamp::from_millis(self.last_used.load(Ordering::Relaxed));
        self.record.expires.min(last_used.plus(idle))
    }

    fn resolved(&self, idle: Duration) -> Resolved {
        let record = &self.record;
        Resolved {
            subject: record.subject.clone(),
            session: Some(record.id),
            authentication: Some((record.methods.clone(), record.authenticated)),
            device: record.device.clone(),
            expires: self.expires(idle),
            ..Resolved::anonymous()
        }
    }
}

impl Key {
    fn new(record: KeyRecord) -> Self {
        let last_used = AtomicI64::new(record.last_used.map_or(i64::MIN, Timestamp::millis));
        Self { record, last_used, used: AtomicBool::new(false) }
    }

    fn current(&self) -> KeyRecord {
        let last_used = match self.last_used.load(Ordering::Relaxed) {
            i64::MIN => None,
            millis => Some(Timestamp::from_millis(millis)),
        };
        KeyRecord { last_used, ..self.record.clone() }
    }

    /// A key is proved with each request that carries it: its proof is as old as that one.
    fn resolved(&self, presented: Timestamp) -> Resolved {
        let record = &self.record;
        Resolved {
            subject: record.subject.clone(),
            key: Some(record.id.clone()),
            owner: Some(record.owner.clone()),
            authentication: Some((Methods::from([AuthenticationMethod::ApiKey]), presented)),
            scope: Some(record.scope.clone()),
            expires: record.expires,
            ..Resolved::anonymous()
        }
    }
}

impl Resolved {
    pub(crate) fn anonymous() -> Self {
        Self {
            subject: SubjectId::anonymous(),
            session: None,
            key: None,
            owner: None,
            authentication: None,
            scope: None,
            outdated: false,
            device: None,
            expires: Timestamp::FOREVER,
        }
    }
}

/// A secret's hash as the store keeps it.
pub(crate) fn stored(hash: &SecretHash) -> Hash {
    *hash.as_bytes()
}
