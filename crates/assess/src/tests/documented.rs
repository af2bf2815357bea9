//! The pages of the health check, the gap map, the metrics and the crosswalk have every row of the tables in the code, in the same words.

use crate::gaps::more;
use crate::{Told, definitions, fields, indicators, metric_definitions};

const HEALTH: &str = include_str!("../../../../docs/health.md");
const GAPS: &str = include_str!("../../../../docs/gaps.md");
const METRICS: &str = include_str!("../../../../docs/metrics.md");
const CROSSWALK: &str = include_str!("../../../../docs/crosswalk.md");

fn has(page: &str, row: &str) {
    assert!(page.contains(row), "the page lacks\n{row}");
}

/// Rows that begin with an identifier.
fn rows(page: &str) -> usize {
    page.lines().filter(|line| line.starts_with("| `")).count()
}

#[test]
fn every_indicator_and_every_field_has_its_row() {
    for indicator in indicators() {
        has(HEALTH, &format!("| `{}` |", indicator.id));
    }
    for (name, _, _) in fields() {
        assert!(HEALTH.contains(&format!("`{name}`")), "docs/health.md lacks the field {name}");
    }
}

#[test]
fn every_control_and_every_count_has_its_row() {
    for control in definitions() {
        let indicator = |one: &crate::DefinedIndicator| {
            let id = if one.gating { format!("**`{}`**", one.id) } else { format!("`{}`", one.id) };
            match one.bands {
                [50, 80, 98] => id,
                [95, 99, 100] => format!("{id} (strict)"),
                other => panic!("{other:?} is no scale of the page"),
            }
        };
        let indicators: Vec<String> = control.indicators.iter().map(indicator).collect();
        let indicators = if indicators.is_empty() { "attested".to_owned() } else { indicators.join(", ") };
        let (id, title, step) = (control.control, control.title, control.sequence.name());
        has(GAPS, &format!("| `{id}` | {title} | {} | {step} | {indicators} |", control.requirement));
    }
    for indicator in more() {
        let found = format!("| `{}` | `{}` | `{}`: ", indicator.id, indicator.population, indicator.finding);
        has(GAPS, &found);
    }
    for told in Told::ALL {
        has(GAPS, &format!("| `{}` | {} | `{}` |", told.name(), told.means(), told.look()));
    }
    assert_eq!(rows(GAPS), definitions().count() + more().len() + Told::ALL.len());
}

#[test]
fn every_metric_has_its_row() {
    for metric in metric_definitions() {
        let by = metric.by.map(|by| format!(" by `{by}`")).unwrap_or_default();
        let (id, unit, name) = (metric.id, metric.unit, metric.prometheus);
        has(METRICS, &format!("| `{id}` | {} | {} | {unit} | `{name}`{by} |", metric.definition, metric.formula));
    }
    assert_eq!(rows(METRICS), metric_definitions().len());
}

#[test]
fn every_row_of_a_framework_has_its_row() {
    let mut count = 0;
    for framework in &crate::crosswalk::FRAMEWORKS {
        has(CROSSWALK, &format!("## {}, {}", framework.title, framework.version));
        for row in framework.rows {
            let indicators: Vec<String> = row.indicators.iter().map(|id| format!("`{id}`")).collect();
            let or = |text: String| if text.is_empty() { "–".to_owned() } else { text };
            let (indicators, outside) = (or(indicators.join(", ")), or(row.outside.to_owned()));
            has(CROSSWALK, &format!("| `{}` | {} | {indicators} | {outside} |", row.id, row.title));
            count += 1;
        }
    }
    assert_eq!(rows(CROSSWALK), count);
}
