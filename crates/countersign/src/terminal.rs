//! What a person sees: tables, a few colours, and only on a terminal. Whatever a machine reads goes through
//! [`Terminal::json`] instead.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

/// Where output goes and how it looks.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub json: bool,
    pub colour: bool,
    /// In characters; nothing is cut where nobody's screen is filled.
    width: Option<usize>,
}

/// No column becomes narrower than this: room for an instant.
const NARROWEST: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
    Attention,
    Quiet,
    Strong,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Attention => "\x1b[33m",
            Self::Quiet => "\x1b[2m",
            Self::Strong => "\x1b[1m",
        }
    }

    /// How a word that stands for a state is shown.
    pub fn of(word: &str) -> Self {
        match word {
            "allow" | "active" | "compliant" | "managed" | "ok" | "in place" => Self::Good,
            "deny" | "denied" | "revoked" | "disabled" | "failed" | "expired" | "not in place" => Self::Bad,
            "challenge" | "quarantine" | "stale" | "unknown" | "partial" | "not assessed" => Self::Attention,
            _ => Self::Plain,
        }
    }
}

impl Terminal {
    pub fn new(json: bool) -> Self {
        let screen = io::stdout().is_terminal();
        let colour = screen && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let columns = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self { json, colour, width: screen.then(|| columns().unwrap_or(120)) }
    }

    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colour && tone != Tone::Plain { format!("{}{text}\x1b[0m", tone.code()) } else { text.to_owned() }
    }

    /// One line to standard output. A reader who has gone away is no error.
    pub fn line(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
    }

    /// One line to standard error: what is about the work, not its result.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string_pretty(value)?);
        Ok(())
    }

    pub fn table(&self, table: &Table) {
        if table.rows.is_empty() {
            self.line(self.paint(Tone::Quiet, &format!("no {}", table.what)));
        } else {
            self.line(table.draw(self).trim_end());
        }
    }
}

/// A foreign text as it may be shown: control characters are made visible.
pub fn plain(text: &str) -> String {
    text.chars().map(countersign_model::visible).collect()
}

/// Columns with a heading each.
#[derive(Debug, Clone)]
pub struct Table {
    /// What there is none of, when there is none.
    what: String,
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(what: &str, headings: &[&str]) -> Self {
        Self { what: what.to_owned(), headings: headings.iter().map(|h| (*h).to_owned()).collect(), rows: Vec::new() }
    }

    /// Control characters in a cell are made visible: a name must not be able to draw on the reader's terminal.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| plain(cell.as_ref())).collect());
    }

    fn widths(&self, terminal: &Terminal) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.chars().count()).collect();
        // Prose may be cut; a cell without a space is an id, a name, an address, and of use only as a whole.
        let mut least = vec![NARROWEST; widths.len()];
        for row in &self.rows {
            for ((width, least), cell) in widths.iter_mut().zip(&mut least).zip(row) {
                let length = cell.chars().count();
                *width = (*width).max(length);
                if !cell.contains(' ') {
                    *least = (*least).max(length);
                }
            }
        }
        let gaps = widths.len().saturating_sub(1) * 2;
        let room = terminal.width.unwrap_or(usize::MAX);
        // The widest column that can gives way until the line fits.
        while widths.iter().sum::<usize>() + gaps > room {
            let able = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
            match able.max_by_key(|(width, _)| **width) {
                Some((widest, _)) => *widest -= 1,
                None => break,
            }
        }
        widths
    }

    fn draw(&self, terminal: &Terminal) -> String {
        let widths = self.widths(terminal);
        let line = |cells: &[String], tone: Option<Tone>| {
            let mut line = String::new();
            for (index, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let shown = if cell.chars().count() > *width {
                    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
                } else {
                    cell.clone()
                };
                let padding = if index + 1 == cells.len() { 0 } else { width - shown.chars().count() + 2 };
                let tone = tone.unwrap_or_else(|| Tone::of(cell));
                line += &terminal.paint(tone, &shown);
                line += &" ".repeat(padding);
            }
            line + "\n"
        };
        let mut drawn = line(&self.headings, Some(Tone::Quiet));
        for row in &self.rows {
            drawn += &line(row, None);
        }
        drawn
    }
}

#[cfg(test)]
mod tests;
