//! Exceptions, live: they relax what says so and nothing else, never by the word of whoever wants them, and stop everywhere at
//! one instant.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use countersign_model::{
    CompensatingControl, Exception, ExceptionId, ExceptionScope, ExceptionStanding, KeyId, PolicyId, Probe,
};
use countersign_store::{KeyRecord, KeyScope};
use proptest::prelude::*;

use super::*;
use crate::{ActError, Actor, NewException, UndocumentedKind, Works};

const RELAXABLE: &str = r#"
@id("healthy") @owner("test") @review_by("2030-01-01") @remedy("Use a healthy device.") @relaxable("A guard beside it.")
forbid (principal, action, resource) when { resource.tier == "high" }
unless { context has device && context.device.managed && context.device.compliant }
unless { context has "exception" && context["exception"].relaxes.contains("healthy") };
"#;

fn relaxable_policies() -> String {
    let rest: Vec<&str> = POLICY.split("\n\n").filter(|policy| !policy.contains("\"healthy\"")).collect();
    format!("{}\n{RELAXABLE}", rest.join("\n\n"))
}

fn human(name: &str) -> SubjectId {
    SubjectId::human(name).unwrap()
}

fn actor(id: &SubjectId) -> Actor {
    Actor { subject: id.clone(), decision: None }
}

fn somebody(id: &SubjectId, owner: Option<&SubjectId>, groups: &[&str]) -> SignalKind {
    SignalKind::SubjectPut {
        subject: Subject {
            id: id.clone(),
            display_name: id.name().to_owned(),
            email: None,
            owner: owner.cloned(),
            acts_for: None,
            state: SubjectState::Active,
            groups: groups.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
            source: Source::Administrator,
            created: NOW,
            last_used: None,
        },
    }
}

