//! What a running Countersign knows that no export tells, counted for the gap map: of the world as it is now, of the policies asked,
//! of the newest of the ledger, and of what other sources know beside it. What is not counted here stays unknown there.

mod lately;
mod layers;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_administrator::{Administrator, Page, PolicySet, Unmanaged};
use countersign_assess::{ExceptionCount, Own, Tally, Told};
use countersign_estate::Inventory;
use countersign_model::{
    DeviceState, ExceptionStanding, GroupId, ProofResult, ResourceKind, SubjectId, SubjectKind, Tier, Timestamp,
};

use crate::progress::Progress;

/// How many devices are taken at a time.
const AT_ONCE: usize = 10_000;
const YEAR: Duration = Duration::from_secs(366 * 86_400);

type Tallies = BTreeMap<Told, Tally>;

pub(crate) use layers::Layers;
pub use layers::NeverExercised;

/// Looks at everything, and reads the ledger: not for the path of a request. Once it is to stop, what is left is not counted.
pub(crate) fn told(
    administrator: &Administrator,
    inventory: &Inventory,
    now: Timestamp,
    progress: &Progress,
) -> (Own, Option<Layers>) {
    let mut tallies = BTreeMap::new();
    resources(administrator, now, &mut tallies);
    let devices = devices(administrator, now, &mut tallies);
    policies(administrator, &administrator.policies(), now, &mut tallies);
    reviews(administrator, now, &mut tallies);
    progress.tell("asking the policies", "", 0, 0);
    asked(administrator, now, progress, &mut tallies);
    let exceptions = exceptions(administrator, now, progress, &mut tallies);
    progress.tell("reading the ledger", "", 0, 0);
    let lately = lately::count(administrator, now, progress, &mut tallies);
    others::count(administrator, inventory, &devices, now, &mut tallies);
    progress.tell("comparing what is granted with what is used", "", 0, 0);
    let layers = lately.as_ref().and_then(|lately| Layers::of(administrator, &lately.used, lately.since, progress));
    let privilege = lately.and_then(|lately| lately.privilege);
    (Own { tallies, privilege, exceptions: Some(exceptions), ..Own::default() }, layers)
}

/// Counted now, and everything is known of each.
fn tally(good: usize, of: usize, now: Timestamp) -> Tally {
    Tally { good: good as u64, known: of as u64, of: of as u64, oldest: now, newest: now }
}

fn resources(administrator: &Administrator, now: Timestamp, tallies: &mut Tallies) {
    let all = administrator.resources();
    let all: Vec<_> = all.iter().filter(|resource| resource.kind != ResourceKind::Countersign).collect();
    let enforced = all.iter().filter(|resource| resource.observed_until(now).is_none()).count();
    tallies.insert(Told::ResourcesEnforced, tally(enforced, all.len(), now));
    let classified = all.iter().filter(|resource| resource.owner.is_some() && resource.segment.is_some()).count();
    tallies.insert(Told::ResourcesClassified, tally(classified, all.len(), now));
    let jewels: Vec<_> = all.iter().filter(|resource| resource.tier == Tier::CrownJewel).collect();
    let alone =
        |segment| all.iter().all(|other| other.segment.as_ref() != Some(segment) || other.tier == Tier::CrownJewel);
    let segmented = jewels.iter().filter(|resource| resource.segment.as_ref().is_some_and(alone)).count();
    tallies.insert(Told::CrownJewelsSegmented, tally(segmented, jewels.len(), now));
}

/// What was confirmed, and in time, in the last year.
fn reviews(administrator: &Administrator, now: Timestamp, tallies: &mut Tallies) {
    let since = now.minus(YEAR);
    if let Some((good, of, oldest)) = administrator.entitlements_reviewed(since) {
        tallies.insert(Told::EntitlementsReviewed, Tally { oldest, ..tally(good, of, now) });
    }
    if let Some((good, of)) = administrator.reviews_in_time(since) {
        tallies.insert(Told::ReviewsOnTime, Tally { oldest: since, ..tally(good, of, now) });
    }
}

/// The names of those that are active.
fn devices(administrator: &Administrator, now: Timestamp, tallies: &mut Tallies) -> Vec<String> {
    let (mut compliant, mut active) = (0, Vec::new());
    let mut page = Page { after: None, limit: AT_ONCE };
    loop {
        let devices = administrator.devices(&page, None);
        for device in devices.iter().filter(|device| device.state == DeviceState::Active) {
            active.push(device.display_name.clone());
            compliant += usize::from(administrator.assess(&device.id).is_some_and(|found| found.compliant()));
        }
        page.after = devices.last().map(|last| last.id.to_string());
        if devices.len() < AT_ONCE {
            break;
        }
    }
    tallies.insert(Told::DevicesCompliant, tally(compliant, active.len(), now));
    active
}

