//! Reviews, live: a frozen population, decided by whoever answers for it and nobody else, and what nobody confirms is gone.

use std::collections::BTreeSet;

use countersign_model::{
    KeyId, Review, ReviewAbout, ReviewDecided, ReviewEnding, ReviewId, ReviewLine, ReviewScope, Reviewed,
    ReviewedAccess, ReviewerBecause,
};
use countersign_store::{KeyRecord, KeyScope};

use super::*;
use crate::{ActError, Actor, NewReview, NewVerdict};

fn human(name: &str) -> SubjectId {
    SubjectId::human(name).unwrap()
}

fn actor(name: &str) -> Actor {
    Actor { subject: human(name), decision: None }
}

fn group(name: &str, member_of: &[&str]) -> SignalKind {
    SignalKind::GroupPut {
        group: Group {
            id: GroupId::new(name).unwrap(),
            display_name: name.to_owned(),
            member_of: member_of.iter().map(|it| GroupId::new(*it).unwrap()).collect(),
            source: Source::Administrator,
        },
    }
}

fn subject(id: SubjectId, owner: Option<&str>, email: Option<&str>, groups: &[&str], source: Source) -> SignalKind {
    SignalKind::SubjectPut {
        subject: Subject {
            display_name: id.name().to_owned(),
            id,
            email: email.map(str::to_owned),
            owner: owner.map(human),
            acts_for: None,
            state: SubjectState::Active,
            groups: groups.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
            source,
            created: NOW,
            last_used: None,
        },
    }
}

fn person(name: &str, groups: &[&str]) -> SignalKind {
    subject(human(name), None, None, groups, Source::Administrator)
}

/// Alice, Ben and Carl may write the ledgerbook, Carl through a group in a group and by configuration; Olga owns it.
async fn house() -> House {
    let house = House::new().await;
    let owned = Resource { owner: Some(human("olga")), ..resource("ledgerbook", Tier::High) };
    let wiki = Resource { entitled: Entitled::default(), ..resource("wiki", Tier::Standard) };
    house
        .submit_all(vec![
            group("bookkeepers", &["staff"]),
            person("olga", &[]),
            person("fred", &["owners"]),
            person("ben", &["staff"]),
            subject(human("carl"), None, None, &["bookkeepers"], Source::Configuration),
            SignalKind::ResourcePut { resource: owned },
            SignalKind::ResourcePut { resource: wiki },
        ])
        .await;
    house
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

fn about(resources: &[&str]) -> NewReview {
    let resources = resources.iter().map(|name| ResourceId::new(*name).unwrap()).collect();
    NewReview {
        title: "Autumn".to_owned(),
        about: ReviewAbout::Access { scope: ReviewScope { resources, ..ReviewScope::default() } },
        deadline: NOW.plus(days(14)),
        fallbacks: vec![human("fred")],
        days: 90,
    }
}

fn access(line: &ReviewLine) -> &ReviewedAccess {
    match &line.about {
        Reviewed::Access(access) => access,
        Reviewed::Policy(policy) => panic!("{policy:?}"),
    }
}

fn line_of<'r>(review: &'r Review, name: &str) -> &'r ReviewLine {
    review.lines.iter().find(|line| access(line).subject == Some(human(name))).unwrap()
}

fn keep(lines: &[u32]) -> NewVerdict {
    NewVerdict { lines: lines.to_vec(), keep: true, reason: "Needed for the books.".to_owned() }
}