fn wanted(expires: Timestamp) -> NewException {
    NewException {
        owner: human("carl"),
        reason: "The laptop is in repair.".to_owned(),
        scope: ExceptionScope {
            subjects: BTreeSet::from([alice()]),
            resources: BTreeSet::from([ResourceId::new("ledgerbook").unwrap()]),
            classes: BTreeSet::from([ActionClass::Read]),
            ..ExceptionScope::default()
        },
        relaxes: BTreeSet::from([PolicyId::new("healthy").unwrap()]),
        control: CompensatingControl { description: "Carl sits beside her.".to_owned(), probe: None },
        expires,
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, one: T) {
    set.insert(one);
}

fn refused(outcome: Result<Arc<Exception>, ActError>) -> String {
    match outcome {
        Err(ActError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Two owners, Carl who answers for exceptions, and Alice, whose laptop has lost its firewall.
async fn house() -> House {
    let house = House::new().await;
    let them = &house.administrator;
    them.publish(policies(&relaxable_policies(), them.symbols()), None).await.unwrap();
    let off = fact(PostureValue::Off, NOW);
    house
        .submit_all(vec![
            somebody(&human("olivia"), None, &["owners"]),
            somebody(&human("otto"), None, &["owners"]),
            somebody(&human("carl"), None, &[]),
            SignalKind::PostureReported { device: laptop(), facts: vec![(PostureAspect::Firewall, off)] },
        ])
        .await;
    house
}

impl House {
    /// Asked for by Olivia, agreed to by Otto.
    async fn excepted(&self, until: Timestamp) -> ExceptionId {
        let them = &self.administrator;
        let id = them.request_exception(wanted(until), &actor(&human("olivia"))).await.unwrap().id.clone();
        them.approve_exception(&id, &actor(&human("otto"))).await.unwrap();
        id
    }

    fn is_allowed(&self, class: ActionClass) -> bool {
        matches!(self.administrator.would_decide(request(Some("ledgerbook"), class)), Decision::Allow(_))
    }

    /// What policy, register and rate say of it: all the same, or this stops.
    fn counts(&self, id: &ExceptionId) -> bool {
        let policy = self.is_allowed(ActionClass::Read);
        let register = self.administrator.exception(id).unwrap().standing == ExceptionStanding::InForce;
        let figures = self.administrator.exception_figures();
        let high = figures.by_tier.iter().find(|tier| tier.tier == Tier::High).unwrap();
        assert_eq!((policy, register), (figures.in_force == 1, figures.in_force == 1), "{figures:?}");
        assert_eq!((high.in_force == 1, figures.rate == Some(1.0)), (policy, policy), "{figures:?}");
        policy
    }
}

fn in_seconds(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn it_relaxes_what_says_so_for_whom_and_what_it_names() {
    let house = house().await;
    assert!(!house.is_allowed(ActionClass::Read));
    let id = house.excepted(in_seconds(300)).await;
    assert!(house.is_allowed(ActionClass::Read));
    assert!(!house.is_allowed(ActionClass::Write), "another class");
    let lease = house.open("ledgerbook").await;
    let recorded = decision(house.administrator.decision(lease.decision()).unwrap().unwrap().1);
    let exception = recorded.question.circumstances.exception.unwrap();
    assert_eq!((exception.ids, exception.expires), (BTreeSet::from([id]), in_seconds(300)));

    // No other forbid gives way, and what is open is decided by it.
    house.submit(SignalKind::RiskChanged { subject: alice(), risk: 90, reason: "elsewhere".to_owned() }).await;
    assert!(!house.is_allowed(ActionClass::Read));
    assert!(lease.watch().revocation().is_some());
    house.submit(SignalKind::RiskChanged { subject: alice(), risk: 0, reason: "cleared".to_owned() }).await;
    let other = SignalKind::ResourcePut { resource: resource("vault", Tier::High) };
    house.submit(other).await;
    let elsewhere = house.administrator.would_decide(request(Some("vault"), ActionClass::Read));
    assert_eq!(elsewhere.name(), "deny", "another resource");

    // A policy that cannot be relaxed any more is not.
    let them = &house.administrator;
    them.publish(policies(POLICY, them.symbols()), None).await.unwrap();
    assert!(!house.is_allowed(ActionClass::Read));
}

#[tokio::test]
async fn what_is_open_under_it_is_cut_when_it_ends_in_whatever_way() {
    let ended = async |end: &dyn Fn(&House, ExceptionId) -> futures_util::future::BoxFuture<'static, ()>| {
        let house = house().await;
        let id = house.excepted(in_seconds(300)).await;
        let lease = house.open("ledgerbook").await;
        end(&house, id.clone()).await;
        let revocation = lease.watch().revoked().await;
        assert!(!house.counts(&id));
        (revocation.at, revocation.cause)
    };
    let expired = ended(&|house, _| {
        house.clock.set(in_seconds(300));
        Box::pin(async {})
    });
    assert_eq!(expired.await, (in_seconds(300), RevocationCause::TimePassed));
    let withdrawn = ended(&|house, id| {
        let them = house.administrator.clone();
        Box::pin(async move { drop(them.end_exception(&id, "mended", &actor(&human("olivia"))).await.unwrap()) })
    });
    assert_eq!(withdrawn.await, (NOW, RevocationCause::FactChanged));
    for gone in [
        SignalKind::SubjectState { id: human("carl"), state: SubjectState::Disabled },
        SignalKind::SubjectRemoved { id: human("carl") },
    ] {
        let gone = &gone;
        let end = |house: &House, _: ExceptionId| -> futures_util::future::BoxFuture<'static, ()> {
            let (them, gone) = (house.administrator.clone(), gone.clone());
            Box::pin(async move { them.submit(House::signal(gone)).await.unwrap() })
        };
        assert_eq!(ended(&end).await, (NOW, RevocationCause::FactChanged));
    }
}

#[tokio::test]
async fn it_does_not_come_back_with_its_owner_and_its_end_is_recorded() {
    let house = house().await;
    let id = house.excepted(in_seconds(300)).await;
    let state = |state| SignalKind::SubjectState { id: human("carl"), state };
    house.submit(state(SubjectState::Disabled)).await;
    house.submit(state(SubjectState::Active)).await;
    assert!(!house.counts(&id));
    let view = house.administrator.exception(&id).unwrap();
    assert_eq!(view.standing, ExceptionStanding::Ended);
    let end = view.exception.end.clone().unwrap();
    assert_eq!((end.by, end.at), (None, NOW));
    assert_eq!(house.administrator.0.store.exceptions().unwrap(), [view.exception.as_ref().clone()]);
    let verbs: Vec<String> = house
        .entries()
        .await
        .into_iter()
        .filter_map(|entry| match entry.body {
            EntryBody::Act(act) if act.target == id.as_str() => Some(act.verb),
            EntryBody::Signal(signal) if matches!(signal.kind, SignalKind::ExceptionPut { .. }) => {
                Some(format!("{:?}", signal.source))
            }
            _ => None,
        })
        .collect();
    assert_eq!(verbs, ["exception.request", "Administrator", "exception.approve", "Administrator", "Countersign"]);
}

/// Never whoever asked, under no name; and owners only.
#[tokio::test]
async fn nobody_agrees_to_an_exception_of_their_own() {
    let house = house().await;
    let them = &house.administrator;
    let (olivia, otto) = (human("olivia"), human("otto"));
    let (hers, his) = (SubjectId::service("hers").unwrap(), SubjectId::service("his").unwrap());
    let keyed = SubjectId::service("keyed").unwrap();
    let agent = SubjectId::agent("planner").unwrap();
    house
        .submit_all(vec![
            somebody(&hers, Some(&olivia), &["owners"]),
            somebody(&his, Some(&otto), &["owners"]),
            somebody(&keyed, Some(&otto), &["owners"]),
            somebody(&agent, Some(&olivia), &["owners"]),
        ])
        .await;
    // A key that Olivia answers for, of a service that Otto answers for.
    them.0.accounts.sessions.put_key(KeyRecord {
        id: KeyId::new("k1").unwrap(),
        hash: [7; 32],
        subject: keyed.clone(),
        owner: olivia.clone(),
        scope: KeyScope { resources: None, classes: BTreeSet::from([ActionClass::Administer]) },
        created: NOW,
        expires: in_seconds(1000),
        last_used: None,
    });
    let operator = SubjectId::service(crate::LOCAL_OPERATOR).unwrap();
    let mut owned = wanted(in_seconds(300));
    owned.owner = otto.clone();
    for (requester, new, approver, why) in [
        (&olivia, wanted(in_seconds(300)), &olivia, "asked for it"),
        (&olivia, wanted(in_seconds(300)), &hers, "asked for it"),
        (&olivia, wanted(in_seconds(300)), &agent, "asked for it"),
        (&olivia, wanted(in_seconds(300)), &keyed, "asked for it"),
        (&hers, wanted(in_seconds(300)), &olivia, "asked for it"),
        (&keyed, wanted(in_seconds(300)), &olivia, "asked for it"),
        (&keyed, wanted(in_seconds(300)), &otto, "asked for it"),
        (&olivia, owned.clone(), &otto, "answers for it"),
        (&olivia, owned, &his, "answers for it"),
        (&olivia, wanted(in_seconds(300)), &human("carl"), "not in the group owners"),
        (&olivia, wanted(in_seconds(300)), &alice(), "not in the group owners"),
        (&olivia, wanted(in_seconds(300)), &operator, "nobody knows who"),
        (&operator, wanted(in_seconds(300)), &operator, "nobody knows who"),
    ] {
        let id = them.request_exception(new, &actor(requester)).await.unwrap().id.clone();
        let said = refused(them.approve_exception(&id, &actor(approver)).await);
        assert!(said.contains(why), "{requester} {approver}: {said}");
        assert!(!house.is_allowed(ActionClass::Read));
        them.end_exception(&id, "a trial", &actor(requester)).await.unwrap();
    }
    // Whoever was behind the requester when it asked stays so.
    let id = them.request_exception(wanted(in_seconds(300)), &actor(&hers)).await.unwrap().id.clone();
    house.submit(somebody(&hers, Some(&otto), &["owners"])).await;
    assert!(refused(them.approve_exception(&id, &actor(&olivia)).await).contains("asked for it"));
    let id = them.request_exception(wanted(in_seconds(300)), &actor(&olivia)).await.unwrap().id.clone();
    them.approve_exception(&id, &actor(&his)).await.unwrap();
    assert!(house.is_allowed(ActionClass::Read));
    for (approver, why) in [(&olivia, "asked for it"), (&human("carl"), "not in the group")] {
        let said = refused(them.review_exception(&id, in_seconds(600), "still", &actor(approver)).await);
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn what_is_asked_for_has_a_scope_a_reason_and_an_end() {
    let house = house().await;
    let them = &house.administrator;
    let check = async |why: &str, change: &dyn Fn(&mut NewException)| {
        let mut new = wanted(in_seconds(300));
        change(&mut new);
        let said = refused(them.request_exception(new, &actor(&human("olivia"))).await);
        assert!(said.contains(why), "{said:?} does not say {why:?}");
    };
    let id = |name: &str| PolicyId::new(name).unwrap();
    check("within 90 days", &|new| new.expires = in_seconds(91 * 86_400)).await;
    check("in the future", &|new| new.expires = NOW).await;
    check("within 90 days", &|new| new.expires = Timestamp::FOREVER).await;
    check("reason is missing", &|new| new.reason = " \n".to_owned()).await;
    check("control is missing", &|new| new.control.description.clear()).await;
    check("nobody sees", &|new| new.reason = "harm\u{202E}less".to_owned()).await;
    check("active human", &|new| new.owner = human("nobody")).await;
    check("active human", &|new| new.owner = SubjectId::service(crate::LOCAL_OPERATOR).unwrap()).await;
    check("names subjects or groups", &|new| new.scope.subjects.clear()).await;
    check("names resources or segments", &|new| new.scope.resources.clear()).await;
    check("classes of action", &|new| new.scope.classes.clear()).await;
    check("no human:mallory", &|new| put(&mut new.scope.subjects, human("mallory"))).await;
    check("to except", &|new| put(&mut new.scope.subjects, SubjectId::anonymous())).await;
    check("for everyone", &|new| put(&mut new.scope.groups, GroupId::new("everyone").unwrap())).await;
    check("no resource nowhere", &|new| put(&mut new.scope.resources, ResourceId::new("nowhere").unwrap())).await;
    let console = ResourceId::new("countersign-console").unwrap();
    check("part of Countersign", &|new| put(&mut new.scope.resources, console.clone())).await;
    check("not relaxable", &|new| put(&mut new.relaxes, id("calm"))).await;
    check("no policy", &|new| put(&mut new.relaxes, id("none-of-ours"))).await;
    check("relaxes 1 to", &|new| new.relaxes.clear()).await;
    let probe = |url: &str, private| Probe::Http { url: url.to_owned(), status: 200, private };
    for wrong in ["http://guard.example/", "https://a:b@guard.example/", "https://guard.example/?key=1", "file:///etc"]
    {
        check("probe's address", &|new| new.control.probe = Some(probe(wrong, false))).await;
    }
    check("probe's address", &|new| new.control.probe = Some(probe("ftp://guard.example/", true))).await;
}

#[tokio::test]
async fn a_review_moves_its_end_and_stands_in_its_history() {
    let house = house().await;
    let them = &house.administrator;
    let id = house.excepted(in_seconds(300)).await;
    let lease = house.open("ledgerbook").await;
    let otto = actor(&human("otto"));
    them.review_exception(&id, in_seconds(600), "still in repair", &otto).await.unwrap();
    house.clock.set(in_seconds(300));
    assert!(house.counts(&id));
    assert!(lease.watch().revocation().is_none());
    // Shortened, it takes away at once.
    them.review_exception(&id, in_seconds(301), "nearly done", &otto).await.unwrap();
    house.clock.set(in_seconds(301));
    assert_eq!(lease.watch().revoked().await.at, in_seconds(301));
    let reviews = them.exception(&id).unwrap().exception.reviews.clone();
    let ends: Vec<_> = reviews.iter().map(|review| (review.before, review.expires)).collect();
    assert_eq!(ends, [(in_seconds(300), in_seconds(600)), (in_seconds(600), in_seconds(301))]);
    assert!(refused(them.review_exception(&id, in_seconds(900), "again", &otto).await).contains("is expired"));
}

#[tokio::test]
async fn a_probe_says_whether_the_control_works() {
    let house = house().await;
    let them = &house.administrator;
    let mut new = wanted(in_seconds(300));
    new.control.probe = Some(Probe::Policy { policy: PolicyId::new("calm").unwrap() });
    let id = them.request_exception(new, &actor(&human("olivia"))).await.unwrap().id.clone();
    assert_eq!(them.exception(&id).unwrap().works.unwrap().works, Works::Yes);
    let observed = relaxable_policies().replace("@id(\"calm\")", "@id(\"calm\") @mode(\"observe\")");
    them.publish(policies(&observed, them.symbols()), None).await.unwrap();
    assert_eq!(them.exception(&id).unwrap().works.unwrap().works, Works::No);
    assert!(matches!(them.probe_exception(&id, &actor(&alice())).await, Err(ActError::Refused(_))));
    assert_eq!(them.probe_exception(&id, &actor(&human("otto"))).await.unwrap().works, Works::No);
}

#[tokio::test]
async fn what_nobody_wrote_down_is_found() {
    let house = house().await;
    let them = &house.administrator;
    let found = || -> Vec<(UndocumentedKind, String)> {
        let all = them.undocumented(&|_, _| ControlFlow::Continue(())).unwrap();
        all.into_iter().map(|one| (one.kind, one.what)).collect()
    };
    let before = found();
    // Its high tier asks for a healthy device, and not for a second factor.
    let single_factor = (UndocumentedKind::WiderThanTier, "writers".to_owned());
    let (wider, ownerless): (Vec<_>, Vec<_>) =
        before.iter().partition(|(kind, _)| *kind == UndocumentedKind::WiderThanTier);
    assert_eq!(wider, [&single_factor]);
    assert!(ownerless.iter().all(|(kind, _)| *kind == UndocumentedKind::OwnerlessPolicy), "{ownerless:?}");
    assert!(ownerless.len() >= 6, "{ownerless:?}");
    // What an exception lets through is documented.
    house.excepted(in_seconds(300)).await;
    assert_eq!(found(), before);
    let wide = r#"
@id("wide") @owner("human:carl") @review_by("2030-01-01")
permit (principal is Human, action in Action::"read", resource);
"#;
    let observed = POLICY.replace("@id(\"healthy\")", "@id(\"healthy\") @mode(\"observe\")");
    them.publish(policies(&format!("{observed}{wide}"), them.symbols()), None).await.unwrap();
    let observed = Resource { observe_until: Some(in_seconds(300)), ..resource("leaflet", Tier::Public) };
    house.submit(SignalKind::ResourcePut { resource: observed }).await;
    for (id, url) in [
        ("far", "http://10.1.2.3:8080/app"),
        ("farther", "h2c://[2001:db8::1]:50051"),
        ("sealed", "HTTPS://far.example"),
        ("here", "http://[::1]:3000"),
        ("here-too", "http://Wiki.localhost:3000"),
    ] {
        let upstream = Upstream::Origin { url: url.to_owned(), ca: None, preserve_host: false };
        let resource = Resource { upstream, ..resource(id, Tier::Public) };
        house.submit(SignalKind::ResourcePut { resource }).await;
    }
    let found = found();
    let around = found.iter().filter(|(kind, _)| *kind == UndocumentedKind::ReachableAround).map(|(_, what)| &**what);
    assert_eq!(around.collect::<Vec<_>>(), ["far", "farther"]);
    for one in [
        (UndocumentedKind::ObservedResource, "leaflet"),
        (UndocumentedKind::ObservedPolicy, "healthy"),
        (UndocumentedKind::WiderThanTier, "wide"),
    ] {
        assert!(found.contains(&(one.0, one.1.to_owned())), "{one:?} in {found:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Milliseconds from its end.
    Turn(i64),
    Owner(SubjectState),
    OwnerGone,
    Review(i64),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let around = || prop::sample::select(&[-1000_i64, -1, 0, 1, 1000][..]);
    prop_oneof![
        4 => around().prop_map(Step::Turn),
        1 => prop::sample::select(&[SubjectState::Active, SubjectState::Disabled][..]).prop_map(Step::Owner),
        1 => Just(Step::OwnerGone),
        2 => around().prop_map(Step::Review),
        1 => Just(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// At each instant around its end and its owner's leaving, policy, register and rate say the same, and what they should.
    #[test]
    fn policy_register_and_rate_read_one_exception_the_same(steps in prop::collection::vec(step(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = house().await;
            // Its facts are seen often enough; only the exception is in question.
            let mut end = in_seconds(200);
            let id = house.excepted(end).await;
            let (mut now, mut over) = (NOW, false);
            assert!(house.counts(&id));
            for step in steps {
                match step {
                    Step::Turn(from_end) => {
                        now = now.max(Timestamp::from_millis(end.millis() + from_end));
                        house.clock.set(now);
                    }
                    Step::Owner(state) => {
                        let kind = SignalKind::SubjectState { id: human("carl"), state };
                        let known = house.administrator.submit(House::signal(kind)).await.is_ok();
                        over |= known && state == SubjectState::Disabled;
                    }
                    Step::OwnerGone => {
                        house.submit(SignalKind::SubjectRemoved { id: human("carl") }).await;
                        over = true;
                    }
                    Step::Review(from_end) => {
                        let new = Timestamp::from_millis(end.millis() + from_end);
                        let otto = actor(&human("otto"));
                        if house.administrator.review_exception(&id, new, "looked", &otto).await.is_ok() {
                            end = new;
                        }
                    }
                    Step::End => {
                        let ended = house.administrator.end_exception(&id, "done", &actor(&human("otto"))).await;
                        over |= ended.is_ok();
                    }
                }
                assert_eq!(house.counts(&id), !over && now < end, "at {now}, until {end}");
            }
        });
    }
}
