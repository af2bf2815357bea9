//! The policy asked on the command line, against the real binary: tables, CSV, JSON, exit codes.

use serde_json::Value;

use crate::offline::fails;
use crate::program::{LISTEN, PLAIN, Program};
use crate::{application, estate};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_who_what_why_and_what_nobody_covers() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::up(directory.path(), &format!("{PLAIN}{LISTEN}{}", estate(application::start().await)));
    let refused = |arguments: &[&str]| {
        let config = ["--config", program.file.to_str().unwrap()];
        tokio::task::block_in_place(|| fails(&[arguments, &config].concat(), 1))
    };

    let table = program.tell(&["ask", "who-can", "http:read", "standard"]);
    assert!(table.contains("human:alice") && table.contains("with multi-factor sign-in"), "{table}");
    let csv = program.tell(&["ask", "who-can", "http:write", "high", "--kind", "human", "--csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "subject,name,way,when");
    assert!(lines[1].starts_with("human:alice,"), "{csv}");
    assert!(csv.contains("\"with multi-factor sign-in at most 12 h ago, on a managed, compliant device\""), "{csv}");
    refused(&["ask", "who-can", "http:read", "standard", "--auth", "none"]);

    let json = program.tell(&["ask", "what-can", "service:backup", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["items"].as_array().unwrap().iter().any(|item| item["resource"] == "standard"), "{json}");

    let why = program.tell(&["ask", "why", "human:alice", "http:read", "standard"]);
    for words in
        ["writers-write", "entitlement.cedar:", "human:alice → staff", "Leave the group staff.", "Not signed in."]
    {
        assert!(why.contains(words), "{words}: {why}");
    }
    let csv = program.tell(&["ask", "why", "human:alice", "http:read", "standard", "--csv"]);
    assert!(csv.contains("\ndecision,allow,human:alice,http:read,standard\n"), "{csv}");
    assert!(csv.lines().any(|line| line.starts_with("policy,writers-write,permit,")), "{csv}");
    refused(&["ask", "why", "human:alice", "http:read", "crown-jewel", "--auth", "passkey"]);

    let mut alice = program.person("human:alice").await;
    assert!(alice.open(&program.url("standard", "/")).await.unwrap().status().is_success());
    let done = program.tell(&["ask", "who-did", "--resource", "standard", "--json"]);
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["items"][0]["subject"], "human:alice", "{done}");
    let decision = done["items"][0]["decision"].as_str().unwrap();
    assert!(program.tell(&["ask", "why", decision]).contains("writers-write"));

    let matrix = program.tell(&["ask", "matrix", "--auth", "passkey", "--device-state", "compliant", "--csv"]);
    assert!(matrix.lines().next().unwrap().starts_with("who,of,crown-jewel,"), "{matrix}");
    assert!(matrix.lines().any(|line| line.starts_with("staff,3,")), "{matrix}");
    // The first owner is in `owners`, everybody else in `staff`, and nobody permits opening channels to the ledger.
    let config = ["coverage", "--json", "--config", program.file.to_str().unwrap()];
    let output = tokio::task::block_in_place(|| crate::offline::countersign(&config));
    let coverage: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(coverage["subjects"]["found"], 0, "{coverage}");
    assert!(coverage["doors"]["of"].as_u64().unwrap() > 20, "{coverage}");
    let gaps = ["coverage", "--csv", "--config", program.file.to_str().unwrap()];
    let output = tokio::task::block_in_place(|| crate::offline::countersign(&gaps));
    let gaps = String::from_utf8(output.stdout).unwrap();
    assert!(gaps.starts_with("gap,what,action,methods,path\n"), "{gaps}");
    assert!(gaps.lines().any(|line| line.starts_with("owner security is nobody here,")), "{gaps}");
    assert!(program.terminate().success());
}
