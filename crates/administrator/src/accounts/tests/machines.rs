//! API keys and devices.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_device::DeviceKey;
use countersign_device::report::{Report, sign_with_certificate};
use countersign_model::{
    ActionClass, DeviceId, PostureAspect, PostureValue, ResourceId, SubjectId, SubjectState, Timestamp,
};

use super::fixture::{CONTROL, House, actor, certified, client, human, subject};
use super::hand_off::wiki;
use crate::accounts::ActError;
use crate::devices::DeviceError;
use crate::sessions::CredentialFault;
use crate::{KeyScope, NewKey};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn house_with_service() -> (House, SubjectId) {
    let house = House::new().await;
    let service = SubjectId::service("backup").unwrap();
    house.put(&service, &[]).await;
    house.administrator.put_resource(wiki("wiki", "wiki.localhost", "http://127.0.0.1:3000"), &actor()).await.unwrap();
    (house, service)
}

fn new_key(service: &SubjectId, expires: Option<Timestamp>) -> NewKey {
    let scope = KeyScope {
        resources: Some(BTreeSet::from([ResourceId::new("wiki").unwrap()])),
        classes: BTreeSet::from([ActionClass::Read]),
    };
    NewKey { subject: service.clone(), owner: human("olivia"), scope, expires }
}

#[tokio::test]
async fn a_key_proves_its_service_until_it_expires_or_is_revoked() {
    let (mut house, service) = house_with_service().await;
    let tomorrow = house.administrator.now().plus(DAY);
    let issued = house.administrator.create_key(new_key(&service, Some(tomorrow)), &actor()).await.unwrap();
    let resolved = house.bearer(&issued.secret, &client()).unwrap();
    assert_eq!((&resolved.subject, resolved.owner.as_ref()), (&service, Some(&human("olivia"))));
    let scope = resolved.scope.unwrap();
    let wiki = ResourceId::new("wiki").unwrap();
    assert!(scope.covers(&wiki, ActionClass::Read) && !scope.covers(&wiki, ActionClass::Write));
    assert!(!scope.covers(&ResourceId::new("other").unwrap(), ActionClass::Read));
    let view = &house.administrator.keys(Some(&service))[0];
    assert_eq!(view.last_used, Some(house.administrator.now()));
    house.administrator.housekeep_accounts().await;
    house.restart();
    assert!(house.bearer(&issued.secret, &client()).is_ok());
    assert!(house.administrator.keys(None)[0].last_used.is_some());
    house.turn(DAY);
    assert_eq!(house.bearer(&issued.secret, &client()).unwrap_err(), CredentialFault::Expired);

    let later = house.administrator.now().plus(DAY);
    let issued = house.administrator.create_key(new_key(&service, Some(later)), &actor()).await.unwrap();
    house.administrator.revoke_key(&issued.id, &actor()).await.unwrap();
    assert_eq!(house.bearer(&issued.secret, &client()).unwrap_err(), CredentialFault::Unknown);
    assert!(matches!(house.administrator.revoke_key(&issued.id, &actor()).await, Err(ActError::NotFound(_))));
    assert!(house.acts().await.ends_with(&["key.create".to_owned(), "key.revoke".to_owned()]));
}

#[tokio::test]
async fn a_key_without_an_end_an_owner_or_a_scope_is_refused() {
    let (house, service) = house_with_service().await;
    let now = house.administrator.now();
    let fine = new_key(&service, Some(now.plus(DAY)));
    house.put(&human("gone"), &[]).await;
    house.administrator.set_subject_state(&human("gone"), SubjectState::Disabled, &actor()).await.unwrap();
    let scope = |resources: Option<&[&str]>, classes: &[ActionClass]| KeyScope {
        resources: resources.map(|ids| ids.iter().map(|id| ResourceId::new(*id).unwrap()).collect()),
        classes: classes.iter().copied().collect(),
    };
    let refused = [
        NewKey { expires: None, ..fine.clone() },
        NewKey { expires: Some(now), ..fine.clone() },
        NewKey { expires: Some(now.plus(DAY * 367)), ..fine.clone() },
        NewKey { expires: Some(Timestamp::FOREVER), ..fine.clone() },
        NewKey { owner: human("gone"), ..fine.clone() },
        NewKey { owner: human("nobody"), ..fine.clone() },
        NewKey { owner: service.clone(), ..fine.clone() },
        NewKey { subject: human("olivia"), ..fine.clone() },
        NewKey { subject: SubjectId::service("nothing").unwrap(), ..fine.clone() },
        NewKey { scope: scope(None, &[]), ..fine.clone() },
        NewKey { scope: scope(Some(&[]), &[ActionClass::Read]), ..fine.clone() },
        NewKey { scope: scope(Some(&["nothing"]), &[ActionClass::Read]), ..fine.clone() },
    ];
    for new in refused {
        assert!(house.administrator.create_key(new.clone(), &actor()).await.is_err(), "{new:?}");
    }
    house.administrator.create_key(fine, &actor()).await.unwrap();
}

