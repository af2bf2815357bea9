//! What is proposed: exactly what was used again, never more than was allowed, in the words of the golden file; and what
//! is left alone, said and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_ledger::{Asked, DecisionEntry, EntryBody, Point, ShownPair, shown_id};
use countersign_model::*;
use countersign_policy::{Effect, PolicySet, Record, Slice, SourceFile, Symbols, lint};
use proptest::prelude::*;

use super::cover::{Members, User, cover};
use super::*;
use crate::tests::{Log, NOW, circumstances, policies};

const POLICY: &str = r#"@id("readers")
@owner("security")
@review_by("2030-01-01")
permit (
    principal,
    action in Action::"read",
    resource
)
when { principal in resource.readers };

@id("writers")
@owner("security")
@review_by("2030-01-01")
permit (
    principal,
    action in Action::"access",
    resource
)
when { principal in resource.writers };

@id("public")
@owner("security")
@review_by("2030-01-01")
permit (
    principal,
    action in Action::"read",
    resource
)
when { resource.tier == "public" };

@id("break-glass")
@owner("security")
@review_by("2030-01-01")
permit (
    principal,
    action,
    resource
)
when { context.risk == 77 };

@id("multi-factor")
@owner("security")
@review_by("2030-01-01")
@remedy("Sign in.")
forbid (principal is Human, action, resource)
when { resource.tier != "public" }
unless { context has authentication && context.authentication.multi_factor };
"#;

/// A ledger in the making, under [`POLICY`].
struct Scene {
    set: PolicySet,
    log: Log,
    number: u128,
    resources: BTreeMap<String, ShownResource>,
}

