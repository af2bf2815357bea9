//! The policy asked over the API: circumstances stated or not, pages, reasons both ways, what was done, coverage.

use super::*;
use crate::wire;

async fn asked<T: serde::de::DeserializeOwned>(stage: &Stage, who: &Person, path: &str) -> T {
    let answer = stage.get("api", Some(who), path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body))
}

/// A group within another, and somebody in it.
async fn staff(stage: &Stage) {
    let group = |id: &str, member_of: &[&str]| countersign_model::Group {
        id: GroupId::new(id).unwrap(),
        display_name: id.to_owned(),
        member_of: member_of.iter().map(|id| GroupId::new(*id).unwrap()).collect(),
        source: Source::Administrator,
    };
    for group in [group("staff", &[]), group("interns", &["staff"])] {
        stage.submit(SignalKind::GroupPut { group }).await;
    }
    for (name, groups) in
        [("human:ida", vec!["interns"]), ("human:otto", Vec::new()), ("service:backup", vec!["staff"])]
    {
        let id: SubjectId = name.parse().unwrap();
        let subject = Subject {
            display_name: name.to_owned(),
            email: None,
            owner: None,
            acts_for: None,
            state: SubjectState::Active,
            groups: groups.into_iter().map(|id| GroupId::new(id).unwrap()).collect(),
            source: Source::Administrator,
            created: stage.administrator.now(),
            last_used: None,
            id,
        };
        stage.submit(SignalKind::SubjectPut { subject }).await;
    }
    let wiki = stage.administrator.resource(&ResourceId::new("wiki").unwrap()).unwrap();
    let entitled = Entitled { readers: vec![GroupId::new("staff").unwrap()], ..Entitled::default() };
    stage.submit(SignalKind::ResourcePut { resource: Resource { entitled, ..(*wiki).clone() } }).await;
}

async fn filled() -> (Stage, Person) {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.fill().await;
    staff(&stage).await;
    (stage, alice)
}

fn subjects(holders: &wire::Holders) -> Vec<String> {
    holders.items.iter().map(|one| one.subject.to_string()).collect()
}

#[tokio::test]
async fn who_can_under_stated_circumstances_and_under_which() {
    let (stage, alice) = filled().await;
    let any: wire::Holders = asked(&stage, &alice, "/api/v1/ask/who-can?action=http:read&resource=wiki").await;
    assert_eq!(subjects(&any), ["human:alice", "human:ida", "service:backup"]);
    assert_eq!((any.about.found, any.about.considered, any.next.as_deref()), (3, 6, None));
    let ida = &any.items[1].suffices;
    assert_eq!((ida.len(), ida[0].words.as_str(), ida[0].way.as_str()), (1, "with multi-factor sign-in", "standing"));
    assert_eq!(ida[0].sign_in.as_ref().unwrap().strength.as_deref(), Some("multi-factor"));
    assert_eq!(any.items[2].suffices[0].words, "with its key");

    for (circumstances, expected) in [
        ("sign_in=federated", vec!["service:backup"]),
        ("sign_in=multi-factor", vec!["human:alice", "human:ida", "service:backup"]),
        ("sign_in=none", Vec::new()),
        ("sign_in=passkey&risk=80", Vec::new()),
        ("sign_in=passkey&kind=service", vec!["service:backup"]),
        ("sign_in=passkey&group=interns", vec!["human:ida"]),
    ] {
        let path = format!("/api/v1/ask/who-can?action=http:read&resource=wiki&{circumstances}");
        let found: wire::Holders = asked(&stage, &alice, &path).await;
        assert_eq!(subjects(&found), expected, "{circumstances}");
    }
    let public: wire::Holders = asked(&stage, &alice, "/api/v1/ask/who-can?action=http:read&resource=blog").await;
    assert_eq!(public.items[0].subject, SubjectId::anonymous());
    assert_eq!(public.items[0].suffices[0].words, "always");

    let first: wire::Holders =
        asked(&stage, &alice, "/api/v1/ask/who-can?action=http:read&resource=wiki&limit=2").await;
    let next = first.next.unwrap();
    let path = format!("/api/v1/ask/who-can?action=http:read&resource=wiki&limit=2&cursor={next}");
    let second: wire::Holders = asked(&stage, &alice, &path).await;
    assert_eq!((first.items.len(), second.items.len(), second.next), (2, 1, None));
}

