//! The sheets, written as a file.

use std::num::NonZeroU16;

use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{Path, PathBuilder, Point, Rect, Transform};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, LineCap, LineJoin, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, SpanTag, TableHeaderScope, Tag, TagGroup, TagTree,
};
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Document as File, SerializeSettings};

use super::PdfFault;
use super::face::{Faces, Weight, data};
use super::lines::Style;
use super::sheet::{HEIGHT, Heading, Laid, MARGIN, Node, Op, Role, WIDTH};
use crate::document::Document;
use crate::drawing::{Anchor, Drawing, Paint, Shape};
use crate::text::{name, parts};

const FOOT: Style = Style::new(7.6, Weight::Regular, Paint::Faint);

/// What is written with.
struct Pens<'f> {
    faces: &'f Faces,
    regular: Font,
    bold: Font,
}

pub(super) fn write(document: &Document, laid: Laid, faces: &Faces) -> Result<Vec<u8>, PdfFault> {
    let font = |weight| Font::new(data(weight).to_vec().into(), 0).ok_or(PdfFault::Font);
    let pens = Pens { faces, regular: font(Weight::Regular)?, bold: font(Weight::Bold)? };
    let fault = |fault: &dyn std::fmt::Debug| PdfFault::Writing(format!("{fault:?}"));
    let accessible = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish();
    let configuration = accessible.map_err(|error| fault(&error))?;
    let settings = SerializeSettings { configuration, ..SerializeSettings::default() };
    let mut file = File::new_with(settings);
    file.set_metadata(metadata(document, faces));
    let mut leaves: Vec<Option<Identifier>> = vec![None; laid.leaves];
    let count = laid.pages.len();
    for (number, ops) in laid.pages.iter().enumerate() {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| fault(&"the size of a page"))?;
        let mut page = file.start_page_with(size);
        let mut surface = page.surface();
        for op in ops {
            match op {
                Op::Begin(leaf) => {
                    let identifier = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
                    if let Some(slot) = leaves.get_mut(*leaf) {
                        *slot = Some(identifier);
                    }
                }
                Op::Decoration => {
                    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Other)));
                }
                Op::End => surface.end_tagged(),
                Op::Text { x, y, style, text } => pens.text(&mut surface, *x, *y, *style, text),
                Op::Drawing { x, y, scale, drawing } => pens.drawing(&mut surface, *x, *y, *scale, drawing),
                Op::Box { x, y, width, height, radius, paint, stroked } => {
                    let Some(path) = rectangle(*x, *y, *width, *height, *radius) else { continue };
                    if *stroked {
                        stroke(&mut surface, &path, 0.8, false, *paint);
                    } else {
                        fill(&mut surface, &path, *paint);
                    }
                }
            }
        }
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
        let y = HEIGHT - 26.0;
        let foot = faces.shown(&document.foot);
        pens.text(&mut surface, MARGIN, y, FOOT, &foot);
        let label = format!("Page {} of {count}", number + 1);
        let wide = faces.width(FOOT.weight, FOOT.size, &label);
        pens.text(&mut surface, super::flow::RIGHT - wide, y, FOOT, &label);
        surface.end_tagged();
        surface.finish();
        page.finish();
    }
    let mut tree = TagTree::new();
    for node in laid.tree {
        match node {
            Node::Leaf(leaf) => leaves.get(leaf).cloned().flatten().into_iter().for_each(|leaf| tree.push(leaf)),
            Node::Group(role, nodes) => tree.push(group(role, nodes, &leaves)),
        }
    }
    file.set_tag_tree(tree);
    file.set_outline(outline(&laid.headings, faces));
    file.finish().map_err(|error| fault(&error))
}

