//! Walks a TOML table and collects mistakes instead of stopping at the first. A key that was not asked for when the
//! reader is finished is unknown, and said so. It knows TOML and spans, and nothing of what the keys mean.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use countersign_model::Timestamp;
use toml_edit::{Item, TableLike, Value};

use super::mistake::{Mistake, nearest};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// What the walk has found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: RefCell<Vec<Mistake>>,
    /// Every key that was asked for, by its full path: what the reference has to document.
    pub(super) keys: RefCell<BTreeSet<String>>,
}

impl Findings {
    pub(super) fn report(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.mistakes.borrow_mut().push(Mistake { span, message: message.into(), help });
    }
}

/// One table of the file, or the absence of one: then every key is absent.
pub(super) struct Reader<'a> {
    table: Option<&'a dyn TableLike>,
    pub(super) span: Range<usize>,
    path: String,
    pub(super) findings: &'a Findings,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Reader<'a> {
    pub(super) fn root(table: &'a dyn TableLike, findings: &'a Findings) -> Self {
        Self { table: Some(table), span: 0..0, path: String::new(), findings, asked: RefCell::default() }
    }

    /// Walks as if nothing were written, to learn which keys there are.
    pub(super) fn survey(findings: &'a Findings) -> Self {
        Self { table: None, span: 0..0, path: String::new(), findings, asked: RefCell::default() }
    }

    fn below(&self, key: &str, table: Option<&'a dyn TableLike>, span: Range<usize>) -> Self {
        let path = format!("{}{key}.", self.path);
        Self { table, span, path, findings: self.findings, asked: RefCell::default() }
    }

    fn item(&self, key: &'static str) -> Option<&'a Item> {
        self.asked.borrow_mut().insert(key);
        self.findings.keys.borrow_mut().insert(format!("{}{key}", self.path));
        self.table?.get(key)
    }

    /// The value of `key`, if it is there and `read` can make sense of it.
    pub(super) fn take<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Item) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        let item = self.item(key)?;
        let span = item.span().unwrap_or_else(|| self.span.clone());
        match read(item) {
            Ok(value) => Some(Spanned { value, span }),
            Err(problem) => {
                self.findings.report(span, format!("{}{key}: {problem}", self.path), None);
                None
            }
        }
    }

    /// The same, and a mistake if it is absent.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Item) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        if self.table.is_some_and(|table| !table.contains_key(key)) {
            let table = self.path.trim_end_matches('.');
            let place = if table.is_empty() { "the file".to_owned() } else { format!("[{table}]") };
            self.findings.report(self.span.clone(), format!("{place} needs the key `{key}`"), None);
        }
        self.take(key, read)
    }

    pub(super) fn section(&self, key: &'static str) -> Self {
        let Some(item) = self.item(key) else { return self.below(key, None, self.span.clone()) };
        let span = item.span().unwrap_or_else(|| self.span.clone());
        let table = item.as_table_like();
        if table.is_none() {
            let problem = format!("{}{key} is a table, here stands {}", self.path, item.type_name());
            self.findings.report(span.clone(), problem, Some(format!("write [{key}] on a line of its own")));
        }
        self.below(key, table, span)
    }

    /// The tables of `[[key]]`, or of `key = [{…}, …]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let Some(item) = self.item(key) else {
            // A survey sees one table without a key in it.
            return if self.table.is_none() { vec![self.below(key, None, 0..0)] } else { Vec::new() };
        };
        if let Some(tables) = item.as_array_of_tables() {
            let span = |t: &toml_edit::Table| t.span().unwrap_or_else(|| self.span.clone());
            return tables.iter().map(|t| self.below(key, Some(t), span(t))).collect();
        }
        let inline = item.as_array().map(|array| array.iter().map(Value::as_inline_table).collect::<Option<Vec<_>>>());
        if let Some(Some(tables)) = inline {
            let span = |t: &toml_edit::InlineTable| t.span().unwrap_or_else(|| self.span.clone());
            return tables.into_iter().map(|t| self.below(key, Some(t), span(t))).collect();
        }
        let span = item.span().unwrap_or_else(|| self.span.clone());
        let help = Some(format!("write [[{key}]] before each of them"));
        self.findings.report(span, format!("{}{key} is a list of tables", self.path), help);
        Vec::new()
    }

    /// Every key with its value, where the keys are names of the writer's own.
    pub(super) fn named<T>(
        &self,
        documented_as: &'static str,
        read: impl Fn(&Item) -> Result<T, String>,
    ) -> Vec<(Spanned<String>, Spanned<T>)> {
        self.findings.keys.borrow_mut().insert(format!("{}{documented_as}", self.path));
        let mut pairs = Vec::new();
        for (name, item) in self.table.into_iter().flat_map(|table| table.iter()) {
            let key_span = self.table.and_then(|t| t.key(name)).and_then(|k| k.span()).unwrap_or(self.span.clone());
            let span = item.span().unwrap_or_else(|| self.span.clone());
            match read(item) {
                Ok(value) => {
                    pairs.push((Spanned { value: name.to_owned(), span: key_span }, Spanned { value, span }));
                }
                Err(problem) => self.findings.report(span, format!("{}{name}: {problem}", self.path), None),
            }
        }
        pairs
    }

    /// Says of every key that nobody asked for that it is unknown.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (name, item) in self.table.into_iter().flat_map(|table| table.iter()) {
            if !asked.contains(name) {
                let key = self.table.and_then(|t| t.key(name)).and_then(|k| k.span());
                let span = key.or_else(|| item.span()).unwrap_or_else(|| self.span.clone());
                let help = match nearest(name, asked.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", asked.iter().copied().collect::<Vec<_>>().join(", ")),
                };
                self.findings.report(span, format!("unknown key `{}{name}`", self.path), Some(help));
            }
        }
    }
}

