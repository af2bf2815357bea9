//! Whoever is turned away leaves a record: who it was, where that is known, by which door, and why. Never a secret.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_device::report::{Report, sign_with_certificate};
use countersign_identity::secret;
use countersign_identity::software_passkey::SoftwarePasskey;
use countersign_lease::HandOff;
use countersign_ledger::EntryBody;
use countersign_model::{CredentialSecret, DeviceId, PostureAspect, PostureValue, SubjectId};

use super::fixture::{House, ORIGIN, actor, client, forged, human};
use super::hand_off::wiki;

fn refusal(who: Option<&str>, method: &str, cause: &str) -> (Option<SubjectId>, String, String) {
    (who.map(human), method.to_owned(), cause.to_owned())
}

#[tokio::test]
async fn at_a_hand_off() {
    let house = House::new().await;
    let them = &house.administrator;
    them.put_resource(wiki("wiki", "wiki.localhost", "http://127.0.0.1:3000"), &actor()).await.unwrap();
    let (_, signed_in) = house.person("alice", &client()).await;
    let nonce = URL_SAFE_NO_PAD.encode(secret::hash("nonce").as_bytes());
    assert!(them.hand_off(signed_in.session, "elsewhere.example", &nonce, "/", &client()).await.is_err());
    let cause = "the host is not served, or the browser's nonce is none";
    assert_eq!(house.last_refusal().await, refusal(Some("alice"), "hand-off", cause));
    let mut codes = Vec::new();
    for (nonce_then, host, cause) in [
        ("nonce", "blog.localhost", "brought to another host"),
        ("another", "wiki.localhost", "brought by another browser"),
    ] {
        let code = them.hand_off(signed_in.session, "wiki.localhost", &nonce, "/", &client()).await.unwrap();
        let bring = || HandOff {
            code: code.clone(),
            nonce: CredentialSecret::new(nonce_then),
            host: host.to_owned(),
            device: client().device,
            address: client().address,
        };
        assert!(them.redeem_hand_off(bring()).await.is_err());
        assert_eq!(house.last_refusal().await, refusal(Some("alice"), "hand-off", cause));
        assert!(them.redeem_hand_off(bring()).await.is_err());
        assert_eq!(house.last_refusal().await, refusal(None, "hand-off", "unknown, used or expired code"));
        codes.push(code);
    }
    them.sign_out(signed_in.session, &actor()).await;
    assert!(them.hand_off(signed_in.session, "wiki.localhost", &nonce, "/", &client()).await.is_err());
    assert_eq!(house.last_refusal().await.2, "the session has ended or is another device's");
    for body in house.recorded().await {
        assert!(codes.iter().all(|code| !format!("{body:?}").contains(code.expose())));
    }
}

#[tokio::test]
async fn with_a_posture_report_or_a_certificate() {
    let house = House::new().await;
    let them = &house.administrator;
    let (key, certificate, laptop) = house.device("laptop", &human("olivia")).await;
    let id = DeviceId::new("laptop").unwrap();
    let sign = || {
        let report = Report::new(id.clone(), vec![(PostureAspect::Firewall, PostureValue::On)], them.now());
        sign_with_certificate(&key, &certificate, &report).unwrap()
    };
    let report = sign();
    them.report_posture(&report, client().address).await.unwrap();
    them.report_posture(&report, client().address).await.unwrap_err();
    let (who, method, cause) = house.last_refusal().await;
    assert_eq!((who, method.as_str()), (Some(human("olivia")), "posture-report"), "replayed: {cause}");
    assert!(cause.starts_with("device laptop: "), "{cause}");
    them.report_posture("a.b.c", client().address).await.unwrap_err();
    assert_eq!(house.last_refusal().await.0, None);
    house.turn(Duration::from_secs(120));
    them.report_posture(&report, client().address).await.unwrap_err();
    assert!(house.last_refusal().await.2.starts_with("device laptop: "), "late");

    them.revoke_device(&id, &actor()).await.unwrap();
    let over = "the certificate does not count";
    them.report_posture(&sign(), client().address).await.unwrap_err();
    assert_eq!(house.last_refusal().await, refusal(Some("olivia"), "posture-report", over));
    let csr = key.csr().unwrap();
    them.renew_device(&laptop, &csr).await.unwrap_err();
    assert_eq!(house.last_refusal().await, refusal(Some("olivia"), "device-renewal", over));
    them.renew_device(&client(), &csr).await.unwrap_err();
    assert_eq!(house.last_refusal().await, refusal(None, "device-renewal", over));
    for body in house.recorded().await {
        assert!(!format!("{body:?}").contains(&report));
    }
}

