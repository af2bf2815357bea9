//! Ceremonies: each once, in time, for whom it was begun.

use std::time::Duration;

use countersign_identity::software_passkey::SoftwarePasskey;
use countersign_ledger::EntryBody;
use countersign_model::{AuthenticationMethod, CredentialSecret, SubjectState};

use super::fixture::{CONTROL, House, ORIGIN, actor, client, forged, human};
use crate::accounts::{ActError, SignInError};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn an_invitation_makes_a_passkey_and_a_session_once() {
    let house = House::new().await;
    let them = &house.administrator;
    let link = them.invite(&human("olivia"), HOUR, &actor()).await.unwrap();
    let mut key = SoftwarePasskey::new();
    let ceremony = them.begin_enrolment(&link.secret, &client()).await.unwrap();
    assert_eq!(ceremony.display_name.as_deref(), Some("olivia"));
    // Begun twice, as in two tabs: whoever finishes first has used the invitation.
    let second = them.begin_enrolment(&link.secret, &client()).await.unwrap();
    let answer = key.create(&ceremony.options, ORIGIN).unwrap();
    let signed_in = them.finish_enrolment(&ceremony.id, &answer, "my laptop", &client()).await.unwrap();
    let resolved = house.cookie(&signed_in.cookie.secret, CONTROL, &client()).unwrap();
    assert_eq!(resolved.subject, human("olivia"));
    assert!(resolved.authentication.unwrap().0.contains(&AuthenticationMethod::Passkey));
    assert_eq!(them.passkeys(&human("olivia")).await.unwrap()[0].name, "my laptop");

    let again = them.finish_enrolment(&ceremony.id, &answer, "x", &client()).await;
    assert_eq!(again.unwrap_err(), SignInError::Refused);
    let late = SoftwarePasskey::new().create(&second.options, ORIGIN).unwrap();
    assert_eq!(them.finish_enrolment(&second.id, &late, "x", &client()).await.unwrap_err(), SignInError::Refused);
    assert_eq!(them.begin_enrolment(&link.secret, &client()).await.unwrap_err(), SignInError::Refused);
    assert_eq!(them.passkeys(&human("olivia")).await.unwrap().len(), 1);
    let started =
        |body: &EntryBody| matches!(body, EntryBody::SessionStarted { subject, .. } if *subject == human("olivia"));
    let recorded = house.recorded().await;
    assert_eq!(recorded.iter().filter(|body| started(body)).count(), 1);
    assert!(recorded.iter().filter(|body| matches!(body, EntryBody::SignInRefused { .. })).count() >= 3);
}

#[tokio::test]
async fn an_invitation_expires_and_can_be_withdrawn() {
    let house = House::new().await;
    let them = &house.administrator;
    let link = them.invite(&human("olivia"), HOUR, &actor()).await.unwrap();
    let ceremony = them.begin_enrolment(&link.secret, &client()).await.unwrap();
    let answer = SoftwarePasskey::new().create(&ceremony.options, ORIGIN).unwrap();
    house.turn(Duration::from_secs(5 * 60));
    assert!(them.finish_enrolment(&ceremony.id, &answer, "x", &client()).await.is_err(), "five minutes are over");
    house.turn(HOUR);
    assert!(them.begin_enrolment(&link.secret, &client()).await.is_err());

    let link = them.invite(&human("olivia"), HOUR, &actor()).await.unwrap();
    let open = them.invitations().await.unwrap();
    assert_eq!(open.len(), 1);
    them.withdraw_invitation(&open[0].id, &actor()).await.unwrap();
    assert!(them.begin_enrolment(&link.secret, &client()).await.is_err());
    let never = them.invite(&human("olivia"), Duration::from_secs(8 * 24 * 3600), &actor()).await;
    assert!(matches!(never, Err(ActError::Refused(_))));
    assert!(them.begin_enrolment(&CredentialSecret::new("guess"), &client()).await.is_err());
}

