//! Tables as text (RFC 4180): a record per line, values between separators, quoted where they hold one. The separator is the
//! one that the first line has most of: comma, semicolon or tab. A quote that stands nowhere is a fault with its place, and not a guess.

use std::borrow::Cow;

use crate::fault::Cause;
use crate::observation::Place;

/// Values of one record; nobody writes more columns.
const MOST_CELLS: usize = 1000;

/// One value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell<'t> {
    pub(crate) value: Cow<'t, str>,
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Cell<'_> {
    pub(crate) fn place(&self) -> Place {
        Place::Text { line: self.line, column: self.column }
    }
}

/// The records of a text, one after the other. Empty lines are none.
pub(crate) struct Records<'t> {
    rest: &'t str,
    separator: char,
    line: u64,
    column: u64,
}

impl<'t> Records<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { rest: text, separator: separator(text), line: 1, column: 1 }
    }

    fn advance(&mut self, bytes: usize) -> &'t str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        match passed.rsplit_once('\n') {
            Some((before, after)) => {
                self.line += 1 + before.matches('\n').count() as u64;
                self.column = 1 + after.chars().count() as u64;
            }
            None => self.column += passed.chars().count() as u64,
        }
        passed
    }

    fn fault(&self, what: &str) -> (Cause, Place) {
        (Cause::malformed(what), Place::Text { line: self.line, column: self.column })
    }

    fn record(&mut self) -> Result<Vec<Cell<'t>>, (Cause, Place)> {
        let mut cells = Vec::new();
        loop {
            if cells.len() >= MOST_CELLS {
                return Err((Cause::TooManyValues { limit: MOST_CELLS }, Place::Line(self.line)));
            }
            let (line, column) = (self.line, self.column);
            let value = if self.rest.starts_with('"') { self.quoted()? } else { self.plain()? };
            cells.push(Cell { value, line, column });
            if self.rest.starts_with(self.separator) {
                self.advance(1);
                continue;
            }
            let end = if self.rest.starts_with("\r\n") { 2 } else { 1 };
            self.advance(end.min(self.rest.len()));
            return Ok(cells);
        }
    }

    fn plain(&mut self) -> Result<Cow<'t, str>, (Cause, Place)> {
        let end = self.rest.find([self.separator, '\n', '"']).unwrap_or(self.rest.len());
        let value = self.advance(end);
        if self.rest.starts_with('"') {
            return Err(self.fault("a quote within a value that does not begin with one"));
        }
        match value.strip_suffix('\r') {
            Some(value) if !self.rest.starts_with(self.separator) => Ok(Cow::Borrowed(value)),
            _ => Ok(Cow::Borrowed(value)),
        }
    }

    fn quoted(&mut self) -> Result<Cow<'t, str>, (Cause, Place)> {
        let open = self.fault("a quote that is never closed");
        self.advance(1);
        let mut value = Cow::Borrowed("");
        loop {
            let Some(end) = self.rest.find('"') else { return Err(open) };
            let part = self.advance(end);
            self.advance(1);
            if value.is_empty() {
                value = Cow::Borrowed(part);
            } else {
                value.to_mut().push_str(part);
            }
            if !self.rest.starts_with('"') {
                break;
            }
            self.advance(1);
            value.to_mut().push('"');
        }
        let ended =
            self.rest.is_empty() || self.rest.starts_with([self.separator, '\n']) || self.rest.starts_with("\r\n");
        if ended { Ok(value) } else { Err(self.fault("something between a closing quote and the next value")) }
    }
}

impl<'t> Iterator for Records<'t> {
    type Item = Result<Vec<Cell<'t>>, (Cause, Place)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.starts_with(['\n', '\r']) {
            self.advance(1);
        }
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_err() {
            // After a fault no place means anything.
            self.rest = "";
        }
        Some(record)
    }
}

/// Of the first line, outside of quotes.
fn separator(text: &str) -> char {
    let (mut counts, mut quoted) = ([(',', 0u32), (';', 0), ('\t', 0)], false);
    for character in text.chars().take_while(|character| *character != '\n') {
        quoted ^= character == '"';
        if let Some((_, count)) = counts.iter_mut().find(|(separator, _)| !quoted && *separator == character) {
            *count += 1;
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(',', |(separator, _)| *separator)
}
