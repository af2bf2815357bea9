//! Blast radius: how far an attacker gets from any one account, and what taking away does about it.

use countersign_assess::{NamedNode, RadiusSummary, RemovalStep, Spread};

use super::SHOWN;
use crate::document::{Block, Chart, Column, Figure, Section, Table, Text};
use crate::drawing::{Bar, Paint, bars};
use crate::text::{counted, decimal, grouped, share};

pub(super) fn section(radius: &RadiusSummary) -> Section {
    let intro = "Whoever takes over one account can use every right that it has, and every right of what that reaches. Counted exactly, \
                 over every enabled identity; tier zero is what controls the rest.";
    let mut blocks = vec![Block::Text(intro.into()), Block::Figures(figures(radius))];
    removals(&radius.removals, &mut blocks);
    worst(radius, &mut blocks);
    spreads("By tier", "How many of a tier one identity reaches.", &radius.by_tier, &mut blocks);
    spreads("By segment", "How many others the identities of a segment reach.", &radius.by_segment, &mut blocks);
    nodes(radius, &mut blocks);
    Section { id: "blast-radius", title: "Blast radius".to_owned(), blocks }
}

fn figures(radius: &RadiusSummary) -> Vec<Figure> {
    let figure = |label: &str, value: String, note: String| Figure {
        label: label.to_owned(),
        value,
        note: note.into(),
        drawing: None,
    };
    vec![
        figure(
            "Reach tier zero",
            grouped(radius.reach_tier_zero),
            format!(
                "{} % of {} enabled identities",
                decimal(share(radius.reach_tier_zero, radius.identities)),
                grouped(radius.identities)
            ),
        ),
        figure(
            "Belong to tier zero",
            grouped(radius.tier_zero_members),
            format!("identities, of {}", counted(radius.tier_zero, "node of tier zero", "nodes of tier zero")),
        ),
        figure(
            "Median blast radius",
            grouped(radius.radius.median),
            format!("others; one in twenty reaches {}", grouped(radius.radius.p95)),
        ),
        figure("Graph", grouped(radius.nodes), format!("nodes and {}", counted(radius.edges, "edge", "edges"))),
    ]
}

fn name(node: &NamedNode) -> Text {
    Text::default().name(&node.name).faint(format!(" {}", crate::text::name(&node.kind)))
}

fn removals(steps: &[RemovalStep], blocks: &mut Vec<Block>) {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
    blocks.push(Block::Heading("Before and after".to_owned()));
    blocks.push(Block::Text(
        Text::new("What to take away first. After all of it, ")
            .strong(format!("{} instead of {}", grouped(last.after), grouped(first.before)))
            .plain(" identities outside tier zero still reach it. Each step counts on top of those before it."),
    ));
    let mut drawn = vec![Bar { label: "Today".to_owned(), value: first.before as f64, after: None, paint: Paint::Bad }];
    let mut table = Table::new(
        "Identities that reach tier zero before and after each removal.",
        [
            Column::text("Take away", 4.6),
            Column::text("How it is used", 2.6),
            Column::number("Before", 0.9),
            Column::number("After", 0.9),
        ],
    );
    for (place, step) in steps.iter().enumerate() {
        let label = format!("After step {}", place + 1);
        drawn.push(Bar { label, value: step.after as f64, after: None, paint: Paint::Accent });
        let mut what = Text::default().strong(format!("{}. ", place + 1));
        let mut means: Vec<String> = Vec::new();
        for (place, edge) in step.edges.iter().take(4).enumerate() {
            what = what.plain(if place > 0 { "; " } else { "" }).name(&edge.from.name);
            what = what.plain(format!(" {} ", edge.relation)).name(&edge.to.name);
            let used = format!("{} ({})", edge.means, edge.technique);
            if !means.contains(&used) {
                means.push(used);
            }
        }
        if let Some(more) = step.edges.len().checked_sub(4).filter(|more| *more > 0) {
            what = what.plain(format!("; and {} more", grouped(more as u64)));
        }
        table.row([what.into(), means.join("; ").into(), grouped(step.before).into(), grouped(step.after).into()]);
    }
    let alternative = format!(
        "Identities outside tier zero that reach it: {} today, {} after {}.",
        grouped(first.before),
        grouped(last.after),
        counted(steps.len() as u64, "removal", "removals")
    );
    blocks.push(Block::Chart(Chart {
        title: "Identities that reach tier zero, before and after".to_owned(),
        alternative,
        drawing: bars(&drawn, 640.0),
        figures: None,
    }));
    blocks.push(Block::Table(table));
}

