//! Things that are begun and finished once, within minutes, and need not survive a restart: sign-in ceremonies,
//! hand-off codes. Bounded: a stranger who begins many pushes out his own, not those of others.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use countersign_identity::secret::{self, SecretHash};
use countersign_model::{CredentialSecret, Timestamp};
use parking_lot::Mutex;

/// Enough for an office behind one address; what is more pushes out the oldest of that address.
const PER_ADDRESS: usize = 1024;
/// When full, the oldest of whichever address holds most makes room.
const IN_ALL: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct OneTime<T> {
    lifetime: Duration,
    table: Mutex<Table<T>>,
}

#[derive(Debug)]
struct Table<T> {
    entries: HashMap<SecretHash, Entry<T>>,
    /// Oldest first.
    addresses: HashMap<Origin, VecDeque<SecretHash>>,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    expires: Timestamp,
    origin: Origin,
}

/// What one party controls: an IPv4 address, or an IPv6 network of 64 bits.
type Origin = u128;

fn origin(address: IpAddr) -> Origin {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

impl<T> OneTime<T> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, table: Mutex::new(Table { entries: HashMap::new(), addresses: HashMap::new() }) }
    }

    /// Keeps `value` and returns the secret that fetches it.
    pub(crate) fn put(&self, value: T, address: IpAddr, now: Timestamp) -> CredentialSecret {
        let (plain, hash) = secret::generate();
        let origin = origin(address);
        let mut table = self.table.lock();
        if table.addresses.get(&origin).is_some_and(|held| held.len() >= PER_ADDRESS) {
            table.drop_oldest_of(origin);
        } else if table.entries.len() >= IN_ALL
            && let Some(most) = table.addresses.iter().max_by_key(|(_, held)| held.len()).map(|(&origin, _)| origin)
        {
            table.drop_oldest_of(most);
        }
        table.entries.insert(hash, Entry { value, expires: now.plus(self.lifetime), origin });
        table.addresses.entry(origin).or_default().push_back(hash);
        plain
    }

    /// The value, once, and only before it expires.
    pub(crate) fn take(&self, plain: &CredentialSecret, now: Timestamp) -> Option<T> {
        let entry = self.table.lock().remove(&secret::hash(plain.expose()))?;
        (now < entry.expires).then_some(entry.value)
    }

    pub(crate) fn forget_expired(&self, now: Timestamp) {
        let mut table = self.table.lock();
        let expired: Vec<_> =
            table.entries.iter().filter(|(_, entry)| entry.expires <= now).map(|(hash, _)| *hash).collect();
        for hash in expired {
            table.remove(&hash);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.lock().entries.len()
    }
}

impl<T> Table<T> {
    fn remove(&mut self, hash: &SecretHash) -> Option<Entry<T>> {
        let entry = self.entries.remove(hash)?;
        if let Some(held) = self.addresses.get_mut(&entry.origin) {
            held.retain(|other| other != hash);
            if held.is_empty() {
                self.addresses.remove(&entry.origin);
            }
        }
        Some(entry)
    }

    fn drop_oldest_of(&mut self, origin: Origin) {
        if let Some(oldest) = self.addresses.get(&origin).and_then(|held| held.front().copied()) {
            self.remove(&oldest);
        }
    }
}