fn revoke(lines: &[u32]) -> NewVerdict {
    NewVerdict { keep: false, reason: "Left the team.".to_owned(), ..keep(lines) }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, ActError>) -> String {
    match outcome {
        Err(ActError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

impl House {
    async fn reviewing(&self, resources: &[&str]) -> Arc<Review> {
        self.administrator.open_review(about(resources), &actor("fred")).await.unwrap()
    }

    fn groups_of(&self, name: &str) -> Vec<String> {
        let groups = self.administrator.subject(&human(name)).unwrap().groups;
        groups.iter().map(ToString::to_string).collect()
    }

    async fn acts(&self) -> Vec<String> {
        let act = |entry: Entry| match entry.body {
            EntryBody::Act(act) => Some(format!("{} {} {}", act.by, act.verb, act.detail)),
            _ => None,
        };
        self.entries().await.into_iter().filter_map(act).collect()
    }

    /// Turns the clock, and has the deadlines found.
    async fn later(&self, by: Duration) {
        self.clock.set(NOW.plus(by));
        self.administrator.end_due_reviews().await;
    }

    fn decided(&self, id: &ReviewId, name: &str) -> (ReviewDecided, bool, Option<String>) {
        let review = self.administrator.review(id).unwrap();
        let verdict = line_of(&review, name).verdict.clone().unwrap();
        (verdict.decided, verdict.carried_out, verdict.left)
    }
}

#[tokio::test]
async fn the_population_is_frozen_with_its_use_and_its_reviewers() {
    let house = house().await;
    drop(house.open("ledgerbook").await);
    let review = house.reviewing(&["ledgerbook"]).await;
    let told: Vec<(String, String, u64)> = review
        .lines
        .iter()
        .map(|line| {
            let it = access(line);
            assert_eq!((&line.reviewers, line.because), (&vec![human("olga")], ReviewerBecause::ResourceOwner));
            (it.subject.as_ref().unwrap().to_string(), it.through.as_ref().unwrap().to_string(), it.used)
        })
        .collect();
    let line = |name: &str, through: &str, used| (format!("human:{name}"), through.to_owned(), used);
    let expected = [line("alice", "staff", 1), line("ben", "staff", 0), line("carl", "bookkeepers", 0)];
    assert_eq!(told, expected, "the group that each is in, whatever that is in");
    assert_eq!(access(&review.lines[0]).last_used, Some(NOW));
    assert_eq!(access(&review.lines[0]).classes, ActionClass::ALL.into_iter().collect());

    // Whoever comes later is in no line, and no line changes.
    house.submit(person("dora", &["staff"])).await;
    assert_eq!(house.administrator.review(&review.id).unwrap(), review);
    let stored = house.administrator.0.store.reviews().unwrap();
    assert_eq!(stored, [review.as_ref().clone()]);
    assert!(house.acts().await.iter().any(|act| act.contains("review.open") && act.contains(&review.population)));
}

#[tokio::test]
async fn what_is_revoked_is_cut_and_what_is_kept_stays() {
    let house = house().await;
    let lease = house.open("ledgerbook").await;
    let review = house.reviewing(&["ledgerbook"]).await;
    let them = &house.administrator;
    let olga = actor("olga");
    let (alice, ben) = (line_of(&review, "alice").number, line_of(&review, "ben").number);
    assert_eq!(them.reviews_for(&human("olga")), [(Arc::clone(&review), vec![1, 2, 3])]);

    them.decide_review(&review.id, &keep(&[ben]), &olga).await.unwrap();
    assert!(lease.watch().revocation().is_none());
    them.decide_review(&review.id, &revoke(&[alice]), &olga).await.unwrap();
    assert!(lease.watch().revocation().is_some(), "open access ends with the membership");
    assert!(house.groups_of("alice").is_empty());
    assert_eq!(house.groups_of("ben"), ["staff"]);
    assert_eq!(house.decided(&review.id, "alice"), (ReviewDecided::Revoked, true, None));

    let twice = them.decide_review(&review.id, &keep(&[alice]), &olga).await;
    assert!(refused(twice).contains("nothing is decided twice"));
    // What comes from configuration comes back, and that is said.
    let review = them.decide_review(&review.id, &revoke(&[3]), &olga).await.unwrap();
    let (decided, carried, left) = house.decided(&review.id, "carl");
    assert_eq!((decided, carried), (ReviewDecided::Revoked, true));
    assert!(left.unwrap().contains("change it there"));
    assert_eq!(review.end.as_ref().unwrap().how, ReviewEnding::Finished);
    assert_eq!(them.reviews_in_time(NOW), Some((1, 1)));
    assert_eq!(them.entitlements_reviewed(NOW).map(|(good, ..)| good), Some(1));
    let acts = house.acts().await;
    let place = |verb: &str| acts.iter().position(|act| act.contains(verb)).unwrap();
    assert!(place("review.revoke") < place("subject.groups"), "recorded before it is done: {acts:?}");
}

#[tokio::test]
async fn what_nobody_confirms_in_time_is_revoked() {
    let house = house().await;
    let review = house.reviewing(&["ledgerbook"]).await;
    let them = &house.administrator;
    them.decide_review(&review.id, &keep(&[1]), &actor("olga")).await.unwrap();
    house.later(days(14)).await;
    let late = them.decide_review(&review.id, &keep(&[2]), &actor("olga")).await;
    assert!(refused(late).contains("is over"));
    assert_eq!(
        (house.groups_of("alice").len(), house.groups_of("ben").len(), house.groups_of("carl").len()),
        (1, 0, 0)
    );
    let ended = them.review(&review.id).unwrap();
    assert_eq!(ended.end.as_ref().map(|end| (end.how, end.by.clone())), Some((ReviewEnding::Deadline, None)));
    assert_eq!(line_of(&ended, "ben").verdict.as_ref().unwrap().by, None);
    assert_eq!(them.reviews_in_time(NOW), Some((0, 1)));
    // Once.
    house.submit(person("ben", &["staff"])).await;
    house.later(days(15)).await;
    assert_eq!(house.groups_of("ben"), ["staff"], "what was given since is another matter");
}

#[tokio::test]
async fn nobody_decides_over_their_own_access_under_any_name() {
    let house = house().await;
    let olga_at_night = subject(human("olga-night"), None, Some("Olga@example.org"), &["staff"], Source::Administrator);
    let robot = SubjectId::service("robot").unwrap();
    house
        .submit_all(vec![
            subject(human("olga"), None, Some("olga@example.org"), &["staff"], Source::Administrator),
            olga_at_night,
            subject(robot.clone(), Some("olga"), None, &["staff"], Source::Administrator),
            person("frida", &[]),
        ])
        .await;
    let them = &house.administrator;
    let review = house.reviewing(&["ledgerbook"]).await;
    let own: Vec<&ReviewLine> = review.lines.iter().filter(|line| line.because == ReviewerBecause::Fallback).collect();
    let subjects: BTreeSet<String> =
        own.iter().filter_map(|line| access(line).subject.as_ref()).map(ToString::to_string).collect();
    let expected = ["human:olga", "human:olga-night", "service:robot"].map(str::to_owned);
    assert_eq!(subjects, BTreeSet::from(expected));
    assert!(own.iter().all(|line| line.instead_of == Some(human("olga")) && line.reviewers == [human("fred")]));

    let numbers: Vec<u32> = own.iter().map(|line| line.number).collect();
    let by_olga = them.decide_review(&review.id, &keep(&numbers[..1]), &actor("olga")).await;
    assert!(refused(by_olga).contains("not for human:olga"));
    // Nor do others, nor a machine of the reviewer's, nor whoever sits at this one.
    let alice = [line_of(&review, "alice").number];
    assert!(refused(them.decide_review(&review.id, &keep(&alice), &actor("frida")).await).contains("not for"));
    let local = Actor { subject: SubjectId::service(crate::LOCAL_OPERATOR).unwrap(), decision: None };
    assert!(refused(them.decide_review(&review.id, &keep(&alice), &local).await).contains("a person decides"));
    // One line that may not be decided refuses all.
    let both = [alice[0], numbers[0]];
    assert!(refused(them.decide_review(&review.id, &revoke(&both), &actor("olga")).await).contains("not for"));
    assert!(them.review(&review.id).unwrap().lines.iter().all(|line| line.verdict.is_none()));

    // Whoever came to speak through the subject since then does not decide either.
    let key = KeyRecord {
        id: KeyId::new("k1").unwrap(),
        hash: [9; 32],
        subject: robot.clone(),
        owner: human("fred"),
        scope: KeyScope { resources: None, classes: BTreeSet::from([ActionClass::Read]) },
        created: NOW,
        expires: NOW.plus(days(30)),
        last_used: None,
    };
    them.0.accounts.sessions.put_key(key);
    let robots = review.lines.iter().find(|line| access(line).subject == Some(robot.clone())).unwrap().number;
    assert!(refused(them.decide_review(&review.id, &keep(&[robots]), &actor("fred")).await).contains("access of"));

    // Where everybody who could review is the one whose access it is, there is no such campaign.
    let alone = NewReview { fallbacks: vec![human("olga")], ..about(&["ledgerbook"]) };
    assert!(refused(them.open_review(alone, &actor("fred")).await).contains("nobody may review"));
}

#[tokio::test]
async fn a_line_confirms_no_more_than_was_frozen() {
    let house = house().await;
    let them = &house.administrator;
    let only_read = Entitled { readers: vec![staff()], ..Entitled::default() };
    let text = format!(
        "{POLICY}\n@id(\"readers\") @owner(\"test\") @review_by(\"2030-01-01\")\n\
         permit (principal, action in Action::\"read\", resource) when {{ principal in resource.readers }};"
    );
    them.publish(policies(&text, them.symbols()), None).await.unwrap();
    let book = |entitled| Resource { owner: Some(human("olga")), entitled, ..resource("ledgerbook", Tier::High) };
    house.submit(SignalKind::ResourcePut { resource: book(only_read) }).await;
    let review = house.reviewing(&["ledgerbook"]).await;
    assert_eq!(access(&review.lines[0]).classes, BTreeSet::from([ActionClass::Read]));
    let writers = Entitled { writers: vec![staff()], ..Entitled::default() };
    house.submit(SignalKind::ResourcePut { resource: book(writers) }).await;
    house.submit(person("ben", &[])).await;

    let olga = actor("olga");
    let (alice, ben) = (line_of(&review, "alice").number, line_of(&review, "ben").number);
    assert!(refused(them.decide_review(&review.id, &keep(&[alice]), &olga).await).contains("more now"));
    them.decide_review(&review.id, &keep(&[ben]), &olga).await.unwrap();
    assert_eq!(house.decided(&review.id, "ben").0, ReviewDecided::Gone, "there is nothing to keep");
    them.decide_review(&review.id, &revoke(&[alice]), &olga).await.unwrap();
    assert!(house.groups_of("alice").is_empty());
}

#[tokio::test]
async fn reasons_are_given_where_they_are_due() {
    let house = house().await;
    drop(house.open("ledgerbook").await);
    let review = house.reviewing(&["ledgerbook"]).await;
    let them = &house.administrator;
    let olga = actor("olga");
    let silent = |verdict: NewVerdict| NewVerdict { reason: " ".to_owned(), ..verdict };
    let (alice, ben) = (line_of(&review, "alice").number, line_of(&review, "ben").number);
    assert!(
        refused(them.decide_review(&review.id, &silent(revoke(&[alice])), &olga).await).contains("reason is missing")
    );
    assert!(refused(them.decide_review(&review.id, &silent(keep(&[ben])), &olga).await).contains("nobody used"));
    them.decide_review(&review.id, &silent(keep(&[alice])), &olga).await.unwrap();
    let hidden = NewVerdict { reason: "fine\u{202E}".to_owned(), ..keep(&[ben]) };
    assert!(refused(them.decide_review(&review.id, &hidden, &olga).await).contains("nobody sees"));
}

#[tokio::test]
async fn a_campaign_can_be_closed_or_withdrawn_and_a_reviewer_can_leave() {
    let house = house().await;
    let them = &house.administrator;
    let review = house.reviewing(&["ledgerbook"]).await;
    let withdrawn = them.withdraw_review(&review.id, "Wrong scope.", &actor("fred")).await.unwrap();
    assert_eq!(withdrawn.end.as_ref().unwrap().how, ReviewEnding::Withdrawn);
    assert_eq!((house.groups_of("ben"), them.reviews_in_time(NOW)), (vec!["staff".to_owned()], None));
    assert!(refused(them.close_review(&review.id, "Again.", &actor("fred")).await).contains("is over"));

    let review = house.reviewing(&["ledgerbook"]).await;
    assert!(refused(them.decide_review(&review.id, &keep(&[1]), &actor("fred")).await).contains("not for"));
    house.submit(SignalKind::SubjectState { id: human("olga"), state: SubjectState::Disabled }).await;
    assert!(refused(them.decide_review(&review.id, &keep(&[1]), &actor("olga")).await).contains("not active"));
    them.decide_review(&review.id, &keep(&[1]), &actor("fred")).await.unwrap();
    them.close_review(&review.id, "The year is over.", &actor("fred")).await.unwrap();
    assert_eq!((house.groups_of("alice").len(), house.groups_of("ben").len()), (1, 0));
}

#[tokio::test]
async fn the_last_owner_is_never_revoked_and_that_is_said() {
    let house = house().await;
    let them = &house.administrator;
    let mut new = about(&["countersign-api"]);
    new.fallbacks = vec![human("olga")];
    let policy = "@id(\"own\") @owner(\"test\") @review_by(\"2030-01-01\")\n\
                  permit (principal in Group::\"owners\", action, resource) when { resource.kind == \"countersign\" };";
    them.publish(policies(&format!("{POLICY}\n{policy}"), them.symbols()), None).await.unwrap();
    let review = them.open_review(new, &actor("fred")).await.unwrap();
    house.later(days(20)).await;
    let (decided, carried, left) = house.decided(&review.id, "fred");
    assert_eq!((decided, carried), (ReviewDecided::Revoked, false));
    assert!(left.unwrap().contains("nobody in the group owners"));
    assert_eq!(house.groups_of("fred"), ["owners"]);
}

#[tokio::test]
async fn what_everybody_has_is_one_line() {
    let house = house().await;
    let them = &house.administrator;
    let everyone = GroupId::new("everyone").unwrap();
    let open = Resource {
        owner: Some(human("olga")),
        entitled: Entitled { writers: vec![everyone, staff()], ..Entitled::default() },
        ..resource("wiki", Tier::Standard)
    };
    house.submit(SignalKind::ResourcePut { resource: open }).await;
    let review = house.reviewing(&["wiki"]).await;
    assert_eq!(review.lines.len(), 1, "{:?}", review.lines);
    assert_eq!(access(&review.lines[0]).subject, None);
    them.decide_review(&review.id, &revoke(&[1]), &actor("olga")).await.unwrap();
    let wiki = them.resource(&ResourceId::new("wiki").unwrap()).unwrap();
    assert_eq!(wiki.entitled.writers, [staff()]);
}

#[tokio::test]
async fn policies_are_reviewed_by_their_owners_and_never_taken_away_by_a_clock() {
    let house = house().await;
    let them = &house.administrator;
    let text = POLICY.replace("@id(\"calm\") @owner(\"test\")", "@id(\"calm\") @owner(\"human:olga\")");
    them.publish(policies(&text, them.symbols()), Some(human("fred"))).await.unwrap();
    drop(house.open("ledgerbook").await);
    let new = NewReview { about: ReviewAbout::Policies, ..about(&[]) };
    let review = them.open_review(new, &actor("fred")).await.unwrap();
    let policy = |name: &str| {
        let is = |line: &&ReviewLine| matches!(&line.about, Reviewed::Policy(it) if it.policy.as_str() == name);
        review.lines.iter().find(is).unwrap()
    };
    assert_eq!(policy("calm").reviewers, [human("olga")]);
    assert_eq!(
        (&policy("writers").reviewers, policy("writers").because),
        (&vec![human("fred")], ReviewerBecause::Fallback)
    );
    let Reviewed::Policy(writers) = &policy("writers").about else { panic!() };
    assert_eq!((writers.decisions, writers.changes.len()), (1, 0));
    them.decide_review(&review.id, &keep(&[policy("calm").number]), &actor("olga")).await.unwrap();
    let hash = them.policies().hash().to_owned();
    house.later(days(14)).await;
    let ended = them.review(&review.id).unwrap();
    assert_eq!(
        (ended.decided(ReviewDecided::Kept), ended.decided(ReviewDecided::Unconfirmed)),
        (1, review.lines.len() - 1)
    );
    assert_eq!(them.policies().hash(), hash);
}

#[tokio::test]
async fn a_resource_that_goes_takes_along_what_is_about_it_alone() {
    let house = house().await;
    let them = &house.administrator;
    let segment = countersign_model::Segment {
        id: countersign_model::SegmentId::new("finance").unwrap(),
        display_name: "Finance".to_owned(),
        source: Source::Administrator,
    };
    let alone = Resource {
        segment: Some(segment.id.clone()),
        entitled: Entitled {
            readers: vec![GroupId::new("bookkeepers").unwrap()],
            writers: vec![staff()],
            ..Entitled::default()
        },
        ..resource("vault", Tier::High)
    };
    house
        .submit_all(vec![
            SignalKind::SegmentPut { segment },
            group("auditing", &[]),
            SignalKind::ResourcePut {
                resource: Resource {
                    entitled: Entitled { readers: vec![GroupId::new("auditing").unwrap()], ..alone.entitled.clone() },
                    ..alone
                },
            },
        ])
        .await;
    let only = "@id(\"vault-only\") @owner(\"test\") @review_by(\"2030-01-01\") @remedy(\"No.\")\n\
                forbid (principal, action, resource == Resource::\"vault\") when { context.risk > 90 };";
    them.publish(policies(&format!("{POLICY}\n{only}"), them.symbols()), None).await.unwrap();
    let plan = them.decommission(&ResourceId::new("vault").unwrap()).unwrap();
    let goes: Vec<(&str, &str)> = plan.goes.iter().map(|it| (it.kind, it.name.as_str())).collect();
    assert_eq!(
        goes,
        [("resource", "vault"), ("policy", "vault-only"), ("group", "auditing"), ("segment", "finance")],
        "staff leads elsewhere"
    );
    assert!(them.decommission(&ResourceId::new("countersign-api").unwrap()).is_err());
}
