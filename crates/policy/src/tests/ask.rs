//! Who can: the same as deciding each pair; the weakest circumstances suffice and nothing weaker does.

use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_model::*;
use proptest::prelude::*;

use super::fixtures::*;
use crate::ask::{Asker, Of, Place, Population, Proven, SignIn, Situation, Sufficient, Terrain, Wanted, Way, each};
use crate::{PolicySet, Record, Slice, Symbols};

fn situation(sign_in: SignIn) -> Situation {
    Situation { circumstances: circumstances(), proven: Proven::By(sign_in, 0), risk: None }
}

fn no_zones(_: std::net::IpAddr) -> std::collections::BTreeSet<ZoneName> {
    std::collections::BTreeSet::new()
}

struct World {
    subjects: Vec<(Subject, Record, u8)>,
    resources: Vec<(Resource, Record)>,
}

/// Small names, so that subjects, resources and policies meet.
fn world(symbols: &Symbols, seed: &[u8]) -> World {
    let mut bytes = seed.iter().copied().cycle();
    let mut next = |below: usize| usize::from(bytes.next().unwrap_or(0)) % below;
    let group = |name: &str| GroupId::new(name).unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let people = ["human:h1", "human:h2", "human:h3"];
    let mut subjects = vec![(subject("anonymous"), Record::anonymous(symbols), 0)];
    for number in 0..14 {
        let id = match number {
            0..3 => people[number].to_owned(),
            3..7 => format!("human:p{number}"),
            7..10 => format!("service:s{number}"),
            _ => format!("agent:a{number}"),
        };
        let mut one = subject(&id);
        if number >= 7 && next(3) > 0 {
            one.owner = Some(people[next(3)].parse().unwrap());
        }
        if number >= 10 && next(3) > 0 {
            one.acts_for = Some(people[next(3)].parse().unwrap());
        }
        let groups: Vec<GroupId> = (0..next(4)).map(|_| group(names[next(5)])).collect();
        let record = Record::subject(symbols, &one, &groups);
        subjects.push((one, record, [0, 0, 55, 90][next(4)]));
    }
    let mut resources = Vec::new();
    for number in 1..6 {
        let kind = if next(4) == 0 { ResourceKind::Countersign } else { ResourceKind::Http };
        let mut one = resource(&format!("r{number}"), kind, Tier::ALL[next(4)]);
        one.segment = [None, Some("s1"), Some("s2"), Some("s3")][next(4)].map(|name| SegmentId::new(name).unwrap());
        one.owner = (next(2) == 0).then(|| people[next(3)].parse().unwrap());
        let mut groups = || (0..next(3)).map(|_| group(names[next(5)])).collect();
        one.entitled = Entitled { readers: groups(), writers: groups(), administrators: groups() };
        let record = Record::resource(symbols, &one);
        resources.push((one, record));
    }
    World { subjects, resources }
}

fn decided(
    set: &PolicySet,
    subject: &(Subject, Record, u8),
    resource: &(Resource, Record),
    question: &Question,
) -> bool {
    let slice = Slice { subject: &subject.1, resource: &resource.1 };
    matches!(set.decide(&slice, question), Decision::Allow(_))
}

