//! The inventory: what is refused, what is recorded, and that nobody locks the last owner out.

use std::time::Duration;

use countersign_identity::software_passkey::SoftwarePasskey;
use countersign_model::{
    Group, GroupId, Route, Segment, SegmentId, Source, Subject, SubjectId, SubjectState, Upstream,
};

use super::fixture::{House, ORIGIN, actor, client, human, subject};
use super::hand_off::wiki;
use crate::accounts::ActError;
use crate::{Actor, Bundle, break_in_offline};

fn group(id: &str, member_of: &[&str]) -> Group {
    Group {
        id: GroupId::new(id).unwrap(),
        display_name: id.to_owned(),
        member_of: member_of.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
        source: Source::Administrator,
    }
}

#[tokio::test]
async fn the_last_owner_stays_until_there_is_another() {
    let house = House::new().await;
    let them = &house.administrator;
    let olivia = human("olivia");
    let last = |outcome: Result<(), ActError>| assert_eq!(outcome, Err(ActError::LastOwner));
    last(them.remove_subject(&olivia, &actor()).await);
    last(them.set_subject_state(&olivia, SubjectState::Disabled, &actor()).await);
    last(them.set_groups(&olivia, vec![], &actor()).await);
    last(them.put_subject(subject(&olivia, &[]), &actor()).await);
    assert!(matches!(them.remove_group(&GroupId::new("owners").unwrap(), &actor()).await, Err(ActError::Refused(_))));

    // Another one, through a group; then that group is what must not be taken away.
    them.put_group(group("team", &["owners"]), &actor()).await.unwrap();
    house.put(&human("bob"), &["team"]).await;
    them.set_groups(&olivia, vec![], &actor()).await.unwrap();
    last(them.put_group(group("team", &[]), &actor()).await);
    last(them.remove_group(&GroupId::new("team").unwrap(), &actor()).await);
    last(them.remove_subject(&human("bob"), &actor()).await);
    assert_eq!(them.owners(), [human("bob")]);
}

#[tokio::test]
async fn what_leads_nowhere_or_home_is_refused() {
    let house = House::new().await;
    let them = &house.administrator;
    them.put_resource(wiki("wiki", "wiki.localhost", "http://127.0.0.1:3000"), &actor()).await.unwrap();
    let at = |host: &str, path: &str| {
        let mut resource = wiki("other", "other.localhost", "http://127.0.0.1:3001");
        resource.routes = vec![Route { host: host.to_owned(), path_prefix: path.to_owned() }];
        resource
    };
    let to = |url: &str| wiki("other", "other.localhost", url);
    let mut inside = to("http://127.0.0.1:1");
    inside.upstream = Upstream::Internal { part: "console".to_owned() };
    let mut ungrouped = to("http://127.0.0.1:1");
    ungrouped.entitled.readers = vec![GroupId::new("nobody-knows").unwrap()];
    let refused = [
        at("wiki.localhost", "/"),
        at("countersign.localhost", "/x"),
        at("Wiki.localhost", "/x"),
        at("wiki.localhost:80", "/x"),
        at("wiki..localhost", "/x"),
        at("a.localhost", "x"),
        at("a.localhost", "/x/../y"),
        at("a.localhost", "/%2e"),
        to("ftp://127.0.0.1"),
        to("http://user:password@127.0.0.1"),
        to("http://127.0.0.1/path"),
        to("http://countersign.localhost:8080"),
        to("http://wiki.localhost:8080"),
        to("http://other.localhost:8080"),
        to("not an address"),
        inside,
        ungrouped,
        wiki("countersign-console", "a.localhost", "http://127.0.0.1:1"),
    ];
    for resource in refused {
        let outcome = them.put_resource(resource.clone(), &actor()).await;
        assert!(matches!(outcome, Err(ActError::Refused(_))), "{resource:?} {outcome:?}");
    }
    them.put_resource(at("wiki.localhost", "/deeper"), &actor()).await.unwrap();
    them.put_resource(wiki("h2c", "c.localhost", "h2c://127.0.0.1:50051"), &actor()).await.unwrap();

    them.put_group(group("a", &[]), &actor()).await.unwrap();
    them.put_group(group("b", &["a"]), &actor()).await.unwrap();
    for bad in [group("a", &["b"]), group("c", &["c"]), group("c", &["nowhere"]), group("everyone", &[])] {
        assert!(them.put_group(bad, &actor()).await.is_err());
    }
    let service = SubjectId::service("s").unwrap();
    let bad = [
        subject(&human("x"), &["nowhere"]),
        subject(&human("x"), &["everyone"]),
        subject(&SubjectId::anonymous(), &[]),
        subject(&SubjectId::service("local-operator").unwrap(), &[]),
        Subject { owner: None, ..subject(&service, &[]) },
        Subject { owner: Some(human("nobody")), ..subject(&service, &[]) },
        Subject { email: Some("no address".to_owned()), ..subject(&human("x"), &[]) },
        Subject { display_name: "a\u{202e}b".to_owned(), ..subject(&human("x"), &[]) },
        Subject { acts_for: Some(human("olivia")), ..subject(&service, &[]) },
    ];
    for bad in bad {
        assert!(them.put_subject(bad.clone(), &actor()).await.is_err(), "{bad:?}");
    }
    assert!(them.set_risk(&human("olivia"), 101, "x".to_owned(), &actor()).await.is_err());
}

