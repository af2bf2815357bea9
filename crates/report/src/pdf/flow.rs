//! Blocks laid out one below the other, on as many sheets as it takes.

use std::rc::Rc;

use super::face::{Faces, Weight};
use super::lines::{Line, Style, lines};
use super::sheet::{BOTTOM, Heading, Laid, MARGIN, Node, Op, ROOM, Role, TOP, WIDTH};
use super::table;
use crate::document::{Block, Callout, Chart, Document, Figure, Item, Section, Span, Text, Tone};
use crate::drawing::{Drawing, Paint};
use crate::text::{date, name};

pub(super) const BODY: Style = Style::new(9.4, Weight::Regular, Paint::Ink);
const SOFT: Style = Style::new(9.0, Weight::Regular, Paint::Soft);
const SMALL: Style = Style::new(8.0, Weight::Regular, Paint::Faint);
const STRONG: Style = Style::new(9.6, Weight::Bold, Paint::Ink);
const TITLE: Style = Style::new(23.0, Weight::Bold, Paint::Ink);

/// The sheets so far, and where the next thing goes.
pub(super) struct Flow<'f> {
    pub(super) faces: &'f Faces,
    pages: Vec<Vec<Op>>,
    pub(super) y: f32,
    leaves: usize,
    headings: Vec<Heading>,
}

pub(super) fn lay(document: &Document, faces: &Faces) -> Laid {
    let mut flow = Flow { faces, pages: vec![Vec::new()], y: TOP, leaves: 0, headings: Vec::new() };
    let mut tree = vec![flow.banner(document)];
    for (place, section) in document.sections.iter().enumerate() {
        // A section that would have little more than its title on this sheet starts the next one.
        if place > 0 && (place == 1 || flow.y > TOP + (BOTTOM - TOP) * 0.55) {
            flow.turn();
        } else if place > 0 {
            flow.y += 18.0;
        }
        tree.push(flow.section(section));
    }
    if faces.replaced() > 0 {
        flow.space(12.0);
        let text = "Characters that the font of this file has not got are written as their code points, such as [U+5F20]; \
                    the page (HTML) shows them.";
        tree.push(flow.paragraph(&text.into(), SMALL, 0.0));
    }
    Laid { pages: flow.pages, leaves: flow.leaves, tree, headings: flow.headings }
}

