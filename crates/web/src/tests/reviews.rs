//! Reviews through the pages and over the API: opened, decided by whoever is asked, ended, and what is left exported.

use super::*;

async fn three() -> (Stage, Person, Person) {
    let stage = stage();
    let (alice, bob) = (stage.owner("alice").await, stage.owner("bob").await);
    stage.owner("carl").await;
    stage.fill().await;
    (stage, alice, bob)
}

const FORM: &str = "title=Autumn+%3Cscript%3E&about=access&kind=&groups=&resources=wiki&segments=&fallbacks=human%3Abob&within=14&days=90";

fn only(stage: &Stage) -> Arc<countersign_model::Review> {
    let mut all = stage.administrator.reviews();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn groups_of(stage: &Stage, name: &str) -> usize {
    stage.administrator.subject(&SubjectId::human(name).unwrap()).unwrap().groups.len()
}

/// The line about what somebody has through a group.
fn line(stage: &Stage, name: &str) -> u32 {
    let subject = SubjectId::human(name).unwrap();
    let is = |line: &&countersign_model::ReviewLine| match &line.about {
        countersign_model::Reviewed::Access(access) => access.subject.as_ref() == Some(&subject),
        countersign_model::Reviewed::Policy(_) => false,
    };
    only(stage).lines.iter().find(is).unwrap().number
}

#[tokio::test]
async fn the_forms_lead_from_opening_to_the_end() {
    let (stage, alice, bob) = three().await;
    let wrong = FORM.replace("within=14", "within=soon").replace("fallbacks=human%3Abob", "fallbacks=bob");
    let wrong = stage.form("console", Some(&alice), "/console/new-review", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.body.contains("Days until the deadline:") && wrong.body.contains("Who else reviews:"),
        "{}",
        wrong.body
    );
    let opened = stage.form("console", Some(&alice), "/console/new-review", FORM).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.body);
    let review = only(&stage);
    let (console, mine) = (format!("/console/reviews/{}", review.id), format!("/my/reviews/{}", review.id));
    let (bobs, carls) = (line(&stage, "bob"), line(&stage, "carl"));
    let page = stage.get("console", Some(&alice), &console).await;
    assert!(page.body.contains("human:carl") && page.body.contains("Decide yours") && !page.body.contains("<script>"));
    super::gallery::is_accessible(&console, &page.body);

    // Alice owns the wiki, and is asked about everybody but herself; Bob is asked about her.
    let page = stage.get("portal", Some(&alice), &mine).await;
    super::gallery::is_accessible(&mine, &page.body);
    let box_of = |number: u32| format!("name=\"line\" value=\"{number}\"");
    assert!(page.body.contains(&box_of(bobs)) && page.body.contains(&box_of(carls)), "{}", page.body);
    assert!(!page.body.contains(&box_of(line(&stage, "alice"))), "her own");
    let page = stage.get("portal", Some(&bob), &mine).await;
    assert!(page.body.contains(&box_of(line(&stage, "alice"))) && !page.body.contains(&box_of(carls)));
    let list = stage.get("portal", Some(&bob), "/my/reviews").await;
    assert!(list.body.contains("due in 1") && list.body.contains(&mine), "{}", list.body);

    let silent = stage.form("portal", Some(&alice), &mine, &format!("line={carls}&reason=&decision=revoke")).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(silent.body.contains("the reason is missing") && silent.body.contains("checked"), "{}", silent.body);
    let odd = stage.form("portal", Some(&alice), &mine, &format!("line={carls}&decision=revoke&by=human%3Abob")).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    let foreign = stage.form("portal", Some(&bob), &mine, &format!("line={carls}&reason=x&decision=revoke")).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", foreign.body);
    assert_eq!((groups_of(&stage, "bob"), groups_of(&stage, "carl")), (1, 1));

    let bulk = stage.form("portal", Some(&alice), &mine, &format!("line={carls}&reason=left&decision=revoke")).await;
    assert_eq!(bulk.status, StatusCode::SEE_OTHER, "{}", bulk.body);
    assert_eq!((groups_of(&stage, "bob"), groups_of(&stage, "carl")), (1, 0));
    let closed = stage.form("console", Some(&alice), &format!("{console}/end"), "how=close&why=enough").await;
    assert_eq!(closed.status, StatusCode::SEE_OTHER, "{}", closed.body);
    assert_eq!((groups_of(&stage, "alice"), groups_of(&stage, "bob")), (1, 0), "hers comes from a policy");
    let page = stage.get("console", Some(&alice), &console).await;
    for text in ["revoked", "by human:alice", "left to do", "closed", "the deadline"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("Close it and revoke"), "it is over");
    let page = stage.get("console", Some(&alice), "/console/reviews").await;
    super::gallery::is_accessible("/console/reviews", &page.body);
}

