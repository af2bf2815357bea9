//! A mapping: which column of a table is what. It is a file of TOML that comes with the tables, is told apart by its first key,
//! and goes with every table that has all of its columns. As written it is checked whole before a row is read.

use std::collections::BTreeMap;
use std::ops::Range;

use countersign_model::Timestamp;
use serde::de::value::{Error as Unknown, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use toml_edit::{Document, Item, TableLike, Value};

use crate::fault::{Cause, Fault};
use crate::observation::{Attributes, Factor, Kind, Moment, Place, Relation, SignIn, SignInKind};
use crate::sources::document::instant;

/// Whether a text is one: its first line that is no comment says so.
pub(crate) fn is_mapping(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next().and_then(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()));
    first.is_some_and(|(key, value)| key == "mapping" && value.starts_with(|c: char| c.is_ascii_digit()))
}

/// Text with columns in braces: `mail:{email}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Column(String),
}

impl Template {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (column, after) = after.split_once('}').ok_or("a brace that is never closed")?;
            if before.contains('}') || column.trim().is_empty() || column.contains('{') {
                return Err("braces that name no column");
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Column(column.trim().to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err("a brace that was never opened");
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if pieces.is_empty() { Err("an empty text") } else { Ok(Self(pieces)) }
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Column(column) => Some(column.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// `None`: a column of it is empty here.
    pub(super) fn fill<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Column(column) => filled.push_str(value(column)?),
            }
        }
        Some(filled)
    }
}

/// An edge for each row, or for each value of one of its columns, which is `{}`… named `each`.
#[derive(Debug)]
pub(super) struct EdgeOf {
    pub(super) from: Template,
    pub(super) relation: Relation,
    pub(super) to: Template,
    pub(super) condition: Option<Template>,
    /// A column with several values, each an edge; what separates them.
    pub(super) each: Option<(String, String)>,
}

/// One mapping, checked.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(super) realm: String,
    pub(super) part: String,
    /// Of JSON: the key of the list; a document that is the list has none.
    pub(super) records: Option<String>,
    pub(super) node: Option<NodeOf>,
    pub(super) edges: Vec<EdgeOf>,
    /// The file, for faults.
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct NodeOf {
    pub(super) key: Template,
    pub(super) kind: Kind,
    pub(super) name: Template,
    pub(super) attributes: BTreeMap<String, Template>,
}

impl Mapping {
    /// Every column that it names.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let node = self.node.iter().flat_map(|node| {
            node.key.columns().chain(node.name.columns()).chain(node.attributes.values().flat_map(Template::columns))
        });
        let edges = self.edges.iter().flat_map(|edge| {
            let each = edge.each.as_ref().map(|(column, _)| column.as_str());
            let ends =
                edge.from.columns().chain(edge.to.columns()).chain(edge.condition.iter().flat_map(Template::columns));
            ends.filter(move |column| Some(*column) != each).chain(each)
        });
        node.chain(edges)
    }

    /// Those without which a row is nothing.
    pub(super) fn needed(&self) -> impl Iterator<Item = &str> {
        let node = self.node.iter().flat_map(|node| node.key.columns());
        let first = self.edges.iter().take(usize::from(self.node.is_none()));
        node.chain(first.flat_map(|edge| edge.from.columns()))
    }

    /// # Errors
    /// The first mistake, with its line and column.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let failed = |what: String, span: Option<Range<usize>>| {
            Cause::Malformed(what).at(name, span.map(|span| place(text, span.start)))
        };
        let document =
            Document::parse(text).map_err(|error| failed(format!("not TOML: {}", error.message()), error.span()))?;
        Reader { failed: &failed }.mapping(name, document.as_table())
    }
}

fn place(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
    Place::Text { line: before.matches('\n').count() as u64 + 1, column }
}

struct Reader<'f> {
    failed: &'f dyn Fn(String, Option<Range<usize>>) -> Fault,
}