impl Flow<'_> {
    pub(super) fn op(&mut self, op: Op) {
        if let Some(page) = self.pages.last_mut() {
            page.push(op);
        }
    }

    pub(super) fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// A new sheet unless there is this much left on this one.
    pub(super) fn need(&mut self, height: f32) -> bool {
        let turns = self.y + height > BOTTOM && self.y > TOP;
        if turns {
            self.turn();
        }
        turns
    }

    fn space(&mut self, height: f32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    /// What `put` puts is one leaf of the tree.
    pub(super) fn leaf(&mut self, put: impl FnOnce(&mut Self)) -> Node {
        let leaf = self.leaves;
        self.leaves += 1;
        self.op(Op::Begin(leaf));
        put(self);
        self.op(Op::End);
        Node::Leaf(leaf)
    }

    pub(super) fn decorate(&mut self, put: impl FnOnce(&mut Self)) {
        self.op(Op::Decoration);
        put(self);
        self.op(Op::End);
    }

    /// A line whose top is at `y`.
    pub(super) fn line(&mut self, line: &Line, x: f32, y: f32, style: Style) {
        for run in &line.runs {
            let op = Op::Text { x: x + run.x, y: y + style.size * 1.04, style: run.style, text: run.text.clone() };
            self.op(op);
        }
    }

    /// Lines one below the other, over sheets where need be; one leaf for each sheet.
    fn run(&mut self, all: &[Line], style: Style, x: f32) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut rest = all;
        while !rest.is_empty() {
            self.need(style.leading());
            let fits = (((BOTTOM - self.y) / style.leading()) as usize).clamp(1, rest.len());
            let (here, later) = rest.split_at(fits);
            nodes.push(self.leaf(|flow| {
                for line in here {
                    flow.line(line, x, flow.y, style);
                    flow.y += style.leading();
                }
            }));
            rest = later;
        }
        nodes
    }

    fn paragraph(&mut self, text: &Text, style: Style, indent: f32) -> Node {
        let all = lines(self.faces, text, style, ROOM - indent);
        Node::Group(Role::Paragraph, self.run(&all, style, MARGIN + indent))
    }

    fn banner(&mut self, document: &Document) -> Node {
        let mark = Rc::new(mark());
        self.decorate(|flow| flow.op(Op::Drawing { x: MARGIN, y: TOP, scale: 1.1, drawing: mark }));
        let x = MARGIN + 50.0;
        let mut nodes = Vec::new();
        let title = lines(self.faces, &Text::new(document.title.clone()), TITLE, ROOM - 50.0);
        self.headings.push(Heading { level: 1, title: document.title.clone(), page: 0, y: TOP });
        self.y = TOP - 6.0;
        let heading = self.run(&title, TITLE, x);
        nodes.push(Node::Group(Role::Heading(1, document.title.clone()), heading));
        let mut whose = Text::default();
        if let Some(organisation) = &document.organisation {
            whose.0.push(Span::Strong(name(organisation)));
            whose = whose.plain("  ·  ");
        }
        let whose = whose.plain(date(document.as_of));
        let style = Style::new(11.0, Weight::Regular, Paint::Soft);
        for (text, style) in [(whose, style), (Text::new(document.subtitle.clone()), SMALL)] {
            let all = lines(self.faces, &text, style, ROOM - 50.0);
            nodes.push(Node::Group(Role::Paragraph, self.run(&all, style, x)));
        }
        self.y += 11.0;
        Node::Group(Role::Section, nodes)
    }

    fn section(&mut self, section: &Section) -> Node {
        let mut nodes = vec![self.heading(&section.title, 2)];
        for block in &section.blocks {
            self.block(block, &mut nodes, 3);
        }
        Node::Group(Role::Section, nodes)
    }

    fn heading(&mut self, title: &str, level: u16) -> Node {
        let (size, before, after) = match level {
            2 => (16.0, 0.0, 6.0),
            3 => (11.5, 6.0, 3.0),
            _ => (9.8, 6.0, 2.0),
        };
        let style = Style::new(size, Weight::Bold, if level == 2 { Paint::Accent } else { Paint::Ink });
        self.space(before);
        self.need(if level == 2 { 120.0 } else { 70.0 });
        let heading = Heading { level, title: title.to_owned(), page: self.pages.len() - 1, y: self.y };
        self.headings.push(heading);
        let all = lines(self.faces, &title.into(), style, ROOM);
        let nodes = self.run(&all, style, MARGIN);
        if level == 2 {
            let y = self.y + 1.0;
            self.decorate(|flow| {
                let line =
                    Op::Box { x: MARGIN, y, width: ROOM, height: 0.9, radius: 0.0, paint: Paint::Line, stroked: false };
                flow.op(line);
            });
            self.y += 3.0;
        }
        self.y += after;
        Node::Group(Role::Heading(level, title.to_owned()), nodes)
    }

    fn block(&mut self, block: &Block, nodes: &mut Vec<Node>, level: u16) {
        match block {
            Block::Heading(title) => nodes.push(self.heading(title, level)),
            Block::Text(text) => nodes.push(self.paragraph(text, BODY, 0.0)),
            Block::Note(text) => nodes.push(self.paragraph(text, SMALL, 0.0)),
            Block::Figures(figures) => nodes.push(self.figures(figures)),
            Block::Table(table) => nodes.push(table::lay(self, table)),
            Block::Chart(chart) => self.chart(chart, nodes),
            Block::Steps(items) => nodes.push(self.steps(items)),
            Block::List(items) => nodes.push(self.list(items)),
            Block::Callout(callout) => nodes.push(self.callout(callout)),
            Block::Folded(title, blocks) => {
                nodes.push(self.heading(title, 4));
                blocks.iter().for_each(|inner| self.block(inner, nodes, 4));
            }
        }
        self.space(6.0);
    }

    fn figures(&mut self, figures: &[Figure]) -> Node {
        const GAP: f32 = 8.0;
        const INSET: f32 = 9.0;
        let value = Style::new(16.0, Weight::Bold, Paint::Ink);
        let columns = figures.len().clamp(1, 4);
        let width = (ROOM - GAP * (columns - 1) as f32) / columns as f32;
        let mut nodes = Vec::new();
        for row in figures.chunks(columns) {
            let tiles: Vec<[(Vec<Line>, Style); 3]> = row
                .iter()
                .map(|figure| {
                    let lay = |text: &Text, style: Style| (lines(self.faces, text, style, width - 2.0 * INSET), style);
                    [
                        lay(&figure.label.clone().into(), SMALL),
                        lay(&figure.value.clone().into(), value),
                        lay(&figure.note, SMALL),
                    ]
                })
                .collect();
            let tall = |tile: &[(Vec<Line>, Style); 3]| -> f32 {
                tile.iter().map(|(lines, style)| lines.len() as f32 * style.leading()).sum()
            };
            let drawn = if row.iter().any(|figure| figure.drawing.is_some()) { 13.0 } else { 0.0 };
            let height = tiles.iter().map(tall).fold(0.0, f32::max) + 2.0 * INSET + drawn;
            self.need(height);
            let top = self.y;
            for (place, (figure, tile)) in row.iter().zip(&tiles).enumerate() {
                let x = MARGIN + place as f32 * (width + GAP);
                self.decorate(|flow| flow.op(frame(x, top, width, height)));
                let mut y = top + INSET;
                let mut parts = Vec::new();
                for (part, (all, style)) in tile.iter().enumerate() {
                    parts.push(self.leaf(|flow| {
                        for line in all {
                            flow.line(line, x + INSET, y, *style);
                            y += style.leading();
                        }
                    }));
                    if let (1, Some(drawing)) = (part, &figure.drawing) {
                        let scale = (width - 2.0 * INSET) / drawing.width;
                        let op = Op::Drawing { x: x + INSET, y: y + 2.0, scale, drawing: Rc::new(drawing.clone()) };
                        self.decorate(|flow| flow.op(op));
                        y += drawn;
                    }
                }
                nodes.push(item(parts));
            }
            self.y = top + height + GAP;
        }
        Node::Group(Role::List { numbered: false }, nodes)
    }

    fn chart(&mut self, chart: &Chart, nodes: &mut Vec<Node>) {
        let scale = (ROOM / chart.drawing.width).min(1.0);
        let height = chart.drawing.height * scale;
        self.need(height + 24.0);
        nodes.push(self.paragraph(&chart.title.as_str().into(), STRONG, 0.0));
        self.y += 4.0;
        let y = self.y;
        let leaf = self.leaf(|flow| {
            flow.op(Op::Drawing { x: MARGIN, y, scale, drawing: Rc::new(chart.drawing.clone()) });
        });
        self.y += height + 4.0;
        nodes.push(Node::Group(Role::Figure(self.faces.shown(&chart.alternative)), vec![leaf]));
    }

    fn steps(&mut self, items: &[Item]) -> Node {
        const INDENT: f32 = 30.0;
        let number = Style::new(10.0, Weight::Bold, Paint::Ground);
        let mut nodes = Vec::new();
        for (place, step) in items.iter().enumerate() {
            let title = lines(self.faces, &step.title, STRONG, ROOM - INDENT);
            let rest: Vec<Vec<Line>> =
                step.lines.iter().map(|text| lines(self.faces, text, SOFT, ROOM - INDENT)).collect();
            let height = title.len() as f32 * STRONG.leading()
                + rest.iter().map(|lines| lines.len() as f32 * SOFT.leading()).sum::<f32>();
            self.need(height.min(BOTTOM - TOP));
            let y = self.y;
            let label = (place + 1).to_string();
            let wide = self.faces.width(number.weight, number.size, &label);
            self.decorate(|flow| {
                flow.op(Op::Box {
                    x: MARGIN,
                    y,
                    width: 20.0,
                    height: 20.0,
                    radius: 10.0,
                    paint: Paint::Accent,
                    stroked: false,
                });
            });
            let mut parts = vec![self.leaf(|flow| {
                flow.op(Op::Text { x: MARGIN + 10.0 - wide / 2.0, y: y + 13.6, style: number, text: label });
            })];
            parts.extend(self.run(&title, STRONG, MARGIN + INDENT));
            for lines in &rest {
                parts.extend(self.run(lines, SOFT, MARGIN + INDENT));
            }
            self.y = self.y.max(y + 20.0) + 4.0;
            nodes.push(item(parts));
        }
        Node::Group(Role::List { numbered: true }, nodes)
    }

    fn list(&mut self, items: &[Text]) -> Node {
        let mut nodes = Vec::new();
        for text in items {
            self.need(BODY.leading());
            let y = self.y + BODY.size * 0.72;
            self.decorate(|flow| {
                let dot = Op::Box {
                    x: MARGIN + 3.0,
                    y: y - 1.6,
                    width: 3.2,
                    height: 3.2,
                    radius: 1.6,
                    paint: Paint::Accent,
                    stroked: false,
                };
                flow.op(dot);
            });
            let all = lines(self.faces, text, BODY, ROOM - 14.0);
            nodes.push(item(self.run(&all, BODY, MARGIN + 14.0)));
            self.y += 1.5;
        }
        Node::Group(Role::List { numbered: false }, nodes)
    }

    fn callout(&mut self, callout: &Callout) -> Node {
        const INSET: f32 = 10.0;
        let room = ROOM - 2.0 * INSET - 4.0;
        let mut all = vec![(lines(self.faces, &callout.title.as_str().into(), STRONG, room), STRONG)];
        all.extend(callout.text.iter().map(|text| (lines(self.faces, text, BODY, room), BODY)));
        let height =
            all.iter().map(|(lines, style)| lines.len() as f32 * style.leading()).sum::<f32>() + 2.0 * INSET - 3.0;
        self.need(height);
        let top = self.y;
        // Taller than a sheet it goes without its frame.
        let framed = top + height <= BOTTOM;
        if framed {
            let bar = match callout.tone {
                Tone::Good => Paint::Good,
                Tone::Warn => Paint::Warn,
                Tone::Bad => Paint::Bad,
                Tone::Plain => Paint::Accent,
            };
            self.decorate(|flow| {
                flow.op(frame(MARGIN, top, ROOM, height));
                let bar = Op::Box { x: MARGIN, y: top, width: 4.0, height, radius: 2.0, paint: bar, stroked: false };
                flow.op(bar);
            });
            self.y += INSET - 2.0;
        }
        let mut nodes = Vec::new();
        for (lines, style) in &all {
            let parts = self.run(lines, *style, MARGIN + INSET + 4.0);
            nodes.push(Node::Group(Role::Paragraph, parts));
        }
        if framed {
            self.y = top + height;
        }
        Node::Group(Role::Section, nodes)
    }
}

