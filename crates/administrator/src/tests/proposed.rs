//! Policies that take two people: never the same one, never over others than were looked at, and both on record.

use super::*;
use crate::{Actor, ApproveError, PolicyApproval, PublishError};

const MORE: &str = "@id(\"more\") @owner(\"test\") @review_by(\"2030-01-01\") @remedy(\"No.\")\n\
    forbid (principal, action, resource) when { context.risk > 40 };\n";

fn files(more: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("test.cedar".to_owned(), format!("{POLICY}{more}"))])
}

fn actor(name: &str) -> Actor {
    Actor { subject: name.parse().unwrap(), decision: None }
}

fn kept(_: &BTreeMap<String, String>) -> Result<(), String> {
    Ok(())
}

async fn house() -> House {
    House::with(Settings { policy_approval: PolicyApproval::SecondPerson, ..Settings::default() }).await
}

#[tokio::test]
async fn one_proposes_and_another_enforces() {
    let house = house().await;
    let them = &house.administrator;
    let (alice, bob) = (actor("human:alice"), actor("human:bob"));
    let alone = them.publish_sources(&files(MORE), &alice, None).await;
    assert_eq!(alone, Err(PublishError::NeedsApproval));
    let (report, same) = them.propose(files(""), "", &alice).await.unwrap();
    assert!(same.is_none() && report.mistakes.is_empty() && report.changes.is_empty());
    let (report, wrong) = them.propose(files("permit (principal"), "", &alice).await.unwrap();
    assert!(wrong.is_none() && !report.mistakes.is_empty());

    let (_, proposal) = them.propose(files(MORE), "  calmer\u{7}  ", &alice).await.unwrap();
    let proposal = proposal.unwrap();
    assert_eq!((proposal.note.as_str(), &proposal.base), ("calmer", &them.policies().hash().to_owned()));
    assert_eq!(them.proposals().await.unwrap(), std::slice::from_ref(&proposal));
    let same = them.approve(&proposal.id, &alice, kept).await;
    assert_eq!(same, Err(ApproveError::SamePerson(alice.subject.clone())));
    let robot = actor("service:deployer");
    assert_eq!(them.approve(&proposal.id, &robot, kept).await, Err(ApproveError::NoPerson(robot.subject)));
    let full = |_: &BTreeMap<String, String>| Err("the disk is full".to_owned());
    assert!(matches!(them.approve(&proposal.id, &bob, full).await, Err(ApproveError::NotKept(_))));
    assert_ne!(them.policies().hash(), proposal.hash);

    them.approve(&proposal.id, &bob, kept).await.unwrap();
    assert_eq!(them.policies().hash(), proposal.hash);
    assert!(them.proposals().await.unwrap().is_empty());
    let published = house.entries().await.into_iter().rev().find_map(|entry| match entry.body {
        EntryBody::PolicyPublished { by, approved_by, .. } => Some((by, approved_by)),
        _ => None,
    });
    assert_eq!(published, Some((Some(alice.subject), Some(bob.subject))));
}

/// One person with many names is one person; and who sits at the machine may be anybody.
#[tokio::test]
async fn nobody_is_their_own_second_person() {
    let house = house().await;
    let them = &house.administrator;
    let owned = |id: &str, owner: &str| Subject {
        id: id.parse().unwrap(),
        owner: Some(owner.parse().unwrap()),
        ..them.subject(&alice()).unwrap()
    };
    for subject in [
        owned("service:deployer", "human:alice"),
        owned("service:helper", "service:deployer"),
        owned("human:alice-too", "human:alice"),
    ] {
        house.submit(SignalKind::SubjectPut { subject }).await;
    }
    let operator = actor("service:local-operator");
    let id = async |by: &str| them.propose(files(MORE), "", &actor(by)).await.unwrap().1.unwrap().id;
    let approve = async |id: &str, by: &str| them.approve(id, &actor(by), kept).await.unwrap_err();
    for by in ["service:deployer", "service:helper", "human:alice-too"] {
        let id = id(by).await;
        for approver in ["human:alice", "human:alice-too"] {
            assert!(matches!(approve(&id, approver).await, ApproveError::SamePerson(_)), "{by} {approver}");
        }
        if by.starts_with("service") {
            assert!(matches!(approve(&id, "service:local-operator").await, ApproveError::MayBeSame(_)), "{by}");
        }
    }
    // Alice has another name, and it is hers whichever of the two proposed.
    let hers = id("human:alice").await;
    assert!(matches!(approve(&hers, "human:alice-too").await, ApproveError::SamePerson(_)));
    // A programme that is nobody's any more is still hers who had it when it proposed.
    let forgotten = id("service:helper").await;
    house.submit(SignalKind::SubjectRemoved { id: "service:helper".parse().unwrap() }).await;
    house.submit(SignalKind::SubjectRemoved { id: "service:deployer".parse().unwrap() }).await;
    assert!(matches!(approve(&forgotten, "human:alice").await, ApproveError::SamePerson(_)));
    let machine = id("service:local-operator").await;
    assert!(matches!(approve(&machine, "service:local-operator").await, ApproveError::SamePerson(_)));
    assert!(matches!(approve(&forgotten, "service:other").await, ApproveError::NoPerson(_)));
    // Whoever sits at the machine is somebody else than a person who signed in.
    them.approve(&hers, &operator, kept).await.unwrap();
}

