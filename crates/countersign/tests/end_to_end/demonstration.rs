//! The demonstration is what a newcomer runs first: it has to go as it says.

use crate::offline::succeeds;

#[test]
fn the_demonstration_goes_as_expected() {
    let said = succeeds(&["demo", "--exit", "--free-ports", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["unexpected"], serde_json::json!([]));
    let wrong_key = report["requests"].as_array().unwrap().iter().find(|scene| scene["from"] == "a wrong key").unwrap();
    assert_eq!((&wrong_key["outcome"], &wrong_key["status"]), (&serde_json::json!("deny"), &serde_json::json!(403)));
}
