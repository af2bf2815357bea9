//! Proofs against every request of a small world, decided by the policy engine one by one. A claim that is proven holds for
//! each; and where one of them breaks a claim, it is not proven. The world is smaller than what a proof is about, so a
//! claim that fails may hold in it: then the proof's own example is outside of it, and is decided by the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use countersign_model::{
    Action, Authentication, AuthenticationMethod, Circumstances, DeviceCircumstances, DeviceId, Entitled, GroupId,
    NetworkCircumstances, Resource, ResourceId, ResourceKind, Source, Subject, SubjectId, SubjectState, Tier,
    TimeCircumstances, Timestamp, Upstream,
};
use countersign_policy::{Claim, Effect, Guardrail, PolicySet, Trial};

use super::fixtures::{options, set, solver};
use crate::{Cache, Options, Verdict, prove};

fn subject(id: SubjectId, groups: &[&str]) -> Subject {
    Subject {
        display_name: id.to_string(),
        id,
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: groups.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
        source: Source::Configuration,
        created: Timestamp::default(),
        last_used: None,
    }
}

fn resource(tier: Tier, writers: &[&str]) -> Resource {
    Resource {
        id: ResourceId::new("r").unwrap(),
        display_name: "r".to_owned(),
        kind: ResourceKind::Http,
        tier,
        segment: None,
        owner: None,
        source: Source::Configuration,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: String::new() },
        rules: Vec::new(),
        entitled: Entitled {
            writers: writers.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
            ..Entitled::default()
        },
        observe_until: None,
    }
}

/// Every request of the world.
fn world() -> Vec<Trial> {
    let subjects = [
        subject(SubjectId::human("a").unwrap(), &[]),
        subject(SubjectId::human("b").unwrap(), &["staff"]),
        subject(SubjectId::service("s").unwrap(), &["staff"]),
        subject(SubjectId::anonymous(), &[]),
    ];
    let mut resources = Vec::new();
    // No policy here tells the others apart.
    for tier in [Tier::Public, Tier::Standard, Tier::CrownJewel] {
        resources.extend([resource(tier, &[]), resource(tier, &["staff"])]);
    }
    let methods = [None, Some(AuthenticationMethod::Federated), Some(AuthenticationMethod::Passkey)];
    let device = |compliant| DeviceCircumstances {
        id: DeviceId::new("d").unwrap(),
        managed: true,
        compliant,
        findings: BTreeMap::new(),
        posture_age: None,
    };
    let mut all = Vec::new();
    for subject in &subjects {
        for resource in &resources {
            for action in Action::all() {
                for method in methods {
                    for device in [None, Some(device(false)), Some(device(true))] {
                        for (risk, hour) in [(0, 12), (70, 12), (100, 3)] {
                            all.push(Trial {
                                subject: subject.clone(),
                                groups: subject.groups.clone(),
                                resource: resource.clone(),
                                action,
                                circumstances: Circumstances {
                                    authentication: method.map(|method| Authentication {
                                        methods: BTreeSet::from([method]),
                                        at: Timestamp::default(),
                                        age: 60,
                                    }),
                                    device: device.clone(),
                                    network: NetworkCircumstances {
                                        address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
                                        zones: BTreeSet::new(),
                                        encrypted: true,
                                    },
                                    time: TimeCircumstances {
                                        now: Timestamp::default(),
                                        hour,
                                        weekday: 3,
                                        zone: "UTC".into(),
                                    },
                                    risk,
                                    grant: None,
                                    exception: None,
                                    http: None,
                                },
                            });
                        }
                    }
                }
            }
        }
    }
    all
}

const PERMITS: [&str; 4] = [
    "permit (principal, action in Action::\"read\", resource) when { resource.tier == \"public\" };",
    "permit (principal, action, resource) when { principal in resource.writers };",
    "permit (principal is Human, action, resource) when { context.risk < 50 };",
    "permit (principal, action, resource) when { context has authentication };",
];

const FORBIDS: [&str; 5] = [
    "forbid (principal, action, resource) when { context.risk >= 70 && resource.tier != \"public\" };",
    "forbid (principal is Human, action, resource) when { resource.tier == \"crown-jewel\" }
        unless { context has authentication && context.authentication.phishing_resistant };",
    "forbid (principal, action in [Action::\"write\", Action::\"administer\"], resource)
        unless { context has device && context.device.compliant };",
    "forbid (principal is Service, action in Action::\"administer\", resource);",
    "forbid (principal, action, resource) when { context.time.hour < 6 } unless { principal in Group::\"staff\" };",
];