fn policies(administrator: &Administrator, set: &PolicySet, now: Timestamp, tallies: &mut Tallies) {
    let known = |owner: &str| {
        GroupId::new(owner).is_ok_and(|group| administrator.group(&group).is_some())
            || owner.parse().is_ok_and(|subject: SubjectId| administrator.subject(&subject).is_some())
    };
    let all = set.policies();
    let owned = all.iter().filter(|policy| now < policy.review_by && known(&policy.owner)).count();
    tallies.insert(Told::PoliciesOwned, tally(owned, all.len(), now));
    if let Some(proofs) = set.proven() {
        let results: Vec<ProofResult> = set.guardrails().iter().map(|one| proofs.result(&one.id)).collect();
        let count = |wanted: &[ProofResult]| results.iter().filter(|result| wanted.contains(result)).count() as u64;
        let good = count(&[ProofResult::Proven]);
        let known = count(&[ProofResult::Proven, ProofResult::Failed]);
        let proven = Tally { good, known, of: results.len() as u64, oldest: proofs.at, newest: proofs.at };
        tallies.insert(Told::GuardrailsProven, proven);
    }
}

/// Hears how far a question is, and ends it once nobody waits for it.
fn tick(progress: &Progress) -> impl Fn(usize, usize) -> ControlFlow<()> + Sync + '_ {
    |_, _| if progress.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// What the policies answer for everybody and everything.
fn asked(administrator: &Administrator, now: Timestamp, progress: &Progress, tallies: &mut Tallies) {
    let tick = tick(progress);
    if let Ok(coverage) = administrator.coverage(&tick) {
        let covered = |found: usize, of: usize| tally(of.saturating_sub(found), of, now);
        tallies.insert(Told::DoorsCovered, covered(coverage.doors.found, coverage.doors.of));
        tallies.insert(Told::IdentitiesCovered, covered(coverage.subjects.found, coverage.subjects.of));
        tallies.insert(Told::DevicesCovered, covered(coverage.devices.found, coverage.devices.of));
    }
    if let Ok(all) = administrator.strictness(&tick) {
        let conditional = all.iter().filter(|one| one.beyond_sign_in).count();
        tallies.insert(Told::ResourcesConditional, tally(conditional, all.len(), now));
        let sensitive: Vec<Unmanaged> =
            all.iter().filter(|one| one.tier > Tier::Standard).map(|one| one.unmanaged).collect();
        let count = |wanted: Unmanaged| sensitive.iter().filter(|one| **one == wanted).count();
        let (closed, open) = (count(Unmanaged::ProvenClosed), count(Unmanaged::Open));
        let limited = Tally { known: (closed + open) as u64, ..tally(closed, sensitive.len(), now) };
        tallies.insert(Told::UnmanagedDevicesLimited, limited);
    }
    if let Ok(agents) = administrator.agent_bounds(&tick) {
        let bound = agents.iter().filter(|one| one.bound).count();
        tallies.insert(Told::AgentsActingForSomebody, tally(bound, agents.len(), now));
    }
}

fn exceptions(
    administrator: &Administrator,
    now: Timestamp,
    progress: &Progress,
    tallies: &mut Tallies,
) -> ExceptionCount {
    let all = administrator.exceptions();
    // One in force has an owner who is there and an end; what stands in the place of what it relaxes, it has to say.
    let in_force: Vec<_> = all.iter().filter(|one| one.standing == ExceptionStanding::InForce).collect();
    let documented = in_force.iter().filter(|one| !one.exception.control.description.is_empty()).count();
    if let Ok(undocumented) = administrator.undocumented(&tick(progress)) {
        let of = in_force.len() + undocumented.len();
        tallies.insert(Told::ExceptionsDocumented, tally(documented, of, now));
    }
    let relaxable = administrator.policies().relaxable().count() as u64;
    ExceptionCount { in_force: in_force.len() as u64, relaxable, at: now }
}

/// Everybody with their groups, those that their groups are in too; `everyone` where they are a person.
struct Groups<'a> {
    administrator: &'a Administrator,
    known: BTreeMap<SubjectId, BTreeSet<GroupId>>,
}

impl<'a> Groups<'a> {
    fn new(administrator: &'a Administrator) -> Self {
        Self { administrator, known: BTreeMap::new() }
    }

    fn within(&mut self, subject: &SubjectId, group: &GroupId) -> bool {
        if group.as_str() == EVERYONE && subject.kind() == SubjectKind::Human {
            return true;
        }
        let of = || self.administrator.groups_of(subject).into_iter().collect();
        self.known.entry(subject.clone()).or_insert_with(of).contains(group)
    }
}

/// The group that every person is in.
const EVERYONE: &str = "everyone";

#[cfg(test)]
mod tests;