fn metadata(document: &Document, faces: &Faces) -> Metadata {
    let mut title = document.title.clone();
    if let Some(organisation) = &document.organisation {
        title = format!("{title}: {}", name(organisation));
    }
    let (year, [month, day, hour, minute, second]) = parts(document.as_of);
    let at = DateTime::new(year).month(month).day(day).hour(hour).minute(minute).second(second).utc_offset_hour(0);
    Metadata::new()
        .title(faces.shown(&title))
        .description(document.subtitle.clone())
        .creator(concat!("Countersign ", env!("CARGO_PKG_VERSION")).to_owned())
        .language("en".to_owned())
        .creation_date(at)
}

/// Headings of sections, and below each those inside it.
fn outline(headings: &[Heading], faces: &Faces) -> Outline {
    let mut outline = Outline::new();
    let mut open: Option<OutlineNode> = None;
    for heading in headings.iter().filter(|heading| heading.level <= 3) {
        let to = XyzDestination::new(heading.page, Point::from_xy(MARGIN, heading.y - 6.0));
        let node = OutlineNode::new(faces.shown(&heading.title), to);
        match (&mut open, heading.level) {
            (Some(section), 3) => section.push_child(node),
            _ => {
                open.take().into_iter().for_each(|section| outline.push_child(section));
                open = Some(node);
            }
        }
    }
    open.into_iter().for_each(|section| outline.push_child(section));
    outline
}

fn group(role: Role, nodes: Vec<Node>, leaves: &[Option<Identifier>]) -> TagGroup {
    let mut group = match role {
        Role::Section => TagGroup::new(Tag::Section),
        Role::Heading(level, title) => {
            TagGroup::new(Tag::Hn(NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN), Some(title)))
        }
        Role::Paragraph => TagGroup::new(Tag::P),
        Role::Table(summary) => TagGroup::new(Tag::Table.with_summary(Some(summary))),
        Role::Head => TagGroup::new(Tag::THead),
        Role::Body => TagGroup::new(Tag::TBody),
        Role::Row => TagGroup::new(Tag::TR),
        Role::ColumnHeading => TagGroup::new(Tag::TH(TableHeaderScope::Column)),
        Role::RowHeading => TagGroup::new(Tag::TH(TableHeaderScope::Row)),
        Role::Cell => TagGroup::new(Tag::TD),
        Role::Figure(alternative) => TagGroup::new(Tag::Figure(Some(alternative))),
        Role::List { numbered: true } => TagGroup::new(Tag::L(ListNumbering::Decimal)),
        Role::List { numbered: false } => TagGroup::new(Tag::L(ListNumbering::None)),
        Role::Item => TagGroup::new(Tag::LI),
        Role::ItemBody => TagGroup::new(Tag::LBody),
    };
    for node in nodes {
        match node {
            Node::Leaf(leaf) => leaves.get(leaf).cloned().flatten().into_iter().for_each(|leaf| group.push(leaf)),
            Node::Group(role, nodes) => group.push(self::group(role, nodes, leaves)),
        }
    }
    group
}

