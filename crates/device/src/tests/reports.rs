//! Posture reports: signed, verified, forged.

use countersign_model::{DeviceId, PostureAspect, PostureValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

use super::{DAY, NOW, laptop, later};
use crate::report::{self, Report, ReportError};
use crate::{Authority, DeviceKey, DevicePublicKey};

struct Enrolled {
    key: DeviceKey,
    certificate: String,
    fingerprint: String,
}

fn enrol(key: DeviceKey) -> Enrolled {
    let authority = Authority::create(NOW, "Countersign").unwrap();
    let issued = authority.sign_request(&key.csr().unwrap(), &laptop(), DAY, NOW).unwrap();
    Enrolled { key, certificate: issued.pem, fingerprint: issued.fingerprint }
}

impl Enrolled {
    fn public_key(&self) -> DevicePublicKey {
        DevicePublicKey::from_certificate_pem(&self.certificate).unwrap()
    }
}

fn honest() -> Report {
    let facts = vec![
        (PostureAspect::Firewall, PostureValue::On),
        (PostureAspect::OsVersion, PostureValue::Version("12.5".to_owned())),
        (PostureAspect::PatchAge, PostureValue::Days(3)),
    ];
    Report::new(laptop(), facts, NOW)
}

#[test]
fn a_report_arrives_as_it_was_signed() {
    let ed25519 = DeviceKey::from_pem(&KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem()).unwrap();
    for key in [DeviceKey::generate().unwrap(), ed25519] {
        let device = enrol(key);
        let report = honest();
        assert_eq!(report.facts[0].0, PostureAspect::OsVersion, "in order");
        let token = report::sign(&device.key, &report).unwrap();
        assert_eq!(report::verify(&token, &device.public_key(), NOW), Ok(report.clone()));
        let token = report::sign_with_certificate(&device.key, &device.certificate, &report).unwrap();
        assert_eq!(report::claimed_fingerprint(&token), Ok(device.fingerprint.clone()));
        assert_eq!(report::verify_by_fingerprint(&token, &device.fingerprint, NOW), Ok(report));
        assert!(token.len() < report::MAX_LENGTH);
    }
    assert_ne!(honest().id, honest().id);
}

#[test]
fn a_report_counts_for_a_minute() {
    let device = enrol(DeviceKey::generate().unwrap());
    let token = report::sign(&device.key, &honest()).unwrap();
    let verdict = |now| report::verify(&token, &device.public_key(), now).map(|_| ());
    assert_eq!(verdict(later(60)), Ok(()));
    assert_eq!(verdict(later(61)), Err(ReportError::Time));
    assert_eq!(verdict(NOW.minus(std::time::Duration::from_secs(61))), Err(ReportError::Time));
}

#[test]
fn another_device_cannot_report_for_this_one() {
    let (device, other) = (enrol(DeviceKey::generate().unwrap()), enrol(DeviceKey::generate().unwrap()));
    let verdict = |token: &str| report::verify_by_fingerprint(token, &device.fingerprint, NOW);
    let token = report::sign_with_certificate(&other.key, &device.certificate, &honest()).unwrap();
    assert_eq!(verdict(&token), Err(ReportError::Signature), "our certificate in front of a stranger's signature");
    let token = report::sign_with_certificate(&other.key, &other.certificate, &honest()).unwrap();
    assert_eq!(verdict(&token), Err(ReportError::Signature), "a stranger's certificate");
    let report = Report { device: DeviceId::new("server").unwrap(), ..honest() };
    let token = report::sign_with_certificate(&device.key, &device.certificate, &report).unwrap();
    assert_eq!(verdict(&token), Err(ReportError::Signature), "a report about another device");
    let token = report::sign(&device.key, &honest()).unwrap();
    assert_eq!(verdict(&token), Err(ReportError::Malformed), "no certificate");
}

/// A token with a changed header or changed claims, signed by the device itself.
fn forge(device: &Enrolled, change: impl Fn(&mut Header, &mut Value)) -> Result<Report, ReportError> {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(report::TYPE.to_owned());
    let mut claims = json!({
        "iss": laptop(), "iat": NOW.seconds(), "jti": "0123456789abcdef", "posture": { "firewall": "on" },
    });
    change(&mut header, &mut claims);
    let key = match header.alg {
        Algorithm::HS256 => EncodingKey::from_secret(&device.public_key().bytes),
        _ => EncodingKey::from_ec_der(device.key.pkcs8()),
    };
    report::verify(&jsonwebtoken::encode(&header, &claims, &key).unwrap(), &device.public_key(), NOW)
}

#[test]
fn a_report_is_nothing_but_a_report() {
    let device = enrol(DeviceKey::generate().unwrap());
    assert!(forge(&device, |_, _| {}).is_ok());
    assert_eq!(forge(&device, |header, _| header.alg = Algorithm::HS256), Err(ReportError::Signature));
    assert_eq!(forge(&device, |header, _| header.typ = None), Err(ReportError::Malformed));
    assert_eq!(forge(&device, |header, _| header.typ = Some("JWT".to_owned())), Err(ReportError::Malformed));
    assert_eq!(forge(&device, |header, _| header.crit = Some(vec!["x".to_owned()])), Err(ReportError::Malformed));
    let malformed = [
        ("iss", json!("")),
        ("iss", json!("a\u{202e}b")),
        ("jti", json!("short")),
        ("jti", Value::Null),
        ("iat", json!("soon")),
        ("posture", json!({ "trustworthiness": "on" })),
        ("posture", json!({ "firewall": "surely" })),
        ("posture", json!({ "os-version": { "version": "<script>" } })),
        ("posture", json!({ "patch-age": { "days": -1 } })),
        ("posture", json!([])),
    ];
    for (name, value) in malformed {
        let verdict = forge(&device, |_, claims| claims[name] = value.clone());
        assert_eq!(verdict, Err(ReportError::Malformed), "{name}: {value}");
    }
    assert_eq!(forge(&device, |_, claims| claims["iat"] = json!(i64::MAX)), Err(ReportError::Time));
    assert_eq!(forge(&device, |_, claims| claims["iat"] = json!(i64::MIN)), Err(ReportError::Time));
    let long = "a".repeat(report::MAX_LENGTH + 1);
    assert_eq!(report::verify(&long, &device.public_key(), NOW), Err(ReportError::Malformed));
}

fn value() -> impl Strategy<Value = PostureValue> {
    prop_oneof![
        Just(PostureValue::On),
        Just(PostureValue::Off),
        any::<u32>().prop_map(PostureValue::Days),
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}".prop_map(PostureValue::Version),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_report_survives(
        facts in prop::collection::btree_map(prop::sample::select(&PostureAspect::ALL), value(), 0..8),
    ) {
        let device = enrol(DeviceKey::generate().unwrap());
        let report = Report::new(laptop(), facts.into_iter().collect(), NOW);
        let token = report::sign(&device.key, &report).unwrap();
        prop_assert_eq!(report::verify(&token, &device.public_key(), NOW), Ok(report));
    }

    #[test]
    fn reading_a_report_never_panics(text in "[ -~]{0,300}") {
        let key = DevicePublicKey { algorithm: crate::certificate::KeyAlgorithm::P256, bytes: vec![4; 65] };
        prop_assert!(report::verify(&text, &key, NOW).is_err());
        prop_assert!(report::verify_by_fingerprint(&text, "", NOW).is_err());
    }
}