const GUARDRAILS: [&str; 7] = [
    "forbid (principal, action, resource) when { resource.tier == \"crown-jewel\" }
        unless { context has authentication && context.authentication.phishing_resistant };",
    "forbid (principal is Service, action in Action::\"administer\", resource);",
    "forbid (principal is Anonymous, action, resource) unless { resource.tier == \"public\" };",
    "forbid (principal, action in Action::\"write\", resource) when { context.risk >= 70 };",
    "forbid (principal is Human, action, resource) when { context.time.hour < 6 && !(principal in Group::\"staff\") };",
    "permit (principal, action in Action::\"read\", resource) when { resource.tier == \"public\" };",
    "permit (principal is Human in Group::\"staff\", action in Action::\"read\", resource)
        when { context.risk < 50 && principal in resource.writers && context.time.hour >= 6
            && context has authentication && context.authentication.phishing_resistant };",
];

fn describes(set: &PolicySet, guardrail: &Guardrail, trial: &Trial) -> bool {
    trial.is_described(set, guardrail) == Some(true)
}

/// Whether a guardrail holds for a request that it describes.
fn holds(set: &PolicySet, guardrail: &Guardrail, trial: &Trial) -> bool {
    let allowed = Effect::of(&trial.decide(set).expect("plan and reference agree")) == Effect::Allow;
    match guardrail.claim {
        Claim::NeverAllowed => !allowed,
        Claim::AlwaysAllowed => allowed,
        _ => true,
    }
}

#[test]
fn proofs_are_what_the_engine_decides_on_every_request() {
    let directory = tempfile::tempdir().unwrap();
    // What is asked of a guardrail alone is asked once, and not of each set.
    let options = Options { cache: Some(Cache::open(&directory.path().join("proofs")).unwrap()), ..options() };
    let world = world();
    let (mut proven, mut failed, mut failed_here) = (0, 0, 0);
    let mut described: Option<Vec<Vec<&Trial>>> = None;
    // A few sets that cover each pair of a permit and a forbid, bounded and the same in every run.
    let choose = |all: &[&'static str], bits: usize| -> Vec<&'static str> {
        all.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, text)| *text).collect()
    };
    // Asked about as a whole, and one policy at a time.
    for (permits, forbids, together) in [(15, 31, 20), (6, 21, 20), (9, 2, 20), (15, 31, 0), (6, 21, 0), (10, 16, 0)] {
        let policies = [choose(&PERMITS, permits), choose(&FORBIDS, forbids)].concat();
        let set = set(&policies, &GUARDRAILS);
        // Those of this test: that no policy fails, which is every set's first, has tests of its own.
        let guardrails = &set.guardrails()[1..];
        let options = Options { together, ..options.clone() };
        let report = prove(&set, guardrails, &BTreeMap::new(), &solver(), &options, &|_| {});
        // What a guardrail describes does not depend on the policies, and of other requests it says nothing.
        let described = described.get_or_insert_with(|| {
            let of = |guardrail| world.iter().filter(|trial| describes(&set, guardrail, trial)).collect();
            guardrails.iter().map(of).collect()
        });
        for ((guardrail, outcome), described) in guardrails.iter().zip(&report.outcomes).zip(described) {
            let id = &guardrail.id;
            assert!(!described.is_empty(), "{id}");
            let here = described.iter().all(|trial| holds(&set, guardrail, trial));
            match &outcome.verdict {
                Verdict::Proven => {
                    proven += 1;
                    assert!(here, "{id} is proven over {policies:?}, and a request breaks it");
                }
                Verdict::Failed(example) => {
                    failed += 1;
                    failed_here += usize::from(!here);
                    let trial = &example.trial;
                    assert!(describes(&set, guardrail, trial) && !holds(&set, guardrail, trial), "{id}: {trial:?}");
                }
                other => panic!("{id} over {policies:?}: {other:?}"),
            }
        }
    }
    assert!(
        proven > 5 && failed > 5 && failed_here > 3,
        "{proven} proven, {failed} failed, {failed_here} of them here"
    );
}
