//! Markdown that others read on a code host: text from policies and ledgers is shown and never becomes markup, a mention, a
//! link or a command, and a page ends before the host cuts it. Knows nothing of what it is about.

use std::fmt::Write as _;

use countersign_model::visible;

/// Longest comment of GitHub, in characters; counted here in bytes, of which there are never fewer.
pub(super) const LIMIT: usize = 65_536;

/// What is kept for the words about what was left out.
const RESERVE: usize = 1_500;

/// Longest name, in characters.
const NAME: usize = 160;

/// Longest line of a block, in characters.
const LINE: usize = 400;

/// A piece of a page. It stands there as a whole, or is left out and counted; of a table and a list, each row.
pub(super) enum Block {
    Text(String),
    List(Vec<String>),
    Table { head: String, rows: Vec<String> },
}

fn shortened(text: impl Iterator<Item = char>, most: usize) -> String {
    let mut text = text.peekable();
    let mut short: String = text.by_ref().take(most).collect();
    if text.peek().is_some() {
        short.push('…');
    }
    short
}

/// Foreign text within a line or a cell: code, in which no host looks for names, links or commands. A backtick would end it
/// and a bar the cell: both are shown as what looks like them.
pub(super) fn code(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words.chars().map(|c| match c {
        '`' => '\'',
        '|' => '¦',
        c => visible(c),
    });
    let shown = shortened(shown, NAME);
    if shown.is_empty() { "–".to_owned() } else { format!("`{shown}`") }
}

/// The same within HTML.
pub(super) fn html_code(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut escaped = String::new();
    for c in shortened(words.chars().map(visible), NAME).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    format!("<code>{escaped}</code>")
}

/// Foreign lines as a block of code, up to so many bytes. The fence is longer than any that is in it, and every line begins
/// with a sign or a space: GitLab takes a line that begins with a slash for a command where it takes it for no code.
pub(super) fn fence<T: AsRef<str>>(info: &str, lines: &[T], most: usize) -> String {
    let signed = matches!(info, "diff");
    let mut shown = Vec::new();
    let (mut length, mut longest) = (0, 2);
    for line in lines {
        let line = shortened(line.as_ref().replace('\t', "    ").chars().map(visible), LINE);
        let line = if signed { line } else { format!(" {line}") };
        length += line.len() + 1;
        if length > most {
            break;
        }
        longest = longest.max(line.split(|c| c != '`').map(str::len).max().unwrap_or_default());
        shown.push(line);
    }
    if shown.len() < lines.len() {
        shown.push(format!(" … {} more lines", lines.len() - shown.len()));
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence}{info}\n{}\n{fence}\n", shown.join("\n"))
}

/// What unfolds when its summary is clicked. The summary is HTML, what is in it Markdown.
pub(super) fn fold(summary: &str, inside: &str) -> Block {
    Block::Text(format!("<details><summary>{summary}</summary>\n\n{}\n\n</details>\n", inside.trim()))
}

/// A text that is being written, and what did not fit.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    left_out: Vec<String>,
}

impl Page {
    /// A part of the page in at most so many bytes. `title` and `head` are ours.
    pub(super) fn section(&mut self, title: &str, most: usize, blocks: &[Block]) {
        let end = (self.text.len() + most).min(LIMIT - RESERVE);
        let _ = write!(self.text, "\n### {title}\n");
        let (mut rows_out, mut parts_out) = (0, 0);
        for block in blocks {
            match block {
                Block::Text(text) => parts_out += usize::from(!self.add(&format!("\n{text}"), end)),
                Block::List(rows) => {
                    let _ = writeln!(self.text);
                    rows_out += self.rows(rows, end);
                }
                Block::Table { head, rows } => {
                    let Some((first, rest)) = rows.split_first() else { continue };
                    rows_out += match self.add(&format!("\n{head}\n{first}"), end) {
                        true => self.rows(rest, end),
                        false => rows.len(),
                    };
                }
            }
        }
        for (count, what) in [(rows_out, "rows"), (parts_out, "parts")] {
            if count > 0 {
                let what = if count == 1 { what.trim_end_matches('s') } else { what };
                self.left_out.push(format!("{count} {what} of “{title}”"));
            }
        }
    }

    fn add(&mut self, text: &str, end: usize) -> bool {
        let fits = self.text.len() + text.len() < end;
        if fits {
            self.text += text;
            if !text.ends_with('\n') {
                self.text.push('\n');
            }
        }
        fits
    }

    /// How many did not fit: from the first of them on, so that the order tells which.
    fn rows(&mut self, rows: &[String], end: usize) -> usize {
        let shown = rows.iter().take_while(|row| self.add(row, end)).count();
        rows.len() - shown
    }

    /// The text that everything else follows.
    pub(super) fn opening(text: String) -> Self {
        Self { text, left_out: Vec::new() }
    }

    pub(super) fn finish(mut self) -> String {
        if !self.left_out.is_empty() {
            let all = self.left_out.join(", ");
            let _ = write!(self.text, "\n**Left out, for the length of a comment:** {all}. `--json` has everything.\n");
        }
        self.text
    }
}
