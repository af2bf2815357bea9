//! The metrics that tell whether it works.

use countersign_assess::{Figure, Metric};

use super::words;
use crate::document::{Block, Column, Section, Table, Text};
use crate::text::decimal;

/// So many values of one metric are shown apart.
const MOST_APART: usize = 8;

pub(super) fn section(metrics: &[Metric]) -> Section {
    let columns = [Column::text("Metric", 2.8), Column::number("Value", 2.0), Column::text("What it is", 5.0)];
    let mut table = Table::new("What is not assessed has no value: it is not zero.", columns);
    for metric in metrics {
        let value = metric.value.map_or_else(|| "not assessed".to_owned(), |value| shown(value, metric.unit));
        let mut what = Text::new(metric.definition).faint(format!(" ({}).", metric.formula));
        if let Some(why) = metric.why_not_assessed {
            what = what.plain(" ").strong("Not assessed: ").plain(why).plain(".");
        }
        for (place, (of, value)) in metric.by.iter().take(MOST_APART).enumerate() {
            what = what.plain(if place > 0 { "; " } else { " " }).name(of).plain(": ").plain(shown(*value, ""));
        }
        table.row([metric.title.into(), value.into(), what.into()]);
    }
    Section { id: "metrics", title: "Metrics".to_owned(), blocks: vec![Block::Table(table)] }
}

fn shown(value: Figure, unit: &str) -> String {
    match value {
        Figure::Share(share) => words(share),
        Figure::Number(number) if unit == "percent" => format!("{} %", decimal(number)),
        Figure::Number(number) => format!("{} {unit}", decimal(number)).trim_end().to_owned(),
    }
}
