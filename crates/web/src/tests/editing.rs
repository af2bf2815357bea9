//! Policies published and resources changed from the console, as a browser without scripts does it; with every mistake
//! said, nothing done by halves, and every act on record.

use countersign_administrator::PolicyApproval;
use countersign_ledger::EntryBody;

use super::*;
use crate::page::encode;

fn form(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// The set in force as the form sends it, with one file changed: line ends as a browser makes them.
fn draft(stage: &Stage, change: impl Fn(&str, &str) -> String) -> String {
    let base = stage.administrator.policies().hash().to_owned();
    let files = stage.administrator.policy_sources();
    let texts: Vec<_> = files.iter().map(|(name, text)| change(name, text).replace('\n', "\r\n")).collect();
    let mut fields = vec![("base", base.as_str())];
    for ((name, _), text) in files.iter().zip(&texts) {
        fields.extend([("file", name.as_str()), ("text", text.as_str())]);
    }
    fields.extend([("file", ""), ("text", "")]);
    form(&fields)
}

const MORE: &str = "\n@id(\"no-mondays\") @owner(\"security\") @review_by(\"2027-06-30\") @remedy(\"Come on Tuesday.\")\n\
    forbid (principal, action, resource) when { context.time.weekday == 1 && resource.tier == \"crown-jewel\" };\n";

#[tokio::test]
async fn policies_are_edited_reviewed_and_published() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    let post = async |act: &str, body: &str| {
        stage.form("console", Some(&alice), &format!("/console/policy-set{act}"), body).await
    };
    let page = stage.get("console", Some(&alice), "/console/policy-set").await;
    assert!(page.body.contains("crown-jewel-needs-phishing-resistant-sign-in") && page.body.contains("tiers.cedar"));

    let same = post("/review", &draft(&stage, |_, text| text.to_owned())).await;
    assert!(same.body.contains("No policy is different"), "{}", same.body);

    let bad = |name: &str, text: &str| match name {
        "risk.cedar" => text.replace("context.risk >= 70", "context.riks >= 70"),
        "tiers.cedar" => text.replace("@owner(\"security\")", ""),
        _ => text.to_owned(),
    };
    let before = stage.administrator.policies().hash().to_owned();
    for act in ["/review", "/publish"] {
        let wrong = post(act, &draft(&stage, bad)).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        for said in ["risk.cedar", "tiers.cedar", "riks", "role=\"alert\""] {
            assert!(wrong.body.contains(said), "{act}: {said}: {}", wrong.body);
        }
        assert!(wrong.body.contains("context.riks &gt;= 70") || wrong.body.contains("context.riks &#62;= 70"));
    }
    assert_eq!(stage.administrator.policies().hash(), before);

    let good = |name: &str, text: &str| match name {
        "risk.cedar" => format!("{}{MORE}", text.replace(">= 70", ">= 60")),
        "machines.cedar" => String::new(),
        _ => text.to_owned(),
    };
    let sent = draft(&stage, good);
    let review = post("/review", &sent).await;
    assert_eq!(review.status, StatusCode::OK, "{}", review.body);
    for said in ["no-mondays", "agents-act-for-somebody", "<del>- ", "<ins>+ ", "changed", "removed", "new"] {
        assert!(review.body.contains(said), "{said}: {}", review.body);
    }
    assert!(!review.body.contains("public-is-for-everybody</h2>"), "what stays is not a change");
    assert_eq!(stage.administrator.policies().hash(), before, "nothing is in force before it is said");
    let back = post("", &sent).await;
    assert!(back.body.contains("no-mondays") && back.body.contains("<textarea"));

    let done = post("/publish", &sent).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let set = stage.administrator.policies();
    assert!(set.policies().iter().any(|one| one.id.as_str() == "no-mondays"));
    assert!(!set.policies().iter().any(|one| one.id.as_str() == "agents-act-for-somebody"));
    let ledger = stage.administrator.ledger();
    let by = ledger.scan_back(ledger.size()).find_map(|entry| match entry.unwrap().1.body {
        EntryBody::PolicyPublished { by, .. } => Some(by),
        _ => None,
    });
    assert_eq!(by.unwrap(), Some(alice.principal.subject.clone()));

    // What was reviewed was compared with a set that is no longer in force.
    let late = post("/publish", &sent).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("put in force meanwhile") && late.body.contains(set.hash()));
    for odd in ["base=x&text=y", "base=x&file=a", "file=a&text=b", "base=x&what=y", "base=x&file=&text=permit"] {
        assert!(post("/review", odd).await.status.is_client_error(), "{odd}");
    }
}

