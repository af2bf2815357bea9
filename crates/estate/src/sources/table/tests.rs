//! Tables with mappings: what is taken, and that every mistake says where it stands.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use crate::tests::{NOON, batch, edges, saved, try_read};
use crate::{Factor, Inventory, Kind, Limits, Relation};

pub(crate) const MAPPING: &str = r#"# Applications and who has them.
mapping = 1
realm = "applications"

[node]
key = "app:{id}"
kind = "resource"
name = "{name}"

[node.attributes]
owner = "{owner}"
single-sign-on = "{sso}"
created = "{since}"

[[edge]]
from = "mail:{user}"
relation = "permits"
to = "app:{id}"
each = "user"
separator = " "
"#;

pub(crate) const TABLE: &str =
    "id,name,owner,sso,since,user\n1,Payroll,ana@corp.example,yes,2020-01-01,a@x b@x\n2,Wiki,,no,,\n";

fn read(files: &[(&str, &str)]) -> Result<Inventory, String> {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let batch = try_read(&files, &Limits::default()).map_err(|fault| fault.to_string())?;
    let mut inventory = Inventory::new();
    inventory.merge(&batch, NOON).unwrap();
    Ok(inventory)
}

#[test]
fn a_table_with_its_mapping_in_any_order() {
    let inventory = read(&[("apps.csv", TABLE), ("apps.toml", MAPPING)]).unwrap();
    let payroll = inventory.node("app:1").unwrap();
    assert_eq!((payroll.kind(), payroll.name()), (Kind::Resource, "Payroll"));
    let said = payroll.attributes();
    assert_eq!((said.owner.as_deref(), said.single_sign_on), (Some("ana@corp.example"), Some(true)));
    assert_eq!(said.created, "2020-01-01T00:00:00Z".parse().ok());
    assert_eq!(inventory.node("app:2").unwrap().attributes().owner, None);
    let permits = |from: &str| (from.to_owned(), Relation::Permits, "app:1".to_owned());
    assert_eq!(edges(&inventory), [permits("mail:a@x"), permits("mail:b@x")]);
    assert_eq!(inventory.cite(&payroll.sightings[0].evidence).split(" (").next(), Some("apps.csv, line 2"));
    let turned = read(&[("apps.toml", MAPPING), ("apps.csv", TABLE)]).unwrap();
    assert_eq!(turned.nodes().len(), inventory.nodes().len());
    assert_eq!(inventory.parts()[0].0.to_string(), "table:applications/all");
}

#[test]
fn json_by_its_list_and_with_what_stands_within() {
    let mapping = r#"
mapping = 1
realm = "r"
part = "users"
records = "items"
node = { key = "u:{id}", kind = "account", name = "{profile.name}", attributes = { enabled = "{active}", mfa = "{mfa}", last-sign-in = "{last}" } }
edge = []
"#;
    let refused = read(&[("m", mapping)]).unwrap_err();
    assert!(refused.contains("[[edge]]"), "{refused}");
    let mapping = mapping.replace("edge = []\n", "");
    let items = r#"{"items": [{"id": 7, "profile": {"name": "Ana"}, "active": true, "mfa": false, "last": "never"}, {"id": 8}]}"#;
    let inventory = read(&[("items.json", items), ("m", &mapping)]).unwrap();
    let ana = inventory.node("u:7").unwrap();
    assert_eq!((ana.name(), ana.attributes().enabled, ana.attributes().factors), ("Ana", Some(true), Some(Vec::new())));
    assert_eq!(inventory.node("u:8").unwrap().name(), "u:8");
    let list = mapping.replace("records = \"items\"\n", "");
    let inventory = read(&[("m", &list), ("l", r#"[{"id": "x", "mfa": "yes"}]"#)]).unwrap();
    assert_eq!(inventory.node("u:x").unwrap().attributes().factors, Some(vec![Factor::Unspecified]));
}

#[test]
fn mistakes_of_a_mapping_say_their_line_and_column() {
    let refused = |from: &str, to: &str| read(&[("m.toml", &MAPPING.replace(from, to)), ("t.csv", TABLE)]).unwrap_err();
    assert_eq!(
        refused("kind = \"resource\"", "kind = \"sofa\""),
        "m.toml, line 7 column 8: no kind that is known here"
    );
    assert!(refused("relation = \"permits\"", "relation = \"likes\"").contains("line 17 column 12: no relation"));
    assert!(refused("{owner}", "{owner").contains("line 11 column 9: a brace that is never closed"));
    assert!(refused("app:{id}\"\nkind", "app\"\nkind").contains("is the same in every row"));
    assert!(refused("owner = ", "password = ").contains("no attribute that is known here"));
    assert!(refused("realm = \"applications\"", "").contains("realm is missing"));
    assert!(refused("[node]", "[node").contains("line 5 column"));
    assert!(refused("mapping = 1", "mapping = 2").contains("another version"));
    assert!(refused("separator", "seperator").contains("line 20 column 13: a key that is not known here"));
}

#[test]
fn mistakes_of_a_table_say_their_line_and_column() {
    let refused = |from: &str, to: &str| read(&[("m.toml", MAPPING), ("t.csv", &TABLE.replace(from, to))]).unwrap_err();
    assert_eq!(
        refused("yes", "s3cret"),
        "t.csv, line 2 column 28: the column sso, as single-sign-on: expected true or false (or yes, no, active, inactive, enabled, disabled)"
    );
    assert!(
        refused("2020-01-01", "1.1.2020")
            .contains("line 2 column 32: the column since, as created: expected an instant")
    );
    assert!(refused("\n2,", "\n,").contains("line 3 column 1: the column id is empty"));
    assert!(refused("owner", "boss").contains("the column owner is missing, which the mapping m.toml names"));
    assert!(refused("since", "name").contains("missing"));
    assert!(refused(",user\n", ",user,user\n").contains("line 1 column 30: column 7 has the name"));
    assert!(refused("a@x b@x", "a@x,b@x").contains("line 2: 7 values, where the first line has 6"));
    let twice = read(&[("m", MAPPING), ("n", MAPPING), ("t", TABLE)]).unwrap_err();
    assert!(twice.contains("the columns of several mappings"), "{twice}");
    assert!(read(&[("t", TABLE)]).unwrap_err().contains("is of no kind"));
}

#[test]
fn the_same_rows_again_are_the_same() {
    let files: [(&str, &[u8]); 2] = [("m", MAPPING.as_bytes()), ("t", TABLE.as_bytes())];
    let batch = batch(&files);
    let mut inventory = Inventory::new();
    inventory.merge(&batch, NOON).unwrap();
    let once = saved(&inventory);
    inventory.merge(&batch, NOON).unwrap();
    assert_eq!(saved(&inventory), once);
}