fn worst(radius: &RadiusSummary, blocks: &mut Vec<Block>) {
    if radius.worst.is_empty() {
        return;
    }
    blocks.push(Block::Heading("Top risks: the farthest reach".to_owned()));
    let bar = |worst: &countersign_assess::Worst| Bar {
        label: crate::text::name(&worst.node.name),
        value: worst.reached as f64,
        after: None,
        paint: if worst.tier_zero_reached > 0 { Paint::Bad } else { Paint::Warn },
    };
    let drawn: Vec<Bar> = radius.worst.iter().take(10).map(bar).collect();
    let mut table = Table::new(
        "Enabled identities by how many others they reach.",
        [Column::text("Identity", 5.0), Column::number("Reaches", 1.2), Column::number("Of tier zero", 1.2)],
    );
    for worst in radius.worst.iter().take(SHOWN) {
        table.row([name(&worst.node).into(), grouped(worst.reached).into(), grouped(worst.tier_zero_reached).into()]);
    }
    blocks.push(Block::Chart(Chart {
        title: "Ten identities with the farthest reach".to_owned(),
        alternative: "How many others each of ten identities reaches; the table has the numbers.".to_owned(),
        drawing: bars(&drawn, 640.0),
        figures: Some(table),
    }));
}

fn spreads(title: &str, caption: &str, spreads: &[Spread], blocks: &mut Vec<Block>) {
    if spreads.is_empty() {
        return;
    }
    blocks.push(Block::Heading(title.to_owned()));
    let columns = [
        Column::text("Of", 3.0),
        Column::number("Identities", 1.0),
        Column::number("Median", 1.0),
        Column::number("95th percentile", 1.2),
        Column::number("Most", 1.0),
    ];
    let mut table = Table::new(caption, columns);
    for spread in spreads {
        let numbers = [spread.identities, spread.median, spread.p95, spread.max].map(|number| grouped(number).into());
        table.row([Text::default().name(&spread.of).into()].into_iter().chain(numbers));
    }
    blocks.push(Block::Table(table));
}

fn nodes(radius: &RadiusSummary, blocks: &mut Vec<Block>) {
    if !radius.exposed.is_empty() {
        blocks.push(Block::Heading("Most exposed".to_owned()));
        let columns = [Column::text("What must not fall", 5.0), Column::number("Identities that reach it", 1.6)];
        let mut table = Table::new("Tier zero and crown jewels, by how many enabled identities get to them.", columns);
        for exposed in radius.exposed.iter().take(SHOWN) {
            table.row([name(&exposed.node).into(), grouped(exposed.identities).into()]);
        }
        blocks.push(Block::Table(table));
    }
    if !radius.choke_points.is_empty() {
        blocks.push(Block::Heading("Choke points".to_owned()));
        let columns = [
            Column::text("Node", 5.0),
            Column::number("Identities that pass it", 1.6),
            Column::number("Nodes of tier zero behind it", 1.6),
        ];
        let mut table = Table::new(
            "What every way of some identities to tier zero passes: securing one secures them all.",
            columns,
        );
        for choke in radius.choke_points.iter().take(SHOWN) {
            table.row([name(&choke.node).into(), grouped(choke.identities).into(), grouped(choke.targets).into()]);
        }
        blocks.push(Block::Table(table));
    }
}
