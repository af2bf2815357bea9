//! Sign-in through a provider, and what must not come of it. The provider follows a script; the attacks on the protocol
//! itself are in `identity`'s tests, here is what they leave behind in the house.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_identity::oidc::{HttpClient, MethodMapping, ProviderSettings};
use countersign_ledger::EntryBody;
use countersign_model::{AuthenticationMethod, CredentialSecret, Group, GroupId, Source, Subject, SubjectState};
use countersign_testkit::provider::{CLIENT, CLIENT_SECRET, Key, REDIRECT, ScriptedProvider};
use serde_json::{Value, json};

use super::fixture::{CONTROL, House, NOW, actor, client, human, subject};
use crate::accounts::{ProviderParts, Provision, SignInError};
use crate::{Page, SessionFilter, SignedIn, SubjectFilter};

pub(super) fn parts(name: &str, scripted: &ScriptedProvider, provision: Provision) -> ProviderParts {
    let settings = ProviderSettings {
        issuer: scripted.issuer.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(CredentialSecret::new(CLIENT_SECRET)),
        redirect_uri: REDIRECT.to_owned(),
        scopes: vec!["email".to_owned()],
        methods: MethodMapping::default(),
    };
    ProviderParts { name: name.to_owned(), settings, provision, http: HttpClient::new(None).unwrap() }
}

pub(super) fn by_address() -> Provision {
    let groups = ["staff", "owners", "no-such-group"].map(|group| GroupId::new(group).unwrap()).into();
    Provision::VerifiedEmail { domains: vec!["example.org".to_owned()], groups }
}

pub(super) async fn house(provision: Provision) -> (House, ScriptedProvider) {
    let scripted = ScriptedProvider::start(NOW).await;
    let house = House::with_providers(NOW, vec![parts("corp", &scripted, provision)]).await;
    let staff = Group {
        id: GroupId::new("staff").unwrap(),
        display_name: "Staff".to_owned(),
        member_of: Vec::new(),
        source: Source::Administrator,
    };
    house.administrator.put_group(staff, &actor()).await.unwrap();
    (house, scripted)
}

/// Somebody at the provider, with an address that it has verified.
pub(super) fn person(name: &str, sid: &str) -> Value {
    json!({
        "sub": format!("{name}-at-provider"), "sid": sid, "auth_time": NOW.seconds(), "amr": ["hwk"],
        "email": format!("{name}@example.org"), "email_verified": true, "name": name,
    })
}

pub(super) async fn sign_in(house: &House, scripted: &ScriptedProvider, who: Value) -> Result<SignedIn, SignInError> {
    scripted.script.lock().person = who;
    let start = house.administrator.begin_federated("corp", None, "/next".to_owned(), &client()).await?;
    let query = scripted.visit(&start.url);
    let (signed_in, continuation) = house.administrator.finish_federated(&start.flow, &query, &client()).await?;
    assert_eq!(continuation, "/next");
    Ok(signed_in)
}

/// Nobody is here that was not before, and nothing is linked.
fn nothing_made(house: &House, name: &str) {
    let id = human(&format!("{name}@example.org"));
    assert_eq!(house.administrator.subject(&id), None);
    assert!(house.store.links_of(&id).unwrap().is_empty());
    assert!(house.administrator.sessions(&SessionFilter::default()).is_empty());
}

