//! The two faces of the embedded font: which characters they have, how wide a text is, and its glyphs.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use rustybuzz::{Direction, Script, ShapePlan, UnicodeBuffer};

use super::PdfFault;
use crate::text::point;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// One glyph, in parts of the font's size.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Glyph {
    pub(super) id: u32,
    pub(super) advance: f32,
    pub(super) offset: (f32, f32),
    /// The bytes of the text that it stands for.
    pub(super) range: Range<usize>,
}

type Plans = HashMap<(Weight, Script), Rc<ShapePlan>>;

pub(super) struct Faces {
    regular: rustybuzz::Face<'static>,
    bold: rustybuzz::Face<'static>,
    /// How a script is set in a face: long to find out, and the same for all of its words.
    plans: RefCell<Plans>,
    /// The same words come again and again in tables.
    widths: RefCell<HashMap<(Weight, String), f32>>,
    replaced: Cell<u64>,
}

impl std::fmt::Debug for Faces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faces").field("replaced", &self.replaced).finish_non_exhaustive()
    }
}

impl Faces {
    pub(super) fn new() -> Result<Self, PdfFault> {
        let face = |weight| rustybuzz::Face::from_slice(data(weight), 0).ok_or(PdfFault::Font);
        Ok(Self {
            regular: face(Weight::Regular)?,
            bold: face(Weight::Bold)?,
            plans: RefCell::default(),
            widths: RefCell::default(),
            replaced: Cell::new(0),
        })
    }

    fn face(&self, weight: Weight) -> &rustybuzz::Face<'static> {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// The text with what the font has not got as code points: never an empty box, and never nothing.
    pub(super) fn shown(&self, text: &str) -> String {
        let has = |c: char| self.regular.glyph_index(c).is_some() && self.bold.glyph_index(c).is_some();
        if text.chars().all(has) {
            return text.to_owned();
        }
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            if has(c) {
                shown.push(c);
            } else if c.is_whitespace() {
                shown.push(' ');
            } else {
                self.replaced.set(self.replaced.get() + 1);
                point(&mut shown, c);
            }
        }
        shown
    }

    /// Characters that were written as code points so far.
    pub(super) fn replaced(&self) -> u64 {
        self.replaced.get()
    }

    pub(super) fn width(&self, weight: Weight, size: f32, text: &str) -> f32 {
        if let Some(width) = self.widths.borrow().get(&(weight, text.to_owned())) {
            return width * size;
        }
        let width = self.glyphs(weight, text).iter().map(|glyph| glyph.advance).sum::<f32>();
        self.widths.borrow_mut().insert((weight, text.to_owned()), width);
        width * size
    }

    /// The glyphs of a text that was [`Faces::shown`], from left to right: what the font has runs so.
    pub(super) fn glyphs(&self, weight: Weight, text: &str) -> Vec<Glyph> {
        let face = self.face(weight);
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(Direction::LeftToRight);
        let script = buffer.script();
        let plan = Rc::clone(self.plans.borrow_mut().entry((weight, script)).or_insert_with(|| {
            Rc::new(ShapePlan::new(face, Direction::LeftToRight, Some(script), buffer.language().as_ref(), &[]))
        }));
        let shaped = rustybuzz::shape_with_plan(face, &plan, buffer);
        let units = face.units_per_em() as f32;
        let infos = shaped.glyph_infos();
        let glyph = |(place, (info, position)): (usize, (&rustybuzz::GlyphInfo, &rustybuzz::GlyphPosition))| {
            let next = infos.iter().skip(place).find(|next| next.cluster != info.cluster);
            Glyph {
                id: info.glyph_id,
                advance: position.x_advance as f32 / units,
                offset: (position.x_offset as f32 / units, position.y_offset as f32 / units),
                range: info.cluster as usize..next.map_or(text.len(), |next| next.cluster as usize),
            }
        };
        infos.iter().zip(shaped.glyph_positions()).enumerate().map(glyph).collect()
    }
}

/// The font file.
pub(super) const fn data(weight: Weight) -> &'static [u8] {
    match weight {
        Weight::Regular => notosans::REGULAR_TTF,
        Weight::Bold => notosans::BOLD_TTF,
    }
}