#[tokio::test]
async fn a_bundle_is_applied_whole_and_what_leaves_it_is_removed() {
    let house = House::new().await;
    let them = &house.administrator;
    let bundle = Bundle {
        segments: vec![],
        groups: vec![group("child", &["parent"]), group("parent", &[])],
        subjects: vec![subject(&human("alice"), &["child"])],
        resources: vec![wiki("wiki", "wiki.localhost", "http://127.0.0.1:3000")],
    };
    let dry = them.apply(bundle.clone(), &actor(), true).await.unwrap();
    assert_eq!(dry.created.len(), 4);
    assert_eq!(dry.warnings.len(), 1, "no owner has a passkey: {:?}", dry.warnings);
    assert_eq!(them.subject(&human("alice")), None, "a dry run changes nothing");
    let (_, _) = house.person("olivia", &client()).await;
    let report = them.apply(bundle.clone(), &actor(), false).await.unwrap();
    assert_eq!((report.created.len(), report.warnings.len()), (4, 0));
    let again = them.apply(bundle.clone(), &actor(), false).await.unwrap();
    assert_eq!((again.unchanged.len(), again.created.len(), again.changed.len()), (4, 0, 0), "{again:?}");

    // By hand it would only be gone until the file is next applied.
    let removed = them.remove_resource(&bundle.resources[0].id, &actor()).await;
    assert!(matches!(removed, Err(ActError::Configured(_))), "{removed:?}");

    // A mistake anywhere, and nothing is applied.
    let mut wrong = bundle.clone();
    wrong.subjects.push(subject(&human("bob"), &[]));
    wrong.resources.push(wiki("twin", "wiki.localhost", "http://127.0.0.1:3001"));
    assert!(matches!(them.apply(wrong, &actor(), false).await, Err(ActError::Refused(_))));
    assert_eq!(them.subject(&human("bob")), None);

    let smaller = Bundle { groups: vec![group("parent", &[])], ..Bundle::default() };
    let report = them.apply(smaller, &actor(), false).await.unwrap();
    assert_eq!(report.removed.len(), 3, "{report:?}");
    assert_eq!(them.subject(&human("alice")), None);
    assert!(them.subject(&human("olivia")).is_some(), "who came from elsewhere stays");
    let lock_out = Bundle { subjects: vec![subject(&human("olivia"), &[])], ..Bundle::default() };
    assert!(them.apply(lock_out, &actor(), true).await.is_err());
}

