//! The crate from outside and each rule of it. Estates are small and our own: through the estate's own readers where they can
//! say it, and from its saved form for what they do not read yet.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod chain;
mod documented;
mod gaps;
mod query;
mod radius;
mod sums;
mod table;
mod traps;

use countersign_estate::Inventory;
use countersign_model::Timestamp;
use serde_json::{Value, json};

use crate::{Checked, Filter, Health, HealthCheck, Parameters, Truth, View};

pub(crate) const IMPORTED: &str = "2026-01-01T00:00:00.000Z";

pub(crate) fn imported() -> Timestamp {
    IMPORTED.parse().unwrap()
}

/// So many days before the import (after it, if negative).
pub(crate) fn ago(days: i64) -> Timestamp {
    Timestamp::from_millis(imported().millis() - days * 86_400_000)
}

/// Parts of sources in the estates made here.
pub(crate) const USERS: usize = 0;
pub(crate) const GROUPS: usize = 1;
/// A directory of which nothing but users was imported.
pub(crate) const LONE: usize = 2;
pub(crate) const PEOPLE: usize = 3;
pub(crate) const PROVIDER: usize = 4;
const PARTS: [(&str, &str, &str); 5] = [
    ("active-directory", "CORP", "users"),
    ("active-directory", "CORP", "groups/member"),
    ("active-directory", "LONE", "users"),
    ("table", "hr", "people"),
    ("table", "okta", "users"),
];

/// An estate in its saved form.
#[derive(Clone, Default, Debug)]
pub(crate) struct Estate {
    rows: Vec<Value>,
}

impl Estate {
    pub(crate) fn node(mut self, part: usize, key: &str, kind: &str, attributes: Value) -> Self {
        let mut seen = Self::seen(part, self.rows.len());
        seen["kind"] = json!(kind);
        seen["name"] = json!(key);
        seen["attributes"] = attributes;
        self.rows.push(json!({"node": {"key": key, "seen": [seen]}}));
        self
    }

    pub(crate) fn edge(mut self, part: usize, from: &str, relation: &str, to: &str) -> Self {
        let seen = Self::seen(part, self.rows.len());
        self.rows.push(json!({"edge": {"from": from, "relation": relation, "to": to, "seen": [seen]}}));
        self
    }

    fn seen(part: usize, line: usize) -> Value {
        json!({"part": part, "file": 0, "place": {"line": line + 1}, "span": {"first": IMPORTED, "last": IMPORTED}})
    }

    pub(crate) fn inventory(&self) -> Inventory {
        let parts: Vec<Value> = PARTS
            .iter()
            .map(|(system, realm, part)| json!([{"system": system, "realm": realm, "part": part}, IMPORTED]))
            .collect();
        let head = json!({"format": "countersign-estate", "version": 1, "parts": parts, "imports": [], "verdicts": [],
            "files": [{"name": "export.ldif", "sha256": "00", "bytes": 1}]});
        // Nodes first: whoever is named by an edge is described by then.
        let (nodes, edges): (Vec<_>, Vec<_>) = self.rows.iter().partition(|row| row.get("node").is_some());
        let text: String = std::iter::once(&head).chain(nodes).chain(edges).map(|row| format!("{row}\n")).collect();
        Inventory::load(text.as_bytes()).expect("a saved estate")
    }
}

pub(crate) fn health(inventory: &Inventory, as_of: Timestamp) -> Health {
    let projection = inventory.project().unwrap();
    let parameters = Parameters::default();
    HealthCheck::new(parameters).unwrap().check(&View::new(inventory, &projection, &parameters, as_of))
}

pub(crate) fn one<'h>(health: &'h Health, id: &str) -> &'h Checked {
    health.indicators.iter().find(|checked| checked.id == id).unwrap_or_else(|| panic!("{id} is an indicator"))
}

/// Keys of what an indicator found.
pub(crate) fn found(health: &Health, id: &str) -> Vec<String> {
    one(health, id).findings.iter().map(|finding| finding.key.clone()).collect()
}

/// What a query says of one entry.
pub(crate) fn asked(inventory: &Inventory, query: &str, key: &str, as_of: Timestamp) -> Truth {
    let projection = inventory.project().unwrap();
    let view = View::new(inventory, &projection, &Parameters::default(), as_of);
    let filter = Filter::parse(query).unwrap_or_else(|fault| panic!("{query}: {fault}"));
    let entry = view.present().find(|entry| &*entry.node.key == key).expect("an entry");
    filter.holds(&view, entry, as_of)
}
