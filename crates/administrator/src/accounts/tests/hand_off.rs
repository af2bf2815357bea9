//! From the sign-in host to an application's host: for one browser, host, device and minute, once.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::secret;
use countersign_identity::software_passkey::SoftwarePasskey;
use countersign_lease::{HandOff, HandOffError};
use countersign_model::{
    CredentialSecret, Entitled, Resource, ResourceId, ResourceKind, Route, SessionId, Source, Tier, Upstream,
};

use super::fixture::{CONTROL, House, ORIGIN, actor, client, human};
use crate::accounts::Client;
use crate::local_path;
use crate::sessions::CredentialFault;

const WIKI: &str = "wiki.localhost";

pub(super) fn wiki(id: &str, host: &str, upstream: &str) -> Resource {
    Resource {
        id: ResourceId::new(id).unwrap(),
        display_name: id.to_owned(),
        kind: ResourceKind::Http,
        tier: Tier::Standard,
        segment: None,
        owner: None,
        source: Source::Administrator,
        routes: vec![Route { host: host.to_owned(), path_prefix: "/".to_owned() }],
        upstream: Upstream::Origin { url: upstream.to_owned(), ca: None, preserve_host: false },
        rules: Vec::new(),
        entitled: Entitled::default(),
        observe_until: None,
    }
}

async fn house() -> House {
    let house = House::new().await;
    house.administrator.put_resource(wiki("wiki", WIKI, "http://127.0.0.1:3000"), &actor()).await.unwrap();
    house.administrator.put_resource(wiki("blog", "blog.localhost", "http://127.0.0.1:3001"), &actor()).await.unwrap();
    house
}

fn nonce_hash(nonce: &str) -> String {
    URL_SAFE_NO_PAD.encode(secret::hash(nonce).as_bytes())
}

async fn mint(house: &House, session: SessionId, client: &Client) -> CredentialSecret {
    house.administrator.hand_off(session, WIKI, &nonce_hash("nonce"), "/page?x=1", client).await.unwrap()
}

fn bring(code: &CredentialSecret, nonce: &str, host: &str, client: &Client) -> HandOff {
    HandOff {
        code: code.clone(),
        nonce: CredentialSecret::new(nonce),
        host: host.to_owned(),
        device: client.device.clone(),
        address: client.address,
    }
}

#[tokio::test]
async fn a_code_becomes_a_cookie_at_that_host_once() {
    let house = house().await;
    let (_, signed_in) = house.person("alice", &client()).await;
    let code = mint(&house, signed_in.session, &client()).await;
    let cookie = house.administrator.redeem_hand_off(bring(&code, "nonce", WIKI, &client())).await.unwrap();
    assert_eq!(cookie.return_to, "/page?x=1");
    assert_eq!(house.cookie(&cookie.secret, WIKI, &client()).unwrap().session, Some(signed_in.session));
    assert!(house.cookie(&cookie.secret, CONTROL, &client()).is_err());
    let again = house.administrator.redeem_hand_off(bring(&code, "nonce", WIKI, &client())).await;
    assert_eq!(again.unwrap_err(), HandOffError::Invalid);
}

