//! The estate over the API and in the console: files come in within bounds or not at all, answers go out in pages, and who may read may
//! not take everything with them.

use super::*;

/// A directory in which Ann controls Ben, who is of tier zero; `mark` stands in her name.
pub(super) fn users(mark: &str) -> String {
    json!({ "data": [
        { "ObjectIdentifier": "S-1-5-21-1-2-3-1101", "PrimaryGroupSID": "S-1-5-21-1-2-3-513", "Aces": [],
          "Properties": { "domain": "CORP.EXAMPLE", "name": format!("ANN@CORP.EXAMPLE {mark}").trim_end(), "samaccountname": "ann",
            "displayname": "Ann Archer", "enabled": true, "pwdneverexpires": true, "lastlogontimestamp": 1_500_000_000,
            "pwdlastset": 1_400_000_000, "whencreated": 1_300_000_000 } },
        { "ObjectIdentifier": "S-1-5-21-1-2-3-1102", "PrimaryGroupSID": "S-1-5-21-1-2-3-513",
          "Properties": { "domain": "CORP.EXAMPLE", "name": "BEN@CORP.EXAMPLE", "samaccountname": "ben", "highvalue": true,
            "displayname": "Ben Baker", "enabled": true, "lastlogontimestamp": 1_699_000_000, "pwdlastset": 1_690_000_000 },
          "Aces": [{ "PrincipalSID": "S-1-5-21-1-2-3-1101", "PrincipalType": "User", "RightName": "GenericAll", "IsInherited": false }] }
    ], "meta": { "methods": 7, "type": "users", "count": 2, "version": 6 } })
    .to_string()
}

pub(super) const ANN: &str = "sid%3AS-1-5-21-1-2-3-1101";

fn form(files: &[(&str, &str)], words: &[(&str, &str)]) -> (&'static str, String) {
    let mut body = String::new();
    for (name, text) in files {
        body.push_str(&format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n"
        ));
    }
    for (name, text) in words {
        body.push_str(&format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"));
    }
    body.push_str("--frontier--\r\n");
    ("multipart/form-data; boundary=frontier", body)
}

impl Stage {
    pub(super) async fn imports(&self, who: &Person) {
        let body = Some(form(&[("users.json", &users(self.mark))], &[]));
        let answer = self.ask("api", Some(who), Method::POST, "/api/v1/estate/imports", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        self.estate.settled().await;
    }
}

#[tokio::test]
async fn files_come_in_and_answers_go_out() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    let post = async |path: &str, body| stage.ask("api", Some(&alice), Method::POST, path, Some(body)).await;
    let get = async |path: &str| stage.get("api", Some(&alice), &format!("/api/v1/{path}")).await;

    let tried = post("/api/v1/estate/imports?dry_run=true", form(&[("users.json", &users(""))], &[])).await.json();
    assert_eq!((&tried["number"], &tried["counts"]["nodes_added"]), (&json!(0), &json!(2)));
    assert_eq!(get("estate").await.json()["nodes"], 0);
    // As a form, or as the file itself.
    let done = post("/api/v1/estate/imports", form(&[("C:\\exports\\users.json", &users(""))], &[])).await.json();
    assert_eq!((&done["number"], &done["files"][0]["name"]), (&json!(1), &json!("users.json")));
    let again = post("/api/v1/estate/imports?name=users.json", ("application/octet-stream", users(""))).await.json();
    assert_eq!((&again["number"], &again["counts"]["nodes_added"]), (&json!(2), &json!(0)));
    stage.estate.settled().await;