impl Reader<'_> {
    fn fail<T>(&self, what: impl Into<String>, item: Option<&Item>) -> Result<T, Fault> {
        Err((self.failed)(what.into(), item.and_then(Item::span)))
    }

    fn known(&self, table: &dyn TableLike, keys: &[&str]) -> Result<(), Fault> {
        match table.iter().find(|(key, _)| !keys.contains(key)) {
            None => Ok(()),
            Some((_, item)) => {
                self.fail(format!("a key that is not known here; known are {}", keys.join(", ")), Some(item))
            }
        }
    }

    fn text<'t>(&self, table: &'t dyn TableLike, key: &str) -> Result<Option<(&'t str, &'t Item)>, Fault> {
        match table.get(key) {
            None => Ok(None),
            Some(item) => match item.as_str() {
                Some(text) => Ok(Some((text, item))),
                None => self.fail(format!("{key} is to be a text"), Some(item)),
            },
        }
    }

    fn needed<'t>(&self, table: &'t dyn TableLike, key: &str, of: &Item) -> Result<(&'t str, &'t Item), Fault> {
        match self.text(table, key)? {
            Some(found) => Ok(found),
            None => self.fail(format!("{key} is missing"), Some(of)),
        }
    }

    fn template(&self, (text, item): (&str, &Item)) -> Result<Template, Fault> {
        Template::parse(text).or_else(|what| self.fail(what, Some(item)))
    }

    fn word<T: DeserializeOwned>(&self, (text, item): (&str, &Item), what: &str) -> Result<T, Fault> {
        word(text).map_or_else(|| self.fail(format!("no {what} that is known here"), Some(item)), Ok)
    }

    fn mapping(&self, name: &str, root: &dyn TableLike) -> Result<Mapping, Fault> {
        self.known(root, &["mapping", "realm", "part", "records", "node", "edge"])?;
        let version = root.get("mapping");
        if version.and_then(Item::as_integer) != Some(1) {
            return self.fail("a mapping of another version than 1", version);
        }
        let Some((realm, _)) = self.text(root, "realm")?.filter(|(realm, _)| !realm.trim().is_empty()) else {
            return self.fail("realm is missing: the name of this list, by which its next export is known", version);
        };
        let part = self.text(root, "part")?.map_or("all", |(part, _)| part);
        let records = self.text(root, "records")?.map(|(records, _)| records.to_owned());
        let node = match root.get("node") {
            None => None,
            Some(item) => match item.as_table_like() {
                Some(table) => Some(self.node(table, item)?),
                None => return self.fail("node is to be a table", Some(item)),
            },
        };
        let mut edges = Vec::new();
        match root.get("edge") {
            None => {}
            Some(item) => match item.as_array_of_tables() {
                Some(tables) => {
                    for table in tables {
                        edges.push(self.edge(table, item)?);
                    }
                }
                None => return self.fail("edges are written as [[edge]]", Some(item)),
            },
        }
        if node.is_none() && edges.is_empty() {
            return self.fail("neither a node nor an edge", version);
        }
        let name = name.to_owned();
        Ok(Mapping { realm: realm.to_owned(), part: part.to_owned(), records, node, edges, name })
    }

    fn node(&self, table: &dyn TableLike, of: &Item) -> Result<NodeOf, Fault> {
        self.known(table, &["key", "kind", "name", "attributes"])?;
        let key = self.template(self.needed(table, "key", of)?)?;
        if key.columns().next().is_none() {
            return self.fail("a key without a column is the same in every row", table.get("key"));
        }
        let kind = self.word(self.needed(table, "kind", of)?, "kind")?;
        let name = match self.text(table, "name")? {
            Some(text) => self.template(text)?,
            None => key.clone(),
        };
        let mut attributes = BTreeMap::new();
        if let Some(item) = table.get("attributes") {
            let Some(written) = item.as_table_like() else {
                return self.fail("attributes are to be a table", Some(item));
            };
            for (name, item) in written.iter() {
                if !ATTRIBUTES.contains(&name) {
                    let what = format!("no attribute that is known here; known are {}", ATTRIBUTES.join(", "));
                    return self.fail(what, Some(item));
                }
                let text = match item {
                    Item::Value(Value::Boolean(flag)) => flag.value().to_string(),
                    item => match item.as_str() {
                        Some(text) => text.to_owned(),
                        None => return self.fail(format!("{name} is to be a text with columns in braces"), Some(item)),
                    },
                };
                attributes.insert(name.to_owned(), self.template((&text, item))?);
            }
        }
        Ok(NodeOf { key, kind, name, attributes })
    }

    fn edge(&self, table: &dyn TableLike, of: &Item) -> Result<EdgeOf, Fault> {
        self.known(table, &["from", "relation", "to", "condition", "each", "separator"])?;
        let each = self.text(table, "each")?.map(|(column, _)| column.to_owned());
        let separator = self.text(table, "separator")?;
        if let Some((_, item)) = separator.filter(|(text, _)| text.is_empty() || each.is_none()) {
            return self.fail("a separator goes with each, and is not empty", Some(item));
        }
        Ok(EdgeOf {
            from: self.template(self.needed(table, "from", of)?)?,
            relation: self.word(self.needed(table, "relation", of)?, "relation")?,
            to: self.template(self.needed(table, "to", of)?)?,
            condition: self.text(table, "condition")?.map(|text| self.template(text)).transpose()?,
            each: each.map(|column| (column, separator.map_or(";", |(text, _)| text).to_owned())),
        })
    }
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    let word: StrDeserializer<'_, Unknown> = text.into_deserializer();
    T::deserialize(word).ok()
}

