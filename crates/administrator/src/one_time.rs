//! Things that are begun and finished once, within minutes, and need not survive a restart: sign-in ceremonies,
//! hand-off codes. Bounded: a stranger who begins many pushes out his own, not those of others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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

/// Every step is logarithmic: strangers can make each of them happen, and others wait for the lock meanwhile.
#[derive(Debug)]
struct Table<T> {
    entries: HashMap<SecretHash, Entry<T>>,
    /// What each address holds, in the order in which it came.
    addresses: HashMap<Origin, BTreeMap<u64, SecretHash>>,
    /// Each address in `addresses` once: the last is the one that gives way.
    ranks: BTreeSet<Rank>,
    /// The next entry's place in that order.
    next: u64,
}

/// How much an address holds; among equals, the one with the oldest entry is the greatest.
type Rank = (usize, Reverse<u64>, Origin);

#[derive(Debug)]
struct Entry<T> {
    value: T,
    expires: Timestamp,
    origin: Origin,
    place: u64,
}

/// What one party controls: an IPv4 address, or an IPv6 network of 64 bits.
pub(crate) type Origin = u128;

pub(crate) fn origin(address: IpAddr) -> Origin {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

impl<T> OneTime<T> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        let table = Table { entries: HashMap::new(), addresses: HashMap::new(), ranks: BTreeSet::new(), next: 0 };
        Self { lifetime, table: Mutex::new(table) }
    }

    /// Keeps `value` and returns the secret that fetches it.
    pub(crate) fn put(&self, value: T, address: IpAddr, now: Timestamp) -> CredentialSecret {
        let (plain, hash) = secret::generate();
        let origin = origin(address);
        let mut table = self.table.lock();
        if table.addresses.get(&origin).is_some_and(|held| held.len() >= PER_ADDRESS) {
            table.drop_oldest_of(origin);
        } else if table.entries.len() >= IN_ALL
            && let Some(&(.., fullest)) = table.ranks.last()
        {
            table.drop_oldest_of(fullest);
        }
        table.insert(hash, value, now.plus(self.lifetime), origin);
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
    fn insert(&mut self, hash: SecretHash, value: T, expires: Timestamp, origin: Origin) {
        let place = self.next;
        self.next += 1;
        self.entries.insert(hash, Entry { value, expires, origin, place });
        self.change(origin, |held| {
            held.insert(place, hash);
        });
    }

    fn remove(&mut self, hash: &SecretHash) -> Option<Entry<T>> {
        let entry = self.entries.remove(hash)?;
        self.change(entry.origin, |held| {
            held.remove(&entry.place);
        });
        Some(entry)
    }

    /// Changes what an address holds, and its rank with it.
    fn change(&mut self, origin: Origin, change: impl FnOnce(&mut BTreeMap<u64, SecretHash>)) {
        let held = self.addresses.entry(origin).or_default();
        if let Some(rank) = rank(origin, held) {
            self.ranks.remove(&rank);
        }
        change(held);
        match rank(origin, held) {
            Some(rank) => {
                self.ranks.insert(rank);
            }
            None => {
                self.addresses.remove(&origin);
            }
        }
    }

    fn drop_oldest_of(&mut self, origin: Origin) {
        let oldest = self.addresses.get(&origin).and_then(|held| held.first_key_value()).map(|(_, hash)| *hash);
        if let Some(oldest) = oldest {
            self.remove(&oldest);
        }
    }
}

/// `None` of an address that holds nothing.
fn rank(origin: Origin, held: &BTreeMap<u64, SecretHash>) -> Option<Rank> {
    held.first_key_value().map(|(&oldest, _)| (held.len(), Reverse(oldest), origin))
}

#[cfg(test)]
mod tests;
