//! Sessions: pinned to host and device, ended by age, by rest, by hand, and the same after a restart.

use std::time::Duration;

use countersign_identity::operator;
use countersign_ledger::EntryBody;
use countersign_model::{AuthenticationMethod, CredentialSecret};

use super::fixture::{CONTROL, House, ORIGIN, actor, client, human};
use crate::SessionFilter;
use crate::accounts::Client;
use crate::sessions::CredentialFault;

#[tokio::test]
async fn a_cookie_counts_at_its_host_and_from_its_device_only() {
    let house = House::new().await;
    let (_, _, laptop) = house.device("laptop", &human("olivia")).await;
    let (_, _, phone) = house.device("phone", &human("olivia")).await;
    let (mut key, bare) = house.person("alice", &client()).await;
    let pinned = house.sign_in(&mut key, &laptop).await;
    let check = |secret, host, client: &Client| house.cookie(secret, host, client).map(|resolved| resolved.subject);
    assert_eq!(check(&pinned.cookie.secret, CONTROL, &laptop), Ok(human("alice")));
    assert_eq!(check(&pinned.cookie.secret, CONTROL, &phone), Err(CredentialFault::WrongDevice));
    assert_eq!(check(&pinned.cookie.secret, CONTROL, &client()), Err(CredentialFault::WrongDevice));
    assert_eq!(check(&bare.cookie.secret, CONTROL, &laptop), Err(CredentialFault::WrongDevice));
    assert_eq!(check(&pinned.cookie.secret, "wiki.localhost", &laptop), Err(CredentialFault::WrongHost));
    assert_eq!(check(&CredentialSecret::new("guess"), CONTROL, &laptop), Err(CredentialFault::Unknown));
}

#[tokio::test]
async fn rest_and_age_end_a_session() {
    let house = House::new().await;
    let settings = house.administrator.settings();
    let (mut key, signed_in) = house.person("alice", &client()).await;
    let sessions = &house.administrator.0.accounts.sessions;
    let short = Duration::from_millis(1);
    let seen = house.cookie(&signed_in.cookie.secret, CONTROL, &client()).unwrap();
    house.turn(settings.session_idle - short);
    let standing = sessions.standing(&seen, settings.session_idle, house.administrator.now());
    assert!(standing.is_some());
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_ok(), "used just in time");
    house.turn(settings.session_idle);
    // Looking at a live lease is no use of the session.
    assert_eq!(sessions.standing(&seen, settings.session_idle, house.administrator.now()), None);
    let rested = house.cookie(&signed_in.cookie.secret, CONTROL, &client());
    assert_eq!(rested.unwrap_err(), CredentialFault::Expired);

    let signed_in = house.sign_in(&mut key, &client()).await;
    for _ in 0..settings.session_lifetime.as_secs() / settings.session_idle.as_secs() {
        assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_ok());
        house.turn(settings.session_idle - short);
    }
    house.turn(short * 12);
    assert_eq!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).unwrap_err(), CredentialFault::Expired);
    house.administrator.housekeep_accounts().await;
    assert!(house.administrator.sessions(&SessionFilter::default()).is_empty());
    let ended = |body: &EntryBody| matches!(body, EntryBody::SessionEnded { cause, .. } if cause == "expired");
    assert_eq!(house.recorded().await.iter().filter(|body| ended(body)).count(), 2);
}

#[tokio::test]
async fn sessions_survive_a_restart_with_their_last_use_and_the_dead_stay_dead() {
    let mut house = House::new().await;
    let (mut key, kept) = house.person("alice", &client()).await;
    let killed = house.sign_in(&mut key, &client()).await;
    let left = house.sign_in(&mut key, &client()).await;
    house.turn(Duration::from_secs(1800));
    house.cookie(&kept.cookie.secret, CONTROL, &client()).unwrap();
    house.administrator.kill_session(killed.session, &actor()).await.unwrap();
    house.administrator.sign_out(left.session, &actor()).await;
    assert!(house.administrator.kill_session(killed.session, &actor()).await.is_err(), "there is none any more");
    house.administrator.housekeep_accounts().await;
    let last_used = house.administrator.now();
    house.restart();
    let alice = house.administrator.subject(&human("alice")).unwrap();
    assert_eq!(alice.last_used, Some(last_used), "and so is whose session it is");
    house.turn(Duration::from_secs(1801));
    assert!(house.cookie(&kept.cookie.secret, CONTROL, &client()).is_ok(), "its rest counts from its last use");
    for ended in [killed, left] {
        assert_eq!(house.cookie(&ended.cookie.secret, CONTROL, &client()).unwrap_err(), CredentialFault::Unknown);
    }
    assert_eq!(house.administrator.sessions(&SessionFilter::default()).len(), 1);
}

#[tokio::test]
async fn an_operator_assertion_counts_once_from_this_machine_and_not_across_a_restart() {
    let mut house = House::new().await;
    let sign = |house: &House| operator::sign(&house.operator, ORIGIN, house.administrator.now());
    let token = sign(&house);
    let far = Client { address: [192, 0, 2, 1].into(), ..client() };
    assert_eq!(house.bearer(&token, &far).unwrap_err(), CredentialFault::NotLocal);
    let resolved = house.bearer(&token, &client()).unwrap();
    assert_eq!(resolved.subject.to_string(), "service:local-operator");
    assert!(resolved.authentication.unwrap().0.contains(&AuthenticationMethod::LocalOperator));
    assert_eq!(house.bearer(&token, &client()).unwrap_err(), CredentialFault::Replayed);
    let used = sign(&house);
    house.bearer(&used, &client()).unwrap();
    house.turn(Duration::from_secs(10));
    house.restart();
    assert_eq!(house.bearer(&used, &client()).unwrap_err(), CredentialFault::Replayed);
    assert!(house.bearer(&sign(&house), &client()).is_ok());
    let elsewhere = operator::sign(&house.operator, "https://other.example", house.administrator.now());
    assert_eq!(house.bearer(&elsewhere, &client()).unwrap_err(), CredentialFault::Unknown);
}