#[tokio::test]
async fn with_a_passkey_to_add_and_what_was_done_is_an_act() {
    let house = House::new().await;
    let them = &house.administrator;
    let (_, signed_in) = house.person("alice", &client()).await;
    let begin = async || them.begin_passkey(signed_in.session, &client()).await.unwrap();
    let ceremony = begin().await;
    let answer = SoftwarePasskey::new().create(&ceremony.options, ORIGIN).unwrap();
    let other = begin().await;
    let finish = async |id: &CredentialSecret, answer: &serde_json::Value| {
        them.finish_passkey(signed_in.session, id, answer, "phone", &client()).await
    };
    finish(&other.id, &answer).await.unwrap_err();
    let (who, method, _) = house.last_refusal().await;
    assert_eq!((who, method.as_str()), (Some(human("alice")), "passkey.add"), "the answer to another challenge");
    finish(&other.id, &forged(&answer)).await.unwrap_err();
    assert_eq!(house.last_refusal().await, refusal(None, "passkey.add", "wrong or expired ceremony"));
    let added = finish(&ceremony.id, &answer).await.unwrap();
    them.remove_passkey(&human("alice"), &added.credential, &actor()).await.unwrap();
    assert!(house.acts().await.ends_with(&["passkey.add".to_owned(), "passkey.remove".to_owned()]));
}

/// Strangers cannot make the ledger grow as they like: so many entries for an address and in all, and one for the rest.
#[tokio::test]
async fn more_than_enough_are_told_of_together() {
    let house = House::new().await;
    let them = &house.administrator;
    let stranger = async |address: IpAddr, times: u32| {
        for _ in 0..times {
            them.report_posture("a.b.c", address).await.unwrap_err();
        }
    };
    let refused = async || {
        them.0.recorder.flush().await;
        let mut entries = Vec::new();
        for body in house.recorded().await {
            if let EntryBody::SignInRefused { method, cause, address, .. } = body {
                entries.push((method, cause, address));
            }
        }
        entries
    };
    let first: IpAddr = [192, 0, 2, 1].into();
    stranger(first, 50).await;
    assert_eq!(refused().await.len(), 30, "so many for one address");
    // Networks of one party count as one; others are heard all the same.
    let network = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
    for last in 0..40 {
        stranger(network(last), 1).await;
    }
    assert_eq!(refused().await.len(), 60);
    for last in 0..=255 {
        stranger([198, 51, 100, last].into(), 3).await;
    }
    assert_eq!(refused().await.len(), 600, "and so many in all");
    them.housekeep_accounts().await;
    let told = refused().await;
    let (method, cause, address) = told.last().unwrap();
    assert_eq!((told.len(), method.as_str(), *address), (601, "several", Some([198, 51, 100, 255].into())));
    let unrecorded = 20 + 10 + 256 * 3 - 540;
    assert!(cause.starts_with(&format!("{unrecorded} more refused proofs since ")), "{cause}");
    them.housekeep_accounts().await;
    assert_eq!(refused().await.len(), 601, "told once");
    house.turn(Duration::from_secs(60));
    stranger(first, 1).await;
    assert_eq!(refused().await.len(), 602, "and begun anew");
}
