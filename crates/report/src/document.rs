//! What a report says, in blocks, before it is a page or a PDF: written once, shown twice. No colours, no sizes, no markup;
//! and nothing of how the words came about.

use countersign_model::Timestamp;

use crate::drawing::Drawing;
use crate::text::name;

/// A whole report.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// Whose it is.
    pub(crate) organisation: Option<String>,
    pub(crate) subtitle: String,
    pub(crate) as_of: Timestamp,
    pub(crate) sections: Vec<Section>,
    /// At the foot of every page.
    pub(crate) foot: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// The anchor.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub(crate) enum Block {
    Heading(String),
    Text(Text),
    /// Small print.
    Note(Text),
    Figures(Vec<Figure>),
    Table(Table),
    Chart(Chart),
    /// Numbered.
    Steps(Vec<Item>),
    List(Vec<Text>),
    Callout(Callout),
    /// Shown on demand where a reader can ask for it, and as it is on paper.
    Folded(String, Vec<Block>),
}

/// One number that stands for itself.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) label: String,
    pub(crate) value: String,
    pub(crate) note: Text,
    pub(crate) drawing: Option<Drawing>,
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) title: Text,
    pub(crate) lines: Vec<Text>,
}

#[derive(Clone, Debug)]
pub(crate) struct Callout {
    pub(crate) tone: Tone,
    pub(crate) title: String,
    pub(crate) text: Vec<Text>,
}

/// A drawing with what it shows in words, and the table of its figures.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What somebody who does not see it has to know.
    pub(crate) alternative: String,
    pub(crate) drawing: Drawing,
    pub(crate) figures: Option<Table>,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What it is a table of.
    pub(crate) caption: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Its part of the width, beside the others'.
    pub(crate) weight: f32,
    /// Numbers stand at the end of their column.
    pub(crate) number: bool,
}

/// `group`: it heads those that follow.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) group: bool,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(Text),
    /// A drawing and what it says in words, which are shown beside it.
    Drawn(Drawing, Text),
}

/// Running text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Text(pub(crate) Vec<Span>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Span {
    Plain(String),
    Strong(String),
    /// From somebody else's file: shown so that it is only ever text. Made by [`Text::name`] alone.
    Name(String),
    /// A query, a hash: to be copied.
    Code(String),
    /// Rather unimportant.
    Faint(String),
}

impl Span {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Strong(text) | Self::Name(text) | Self::Code(text) | Self::Faint(text) => text,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Plain,
}

impl Text {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(vec![Span::Plain(text.into())])
    }

    pub(crate) fn plain(self, text: impl Into<String>) -> Self {
        self.with(Span::Plain(text.into()))
    }

    pub(crate) fn strong(self, text: impl Into<String>) -> Self {
        self.with(Span::Strong(text.into()))
    }

    pub(crate) fn faint(self, text: impl Into<String>) -> Self {
        self.with(Span::Faint(text.into()))
    }

    pub(crate) fn code(self, text: &str) -> Self {
        self.with(Span::Code(crate::text::visible(text)))
    }

    /// What a foreign file says: made visible where it would not be, and cut where it is endless.
    pub(crate) fn name(self, text: &str) -> Self {
        self.with(Span::Name(name(text)))
    }

    fn with(mut self, span: Span) -> Self {
        self.0.push(span);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|span| span.text().is_empty())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<T: Into<Text>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl Column {
    pub(crate) const fn text(title: &'static str, weight: f32) -> Self {
        Self { title, weight, number: false }
    }

    pub(crate) const fn number(title: &'static str, weight: f32) -> Self {
        Self { title, weight, number: true }
    }
}

impl Table {
    pub(crate) fn new(caption: impl Into<String>, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { caption: caption.into(), columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row { group: false, cells: cells.into_iter().collect() });
    }

    pub(crate) fn group(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row { group: true, cells: cells.into_iter().collect() });
    }
}
