//! `estate show`: everything that is known of one node, with where it stands.

use anyhow::Context as _;
use countersign_assess::Named;
use countersign_estate::{EdgeSighting, Inventory, Node};
use serde_json::{Value, json};

use super::word;
use crate::commands::work::Work;
use crate::terminal::{Table, Terminal, Tone, plain};

/// How many edges a person is shown each way.
const SHOWN: usize = 25;

pub(super) fn show(inventory: &Inventory, text: &str, work: &Work, terminal: &Terminal) -> anyhow::Result<()> {
    let detail = work.run(|| {
        work.doing("looking");
        let projection = inventory.project()?;
        let named = Named::new(inventory, &projection);
        let id = named.find(text)?;
        let key = named.graph().key(id).context("a node without a key")?;
        let node = inventory.node(key).context("a node that is not in the inventory")?;
        Ok(detail(inventory, node, id.index()))
    })?;
    if terminal.json {
        return terminal.json(&detail);
    }
    tell(&detail, terminal);
    Ok(())
}

fn detail(inventory: &Inventory, node: &Node, number: usize) -> Value {
    let said: Vec<Value> = node
        .sightings
        .iter()
        .map(|sighting| {
            json!({
                "source": inventory.part(sighting.part).map(ToString::to_string), "name": sighting.name, "kind": sighting.kind,
                "first-seen": sighting.span.first, "last-seen": sighting.span.last, "gone": sighting.span.gone,
                "attributes": sighting.attributes, "evidence": inventory.cite(&sighting.evidence),
            })
        })
        .collect();
    let name = |node: u32| inventory.nodes().get(node as usize).map_or("", Node::name);
    let (mut outward, mut inward) = (Vec::new(), Vec::new());
    for edge in inventory.edges() {
        let (list, other) = match (edge.from as usize == number, edge.to as usize == number) {
            (true, _) => (&mut outward, edge.to),
            (_, true) => (&mut inward, edge.from),
            _ => continue,
        };
        let there: Vec<&EdgeSighting> = edge.sightings.iter().filter(|seen| seen.span.gone.is_none()).collect();
        list.push(json!({
            "relation": edge.relation, "name": name(other),
            "key": inventory.nodes().get(other as usize).map(|node| node.key.to_string()), "gone": edge.is_gone(),
            "conditions": there.iter().filter_map(|seen| seen.condition.as_deref()).collect::<Vec<_>>(),
            "evidence": there.iter().map(|seen| inventory.cite(&seen.evidence)).collect::<Vec<_>>(),
        }));
    }
    let links: Vec<Value> = inventory
        .links()
        .into_iter()
        .filter_map(|link| match (link.one == node.key, link.other == node.key) {
            (true, _) => Some((link.other, link.basis)),
            (_, true) => Some((link.one, link.basis)),
            _ => None,
        })
        .map(|(key, basis)| {
            let name = inventory.node(&key).map_or(&*key, Node::name).to_owned();
            json!({"key": &*key, "name": name, "because": super::basis(basis)})
        })
        .collect();
    json!({
        "key": &*node.key, "name": node.name(), "kind": node.kind(), "gone": node.is_gone(), "said": said, "linked": links,
        "has": outward, "is-had-by": inward,
    })
}

fn each<'v>(of: &'v Value, name: &str) -> Vec<&'v Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten().collect()
}

fn text(of: &Value, name: &str) -> String {
    plain(of.get(name).and_then(Value::as_str).unwrap_or_default())
}

fn tell(detail: &Value, terminal: &Terminal) {
    let heading = |words: &str| {
        terminal.line("");
        terminal.line(terminal.paint(Tone::Strong, words));
    };
    terminal.line(terminal.paint(Tone::Strong, &text(detail, "name")));
    terminal.line(format!("{}, {}", text(detail, "kind"), text(detail, "key")));
    if each(detail, "said").is_empty() {
        terminal.line("Named by others, and described by no source.");
    }
    for said in each(detail, "said") {
        heading(&text(said, "source"));
        let mut table = Table::new("attributes", &["", ""]);
        for (name, value) in said.get("attributes").and_then(Value::as_object).into_iter().flatten() {
            table.row([name.replace('_', " "), super::super::answer::cell(value, "")]);
        }
        for name in ["first-seen", "last-seen", "gone"] {
            if said.get(name).is_some_and(|value| !value.is_null()) {
                table.row([name.replace('-', " "), super::super::answer::cell(said, &format!("/{name}"))]);
            }
        }
        table.row(["evidence".to_owned(), text(said, "evidence")]);
        terminal.table(&table);
    }
    if !each(detail, "linked").is_empty() {
        heading("The same somebody as");
        for link in each(detail, "linked") {
            terminal.line(format!("{} ({}): {}", text(link, "name"), text(link, "key"), text(link, "because")));
        }
    }
    for (list, words) in [("has", "Has"), ("is-had-by", "Over it have something")] {
        let edges = each(detail, list);
        if edges.is_empty() {
            continue;
        }
        heading(words);
        for edge in edges.iter().take(SHOWN) {
            let relation = edge.get("relation").map(word).unwrap_or_default();
            let conditional = if each(edge, "conditions").is_empty() { "" } else { ", under a condition" };
            let gone = if edge.get("gone") == Some(&json!(true)) { ", gone" } else { "" };
            let (from, to) =
                if list == "has" { (relation, text(edge, "name")) } else { (text(edge, "name"), relation) };
            terminal.line(format!("{from} {to}{conditional}{gone}"));
        }
        if edges.len() > SHOWN {
            terminal.line(format!("and {} more (--json has all)", edges.len() - SHOWN));
        }
    }
}
