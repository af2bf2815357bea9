//! Drawings of a few shapes, in roles instead of colours: the page and the PDF paint the same drawing, each with what it has.
//! The charts are in `charts`.

mod charts;

pub(crate) use charts::{Bar, Gap, Mark, Point, bars, gap_map, interval, mark, split, trend};

/// Shapes on an area of so many units; a unit is a point on paper, and a pixel on a page that is wide enough.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Drawing {
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) shapes: Vec<Shape>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Shape {
    Rectangle {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        radius: f32,
        paint: Paint,
    },
    Line {
        from: (f32, f32),
        to: (f32, f32),
        width: f32,
        dashed: bool,
        paint: Paint,
    },
    /// Joined lines.
    Curve {
        points: Vec<(f32, f32)>,
        width: f32,
        paint: Paint,
    },
    Area {
        points: Vec<(f32, f32)>,
        paint: Paint,
    },
    Disc {
        at: (f32, f32),
        radius: f32,
        paint: Paint,
    },
    Ring {
        at: (f32, f32),
        radius: f32,
        width: f32,
        paint: Paint,
    },
    Label {
        at: (f32, f32),
        size: f32,
        anchor: Anchor,
        strong: bool,
        paint: Paint,
        text: String,
    },
}

/// Where a label has its point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// What something is painted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paint {
    Ink,
    Soft,
    Faint,
    Line,
    /// What a bar fills.
    Track,
    Ground,
    Accent,
    AccentSoft,
    Good,
    Warn,
    Bad,
}

impl Paint {
    /// Its name in the style sheet.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ink => "ink",
            Self::Soft => "soft",
            Self::Faint => "faint",
            Self::Line => "line",
            Self::Track => "track",
            Self::Ground => "ground",
            Self::Accent => "accent",
            Self::AccentSoft => "accent-soft",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// Its colour on paper. The style sheet has the same for a bright page; a test compares.
    pub(crate) const fn on_paper(self) -> (u8, u8, u8) {
        match self {
            Self::Ink => (0x13, 0x1a, 0x26),
            Self::Soft => (0x4a, 0x55, 0x68),
            Self::Faint => (0x62, 0x6d, 0x80),
            Self::Line => (0xdd, 0xe2, 0xea),
            Self::Track => (0xe6, 0xea, 0xf0),
            Self::Ground => (0xff, 0xff, 0xff),
            Self::Accent => (0x24, 0x47, 0xc4),
            Self::AccentSoft => (0xd5, 0xde, 0xfb),
            Self::Good => (0x1b, 0x7f, 0x4e),
            Self::Warn => (0xb7, 0x6e, 0x00),
            Self::Bad => (0xb9, 0x2c, 0x2b),
        }
    }
}

impl Drawing {
    pub(crate) fn new(width: f32, height: f32) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, radius: f32, paint: Paint) {
        if width > 0.0 && height > 0.0 {
            let radius = radius.min(width / 2.0).min(height / 2.0);
            self.shapes.push(Shape::Rectangle { x, y, width, height, radius, paint });
        }
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, dashed: bool, paint: Paint) {
        self.shapes.push(Shape::Line { from, to, width, dashed, paint });
    }

    fn label(&mut self, at: (f32, f32), size: f32, anchor: Anchor, paint: Paint, text: impl Into<String>) {
        self.shapes.push(Shape::Label { at, size, anchor, strong: false, paint, text: text.into() });
    }

    fn strong(&mut self, at: (f32, f32), size: f32, anchor: Anchor, paint: Paint, text: impl Into<String>) {
        self.shapes.push(Shape::Label { at, size, anchor, strong: true, paint, text: text.into() });
    }

    /// Slanted lines: what is not known. They say so without a colour.
    fn hatched(&mut self, x: f32, y: f32, width: f32, height: f32, paint: Paint) {
        const STEP: f32 = 4.0;
        if width <= 0.0 || height <= 0.0 {
            return;
        }
        let (right, bottom) = (x + width, y + height);
        let mut foot = x - height;
        while foot < right {
            // From the bottom at `foot` up to the right; cut where it would leave the rectangle.
            let start = foot.max(x);
            let end = (foot + height).min(right);
            if end > start {
                let (from, to) = ((start, bottom - (start - foot)), (end, bottom - (end - foot)));
                self.line(from, to, 1.1, false, paint);
            }
            foot += STEP;
        }
    }
}
