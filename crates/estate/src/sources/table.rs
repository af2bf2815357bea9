//! Tables of any origin, as CSV or JSON, with a mapping that says which column is what. A row is one node, edges, or both.
//! Nothing is taken that the mapping does not name, and a value that is not what the mapping says is a fault with its line and
//! column: who wrote the mapping can mend it.

mod mapping;

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::mapping::{Mapping, is_mapping};
use super::document::Row;
use super::people;
use crate::batch::{Intake, System};
use crate::csv::{Cell, Records};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Attributes, Place};

/// A row by the names of its columns, each value with its place.
type Values<'v> = HashMap<&'v str, (Cow<'v, str>, Place)>;

/// Reads a table by the one mapping that goes with it; without one, a list of people is known by its columns.
pub(crate) fn read(text: &str, mappings: &[Mapping], intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    if text.trim_start().starts_with(['{', '[']) {
        read_json(text, mappings, intake)
    } else {
        read_csv(text, mappings, intake)
    }
}

/// The mapping that has all of its columns here.
fn choose<'m>(
    mappings: Vec<&'m Mapping>,
    names: &[&str],
    intake: &Intake<'_, '_>,
    all: bool,
) -> Result<&'m Mapping, Fault> {
    let missing = |mapping: &&Mapping| -> Option<String> {
        let has = |column: &&str| names.contains(column);
        let lacking = if all { mapping.columns().find(|it| !has(it)) } else { mapping.needed().find(|it| !has(it)) };
        lacking.map(str::to_owned)
    };
    let fitting: Vec<&Mapping> = mappings.iter().copied().filter(|mapping| missing(mapping).is_none()).collect();
    let place = Some(Place::Line(1));
    match (fitting.as_slice(), mappings.as_slice()) {
        ([one], _) => Ok(one),
        ([], []) => Err(intake.fault(Cause::Unrecognised, None)),
        ([], [only]) => {
            let column: String = missing(only).unwrap_or_default();
            let what = format!("the column {column} is missing, which the mapping {} names", only.name);
            Err(intake.fault(Cause::Malformed(what), place))
        }
        ([], _) => Err(intake.fault(Cause::malformed("a table that has the columns of none of the mappings"), place)),
        _ => Err(intake.fault(Cause::malformed("a table that has the columns of several mappings"), place)),
    }
}

fn read_csv(text: &str, mappings: &[Mapping], intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let mut records = Records::new(text);
    let header: Vec<Cell<'_>> = match records.next() {
        None => return Err(intake.fault(Cause::Empty, None)),
        Some(Ok(header)) => header,
        // What is no table at all is no broken one.
        Some(Err(_)) if mappings.is_empty() => return Err(intake.fault(Cause::Unrecognised, None)),
        Some(Err((cause, place))) => return Err(intake.fault(cause, Some(place))),
    };
    let names: Vec<&str> = header.iter().map(|cell| cell.value.trim()).collect();
    let tabular: Vec<&Mapping> = mappings.iter().filter(|mapping| mapping.records.is_none()).collect();
    let none_fits = || tabular.iter().all(|mapping| mapping.columns().any(|column| !names.contains(&column)));
    if people::is_list(names.iter().copied()) && none_fits() {
        return people::read_table(text, intake);
    }
    if names.len() < 2 && mappings.is_empty() {
        return Err(intake.fault(Cause::Unrecognised, None));
    }
    let mapping = choose(tabular, &names, intake, true)?;
    if let Some((at, cell)) = header
        .iter()
        .enumerate()
        .find(|(at, cell)| names.get(..*at).is_some_and(|before| before.contains(&cell.value.trim())))
    {
        let what = format!("column {} has the name of one before it", at + 1);
        return Err(intake.fault(Cause::Malformed(what), Some(cell.place())));
    }
    let part = part(mapping, intake)?;
    for record in records {
        let record = record.map_err(|(cause, place)| intake.fault(cause, Some(place)))?;
        let place = record.first().map_or(Place::Line(0), |cell| Place::Line(cell.line));
        if record.len() != names.len() {
            let what = format!("{} values, where the first line has {}", record.len(), names.len());
            return Err(intake.fault(Cause::Malformed(what), Some(place)));
        }
        let values = names.iter().copied().zip(record).map(|(name, cell)| {
            let place = cell.place();
            (name, (cell.value, place))
        });
        let mut row = Row { intake: &mut *intake, part, place };
        take(&mut row, mapping, &values.collect()).map_err(|(cause, at)| intake.fault(cause, Some(at)))?;
    }
    Ok(())
}

fn part(mapping: &Mapping, intake: &mut Intake<'_, '_>) -> Result<u32, Fault> {
    intake.part(System::Table, &mapping.realm, &mapping.part).map_err(|cause| intake.fault(cause, None))
}

/// A record of JSON as columns: what stands in an object has the object's key before it, `profile.email`.
#[derive(Deserialize)]
struct Record(Value);