#[tokio::test]
async fn a_verified_address_makes_a_subject_once_and_never_an_owner() {
    let (house, scripted) = house(by_address()).await;
    let them = &house.administrator;
    assert_eq!(them.providers(), ["corp"]);
    let first = sign_in(&house, &scripted, person("alice", "s1")).await.unwrap();
    let alice = human("alice@example.org");
    assert_eq!(first.subject, alice);
    let made = them.subject(&alice).unwrap();
    assert_eq!(made.groups, [GroupId::new("staff").unwrap()], "neither owners nor what does not exist");
    assert_eq!((made.source, made.display_name.as_str()), (Source::OpenIdConnect, "alice"));
    let resolved = house.cookie(&first.cookie.secret, CONTROL, &client()).unwrap();
    let (methods, at) = resolved.authentication.unwrap();
    assert!(methods.contains(&AuthenticationMethod::FederatedPhishingResistant));
    assert_eq!(at, NOW);
    let started = |body: &EntryBody| matches!(body, EntryBody::SessionStarted { provider: Some(issuer), .. } if *issuer == scripted.issuer);
    assert!(house.recorded().await.iter().any(started));
    assert!(house.acts().await.contains(&"subject.provision".to_owned()));

    // Issuer and subject are the identity: the same person with another address, and then another with that address.
    let mut same = person("alice", "s2");
    same["email"] = json!("liddell@example.org");
    assert_eq!(sign_in(&house, &scripted, same).await.unwrap().subject, alice);
    let mut thief = person("mallory", "s3");
    thief["email"] = json!("ALICE@example.org");
    assert_eq!(sign_in(&house, &scripted, thief).await.unwrap_err(), SignInError::Refused);
    assert_eq!(house.store.links_of(&alice).unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_verified_not_allowed_or_taken_makes_nothing() {
    let (house, scripted) = house(by_address()).await;
    let changes = [
        json!({ "email_verified": false }),
        json!({ "email_verified": null }),
        json!({ "email": "mallory@example.com" }),
        json!({ "email": "mallory@sub.example.org" }),
        json!({ "email": "mallory@example.org.example.com" }),
        json!({ "email": "mallory@evil.example@example.org" }),
        json!({ "email": "@example.org" }),
        json!({ "email": "mal lory@example.org" }),
    ];
    for change in changes {
        let mut who = person("mallory", "s1");
        for (name, value) in change.as_object().unwrap() {
            who[name] = value.clone();
        }
        assert_eq!(sign_in(&house, &scripted, who).await.unwrap_err(), SignInError::Refused, "{change}");
        nothing_made(&house, "mallory");
        assert_eq!(house.last_refusal().await.1, "oidc", "{change}");
    }
    // Somebody who has a way in is not taken over by whoever controls an address, and an owner never is.
    house.put(&human("boss@example.org"), &["owners"]).await;
    assert!(sign_in(&house, &scripted, person("boss", "s2")).await.is_err());
    house.person("bob@example.org", &client()).await;
    assert!(sign_in(&house, &scripted, person("bob", "s3")).await.is_err());
    assert!(house.store.links_of(&human("bob@example.org")).unwrap().is_empty());
    // Somebody who was put there without any is found.
    house.put(&human("carol@example.org"), &[]).await;
    assert_eq!(sign_in(&house, &scripted, person("carol", "s4")).await.unwrap().subject, human("carol@example.org"));
    // And a disabled one stays out, linked or not.
    for name in ["carol", "dave"] {
        let id = human(&format!("{name}@example.org"));
        let off = Subject { state: SubjectState::Disabled, ..subject(&id, &[]) };
        house.administrator.put_subject(off, &actor()).await.unwrap();
        assert!(sign_in(&house, &scripted, person(name, "s5")).await.is_err(), "{name}");
    }
    assert!(house.store.links_of(&human("dave@example.org")).unwrap().is_empty(), "nor is anything half made");
}

#[tokio::test]
async fn without_provisioning_only_who_is_linked_comes_in() {
    let (house, scripted) = house(Provision::LinkedOnly).await;
    house.put(&human("alice@example.org"), &[]).await;
    assert_eq!(sign_in(&house, &scripted, person("alice", "s1")).await.unwrap_err(), SignInError::Refused);
    let (subject, method, cause) = house.last_refusal().await;
    assert_eq!((subject, method.as_str()), (None, "oidc"));
    assert_eq!(cause, "the account is not linked to anybody");
}

#[tokio::test]
async fn an_invitation_is_followed_with_an_account_instead_of_a_passkey() {
    let (house, scripted) = house(Provision::LinkedOnly).await;
    let them = &house.administrator;
    let hour = Duration::from_secs(3600);
    house.put(&human("alice"), &[]).await;
    house.put(&human("bob"), &[]).await;
    scripted.script.lock().person = person("alice", "s1");
    let link = them.invite(&human("alice"), hour, &actor()).await.unwrap();
    let begin = async |secret: &CredentialSecret| {
        them.begin_federated_enrolment("corp", secret, "/next".to_owned(), &client()).await
    };
    // Refused at the provider: the invitation is still good.
    let start = begin(&link.secret).await.unwrap();
    let refused = scripted.visit(&start.url).replace("code=the-code", "error=access_denied");
    assert!(them.finish_federated(&start.flow, &refused, &client()).await.is_err());
    let start = begin(&link.secret).await.unwrap();
    let late = begin(&link.secret).await.unwrap();
    let query = scripted.visit(&start.url);
    let (signed_in, _) = them.finish_federated(&start.flow, &query, &client()).await.unwrap();
    assert_eq!(signed_in.subject, human("alice"));
    let resolved = house.cookie(&signed_in.cookie.secret, CONTROL, &client()).unwrap();
    assert!(resolved.authentication.unwrap().0.contains(&AuthenticationMethod::Invitation));
    assert_eq!(sign_in(&house, &scripted, person("alice", "s2")).await.unwrap().subject, human("alice"), "linked now");

    // The same invitation in another tab, by another account: used up, and nothing is linked.
    scripted.script.lock().person = person("mallory", "s3");
    let query = scripted.visit(&late.url);
    assert_eq!(them.finish_federated(&late.flow, &query, &client()).await.unwrap_err(), SignInError::Refused);
    assert_eq!(house.store.links_of(&human("alice")).unwrap().len(), 1);
    assert!(begin(&link.secret).await.is_err());
    // An account that is somebody's is not given to somebody else.
    scripted.script.lock().person = person("alice", "s4");
    let link = them.invite(&human("bob"), hour, &actor()).await.unwrap();
    let start = begin(&link.secret).await.unwrap();
    let query = scripted.visit(&start.url);
    assert!(them.finish_federated(&start.flow, &query, &client()).await.is_err());
    assert!(house.store.links_of(&human("bob")).unwrap().is_empty());
}

#[tokio::test]
async fn a_step_up_is_fresh_the_same_person_and_says_how() {
    let (house, scripted) = house(by_address()).await;
    let them = &house.administrator;
    let mut weak = person("alice", "s1");
    weak["amr"] = json!(["pwd"]);
    weak["auth_time"] = json!(NOW.seconds() - 3600);
    let signed_in = sign_in(&house, &scripted, weak.clone()).await.unwrap();
    let resolved = house.cookie(&signed_in.cookie.secret, CONTROL, &client()).unwrap();
    assert_eq!(
        resolved.authentication.unwrap(),
        (BTreeSet::from([AuthenticationMethod::Federated]), NOW.minus(Duration::from_secs(3600)))
    );
    sign_in(&house, &scripted, person("bob", "s2")).await.unwrap();

    let step_up = async |who: Value| {
        scripted.script.lock().person = who;
        let session = Some(signed_in.session);
        let start = them.begin_federated("corp", session, "/next".to_owned(), &client()).await?;
        for asked in ["prompt=login", "max_age=0", "acr_values=phr+phrh+"] {
            assert!(start.url.contains(asked), "{asked}: {}", start.url);
        }
        let query = scripted.visit(&start.url);
        them.finish_federated(&start.flow, &query, &client()).await.map(|(signed_in, _)| signed_in)
    };
    assert_eq!(step_up(weak).await.unwrap_err(), SignInError::Refused, "the morning's proof");
    assert!(house.last_refusal().await.2.contains("too old"));
    assert_eq!(step_up(person("bob", "s2")).await.unwrap_err(), SignInError::Refused, "somebody else");
    assert_eq!(house.last_refusal().await.2, "somebody else's account");
    assert_eq!(step_up(person("nobody", "s3")).await.unwrap_err(), SignInError::Refused, "a step-up makes nobody");
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_ok(), "and costs nothing");
    let mut strong = person("alice", "s4");
    strong["amr"] = Value::Null;
    strong["acr"] = json!("phr");
    let renewed = step_up(strong).await.unwrap();
    assert_eq!(renewed.session, signed_in.session);
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_err(), "the old secret");
    let resolved = house.cookie(&renewed.cookie.secret, CONTROL, &client()).unwrap();
    let (methods, at) = resolved.authentication.unwrap();
    assert!(methods.contains(&AuthenticationMethod::FederatedPhishingResistant) && at == NOW);
    assert!(house.acts().await.contains(&"session.step-up".to_owned()));
    them.sign_out(signed_in.session, &actor()).await;
    assert_eq!(step_up(person("alice", "s5")).await.unwrap_err(), SignInError::Refused, "no session any more");
}

