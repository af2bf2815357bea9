//! Answers about the graph as a person reads them: a way is a sentence for each step, with the technique and where it stands.

use countersign_assess::{NamedEdge, NamedPath, OneRadius, Ways};
use serde_json::Value;

use super::Chokes;
use crate::commands::answer::cell;
use crate::terminal::{Table, Terminal, Tone, plain};

/// Edges of one step that are written out.
const EDGES: usize = 3;

pub(super) fn radius(radius: &OneRadius, terminal: &Terminal) {
    let node = &radius.node;
    let state = if node.enabled { "" } else { ", disabled" };
    terminal.line(format!(
        "{} ({}{state}) reaches {}, of them {} of tier zero; {} identities reach it",
        terminal.paint(Tone::Strong, &plain(&node.name)),
        node.kind,
        radius.reached,
        radius.tier_zero_reached,
        radius.exposed_to
    ));
    let kinds: Vec<String> = radius.by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if !kinds.is_empty() {
        terminal.line(format!("  {}", kinds.join(", ")));
    }
    let tiers: Vec<String> = radius.by_tier.iter().map(|(tier, count)| format!("{count} {tier}")).collect();
    if !tiers.is_empty() {
        terminal.line(format!("  by tier: {}", tiers.join(", ")));
    }
    if let Some(way) = &radius.way {
        terminal.line("  a shortest way to tier zero:");
        path(way, terminal);
    }
    terminal.line("");
}

pub(super) fn ways(ways: &Ways, by_effort: bool, terminal: &Terminal) {
    for (number, way) in ways.paths.iter().enumerate() {
        if number > 0 {
            terminal.line("");
        }
        path(way, terminal);
    }
    let count = ways.count.as_deref().unwrap_or("more than can be counted");
    let length = if by_effort { "effort" } else { "steps" };
    terminal.note(format!("{} of {count} ways of {} {length}", ways.paths.len(), ways.length));
}

fn path(path: &NamedPath, terminal: &Terminal) {
    terminal.line(format!("  {}", terminal.paint(Tone::Strong, &plain(&path.start.name))));
    for step in &path.steps {
        for edge in step.edges.iter().take(EDGES) {
            edge_line(edge, terminal);
        }
        if step.edges.len() > EDGES {
            terminal.line(format!("      or by {} others", step.edges.len() - EDGES));
        }
        let mark = if step.to.tier_zero { " (tier zero)" } else { "" };
        terminal.line(format!("  → {}{mark}", terminal.paint(Tone::Strong, &plain(&step.to.name))));
    }
}

fn edge_line(edge: &NamedEdge, terminal: &Terminal) {
    let mut about = format!("      {}: {} ({})", edge.relation, edge.means, edge.technique);
    if !edge.conditions.is_empty() {
        about += &format!(", if {}", plain(&edge.conditions.join("; or if ")));
    }
    if edge.layers.enforceable == Some(false) {
        about += ", refused by policy where it is enforced";
    }
    if let Some(seen) = &edge.layers.exercised {
        about += &format!(", used {} times, last {}", seen.count, seen.last);
    }
    terminal.line(about);
    let place = match (edge.evidence.first(), &edge.follows) {
        (Some(cited), _) => format!("{}, {}", cited.file, cited.place),
        (None, Some(follows)) => follows.clone(),
        (None, None) => return,
    };
    terminal.line(terminal.paint(Tone::Quiet, &format!("      {}", plain(&place))));
}

pub(super) fn chokes(chokes: &Chokes, terminal: &Terminal) {
    terminal.line(format!("{} identities get there, to {} targets", chokes.identities, chokes.targets));
    terminal.line("");
    let mut table = Table::new("nodes that every way passes", &["without this node", "kind", "cut off", "saved"]);
    for choke in &chokes.nodes {
        table.row(["/node/name", "/node/kind", "/identities", "/targets"].map(|pointer| cell(choke, pointer)));
    }
    terminal.table(&table);
    terminal.line("");
    let mut table = Table::new("steps that every way passes", &["without this step", "cut off", "saved"]);
    for choke in &chokes.steps {
        let edges = choke.get("edges").and_then(Value::as_array).into_iter().flatten();
        let sentences: Vec<String> = edges
            .map(|edge| format!("{} {} {}", cell(edge, "/from/name"), cell(edge, "/relation"), cell(edge, "/to/name")))
            .collect();
        table.row([sentences.join(" and "), cell(choke, "/identities"), cell(choke, "/targets")]);
    }
    terminal.table(&table);
    if let Some(plan) = &chokes.plan {
        terminal.line("");
        terminal.line(format!(
            "Without these {} identities get there in place of {}{}:",
            plan.after,
            plan.before,
            if plan.cheapest { ", and nothing cheaper does it" } else { "" }
        ));
        for edges in &plan.removals {
            let sentences: Vec<String> = edges.iter().map(|edge| plain(&edge.to_string())).collect();
            terminal.line(format!("- {}", sentences.join(" and ")));
        }
    }
}