impl Pens<'_> {
    fn text(&self, surface: &mut Surface<'_>, x: f32, y: f32, style: Style, text: &str) {
        let glyphs: Vec<KrillaGlyph> = self
            .faces
            .glyphs(style.weight, text)
            .into_iter()
            .map(|glyph| {
                let (x, y) = glyph.offset;
                KrillaGlyph::new(GlyphId::new(glyph.id), glyph.advance, x, y, 0.0, glyph.range, None)
            })
            .collect();
        let font = match style.weight {
            Weight::Regular => self.regular.clone(),
            Weight::Bold => self.bold.clone(),
        };
        surface.set_stroke(None);
        surface.set_fill(Some(filling(style.paint)));
        surface.draw_glyphs(Point::from_xy(x, y), &glyphs, font, text, style.size, false);
    }

    fn drawing(&self, surface: &mut Surface<'_>, x: f32, y: f32, scale: f32, drawing: &Drawing) {
        surface.push_transform(&Transform::from_row(scale, 0.0, 0.0, scale, x, y));
        drawing.shapes.iter().for_each(|shape| self.shape(surface, shape));
        surface.pop();
    }

    fn shape(&self, surface: &mut Surface<'_>, shape: &Shape) {
        match shape {
            Shape::Rectangle { x, y, width, height, radius, paint } => {
                rectangle(*x, *y, *width, *height, *radius).iter().for_each(|path| fill(surface, path, *paint));
            }
            Shape::Line { from, to, width, dashed, paint } => {
                joined(&[*from, *to], false).iter().for_each(|path| stroke(surface, path, *width, *dashed, *paint));
            }
            Shape::Curve { points, width, paint } => {
                joined(points, false).iter().for_each(|path| stroke(surface, path, *width, false, *paint));
            }
            Shape::Area { points, paint } => joined(points, true).iter().for_each(|path| fill(surface, path, *paint)),
            Shape::Disc { at, radius, paint } => {
                circle(*at, *radius).iter().for_each(|path| fill(surface, path, *paint));
            }
            Shape::Ring { at, radius, width, paint } => {
                circle(*at, *radius).iter().for_each(|path| stroke(surface, path, *width, false, *paint));
            }
            Shape::Label { at, size, anchor, strong, paint, text } => {
                let style = Style::new(*size, if *strong { Weight::Bold } else { Weight::Regular }, *paint);
                let text = self.faces.shown(text);
                let wide = self.faces.width(style.weight, style.size, &text);
                let back = match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => wide / 2.0,
                    Anchor::End => wide,
                };
                self.text(surface, at.0 - back, at.1, style, &text);
            }
        }
    }
}

fn colour(paint: Paint) -> krilla::color::rgb::Color {
    let (red, green, blue) = paint.on_paper();
    krilla::color::rgb::Color::new(red, green, blue)
}

fn filling(paint: Paint) -> Fill {
    Fill { paint: colour(paint).into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

fn fill(surface: &mut Surface<'_>, path: &Path, paint: Paint) {
    surface.set_stroke(None);
    surface.set_fill(Some(filling(paint)));
    surface.draw_path(path);
}

fn stroke(surface: &mut Surface<'_>, path: &Path, width: f32, dashed: bool, paint: Paint) {
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: colour(paint).into(),
        width,
        line_cap: LineCap::Butt,
        line_join: LineJoin::Round,
        dash: dashed.then(|| StrokeDash { array: vec![2.0, 3.0], offset: 0.0 }),
        ..Stroke::default()
    }));
    surface.draw_path(path);
}

fn joined(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let mut points = points.iter();
    let first = points.next()?;
    builder.move_to(first.0, first.1);
    points.for_each(|(x, y)| builder.line_to(*x, *y));
    if closed {
        builder.close();
    }
    builder.finish()
}

fn rectangle(x: f32, y: f32, width: f32, height: f32, radius: f32) -> Option<Path> {
    let mut builder = PathBuilder::new();
    if radius <= 0.0 {
        builder.push_rect(Rect::from_xywh(x, y, width, height)?);
        return builder.finish();
    }
    let (right, bottom) = (x + width, y + height);
    let near = radius * (1.0 - HANDLE);
    builder.move_to(x + radius, y);
    builder.line_to(right - radius, y);
    builder.cubic_to(right - near, y, right, y + near, right, y + radius);
    builder.line_to(right, bottom - radius);
    builder.cubic_to(right, bottom - near, right - near, bottom, right - radius, bottom);
    builder.line_to(x + radius, bottom);
    builder.cubic_to(x + near, bottom, x, bottom - near, x, bottom - radius);
    builder.line_to(x, y + radius);
    builder.cubic_to(x, y + near, x + near, y, x + radius, y);
    builder.close();
    builder.finish()
}

/// How far the handles of a quarter of a circle stand out, of its radius.
const HANDLE: f32 = 0.552_284_8;

fn circle((x, y): (f32, f32), radius: f32) -> Option<Path> {
    rectangle(x - radius, y - radius, radius * 2.0, radius * 2.0, radius)
}
