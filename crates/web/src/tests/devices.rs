//! The addresses for devices: enrolment with a one-time token from the console, renewal with the certificate of the
//! connection, signed reports; and what else comes to them.

use countersign_device::report::{Report, sign_with_certificate};
use countersign_device::{DeviceKey, fingerprint_of_pem};

use super::*;

async fn post(stage: &Stage, device: DeviceEvidence, path: &str, body: Value) -> Answer {
    let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request = request.header(header::ORIGIN, ORIGIN);
    let mut request = request.body(Body::from(body.to_string())).unwrap();
    request.extensions_mut().insert(nobody());
    request.extensions_mut().insert(Arrival { device, ..arrival(DecisionId::from_random(3)) });
    stage.send("device", request).await
}

#[tokio::test]
async fn a_device_enrols_reports_and_renews() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    let form = "owner=human%3Aalice&device=laptop";
    let once = stage.form("console", Some(&alice), "/console/devices/enrolment", form).await;
    assert_eq!(once.status, StatusCode::OK, "{}", once.body);
    let token = once.body.split_once("aria-label=\"The secret\">").unwrap().1.split_once('<').unwrap().0;

    let key = DeviceKey::generate().unwrap();
    let enroll = json!({ "token": token, "csr": key.csr().unwrap() });
    let bad = json!({ "token": token, "csr": "nothing of the kind" });
    assert_eq!(
        post(&stage, DeviceEvidence::Absent, "/device/enroll", bad).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let first = post(&stage, DeviceEvidence::Absent, "/device/enroll", enroll.clone()).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert_eq!(post(&stage, DeviceEvidence::Absent, "/device/enroll", enroll).await.status, StatusCode::FORBIDDEN);
    let certificate = first.json()["certificate"].as_str().unwrap().to_owned();
    let evidence = |pem: &str| DeviceEvidence::Certificate { fingerprint: fingerprint_of_pem(pem).unwrap() };

    let id = DeviceId::new("laptop").unwrap();
    let report = Report::new(id.clone(), vec![(PostureAspect::Firewall, PostureValue::On)], SystemClock.now());
    let signed = json!({ "report": sign_with_certificate(&key, &certificate, &report).unwrap() });
    let sent = post(&stage, DeviceEvidence::Absent, "/device/report", signed.clone()).await;
    assert_eq!((sent.status, sent.body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(stage.administrator.device(&id).unwrap().posture.len(), 1);
    assert_eq!(post(&stage, DeviceEvidence::Absent, "/device/report", signed).await.status, StatusCode::FORBIDDEN);

    let renew = json!({ "csr": key.csr().unwrap() });
    assert_eq!(
        post(&stage, DeviceEvidence::Absent, "/device/renew", renew.clone()).await.status,
        StatusCode::FORBIDDEN
    );
    let renewed = post(&stage, evidence(&certificate), "/device/renew", renew.clone()).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.body);
    assert_eq!(post(&stage, evidence(&certificate), "/device/renew", renew).await.status, StatusCode::FORBIDDEN);

    let page = stage.get("console", Some(&alice), "/console/devices?search=LAPT").await;
    assert!(page.body.contains("/console/devices/laptop"));
    let page = stage.get("console", Some(&alice), "/console/devices?search=phone").await;
    assert!(!page.body.contains("/console/devices/laptop") && page.body.contains("No device fits."));
    let found = stage.get("api", Some(&alice), "/api/v1/devices?search=ALICE").await.json();
    assert_eq!(found["items"][0]["id"], "laptop");
    let mine = stage.get("portal", Some(&alice), "/my/devices").await;
    assert!(mine.body.contains("laptop"));
}

#[tokio::test]
async fn a_search_is_cut_into_pages() {
    let stage = Stage::new("", Vec::new());
    let alice = stage.owner("alice").await;
    let names: Vec<String> = (0..60).map(|number| format!("laptop-{number:02}")).collect();
    stage.fill_devices(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = stage.get("console", Some(&alice), "/console/devices?search=laptop").await;
    assert!(first.body.contains("laptop-49") && !first.body.contains("laptop-50"));
    let next = first.body.split_once("rel=\"next\" href=\"").unwrap().1.split_once('"').unwrap().0;
    let next = next.replace("&#38;", "&").replace("&amp;", "&");
    let second = stage.get("console", Some(&alice), &next).await;
    assert!(second.body.contains("laptop-50") && second.body.contains("laptop-59"), "{next}");
    assert!(!second.body.contains("laptop-49"));
}
