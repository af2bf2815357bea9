//! From files to one batch of rows: unpacks, decodes, finds out what each file is, and hands it to its source. Everything
//! or nothing: the first fault ends it. No file is opened here and none is written; whoever calls has the bytes.

use sha2::{Digest, Sha256};

use crate::archive;
use crate::batch::{Batch, FileRead, Intake, System};
use crate::detect::{Format, detect};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::limits::{Limits, Watch};
use crate::sources::document::{Document, Header};
use crate::sources::table::{self, Mapping};
use crate::sources::{
    aws, countersign, entra, github, google, graph_lines, hosts, kubernetes, ldif, okta, people, sharphound,
};
use crate::text;

/// A file to be read. Its name is how faults and evidence speak of it, and nothing else. A mapping for tables is a file like
/// any other, and goes with the tables of the same import.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

/// Whether these bytes are an archive, or by themselves a text of a kind that is read here. Any text may be a table, so that a table is none.
pub fn is_known(bytes: &[u8]) -> bool {
    let format = || text::utf8(bytes, usize::MAX).ok().and_then(|text| detect(&text));
    archive::is_archive(bytes) || format().is_some_and(|format| format != Format::Table)
}

/// Reads all files of one import.
///
/// # Errors
/// The first [`Fault`]: of a file that is damaged, hostile, over a limit or of no known kind, or because the watch said stop.
pub fn read(inputs: &[Input<'_>], limits: &Limits, watch: &mut Watch<'_>) -> Result<Batch, Fault> {
    let mut batch = Batch::default();
    let mut waiting = Waiting::default();
    let mut spent = 0;
    for input in inputs {
        if archive::is_archive(input.bytes) {
            archive::each_file(input.name, input.bytes, limits, &mut spent, |name, bytes| {
                file(&mut batch, &mut waiting, &name, bytes, limits, watch)
            })?;
        } else {
            spent += input.bytes.len();
            if spent > limits.total_bytes {
                return Err(Cause::TooLargeTogether { limit: limits.total_bytes }.at(input.name, None));
            }
            file(&mut batch, &mut waiting, input.name, input.bytes, limits, watch)?;
        }
    }
    for (number, text) in &waiting.tables {
        table::read(text, &waiting.mappings, &mut Intake::new(&mut batch, *number, limits, watch))?;
    }
    batch.finish();
    Ok(batch)
}

/// Tables wait for the mappings, which may come after them.
#[derive(Default)]
struct Waiting {
    mappings: Vec<Mapping>,
    /// By the number of their file.
    tables: Vec<(u32, String)>,
}

fn file(
    batch: &mut Batch,
    waiting: &mut Waiting,
    name: &str,
    bytes: &[u8],
    limits: &Limits,
    watch: &mut Watch<'_>,
) -> Result<(), Fault> {
    if bytes.len() > limits.file_bytes {
        return Err(Cause::TooLarge { limit: limits.file_bytes }.at(name, None));
    }
    let shown: String = name.chars().map(countersign_model::visible).take(512).collect();
    let text = text::utf8(bytes, limits.file_bytes).map_err(|cause| cause.at(&shown, None))?;
    if text.trim().is_empty() {
        return Err(Cause::Empty.at(&shown, None));
    }
    let format = detect(&text).ok_or_else(|| unrecognised(&text).at(&shown, None))?;
    let sha256 = hex::encode(Sha256::digest(bytes)).into();
    let number = u32::try_from(batch.files.len()).unwrap_or(u32::MAX);
    batch.files.push(FileRead { name: shown.as_str().into(), sha256, bytes: bytes.len() as u64 });
    let mut intake = Intake::new(batch, number, limits, watch);
    match format {
        Format::Sharphound => sharphound::read(&text, &mut intake),
        Format::GraphLines => graph_lines::read_lines(&text, &mut intake),
        Format::OpenGraph => graph_lines::read_document(&text, &mut intake),
        Format::Ldif => ldif::read(&text, &mut intake),
        Format::AwsAuthorization => aws::read(&text, &mut intake),
        Format::KubernetesJson => kubernetes::read_json(&text, &mut intake),
        Format::KubernetesYaml => kubernetes::read_yaml(&text, &mut intake),
        Format::Document => document(&text, &mut intake),
        Format::Scuba => entra::read_scuba(&text, &mut intake),
        Format::WorkdayReport => people::read_report(&text, &mut intake),
        Format::SshHosts => hosts::read(&text, &mut intake),
        Format::Mapping => {
            waiting.mappings.push(Mapping::parse(&shown, &text)?);
            Ok(())
        }
        Format::Table => {
            waiting.tables.push((number, text.into_owned()));
            Ok(())
        }
        Format::Countersign => countersign::read(&text, &mut intake),
    }
}

/// A document says of which source it is, and of which realm of it.
fn document(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let header: Header = serde_json::from_str(text).map_err(|error| {
        let (cause, place) = json::fault(&error);
        intake.fault(cause, Some(place))
    })?;
    let realm = header.realm.filter(|realm| !realm.trim().is_empty());
    let (Some(source), Some(realm)) = (header.source, realm) else {
        return Err(intake.fault(Cause::malformed("a document whose source or realm is empty"), None));
    };
    type Read = fn(&Document<'_>, &mut Intake<'_, '_>) -> Result<(), Fault>;
    let (system, read): (System, Read) = match source.as_str() {
        "entra" => (System::Entra, entra::read),
        "okta" => (System::Okta, okta::read),
        "google-workspace" => (System::GoogleWorkspace, google::read),
        "github" => (System::Github, github::read),
        "people" => (System::People, people::read),
        _ => {
            let what = "a source that is not known here; known are entra, okta, google-workspace, github, people";
            return Err(intake.fault(Cause::malformed(what), None));
        }
    };
    // Keys and realms are compared as they are written: one tenant is to be one, however its name was typed.
    let realm = realm.trim().to_ascii_lowercase();
    read(&Document::new(text, system, realm, header.keys), intake)
}

/// A file that begins like JSON and is none, such as one that was cut off, is told so.
fn unrecognised(text: &str) -> Cause {
    if !text.trim_start().starts_with(['{', '[']) {
        return Cause::Unrecognised;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        Some(Err(error)) => crate::json::fault(&error).0,
        _ => Cause::Unrecognised,
    }
}
