//! A report on files, without a server: page, PDF and evidence pack, compared with an earlier one, and verified by who got it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::offline::{fails, succeeds, text};

const USERS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-512",
  "Properties":{"domain":"CORP.EXAMPLE","name":"ADA@CORP.EXAMPLE","enabled":true,"hasspn":true,"pwdneverexpires":true},"Aces":[]}
],"meta":{"methods":0,"type":"users","count":1,"version":6}}"#;

fn export(directory: &Path) -> PathBuf {
    let path = directory.join("users.json");
    fs::write(&path, USERS).unwrap();
    path
}

#[test]
fn a_report_is_made_compared_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let export = export(directory.path());
    let path = |name: &str| directory.path().join(name);
    let make = |name: &str, more: &[&str]| {
        let out = path(name);
        let line = ["report", text(&export), "--organisation", "Example & Sons", "--out", text(&out)];
        succeeds(&[&line[..], more].concat());
        fs::read(out).unwrap()
    };
    let pack = make("evidence.json", &["--as-of", "2026-05-01T00:00:00Z"]);
    let page = String::from_utf8(make("report.html", &["--before", text(&path("evidence.json"))])).unwrap();
    assert!(page.contains("Example &amp; Sons") && page.contains("Since 1 May 2026"));
    assert!(make("report.pdf", &[]).starts_with(b"%PDF-1.7"));
    assert!(fails(&["report", text(&export), "--out", text(&path("report.pdf"))], 1).contains("--force"));
    fails(&["report", text(&export), "--out", text(&path("report.txt"))], 1);

    let verify = |more: &[&str]| {
        let pack = path("evidence.json");
        let line = ["report", "verify", text(&pack), "--json"];
        serde_json::from_str::<Value>(&succeeds(&[&line[..], more].concat())).unwrap()
    };
    let told = verify(&[text(&export)]);
    assert_eq!((&told["verified"], &told["organisation"]), (&Value::Bool(true), &"Example & Sons".into()));
    assert!(told["evidence"].as_u64().unwrap() > 0);

    // Another file than the one that was assessed.
    let other = path("other.json");
    fs::write(&other, USERS.replace("ADA", "EVE")).unwrap();
    fails(&["report", "verify", text(&path("evidence.json")), text(&other)], 1);
    // No ledger recorded it, and that was asked for.
    let key = path("ledger.vkey");
    fs::write(&key, "example.org+cb63776a+AXvyb2h1jRIGYJNjZbdqFUtbjdvlmqh9aY/7d/9zoxAH\n").unwrap();
    fails(&["report", "verify", text(&path("evidence.json")), "--key-file", text(&key)], 1);
    // Better than it was.
    let forged = String::from_utf8(pack).unwrap().replace("\"found\":1", "\"found\":0");
    fs::write(path("evidence.json"), forged).unwrap();
    fails(&["report", "verify", text(&path("evidence.json"))], 1);
}

#[test]
fn a_portfolio_shows_each_tenant_by_its_own_packs() {
    let directory = tempfile::tempdir().unwrap();
    let export = export(directory.path());
    let path = |name: &str| directory.path().join(name);
    let make = |tenant: &str, name: &str, as_of: &str| {
        fs::create_dir_all(path(tenant)).unwrap();
        let out = path(tenant).join(name);
        let line = ["report", text(&export), "--organisation", tenant, "--as-of", as_of, "--out", text(&out)];
        succeeds(&line);
        out
    };
    make("ada", "may.json", "2026-05-01T00:00:00Z");
    make("ada", "june.json", "2026-06-01T00:00:00Z");
    let bert = make("bert", "june.json", "2026-06-02T00:00:00Z");
    let (ada, berts, out) = (path("ada"), path("bert"), path("portfolio.html"));
    let line = ["report", "portfolio", text(&ada), text(&berts), "--out", text(&out)];
    let told: Value = serde_json::from_str(&succeeds(&[&line[..], &["--json"]].concat())).unwrap();
    assert_eq!(told["tenants"].as_array().unwrap().len(), 2);
    let of_ada = told["tenants"].as_array().unwrap().iter().find(|one| one["tenant"] == "ada").unwrap();
    assert!(of_ada["earlier"]["as-of"].as_str().unwrap().starts_with("2026-05-01"), "{of_ada}");
    assert!(fs::read_to_string(&out).unwrap().contains("Zero Trust portfolio"));
    fails(&line, 1);

    // What does not verify is named, and shows nothing.
    let forged = fs::read_to_string(&bert).unwrap().replace("\"found\":1", "\"found\":0");
    fs::write(&bert, forged).unwrap();
    let said = fails(&["report", "portfolio", text(&ada), text(&bert)], 1);
    assert!(said.contains("not counted") && said.contains("june.json"), "{said}");
    fails(&["report", "portfolio", text(&ada), "--out", text(&path("portfolio.pdf"))], 1);
}