    assert_eq!(get("estate/imports?limit=1").await.json()["next"], "2");
    assert_eq!(get("estate/imports/1").await.json()["by"], "human:alice");
    let nodes = get("estate/nodes?search=ann&found=true").await.json();
    assert_eq!((&nodes["total"], &nodes["items"][0]["systems"][0]), (&json!(1), &json!("sharphound")));
    let page = get(&format!("estate/node?key={ANN}")).await.json();
    assert_eq!(page["radius"]["tier-zero-reached"], 1);
    let outgoing = page["outgoing"]["items"].as_array().unwrap();
    assert!(outgoing.iter().any(|edge| edge["relation"] == "full-control"), "{outgoing:?}");
    assert!(page["findings"].as_array().unwrap().iter().all(|one| one["evidence"][0]["sha256"].is_string()));
    assert_eq!(get("estate/node?key=nobody").await.status, StatusCode::NOT_FOUND);
    let health = get("estate/health").await.json();
    let worst = &health["indicators"][0];
    assert_eq!(worst["outcome"], "found");
    let query = crate::page::encode(worst["query"].as_str().unwrap());
    let found = get(&format!("estate/nodes?query={query}")).await.json();
    assert_eq!(found["total"], worst["found"]);
    assert_eq!(get("estate/nodes?query=account%20and").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get("estate/health?indicator=nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("graph/paths?from=ann").await.json()["ways"]["length"], 1);
    assert_eq!(get("graph/blast-radius").await.json()["radius"]["tier-zero"], 1);

    let saved = get("estate/inventory").await;
    let read = countersign_estate::Inventory::load(saved.body.as_bytes()).unwrap();
    assert_eq!(read.nodes().len(), 3, "two accounts and the group that they are in");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_changes_nothing() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    stage.imports(&alice).await;
    let whole = users("");
    let cut = &whole[..whole.len() / 2];
    for (name, text) in
        [("cut.json", cut), ("trap.zip", "PK\u{3}\u{4}nothing"), ("words.txt", "hello"), ("none.json", "")]
    {
        let body = Some(form(&[("users.json", &whole), (name, text)], &[]));
        let answer = stage.ask("api", Some(&alice), Method::POST, "/api/v1/estate/imports", body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", answer.body);
        let problem = answer.json();
        assert_eq!((&problem["type"], &problem["file"]), (&json!("/problems/unreadable"), &json!(name)));
        assert!(!problem["reason"].as_str().unwrap().is_empty());
        // And in the console, without a script.
        let page = stage.ask("console", Some(&alice), Method::POST, "/console/estate/imports", body).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.body.contains("Nothing was imported") && page.body.contains(name), "{}", page.body);
    }
    let no_boundary = Some(("multipart/form-data", String::new()));
    let answer = stage.ask("api", Some(&alice), Method::POST, "/api/v1/estate/imports", no_boundary).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let broken = Some(("multipart/form-data; boundary=frontier", "--frontier\r\nContent-Disp".to_owned()));
    let answer = stage.ask("api", Some(&alice), Method::POST, "/api/v1/estate/imports", broken).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.estate.status().imports, 1);
    // Nobody is left with the turn.
    stage.imports(&alice).await;
}

#[tokio::test]
async fn the_console_does_without_a_script() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let send = async |words: &[(&str, &str)]| {
        let body = Some(form(&[("users.json", &users(HOSTILE))], words));
        stage.ask("console", Some(&alice), Method::POST, "/console/estate/imports", body).await
    };
    let tried = send(&[("dry_run", "on")]).await;
    assert!(tried.body.contains("What would change"), "{}", tried.body);
    let done = send(&[("at", "2024-01-01T10:00")]).await;
    assert_eq!(done.headers[header::LOCATION], "/console/estate/imports/1?done=estate-imported");
    stage.estate.settled().await;
    let page = stage.get("console", Some(&alice), "/console/estate/imports/1?done=estate-imported").await;
    assert!(page.body.contains("2024-01-01 10:00:00 UTC") && page.body.contains("SHA-256"), "{}", page.body);
    let page = stage.get("console", Some(&alice), &format!("/console/estate/identity?key={ANN}")).await;
    assert!(page.body.contains("A shortest way to tier zero") && !page.body.contains("<script>"), "{}", page.body);

    // What a person says of a thing: a device is one that a person is to classify.
    let body = "key=sid%3AS-1-5-21-1-2-3-1102&tier=high&owner=human%3Aalice&segment=";
    let answer = stage.form("console", Some(&alice), "/console/estate/classify", body).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    stage.estate.settled().await;
    let page = stage.get("api", Some(&alice), "/api/v1/estate/node?key=ben").await.json();
    assert_eq!((&page["node"]["tier"], &page["classified_by"]), (&json!("high"), &json!("human:alice")));
    let link = "one=sid%3AS-1-5-21-1-2-3-1101&other=sid%3AS-1-5-21-1-2-3-1102&same=yes";
    let answer = stage.form("console", Some(&alice), "/console/estate/links", link).await;
    assert_eq!(answer.headers[header::LOCATION], "/console/estate/links?done=link-confirmed");
    stage.estate.settled().await;
    let links = stage.get("api", Some(&alice), "/api/v1/estate/links?state=linked").await.json();
    assert_eq!(links["items"][0]["reasons"][0], "confirmed by a person");
    for wrong in ["one=a&other=b&same=yes", "one=a&other=b&same=perhaps", "one=a&same=yes"] {
        let answer = stage.form("console", Some(&alice), "/console/estate/links", wrong).await;
        assert!(answer.status.is_client_error(), "{wrong}: {}", answer.status);
    }
}

#[tokio::test]
async fn an_auditor_reads_and_takes_nothing_away() {
    let stage = Stage::new("", Vec::new());
    stage.owner("alice").await;
    let api = stage.administrator.resource(&ResourceId::new("countersign-api").unwrap()).unwrap();
    let class = |method: &str, path: &str| api.http_action(method, path, false).class;
    assert_eq!(class("GET", "/api/v1/estate/nodes"), ActionClass::Read);
    assert_eq!(class("GET", "/api/v1/estate/inventory"), ActionClass::Administer);
    assert_eq!(class("HEAD", "/API/v1/estate/inventory/"), ActionClass::Administer);
    assert_eq!(class("POST", "/api/v1/estate/imports"), ActionClass::Administer);
}