#[tokio::test]
async fn a_break_in_brings_an_owner_back_and_is_recorded() {
    let mut house = House::new().await;
    let link = house.administrator.break_in("rescuer", &actor()).await;
    assert!(matches!(link, Err(ActError::Refused(_))), "an owner has no need of it");
    let operator = Actor { subject: SubjectId::service("local-operator").unwrap(), decision: None };
    let link = house.administrator.break_in("rescuer", &operator).await.unwrap();
    let ceremony = house.administrator.begin_enrolment(&link.secret, &client()).await.unwrap();
    let answer = SoftwarePasskey::new().create(&ceremony.options, ORIGIN).unwrap();
    house.administrator.finish_enrolment(&ceremony.id, &answer, "key", &client()).await.unwrap();
    assert!(house.administrator.owners().contains(&human("rescuer")));

    let now = house.administrator.now();
    let link = break_in_offline(&*house.store, &house.ledger, "second", now).unwrap();
    assert!(break_in_offline(&*house.store, &house.ledger, "bad\nname", now).is_err());
    house.restart();
    assert!(house.administrator.owners().contains(&human("second")));
    house.administrator.begin_enrolment(&link.secret, &client()).await.unwrap();
    house.turn(Duration::from_secs(3600));
    assert!(house.administrator.begin_enrolment(&link.secret, &client()).await.is_err());
    assert_eq!(house.acts().await.iter().filter(|verb| *verb == "break-in").count(), 2);
}

#[tokio::test]
async fn a_segment_goes_when_nothing_is_in_it() {
    let house = House::new().await;
    let them = &house.administrator;
    let inside = SegmentId::new("inside").unwrap();
    let segment = Segment { id: inside.clone(), display_name: "Inside".to_owned(), source: Source::Configuration };
    let mut resource = wiki("wiki", "wiki.localhost", "http://127.0.0.1:3000");
    resource.segment = Some(inside.clone());
    let resources = vec![resource.clone()];
    let full = Bundle { segments: vec![segment.clone()], resources, ..Bundle::default() };
    let report = them.apply(full.clone(), &actor(), false).await.unwrap();
    assert_eq!(report.created, ["segment inside", "resource wiki"]);
    assert!(matches!(them.remove_segment(&inside, &actor()).await, Err(ActError::Refused(_))), "in use");
    let without = Bundle { segments: Vec::new(), ..full.clone() };
    assert!(matches!(them.apply(without, &actor(), false).await, Err(ActError::Refused(_))), "in use by the bundle");
    // Somebody else's resource is in it, and stays.
    let mut other = wiki("other", "other.localhost", "http://127.0.0.1:3001");
    other.segment = Some(inside.clone());
    them.put_resource(other.clone(), &actor()).await.unwrap();
    let refused = them.apply(Bundle::default(), &actor(), false).await;
    assert_eq!(refused, Err(ActError::Refused("segment inside: resource other is in it".to_owned())));
    assert_eq!(them.segments(), [segment], "and nothing else of the bundle is in force");
    other.segment = None;
    them.put_resource(other, &actor()).await.unwrap();
    let report = them.apply(Bundle::default(), &actor(), false).await.unwrap();
    assert_eq!(report.removed, ["segment inside", "resource wiki"]);
    assert!(them.segments().is_empty() && house.store.segments().unwrap().is_empty());
    let again = them.apply(Bundle::default(), &actor(), false).await.unwrap();
    assert!(again.removed.is_empty(), "it converges");
    // The same by hand.
    assert!(matches!(them.remove_segment(&inside, &actor()).await, Err(ActError::NotFound(_))));
    them.apply(full, &actor(), false).await.unwrap();
    resource.segment = None;
    them.put_resource(resource, &actor()).await.unwrap();
    them.remove_segment(&inside, &actor()).await.unwrap();
    assert!(house.store.segments().unwrap().is_empty());
    assert!(house.acts().await.contains(&"segment.remove".to_owned()));
}