/// What was asked for is decided again before anything is in force, and a second person enforces it.
#[tokio::test]
async fn policies_are_tried_proposed_and_enforced_by_somebody_else() {
    let stage = Stage::new("", Vec::new());
    let (alice, bob) = (stage.owner("alice").await, stage.owner("bob").await);
    let second = Settings { policy_approval: PolicyApproval::SecondPerson, ..Settings::default() };
    stage.administrator.reconfigure(second, "00".to_owned(), None).await.unwrap();
    let closed = "\n@id(\"closed\") @owner(\"security\") @review_by(\"2027-06-30\") @remedy(\"Closed.\")\n\
        forbid (principal == Human::\"alice\", action, resource);\n";
    let change = |name: &str, text: &str| match name {
        "risk.cedar" => format!("{text}{closed}"),
        _ => text.to_owned(),
    };
    let sent = draft(&stage, change);
    let post = async |who: &Person, url: &str, body: &str| stage.form("console", Some(who), url, body).await;

    let review = post(&alice, "/console/policy-set/review", &sent).await;
    assert_eq!(review.status, StatusCode::OK, "{}", review.body);
    for said in ["newly denied", "human:alice", "closed forbids", "would be cut at once", ">Propose<"] {
        assert!(review.body.contains(said), "{said}: {}", review.body);
    }
    let before = stage.administrator.policies().hash().to_owned();
    assert_eq!(post(&alice, "/console/policy-set/publish", &sent).await.status, StatusCode::CONFLICT);
    // A trial of a whole configuration says what would become of it.
    let files: BTreeMap<String, String> = stage.administrator.policy_sources().into_iter().collect();
    let files: BTreeMap<String, String> = files.iter().map(|(name, text)| (name.clone(), change(name, text))).collect();
    for dry_run in [true, false] {
        let body = serde_json::json!({"policies": files, "dry_run": dry_run});
        let answer = stage.json("api", Some(&alice), Method::POST, "/api/v1/apply", body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
    }
    let proposed = post(&alice, "/console/policy-set/propose", &sent).await;
    assert_eq!(proposed.status, StatusCode::SEE_OTHER, "{}", proposed.body);
    let id = stage.administrator.proposals().await.unwrap().remove(0).id;
    let url = format!("/console/policy-proposals/{id}");
    assert!(stage.get("console", Some(&bob), "/console/policies").await.body.contains(&url));

    let own = stage.get("console", Some(&alice), &url).await;
    assert!(own.body.contains("Withdraw") && !own.body.contains(">Enforce<"), "{}", own.body);
    assert_eq!(post(&alice, &format!("{url}/approve"), "").await.status, StatusCode::CONFLICT);
    assert_eq!(stage.administrator.policies().hash(), before);
    let other = stage.get("console", Some(&bob), &url).await;
    assert!(other.body.contains("<ins>+ ") && other.body.contains(">Enforce<"), "{}", other.body);
    let done = post(&bob, &format!("{url}/approve"), "").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert!(stage.administrator.policies().policies().iter().any(|one| one.id.as_str() == "closed"));
    assert_eq!(stage.get("console", Some(&bob), &url).await.status, StatusCode::NOT_FOUND);
}

const WIKI: [(&str, &str); 7] = [
    ("id", "handbook"),
    ("display_name", "Handbook"),
    ("tier", "high"),
    ("routes", "handbook.localhost\r\nwiki.localhost/handbook"),
    ("url", "http://127.0.0.1:3000"),
    ("writers", "owners, everyone"),
    ("rules", "POST,PUT /admin/* administer\r\n* /live connect"),
];

fn with(changed: &[(&str, &str)]) -> String {
    let kept = WIKI.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| name == other));
    form(&kept.chain(changed).copied().collect::<Vec<_>>())
}

