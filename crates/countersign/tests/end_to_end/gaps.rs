//! The gap map and the metrics on the command line, of a small directory: what is weak, what to do next, what is not known, what others
//! can read, and what changed; and what is done about it on a server.

use std::fs;

use serde_json::{Value, json};

use crate::offline::{countersign, fails, text};
use crate::program::{LISTEN, PLAIN, Program};

/// Cara's password is not needed, and she may reset that of an administrator.
fn directory(required: bool) -> String {
    let flags = if required { 512 } else { 512 | 0x20 };
    format!(
        "version: 1\n\ndn: DC=corp,DC=example\nobjectClass: domainDNS\nobjectSid: S-1-5-21-1-2-3\n\n\
         dn: CN=Domain Admins,CN=Users,DC=corp,DC=example\nobjectClass: group\nobjectSid: S-1-5-21-1-2-3-512\n\
         sAMAccountName: Domain Admins\nmember: CN=ada,CN=Users,DC=corp,DC=example\n\n\
         dn: CN=ada,CN=Users,DC=corp,DC=example\nobjectClass: user\nobjectSid: S-1-5-21-1-2-3-1101\n\
         sAMAccountName: ada\nuserAccountControl: 512\nprimaryGroupID: 513\n\n\
         dn: CN=cara,CN=Users,DC=corp,DC=example\nobjectClass: user\nobjectSid: S-1-5-21-1-2-3-1102\n\
         sAMAccountName: cara\nuserAccountControl: {flags}\nprimaryGroupID: 513\n"
    )
}

/// Something is always missing: the command says so with its exit code.
fn said(arguments: &[&str]) -> String {
    let output = countersign(arguments);
    let (said, noted) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}{noted}");
    said
}

#[test]
fn the_gap_map_says_what_is_weak_and_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before.ldif"), folder.path().join("after.ldif"));
    fs::write(&before, directory(false)).unwrap();
    fs::write(&after, directory(true)).unwrap();
    let kept = folder.path().join("before.json");
    let table = said(&["gaps", text(&before), "--snapshot", text(&kept)]);
    for words in
        ["Identity", "traditional: held there by", "not assessed", "What to do next", "may have an empty password"]
    {
        assert!(table.contains(words), "{words}: {table}");
    }

    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&said(arguments)).unwrap() };
    let map = json(&["gaps", text(&before), "--json"]);
    let steps = map["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["id"] == "password-not-required").unwrap();
    assert_eq!((&step["count"], &step["sequence"]), (&json!(1), &json!("identity")), "{step}");
    // The query of a step is one that can be asked.
    let found = countersign(&["health", text(&before), "--query", step["query"].as_str().unwrap(), "--json"]);
    assert!(String::from_utf8_lossy(&found.stdout).contains("sid:S-1-5-21-1-2-3-1102"), "{found:?}");

    // The evidence closes the step.
    let since = json(&["gaps", text(&after), "--before", text(&kept), "--json"])["since"].clone();
    assert!(since["closed"].as_array().unwrap().contains(&json!("password-not-required")), "{since}");

    let one = json(&["gaps", text(&before), "--area", "network", "--json"]);
    assert_eq!(one["gaps"]["areas"].as_array().unwrap().len(), 1);
    assert!(one["steps"].as_array().unwrap().iter().all(|step| step["area"] == "network"));
    assert!(fails(&["gaps", text(&before), "--area", "netwrk"], 1).contains("did you mean network?"));
    let csv = said(&["gaps", text(&before), "--csv"]);
    assert!(csv.starts_with("id,title,kind,") && csv.contains("\npassword-not-required,"), "{csv}");
    let markdown = said(&["gaps", text(&before), "--markdown"]);
    assert!(markdown.starts_with("## 1. ") && markdown.contains("- **Effort**: small"), "{markdown}");
    fails(&["gaps", text(&before), "--csv", "--markdown"], 2);
}