#[tokio::test]
async fn a_code_is_worth_nothing_in_other_hands() {
    let house = house().await;
    let (_, _, laptop) = house.device("laptop", &human("olivia")).await;
    let (_, signed_in) = house.person("alice", &client()).await;
    for (nonce, host, client_then) in
        [("other", WIKI, client()), ("nonce", "blog.localhost", client()), ("nonce", WIKI, laptop.clone())]
    {
        let code = mint(&house, signed_in.session, &client()).await;
        let outcome = house.administrator.redeem_hand_off(bring(&code, nonce, host, &client_then)).await;
        assert_eq!(outcome.unwrap_err(), HandOffError::Invalid, "{nonce} {host}");
        let spent = house.administrator.redeem_hand_off(bring(&code, "nonce", WIKI, &client())).await;
        assert_eq!(spent.unwrap_err(), HandOffError::Invalid, "a failed attempt uses the code up");
    }
    let late = mint(&house, signed_in.session, &client()).await;
    house.turn(Duration::from_secs(60));
    assert!(house.administrator.redeem_hand_off(bring(&late, "nonce", WIKI, &client())).await.is_err());
    let ended = mint(&house, signed_in.session, &client()).await;
    house.administrator.sign_out(signed_in.session, &actor()).await;
    assert!(house.administrator.redeem_hand_off(bring(&ended, "nonce", WIKI, &client())).await.is_err());
    let hash = nonce_hash("nonce");
    let them = &house.administrator;
    assert!(them.hand_off(signed_in.session, WIKI, &hash, "/", &client()).await.is_err(), "no session");
    let (_, signed_in) = house.person("bob", &client()).await;
    assert!(them.hand_off(signed_in.session, "evil.example", &hash, "/", &client()).await.is_err(), "not served");
    assert!(them.hand_off(signed_in.session, WIKI, &hash, "/", &laptop).await.is_err(), "another device");
    assert!(them.hand_off(signed_in.session, WIKI, "short", "/", &client()).await.is_err());
}

/// After a step-up, the cookies of other hosts go on proving what they proved before, and nothing of what is new.
#[tokio::test]
async fn a_step_up_leaves_other_hosts_with_what_they_knew() {
    let mut house = house().await;
    let (mut key, signed_in) = house.person("alice", &client()).await;
    let redeem = async |house: &House| {
        let code = mint(house, signed_in.session, &client()).await;
        house.administrator.redeem_hand_off(bring(&code, "nonce", WIKI, &client())).await.unwrap().secret
    };
    let age = |house: &House, secret: &CredentialSecret| {
        let resolved = house.cookie(secret, WIKI, &client());
        resolved.map(|resolved| (house.administrator.now().since(resolved.authentication.unwrap().1)).as_secs())
    };
    let before = redeem(&house).await;
    house.turn(Duration::from_secs(1800));
    let step_up = async |house: &House, key: &mut SoftwarePasskey| {
        let them = &house.administrator;
        let ceremony = them.begin_step_up(signed_in.session, &client()).await.unwrap();
        let answer = key.get(&ceremony.options, ORIGIN).unwrap();
        them.finish_step_up(signed_in.session, &ceremony.id, &answer, &client()).await.unwrap()
    };
    step_up(&house, &mut key).await;
    assert_eq!(age(&house, &before), Ok(1800), "an older cookie learns nothing of the new proof");
    // A lease that was opened with it is decided again on what it proves, too.
    let seen = house.cookie(&before, WIKI, &client()).unwrap();
    let idle = house.administrator.settings().session_idle;
    let standing = house.administrator.0.accounts.sessions.standing(&seen, idle, house.administrator.now()).unwrap();
    assert_eq!(standing.authentication, seen.authentication);
    house.turn(Duration::from_secs(60));
    step_up(&house, &mut key).await;
    assert_eq!(age(&house, &before), Ok(1860), "however often");
    let after = redeem(&house).await;
    assert_eq!(age(&house, &after), Ok(0));
    assert_eq!(age(&house, &before), Err(CredentialFault::Unknown), "the host has a new one");
    step_up(&house, &mut key).await;
    house.administrator.sign_out(signed_in.session, &actor()).await;
    assert_eq!(age(&house, &after), Err(CredentialFault::Unknown), "it ends with its session");
    house.restart();
    assert_eq!(age(&house, &after), Err(CredentialFault::Unknown));
}

#[test]
fn a_return_path_never_leaves_the_host() {
    for path in ["/", "/a", "/a/b?c=d&e=%2F", "/?x=//y"] {
        assert_eq!(local_path(path), path);
    }
    let long = format!("/{}", "a".repeat(5000));
    for path in
        ["", "a", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "/a\\b", "/ü", "/a b", &long]
    {
        assert_eq!(local_path(path), "/", "{path:?}");
    }
}