#[tokio::test]
async fn a_forged_mixed_up_or_replayed_callback_makes_nothing() {
    let (house, scripted) = house(by_address()).await;
    let them = &house.administrator;
    scripted.script.lock().person = person("alice", "s1");
    let begin = async || them.begin_federated("corp", None, "/".to_owned(), &client()).await.unwrap();
    type Change = fn(&str) -> String;
    let changes: [(&str, Change); 6] = [
        ("state", |query| query.replace("state=", "state=x")),
        ("issuer", |query| query.replace("iss=http", "iss=https")),
        ("no issuer", |query| query.split("&iss=").next().unwrap().to_owned()),
        ("doubled", |query| format!("{query}&code=another")),
        ("code", |query| query.replace("the-code", "another-code")),
        ("nothing", |_| String::new()),
    ];
    for (what, change) in changes {
        let start = begin().await;
        let query = scripted.visit(&start.url);
        let outcome = them.finish_federated(&start.flow, &change(&query), &client()).await;
        assert_eq!(outcome.unwrap_err(), SignInError::Refused, "{what}");
        let again = them.finish_federated(&start.flow, &query, &client()).await;
        assert_eq!(again.unwrap_err(), SignInError::Refused, "{what}: the flow is used up");
        nothing_made(&house, "alice");
    }
    scripted.forge(|key, mut claims| {
        claims["nonce"] = json!("another");
        key.sign(&claims)
    });
    assert_eq!(sign_in(&house, &scripted, person("alice", "s1")).await.unwrap_err(), SignInError::Refused);
    assert!(house.last_refusal().await.2.contains("another sign-in"));
    scripted.forge(|key, claims| Key::new(&key.kid).sign(&claims));
    assert_eq!(sign_in(&house, &scripted, person("alice", "s1")).await.unwrap_err(), SignInError::Refused);
    nothing_made(&house, "alice");
    scripted.forge(|key, claims| key.sign(&claims));

    // The flow is of this browser, and the code of this flow.
    let (ours, theirs) = (begin().await, begin().await);
    let query = scripted.visit(&theirs.url);
    assert_eq!(them.finish_federated(&ours.flow, &query, &client()).await.unwrap_err(), SignInError::Refused);
    let guess = CredentialSecret::new("guess");
    assert_eq!(them.finish_federated(&guess, &query, &client()).await.unwrap_err(), SignInError::Refused);
    let late = begin().await;
    let query = scripted.visit(&late.url);
    house.turn(Duration::from_secs(600));
    assert_eq!(them.finish_federated(&late.flow, &query, &client()).await.unwrap_err(), SignInError::Refused);
    nothing_made(&house, "alice");
    assert!(them.begin_federated("no-such", None, "/".to_owned(), &client()).await.is_err());
    for body in house.recorded().await {
        let shown = format!("{body:?}");
        assert!(!shown.contains("the-code") && !shown.contains("the-access-token") && !shown.contains(CLIENT_SECRET));
    }
}