fn group(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

fn groups(names: &[&str]) -> Vec<GroupId> {
    let mut groups: Vec<GroupId> = names.iter().map(|name| group(name)).collect();
    groups.sort();
    groups
}

fn subject(id: &str, groups: &[&str]) -> ShownSubject {
    ShownSubject { id: id.parse().unwrap(), owner: None, acts_for: None, groups: self::groups(groups) }
}

/// A passkey on a managed device.
fn good() -> Circumstances {
    Circumstances {
        authentication: Some(Authentication {
            methods: Methods::from([AuthenticationMethod::Passkey]),
            at: NOW,
            age: 0,
        }),
        device: Some(DeviceCircumstances {
            id: DeviceId::new("laptop").unwrap(),
            managed: true,
            compliant: true,
            findings: BTreeMap::new(),
            posture_age: Some(5),
        }),
        ..circumstances(0)
    }
}

impl Scene {
    fn new() -> Self {
        Self::under(POLICY)
    }

    fn under(text: &str) -> Self {
        Self { set: policies(text), log: Log::default(), number: 0, resources: BTreeMap::new() }
    }

    fn resource(&mut self, id: &str, readers: &[&str], writers: &[&str]) -> &mut ShownResource {
        let shown = ShownResource {
            id: ResourceId::new(id).unwrap(),
            kind: ResourceKind::Http,
            tier: Tier::Standard,
            segment: None,
            owner: None,
            entitled: Entitled { readers: groups(readers), writers: groups(writers), ..Entitled::default() },
            observe_until: None,
        };
        self.resources.entry(id.to_owned()).or_insert(shown)
    }

    fn shown(&mut self, shown: Shown) -> ShownId {
        self.log.put(EntryBody::Shown(Box::new(shown.clone())));
        shown_id(&shown).unwrap()
    }

    fn asks(&mut self, who: &ShownSubject, class: ActionClass, resource: &str, circumstances: Circumstances) -> Effect {
        self.decides(who, class, resource, circumstances, None)
    }

    fn decides(
        &mut self,
        who: &ShownSubject,
        class: ActionClass,
        resource: &str,
        circumstances: Circumstances,
        supersedes: Option<DecisionId>,
    ) -> Effect {
        let place = self.resources[resource].clone();
        let question = Question {
            subject: who.id.clone(),
            action: Action::http(class),
            resource: place.id.clone(),
            session: None,
            circumstances,
        };
        let shown = [Shown::Subject(who.clone()), Shown::Resource(place)];
        let records = shown.clone().map(|shown| Record::of(self.set.symbols(), &shown));
        let judged = self.set.judge(&Slice { subject: &records[0], resource: &records[1] }, &question);
        let [subject, resource] = shown.map(|shown| self.shown(shown));
        self.number += 1;
        let effect = Effect::of(&judged.decision);
        let entry = DecisionEntry {
            id: DecisionId::timed(NOW, self.number << 48),
            question: Asked::from(question),
            decision: judged.decision,
            point: Point { node: "a".to_owned(), channel: "http/1.1".to_owned(), caller: None },
            policy_set: self.set.hash().to_owned(),
            generation: 1,
            credential_kind: "session-cookie".to_owned(),
            lease: None,
            supersedes,
            shown: Some(ShownPair { subject, resource }),
            observed: judged.observed.map(Box::new),
        };
        self.log.put(EntryBody::Decision(Box::new(entry)));
        effect
    }

    fn suggest(&self, terms: &Terms) -> Suggestion {
        suggest(&self.log, &files(POLICY), terms, |_, _| ControlFlow::Continue(())).unwrap()
    }
}

fn files(text: &str) -> Vec<SourceFile> {
    vec![SourceFile { path: PathBuf::from("policies/own.cedar"), text: text.to_owned() }]
}

fn terms() -> Terms {
    Terms {
        since: None,
        resources: BTreeSet::new(),
        excess: 50,
        rare: 3,
        circumstances: BTreeSet::from([Circumstance::SignIn, Circumstance::Device, Circumstance::Network]),
        leave_out: BTreeSet::new(),
        members: None,
        owner: "security".to_owned(),
        review_by: NOW.plus(Duration::from_secs(90 * 86_400)),
        observe: false,
        as_of: NOW,
        threads: 2,
    }
}

/// The proposed set.
fn proposed(suggestion: &Suggestion, base: &str) -> PolicySet {
    let written = suggestion.written.as_ref();
    let more = written.map(|file| SourceFile { path: PathBuf::from(&file.name), text: file.text.clone() });
    let all = files(base).into_iter().chain(more).collect();
    PolicySet::load(all, &Arc::new(Symbols::default())).unwrap_or_else(|problems| panic!("{problems}"))
}

fn decide(
    set: &PolicySet,
    who: &ShownSubject,
    class: ActionClass,
    place: &ShownResource,
    with: &Circumstances,
) -> Effect {
    let [subject, resource] =
        [Shown::Subject(who.clone()), Shown::Resource(place.clone())].map(|shown| Record::of(set.symbols(), &shown));
    set.effect(&Slice { subject: &subject, resource: &resource }, Action::http(class), None, with)
}

/// Two of three in payroll read it, one wrote; a contractor reads by name; a programme comes by its key.
fn office() -> Scene {
    let mut scene = Scene::new();
    scene.resource("payroll", &["staff", "machines"], &["hr"]);
    scene.resource("wiki", &["staff"], &[]);
    let alice = subject("human:alice", &["everyone", "hr", "staff"]);
    let bob = subject("human:bob", &["everyone", "hr", "staff"]);
    let carol = subject("human:carol", &["everyone", "hr", "staff"]);
    let dave = subject("human:dave", &["everyone", "staff"]);
    let others =
        ["erin", "frank", "grace", "heidi"].map(|name| subject(&format!("human:{name}"), &["everyone", "staff"]));
    let backup = subject("service:backup", &["machines"]);
    for _ in 0..2 {
        for who in [&alice, &bob, &dave] {
            assert_eq!(scene.asks(who, ActionClass::Read, "payroll", good()), Effect::Allow);
        }
    }
    scene.asks(&alice, ActionClass::Write, "payroll", good());
    let mut unmanaged = good();
    unmanaged.device = None;
    for who in [&carol, &alice].into_iter().chain(&others) {
        assert_eq!(scene.asks(who, ActionClass::Read, "wiki", unmanaged.clone()), Effect::Allow);
    }
    let mut key = circumstances(0);
    key.authentication =
        Some(Authentication { methods: Methods::from([AuthenticationMethod::ApiKey]), at: NOW, age: 9 });
    assert_eq!(scene.asks(&backup, ActionClass::Read, "payroll", key), Effect::Allow);
    scene
}

#[test]
fn the_words_of_a_proposal() {
    let suggestion = office().suggest(&terms());
    let written = suggestion.written.as_ref().unwrap();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/suggest/golden.cedar");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &written.text).unwrap();
    }
    assert_eq!(written.text, std::fs::read_to_string(golden).unwrap());
    assert_eq!(written.findings, [""; 0]);
    assert!(suggestion.check.holds());
    let formatted = countersign_policy::format(std::path::Path::new("x"), &written.text).unwrap();
    assert_eq!(formatted, written.text);
    let payroll = &suggestion.resources[0];
    assert_eq!(payroll.entitled.readers, groups(&["hr", "machines"]));
    let taken: Vec<_> = payroll.taken.iter().flatten().map(|it| (it.class, it.subjects)).collect();
    // Four of staff never came; two of hr never wrote; nobody of hr administered or connected.
    let expected =
        [(ActionClass::Read, 4), (ActionClass::Write, 2), (ActionClass::Administer, 3), (ActionClass::Connect, 3)];
    assert_eq!(taken, expected);
    assert_eq!(payroll.unused, [ActionClass::Administer, ActionClass::Connect]);
    let write = payroll.used.iter().find(|used| used.class == ActionClass::Write).unwrap();
    assert_eq!((write.rare, write.subjects), (Some(Rare::ByOne), 1));
    // Of three in hr one wrote: too many others, so by name.
    assert_eq!(write.cover.people, ["human:alice".parse().unwrap()]);
    let unused: Vec<_> =
        suggestion.unused_groups.iter().map(|it| (it.right, it.group.as_str(), it.members, it.used)).collect();
    assert!(unused.contains(&(Right::Writers, "hr", 3, 1)), "{unused:?}");
    assert_eq!(suggestion.unused_permits, [PolicyId::new("public").unwrap()]);
}

