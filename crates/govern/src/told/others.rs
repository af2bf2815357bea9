//! What other sources know of devices and applications, beside what stands here. Nothing links the two for certain but a name: what
//! has the same is the same; of what has not it is not known. Where no other source tells of any, there is nothing to count.

use std::collections::BTreeSet;

use countersign_administrator::Administrator;
use countersign_assess::{Tally, Told};
use countersign_estate::{Inventory, Kind, System};
use countersign_model::{ResourceKind, Timestamp};

use super::Tallies;

pub(super) fn count(
    administrator: &Administrator,
    inventory: &Inventory,
    devices: &[String],
    now: Timestamp,
    tallies: &mut Tallies,
) {
    let own: BTreeSet<String> = devices.iter().map(|name| plain(name)).collect();
    let elsewhere = elsewhere(inventory, Kind::Device, |_| true, plain);
    insert(tallies, Told::DevicesEnrolled, (&own, devices.len()), &elsewhere, now);

    let resources = administrator.resources();
    let applications = resources.iter().filter(|resource| resource.kind == ResourceKind::Http);
    let names: Vec<String> = applications.map(|resource| resource.display_name.clone()).collect();
    let own: BTreeSet<String> = names.iter().map(|name| lower(name)).collect();
    let elsewhere = self::elsewhere(inventory, Kind::Resource, System::lists_applications, lower);
    insert(tallies, Told::ApplicationsBehindGateway, (&own, names.len()), &elsewhere, now);
}

fn insert(
    tallies: &mut Tallies,
    told: Told,
    (own, count): (&BTreeSet<String>, usize),
    elsewhere: &BTreeSet<String>,
    now: Timestamp,
) {
    if elsewhere.is_empty() {
        return;
    }
    let more = elsewhere.iter().filter(|name| !own.contains(*name)).count();
    let known = count as u64;
    tallies.insert(told, Tally { good: known, known, of: known + more as u64, oldest: now, newest: now });
}

/// The names of what others know and nobody has disabled.
fn elsewhere(
    inventory: &Inventory,
    kind: Kind,
    counts: fn(System) -> bool,
    alike: fn(&str) -> String,
) -> BTreeSet<String> {
    let other =
        |part: u32| inventory.part(part).is_some_and(|part| part.system != System::Countersign && counts(part.system));
    let nodes = inventory.nodes().iter().filter(|node| node.kind() == kind && !node.is_gone());
    let there = nodes.filter(|node| {
        let mut present = node.sightings.iter().filter(|sighting| sighting.span.gone.is_none());
        present.any(|sighting| other(sighting.part)) && node.attributes().enabled != Some(false)
    });
    there.map(|node| alike(node.name())).collect()
}

/// The part of a device's name that two sources write alike: of `LAPTOP-7$` and `laptop-7.corp.example` it is `laptop-7`.
fn plain(name: &str) -> String {
    let first = name.split('.').next().unwrap_or_default();
    lower(first.trim_end_matches('$'))
}

fn lower(name: &str) -> String {
    name.trim().to_lowercase()
}
