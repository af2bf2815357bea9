//! `coverage`: what policy does not speak for.

use serde_json::Value;

use super::Found;
use super::answer::{cell, csv};
use crate::command_line::Coverage;
use crate::control::Control;
use crate::terminal::{Table, Terminal};

const HEADINGS: [&str; 5] = ["gap", "what", "action", "methods", "path"];

pub(super) async fn coverage(control: &Control, options: &Coverage, terminal: &Terminal) -> anyhow::Result<()> {
    let coverage = control.get("/api/v1/coverage").await?;
    let counted = ["/doors/found", "/subjects/found", "/devices/found"]
        .into_iter()
        .filter_map(|pointer| coverage.pointer(pointer)?.as_u64())
        .sum::<u64>();
    let observed = ["/observed_resources", "/observed_policies"]
        .into_iter()
        .filter_map(|pointer| Some(coverage.pointer(pointer)?.as_array()?.len() as u64))
        .sum::<u64>();
    let uncovered = counted + observed;
    if terminal.json {
        terminal.json(&coverage)?;
    } else if options.csv {
        csv(terminal, HEADINGS.into_iter().map(str::to_owned));
        rows(&coverage).into_iter().for_each(|row| csv(terminal, row.into_iter()));
    } else {
        tell(&coverage, terminal);
    }
    if uncovered == 0 { Ok(()) } else { Err(Found.into()) }
}

fn items<'v>(coverage: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    coverage.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn rows(coverage: &Value) -> Vec<[String; 5]> {
    let of_door = |gap: String, door: &Value| {
        let [resource, action, methods, path] = door_cells(door);
        [gap, resource, action, methods, path]
    };
    let of_other = |gap: String, what: String| [gap, what, "–".to_owned(), "–".to_owned(), "–".to_owned()];
    let mut rows = Vec::new();
    rows.extend(items(coverage, "/doors/items").map(|door| of_door("nobody is permitted".to_owned(), door)));
    for door in items(coverage, "/exceptional") {
        let gap = format!("only with a{}", if cell(door, "/way") == "grant" { " grant" } else { "n exception" });
        rows.push(of_door(gap, door));
    }
    for (gap, pointer) in [("permitted nothing", "/subjects/items"), ("makes no difference", "/devices/items")] {
        rows.extend(items(coverage, pointer).map(|id| of_other(gap.to_owned(), cell(id, ""))));
    }
    for one in items(coverage, "/observed_resources") {
        rows.push(of_other(format!("lets through until {}", cell(one, "/until")), cell(one, "/resource")));
    }
    for id in items(coverage, "/observed_policies") {
        rows.push(of_other("enforces nothing".to_owned(), cell(id, "")));
    }
    for owner in items(coverage, "/ownerless") {
        let gap = format!("owner {} is nobody here", cell(owner, "/owner"));
        let policies = match owner.get("policies").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
            [one] => cell(one, ""),
            // One owner may have all of them: their names are in the JSON.
            all => format!("{} policies", all.len()),
        };
        rows.push(of_other(gap, policies));
    }
    rows
}

fn tell(coverage: &Value, terminal: &Terminal) {
    let mut table = Table::new("gaps", &HEADINGS);
    rows(coverage).into_iter().for_each(|row| table.row(row));
    terminal.table(&table);
    for (what, pointer) in [("doors", "/doors"), ("identities", "/subjects"), ("devices", "/devices")] {
        let (found, of) = (cell(coverage, &format!("{pointer}/found")), cell(coverage, &format!("{pointer}/of")));
        terminal.note(format!("{what}: {found} of {of} without a policy that speaks for them"));
    }
    for caveat in items(coverage, "/caveats") {
        terminal.note(format!("note: {}", cell(caveat, "")));
    }
}

fn door_cells(door: &Value) -> [String; 4] {
    ["/resource", "/action", "/methods", "/path"].map(|pointer| cell(door, pointer))
}
