//! What holds for every source alike: twice is once, the order of lists makes no difference, and whatever is done to a file ends with
//! a fault or is read, and never with more.

use proptest::prelude::*;
use serde_json::Value;

use super::{LATER, NOON, batch, edges, saved, try_read};
use crate::csv::Records;
use crate::sources::{entra, github, google, hosts, okta, people, table};
use crate::{Inventory, Limits};

const REPORT: &str = r#"{"Report_Entry": [{"Employee_ID": "1", "Name": "Ana", "Termination_Date": "2025-03-31"}]}"#;

fn documents() -> [&'static str; 5] {
    [entra::tests::TENANT, okta::tests::ORGANISATION, google::tests::CUSTOMER, github::tests::ORGANISATION, REPORT]
}

fn read(text: &str) -> Option<Inventory> {
    let batch = try_read(&[("file", text.as_bytes())], &Limits { rows: 100_000, ..Limits::default() }).ok()?;
    let mut inventory = Inventory::new();
    inventory.merge(&batch, NOON).unwrap();
    inventory.project().unwrap();
    inventory.links();
    Some(inventory)
}

#[test]
fn twice_is_once_and_later_is_only_later() {
    let host = hosts::tests::host("ana ALL=(ALL) ALL");
    let all = documents().into_iter().chain([people::tests::TABLE, host.as_str()]);
    for text in all {
        let batch = batch(&[("file", text.as_bytes())]);
        assert!(!batch.nodes().is_empty());
        let mut inventory = Inventory::new();
        inventory.merge(&batch, NOON).unwrap();
        let once = saved(&inventory);
        assert_eq!(inventory.merge(&batch, NOON).unwrap().changes.list, []);
        assert_eq!(saved(&inventory), once);
        assert_eq!(inventory.merge(&batch, LATER).unwrap().changes.counts, crate::Counts::default());
        // Each edge says where it stands, and conditions are in words.
        for edge in inventory.edges() {
            assert!(edge.sightings.iter().all(|seen| !inventory.cite(&seen.evidence).is_empty()));
        }
    }
}

#[test]
fn the_order_of_lists_makes_no_difference() {
    for text in documents() {
        let whole: Value = serde_json::from_str(text).unwrap();
        let Value::Object(map) = &whole else { panic!("an object") };
        let turned: Vec<String> = map.iter().rev().map(|(key, value)| format!("{key:?}: {value}")).collect();
        let turned = read(&format!("{{{}}}", turned.join(", "))).unwrap();
        let straight = read(text).unwrap();
        assert_eq!(edges(&turned), edges(&straight));
        for node in straight.nodes() {
            assert_eq!(turned.node(&node.key).unwrap().attributes(), node.attributes(), "{}", node.key);
        }
    }
}

#[test]
fn what_was_cut_off_is_refused() {
    let host = hosts::tests::host("ana ALL=(ALL) ALL");
    for text in documents().into_iter().chain([host.trim_end()]) {
        for end in (1..text.len()).step_by(23).filter(|end| text.is_char_boundary(*end)) {
            assert!(try_read(&[("file", &text.as_bytes()[..end])], &Limits::default()).is_err(), "{end}");
        }
    }
}

/// Every place in a document.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), all);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                places(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        _ => {}
    }
}

#[test]
fn values_of_every_other_type_at_every_place() {
    let deep = (0..200).fold(Value::Null, |value, _| Value::Array(vec![value]));
    let others =
        [Value::Null, Value::from(-1), Value::from("s3cret"), serde_json::json!([]), serde_json::json!({}), deep];
    for text in documents() {
        let whole: Value = serde_json::from_str(text).unwrap();
        let mut all = Vec::new();
        places(&whole, "", &mut all);
        for place in all {
            for other in &others {
                let mut changed = whole.clone();
                *changed.pointer_mut(&place).unwrap() = other.clone();
                let changed = changed.to_string();
                match try_read(&[("file", changed.as_bytes())], &Limits::default()) {
                    Err(fault) => assert!(!fault.to_string().contains("s3cret"), "{place}: {fault}"),
                    Ok(batch) => drop(Inventory::new().merge(&batch, NOON).unwrap()),
                }
            }
        }
    }
}

#[test]
fn a_record_that_stands_twice_is_one_and_one_that_differs_is_told() {
    let twice = r#"{"source": "okta", "realm": "r", "users": [
        {"id": "u", "status": "ACTIVE", "profile": {"login": "a"}}, {"id": "u", "status": "SUSPENDED", "profile": {"login": "a"}}]}"#;
    let batch = batch(&[("file", twice.as_bytes())]);
    let mut inventory = Inventory::new();
    let report = inventory.merge(&batch, NOON).unwrap();
    assert_eq!(report.changes.contradictions, [("okta:r/u".into(), vec!["enabled"])]);
    let twice = r#"{"source": "okta", "realm": "r", "users": [], "users": []}"#;
    assert!(try_read(&[("file", twice.as_bytes())], &Limits::default()).is_err());
}

proptest! {
    #[test]
    fn a_table_is_read_as_it_was_written(
        rows in prop::collection::vec(prop::collection::vec("[ -~äß\n\"]{0,12}", 2..5), 1..8)
    ) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let text: String =
            rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n").collect();
        let read: Vec<Vec<String>> = Records::new(&text)
            .map(|record| record.unwrap().into_iter().map(|cell| cell.value.into_owned()).collect())
            .collect();
        // The separator is told by the first line, outside of quotes.
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn any_lines_of_sudo_are_read_or_counted(lines in prop::collection::vec("[ -~]{0,40}", 0..12)) {
        let text = hosts::tests::host(&lines.join("\n"));
        prop_assert!(read(&text).is_some());
    }

    #[test]
    fn any_mapping_and_table_end(mapping in "[ -~\n]{0,80}", rows in "[ -~\n]{0,80}") {
        let mapping = format!("mapping = 1\nrealm = \"r\"\n{mapping}");
        let files: [(&str, &[u8]); 3] =
            [("m", mapping.as_bytes()), ("t", rows.as_bytes()), ("n", table::tests::MAPPING.as_bytes())];
        let _ = try_read(&files, &Limits::default());
    }
}
