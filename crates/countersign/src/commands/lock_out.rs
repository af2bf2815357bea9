//! Whether configuration and policies, as files, would leave anybody who administers Countersign. It warns and refuses
//! nothing: only the server knows who is an owner by other ways, and `break-in` gets one back in.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use countersign_administrator::{LOCAL_OPERATOR, OWNERS};
use countersign_model::{
    Authentication, AuthenticationMethod, Circumstances, Decision, DeviceCircumstances, DeviceId, Entitled, GroupId,
    NetworkCircumstances, Question, Resource, ResourceId, ResourceKind, Source, Subject, SubjectId, SubjectKind,
    SubjectState, Tier, TimeCircumstances, Timestamp, Upstream, ZoneName,
};
use countersign_policy::{PolicySet, Record, Slice, Symbols};

use crate::configuration::{Configuration, Inventory};

/// Wednesday, 2026-01-07, at noon: policies about office hours are no mistake.
const WORKING_HOUR: i64 = 1_767_787_200;

/// What deserves a word before it is put into force.
pub(crate) fn warnings(
    configuration: &Configuration,
    policies: Option<(&PolicySet, &Arc<Symbols>)>,
) -> anyhow::Result<Vec<String>> {
    let mut warnings: Vec<String> = nobody_owns(&configuration.inventory).into_iter().collect();
    if let Some((set, symbols)) = policies {
        warnings.extend(policies_shut_out(set, symbols, &configuration.zones.keys().cloned().collect())?);
    }
    Ok(warnings)
}

/// A file that names people and no owner among them is worth a word: whoever applies it may expect to be one.
fn nobody_owns(inventory: &Inventory) -> Option<String> {
    let owns = |subject: &Subject| {
        let able = subject.id.kind() == SubjectKind::Human && subject.state == SubjectState::Active;
        able && closed(&subject.groups, inventory).iter().any(|group| group.as_str() == OWNERS)
    };
    let people = inventory.subjects.iter().any(|subject| subject.id.kind() == SubjectKind::Human);
    (people && !inventory.subjects.iter().any(owns)).then(|| {
        "no active human of this file is in the group owners: whoever administers Countersign has to be there from \
         elsewhere (the first invitation, or `countersign break-in`)"
            .to_owned()
    })
}

/// The groups, and whatever they are inside of.
fn closed(groups: &[GroupId], inventory: &Inventory) -> BTreeSet<GroupId> {
    let mut seen = BTreeSet::new();
    let mut open = groups.to_vec();
    while let Some(group) = open.pop() {
        let known = inventory.groups.iter().filter(|known| known.id == group);
        open.extend(known.flat_map(|known| &known.member_of).filter(|parent| !seen.contains(*parent)).cloned());
        seen.insert(group);
    }
    seen
}

/// Asks the policies themselves: an owner with a fresh passkey, at this machine or on a healthy managed device from a
/// named network; and the command line on this machine.
fn policies_shut_out(
    set: &PolicySet,
    symbols: &Arc<Symbols>,
    zones: &BTreeSet<ZoneName>,
) -> anyhow::Result<Vec<String>> {
    let loopback = ZoneName::new("loopback")?;
    let here = BTreeSet::from([loopback.clone()]);
    let mut named = zones.clone();
    named.insert(loopback);
    let owner = SubjectId::human("owner")?;
    let passkey = AuthenticationMethod::Passkey;
    let ways_in = [circumstances(passkey, &here, false)?, circumstances(passkey, &named, true)?];
    let command_line = [circumstances(AuthenticationMethod::LocalOperator, &here, false)?];
    let mut warnings = Vec::new();
    for (who, subject, resource, ways) in [
        (
            "an owner who has just used a passkey would be refused the console",
            owner,
            "countersign-console",
            &ways_in[..],
        ),
        (
            "the command line on the server's machine would be refused the API",
            SubjectId::service(LOCAL_OPERATOR)?,
            "countersign-api",
            &command_line[..],
        ),
    ] {
        let mut refused = Vec::new();
        for way in ways {
            if let Decision::Deny(denial) = ask(set, symbols, &subject, resource, way)? {
                let by: Vec<&str> = denial.reasons.determining.iter().map(|policy| policy.id.as_str()).collect();
                let by =
                    if by.is_empty() { "no policy permits it".to_owned() } else { format!("by {}", by.join(", ")) };
                refused.push(by);
            }
        }
        if refused.len() == ways.len() {
            refused.dedup();
            warnings.push(format!(
                "under these policies {who} ({}): nobody could administer Countersign that way any more",
                refused.join("; ")
            ));
        }
    }
    Ok(warnings)
}

fn ask(
    set: &PolicySet,
    symbols: &Arc<Symbols>,
    subject: &SubjectId,
    resource: &str,
    circumstances: &Circumstances,
) -> anyhow::Result<Decision> {
    let groups = [GroupId::new(OWNERS)?];
    let who = Subject {
        id: subject.clone(),
        display_name: subject.name().to_owned(),
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: groups.to_vec(),
        source: Source::Countersign,
        created: Timestamp::default(),
        last_used: None,
    };
    let what = Resource {
        id: ResourceId::new(resource)?,
        display_name: resource.to_owned(),
        kind: ResourceKind::Countersign,
        tier: Tier::High,
        segment: None,
        owner: None,
        source: Source::Countersign,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: resource.to_owned() },
        rules: Vec::new(),
        entitled: Entitled::default(),
        observe_until: None,
    };
    let question = Question {
        subject: subject.clone(),
        action: "http:administer".parse()?,
        resource: what.id.clone(),
        session: None,
        circumstances: circumstances.clone(),
    };
    let (who, what) = (Record::subject(symbols, &who, &groups), Record::resource(symbols, &what));
    Ok(set.decide(&Slice { subject: &who, resource: &what }, &question))
}

fn circumstances(
    method: AuthenticationMethod,
    zones: &BTreeSet<ZoneName>,
    device: bool,
) -> anyhow::Result<Circumstances> {
    let now = Timestamp::from_seconds(WORKING_HOUR);
    let healthy = |id| DeviceCircumstances {
        id,
        managed: true,
        compliant: true,
        findings: std::collections::BTreeMap::new(),
        posture_age: Some(0),
    };
    Ok(Circumstances {
        authentication: Some(Authentication { methods: BTreeSet::from([method]), at: now, age: 0 }),
        device: device.then(|| DeviceId::new("laptop").map(healthy)).transpose()?,
        network: NetworkCircumstances {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            zones: zones.clone(),
            encrypted: true,
        },
        time: TimeCircumstances { now, hour: 12, weekday: 3, zone: "UTC".into() },
        risk: 0,
        grant: None,
        exception: None,
        http: None,
    })
}
