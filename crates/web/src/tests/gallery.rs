//! Every page, full and empty, held against what a screen reader needs. Where `COUNTERSIGN_PAGES` names a directory the
//! pages are written there, to be looked at.

use std::collections::BTreeSet;

use super::*;

/// One start tag, and the text up to the next tag.
struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    text: &'a str,
}

impl<'a> Tag<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let rest = self.attributes.split_once(&format!(" {name}=\""))?.1;
        Some(rest.split_once('"').unwrap().0)
    }
}

/// Templates quote every attribute and escape every text, so a `<` begins a tag.
fn tags(page: &str) -> Vec<Tag<'_>> {
    let tags = page.split('<').skip(1).filter_map(|piece| piece.split_once('>'));
    tags.map(|(tag, text)| {
        let end = tag.find(char::is_whitespace).unwrap_or(tag.len());
        Tag { name: &tag[..end], attributes: &tag[end..], text }
    })
    .collect()
}

pub(super) fn is_accessible(path: &str, page: &str) {
    let tags = tags(page);
    let named = |name: &str| tags.iter().filter(|tag| tag.name == name).collect::<Vec<_>>();
    assert_eq!(named("html")[0].get("lang"), Some("en"), "{path}");
    assert!(named("title")[0].text.len() > " · Countersign".len(), "{path} has no title");
    assert_eq!((named("main").len(), named("h1").len()), (1, 1), "{path}");

    let mut level = 0;
    for tag in &tags {
        if let Some(next) = tag.name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok()) {
            assert!(next <= level + 1, "{path}: h{next} after h{level}: {}", tag.text);
            level = next;
        }
    }
    let mut ids = BTreeSet::new();
    for id in tags.iter().filter_map(|tag| tag.get("id")) {
        assert!(ids.insert(id), "{path}: id {id} twice");
    }
    for attribute in ["for", "aria-labelledby", "aria-describedby"] {
        for id in tags.iter().filter_map(|tag| tag.get(attribute)) {
            assert!(ids.contains(id), "{path}: {attribute} names {id}, which is not there");
        }
    }
    let mut navigations = BTreeSet::new();
    for tag in named("nav") {
        assert!(navigations.insert(tag.get("aria-label").unwrap()), "{path}: two navigations of one name");
    }
    let labelled: BTreeSet<_> = named("label").iter().filter_map(|tag| tag.get("for")).collect();
    for tag in tags.iter().filter(|tag| ["input", "select", "textarea"].contains(&tag.name)) {
        let kind = tag.get("type").unwrap_or_default();
        // A box stands inside its label.
        if kind != "hidden" && kind != "checkbox" {
            assert!(labelled.contains(tag.get("id").unwrap()), "{path}: no label for {}", tag.attributes);
        }
    }
    assert_eq!(named("table").len(), named("caption").len(), "{path}: a table without a caption");
    assert!(named("th").iter().all(|tag| tag.get("scope").is_some()), "{path}: a heading of neither column nor row");
    assert!(named("img").iter().all(|tag| tag.get("alt").is_some()), "{path}");
    let pictures = named("svg");
    assert!(pictures.iter().all(|tag| tag.get("aria-label").is_some() || tag.get("aria-hidden").is_some()), "{path}");
    for tag in tags.iter().filter(|tag| tag.get("aria-label").is_some()) {
        let nameable = ["nav", "section", "svg", "form"].contains(&tag.name) || tag.get("role").is_some();
        assert!(nameable, "{path}: <{}> may have no name of its own", tag.name);
    }
    assert!(!page.contains("tabindex=\"1"), "{path}: the order of the page is the order of the focus");
}

fn write(name: &str, page: &str) {
    if let Some(directory) = std::env::var_os("COUNTERSIGN_PAGES") {
        let directory = std::path::Path::new(&directory);
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(directory.join(format!("{name}.html")), page).unwrap();
    }
}

