//! `coverage`: what policy does not speak for.

use serde_json::Value;

use super::Found;
use super::answer::cell;
use crate::control::Control;
use crate::terminal::{Table, Terminal};

pub(super) async fn coverage(control: &Control, terminal: &Terminal) -> anyhow::Result<()> {
    let coverage = control.get("/api/v1/coverage").await?;
    let uncovered = ["/doors/found", "/subjects/found", "/devices/found"]
        .into_iter()
        .filter_map(|pointer| coverage.pointer(pointer)?.as_u64())
        .sum::<u64>();
    if terminal.json {
        terminal.json(&coverage)?;
    } else {
        tell(&coverage, terminal);
    }
    if uncovered == 0 { Ok(()) } else { Err(Found.into()) }
}

fn tell(coverage: &Value, terminal: &Terminal) {
    let mut table = Table::new("gaps", &["gap", "what", "action", "methods", "path"]);
    let items = |pointer: &str| coverage.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    for door in items("/doors/items") {
        table.row(["nobody is permitted".to_owned()].into_iter().chain(door_cells(door)));
    }
    for door in items("/exceptional") {
        let gap = format!("only with a{}", if cell(door, "/way") == "grant" { " grant" } else { "n exception" });
        table.row([gap].into_iter().chain(door_cells(door)));
    }
    for (gap, pointer) in [("permitted nothing", "/subjects/items"), ("makes no difference", "/devices/items")] {
        for id in items(pointer) {
            table.row([gap.to_owned(), cell(id, ""), "–".to_owned(), "–".to_owned(), "–".to_owned()]);
        }
    }
    for owner in items("/ownerless") {
        let gap = format!("owner {} is nobody here", cell(owner, "/owner"));
        let policies = match owner.get("policies").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
            [one] => cell(one, ""),
            // One owner may have all of them: their names are in the JSON.
            all => format!("{} policies", all.len()),
        };
        table.row([gap, policies, "–".to_owned(), "–".to_owned(), "–".to_owned()]);
    }
    terminal.table(&table);
    for (what, pointer) in [("doors", "/doors"), ("identities", "/subjects"), ("devices", "/devices")] {
        let (found, of) = (cell(coverage, &format!("{pointer}/found")), cell(coverage, &format!("{pointer}/of")));
        terminal.note(format!("{what}: {found} of {of} without a policy that speaks for them"));
    }
    for caveat in items("/caveats") {
        terminal.note(format!("note: {}", cell(caveat, "")));
    }
}

fn door_cells(door: &Value) -> [String; 4] {
    ["/resource", "/action", "/methods", "/path"].map(|pointer| cell(door, pointer))
}
