//! Findings: each indicator with how many were found, of how many, and how many could not be told.

use countersign_assess::{Checked, Finding, Health, Outcome};

use super::{SHOWN, severity};
use crate::document::{Block, Cell, Column, Section, Table, Text};
use crate::drawing::split;
use crate::text::{counted, date, grouped, percents};

pub(super) fn section(health: &Health) -> Section {
    let intro = "Each indicator was asked of everybody whom it concerns. Found and passed are certain; what no source says is not \
                 assessed, and never counts as passed. The bar shows what was found, hatched what is not known, and then what passed.";
    let mut blocks = vec![Block::Text(intro.into()), Block::Table(overview(health))];
    for checked in health.indicators.iter().filter(|checked| checked.outcome == Outcome::Found) {
        one(checked, &mut blocks);
    }
    Section { id: "findings", title: "Findings".to_owned(), blocks }
}

fn overview(health: &Health) -> Table {
    let columns = [
        Column::text("Indicator", 4.0),
        Column::text("Severity", 1.0),
        Column::text("Of all", 1.5),
        Column::number("Found", 1.0),
        Column::number("Population", 1.2),
        Column::number("Not assessed", 1.1),
    ];
    let mut table = Table::new(format!("As of {}, the worst first.", date(health.as_of)), columns);
    for checked in &health.indicators {
        let shown: Cell = match checked.outcome {
            Outcome::NotApplicable => Text::default().faint("concerns nobody").into(),
            _ => Cell::Drawn(split(checked.found, checked.not_assessed, checked.passed, 66.0, 9.0), Text::default()),
        };
        let found = match checked.outcome {
            Outcome::NotAssessed if checked.passed == 0 => "–".to_owned(),
            _ => grouped(checked.found),
        };
        table.row([
            checked.title.clone().into(),
            severity(checked.severity).into(),
            shown,
            found.into(),
            grouped(checked.population).into(),
            grouped(checked.not_assessed).into(),
        ]);
    }
    table
}

fn one(checked: &Checked, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading(checked.title.clone()));
    let mut text = Text::default().strong(format!("{} of {}", grouped(checked.found), grouped(checked.population)));
    text = text.plain(format!(" ({}). ", severity(checked.severity))).plain(checked.meaning.clone());
    if checked.not_assessed > 0 {
        text = text.plain(format!(" {} could not be assessed:", grouped(checked.not_assessed)));
        for (place, reason) in checked.reasons.iter().take(3).enumerate() {
            text = text.plain(if place > 0 { "; " } else { " " }).plain(format!(
                "{} ({})",
                reason.why,
                grouped(reason.count)
            ));
        }
        text = text.plain(".");
    }
    if let Some(allowed) = checked.allowed {
        text = text.plain(format!(" {} may be; {} are beyond it.", grouped(allowed.number), grouped(allowed.beyond)));
    }
    if let Some(share) = &checked.share {
        text = text.plain(format!(" {}: {}.", super::sentence(share.name), percents(share.at_least, share.at_most)));
    }
    blocks.push(Block::Text(text));
    blocks.push(Block::Text(Text::default().strong("What to do. ").plain(checked.remedy.clone())));
    if !checked.findings.is_empty() {
        let title = format!("Who: {}", counted(checked.findings.len() as u64, "finding", "findings"));
        blocks.push(Block::Folded(title, vec![Block::Table(accounts(&checked.findings))]));
    }
    blocks.push(Block::Note(Text::new("Query: ").code(&checked.query)));
}

fn accounts(findings: &[Finding]) -> Table {
    let more = findings.len().saturating_sub(SHOWN);
    let caption = if more == 0 {
        "All of them, with where it stands.".to_owned()
    } else {
        format!(
            "The first {SHOWN}; the query selects the other {}, and the evidence pack has them.",
            grouped(more as u64)
        )
    };
    let columns = [Column::text("Who", 2.6), Column::text("Evidence", 4.2), Column::text("Where it stands", 3.0)];
    let mut table = Table::new(caption, columns);
    for finding in findings.iter().take(SHOWN) {
        let mut says = Text::default();
        for (place, evidence) in finding.evidence.iter().take(3).enumerate() {
            says = says.plain(if place > 0 { "; " } else { "" }).name(&evidence.says);
        }
        if let Some(more) = finding.evidence.len().checked_sub(3).filter(|more| *more > 0) {
            says = says.plain(format!("; and {} more", grouped(more as u64)));
        }
        let place = finding.evidence.first().map_or_else(Text::default, |evidence| {
            Text::default().name(&evidence.file).plain(", ").name(&evidence.place)
        });
        table.row([Text::default().name(&finding.name).into(), says.into(), place.into()]);
    }
    table
}