#[test]
fn a_stranger_is_still_asked_to_sign_in() {
    let scene = office();
    let set = proposed(&scene.suggest(&terms()), POLICY);
    let anonymous = ShownSubject { groups: Vec::new(), ..subject("anonymous", &[]) };
    let unknown = Circumstances { authentication: None, ..good() };
    for class in [ActionClass::Read, ActionClass::Write] {
        let effect = decide(&set, &anonymous, class, &scene.resources["payroll"], &unknown);
        assert_eq!(effect, Effect::Challenge, "{class:?}");
    }
    let effect = decide(&set, &anonymous, ActionClass::Administer, &scene.resources["payroll"], &unknown);
    assert_eq!(effect, Effect::Deny);
}

#[test]
fn nobody_loses_what_a_stranger_does() {
    let mut scene = office();
    scene.resource("leaflet", &[], &[]).tier = Tier::Public;
    let anonymous = ShownSubject { groups: Vec::new(), ..subject("anonymous", &[]) };
    let alice = subject("human:alice", &["everyone", "staff"]);
    assert_eq!(scene.asks(&anonymous, ActionClass::Read, "leaflet", circumstances(0)), Effect::Allow);
    // Whether somebody known came too, or not.
    let alone = proposed(&scene.suggest(&terms()), POLICY);
    assert_eq!(
        decide(&alone, &alice, ActionClass::Read, &scene.resources["leaflet"], &circumstances(0)),
        Effect::Allow
    );
    assert_eq!(scene.asks(&alice, ActionClass::Read, "leaflet", good()), Effect::Allow);
    let set = proposed(&scene.suggest(&terms()), POLICY);
    for who in [&anonymous, &alice, &subject("human:zoe", &["everyone"])] {
        assert_eq!(decide(&set, who, ActionClass::Read, &scene.resources["leaflet"], &circumstances(0)), Effect::Allow);
    }
}