#[tokio::test]
async fn a_leaver_takes_keys_and_sessions_along() {
    let (house, service) = house_with_service().await;
    let (_, signed_in) = house.person("alice", &client()).await;
    let (_, _, _) = house.device("laptop", &human("alice")).await;
    let key = NewKey { owner: human("alice"), ..new_key(&service, Some(house.administrator.now().plus(DAY))) };
    let issued = house.administrator.create_key(key, &actor()).await.unwrap();
    house.administrator.remove_subject(&human("alice"), &actor()).await.unwrap();
    assert!(house.cookie(&signed_in.cookie.secret, CONTROL, &client()).is_err());
    assert_eq!(house.bearer(&issued.secret, &client()).unwrap_err(), CredentialFault::Unknown);
    let laptop = house.administrator.device(&DeviceId::new("laptop").unwrap()).unwrap();
    assert_eq!(laptop.state, countersign_model::DeviceState::Revoked);
    assert!(house.store.keys().unwrap().is_empty());
}

#[tokio::test]
async fn a_device_enrols_once_starts_in_quarantine_and_renews_itself() {
    let house = House::new().await;
    let them = &house.administrator;
    let id = DeviceId::new("laptop").unwrap();
    let link = them.invite_device(&human("olivia"), &id, DAY, &actor()).await.unwrap();
    let key = DeviceKey::generate().unwrap();
    let csr = key.csr().unwrap();
    assert_eq!(them.enroll_device(&link.secret, "no request", &client()).await.unwrap_err(), DeviceError::Request);
    let enrolled = them.enroll_device(&link.secret, &csr, &client()).await.unwrap();
    assert_eq!(them.enroll_device(&link.secret, &csr, &client()).await.unwrap_err(), DeviceError::Refused);
    let device = them.device(&id).unwrap();
    assert!(!device.managed && device.posture.is_empty());
    let old = certified(&enrolled.certificate_pem);
    assert_eq!(them.device_of(&old.device), Ok(Some(id.clone())));
    them.set_managed(&id, true, &actor()).await.unwrap();

    let renewed = them.renew_device(&old, &csr).await.unwrap();
    assert!(them.device_of(&old.device).is_err(), "the former certificate is over");
    assert!(them.renew_device(&old, &csr).await.is_err());
    assert!(them.renew_device(&client(), &csr).await.is_err(), "who proves nothing renews nothing");
    let new = certified(&renewed.certificate_pem);
    assert_eq!(them.device_of(&new.device), Ok(Some(id.clone())));
    assert!(them.device(&id).unwrap().managed);
    house.turn(DAY * 30);
    assert!(them.device_of(&new.device).is_err(), "expired");
    assert!(them.invite_device(&human("nobody"), &id, DAY, &actor()).await.is_err());
    house.put(&human("bob"), &[]).await;
    assert!(them.invite_device(&human("bob"), &id, DAY, &actor()).await.is_err(), "somebody else's name");
}

#[tokio::test]
async fn a_revoked_device_ends_its_sessions() {
    let house = House::new().await;
    let (_, _, laptop) = house.device("laptop", &human("olivia")).await;
    let (mut key, _) = house.person("alice", &client()).await;
    let signed_in = house.sign_in(&mut key, &laptop).await;
    let them = &house.administrator;
    them.revoke_device(&DeviceId::new("laptop").unwrap(), &actor()).await.unwrap();
    assert!(them.device_of(&laptop.device).is_err());
    assert!(them.sessions(&crate::SessionFilter::default()).iter().all(|session| session.id != signed_in.session));
    let ceremony = them.begin_sign_in(&laptop).await.unwrap();
    let answer = key.get(&ceremony.options, super::fixture::ORIGIN).unwrap();
    assert!(them.finish_sign_in(&ceremony.id, &answer, &laptop).await.is_err());
}

#[tokio::test]
async fn a_posture_report_counts_once_from_the_current_key_and_in_order() {
    let house = House::new().await;
    let them = &house.administrator;
    let (key, certificate, laptop) = house.device("laptop", &human("olivia")).await;
    let id = DeviceId::new("laptop").unwrap();
    let signed = |value: PostureValue| {
        let report = Report::new(id.clone(), vec![(PostureAspect::Firewall, value)], them.now());
        sign_with_certificate(&key, &certificate, &report).unwrap()
    };
    let first = signed(PostureValue::On);
    house.turn(Duration::from_secs(2));
    let second = signed(PostureValue::Off);
    assert_eq!(them.report_posture(&second, client().address).await, Ok(id.clone()));
    assert_eq!(them.report_posture(&second, client().address).await, Err(DeviceError::Refused), "replayed");
    assert_eq!(them.report_posture(&first, client().address).await, Err(DeviceError::Refused), "held back");
    let fact = them.device(&id).unwrap().posture[&PostureAspect::Firewall].clone();
    assert_eq!((fact.value, fact.max_age), (PostureValue::Off, them.settings().posture.max_age));
    let late = signed(PostureValue::On);
    house.turn(Duration::from_secs(120));
    assert_eq!(them.report_posture(&late, client().address).await, Err(DeviceError::Refused));
    // Another device's key does not speak for this one.
    let (other, _, _) = house.device("phone", &human("olivia")).await;
    let report = Report::new(id.clone(), vec![(PostureAspect::Firewall, PostureValue::On)], them.now());
    let forged = sign_with_certificate(&other, &certificate, &report).unwrap();
    assert_eq!(them.report_posture(&forged, client().address).await, Err(DeviceError::Refused));
    let before = signed(PostureValue::On);
    let csr = key.csr().unwrap();
    them.renew_device(&laptop, &csr).await.unwrap();
    assert_eq!(
        them.report_posture(&before, client().address).await,
        Err(DeviceError::Refused),
        "signed under a former certificate"
    );
    assert_eq!(them.report_posture("a.b.c", client().address).await, Err(DeviceError::Refused));
    assert_eq!(subject(&human("x"), &[]).groups, []);
}