impl Record {
    fn columns(self) -> HashMap<String, String> {
        let mut columns = HashMap::new();
        let mut waiting = vec![(String::new(), self.0)];
        while let Some((name, value)) = waiting.pop() {
            let text = match value {
                Value::Object(inner) => {
                    let before = if name.is_empty() { name } else { name + "." };
                    waiting.extend(inner.into_iter().map(|(key, value)| (format!("{before}{key}"), value)));
                    continue;
                }
                Value::Null => String::new(),
                Value::Bool(flag) => flag.to_string(),
                Value::Number(number) => number.to_string(),
                Value::String(text) => text,
                Value::Array(list) => {
                    let texts = list.iter().filter_map(|value| match value {
                        Value::String(text) => Some(text.clone()),
                        Value::Number(number) => Some(number.to_string()),
                        _ => None,
                    });
                    texts.collect::<Vec<_>>().join(";")
                }
            };
            columns.insert(name, text);
        }
        columns
    }
}

fn read_json(text: &str, mappings: &[Mapping], intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let list = text.trim_start().starts_with('[');
    let candidates: Vec<&Mapping> = mappings.iter().filter(|mapping| mapping.records.is_none() == list).collect();
    let mut chosen: Option<(&Mapping, u32)> = None;
    let path: Vec<&str> = candidates.iter().find_map(|mapping| mapping.records.as_deref()).into_iter().collect();
    if candidates.iter().any(|mapping| mapping.records.as_deref() != path.first().copied()) {
        return Err(
            intake.fault(Cause::malformed("mappings with different lists; import their documents one by one"), None)
        );
    }
    if candidates.is_empty() {
        return Err(intake.fault(Cause::Unrecognised, None));
    }
    let mut stopped = None;
    let read = json::each::<Record>(text, &path, &mut |index, record| {
        let place = Place::record("", index);
        let columns = record.columns();
        let (mapping, part) = match chosen {
            Some(chosen) => chosen,
            None => {
                let names: Vec<&str> = columns.keys().map(String::as_str).collect();
                let found = choose(candidates.clone(), &names, intake, false)
                    .and_then(|mapping| Ok((mapping, part(mapping, intake)?)));
                match found {
                    Ok(found) => *chosen.insert(found),
                    Err(fault) => {
                        let cause = fault.cause.clone();
                        stopped = Some(fault);
                        return Err((cause, None));
                    }
                }
            }
        };
        let values: Values<'_> = columns
            .iter()
            .map(|(name, value)| (name.as_str(), (Cow::Borrowed(value.as_str()), place.clone())))
            .collect();
        let mut row = Row { intake: &mut *intake, part, place: place.clone() };
        take(&mut row, mapping, &values).map_err(|(cause, at)| (cause, Some(at)))
    });
    if let Some(fault) = stopped {
        return Err(fault);
    }
    read.map_err(|fault| json::located(intake.file_name(), fault))?;
    // An empty list says that there is none, if it is known of what.
    if let ([only], None) = (candidates.as_slice(), chosen) {
        part(only, intake)?;
    }
    Ok(())
}

fn take(row: &mut Row<'_, '_, '_>, mapping: &Mapping, values: &Values<'_>) -> Result<(), (Cause, Place)> {
    let here = row.place.clone();
    let nowhere = |cause: Cause| (cause, here.clone());
    row.intake.record().map_err(nowhere)?;
    let value = |column: &str| values.get(column).map(|(value, _)| value.trim()).filter(|value| !value.is_empty());
    if let Some(node) = &mapping.node {
        let Some(key) = node.key.fill(&value) else {
            let empty = node.key.columns().find(|column| value(column).is_none()).unwrap_or_default();
            let at = values.get(empty).map_or_else(|| here.clone(), |(_, place)| place.clone());
            return Err((Cause::Malformed(format!("the column {empty} is empty, which is part of the key")), at));
        };
        let mut attributes = Attributes::default();
        for (name, template) in &node.attributes {
            let Some(filled) = template.fill(&value) else { continue };
            let text = row.intake.clean(&filled).map_err(nowhere)?;
            mapping::set(&mut attributes, name, &filled, text).map_err(|expected| {
                let column = template.columns().next().unwrap_or_default();
                let at = values.get(column).map_or_else(|| here.clone(), |(_, place)| place.clone());
                (Cause::Malformed(format!("the column {column}, as {name}: {expected}")), at)
            })?;
        }
        let own = row.key(&key).map_err(nowhere)?;
        let name = node.name.fill(&value).unwrap_or_else(|| key.clone());
        row.node(own, node.kind, &name, attributes).map_err(nowhere)?;
    }
    for edge in &mapping.edges {
        match &edge.each {
            None => ends(row, edge, &value).map_err(nowhere)?,
            Some((column, separator)) => {
                let all = value(column).unwrap_or_default();
                for one in all.split(separator.as_str()).map(str::trim).filter(|one| !one.is_empty()) {
                    row.intake.record().map_err(nowhere)?;
                    ends(row, edge, &|name| if name == column { Some(one) } else { value(name) }).map_err(nowhere)?;
                }
            }
        }
    }
    Ok(())
}

/// An end whose column is empty is none.
fn ends<'v>(
    row: &mut Row<'_, '_, '_>,
    edge: &mapping::EdgeOf,
    value: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<(), Cause> {
    let (Some(from), Some(to)) = (edge.from.fill(value), edge.to.fill(value)) else { return Ok(()) };
    let (from, to) = (row.key(&from)?, row.key(&to)?);
    match edge.condition.as_ref().map(|condition| condition.fill(value)) {
        Some(Some(condition)) => row.conditional(from, edge.relation, to, &condition),
        Some(None) | None => {
            row.edge(from, edge.relation, to);
            Ok(())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
