//! A portfolio in words: one table of tenants, and the packs that do not count.

use countersign_model::Timestamp;

use super::{Portfolio, Standing};
use crate::compose::{score, sentence};
use crate::document::{Block, Callout, Cell, Column, Document, Figure, Section, Table, Text, Tone};
use crate::text::{counted, date, decimal, grouped};

pub(super) fn document(portfolio: &Portfolio) -> Document {
    let mut sections = vec![tenants(portfolio)];
    if !portfolio.refused.is_empty() {
        sections.push(refused(portfolio));
    }
    sections.push(Section {
        id: "reading",
        title: "How to read this".to_owned(),
        blocks: vec![Block::List(vec![
            "A score is an interval: what is not known counted as failed, and as passed. It is of the newest pack of each tenant.".into(),
            "The stage is that of the weakest area; the change is that of both ends of the score since the assessment before.".into(),
            "Nothing is added up over tenants. Each row rests on one evidence pack, whose hashes, sums and sources were checked before it was read; \
             that a ledger recorded it is checked with that tenant's key, by countersign report verify."
                .into(),
        ])],
    });
    Document {
        title: "Zero Trust portfolio".to_owned(),
        organisation: None,
        subtitle: "Where each tenant stands, by its own evidence: the weakest first.".to_owned(),
        as_of: portfolio.as_of,
        sections,
        foot: format!("Made by Countersign {}", env!("CARGO_PKG_VERSION")),
    }
}

fn tenants(portfolio: &Portfolio) -> Section {
    let tenants = &portfolio.tenants;
    let critical = |one: &&Standing| one.top_risk.as_ref().is_some_and(|risk| risk.severity == "critical");
    let worse = |one: &&Standing| one.earlier.is_some_and(|before| one.score.at_least < before.score.at_least);
    let figure = |label: &str, value: usize, note: &str| Figure {
        label: label.to_owned(),
        value: grouped(value as u64),
        note: note.into(),
        drawing: None,
    };
    let figures = vec![
        figure("Tenants", tenants.len(), "whose newest pack verifies."),
        figure("With a critical finding", tenants.iter().filter(critical).count(), "of these."),
        figure("Worse than before", tenants.iter().filter(worse).count(), "by what is certain."),
        figure("Packs not counted", portfolio.refused.len(), "because they do not verify."),
    ];
    let mut table = Table::new(
        "Each tenant by its newest pack, the least certain score first.",
        [
            Column::text("Tenant", 2.4),
            Column::text("Score", 2.2),
            Column::text("Stage", 1.2),
            Column::text("Change", 1.8),
            Column::text("Top risk", 3.0),
            Column::text("First to do", 3.0),
            Column::text("Evidence", 1.6),
        ],
    );
    for one in tenants {
        table.row([
            whose(one).into(),
            score(one.score),
            sentence(one.stage.name()).into(),
            change(one),
            risk(one),
            one.next_step.as_deref().map_or_else(|| Text::new("–"), |step| Text::default().name(step)).into(),
            age(one, portfolio.as_of).into(),
        ]);
    }
    let mut blocks = vec![Block::Figures(figures)];
    blocks.push(if tenants.is_empty() {
        Block::Callout(Callout {
            tone: Tone::Warn,
            title: "No tenant".to_owned(),
            text: vec!["None of the packs verifies.".into()],
        })
    } else {
        Block::Table(table)
    });
    Section { id: "tenants", title: "Tenants".to_owned(), blocks }
}

fn whose(one: &Standing) -> Text {
    let text = Text::default().name(&one.tenant);
    match &one.organisation {
        Some(organisation) if *organisation != one.tenant => text.plain(" ").name(organisation),
        _ => text,
    }
}

fn change(one: &Standing) -> Cell {
    let Some(before) = one.earlier else { return "–".into() };
    let by = |now: f64, then: f64| {
        let change = now - then;
        if change > 0.0 { format!("+{}", decimal(change)) } else { decimal(change) }
    };
    let (low, high) = (by(one.score.at_least, before.score.at_least), by(one.score.at_most, before.score.at_most));
    Text::new(format!("{low} / {high} points")).faint(format!(" since {}", date(before.as_of))).into()
}

fn risk(one: &Standing) -> Cell {
    let Some(risk) = &one.top_risk else { return "nothing found".into() };
    let of = format!(": {} of {}, ", grouped(risk.found), grouped(risk.population));
    Text::default().name(&risk.title).plain(of).name(&risk.severity).into()
}

/// How old the oldest evidence is.
fn age(one: &Standing, now: Timestamp) -> Text {
    let Some(from) = one.evidence_from else { return "not known".into() };
    let days = |at: Timestamp| counted(now.since(at).as_secs() / 86_400, "day", "days");
    let (oldest, newest) = (days(from), days(one.evidence_until.unwrap_or(from)));
    if oldest == newest { Text::new(oldest) } else { Text::new(format!("{newest} to {oldest}")) }
}

fn refused(portfolio: &Portfolio) -> Section {
    let mut table = Table::new(
        "Nothing of these is in the figures above.",
        [Column::text("Tenant", 2.0), Column::text("File", 3.0), Column::text("Why", 5.0)],
    );
    for one in &portfolio.refused {
        let mut why = Text::default();
        for (place, reason) in one.why.iter().take(REASONS).enumerate() {
            why = why.plain(if place > 0 { "; " } else { "" }).name(reason);
        }
        if let Some(more @ 1..) = one.why.len().checked_sub(REASONS) {
            why = why.plain(format!("; and {} more", grouped(more as u64)));
        }
        let tenant = one.tenant.as_deref().map_or_else(|| Text::new("–"), |tenant| Text::default().name(tenant));
        table.row([tenant.into(), Text::default().name(&one.file).into(), why.into()]);
    }
    Section { id: "refused", title: "Packs that do not count".to_owned(), blocks: vec![Block::Table(table)] }
}

/// So many of the reasons why a pack is refused are shown.
const REASONS: usize = 5;