/// Two providers: what one of them vouches for is not what the other does.
#[tokio::test]
async fn a_flow_is_finished_at_the_provider_where_it_began() {
    let (one, two) = (ScriptedProvider::start(NOW).await, ScriptedProvider::start(NOW).await);
    let both = vec![parts("corp", &one, by_address()), parts("partner", &two, Provision::LinkedOnly)];
    let house = House::with_providers(NOW, both).await;
    let them = &house.administrator;
    one.script.lock().person = person("alice", "s1");
    two.script.lock().person = person("alice", "s1");
    let start = them.begin_federated("corp", None, "/".to_owned(), &client()).await.unwrap();
    let elsewhere = two.visit(&start.url);
    assert_eq!(them.finish_federated(&start.flow, &elsewhere, &client()).await.unwrap_err(), SignInError::Refused);
    sign_in(&house, &one, person("alice", "s1")).await.unwrap();
    // The same subject at another issuer is another account.
    let start = them.begin_federated("partner", None, "/".to_owned(), &client()).await.unwrap();
    let query = two.visit(&start.url);
    assert_eq!(them.finish_federated(&start.flow, &query, &client()).await.unwrap_err(), SignInError::Refused);
}

#[tokio::test]
async fn a_provider_that_is_down_stops_only_itself() {
    let (house, scripted) = house(by_address()).await;
    let them = &house.administrator;
    scripted.script.lock().down = true;
    let down = sign_in(&house, &scripted, person("alice", "s1")).await;
    assert_eq!(down.unwrap_err(), SignInError::Unavailable);
    house.person("olivia", &client()).await;
    scripted.script.lock().down = false;
    let start = them.begin_federated("corp", None, "/".to_owned(), &client()).await.unwrap();
    let query = scripted.visit(&start.url);
    let everybody = || them.subjects(&Page::default(), &SubjectFilter::default()).len();
    let before = everybody();
    scripted.script.lock().down = true;
    let outcome = them.finish_federated(&start.flow, &query, &client()).await;
    assert_eq!(outcome.unwrap_err(), SignInError::Unavailable, "between going and coming back");
    assert_eq!(everybody(), before);
    assert_eq!(them.subject(&human("alice@example.org")), None);
    scripted.script.lock().down = false;
    assert!(sign_in(&house, &scripted, person("alice", "s1")).await.is_ok());
    let refused = |body: &EntryBody| matches!(body, EntryBody::SignInRefused { .. });
    assert!(!house.recorded().await.iter().any(refused), "being down is nobody's refusal");
}
