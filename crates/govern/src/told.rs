//! What a running Countersign knows that no export tells, counted for the gap map. What is not counted here stays unknown there.

use std::collections::BTreeMap;

use countersign_administrator::{Administrator, Page, PolicySet};
use countersign_assess::{Own, Tally, Told};
use countersign_model::{DeviceState, GroupId, ProofResult, ResourceKind, SubjectId, Tier, Timestamp};

/// How many devices are taken at a time.
const AT_ONCE: usize = 10_000;

/// Looks at everything: not for the path of a request.
pub(crate) fn told(administrator: &Administrator, now: Timestamp) -> Own {
    let mut tallies = BTreeMap::new();
    resources(administrator, now, &mut tallies);
    devices(administrator, now, &mut tallies);
    policies(administrator, &administrator.policies(), now, &mut tallies);
    Own { tallies, ..Own::default() }
}

/// Counted now, and everything is known of each.
fn tally(good: usize, of: usize, now: Timestamp) -> Tally {
    Tally { good: good as u64, known: of as u64, of: of as u64, oldest: now, newest: now }
}

fn resources(administrator: &Administrator, now: Timestamp, tallies: &mut BTreeMap<Told, Tally>) {
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

fn devices(administrator: &Administrator, now: Timestamp, tallies: &mut BTreeMap<Told, Tally>) {
    let (mut compliant, mut active) = (0, 0);
    let mut page = Page { after: None, limit: AT_ONCE };
    loop {
        let devices = administrator.devices(&page, None);
        for device in devices.iter().filter(|device| device.state == DeviceState::Active) {
            active += 1;
            compliant += usize::from(administrator.assess(&device.id).is_some_and(|found| found.compliant()));
        }
        page.after = devices.last().map(|last| last.id.to_string());
        if devices.len() < AT_ONCE {
            break;
        }
    }
    tallies.insert(Told::DevicesCompliant, tally(compliant, active, now));
}

fn policies(administrator: &Administrator, set: &PolicySet, now: Timestamp, tallies: &mut BTreeMap<Told, Tally>) {
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