#[tokio::test]
async fn a_passkey_signs_in_and_a_replay_does_not() {
    let house = House::new().await;
    let them = &house.administrator;
    let (mut key, _) = house.person("alice", &client()).await;
    let signed_in = house.sign_in(&mut key, &client()).await;
    assert_eq!(signed_in.subject, human("alice"));

    let ceremony = them.begin_sign_in(&client()).await.unwrap();
    let answer = key.get(&ceremony.options, ORIGIN).unwrap();
    let bad = them.finish_sign_in(&ceremony.id, &forged(&answer), &client()).await;
    assert_eq!(bad.unwrap_err(), SignInError::Refused);
    // The ceremony is used up by the failure: the honest answer comes too late.
    assert!(them.finish_sign_in(&ceremony.id, &answer, &client()).await.is_err());
    // An answer belongs to its own challenge.
    let other = them.begin_sign_in(&client()).await.unwrap();
    assert!(them.finish_sign_in(&other.id, &answer, &client()).await.is_err());
    let expired = them.begin_sign_in(&client()).await.unwrap();
    let answer = key.get(&expired.options, ORIGIN).unwrap();
    house.turn(Duration::from_secs(300));
    assert!(them.finish_sign_in(&expired.id, &answer, &client()).await.is_err());
}

#[tokio::test]
async fn a_disabled_person_does_not_sign_in() {
    let house = House::new().await;
    let (mut key, signed_in) = house.person("alice", &client()).await;
    let them = &house.administrator;
    them.set_subject_state(&human("alice"), SubjectState::Disabled, &actor()).await.unwrap();
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_err(), "the session ended");
    let ceremony = them.begin_sign_in(&client()).await.unwrap();
    let answer = key.get(&ceremony.options, ORIGIN).unwrap();
    assert!(them.finish_sign_in(&ceremony.id, &answer, &client()).await.is_err());
}

#[tokio::test]
async fn step_up_is_the_same_person_with_a_new_secret() {
    let house = House::new().await;
    let them = &house.administrator;
    let (mut key, signed_in) = house.person("alice", &client()).await;
    let (mut other, _) = house.person("mallory", &client()).await;
    house.turn(Duration::from_secs(1800));

    let ceremony = them.begin_step_up(signed_in.session, &client()).await.unwrap();
    if let Ok(answer) = other.get(&ceremony.options, ORIGIN) {
        assert!(them.finish_step_up(signed_in.session, &ceremony.id, &answer, &client()).await.is_err());
    }
    // A sign-in is no step-up: its ceremony was not begun for this session.
    let ceremony = them.begin_sign_in(&client()).await.unwrap();
    let answer = key.get(&ceremony.options, ORIGIN).unwrap();
    assert!(them.finish_step_up(signed_in.session, &ceremony.id, &answer, &client()).await.is_err());

    let ceremony = them.begin_step_up(signed_in.session, &client()).await.unwrap();
    let answer = key.get(&ceremony.options, ORIGIN).unwrap();
    let renewed = them.finish_step_up(signed_in.session, &ceremony.id, &answer, &client()).await.unwrap();
    assert_eq!(renewed.session, signed_in.session);
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_err(), "the old secret");
    let resolved = house.cookie(&renewed.cookie.secret, CONTROL, &client()).unwrap();
    assert_eq!(resolved.authentication.unwrap().1, them.now());
}

#[tokio::test]
async fn further_passkeys_need_a_fresh_proof_and_the_last_one_stays() {
    let house = House::new().await;
    let them = &house.administrator;
    let (mut key, signed_in) = house.person("alice", &client()).await;
    let first = them.passkeys(&human("alice")).await.unwrap()[0].credential.clone();
    let last = them.remove_passkey(&human("alice"), &first, &actor()).await;
    assert!(matches!(last, Err(ActError::Refused(_))), "{last:?}");

    let ceremony = them.begin_passkey(signed_in.session, &client()).await.unwrap();
    let answer = SoftwarePasskey::new().create(&ceremony.options, ORIGIN).unwrap();
    them.finish_passkey(signed_in.session, &ceremony.id, &answer, "phone", &client()).await.unwrap();
    assert_eq!(them.passkeys(&human("alice")).await.unwrap().len(), 2);

    house.turn(Duration::from_secs(16 * 60));
    let stale = them.begin_passkey(signed_in.session, &client()).await;
    assert_eq!(stale.unwrap_err(), SignInError::StepUpNeeded);
    them.remove_passkey(&human("alice"), &first, &actor()).await.unwrap();
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_err(), "made by the removed passkey");
    let ceremony = them.begin_sign_in(&client()).await.unwrap();
    let answer = key.get(&ceremony.options, ORIGIN).unwrap();
    assert!(them.finish_sign_in(&ceremony.id, &answer, &client()).await.is_err());
    // Invited again, a person may lose the last one: there is a way back.
    let rest = them.passkeys(&human("alice")).await.unwrap()[0].credential.clone();
    them.invite(&human("alice"), HOUR, &actor()).await.unwrap();
    them.remove_passkey(&human("alice"), &rest, &actor()).await.unwrap();
}
