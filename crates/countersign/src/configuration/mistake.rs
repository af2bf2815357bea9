//! What is wrong with a configuration file, shown where it is: file, line, the line itself and a caret.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::DATA_DIRECTORY;

/// One mistake, by the bytes of the file that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub span: Range<usize>,
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// Every mistake of one file. Never empty.
#[derive(Debug, Clone)]
pub struct Mistakes {
    pub path: PathBuf,
    pub text: String,
    pub list: Vec<Mistake>,
}

impl std::error::Error for Mistakes {}

impl Mistakes {
    /// Line and column of a mistake, from 1.
    pub fn place(&self, mistake: &Mistake) -> (usize, usize) {
        let at = position(&self.text, mistake.span.start);
        (at.line, at.column)
    }

    /// The data directory, if a line of its own says it, or the usual one.
    pub fn data_directory(&self) -> PathBuf {
        let top = self.text.lines().take_while(|line| !line.trim_start().starts_with('['));
        let said = top.filter_map(|line| line.parse::<toml_edit::DocumentMut>().ok()).find_map(|line| {
            let said = line.get("data_directory")?.as_str()?;
            Some(said.to_owned())
        });
        let base = self.path.parent().unwrap_or(Path::new(""));
        base.join(said.unwrap_or_else(|| DATA_DIRECTORY.to_owned()))
    }
}

/// Where a byte stands, for people: line and column count from 1, the column in characters.
pub(crate) struct Position<'a> {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) text: &'a str,
}

pub(crate) fn position(text: &str, byte: usize) -> Position<'_> {
    let byte = (0..=byte.min(text.len())).rev().find(|&b| text.is_char_boundary(b)).unwrap_or(0);
    let (before, after) = text.split_at(byte);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after.find('\n').map_or(text.len(), |newline| byte + newline);
    Position {
        line: before.matches('\n').count() + 1,
        column: text.get(start..byte).map_or(0, |lead| lead.chars().count()) + 1,
        text: text.get(start..end).unwrap_or_default().trim_end_matches('\r'),
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let at = position(&self.text, mistake.span.start);
            // A caret for each character that is meant, but not past the end of its line.
            let meant = self
                .text
                .get(mistake.span.clone())
                .map_or(1, |meant| meant.lines().next().map_or(1, |line| line.chars().count()).max(1));
            let margin = " ".repeat(at.line.to_string().len());
            let lead: String =
                at.text.chars().take(at.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(f, "{}:{}:{}: {}", self.path.display(), at.line, at.column, mistake.message)?;
            writeln!(f, "{margin} |")?;
            writeln!(f, "{} | {}", at.line, at.text)?;
            write!(f, "{margin} | {lead}{}", "^".repeat(meant))?;
            if let Some(help) = &mistake.help {
                write!(f, "\n{margin} = {help}")?;
            }
            writeln!(f)?;
        }
        let count = self.list.len();
        write!(f, "\n{count} mistake{} in {}", if count == 1 { "" } else { "s" }, self.path.display())
    }
}

/// The nearest of `known`, if it is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known.into_iter().map(|k| (distance(word, k), k)).filter(|(d, _)| *d <= allowed).min().map(|(_, k)| k)
}

/// Levenshtein's, by rows.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, pair), left) in b.iter().zip(row.windows(2)).zip(0..) {
            let substituted = pair.first().copied().unwrap_or(0) + usize::from(x != *y);
            let deleted = pair.last().copied().unwrap_or(0) + 1;
            let inserted = next.get(left).copied().unwrap_or(0) + 1;
            next.push(substituted.min(deleted).min(inserted));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