#[tokio::test]
async fn what_announces_too_much_is_refused_before_it_is_read() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    let mut request = Request::post("/api/v1/estate/imports")
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_LENGTH, "99999999999")
        .body(Body::from(users("")))
        .unwrap();
    request.extensions_mut().insert(alice.principal.clone());
    request.extensions_mut().insert(arrival(alice.decision));
    assert_eq!(stage.send("api", request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(stage.estate.status().imports, 0);
}

#[tokio::test]
async fn the_map_is_drawn_and_told() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    stage.imports(&alice).await;
    let map = stage.get("api", Some(&alice), "/api/v1/estate/map?by=tier").await.json();
    let items = map["map"]["items"].as_array().unwrap();
    let place = |id: &str| items.iter().position(|item| item["id"] == id).unwrap();
    let (outside, zero) = (place("tier"), place("tier:tier zero"));
    let edges = map["map"]["edges"].as_array().unwrap();
    let way = edges.iter().find(|edge| edge["from"] == outside && edge["to"] == zero).unwrap();
    assert_eq!(way["ways"], 1, "Ann controls Ben: {way}");
    assert!(map["observed"]["implicit"].is_array());
    let path = "/api/v1/estate/map/edges?by=tier&from=tier&to=tier%3Atier%20zero&limit=1";
    let found = stage.get("api", Some(&alice), path).await.json();
    let line = &found["edges"]["lines"][0];
    assert_eq!((&line["on-a-way"], &line["edge"]["relation"]), (&json!(true), &json!("full-control")));
    assert!(line["edge"]["evidence"][0]["sha256"].is_string());
    for wrong in ["map?by=colour", "map?by=tier&open=tier%3Anothing", "map?open=", "map/edges?by=tier&from=tier&to=x"] {
        let answer = stage.get("api", Some(&alice), &format!("/api/v1/estate/{wrong}")).await;
        assert!(answer.status.is_client_error() || wrong == "map?open=", "{wrong}: {}", answer.status);
    }

    // Opened, the box falls apart into nodes; a node leads to its page, an edge to its evidence.
    let page = stage.get("console", Some(&alice), "/console/map?by=tier&open=tier").await.body;
    assert!(page.contains(&format!("/console/estate/identity?key={ANN}")), "{page}");
    assert!(!page.contains("<script>") && !page.contains("style=\""), "{page}");
    let drawing = page.split("<svg class=\"map\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(drawing.contains("ANN@CORP.EXAMPLE") && !drawing.contains("<scr"), "{drawing}");
    let page = stage.get("console", Some(&alice), "/console/map/edges?by=tier&from=tier&to=tier%3Atier%20zero").await;
    assert!(page.body.contains("full control") && page.body.contains("on a way"), "{}", page.body);
}

#[tokio::test]
async fn a_page_is_as_of_a_day_and_says_what_came_later() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    for (at, mark) in [("2024-01-01T10:00", ""), ("2024-03-01T10:00", "")] {
        let body = Some(form(&[("users.json", &users(mark))], &[("at", at)]));
        let answer = stage.ask("console", Some(&alice), Method::POST, "/console/estate/imports", body).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        stage.estate.settled().await;
    }
    let get = async |path: &str| stage.get("console", Some(&alice), path).await;
    // 2024-01-01 is day 19723.
    for path in ["/console/health", "/console/gaps", &format!("/console/estate/identity?key={ANN}")] {
        let join = if path.contains('?') { '&' } else { '?' };
        let newest = get(path).await.body;
        assert!(newest.contains("min=\"19723\"") && newest.contains("The newest assessment"), "{path}: {newest}");
        assert!(!newest.contains("collected after this date"), "{path}");
        let slid = get(&format!("{path}{join}day=19750")).await.body;
        assert!(
            slid.contains("As of 2024-01-28") && slid.contains("All evidence was collected after this date"),
            "{path}: {slid}"
        );
        let picked = get(&format!("{path}{join}as_of=2024-01-28")).await.body;
        let section =
            |page: &str| page.split("as-of-title").nth(2).unwrap().split("</section>").next().unwrap().to_owned();
        assert_eq!(section(&slid), section(&picked), "the slider and the field say the same");
        let later = get(&format!("{path}{join}as_of=2024-03-02")).await.body;
        assert!(!later.contains("collected after this date"), "{path}");
        for wrong in ["as_of=yesterday", "day=-1", "day=9223372036854775807", "day=x"] {
            let status = get(&format!("{path}{join}{wrong}")).await.status;
            assert!(status == StatusCode::BAD_REQUEST || wrong.starts_with("day=92"), "{path}{wrong}: {status}");
        }
    }
    // An account that was used a month before was not unused then.
    let unused = async |day: &str| {
        let page = get(&format!("/console/estate/identity?key={ANN}&as_of={day}")).await.body;
        page.contains("/console/health/indicators/unused-account")
    };
    assert!(unused("2024-03-02").await && !unused("2017-08-01").await);
}
