//! A list of the people of the organisation, as personnel systems export it: who they are, what they do, since when and, above
//! all, who left. A report of Workday (JSON), a document with a list of people, or a table whose columns say what they are.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::document::{Document, Row, instant};
use crate::batch::{Intake, System};
use crate::csv::Records;
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Attributes, Kind, Place};

/// One person as it is written: by the plain name of each column.
type Record = BTreeMap<String, String>;

/// Names of columns, plain: letters and digits only.
const NUMBER: &[&str] = &["employeeid", "employeenumber", "workerid", "personnelnumber", "staffid", "empid"];
const EMAIL: &[&str] = &["emailwork", "workemail", "email", "emailaddress", "primaryworkemail", "mail"];
const NAME: &[&str] = &["name", "fullname", "displayname", "worker", "preferredname", "legalname", "employeename"];
const TITLE: &[&str] = &["businesstitle", "jobtitle", "title", "position"];
const DEPARTMENT: &[&str] = &["department", "supervisoryorganization", "costcenter", "organization", "orgunit"];
const LEFT: &[&str] =
    &["terminationdate", "leavedate", "lastdayofwork", "lastworkingday", "lastday", "enddate", "dateleft"];
const HIRED: &[&str] = &["hiredate", "startdate", "originalhiredate", "dateofhire"];
const STATUS: &[&str] = &["status", "workerstatus", "employmentstatus", "employeestatus", "activestatus"];
const GUEST: &[&str] = &["workertype", "employeetype", "employmenttype"];

#[derive(Deserialize)]
struct Entry(BTreeMap<String, Value>);

impl Entry {
    fn plain(self) -> Record {
        let mut record = Record::new();
        for (name, value) in self.0 {
            // Workday writes who manages somebody as a list of one object.
            let inner = match &value {
                Value::Array(list) => list.first(),
                other => Some(other),
            };
            match inner {
                Some(Value::Object(inner)) => {
                    for (name, value) in inner {
                        record.entry(plain(name)).or_insert_with(|| text(value));
                    }
                }
                Some(other) => {
                    record.insert(plain(&name), text(other));
                }
                None => {}
            }
        }
        record
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether columns of these names are those of a list of people: a number for each, and something that only personnel says.
pub(crate) fn is_list<'n>(names: impl Iterator<Item = &'n str>) -> bool {
    let names: Vec<String> = names.map(plain).collect();
    let has = |known: &[&str]| names.iter().any(|name| known.contains(&name.as_str()));
    has(NUMBER) && (has(LEFT) || has(HIRED) || has(STATUS) || has(GUEST))
}

pub(crate) fn read(document: &Document<'_>, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    document.known(intake, &["people"]);
    let realm = document.realm().to_ascii_lowercase();
    document.each(intake, "people", &mut |row, it: Entry| person(row, &realm, &it.plain()))
}

/// Workday's report as a web service: whose it is it does not say.
pub(crate) fn read_report(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let part = intake.part(System::People, "", "people").map_err(|cause| intake.fault(cause, None))?;
    let read = json::each::<Entry>(text, &["Report_Entry"], &mut |index, it| {
        let place = Place::record("Report_Entry", index);
        let mut row = Row { intake: &mut *intake, part, place: place.clone() };
        let taken = row.intake.record().and_then(|()| person(&mut row, "", &it.plain()));
        taken.map_err(|cause| (cause, Some(place)))
    });
    read.map_err(|fault| json::located(intake.file_name(), fault))?;
    Ok(())
}

pub(crate) fn read_table(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let part = intake.part(System::People, "", "people").map_err(|cause| intake.fault(cause, None))?;
    let mut records = Records::new(text);
    let located = |intake: &Intake<'_, '_>, (cause, place): (Cause, Place)| intake.fault(cause, Some(place));
    let header = records.next().transpose().map_err(|fault| located(intake, fault))?.unwrap_or_default();
    let names: Vec<String> = header.iter().map(|cell| plain(&cell.value)).collect();
    for record in records {
        let record = record.map_err(|fault| located(intake, fault))?;
        let place = record.first().map_or(Place::Line(0), |cell| Place::Line(cell.line));
        if record.len() != names.len() {
            return Err(intake.fault(Cause::malformed("another number of values than the first line has"), Some(place)));
        }
        let mut values = Record::new();
        for (name, cell) in names.iter().zip(record) {
            values.entry(name.clone()).or_insert(cell.value.into_owned());
        }
        let mut row = Row { intake: &mut *intake, part, place: place.clone() };
        let taken = row.intake.record().and_then(|()| person(&mut row, "", &values));
        taken.map_err(|cause| intake.fault(cause, Some(place)))?;
    }
    Ok(())
}

fn person(row: &mut Row<'_, '_, '_>, realm: &str, record: &Record) -> Result<(), Cause> {
    let said = |names: &[&str]| {
        let found = names.iter().filter_map(|name| record.get(*name)).map(|value| value.trim());
        found.into_iter().find(|value| !value.is_empty()).map(str::to_owned)
    };
    let Some(number) = said(NUMBER) else {
        row.skip("a person without a number");
        return Ok(());
    };
    let key = row.key(&format!("person:{realm}/{}", number.to_lowercase()))?;
    let hired = date(row, said(HIRED));
    // Who was hired again after leaving is there.
    let left = date(row, said(LEFT)).filter(|left| hired.is_none_or(|hired| hired <= *left));
    let status = said(STATUS).map(|status| status.to_lowercase());
    let gone = status.as_deref().map(|status| {
        matches!(status, "0" | "false" | "no")
            || ["terminat", "inactive", "left", "leaver", "former", "resigned", "retired"]
                .iter()
                .any(|word| status.contains(word))
    });
    if gone == Some(true) && left.is_none() {
        row.skip("somebody who left, without a date of it: the account of the list is taken as disabled");
    }
    let outside = said(GUEST).map(|kind| {
        let kind = kind.to_lowercase();
        ["contingent", "contractor", "external", "vendor", "consultant"].iter().any(|word| kind.contains(word))
    });
    let name = said(NAME).or_else(|| {
        let first = said(&["firstname", "givenname"])?;
        Some(format!("{first} {}", said(&["lastname", "surname", "familyname"])?))
    });
    let attributes = Attributes {
        enabled: gone.map(|gone| !gone),
        created: hired,
        left,
        guest: outside,
        email: row.text(said(EMAIL).as_deref())?,
        employee_number: row.text(Some(&number))?,
        display_name: row.text(name.as_deref())?,
        title: row.text(said(TITLE).as_deref())?,
        department: row.text(said(DEPARTMENT).as_deref())?,
        ..Attributes::default()
    };
    row.node(key, Kind::Human, name.as_deref().unwrap_or(&number), attributes)?;
    Ok(())
}

/// A day as ISO 8601 writes it. `03/04/2026` is two days, depending on who reads it: it is counted, and not known.
fn date(row: &mut Row<'_, '_, '_>, text: Option<String>) -> Option<countersign_model::Timestamp> {
    let text = text?;
    // Workday adds the zone to a bare date: 2026-03-31-07:00.
    let day = text.get(..10).filter(|_| text.len() == 16 && !text.contains('T')).unwrap_or(&text);
    let found = instant(day);
    if found.is_none() {
        row.skip("a date that is not written as 2026-03-31");
    }
    found
}

#[cfg(test)]
pub(crate) mod tests;
