//! A table on sheets: the headings come again on each, a row stays whole.

use std::rc::Rc;

use super::face::Weight;
use super::flow::Flow;
use super::lines::{Line, Style, lines};
use super::sheet::{BOTTOM, MARGIN, Node, Op, ROOM, Role, TOP};
use crate::document::{Cell, Row, Table, Text};
use crate::drawing::{Drawing, Paint};

const CELL: Style = Style::new(8.4, Weight::Regular, Paint::Ink);
const GROUP: Style = Style::new(8.6, Weight::Bold, Paint::Ink);
const HEADING: Style = Style::new(7.6, Weight::Bold, Paint::Soft);
const CAPTION: Style = Style::new(8.0, Weight::Regular, Paint::Faint);
const INSET: f32 = 4.0;
/// No cell is taller than a sheet, whatever stands in it.
const MOST_LINES: usize = 50;

/// A cell laid out.
struct Laid {
    drawing: Option<Rc<Drawing>>,
    /// Where the words begin, from the cell's left and top.
    at: (f32, f32),
    lines: Vec<Line>,
    style: Style,
    height: f32,
}

pub(super) fn lay(flow: &mut Flow<'_>, table: &Table) -> Node {
    let weights: f32 = table.columns.iter().map(|column| column.weight).sum();
    let widths: Vec<f32> = table.columns.iter().map(|column| ROOM * column.weight / weights.max(0.01)).collect();
    let mut nodes = Vec::new();
    let caption = lines(flow.faces, &table.caption.as_str().into(), CAPTION, ROOM);
    flow.need(70.0);
    let y = flow.y;
    let leaf = flow.leaf(|flow| {
        for (place, line) in caption.iter().enumerate() {
            flow.line(line, MARGIN, y + place as f32 * CAPTION.leading(), CAPTION);
        }
    });
    flow.y += caption.len() as f32 * CAPTION.leading() + 1.0;
    nodes.push(Node::Group(Role::Paragraph, vec![leaf]));
    let headings: Vec<Laid> = table
        .columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| words(flow, &column.title.into(), HEADING, *width))
        .collect();
    let head = heads(flow, table, &headings, &widths, true);
    let mut body = Vec::new();
    for row in &table.rows {
        body.push(lay_row(flow, table, row, &headings, &widths));
    }
    nodes.push(Node::Group(
        Role::Table(table.caption.clone()),
        vec![Node::Group(Role::Head, vec![Node::Group(Role::Row, head)]), Node::Group(Role::Body, body)],
    ));
    Node::Group(Role::Section, nodes)
}

/// The headings; on a later sheet they are decoration.
fn heads(flow: &mut Flow<'_>, table: &Table, headings: &[Laid], widths: &[f32], first: bool) -> Vec<Node> {
    let height = headings.iter().map(|cell| cell.height).fold(0.0, f32::max);
    let y = flow.y;
    let mut x = MARGIN;
    let mut nodes = Vec::new();
    for ((cell, width), column) in headings.iter().zip(widths).zip(&table.columns) {
        let put = |flow: &mut Flow<'_>| place(flow, cell, x, y, *width, column.number);
        if first {
            nodes.push(Node::Group(Role::ColumnHeading, vec![flow.leaf(put)]));
        } else {
            flow.decorate(put);
        }
        x += width;
    }
    flow.y += height;
    rule(flow, 1.1);
    nodes
}

fn lay_row(flow: &mut Flow<'_>, table: &Table, row: &Row, headings: &[Laid], widths: &[f32]) -> Node {
    let style = if row.group { GROUP } else { CELL };
    let cells: Vec<Laid> = row
        .cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| match cell {
            Cell::Text(text) => words(flow, text, style, *width),
            Cell::Drawn(drawing, text) => drawn(flow, drawing, text, style, *width),
        })
        .collect();
    let height = cells.iter().map(|cell| cell.height).fold(0.0, f32::max).min(BOTTOM - TOP - 30.0);
    // A heading of rows does not stay behind alone.
    if flow.need(if row.group { height + 26.0 } else { height }) {
        heads(flow, table, headings, widths, false);
    }
    let y = flow.y;
    if row.group {
        flow.decorate(|flow| {
            flow.op(Op::Box { x: MARGIN, y, width: ROOM, height, radius: 0.0, paint: Paint::Track, stroked: false });
        });
    }
    let mut x = MARGIN;
    let mut nodes = Vec::new();
    for (number, ((cell, width), column)) in cells.iter().zip(widths).zip(&table.columns).enumerate() {
        if let Some(drawing) = &cell.drawing {
            let op = Op::Drawing { x: x + INSET, y: y + INSET + 0.8, scale: 1.0, drawing: Rc::clone(drawing) };
            flow.decorate(|flow| flow.op(op));
        }
        let leaf = flow.leaf(|flow| place(flow, cell, x, y, *width, column.number));
        nodes.push(Node::Group(if number == 0 { Role::RowHeading } else { Role::Cell }, vec![leaf]));
        x += width;
    }
    flow.y += height;
    rule(flow, 0.5);
    Node::Group(Role::Row, nodes)
}

fn rule(flow: &mut Flow<'_>, height: f32) {
    let y = flow.y;
    flow.decorate(|flow| {
        flow.op(Op::Box { x: MARGIN, y, width: ROOM, height, radius: 0.0, paint: Paint::Line, stroked: false });
    });
    flow.y += height;
}

fn words(flow: &Flow<'_>, text: &Text, style: Style, width: f32) -> Laid {
    let mut lines = lines(flow.faces, text, style, width - 2.0 * INSET);
    lines.truncate(MOST_LINES);
    let height = lines.len() as f32 * style.leading() + 2.0 * INSET - 1.0;
    Laid { drawing: None, at: (INSET, INSET - 1.0), lines, style, height }
}

/// The words beside the drawing where there is room, below it otherwise.
fn drawn(flow: &Flow<'_>, drawing: &Drawing, text: &Text, style: Style, width: f32) -> Laid {
    const GAP: f32 = 5.0;
    if text.is_empty() {
        let height = drawing.height + 2.0 * INSET + 1.0;
        return Laid { drawing: Some(Rc::new(drawing.clone())), at: (INSET, INSET), lines: Vec::new(), style, height };
    }
    let room = width - 2.0 * INSET - drawing.width - GAP;
    let beside = lines(flow.faces, text, style, room.max(1.0));
    let whole: f32 = beside.iter().map(|line| line.width).fold(0.0, f32::max);
    let (at, mut lines) = if room > 24.0 && whole <= room && beside.len() <= 4 {
        ((INSET + drawing.width + GAP, INSET - 1.0), beside)
    } else {
        ((INSET, INSET + drawing.height + 2.0), lines(flow.faces, text, style, width - 2.0 * INSET))
    };
    lines.truncate(MOST_LINES);
    let height = at.1 + lines.len() as f32 * style.leading() + INSET;
    let height = height.max(drawing.height + 2.0 * INSET);
    Laid { drawing: Some(Rc::new(drawing.clone())), at, lines, style, height }
}

fn place(flow: &mut Flow<'_>, cell: &Laid, x: f32, y: f32, width: f32, number: bool) {
    for (place, line) in cell.lines.iter().enumerate() {
        let x = if number { x + width - INSET - line.width } else { x + cell.at.0 };
        flow.line(line, x, y + cell.at.1 + place as f32 * cell.style.leading(), cell.style);
    }
}