/// What a mapping may say of a node.
const ATTRIBUTES: [&str; 26] = [
    "account-name",
    "admin",
    "created",
    "department",
    "display-name",
    "email",
    "email-verified",
    "employee-number",
    "enabled",
    "expires",
    "guest",
    "high-value",
    "last-sign-in",
    "left",
    "locked",
    "mfa",
    "owner",
    "password-last-set",
    "password-never-expires",
    "principal-name",
    "phishing-resistant",
    "same-as",
    "sid",
    "single-sign-on",
    "title",
    "built-in",
];

/// Puts one value where it belongs.
///
/// # Errors
/// What was expected instead.
pub(super) fn set(into: &mut Attributes, name: &str, value: &str, text: Box<str>) -> Result<(), &'static str> {
    let flag = || match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "active" | "enabled" => Ok(Some(true)),
        "false" | "no" | "n" | "0" | "inactive" | "disabled" => Ok(Some(false)),
        _ => Err("expected true or false (or yes, no, active, inactive, enabled, disabled)"),
    };
    let at = || instant(value).ok_or("expected an instant as 2026-03-31 or 2026-03-31T12:00:00Z");
    let moment = || -> Result<Option<Moment>, &'static str> {
        if value.eq_ignore_ascii_case("never") { Ok(Some(Moment::Never)) } else { at().map(|at| Some(Moment::At(at))) }
    };
    let time = || -> Result<Option<Timestamp>, &'static str> { at().map(Some) };
    match name {
        "account-name" => into.account_name = Some(text),
        "admin" => into.admin_count = flag()?,
        "built-in" => into.built_in = flag()?,
        "created" => into.created = time()?,
        "department" => into.department = Some(text),
        "display-name" => into.display_name = Some(text),
        "email" => into.email = Some(text),
        "email-verified" => into.email_verified = flag()?,
        "employee-number" => into.employee_number = Some(text),
        "enabled" => into.enabled = flag()?,
        "expires" => into.expires = moment()?,
        "guest" => into.guest = flag()?,
        "high-value" => into.high_value = flag()?,
        "last-sign-in" => {
            let when = moment()?;
            into.sign_ins.extend(when.map(|when| SignIn { kind: SignInKind::Password, when }));
        }
        "left" => into.left = time()?,
        "locked" => into.locked = flag()?,
        "mfa" => factor(into, flag()?, Factor::Unspecified),
        "phishing-resistant" => factor(into, flag()?.filter(|is| *is), Factor::PhishingResistant),
        "owner" => into.owner = Some(text),
        "password-last-set" => into.password_last_set = moment()?,
        "password-never-expires" => into.password_never_expires = flag()?,
        "principal-name" => into.principal_name = Some(text),
        "same-as" => into.same_as.push(text),
        "sid" => into.sid = Some(text),
        "single-sign-on" => into.single_sign_on = flag()?,
        "title" => into.title = Some(text),
        _ => return Err("no attribute that is known here"),
    }
    Ok(())
}

/// `Some` and empty says that there is none.
fn factor(into: &mut Attributes, has: Option<bool>, factor: Factor) {
    let Some(has) = has else { return };
    let factors = into.factors.get_or_insert_default();
    if has {
        factors.push(factor);
        factors.sort();
    }
}
