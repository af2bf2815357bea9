//! The live leases of this node, found by whatever may end them. A lease stands here from before its decision counts
//! until its holder drops it. The table decides nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use countersign_lease::{Principal, Tether};
use countersign_model::{DecisionId, DeviceId, KeyId, LeaseId, ResourceId, SessionId, SubjectId, Timestamp};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::circumstances::{Proof, Sight};
use crate::world::Touched;

/// One live permission, with all that it takes to decide it again.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: LeaseId,
    pub(crate) decision: DecisionId,
    pub(crate) sight: Arc<Sight>,
    /// As it was when the lease was opened.
    pub(crate) proof: Proof,
    pub(crate) principal: Arc<Principal>,
    pub(crate) opened: Timestamp,
    pub(crate) tether: Tether,
    /// Everybody whose state it depends on: the subject, who answers for its key, whom an agent acts for.
    pub(crate) subjects: SmallVec<[SubjectId; 2]>,
    /// As evident when it was opened.
    pub(crate) device: Option<DeviceId>,
}

#[derive(Debug, Default)]
pub(crate) struct Leases {
    table: Mutex<Table>,
    /// Told when the earliest alarm has moved to an earlier instant.
    pub(crate) sooner: Notify,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<LeaseId, (Arc<Live>, Timestamp), BuildHasherDefault<IdHasher>>,
    by_subject: Index<SubjectId>,
    by_session: Index<SessionId>,
    by_key: Index<KeyId>,
    by_device: Index<DeviceId>,
    by_resource: Index<ResourceId>,
    /// When each has to be decided again though nothing was changed.
    alarms: BTreeSet<(Timestamp, LeaseId)>,
}

type Ids = HashSet<LeaseId, BuildHasherDefault<IdHasher>>;

/// The ids of leases end with random bits, and nobody outside chooses one: they are their own hash.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }
    fn write_u128(&mut self, bits: u128) {
        self.0 ^= bits as u64;
    }
}

#[derive(Debug)]
struct Index<K>(HashMap<K, Ids>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Index<K> {
    fn add(&mut self, key: &K, lease: LeaseId) {
        match self.0.get_mut(key) {
            Some(leases) => {
                leases.insert(lease);
            }
            None => {
                self.0.insert(key.clone(), Ids::from_iter([lease]));
            }
        }
    }

    fn remove(&mut self, key: &K, lease: LeaseId) {
        if let Some(leases) = self.0.get_mut(key) {
            leases.remove(&lease);
            if leases.is_empty() {
                self.0.remove(key);
            }
        }
    }

    fn of(&self, key: &K) -> impl Iterator<Item = LeaseId> {
        self.0.get(key).into_iter().flatten().copied()
    }
}

impl Live {
    fn session_and_key(&self) -> (Option<SessionId>, Option<&KeyId>) {
        match &self.proof {
            Proof::Valid(resolved) => (resolved.session, resolved.key.as_ref()),
            Proof::Void { .. } => (None, None),
        }
    }
}

impl Leases {
    /// From here on every change that touches the lease finds it.
    pub(crate) fn enlist(&self, live: &Arc<Live>, holds_until: Timestamp) {
        let mut table = self.table.lock();
        let id = live.id;
        for subject in &live.subjects {
            table.by_subject.add(subject, id);
        }
        let (session, key) = live.session_and_key();
        if let Some(session) = session {
            table.by_session.add(&session, id);
        }
        if let Some(key) = key {
            table.by_key.add(key, id);
        }
        if let Some(device) = &live.device {
            table.by_device.add(device, id);
        }
        table.by_resource.add(&live.principal.resource, id);
        table.live.insert(id, (Arc::clone(live), holds_until));
        self.set_alarm(&mut table, id, holds_until);
    }

    /// Whether it was there.
    pub(crate) fn remove(&self, id: LeaseId) -> bool {
        let mut table = self.table.lock();
        let Some((live, holds_until)) = table.live.remove(&id) else { return false };
        table.alarms.remove(&(holds_until, id));
        for subject in &live.subjects {
            table.by_subject.remove(subject, id);
        }
        let (session, key) = live.session_and_key();
        if let Some(session) = session {
            table.by_session.remove(&session, id);
        }
        if let Some(key) = key {
            table.by_key.remove(key, id);
        }
        if let Some(device) = &live.device {
            table.by_device.remove(device, id);
        }
        table.by_resource.remove(&live.principal.resource, id);
        true
    }

    /// The lease was decided again and stands until `holds_until`.
    pub(crate) fn hold(&self, id: LeaseId, holds_until: Timestamp) {
        let mut table = self.table.lock();
        let Some((_, until)) = table.live.get_mut(&id) else { return };
        let former = std::mem::replace(until, holds_until);
        if former != holds_until {
            table.alarms.remove(&(former, id));
        }
        self.set_alarm(&mut table, id, holds_until);
    }

    fn set_alarm(&self, table: &mut Table, id: LeaseId, at: Timestamp) {
        if at == Timestamp::FOREVER {
            return;
        }
        let sooner = table.alarms.first().is_none_or(|&(first, _)| at < first);
        table.alarms.insert((at, id));
        if sooner {
            self.sooner.notify_one();
        }
    }

    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.table.lock().alarms.first().map(|&(at, _)| at)
    }

    /// Those whose alarm has come. Each is [held](Self::hold) or removed afterwards.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Arc<Live>> {
        let mut table = self.table.lock();
        let mut due = Vec::new();
        while let Some(&(at, id)) = table.alarms.first()
            && at <= now
        {
            table.alarms.pop_first();
            due.extend(table.live.get(&id).map(|(live, _)| Arc::clone(live)));
        }
        due
    }

    pub(crate) fn len(&self) -> usize {
        self.table.lock().live.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.table.lock().live.values().map(|(live, _)| Arc::clone(live)).collect()
    }

    pub(crate) fn touched(&self, touched: &Touched) -> Vec<Arc<Live>> {
        let table = self.table.lock();
        let mut ids = Ids::default();
        // Whichever is fewer is walked: a group of a million members touches far more subjects than hold leases.
        if touched.subjects.len() > table.live.len() {
            let subjects: HashSet<&SubjectId> = touched.subjects.iter().collect();
            let hit = |live: &Live| live.subjects.iter().any(|subject| subjects.contains(subject));
            ids.extend(table.live.iter().filter(|(_, (live, _))| hit(live)).map(|(id, _)| *id));
        } else {
            ids.extend(touched.subjects.iter().flat_map(|subject| table.by_subject.of(subject)));
        }
        ids.extend(touched.devices.iter().flat_map(|device| table.by_device.of(device)));
        ids.extend(touched.resources.iter().flat_map(|resource| table.by_resource.of(resource)));
        table.found(ids)
    }

    pub(crate) fn of_session(&self, session: SessionId) -> Vec<Arc<Live>> {
        let table = self.table.lock();
        table.found(table.by_session.of(&session))
    }

    pub(crate) fn of_key(&self, key: &KeyId) -> Vec<Arc<Live>> {
        let table = self.table.lock();
        table.found(table.by_key.of(key))
    }

    pub(crate) fn of_resource(&self, resource: &ResourceId) -> Vec<Arc<Live>> {
        let table = self.table.lock();
        table.found(table.by_resource.of(resource))
    }
}

impl Table {
    fn found(&self, ids: impl IntoIterator<Item = LeaseId>) -> Vec<Arc<Live>> {
        ids.into_iter().filter_map(|id| self.live.get(&id)).map(|(live, _)| Arc::clone(live)).collect()
    }
}
