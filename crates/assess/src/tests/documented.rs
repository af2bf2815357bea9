//! The page of the health check has every indicator and every field, in their own words' order.

use crate::{fields, indicators};

const PAGE: &str = include_str!("../../../../docs/health.md");

#[test]
fn every_indicator_and_every_field_has_its_row() {
    for indicator in indicators() {
        let row = format!("| `{}` |", indicator.id);
        assert!(PAGE.contains(&row), "docs/health.md lacks {row}");
    }
    for (name, _, _) in fields() {
        assert!(PAGE.contains(&format!("`{name}`")), "docs/health.md lacks the field {name}");
    }
}
