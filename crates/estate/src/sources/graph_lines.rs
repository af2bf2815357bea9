//! BloodHound-style nodes and edges of any origin: one JSON object per line as Neo4j's APOC exports them (and generators
//! of test graphs write them), or BloodHound's own OpenGraph document.

use serde::Deserialize;

use super::bloodhound::{self, Properties};
use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::Place;
use crate::sid;

/// A node or an edge, of either format.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    what: Option<What>,
    id: Option<String>,
    #[serde(default, alias = "kinds")]
    labels: Vec<String>,
    #[serde(default)]
    properties: Option<Properties>,
    #[serde(alias = "kind")]
    label: Option<String>,
    start: Option<End>,
    end: Option<End>,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum What {
    Node,
    Relationship,
}

#[derive(Deserialize)]
struct End {
    #[serde(alias = "value")]
    id: String,
    /// OpenGraph: an end may be named by its name instead of its id.
    #[serde(default)]
    match_by: Option<String>,
}

pub(crate) fn read_lines(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let first_domain = |line: &str| serde_json::from_str::<Row>(line).ok()?.properties?.domain.0;
    let realm = text.lines().take(1000).find_map(first_domain).unwrap_or_default().to_ascii_uppercase();
    let part = intake.part(System::BloodhoundGraph, &realm, "all").map_err(|cause| intake.fault(cause, None))?;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let row: Row = serde_json::from_str(line).map_err(|error| {
            let (cause, _) = json::fault(&error);
            intake.fault(cause, Some(Place::Text { line: number, column: error.column() as u64 }))
        })?;
        let place = Place::Line(number);
        take(intake, part, &realm, row, &place).map_err(|cause| intake.fault(cause, Some(place)))?;
    }
    Ok(())
}

pub(crate) fn read_document(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let part = intake.part(System::BloodhoundGraph, "", "all").map_err(|cause| intake.fault(cause, None))?;
    for (path, list, what) in [
        (&["graph", "nodes"] as &[_], "graph/nodes", What::Node),
        (&["graph", "edges"], "graph/edges", What::Relationship),
    ] {
        let read = json::each::<Row>(text, path, &mut |index, row| {
            let place = Place::record(list, index);
            let row = Row { what: Some(what), ..row };
            take(intake, part, "", row, &place).map_err(|cause| (cause, Some(place)))
        });
        read.map_err(|fault| json::located(intake.file_name(), fault))?;
    }
    Ok(())
}

fn take(intake: &mut Intake<'_, '_>, part: u32, realm: &str, row: Row, place: &Place) -> Result<(), Cause> {
    intake.record()?;
    match (row.what, row) {
        (Some(What::Node), Row { id: Some(id), labels, properties, .. }) => {
            node(intake, part, realm, &id, &labels, properties.unwrap_or_default(), place)
        }
        (Some(What::Relationship), Row { label: Some(label), start: Some(start), end: Some(end), .. }) => {
            let (from, to) = (end_of(intake, &start)?, end_of(intake, &end)?);
            match bloodhound::relation(&label) {
                Some(relation) => intake.edge(part, from, relation, to, place.clone()),
                None => intake.skip("an edge of a kind that opens nothing that is known here", place),
            }
            Ok(())
        }
        _ => Err(Cause::malformed("neither a node with an id nor an edge with a label and two ends")),
    }
}

fn node(
    intake: &mut Intake<'_, '_>,
    part: u32,
    realm: &str,
    id: &str,
    labels: &[String],
    properties: Properties,
    place: &Place,
) -> Result<(), Cause> {
    let kind = bloodhound::kind(labels.iter().map(String::as_str));
    let domain = properties.domain.get().unwrap_or(realm).to_owned();
    let key = sid::key(properties.objectid.get().unwrap_or(id), &domain);
    let (name, attributes) = properties.attributes(intake, &key, kind)?;
    let own = intake.key(&key)?;
    intake.alias_in_file("id", id, own)?;
    if let Some(name) = &name {
        intake.name_in_file("name", name, own)?;
    }
    intake.node(part, own, kind, name.as_deref().unwrap_or(id), attributes, place.clone())
}

fn end_of(intake: &mut Intake<'_, '_>, end: &End) -> Result<u32, Cause> {
    let by = if end.match_by.as_deref() == Some("name") { "name" } else { "id" };
    intake.loose_in_file(by, &end.id)
}
