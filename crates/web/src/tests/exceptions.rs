//! The register of exceptions through its forms and over the API: asked for, agreed to by somebody else, reviewed, ended.

use super::*;

const FORM: &str = "relaxes=high-needs-healthy-device&relaxes=unmanaged-devices-see-nothing-sensitive&subjects=human%3Aalice\
                    &resources=wiki%2C+blog&class=read&class=write&reason=A+%3Cscript%3Elathe&control=A+guard&probe=policy\
                    &probe_of=high-risk-stops-everything-sensitive&probe_status=200&owner=human%3Acarl&days=30";

async fn three() -> (Stage, Person, Person) {
    let stage = stage();
    let (alice, bob) = (stage.owner("alice").await, stage.owner("bob").await);
    stage.owner("carl").await;
    stage.fill().await;
    (stage, alice, bob)
}

fn only(stage: &Stage) -> countersign_administrator::ExceptionView {
    let mut all = stage.administrator.exceptions();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn the_forms_lead_from_asking_to_the_end() {
    let (stage, alice, bob) = three().await;
    let form = stage.get("console", Some(&alice), "/console/new-exception").await;
    for policy in
        ["high-needs-healthy-device", "unmanaged-devices-only-read", "unmanaged-devices-see-nothing-sensitive"]
    {
        assert!(form.body.contains(&format!("value=\"{policy}\"")), "{policy}");
    }
    assert_eq!(form.body.matches("name=\"relaxes\"").count(), 3, "nothing else can be relaxed");

    let wrong = FORM.replace("owner=human%3Acarl", "owner=carl").replace("days=30", "days=many");
    let wrong = stage.form("console", Some(&alice), "/console/new-exception", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("Who answers for it:") && wrong.body.contains("Days:"), "{}", wrong.body);
    assert!(wrong.body.contains("A guard"), "what was typed is still there");
    let long = stage.form("console", Some(&alice), "/console/new-exception", &FORM.replace("days=30", "days=91")).await;
    assert!(long.body.contains("within 90 days"), "{}", long.body);
    let odd = stage.form("console", Some(&alice), "/console/new-exception", &format!("{FORM}&approved=1")).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    assert!(stage.administrator.exceptions().is_empty());

    let asked = stage.form("console", Some(&alice), "/console/new-exception", FORM).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
    let url = crate::console::exception_url(&only(&stage).exception.id);
    let page = stage.get("console", Some(&alice), &url).await;
    assert!(page.body.contains("requested") && page.body.contains("Agree to it") && !page.body.contains("<script>"));
    let own = stage.form("console", Some(&alice), &format!("{url}/approve"), "").await;
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(own.body.contains("asked for it: somebody else has to agree"), "{}", own.body);
    let agreed = stage.form("console", Some(&bob), &format!("{url}/approve"), "").await;
    assert_eq!(agreed.status, StatusCode::SEE_OTHER, "{}", agreed.body);
    let probed = stage.form("console", Some(&bob), &format!("{url}/probe"), "").await;
    assert_eq!(probed.status, StatusCode::SEE_OTHER, "{}", probed.body);
    let reviewed = stage.form("console", Some(&bob), &format!("{url}/review"), "days=60&note=still+there").await;
    assert_eq!(reviewed.status, StatusCode::SEE_OTHER, "{}", reviewed.body);
    let page = stage.get("console", Some(&alice), &url).await;
    for text in ["in force", "works", "agreed to", "still there", "human:bob"] {
        assert!(page.body.contains(text), "{text}");
    }
    let register = stage.get("console", Some(&alice), "/console/exceptions").await;
    assert!(register.body.contains(&url) && register.body.contains("in force"));
    let ended = stage.form("console", Some(&alice), &format!("{url}/end"), "why=mended").await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.body);
    let page = stage.get("console", Some(&alice), &url).await;
    assert!(page.body.contains("mended") && !page.body.contains(&format!("{url}/end\"")));
}

#[tokio::test]
async fn the_api_says_the_same() {
    let (stage, alice, bob) = three().await;
    let expires = stage.administrator.now().plus(Duration::from_secs(86_400));
    let body = json!({
        "owner": "human:carl", "reason": "A lathe", "relaxes": ["high-needs-healthy-device"], "control": "A guard",
        "scope": { "subjects": ["human:alice"], "resources": ["wiki"], "classes": ["read"] }, "expires": expires,
        "probe": { "kind": "http", "url": "https://guard.example/health", "status": 204 },
    });
    let asked = stage.json("api", Some(&alice), Method::POST, "/api/v1/exceptions", body.clone()).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    let asked = asked.json();
    assert_eq!((&asked["standing"], &asked["probed"]["result"]), (&json!("requested"), &json!("unknown")));
    let url = format!("/api/v1/exceptions/{}", asked["id"].as_str().unwrap());
    let approve = format!("{url}/approve");
    let own = stage.json("api", Some(&alice), Method::POST, &approve, json!({})).await;
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
    let agreed = stage.json("api", Some(&bob), Method::POST, &approve, json!({})).await;
    assert_eq!((agreed.status, &agreed.json()["standing"]), (StatusCode::OK, &json!("in-force")));
    let listed = stage.get("api", Some(&alice), "/api/v1/exceptions?standing=in-force&limit=1").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["figures"]["in_force"], &listed["figures"]["relaxable"]), (&json!(1), &json!(3)));
    let mut both = [listed["items"][0].clone(), stage.get("api", Some(&alice), &url).await.json()];
    // That nobody has asked is so whenever one looks.
    both.iter_mut().for_each(|one| one["probed"]["at"] = json!(null));
    assert_eq!(both[0], both[1]);
    let review = json!({ "expires": stage.administrator.now().plus(Duration::from_secs(7200)), "note": "soon over" });
    let reviewed = stage.json("api", Some(&bob), Method::POST, &format!("{url}/review"), review).await.json();
    assert_eq!(reviewed["history"].as_array().unwrap().len(), 2, "{reviewed}");
    let ended = stage.json("api", Some(&alice), Method::POST, &format!("{url}/end"), json!({ "why": "mended" })).await;
    assert_eq!(ended.json()["standing"], "ended");
    for (name, value) in [("approval", json!({})), ("behind", json!([]))] {
        let mut more = body.clone();
        more[name] = value;
        let refused = stage.json("api", Some(&alice), Method::POST, "/api/v1/exceptions", more).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{name}");
    }
    let found = stage.get("api", Some(&alice), "/api/v1/exceptions/undocumented").await;
    assert!(found.json().as_array().unwrap().iter().all(|one| one["kind"] == "ownerless-policy"), "{}", found.body);
    let absent = stage.get("api", Some(&alice), "/api/v1/exceptions/none").await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
}
