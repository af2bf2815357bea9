//! What is done about the gaps, over the API and in the console without a script: steps are taken on and close by themselves, words are given
//! under one's own name, and the past is told.

use super::estate::users;
use super::*;

const STEP: &str = "/api/v1/estate/steps/password-never-expires/assignment";

/// So many days from now, as an API takes it, and as a browser's field writes it.
fn day(stage: &Stage, days: u64) -> (String, String) {
    let at = stage.administrator.now().plus(Duration::from_secs(days * 86_400)).to_string();
    (at.clone(), at[..10].to_owned())
}

fn step(answer: &Answer) -> Value {
    let answer = answer.json();
    let steps = answer["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == "password-never-expires").cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_step_is_taken_on_exported_and_closes_by_itself() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.imports(&alice).await;
    let get = async |path: &str| stage.get("api", Some(&alice), &format!("/api/v1/estate/{path}")).await;
    let put = async |path: &str, body: Value| stage.json("api", Some(&alice), Method::PUT, path, body).await;
    let (due, _) = day(&stage, 7);
    let owner = format!("=cmd {}", stage.mark);
    assert_eq!(put(STEP, json!({ "owner": owner, "due": due })).await.status, StatusCode::NO_CONTENT);
    let taken = step(&get("steps").await);
    assert_eq!((&taken["owner"], &taken["due"], &taken["overdue"]), (&json!(owner), &json!(due), &json!(false)));
    assert_eq!(step(&get("gaps").await)["owner"], json!(owner));
    assert_eq!(get("own").await.json()["own"]["assigned"]["password-never-expires"]["owner"], json!(owner));
    let csv = get("steps?format=csv").await;
    assert_eq!(csv.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    assert!(csv.body.contains("'=cmd"), "a spreadsheet is given no formula: {}", csv.body);
    let markdown = get("steps?format=markdown").await.body;
    assert!(markdown.contains("- **Owner**: =cmd") && !markdown.contains("<script>"), "{markdown}");
    assert_eq!(get("steps?format=xml").await.status, StatusCode::BAD_REQUEST);

    for (path, body) in [
        (STEP, json!({ "owner": "" })),
        (STEP, json!({ "owner": "ben", "due": "2020-01-01T00:00:00Z" })),
        ("/api/v1/estate/steps/none/assignment", json!({ "owner": "ben" })),
    ] {
        assert_eq!(put(path, body.clone()).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}");
    }

    // The evidence is mended; nobody ticks anything off.
    let mended = users("").replace("\"pwdneverexpires\":true", "\"pwdneverexpires\":false");
    let path = "/api/v1/estate/imports?name=users.json";
    let body = Some(("application/octet-stream", mended));
    assert_eq!(stage.ask("api", Some(&alice), Method::POST, path, body).await.status, StatusCode::OK);
    stage.estate.settled().await;
    let answer = get("steps").await;
    assert_eq!(step(&answer), Value::Null);
    let closed = &answer.json()["closed"][0];
    assert_eq!((&closed["step"], &closed["owner"]), (&json!("password-never-expires"), &json!(owner)), "{closed}");
    assert_eq!(closed["because"], "because the evidence changed");
    let page = stage.get("console", Some(&alice), "/console/board").await.body;
    assert!(page.contains("because the evidence changed") && page.contains("had it"), "{page}");
    let trend = get("trend?of=score").await.json();
    let points = trend["lines"][0]["points"].as_array().unwrap();
    assert_eq!((trend["lines"].as_array().unwrap().len(), points.len()), (1, 1), "{trend}");
    assert_eq!(trend["snapshots"][0]["evidence_at_hand"], true);
    assert_eq!(get("trend?of=nothing").await.status, StatusCode::NOT_FOUND);

    // It is not there any more, and who had it can be let go all the same; once.
    let release = async || stage.ask("api", Some(&alice), Method::DELETE, STEP, None).await.status;
    assert_eq!(release().await, StatusCode::NO_CONTENT);
    assert_eq!(release().await, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_word_is_given_under_ones_own_name() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.imports(&alice).await;
    let path = "/api/v1/estate/attestations";
    let body = |claim: &str, days| {
        json!({ "control": "break-glass", "claim": claim, "statement": "two envelopes",
        "until": day(&stage, days).0 })
    };
    let post = async |body| stage.json("api", Some(&alice), Method::POST, path, body).await;
    let given = post(body("in-place", 30)).await;
    assert_eq!(given.status, StatusCode::CREATED, "{}", given.body);
    let given = given.json();
    assert_eq!((&given["by"], &given["in_force"]), (&json!("human:alice"), &json!(true)));
    assert!(given["entry"].is_u64(), "{given}");
    // Nobody can say whose word it is.
    let mut other = body("in-place", 30);
    other["by"] = json!("human:bob");
    assert_eq!(post(other).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post(body("perfect", 30)).await.status, StatusCode::BAD_REQUEST);
    for wrong in [body("not-assessed", 30), body("in-place", 400), body("in-place", 0)] {
        assert_eq!(post(wrong.clone()).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    stage.estate.settled().await;
    let gaps = stage.get("api", Some(&alice), "/api/v1/estate/gaps").await.body;
    assert!(gaps.contains("two envelopes"), "{gaps}");

    let theirs = format!("{path}?control=break-glass&by=human%3Abob");
    let delete = async |path: &str| stage.ask("api", Some(&alice), Method::DELETE, path, None).await.status;
    assert_eq!(delete(&theirs).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(delete(&format!("{path}?control=break-glass")).await, StatusCode::NO_CONTENT);
    assert_eq!(stage.get("api", Some(&alice), path).await.json(), json!([]));
}

#[tokio::test]
async fn board_and_word_do_without_a_script() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.imports(&alice).await;
    let form = async |path: &str, body: &str| stage.form("console", Some(&alice), path, body).await;
    let (_, due) = day(&stage, 7);
    let taken = form("/console/board/assign", &format!("step=password-never-expires&owner=ben%3Cb%3E&due={due}")).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.body);
    assert_eq!(taken.headers[header::LOCATION], "/console/board?done=step-assigned#step-password-never-expires");
    let page = stage.get("console", Some(&alice), "/console/board?done=step-assigned").await.body;
    assert!(page.contains(&format!("{due} 23:59:59 UTC")) && page.contains("ben&#60;b&#62;"), "{page}");
    let late = form("/console/board/assign", "step=password-never-expires&owner=ben&due=2020-01-01").await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.body.contains("still to come"), "{}", late.body);
    let nobody = form("/console/board/release", "step=password-never-expires").await;
    assert_eq!(nobody.headers[header::LOCATION], "/console/board?done=step-released#step-password-never-expires");

    let words = format!("claim=in-place&statement=two%20%3Cscript%3Eenvelopes&until={due}");
    let given = form("/console/gaps/break-glass/attest", &words).await;
    assert_eq!(given.headers[header::LOCATION], "/console/gaps/break-glass?done=attested", "{}", given.body);
    let page = stage.get("console", Some(&alice), "/console/gaps/break-glass").await.body;
    assert!(page.contains("in force") && page.contains("of the ledger") && !page.contains("<script>"), "{page}");
    // What was typed is still there.
    let long = form("/console/gaps/break-glass/attest", "claim=partial&statement=kept&until=2020-01-01").await;
    assert!(long.status == StatusCode::UNPROCESSABLE_ENTITY && long.body.contains("kept"), "{}", long.body);
    let back = form("/console/gaps/break-glass/take-back", "by=human%3Aalice").await;
    assert_eq!(back.headers[header::LOCATION], "/console/gaps/break-glass?done=taken-back");
    assert_eq!(form("/console/gaps/nothing/attest", &words).await.status, StatusCode::NOT_FOUND);
}