#[test]
fn emergencies_are_left_out_and_stay_possible() {
    let mut scene = office();
    scene.resource("break glass door", &["staff"], &[]);
    let dave = subject("human:dave", &["everyone", "staff"]);
    let fire = subject("human:fire", &["Break_Glass", "everyone", "staff"]);
    let emergency = Circumstances { risk: 77, ..good() };
    assert_eq!(scene.asks(&dave, ActionClass::Administer, "payroll", emergency.clone()), Effect::Allow);
    assert_eq!(scene.asks(&dave, ActionClass::Read, "break glass door", good()), Effect::Allow);
    assert_eq!(scene.asks(&fire, ActionClass::Read, "wiki", good()), Effect::Allow);
    let suggestion = scene.suggest(&terms());
    assert_eq!(suggestion.counted.left_out, 3);
    assert!(suggestion.check.holds());
    assert!(suggestion.resources.iter().all(|at| at.resource.as_str() != "break glass door"));
    let set = proposed(&suggestion, POLICY);
    let stranger = subject("human:mallory", &["everyone"]);
    assert_eq!(decide(&set, &stranger, ActionClass::Write, &scene.resources["wiki"], &emergency), Effect::Allow);
    assert_eq!(decide(&set, &fire, ActionClass::Read, &scene.resources["payroll"], &good()), Effect::Allow);
    let more = Terms { leave_out: BTreeSet::from(["payroll".to_owned()]), ..terms() };
    assert!(scene.suggest(&more).resources.iter().all(|at| at.resource.as_str() == "wiki"));
}

#[test]
fn what_says_nothing_is_counted_and_not_guessed() {
    let mut scene = office();
    let alice = subject("human:alice", &["everyone", "hr", "staff"]);
    let first = DecisionId::timed(NOW, 1 << 48);
    scene.decides(&alice, ActionClass::Read, "payroll", good(), Some(first));
    // Without facts.
    let last = scene.log.entries.last().unwrap().clone();
    let mut entry = countersign_ledger::Entry::decode(&last).unwrap().body.into_decision().unwrap();
    entry.shown = None;
    scene.log.put(EntryBody::Decision(entry));
    // Of Countersign itself.
    scene.resource("console", &["staff"], &[]).kind = ResourceKind::Countersign;
    scene.asks(&alice, ActionClass::Read, "console", good());
    let suggestion = scene.suggest(&terms());
    let counted = &suggestion.counted;
    assert_eq!((counted.unknown, counted.again, counted.own), (1, 1, 1));
    assert_eq!(counted.uses + counted.again + counted.unknown, counted.decisions);
    assert!(suggestion.resources.iter().all(|at| at.resource.as_str() != "console"));
    assert!(suggestion.check.holds());
}

#[test]
fn a_ledger_that_is_too_young_takes_nothing_away() {
    let scene = office();
    let young = scene.suggest(&Terms { since: Some(NOW.minus(Duration::from_secs(86_400))), ..terms() });
    assert!(young.window.short && young.written.is_none() && !young.resources.is_empty());
    assert_eq!(young.current, young.proposed);
    let old = scene.suggest(&Terms { since: Some(NOW.plus(Duration::from_secs(60))), ..terms() });
    assert!(!old.window.short && old.written.is_some());
}

