//! Reading the API's answers: pages of a list, cells of a table, ids in addresses.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context as _;
use serde_json::Value;

use crate::control::Control;
use crate::terminal::{Table, Terminal};

/// One segment of a path, or one value of a query.
pub(super) fn encoded(text: impl ToString) -> String {
    text.to_string().bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// A query from what is there.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?)))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Every item of a paged list, up to `most`.
pub(super) async fn all(control: &Control, path: &str, most: usize) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let from = cursor.map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
        let page = control
            .get(&format!("{path}{separator}limit={}{from}", most.saturating_sub(items.len()).clamp(1, 200)))
            .await?;
        if let Value::Array(whole) = page {
            return Ok(whole);
        }
        let found = page.get("items").and_then(Value::as_array).context("the server's answer is no list")?;
        items.extend(found.iter().cloned());
        if let Some(before) = page.get("archived").and_then(Value::as_u64) {
            // Where nobody reads it, there is nobody to tell.
            let _ = writeln!(
                std::io::stderr().lock(),
                "Entries before {before} are archived and not in this list: `countersign ledger show --archive DIRECTORY` reads them."
            );
        }
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() || items.len() >= most {
            return Ok(items);
        }
    }
}

/// So many of something: `1 policy`, `2 policies`.
pub(super) fn count(many: usize, one: &str, more: &str) -> String {
    format!("{many} {}", if many == 1 { one } else { more })
}

/// A cell: the value at a pointer, in words.
pub(super) fn cell(item: &Value, pointer: &str) -> String {
    words(item.pointer(pointer).unwrap_or(&Value::Null))
}

/// Lists within a record are told apart from its members by the sign between them.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.trim().is_empty() => "–".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => short_instant(text),
        Value::Array(values) if values.is_empty() => "–".to_owned(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => "–".to_owned(),
        Value::Object(map) => {
            let member = |(key, value): (&String, &Value)| format!("{} {}", key.replace('_', " "), words(value));
            map.iter().map(member).collect::<Vec<_>>().join("; ")
        }
    }
}

/// An instant to the second; anything else as it is.
fn short_instant(text: &str) -> String {
    match text.get(..19) {
        Some(head) if text.len() == 24 && text.ends_with('Z') && head.get(10..11) == Some("T") => {
            head.replace('T', " ")
        }
        _ => text.to_owned(),
    }
}

/// A list as a table, each column a heading and a pointer; or as JSON.
pub(super) fn show(terminal: &Terminal, what: &str, items: &[Value], columns: &[(&str, &str)]) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(&items);
    }
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let mut table = Table::new(what, &headings);
    for item in items {
        table.row(columns.iter().map(|(_, pointer)| cell(item, pointer)));
    }
    terminal.table(&table);
    Ok(())
}

/// One line of comma-separated values, printed.
pub(super) fn csv(terminal: &Terminal, cells: impl Iterator<Item = String>) {
    terminal.line(csv_line(cells));
}

/// One line as RFC 4180 has it. A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub(super) fn csv_line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| {
        let cell = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell };
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    });
    quoted.collect::<Vec<_>>().join(",")
}

/// One record, a line for each of its members; or as JSON.
pub(super) fn detail(terminal: &Terminal, item: &Value) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(item);
    }
    let mut table = Table::new("detail", &["", ""]);
    for name in item.as_object().into_iter().flat_map(serde_json::Map::keys) {
        table.row([name.replace('_', " "), cell(item, &format!("/{name}"))]);
    }
    terminal.table(&table);
    Ok(())
}

/// What was done, in one line; as JSON, what the server answered.
pub(super) fn done(terminal: &Terminal, answer: &Value, line: impl AsRef<str>) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(answer);
    }
    terminal.line(line);
    Ok(())
}

#[cfg(test)]
mod tests;