fn who_can_is_brute_force(set: &PolicySet, world: &World, action: Action, situation: &Situation) {
    let askers: Vec<Asker<'_>> = world.subjects.iter().map(|(_, record, risk)| Asker { record, risk: *risk }).collect();
    let wanted: Vec<Wanted<'_>> =
        world.resources.iter().map(|(_, record)| Wanted { action, record, http: None }).collect();
    let population = Population::new(set, askers, &wanted);
    let survey = population.under(situation);
    for (at, resource) in world.resources.iter().enumerate() {
        let classes = survey.classes(at);
        let found = survey.answers(&classes);
        let spread: Vec<bool> = classes.spread(&found).copied().collect();
        assert_eq!(spread.len(), world.subjects.len());
        for (subject, found) in world.subjects.iter().zip(spread) {
            let mut circumstances = situation.circumstances.clone();
            (circumstances.http, circumstances.risk) = (None, situation.risk.unwrap_or(subject.2));
            if let Proven::By(sign_in, age) = situation.proven {
                let method = match (subject.0.id.kind(), sign_in) {
                    (SubjectKind::Anonymous, _) | (_, SignIn::None) => None,
                    (SubjectKind::Human, SignIn::Federated) => Some(AuthenticationMethod::Federated),
                    (SubjectKind::Human, SignIn::MultiFactor) => Some(AuthenticationMethod::FederatedMultiFactor),
                    (SubjectKind::Human, SignIn::PhishingResistant) => {
                        Some(AuthenticationMethod::FederatedPhishingResistant)
                    }
                    (SubjectKind::Human, SignIn::Passkey) => Some(AuthenticationMethod::Passkey),
                    (SubjectKind::Service | SubjectKind::Agent, _) => Some(AuthenticationMethod::ApiKey),
                };
                circumstances.authentication = method.map(|method| proof(method, age));
            }
            let question = Question {
                subject: subject.0.id.clone(),
                action,
                resource: resource.0.id.clone(),
                session: None,
                circumstances,
            };
            let expected = decided(set, subject, resource, &question);
            assert_eq!(found, expected, "{} {action} {}", subject.0.id, resource.0.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn who_can_equals_deciding_each_pair(
        policies in prop::collection::vec(super::properties::policy(), 1..7),
        seed in prop::collection::vec(any::<u8>(), 40..160),
        sign_in in prop::sample::select(&SignIn::ALL[..]),
        own_circumstances in prop::option::of(super::properties::known_circumstances()),
        risk in prop::option::of(0_u8..101),
        class in prop::sample::select(&ActionClass::ALL[..]),
    ) {
        let symbols = Arc::new(Symbols::default());
        let texts: Vec<&str> = policies.iter().map(String::as_str).collect();
        let set = set(&symbols, &texts);
        let situation = match own_circumstances {
            Some(circumstances) => Situation { circumstances, proven: Proven::AsStated, risk },
            None => Situation { risk, ..situation(sign_in) },
        };
        who_can_is_brute_force(&set, &world(&symbols, &seed), Action::http(class), &situation);
    }
}

#[test]
fn who_can_on_the_starter_policies_equals_deciding_each_pair() {
    let symbols = Arc::new(Symbols::default());
    let set = PolicySet::load(starter_files(), &symbols).unwrap();
    let world = world(&symbols, b"some estate");
    for sign_in in SignIn::ALL {
        for action in Action::all() {
            who_can_is_brute_force(&set, &world, action, &situation(sign_in));
        }
    }
}

#[test]
fn those_who_differ_in_nothing_that_counts_are_decided_once() {
    let symbols = Arc::new(Symbols::default());
    let set = PolicySet::load(starter_files(), &symbols).unwrap();
    let wiki = resource("wiki", ResourceKind::Http, Tier::Standard);
    let record = Record::resource(&symbols, &wiki);
    let people: Vec<Record> = (0..1000)
        .map(|number| {
            let groups =
                [format!("team{}", number % 50), if number % 2 == 0 { "readers" } else { "others" }.to_owned()];
            let groups = groups.map(|name| GroupId::new(name).unwrap());
            Record::subject(&symbols, &subject(&format!("human:p{number}")), &groups)
        })
        .collect();
    let wanted = Wanted { action: Action::http(ActionClass::Read), record: &record, http: None };
    let askers = people.iter().map(|record| Asker { record, risk: 0 }).collect();
    let population = Population::new(&set, askers, std::slice::from_ref(&wanted));
    let asked = situation(SignIn::MultiFactor);
    let survey = population.under(&asked);
    let classes = survey.classes(0);
    assert_eq!(classes.len(), 2);
    let found = survey.answers(&classes);
    assert_eq!(classes.spread(&found).filter(|allowed| **allowed).count(), 500);
}

fn weakest(policies: &[&str], change: impl Fn(&mut Case)) -> Vec<Sufficient> {
    let symbols = Arc::new(Symbols::default());
    weakest_of(&set(&symbols, policies), change)
}

fn weakest_of(set: &PolicySet, change: impl Fn(&mut Case)) -> Vec<Sufficient> {
    let mut case = Case::new("human:alice");
    change(&mut case);
    let (subject, resource) = case.records(set.symbols());
    let office = ZoneName::new("office").unwrap();
    let places = [
        (office.clone(), "10.1.0.1".parse().unwrap()),
        (ZoneName::new("loopback").unwrap(), "127.0.0.1".parse().unwrap()),
    ];
    let zones_of = |address: std::net::IpAddr| {
        let found = places.iter().filter(|(_, of)| *of == address);
        found.map(|(zone, _)| zone.clone()).collect()
    };
    let terrain = Terrain::new(set, Of::All, &situation(SignIn::None), &places, &zones_of);
    let wanted = Wanted { action: case.action, record: &resource, http: None };
    set.suffices(&Asker { record: &subject, risk: 0 }, &wanted, &terrain)
}

fn words(found: &[Sufficient]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_weakest_circumstances_of_the_starter_policies_in_words() {
    let symbols = Arc::new(Symbols::default());
    let set = PolicySet::load(starter_files(), &symbols).unwrap();
    let check = |tier: Tier, group: &str, expected: &[&str]| {
        let found = weakest_of(&set, |case| {
            case.resource.tier = tier;
            case.groups = vec![GroupId::new(group).unwrap()];
        });
        assert_eq!(words(&found), expected, "{tier}");
        assert!(found.iter().all(|one| one.way == Way::Standing && !one.exactly));
    };
    check(Tier::Public, "nobody", &["always"]);
    check(Tier::Standard, "nobody", &[]);
    check(Tier::Standard, "readers", &["with multi-factor sign-in"]);
    check(Tier::High, "readers", &["with multi-factor sign-in at most 12 h ago, on a managed, compliant device"]);
    check(
        Tier::CrownJewel,
        "readers",
        &[
            "with phishing-resistant sign-in at most 1 h ago, on a managed, compliant device that reported at most 10 min ago",
        ],
    );
}

#[test]
fn times_places_grants_and_what_is_refused_to_the_stronger() {
    let permit = |condition: &str| format!("permit (principal, action, resource) when {{ {condition} }};");
    let check = |policies: &[&str], expected: &[&str]| {
        assert_eq!(words(&weakest(policies, |_| {})), expected, "{policies:?}");
    };
    let office_hours = permit("context.time.hour >= 8 && context.time.hour < 18 && context.time.weekday <= 5");
    check(&[&office_hours], &["Monday to Friday 08:00–18:00"]);
    let office = permit("context.network.zones.contains(\"office\")");
    check(&[&office], &["from the network office"]);
    check(&[&permit("context.network.address.isInRange(ip(\"192.0.2.0/24\"))")], &["from 192.0.2.0/24"]);
    let not_from_office = "forbid (principal, action, resource) when { context.network.zones.contains(\"office\") };";
    let found = weakest(&[&permit("true"), not_from_office], |_| {});
    assert_eq!(words(&found), ["not from the network office"]);
    assert_eq!(found[0].not_from, [Place::Zone(ZoneName::new("office").unwrap())]);
    let both = permit("context has authentication || context.network.encrypted");
    check(&[&both], &["signed in through the identity provider", "over an encrypted connection"]);
    check(&[&permit("context has grant")], &["with a grant"]);
    let relaxable = "@relaxable(\"A guard.\") forbid (principal, action, resource) \
                     unless { context has \"exception\" && context[\"exception\"].relaxes.contains(\"p00001\") };";
    check(&[&permit("true"), relaxable], &["with an exception"]);
    let anonymous_only = permit("!(context has authentication)");
    check(&[&anonymous_only], &["exactly: always"]);
}

#[test]
fn a_service_is_told_of_its_key_and_nobody_cannot_sign_in() {
    let signed_in = "permit (principal, action, resource) when { context has authentication };";
    assert_eq!(words(&weakest(&[signed_in], |case| case.subject = subject("service:backup"))), ["with its key"]);
    assert!(weakest(&[signed_in], |case| case.subject = subject("anonymous")).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// What is told suffices is allowed at its own edge; where nothing is told, no circumstances of the ladder help.
    #[test]
    fn what_suffices_is_allowed(
        policies in prop::collection::vec(super::properties::policy(), 1..5),
        sign_in in prop::sample::select(&SignIn::ALL[..]),
        laptop in prop::option::of((any::<bool>(), any::<bool>())),
    ) {
        let symbols = Arc::new(Symbols::default());
        let texts: Vec<&str> = policies.iter().map(String::as_str).collect();
        let set = set(&symbols, &texts);
        let case = Case::new("human:h1");
        let (subject, resource) = case.records(&symbols);
        let asker = Asker { record: &subject, risk: 0 };
        let wanted = Wanted { action: case.action, record: &resource, http: None };
        let mut asked = situation(sign_in);
        asked.circumstances.device =
            laptop.map(|(managed, compliant)| DeviceCircumstances { id: DeviceId::new("any-device").unwrap(), ..device(managed, compliant, Some(0)) });
        let terrain = Terrain::new(&set, Of::All, &asked, &[], &no_zones);
        let found = set.suffices(&asker, &wanted, &terrain);
        if set.allows(&asker, &wanted, &asked) {
            prop_assert!(!found.is_empty(), "allowed, and no circumstances are told");
        }
    }
}

/// For every pair what deciding all its circumstances one by one comes to, with and without what forbids.
fn circumstances_are_brute_force(symbols: &Arc<Symbols>, policies: &[&str], world: &World, action: Action) {
    let set = set(symbols, policies);
    let asked = situation(SignIn::None);
    let office = ZoneName::new("office").unwrap();
    let places = [(office.clone(), "10.1.0.1".parse().unwrap())];
    let zones_of = |address: std::net::IpAddr| {
        let found = places.iter().filter(|(_, of)| *of == address);
        found.map(|(zone, _)| zone.clone()).collect()
    };
    let askers: Vec<Asker<'_>> = world.subjects.iter().map(|(_, record, risk)| Asker { record, risk: *risk }).collect();
    let get = Arc::new(HttpCircumstances { method: "GET".into(), host: "h".into(), path: "/admin/x".into() });
    let wanted: Vec<Wanted<'_>> = world
        .resources
        .iter()
        .zip(0..)
        .map(|(record, at)| Wanted { action, record: &record.1, http: (at % 2 == 0).then(|| Arc::clone(&get)) })
        .collect();
    let population = Population::new(&set, askers.clone(), &wanted);
    let terrain = Terrain::new(&set, Of::All, &asked, &places, &zones_of);
    let survey = population.sufficient(&terrain);
    let permits: Vec<&str> = policies.iter().copied().filter(|policy| policy.starts_with("permit")).collect();
    let permits = (!permits.is_empty()).then(|| super::fixtures::set(symbols, &permits));
    let permitting = Terrain::new(&set, Of::Permits, &asked, &places, &zones_of);
    let ways = population.permitted(&permitting);
    for (at, wanted) in wanted.iter().enumerate() {
        let (classes, open) = (survey.classes(at), ways.classes(at));
        let (found, ways) = (survey.answers(&classes), ways.answers(&open));
        let found: Vec<_> = classes.spread(&found).zip(open.spread(&ways)).collect();
        assert_eq!(found.len(), askers.len());
        // Deciding all circumstances takes its time: of the pairs, every fourth.
        for (asker, (found, way)) in askers.iter().zip(found).skip(at % 4).step_by(4) {
            assert_eq!(found.to_vec(), set.suffices(asker, wanted, &terrain), "{policies:?}");
            let expected = permits.as_ref().and_then(|set| set.suffices(asker, wanted, &permitting).first().cloned());
            assert_eq!(*way, expected.map(|first| first.way), "{policies:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn the_circumstances_of_everybody_equal_those_of_each_pair(
        policies in prop::collection::vec(super::properties::policy(), 1..5),
        seed in prop::collection::vec(any::<u8>(), 40..160),
        class in prop::sample::select(&ActionClass::ALL[..]),
    ) {
        let symbols = Arc::new(Symbols::default());
        let texts: Vec<&str> = policies.iter().map(String::as_str).collect();
        circumstances_are_brute_force(&symbols, &texts, &world(&symbols, &seed), Action::http(class));
    }
}

/// What remains of a policy at one resource must not be taken for what remains at another where the same words mean
/// something else.
#[test]
fn what_is_left_at_one_resource_is_not_taken_for_another() {
    let symbols = Arc::new(Symbols::default());
    let readers = "(if context.risk > 50 then resource.readers else resource.writers)";
    let owner = "(if context.risk > 50 then Human::\"h1\" else resource.owner)";
    for condition in [
        format!("{readers}.contains(Group::\"a\")"),
        format!("principal in {readers}"),
        format!("resource has owner && {owner} == principal"),
        "context has http && (if context.risk > 50 then context.http.method else context.http.path) like \"/*\""
            .to_owned(),
        "context has grant && context.grant.class == \"read\" && principal in resource.writers".to_owned(),
    ] {
        let policy = format!("permit (principal, action, resource) when {{ {condition} }};");
        let world = world(&symbols, b"an estate of some size");
        circumstances_are_brute_force(&symbols, &[&policy], &world, Action::http(ActionClass::Read));
    }
}

#[test]
fn work_is_done_in_order_and_ends_when_told_to() {
    let all = each(100, &|_| ControlFlow::Continue(()), |at| at * 2);
    assert_eq!(all, Some((0..100).map(|at| at * 2).collect()));
    assert_eq!(
        each(100, &|done| if done > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }, |at| at),
        None
    );
    assert_eq!(each(0, &|_| ControlFlow::Continue(()), |at| at), Some(Vec::new()));
}