/// An organisation at work.
async fn organisation() -> (Stage, Person) {
    let stage = Stage::new("", super::federated::providers().await);
    let alice = stage.owner("alice").await;
    stage.imports(&alice).await;
    let put = async |path: &str, body: Value| {
        let answer = stage.json("api", Some(&alice), Method::PUT, &format!("/api/v1/{path}"), body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
    };
    for (id, name, above) in
        [("staff", "Everybody at work", ""), ("engineering", "Engineering", "staff"), ("finance", "Finance", "staff")]
    {
        let above: Vec<&str> = Some(above).filter(|above| !above.is_empty()).into_iter().collect();
        put(&format!("groups/{id}"), json!({ "display_name": name, "member_of": above })).await;
    }
    for (id, name, group) in [
        ("bea", "Beatriz Fernández", "engineering"),
        ("carol", "Carol Whitfield-Montgomery", "finance"),
        ("dmitri", "Dmitri Ivanov", "engineering"),
    ] {
        let email = format!("{id}@example.org");
        put(&format!("subjects/human:{id}"), json!({ "display_name": name, "email": email, "groups": [group] })).await;
    }
    put("subjects/human:dmitri/state", json!({ "state": "disabled" })).await;
    put(
        "subjects/service:nightly-backup",
        json!({ "display_name": "Nightly backup", "owner": "human:alice", "groups": ["engineering"] }),
    )
    .await;
    put(
        "subjects/agent:release-notes",
        json!({ "display_name": "Release notes", "owner": "human:bea", "acts_for": "human:bea" }),
    )
    .await;
    for (id, name, tier, group) in [
        ("wiki", "Wiki", "standard", "staff"),
        ("build", "Build server", "high", "engineering"),
        ("payroll", "Payroll", "crown-jewel", "finance"),
        ("status", "Status page", "public", "staff"),
        ("observability-and-incident-management", "Observability and incident management", "high", "engineering"),
    ] {
        let host = format!("{id}.example.org");
        put(&format!("resources/{id}"), json!({ "display_name": name, "tier": tier, "routes": [{ "host": host }],
            "owner": "human:alice", "upstream": { "url": "http://10.20.0.17:3000" }, "entitled": { "readers": [group] } })).await;
    }
    stage.fill_devices(&["alice-laptop", "bea-workstation-0042", "carol-phone"]).await;
    let expires = stage.administrator.now().plus(Duration::from_secs(86_400 * 12));
    let body = json!({ "subject": "service:nightly-backup", "owner": "human:alice",
        "scope": { "classes": ["read"], "resources": ["wiki", "build"] }, "expires": expires });
    let key = stage.json("api", Some(&alice), Method::POST, "/api/v1/keys", body).await.json();
    let key = Credential::Bearer(CredentialSecret::new(key["secret"].as_str().unwrap()));
    for subject in ["human:bea", "human:carol"] {
        stage.json("api", Some(&alice), Method::POST, "/api/v1/invitations", json!({ "subject": subject })).await;
    }
    let cookie = |person: &Person, host: &str| Credential::SessionCookie {
        secret: CredentialSecret::new(person.secret.as_str()),
        host: host.to_owned(),
    };
    for (credential, resource, what) in [
        (key.clone(), "wiki", (ActionClass::Read, "/space/home")),
        (key.clone(), "build", (ActionClass::Write, "/job/release/run")),
        (key, "payroll", (ActionClass::Read, "/2026/11")),
        (Credential::Absent, "wiki", (ActionClass::Read, "/")),
        (Credential::Absent, "status", (ActionClass::Read, "/")),
        (Credential::Absent, "nothing-here", (ActionClass::Read, "/wp-admin/setup-config.php")),
        (cookie(&alice, HOST), "countersign-console", (ActionClass::Read, "/console")),
    ] {
        // Allowed or not: both are on record.
        drop(stage.open(credential, DeviceEvidence::Absent, resource, what).await);
    }
    stage.administrator.ledger().checkpoint_now().unwrap();
    (stage, alice)
}

async fn look_at(stage: &Stage, person: &Person, prefix: &str) {
    let mut pages: Vec<(&str, String)> = super::pages::PAGES
        .iter()
        .filter(|(_, path)| !path.contains("jwks"))
        .map(|(part, path)| (*part, (*path).to_owned()))
        .collect();
    let session = person.principal.session.unwrap();
    pages.push(("console", format!("/console/decisions/{}", person.decision)));
    pages.push(("console", format!("/console/sessions/{session}")));
    pages.push(("console", "/console/policies/high-needs-healthy-device".to_owned()));
    pages.push(("console", "/console/no-such-page".to_owned()));
    pages.push(("console", format!("/console/estate/identity?key={}", super::estate::ANN)));
    pages.push(("console", format!("/console/estate/identity?key={}&as_of=2017-02-01", super::estate::ANN)));
    pages.push(("console", "/console/estate/imports/1".to_owned()));
    pages.push(("console", "/console/devices/bea-workstation-0042".to_owned()));
    pages.push(("console", "/console/subjects/service%3Anightly-backup".to_owned()));
    let denied = stage.get("api", Some(person), "/api/v1/decisions?effect=deny&limit=1").await.json();
    if let Some(id) = denied["items"][0]["id"].as_str() {
        pages.push(("console", format!("/console/decisions/{id}?denied")));
    }
    for (part, path) in pages {
        let answer = stage.get(part, Some(person), &path).await;
        is_accessible(&path, &answer.body);
        let hidden = path.replace(&session.to_string(), "one").replace(&person.decision.to_string(), "one");
        let name: String = hidden.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        write(&format!("{prefix}{}", &name[..name.len().min(60)]), &answer.body);
    }
    for path in ["/sign-in?host=wiki.example.org&return=%2F&nonce=x", "/invite"] {
        let answer = stage.get("sign-in", None, path).await;
        is_accessible(path, &answer.body);
        write(&format!("{prefix}nobody-{}", &path[1..6]), &answer.body);
    }
}

#[tokio::test]
async fn pages_of_an_organisation_at_work_are_accessible() {
    let (stage, alice) = organisation().await;
    look_at(&stage, &alice, "full").await;
    let body = "name=erin&display_name=Erin+Okafor&groups=staff";
    let once = stage.form("console", Some(&alice), "/console/invitations", body).await;
    is_accessible("an invitation", &once.body);
    write("full-once", &once.body);
}

#[tokio::test]
async fn pages_with_nothing_on_them_are_accessible() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    look_at(&stage, &alice, "empty").await;
}
