//! What stands on each sheet of paper, and how it hangs together for a screen reader: made before anything is written.

use std::rc::Rc;

use super::lines::Style;
use crate::drawing::{Drawing, Paint};

/// A4, in points.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const MARGIN: f32 = 50.0;
/// What stands between the margins.
pub(super) const ROOM: f32 = WIDTH - 2.0 * MARGIN;
pub(super) const TOP: f32 = 44.0;
pub(super) const BOTTOM: f32 = HEIGHT - 50.0;

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// `y`: where the letters stand.
    Text {
        x: f32,
        y: f32,
        style: Style,
        text: String,
    },
    Drawing {
        x: f32,
        y: f32,
        scale: f32,
        drawing: Rc<Drawing>,
    },
    Box {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        radius: f32,
        paint: Paint,
        stroked: bool,
    },
    /// What follows, up to the end, is the leaf of this number in the tree.
    Begin(usize),
    /// What follows, up to the end, is decoration.
    Decoration,
    End,
}

/// The tree that a screen reader walks.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(usize),
    Group(Role, Vec<Node>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Section,
    Heading(u16, String),
    Paragraph,
    Table(String),
    Head,
    Body,
    Row,
    ColumnHeading,
    RowHeading,
    Cell,
    Figure(String),
    List { numbered: bool },
    Item,
    ItemBody,
}

/// An entry of the outline.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub(super) level: u16,
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// Everything, laid out.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) pages: Vec<Vec<Op>>,
    pub(super) leaves: usize,
    pub(super) tree: Vec<Node>,
    pub(super) headings: Vec<Heading>,
}