fn item(parts: Vec<Node>) -> Node {
    Node::Group(Role::Item, vec![Node::Group(Role::ItemBody, parts)])
}

fn frame(x: f32, y: f32, width: f32, height: f32) -> Op {
    Op::Box { x, y, width, height, radius: 5.0, paint: Paint::Line, stroked: true }
}

/// Countersign's own sign.
fn mark() -> Drawing {
    use crate::drawing::Shape;
    let arc = (0..=20u8).map(|step| {
        let angle = f64::from(-0.75 + std::f32::consts::TAU * 0.745 * f32::from(step) / -20.0);
        (16.6 + 7.0 * angle.cos() as f32, 16.0 + 7.0 * angle.sin() as f32)
    });
    Drawing {
        width: 32.0,
        height: 32.0,
        shapes: vec![
            Shape::Rectangle { x: 0.0, y: 0.0, width: 32.0, height: 32.0, radius: 8.0, paint: Paint::Accent },
            Shape::Curve { points: arc.collect(), width: 2.6, paint: Paint::Ground },
            Shape::Curve {
                points: vec![(13.2, 16.2), (15.8, 18.8), (23.2, 11.4)],
                width: 2.6,
                paint: Paint::AccentSoft,
            },
        ],
    }
}

/// The right edge, for whoever aligns to it.
pub(super) const RIGHT: f32 = WIDTH - MARGIN;