#[tokio::test]
async fn a_proposal_is_for_what_it_was_made_from_and_not_for_ever() {
    let house = house().await;
    let them = &house.administrator;
    let (alice, bob) = (actor("human:alice"), actor("human:bob"));
    let mut ids = Vec::new();
    for more in [MORE.to_owned(), MORE.replace("40", "30"), MORE.replace("40", "20")] {
        ids.push(them.propose(files(&more), "", &alice).await.unwrap().1.unwrap().id);
    }
    them.approve(&ids[0], &bob, kept).await.unwrap();
    assert_eq!(them.approve(&ids[1], &bob, kept).await, Err(ApproveError::Stale));
    assert_eq!(them.reject(&ids[1], &bob).await.unwrap().id, ids[1]);
    assert!(matches!(them.approve(&ids[1], &bob, kept).await, Err(ApproveError::Unknown(_))));
    house.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert!(them.proposals().await.unwrap().is_empty());
    assert!(matches!(them.reject(&ids[2], &bob).await, Err(ApproveError::Unknown(_))));
}

/// What nobody can approve any more holds up nobody.
#[tokio::test]
async fn stale_proposals_leave_room() {
    let house = house().await;
    let them = &house.administrator;
    let (alice, bob) = (actor("human:alice"), actor("human:bob"));
    let propose = async |risk: usize| them.propose(files(&MORE.replace("40", &risk.to_string())), "", &alice).await;
    let first = propose(1).await.unwrap().1.unwrap();
    for risk in 2..=16 {
        propose(risk).await.unwrap();
    }
    assert!(propose(17).await.is_err());
    them.approve(&first.id, &bob, kept).await.unwrap();
    propose(17).await.unwrap();
    assert_eq!(them.proposals().await.unwrap().len(), 16);
    propose(18).await.unwrap();
    assert_eq!(them.proposals().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_preview_tells_what_would_be_cut_and_changes_nothing() {
    let house = House::new().await;
    let (wiki, _leaflet) = (house.open("wiki").await, house.open("leaflet").await);
    let span = crate::Span { since: None, newest: None, examples: 1, threads: 2 };
    let proposed = files(
        "@id(\"closed\") @owner(\"t\") @review_by(\"2030-01-01\") @remedy(\"Closed.\")\n\
         forbid (principal, action, resource == Resource::\"wiki\");\n",
    );
    let before = house.administrator.ledger().size();
    let preview = house.administrator.preview(&proposed, &span, |_| std::ops::ControlFlow::Continue(())).unwrap();
    assert_eq!((preview.report.changed(), preview.report.newly_denied.all.count), (1, 1));
    assert_eq!((preview.outlook.leases, preview.outlook.kept), (2, 1));
    let [session] = &preview.outlook.sessions[..] else { panic!("{:?}", preview.outlook) };
    assert_eq!((session.newly_denied, session.ends.len()), (1, 1));
    assert_eq!(session.ends[0].lease.id, wiki.id());
    assert!(wiki.watch().revocation().is_none());
    assert_eq!(house.administrator.ledger().size(), before);
    let wrong = house.administrator.preview(&files("permit"), &span, |_| std::ops::ControlFlow::Continue(()));
    assert!(matches!(wrong, Err(crate::PreviewError::Mistakes(_))));
}