#[tokio::test]
async fn who_could_before_a_change() {
    let (stage, alice) = filled().await;
    let then = stage.administrator.now();
    while stage.administrator.now() <= then {
        tokio::task::yield_now().await;
    }
    let ida: SubjectId = "human:ida".parse().unwrap();
    stage.submit(SignalKind::MembershipChanged { subject: ida, groups: Vec::new() }).await;
    let who = "/api/v1/ask/who-can?action=http:read&resource=wiki";
    let now: wire::Holders = asked(&stage, &alice, who).await;
    assert_eq!(subjects(&now), ["human:alice", "service:backup"]);
    let could: wire::Holders = asked(&stage, &alice, &format!("{who}&as_of={then}")).await;
    assert_eq!(subjects(&could), ["human:alice", "human:ida", "service:backup"]);
    assert!(could.about.unknown.is_empty());
    assert!(could.about.caveats.iter().any(|caveat| caveat.contains("those of today")));

    let what = format!("/api/v1/ask/what-can?subject=human:ida&action=http:read&as_of={then}");
    let could: wire::Reaches = asked(&stage, &alice, &what).await;
    assert!(could.items.iter().any(|reach| reach.resource.as_str() == "wiki"));
    let why = format!("/api/v1/ask/why?subject=human:ida&action=http:read&resource=wiki&as_of={then}");
    let could: wire::Why = asked(&stage, &alice, &why).await;
    assert_eq!(could.decision.effect, wire::Effect::Allow);
    assert_eq!(could.chains[0].groups, ["interns", "staff"].map(|id| GroupId::new(id).unwrap()));
    for path in [format!("{why}&from_device=laptop"), format!("{who}&as_of=2200-01-01T00:00:00Z")] {
        assert!(stage.get("api", Some(&alice), &path).await.status.is_client_error(), "{path}");
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_read_or_names_nothing_says_so() {
    let (stage, alice) = filled().await;
    for (path, status, says) in [
        ("who-can?action=http:read&resource=wikii", StatusCode::NOT_FOUND, "resource wikii"),
        ("who-can?action=read&resource=wiki", StatusCode::BAD_REQUEST, "no action"),
        ("who-can?action=http:read&resource=wiki&sign_in=password", StatusCode::BAD_REQUEST, "multi-factor"),
        ("who-can?action=http:read&resource=wiki&network=moon", StatusCode::NOT_FOUND, "zone moon"),
        ("who-can?action=http:read&resource=wiki&group=ghosts", StatusCode::NOT_FOUND, "group ghosts"),
        ("who-can?action=http:read&resource=wiki&oops=1", StatusCode::BAD_REQUEST, "oops"),
        ("who-can?action=http:read&resource=wiki&risk=101", StatusCode::BAD_REQUEST, "0 to 100"),
        ("who-can?action=http:read&resource=wiki&limit=0", StatusCode::BAD_REQUEST, "10000"),
        ("what-can?subject=human:nobody", StatusCode::NOT_FOUND, "human:nobody"),
        ("why?subject=human:ida", StatusCode::BAD_REQUEST, "decision"),
        ("why?decision=00000000000000000000000000000000", StatusCode::NOT_FOUND, "nothing here"),
    ] {
        let answer = stage.get("api", Some(&alice), &format!("/api/v1/ask/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(says), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_somebody_can() {
    let (stage, alice) = filled().await;
    let found: wire::Reaches = asked(&stage, &alice, "/api/v1/ask/what-can?subject=human:ida&action=http:read").await;
    let resources: Vec<String> = found.items.iter().map(|one| one.resource.to_string()).collect();
    assert!(
        ["blog", "countersign-portal", "wiki"].iter().all(|id| resources.contains(&(*id).to_owned())),
        "{resources:?}"
    );
    assert!(!resources.contains(&"payroll".to_owned()) && !resources.contains(&"countersign-console".to_owned()));
    stage.submit(SignalKind::SubjectState { id: "human:ida".parse().unwrap(), state: SubjectState::Disabled }).await;
    let none: wire::Reaches = asked(&stage, &alice, "/api/v1/ask/what-can?subject=human:ida").await;
    assert!(none.items.is_empty(), "{none:?}");
}

fn turns(why: &wire::Why) -> Vec<&str> {
    why.turns.iter().map(|turn| turn.words.as_str()).collect()
}

#[tokio::test]
async fn why_and_what_would_turn_it_around() {
    let (stage, alice) = filled().await;
    let path = "/api/v1/ask/why?subject=human:ida&action=http:read&resource=wiki";
    let allowed: wire::Why = asked(&stage, &alice, path).await;
    assert_eq!(allowed.decision.effect, wire::Effect::Allow);
    assert_eq!(allowed.sources[0].id.as_str(), "readers-read");
    assert!(allowed.sources[0].file.ends_with("entitlement.cedar") && allowed.sources[0].line > 1);
    let groups: Vec<&str> = allowed.chains[0].groups.iter().map(|group| group.as_str()).collect();
    assert_eq!((groups, allowed.chains[0].counts_as[0].as_str()), (vec!["interns", "staff"], "reader"));
    for expected in
        ["Leave the group interns.", "A sign-in that is not multi-factor.", "Not signed in.", "A risk of 70 or more."]
    {
        assert!(turns(&allowed).contains(&expected), "{expected}: {:?}", turns(&allowed));
    }
    assert!(!turns(&allowed).contains(&"A sign-in that is not phishing-resistant."), "{:?}", turns(&allowed));

    let refused: wire::Why = asked(&stage, &alice, &path.replace("human:ida", "human:otto")).await;
    assert_eq!(refused.decision.effect, wire::Effect::Deny);
    assert_eq!(turns(&refused), ["Be put into the group owners.", "Be put into the group staff."]);
    assert!(refused.suffices.is_empty());
    let risky: wire::Why = asked(&stage, &alice, &format!("{path}&sign_in=passkey&risk=90")).await;
    assert!(turns(&risky).contains(&"A risk of 69 or less."), "{:?}", turns(&risky));
    let weak: wire::Why = asked(&stage, &alice, &format!("{path}&sign_in=federated")).await;
    assert_eq!(
        (weak.decision.effect, turns(&weak)[0]),
        (wire::Effect::Challenge, "Confirm that it is you with your passkey.")
    );

    let recorded: wire::Why = asked(&stage, &alice, &format!("/api/v1/ask/why?decision={}", alice.decision)).await;
    assert_eq!((recorded.recorded, recorded.same_policies), (Some(alice.decision), true));
    let proof = recorded.facts.iter().find(|fact| fact.name.starts_with("context.authentication")).unwrap();
    assert!(proof.source == "sign-in" && proof.observed.is_some(), "{proof:?}");
}

#[tokio::test]
async fn who_did_comes_from_the_ledger() {
    let (stage, alice) = filled().await;
    let done: wire::Done = asked(&stage, &alice, "/api/v1/ask/did?subject=human:alice").await;
    let portal = &done.items[0];
    assert_eq!((portal.resource.as_str(), portal.count, portal.decision), ("countersign-portal", 1, alice.decision));
    let before: wire::Done = asked(&stage, &alice, "/api/v1/ask/did?to=2020-01-01T00:00:00Z").await;
    assert!(before.items.is_empty() && before.read == 0, "{before:?}");
}

#[tokio::test]
async fn the_matrix_counts_everybody() {
    let (stage, alice) = filled().await;
    let path = "/api/v1/ask/matrix?action=http:read&sign_in=multi-factor";
    let matrix: wire::AccessMatrix = asked(&stage, &alice, path).await;
    let wiki = matrix.resources.iter().position(|id| id.as_str() == "wiki").unwrap();
    let row = |of: &str| matrix.rows.iter().find(|row| row.of == of).map(|row| (row.members, row.can[wiki])).unwrap();
    assert_eq!(row("human"), (3, 2));
    assert_eq!(row("service"), (2, 1));
    assert_eq!(row("anonymous"), (1, 0));
    assert_eq!((row("staff"), row("interns")), ((2, 2), (1, 1)));
    let page: wire::AccessMatrix = asked(&stage, &alice, "/api/v1/ask/matrix?limit=1").await;
    assert_eq!((page.resources.len(), page.next_resources.as_deref()), (1, Some("blog")));
    assert_eq!(page.next_groups.as_deref(), Some("auditors"));
}

#[tokio::test]
async fn coverage_names_what_no_policy_speaks_for() {
    let (stage, alice) = filled().await;
    let coverage: wire::Coverage = asked(&stage, &alice, "/api/v1/coverage").await;
    assert_eq!(coverage.subjects.items, ["human:otto"]);
    let door = |resource: &str, action: &str| {
        coverage.doors.items.iter().any(|door| door.resource.as_str() == resource && door.action == action)
    };
    // Owners use every application; nobody writes to what is Countersign's own ledger but them.
    assert!(!door("wiki", "http:read") && !door("wiki", "http:write"));
    assert!(coverage.exceptional.is_empty(), "{:?}", coverage.exceptional);
    // Alice's phone is neither managed nor healthy: from it she can do no more than without it.
    assert_eq!(coverage.devices.items, ["phone <b>"]);
    assert_eq!(coverage.ownerless[0].owner, "security");

    let policies =
        policies().into_iter().map(|(name, text)| (name, text.replace("Group::\"owners\"", "Group::\"nobody\"")));
    let body = json!({ "files": policies.collect::<BTreeMap<_, _>>() });
    let answer = stage.json("api", Some(&alice), Method::PUT, "/api/v1/policies", body).await;
    assert_eq!(answer.json()["applied"], true, "{}", answer.body);
    let coverage: wire::Coverage = asked(&stage, &alice, "/api/v1/coverage").await;
    let console: Vec<&wire::Door> =
        coverage.doors.items.iter().filter(|door| door.resource.as_str() == "countersign-console").collect();
    assert!(console.iter().any(|door| door.path.as_deref() == Some("/console/*")), "{console:?}");
}