#[tokio::test]
async fn a_resource_is_added_changed_and_removed() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let id = ResourceId::new("handbook").unwrap();
    let post = async |url: &str, body: String| stage.form("console", Some(&alice), url, &body).await;
    let mistakes = [
        ("tier", "secret", "Sensitivity"),
        ("id", "", "Identifier"),
        ("owner", "nobody", "Who answers for it"),
        ("readers", "owners, no/group\u{7}", "May read"),
        ("rules", "POST /a", "METHODS PATH CLASS"),
        ("rules", "POST /a destroy", "destroy"),
        ("routes", "", "no route"),
        ("url", "ftp://x", "the upstream is"),
        ("segment", "nowhere", "its segment does not exist"),
        ("observe", "1000", "Enforcement: choose one"),
    ];
    for (field, value, said) in mistakes {
        let page = post("/console/new-resource", with(&[(field, value)])).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {}", page.body);
        assert!(page.body.contains(said) && page.body.contains("value=\"Handbook\""), "{field}: {}", page.body);
    }
    let both =
        post("/console/new-resource", with(&[("url", "ftp://x"), ("routes", "Not A Host"), ("writers", "x")])).await;
    for said in ["the upstream is", "is no host", "there is no group x"] {
        assert!(both.body.contains(said), "{said}: {}", both.body);
    }
    assert!(stage.administrator.resource(&id).is_none());

    let added = post("/console/new-resource", with(&[])).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.body);
    let one = stage.administrator.resource(&id).unwrap();
    assert_eq!((one.routes.len(), one.rules.len(), one.entitled.writers.len()), (2, 2, 2));
    assert_eq!((one.routes[1].path_prefix.as_str(), one.rules[1].methods.len()), ("/handbook", 0));
    assert_eq!(post("/console/new-resource", with(&[])).await.status, StatusCode::CONFLICT);

    // What the form shows is what it sends: unchanged, it changes nothing.
    let page = stage.get("console", Some(&alice), "/console/resources/handbook/edit").await;
    for shown in
        ["wiki.localhost/handbook</textarea>", "POST,PUT /admin/* administer", "* /live connect", "owners, everyone"]
    {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let body = with(&[("id", "another"), ("tier", "crown-jewel"), ("preserve_host", "true")]);
    let changed = post("/console/resources/handbook/edit", body).await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.body);
    assert_eq!(stage.administrator.resource(&id).unwrap().tier, Tier::CrownJewel);
    assert!(stage.administrator.resource(&ResourceId::new("another").unwrap()).is_none(), "the identifier stays");
    assert_eq!(post("/console/resources/countersign-console/edit", with(&[])).await.status, StatusCode::NOT_FOUND);

    // In observe mode, kept by the next change, and said; out of it by the plain form.
    let until = || stage.administrator.resource(&id).unwrap().observe_until;
    post("/console/resources/handbook/edit", with(&[("observe", "7")])).await;
    let week = until().unwrap();
    let days = |days: u64| stage.administrator.now().plus(std::time::Duration::from_secs(days * 24 * 3600));
    assert!(days(6) < week && week <= days(7), "{week}");
    let page = stage.get("console", Some(&alice), "/console/resources/handbook/edit").await;
    assert!(page.body.contains("value=\"keep\" selected"), "{}", page.body);
    post("/console/resources/handbook/edit", with(&[("observe", "keep"), ("tier", "standard")])).await;
    assert_eq!(until(), Some(week));
    for (path, said) in [
        ("/console/resources", "observe mode</span>"),
        ("/console/resources/handbook", "whoever asks is let through"),
        ("/console/coverage", "lets through"),
        ("/console/access/who?resource=handbook", "not enforced until"),
        ("/console/access", "observe mode</span>"),
        ("/console", "1 resource is in observe mode"),
    ] {
        let page = stage.get("console", Some(&alice), path).await;
        assert!(page.status == StatusCode::OK && page.body.contains(said), "{path}: {}", page.body);
    }
    post("/console/resources/handbook/edit", with(&[])).await;
    assert_eq!(until(), None);

    let gone = post("/console/resources/handbook/remove", String::new()).await;
    assert_eq!(gone.headers[header::LOCATION], "/console/resources?done=resource-removed");
    assert!(stage.administrator.resource(&id).is_none());
    let built_in = post("/console/resources/countersign-console/remove", String::new()).await;
    assert_eq!(built_in.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// An act that is refused after its request was admitted stands in the ledger too: as the decision that admitted it,
/// with who asked, by which method and for which path.
#[tokio::test]
async fn a_refused_act_is_on_record_as_the_decision_that_let_it_be_asked() {
    let stage = stage();
    let alice = stage.owner("alice").await;
    let cookie = CredentialSecret::new(alice.secret.as_str());
    let credential = Credential::SessionCookie { secret: cookie, host: HOST.to_owned() };
    let path = "/console/subjects/human%3Aalice/disable";
    let act = (ActionClass::Administer, path);
    let lease = stage.open(credential, DeviceEvidence::Absent, "countersign-console", act).await.unwrap();
    let asking = Person {
        principal: lease.principal().clone(),
        decision: lease.decision(),
        authenticator: SoftwarePasskey::new(),
        secret: alice.secret.clone(),
        lease,
    };
    let size = stage.administrator.ledger().size();
    let refused = stage.form("console", Some(&asking), path, "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "the last owner");
    assert_eq!(stage.administrator.ledger().size(), size, "nothing was done, and nothing more is recorded");
    let (_, entry) = stage.administrator.decision(asking.decision).unwrap().unwrap();
    let EntryBody::Decision(decision) = entry.body else { panic!("no decision") };
    assert_eq!(decision.question.subject, alice.principal.subject);
    let http = decision.question.circumstances.http.unwrap();
    assert_eq!((http.method.as_str(), http.path.as_str()), ("POST", path));
}