#[test]
fn what_people_answer_for_is_told_in_a_file_and_shown_as_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let (export, told) = (folder.path().join("corp.ldif"), folder.path().join("told.json"));
    fs::write(&export, directory(false)).unwrap();
    let word = json!({"attestations": [{"control": "break-glass", "claim": "in-place", "statement": "two envelopes",
        "by": "ada@corp.example", "at": "2026-10-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}]});
    fs::write(&told, word.to_string()).unwrap();
    let of = |as_of: &str| said(&["gaps", text(&export), "--told", text(&told), "--as-of", as_of]);
    assert!(of("2026-11-01T00:00:00Z").contains("attested by ada@corp.example"));
    assert!(of("2027-02-01T00:00:00Z").contains("attested until 2027-01-01"));
    fs::write(&told, "{\"attestation\": []}").unwrap();
    fails(&["gaps", text(&export), "--told", text(&told)], 1);
}

#[test]
fn a_metric_without_a_value_says_why_and_is_never_zero() {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("corp.ldif");
    fs::write(&export, directory(false)).unwrap();
    let all = |form: &str| crate::offline::succeeds(&["metrics", text(&export), form]);
    let prometheus = all("--prometheus");
    assert!(prometheus.contains("countersign_tier_zero_members 1\n"), "{prometheus}");
    assert!(!prometheus.contains("coverage") && !prometheus.contains("detection"), "{prometheus}");
    let metrics: Value = serde_json::from_str(&all("--json")).unwrap();
    let detect = metrics["metrics"].as_array().unwrap().iter().find(|one| one["id"] == "mean-time-to-detect").unwrap();
    assert!(detect["value"].is_null() && detect["why-not-assessed"].is_string(), "{detect}");
    assert!(all("--csv").contains("\ntier-zero-members,,1,1,identities,"));
    assert!(all("--markdown").contains("| tier-zero-members |"));
}

/// A server with the directory in its estate.
struct Served {
    program: Program,
    folder: tempfile::TempDir,
}

impl Served {
    fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::up(folder.path(), &format!("{PLAIN}{LISTEN}"));
        Self { program, folder }
    }

    /// Stopped and started again on the same directory.
    fn again(self) -> Self {
        let Self { program, folder } = self;
        assert!(program.terminate().success());
        Self { program: Program::up(folder.path(), &format!("{PLAIN}{LISTEN}")), folder }
    }

    fn import(&self, required: bool) {
        let export = self.folder.path().join("corp.ldif");
        fs::write(&export, directory(required)).unwrap();
        self.program.tell(&["estate", "import", text(&export)]);
    }

    /// Something is always missing: the command says so with its exit code.
    fn said(&self, arguments: &[&str]) -> String {
        let config = ["--config", self.program.file.to_str().unwrap()];
        tokio::task::block_in_place(|| said(&[arguments, &config].concat()))
    }

    fn gaps(&self) -> Value {
        serde_json::from_str(&self.said(&["gaps", "--json"])).unwrap()
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let config = ["--config", self.program.file.to_str().unwrap()];
        tokio::task::block_in_place(|| fails(&[arguments, &config].concat(), 1))
    }
}

fn step<'v>(gaps: &'v Value, id: &str) -> Option<&'v Value> {
    gaps["steps"].as_array().unwrap().iter().find(|step| step["id"] == id)
}

fn control<'v>(gaps: &'v Value, id: &str) -> &'v Value {
    let controls =
        gaps["gaps"]["areas"].as_array().unwrap().iter().flat_map(|area| area["controls"].as_array().unwrap());
    controls.into_iter().find(|control| control["id"] == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_persons_undertake_outlives_a_restart_and_the_evidence_closes_a_step() {
    const STEP: &str = "password-not-required";
    let served = Served::up();
    served.import(false);
    served.program.tell(&["gaps", "assign", STEP, "--owner", "ben@corp.example", "--due", "2099-12-01"]);
    let word = ["gaps", "attest", "break-glass", "--claim", "in-place", "--statement", "two envelopes", "--until"];
    let until = countersign_model::Timestamp::from_seconds(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64 + 86_400,
    )
    .to_string();
    let attested = served.program.tell(&[&word[..], &[&until]].concat());
    assert!(attested.contains("service:local-operator attests break-glass"), "{attested}");
    assert!(served.fails(&["gaps", "assign", "none", "--owner", "ben"]).contains("no step"));
    assert!(served.fails(&[&word[..], &["2099-01-01"]].concat()).contains("366 days"));

    let check = |served: &Served| {
        let gaps = served.gaps();
        let step = step(&gaps, STEP).unwrap();
        assert_eq!((&step["owner"], &step["due"]), (&json!("ben@corp.example"), &json!("2099-12-01T23:59:59.000Z")));
        let word = control(&gaps, "break-glass");
        assert_eq!((&word["state"], &word["attested"]["by"]), (&json!("in-place"), &json!("service:local-operator")));
        // What only a running server counts is the server's, and not "not assessed".
        assert_ne!(control(&gaps, "owned-policies")["state"], "not-assessed");
    };
    check(&served);
    let served = served.again();
    check(&served);
    let report = served.folder.path().join("evidence.json");
    served.program.tell(&["report", "--out", text(&report)]);
    assert!(fs::read_to_string(&report).unwrap().contains("two envelopes"), "the report is of what the server knows");

    served.import(true);
    let trend: Value = serde_json::from_str(&served.program.tell(&["gaps", "trend", "--json"])).unwrap();
    let closed = trend["closed"].as_array().unwrap().iter().find(|closed| closed["step"] == STEP).unwrap();
    assert_eq!(
        (&closed["owner"], &closed["because"]),
        (&json!("ben@corp.example"), &json!("because the evidence changed"))
    );
    assert!(step(&served.gaps(), STEP).is_none());
    let table = served.program.tell(&["gaps", "trend"]);
    assert!(table.contains("Closed by themselves") && table.contains("the inventory that is kept"), "{table}");
    served.program.tell(&["gaps", "attest", "break-glass", "--take-back"]);
    assert_eq!(control(&served.gaps(), "break-glass")["state"], "not-assessed");
}
