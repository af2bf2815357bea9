#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]
//! What gives way when the table is full, and that its index is never out of step with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use countersign_model::{CredentialSecret, Timestamp};
use proptest::prelude::*;

use super::{IN_ALL, OneTime, PER_ADDRESS, rank};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

fn v6(network: u64, host: u64) -> IpAddr {
    Ipv6Addr::from_bits(u128::from(network) << 64 | u128::from(host)).into()
}

/// The index is what it would be if it were made anew: then finding the fullest is one step down a tree.
fn in_step<T>(kept: &OneTime<T>) {
    let table = kept.table.lock();
    let fresh: Vec<_> = table.addresses.iter().map(|(&origin, held)| rank(origin, held).unwrap()).collect();
    assert_eq!(fresh.len(), table.ranks.len());
    assert!(fresh.iter().all(|rank| table.ranks.contains(rank)));
    assert_eq!(fresh.iter().map(|(held, ..)| held).sum::<usize>(), table.entries.len());
}

#[test]
fn one_address_pushes_out_its_own() {
    let kept = OneTime::new(MINUTE);
    let other = kept.put(0, v4(1), NOW);
    // One network of 64 bits is one party, whatever it calls its hosts.
    let mine: Vec<_> =
        (0..=PER_ADDRESS).map(|number| kept.put(number, v6(7, u64::try_from(number).unwrap()), NOW)).collect();
    assert_eq!(kept.len(), PER_ADDRESS + 1);
    assert_eq!(kept.take(&mine[0], NOW), None, "its oldest");
    assert_eq!(kept.take(&mine[1], NOW), Some(1));
    assert_eq!(kept.take(&other, NOW), Some(0));
    in_step(&kept);
}

#[test]
fn the_fullest_gives_way_and_among_equals_the_oldest() {
    let kept = OneTime::new(MINUTE);
    let old = kept.put("old", v4(1), NOW);
    let greedy: Vec<CredentialSecret> = (0..PER_ADDRESS).map(|_| kept.put("greedy", v4(2), NOW)).collect();
    let strangers = IN_ALL - PER_ADDRESS - 1;
    for number in 0..strangers {
        kept.put("stranger", v6(u64::try_from(number).unwrap() + 1, 0), NOW);
    }
    assert_eq!(kept.len(), IN_ALL);
    // Each newcomer costs the greedy one exactly one entry, its oldest.
    let mut newcomers = Vec::new();
    for number in 0..PER_ADDRESS - 1 {
        newcomers.push(kept.put("new", v4(1000 + u32::try_from(number).unwrap()), NOW));
        assert_eq!(kept.len(), IN_ALL);
    }
    in_step(&kept);
    assert_eq!(kept.take(greedy.last().unwrap(), NOW), Some("greedy"));
    assert!(greedy[..PER_ADDRESS - 1].iter().all(|secret| kept.take(secret, NOW).is_none()));
    kept.put("fill", v4(3), NOW);
    // Now everybody holds one: whoever has waited longest goes, never whoever has just come.
    let newest = kept.put("newest", v6(u64::MAX, 0), NOW);
    assert_eq!(kept.take(&old, NOW), None);
    kept.put("fill", v4(4), NOW);
    kept.put("fill", v4(5), NOW);
    assert_eq!(kept.take(&newest, NOW), Some("newest"));
    assert_eq!(kept.take(&newcomers[0], NOW), Some("new"));
    in_step(&kept);
}

#[test]
fn what_has_expired_goes() {
    let kept = OneTime::new(MINUTE);
    let first = kept.put(1, v4(1), NOW);
    let second = kept.put(2, v4(1), NOW.plus(MINUTE / 2));
    assert_eq!(kept.take(&first, NOW.plus(MINUTE)), None);
    kept.put(3, v4(2), NOW);
    kept.forget_expired(NOW.plus(MINUTE));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept.take(&second, NOW.plus(MINUTE)), Some(2));
    in_step(&kept);
    assert!(kept.table.lock().addresses.is_empty(), "nothing is kept of who has nothing left");
}

proptest! {
    #[test]
    fn the_index_is_never_out_of_step(steps in prop::collection::vec((0_u32..4, prop::bool::ANY), 1..200)) {
        let kept = OneTime::new(MINUTE);
        let mut held = Vec::new();
        for (at, (address, take)) in steps.into_iter().enumerate() {
            if take && !held.is_empty() {
                let secret: CredentialSecret = held.swap_remove(at % held.len());
                prop_assert!(kept.take(&secret, NOW).is_some());
            } else {
                held.push(kept.put(at, v4(address), NOW));
            }
            in_step(&kept);
        }
        prop_assert_eq!(kept.len(), held.len());
    }
}