#[tokio::test]
async fn whoever_is_not_asked_does_not_see_that_there_is_one() {
    let (stage, alice, _) = three().await;
    let dave = stage.owner("dave").await;
    stage.form("console", Some(&alice), "/console/new-review", FORM).await;
    let mine = format!("/my/reviews/{}", only(&stage).id);
    let (shown, absent) =
        (stage.get("portal", Some(&dave), &mine).await, stage.get("portal", Some(&dave), "/my/reviews/none").await);
    assert_eq!((shown.status, absent.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(shown.body, absent.body);
    let acted = stage.form("portal", Some(&dave), &mine, "line=1&reason=x&decision=keep").await;
    assert_eq!(acted.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_api_says_the_same() {
    let (stage, alice, bob) = three().await;
    let deadline = stage.administrator.now().plus(Duration::from_secs(5 * 86_400));
    let body = json!({ "title": "Autumn", "about": "access", "scope": { "resources": ["wiki"] },
                       "deadline": deadline, "fallbacks": ["human:bob"] });
    let opened = stage.json("api", Some(&alice), Method::POST, "/api/v1/reviews", body.clone()).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let opened = opened.json();
    assert_eq!((&opened["standing"], &opened["undecided"]), (&json!("due in 4 days"), &opened["lines"]));
    let url = format!("/api/v1/reviews/{}", opened["id"].as_str().unwrap());
    let carls = line(&stage, "carl");
    let lines = stage.get("api", Some(&bob), &format!("{url}/lines?reviewer=human%3Abob")).await.json();
    assert_eq!(lines["items"][0]["subject"], "human:alice");
    assert_eq!(lines["items"][0]["instead_of"], "human:alice");
    let first = stage.get("api", Some(&bob), &format!("{url}/lines?limit=1")).await.json();
    let next = first["next"].as_str().unwrap();
    let second = stage.get("api", Some(&bob), &format!("{url}/lines?limit=1&cursor={next}")).await.json();
    assert_eq!(second["items"][0]["number"], 2);

    let decide = |lines: u32, decision: &str| json!({ "lines": [lines], "decision": decision, "reason": "moved on" });
    let act = format!("{url}/decisions");
    let foreign = stage.json("api", Some(&bob), Method::POST, &act, decide(carls, "keep")).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", foreign.body);
    let absent = stage.json("api", Some(&alice), Method::POST, &act, decide(99, "keep")).await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    let odd = stage.json("api", Some(&alice), Method::POST, &act, decide(carls, "maybe")).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    let decided = stage.json("api", Some(&alice), Method::POST, &act, decide(carls, "revoke")).await;
    assert_eq!((decided.status, &decided.json()["revoked"]), (StatusCode::OK, &json!(1)));
    let ended = json!({ "how": "close", "why": "enough" });
    let ended = stage.json("api", Some(&alice), Method::POST, &format!("{url}/end"), ended).await;
    assert_eq!((ended.status, &ended.json()["standing"]), (StatusCode::OK, &json!("closed")));
    let left = stage.get("api", Some(&alice), &format!("{url}/lines?only=left")).await.json();
    assert_eq!(
        (&left["items"][0]["subject"], &left["items"][0]["carried_out"]),
        (&json!("human:alice"), &json!(false))
    );

    let plan = stage.get("api", Some(&alice), "/api/v1/resources/wiki/decommission").await.json();
    assert_eq!((&plan["goes"][0]["kind"], &plan["goes"][0]["name"]), (&json!("resource"), &json!("wiki")));
    let wrong = json!({ "title": "x", "about": "everything", "deadline": deadline, "fallbacks": ["human:bob"] });
    let wrong = stage.json("api", Some(&alice), Method::POST, "/api/v1/reviews", wrong).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}
