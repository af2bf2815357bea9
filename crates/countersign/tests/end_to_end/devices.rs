//! A device enrols and reports through the command line, and what it reports counts at once.

use countersign::browser::Browser;
use countersign::dial::ClientIdentity;
use hyper::{Method, StatusCode};

use crate::cut::{breaks_off, endless};
use crate::offline::{fails, succeeds, text};
use crate::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_enrols_reports_and_is_cut_when_it_degrades() {
    let test = start().await;
    let file = test.path("countersign.toml");
    let (identity, authority) = (test.path("identity"), test.path("data/authority.pem"));
    let tell = |arguments: &[&str]| {
        test.catch_up();
        succeeds(&[arguments, &["--config", text(&file)]].concat())
    };

    let token = tell(&["device", "invite", "laptop", "--owner", "human:alice"]);
    let origin = test.origin();
    let at = ["--ca", text(&authority), "--identity", text(&identity)];
    let enroll = [&["device", "enroll", &origin, "--token", token.trim()], &at[..]].concat();
    assert!(succeeds(&enroll).contains("laptop is enrolled"));
    assert!(fails(&enroll, 1).contains("holds a device identity already"));
    let elsewhere = test.path("elsewhere");
    let again = ["device", "enroll", &origin, "--token", token.trim(), "--ca", text(&authority), "--identity"];
    // A token works once.
    fails(&[&again[..], &[text(&elsewhere)]].concat(), 1);
    assert!(fails(&["device", "report", "--identity", text(&elsewhere)], 1).contains("has this device been enrolled"));

    let report = |firewall: &str, more: &[&str]| {
        test.catch_up();
        let firewall = format!("firewall={firewall}");
        let set = ["--set", "disk-encryption=on", "--set", "patch-age=3", "--set", &firewall];
        succeeds(&[&["device", "report", "--identity", text(&identity)], &set[..], more].concat())
    };
    assert!(!report("on", &["--dry-run"]).contains("reported by"));
    assert!(report("on", &[]).contains("reported by laptop"));
    tell(&["device", "manage", "laptop"]);

    let renew = ["device", "renew", "--identity", text(&identity)];
    let before = std::fs::read_to_string(identity.join("certificate.pem")).unwrap();
    assert!(succeeds(&renew).contains("laptop has a new certificate, until "));
    let read = |name: &str| std::fs::read_to_string(identity.join(name)).unwrap();
    let proof = ClientIdentity { certificate: read("certificate.pem"), key: read("key.pem") };
    assert_ne!(proof.certificate, before);
    // Near its end a report brings the next one with it.
    let near = read("device.json").replace("\"expires\": \"2", "\"expires\": \"1");
    std::fs::write(identity.join("device.json"), near).unwrap();
    assert!(report("on", &[]).contains("reported by laptop"));
    assert_ne!(read("certificate.pem"), proof.certificate);
    let proof = ClientIdentity { certificate: read("certificate.pem"), key: read("key.pem") };
    let link = tell(&["subject", "invite", "human:alice"]);
    let (_, secret) = link.trim().split_once('#').unwrap();
    let mut alice = Browser::new(test.dialler(Some(&proof)));
    alice.enrol(&format!("{origin}/invite#{secret}"), "test").await.unwrap();
    let body = endless(&test, &mut alice, "high").await;
    report("off", &[]);
    breaks_off(body).await;
    let denied = alice.send(Method::GET, &test.url("high", "/"), None).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    let listed = tell(&["device", "list", "--json"]);
    assert!(listed.contains("\"firewall\": \"failed\""), "{listed}");
    test.stop().await;
}
