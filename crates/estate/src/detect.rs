//! What a file is, by what stands in it. Its name is a label that anybody can give, and decides nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::sources::hosts;
use crate::sources::table::is_mapping;

/// What is read here, for whoever brought something else.
pub(crate) const KNOWN: &str = "SharpHound collections (JSON, zip), BloodHound-style graphs (JSON lines, OpenGraph), \
                                LDIF of Active Directory and other LDAP, \
                                account authorization details of AWS IAM, \
                                Kubernetes objects (JSON, YAML), documents of Entra ID, Okta, Google Workspace, GitHub \
                                and people, ScubaGear's settings export, Workday's reports, lists of people (CSV), hosts \
                                with keys and sudo, and tables (CSV, JSON) that come with a mapping, and \
                                what a Countersign knows of itself";

/// The kinds of file that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Sharphound,
    GraphLines,
    OpenGraph,
    Ldif,
    AwsAuthorization,
    KubernetesJson,
    KubernetesYaml,
    /// A document of one realm of a source that says which.
    Document,
    /// ScubaGear's `ProviderSettingsExport.json`.
    Scuba,
    /// Workday's report as a web service.
    WorkdayReport,
    SshHosts,
    /// Says what the columns of tables are.
    Mapping,
    /// Anything else that may be one: CSV, or JSON of no known kind.
    Table,
    Countersign,
}

pub(crate) fn detect(text: &str) -> Option<Format> {
    let text = text.trim_start();
    match text.as_bytes().first()? {
        b'{' => Some(json(text)?.unwrap_or(Format::Table)),
        b'[' => is_json(text).then_some(Format::Table),
        _ if text.starts_with(hosts::BEGINNING) => Some(Format::SshHosts),
        _ if is_mapping(text) => Some(Format::Mapping),
        _ if ldif(text) => Some(Format::Ldif),
        _ if yaml(text) => Some(Format::KubernetesYaml),
        _ => Some(Format::Table),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>().next().is_some_and(|value| value.is_ok())
}

/// By the first JSON value: its keys, and for a document of a type what it says of itself. `None`: no JSON; `Some(None)`: JSON of no kind that
/// is known here.
fn json(text: &str) -> Option<Option<Format>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Shape>();
    let shape = values.next()?.ok()?;
    let has = |key: &str| shape.keys.iter().any(|known| known == key);
    Some(if has("countersign-inventory") {
        Some(Format::Countersign)
    } else if has("source") && has("realm") {
        Some(Format::Document)
    } else if has("conditional_access_policies") && has("privileged_users") {
        Some(Format::Scuba)
    } else if has("Report_Entry") {
        Some(Format::WorkdayReport)
    } else if has("meta") {
        Some(Format::Sharphound)
    } else if has("graph") {
        Some(Format::OpenGraph)
    } else if has("UserDetailList") || has("RoleDetailList") || has("GroupDetailList") {
        Some(Format::AwsAuthorization)
    } else if has("apiVersion") && has("items") {
        Some(Format::KubernetesJson)
    } else if has("type") && (has("labels") || has("label")) {
        Some(Format::GraphLines)
    } else {
        None
    })
}

/// The first keys of an object; the rest is passed over.
struct Shape {
    keys: Vec<String>,
}

const MOST_KEYS: usize = 64;

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if keys.len() < MOST_KEYS {
                keys.push(key);
            }
        }
        Ok(Shape { keys })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape { keys: Vec::new() })
    }
}

/// Objects of Kubernetes have a kind and the version of their API, at the edge of the page.
fn yaml(text: &str) -> bool {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    begins("kind:") && begins("apiVersion:")
}

/// The first line that is neither empty nor a comment begins a record, or says the version.
fn ldif(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']));
    lines.next().is_some_and(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("dn:") || line.starts_with("version:")
    })
}