#[test]
fn policies_that_have_changed_since_refuse_what_they_refuse() {
    let scene = office();
    let without = POLICY.replace("principal in resource.writers", "false && principal in resource.writers");
    let suggestion = suggest(&scene.log, &files(&without), &terms(), |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(suggestion.counted.refused_now, 1);
    assert_eq!(suggestion.refused_now[0].subjects, ["human:alice".parse().unwrap()]);
    assert_eq!(suggestion.check.lost, 0);
    assert_eq!(suggestion.check.replay.newly_denied.all.count, 1);
}

#[test]
fn proposing_again_keeps_what_was_proposed() {
    let scene = office();
    let first = scene.suggest(&terms()).written.unwrap();
    let base: Vec<SourceFile> = files(POLICY)
        .into_iter()
        .chain([SourceFile { path: PathBuf::from(format!("policies/{}", first.name)), text: first.text }])
        .collect();
    let again = suggest(&scene.log, &base, &terms(), |_, _| ControlFlow::Continue(())).unwrap();
    assert!(again.check.holds());
    // What would say the same a second time is not said.
    assert_eq!(again.written.map(|file| (file.name, file.policies)), None);
}

#[test]
fn what_observe_mode_let_through_is_permitted_and_no_more() {
    let mut scene = Scene::new();
    scene.resource("board", &["staff"], &[]).observe_until = Some(NOW.plus(Duration::from_secs(86_400)));
    let staff = subject("human:alice", &["everyone", "staff"]);
    let guests = ["gina", "gus"].map(|name| subject(&format!("human:{name}"), &["everyone", "guests"]));
    let anonymous = ShownSubject { groups: Vec::new(), ..subject("anonymous", &[]) };
    let weak = Circumstances { authentication: None, ..good() };
    scene.asks(&staff, ActionClass::Read, "board", good());
    for guest in &guests {
        assert_eq!(scene.asks(guest, ActionClass::Read, "board", good()), Effect::Allow);
        assert_eq!(scene.asks(guest, ActionClass::Write, "board", good()), Effect::Allow);
    }
    let suggestion = scene.suggest(&terms());
    assert_eq!(suggestion.counted.let_through, 4);
    assert_eq!((suggestion.check.enforced.allowed, suggestion.check.enforced.denied), (4, 0));
    assert!(suggestion.check.holds());
    let set = proposed(&suggestion, POLICY);
    let board = ShownResource { observe_until: None, ..scene.resources["board"].clone() };
    let guest = subject("human:new", &["everyone", "guests"]);
    for (class, effect) in [
        (ActionClass::Read, Effect::Allow),
        (ActionClass::Write, Effect::Allow),
        (ActionClass::Administer, Effect::Deny),
    ] {
        assert_eq!(decide(&set, &guest, class, &board, &good()), effect, "{class:?}");
    }
    assert_ne!(decide(&set, &guest, ActionClass::Read, &board, &weak), Effect::Allow);
    assert_eq!(decide(&set, &subject("human:x", &["everyone"]), ActionClass::Read, &board, &good()), Effect::Deny);
    // What a forbid refuses, and whom nobody knows, no permit is proposed for.
    scene.asks(&anonymous, ActionClass::Connect, "board", circumstances(0));
    scene.asks(&staff, ActionClass::Read, "board", weak);
    let suggestion = scene.suggest(&terms());
    assert!(!suggestion.check.holds() || suggestion.check.enforced.challenged > 0, "{:?}", suggestion.check.enforced);
    let texts = suggestion.written.unwrap().text;
    assert!(!texts.contains("Anonymous"), "{texts}");
    // To be tried first: enforced nothing changes, and it is checked as if it were.
    let observed = scene.suggest(&Terms { observe: true, ..terms() });
    let set = proposed(&observed, POLICY);
    assert_eq!(observed.written.as_ref().unwrap().text.matches("@mode(\"observe\")").count(), 2);
    assert_eq!(decide(&set, &guest, ActionClass::Read, &board, &good()), Effect::Deny);
    assert_eq!(observed.check, suggestion.check);
}

#[test]
fn a_name_says_no_more_than_a_name() {
    let hostile = r#"x"] || true || principal in [Group::"y\" \u{0}"#;
    let other = "Ω\u{301}'\\\"); permit(principal,action,resource); //";
    let mut scene = Scene::new();
    for id in [hostile, other] {
        scene.resource(id, &[hostile, other], &[]);
    }
    let alice = subject(&format!("human:{hostile}"), &["everyone", hostile]);
    let bob = subject(&format!("human:{other}"), &["everyone", other]);
    for (who, place) in [(&alice, hostile), (&bob, other), (&alice, other)] {
        assert_eq!(scene.asks(who, ActionClass::Read, place, good()), Effect::Allow);
    }
    for excess in [0, 50] {
        let suggestion = scene.suggest(&Terms { excess, owner: "o\"wner'".to_owned(), ..terms() });
        assert!(suggestion.check.holds());
        let set = proposed(&suggestion, POLICY);
        assert_eq!(set.policies().len(), policies(POLICY).policies().len() + 2);
        assert!(set.policies().iter().all(|info| info.owner == "security" || info.owner == "o\"wner'"));
        let place = &scene.resources[hostile];
        assert_eq!(decide(&set, &alice, ActionClass::Read, place, &good()), Effect::Allow);
        assert_eq!(decide(&set, &bob, ActionClass::Read, place, &good()), Effect::Deny);
    }
}

#[test]
fn the_best_groups_are_found() {
    let id = |name: &str| SubjectId::human(name).unwrap();
    let list: Vec<(String, Vec<GroupId>)> = (0..12)
        .map(|at| (format!("u{at:02}"), groups(&["all", &format!("team{}", at % 3), &format!("own{at}")])))
        .collect();
    let mut members = Members::new();
    for (name, of) in &list {
        of.iter().for_each(|group| {
            members.entry(group.clone()).or_default().insert(id(name));
        });
    }
    let take = |count: usize, excess: u8| {
        let ids: Vec<SubjectId> = list.iter().map(|(name, _)| id(name)).collect();
        let users: Vec<User<'_>> =
            (0..count).map(|at| User { id: &ids[at], shapes: vec![list[at].1.as_slice()] }).collect();
        cover(&users, &members, excess, |_| Some(0))
    };
    let names = |cover: &Cover| cover.groups.iter().map(|share| share.group.to_string()).collect::<Vec<_>>();
    // All of them came: the one group of all.
    assert_eq!((names(&take(12, 50)), take(12, 50).excess), (vec!["all".to_owned()], 0));
    // One did not: one too many is cheaper than three teams.
    assert_eq!((names(&take(11, 50)), take(11, 50).excess), (vec!["all".to_owned()], 1));
    // And not where nobody may be too many.
    assert!(!names(&take(11, 0)).contains(&"all".to_owned()));
    assert_eq!((take(11, 0).excess, take(11, 0).people.len()), (0, 0));
    assert!(take(11, 0).exact && take(1, 0).exact);
    // Too many to try every choice: each is needed.
    let ids: Vec<SubjectId> = (0..30).map(|at| id(&format!("v{at:02}"))).collect();
    let own: Vec<Vec<GroupId>> = (0..30).map(|at| groups(&[&format!("own{at}")])).collect();
    let users: Vec<User<'_>> =
        ids.iter().zip(&own).map(|(id, own)| User { id, shapes: vec![own.as_slice()] }).collect();
    let many = cover(&users, &Members::new(), 0, |_| Some(0));
    assert_eq!((many.groups.len(), many.people.len(), many.exact), (30, 0, false));
}

type Asks = (usize, usize, usize, usize);
/// Who is in which groups, what each place names, who asks, and the excess.
type World = (Vec<u8>, Vec<(u8, u8, usize)>, Vec<Asks>, u8);

const NAMES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "fred"];
const GROUPS: [&str; 4] = ["staff", "hr", "guests", "a\" b"];
const PLACES: [&str; 3] = ["wiki", "pay\"roll", "board"];

