//! How records look in a line.

use serde_json::json;

use super::cell;

#[test]
fn nested_lists_and_falsehoods_are_shown() {
    let item = json!({
        "entitled": {"readers": [], "writers": ["staff", "everyone"]},
        "upstream": {"ca": null, "preserve_host": false, "url": "http://127.0.0.1:3000"},
        "expires": "2026-12-22T09:44:26.123Z",
    });
    assert_eq!(cell(&item, "/entitled"), "readers –; writers staff, everyone");
    assert_eq!(cell(&item, "/upstream"), "ca –; preserve host false; url http://127.0.0.1:3000");
    assert_eq!(cell(&item, "/expires"), "2026-12-22 09:44:26");
    assert_eq!(cell(&item, "/nothing"), "–");
}