pub(super) fn text(item: &Item) -> Result<String, String> {
    let text = item.as_str().ok_or_else(|| format!("a text is needed here, not {}", article(item)))?;
    if text.is_empty() { Err("the text is empty".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn boolean(item: &Item) -> Result<bool, String> {
    item.as_bool().ok_or_else(|| format!("true or false is needed here, not {}", article(item)))
}

pub(super) fn number(least: u64, most: u64) -> impl Fn(&Item) -> Result<u64, String> {
    move |item| {
        let number = item.as_integer().ok_or_else(|| format!("a number is needed here, not {}", article(item)))?;
        u64::try_from(number)
            .ok()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| format!("{number} is not between {least} and {most}"))
    }
}

/// A text that `T` can be read from.
pub(super) fn parsed<T: FromStr>(item: &Item) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text(item)?.parse().map_err(|error: T::Err| error.to_string())
}

/// As a date and time of TOML's, or as a text; an offset is needed.
pub(super) fn instant(item: &Item) -> Result<Timestamp, String> {
    let written = item.as_datetime().map_or_else(|| text(item), |written| Ok(written.to_string()))?;
    let help = "write an instant with its offset, such as 2027-03-01T08:00:00Z";
    written.parse().map_err(|_| format!("{written:?} is no instant: {help}"))
}

pub(super) fn list<T>(read: impl Fn(&Item) -> Result<T, String>) -> impl Fn(&Item) -> Result<Vec<T>, String> {
    move |item| {
        let array =
            item.as_array().ok_or_else(|| format!("a list [\"…\", …] is needed here, not {}", article(item)))?;
        array.iter().map(|value| read(&Item::Value(value.clone()))).collect()
    }
}

pub(super) fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&Item) -> Result<T, String> {
    move |item| {
        let word = text(item)?;
        choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            format!("{word:?} is none of {}", names.join(", "))
        })
    }
}

/// An address with a port, or `off`.
pub(super) fn address(item: &Item) -> Result<Option<SocketAddr>, String> {
    let word = text(item)?;
    if word == "off" {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|_| format!("{word:?} is no address with a port, such as 127.0.0.1:8080, nor `off`"))
}

/// `90s`, `15m`, `12h`, `7d`.
pub(super) fn duration(item: &Item) -> Result<Duration, String> {
    let word = text(item)?;
    parse_duration(&word).ok_or_else(|| format!("{word:?} is no span of time: write such as 30s, 15m, 12h or 7d"))
}

pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// `64KiB`, `10MiB`, `1GiB`, or bytes as a number.
pub(super) fn bytes(item: &Item) -> Result<u64, String> {
    if item.is_integer() {
        return number(1, u64::MAX >> 1)(item);
    }
    let word = text(item)?;
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    units
        .iter()
        .find_map(|(unit, size)| word.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?.checked_mul(*size))
        .ok_or_else(|| format!("{word:?} is no size: write such as 64KiB, 10MiB or 1GiB"))
}

/// Encoded, a path may be three times as long, and a decision that holds it still has to fit into the ledger's entry.
pub(super) fn target_bytes(item: &Item) -> Result<u64, String> {
    match bytes(item)? {
        size @ 256..=16_384 => Ok(size),
        _ => Err("a path and its query are limited to between 256 bytes and 16KiB".to_owned()),
    }
}

fn article(item: &Item) -> String {
    format!("a value of type {}", item.type_name())
}