fn world() -> impl Strategy<Value = World> {
    (
        prop::collection::vec(0_u8..16, NAMES.len()),
        prop::collection::vec((0_u8..16, 0_u8..16, 0..Tier::ALL.len()), PLACES.len()),
        prop::collection::vec((0..NAMES.len(), 0..PLACES.len(), 0..4_usize, 0..12_usize), 1..60),
        prop_oneof![Just(0_u8), Just(34), Just(50), Just(100)],
    )
}

fn some(mask: u8) -> Vec<&'static str> {
    GROUPS.into_iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0).map(|(_, name)| name).collect()
}

fn varied(at: usize) -> Circumstances {
    let mut with = good();
    if at % 2 == 1 {
        with.device = None;
    }
    if at % 3 == 1 {
        with.authentication.iter_mut().for_each(|it| it.methods = [AuthenticationMethod::FederatedMultiFactor].into());
    }
    if at / 6 == 1 {
        with.network.zones.insert(ZoneName::new("office").unwrap());
    }
    with
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn exactly_what_was_used_and_never_more((who, places, asks, excess) in world()) {
        let mut scene = Scene::new();
        let people: Vec<ShownSubject> = NAMES.iter().zip(&who)
            .map(|(name, mask)| subject(&format!("human:{name}"), &[vec!["everyone"], some(*mask)].concat()))
            .collect();
        for (name, (readers, writers, tier)) in PLACES.iter().zip(&places) {
            scene.resource(name, &some(*readers), &some(*writers)).tier = Tier::ALL[*tier];
        }
        let mut used = BTreeSet::new();
        for (person, place, class, with) in &asks {
            let class = ActionClass::ALL[*class];
            if scene.asks(&people[*person], class, PLACES[*place], varied(*with)) == Effect::Allow {
                used.insert((*person, *place, class, *with));
            }
        }
        let mut members = Members::new();
        for person in &people {
            person.groups.iter().for_each(|group| {
                members.entry(group.clone()).or_default().insert(person.id.clone());
            });
        }
        let suggestion = scene.suggest(&Terms { excess, members: Some(members), ..terms() });
        prop_assert_eq!(suggestion.check.lost, 0);
        prop_assert_eq!(suggestion.counted.uses, asks.len() as u64 - suggestion.check.replay.unchanged.denied
            - suggestion.check.replay.unchanged.challenged - suggestion.check.replay.newly_denied.all.count
            - suggestion.check.replay.newly_challenged.all.count);
        let (before, after) = (policies(POLICY), proposed(&suggestion, POLICY));
        if let Some(file) = &suggestion.written {
            let all = files(POLICY).into_iter().chain([SourceFile { path: "x.cedar".into(), text: file.text.clone() }]);
            prop_assert_eq!(lint(all.collect(), NOW, None), lint(files(POLICY), NOW, None));
        }
        for (p, person) in people.iter().enumerate() {
            for (r, place) in PLACES.iter().enumerate() {
                for class in ActionClass::ALL {
                    for with in 0..12 {
                        let place = &scene.resources[*place];
                        let circumstances = varied(with);
                        let is = decide(&after, person, class, place, &circumstances);
                        let was = decide(&before, person, class, place, &circumstances);
                        prop_assert!(is != Effect::Allow || was == Effect::Allow);
                        if used.contains(&(p, r, class, with)) {
                            prop_assert_eq!(is, Effect::Allow);
                        }
                        let somebody = used.iter().any(|it| it.1 == r);
                        let did = used.iter().any(|it| (it.0, it.1, it.2) == (p, r, class));
                        if excess == 0 && somebody && !did {
                            prop_assert_ne!(is, Effect::Allow);
                        }
                    }
                }
            }
        }
    }
}
