//! Running text broken into lines.

use super::face::{Faces, Weight};
use crate::document::{Span, Text};
use crate::drawing::Paint;

/// How text looks where nothing else is said.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) weight: Weight,
    pub(super) paint: Paint,
}

impl Style {
    pub(super) const fn new(size: f32, weight: Weight, paint: Paint) -> Self {
        Self { size, weight, paint }
    }

    /// From one line to the next.
    pub(super) fn leading(self) -> f32 {
        self.size * 1.34
    }

    fn of(self, span: &Span) -> Self {
        match span {
            Span::Plain(_) | Span::Name(_) => self,
            Span::Strong(_) => Self { weight: Weight::Bold, paint: Paint::Ink, ..self },
            Span::Code(_) => Self { size: self.size * 0.92, paint: Paint::Accent, ..self },
            Span::Faint(_) => Self { size: self.size * 0.92, paint: Paint::Faint, ..self },
        }
    }
}

/// Text of one style in a line.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Run {
    pub(super) x: f32,
    pub(super) style: Style,
    pub(super) text: String,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Line {
    pub(super) runs: Vec<Run>,
    pub(super) width: f32,
}

/// After these a long word may go on in the next line.
const JOINTS: [char; 11] = ['/', '@', '.', ',', '-', '_', ':', '=', '\\', ']', '…'];

/// The lines of a text that has `room`.
pub(super) fn lines(faces: &Faces, text: &Text, style: Style, room: f32) -> Vec<Line> {
    let mut breaking = Breaking { faces, room, lines: vec![Line::default()] };
    for span in &text.0 {
        let style = style.of(span);
        for word in faces.shown(span.text()).split_inclusive(' ') {
            breaking.word(word, style);
        }
    }
    let mut lines = breaking.lines;
    for line in &mut lines {
        // A line does not end in a blank that nobody sees but whoever searches.
        if let Some(last) = line.runs.last_mut() {
            let end = last.text.trim_end();
            line.width = last.x + faces.width(last.style.weight, last.style.size, end);
            last.text.truncate(end.len());
        }
        line.runs.retain(|run| !run.text.is_empty());
    }
    lines
}

struct Breaking<'f> {
    faces: &'f Faces,
    room: f32,
    lines: Vec<Line>,
}

impl Breaking<'_> {
    fn word(&mut self, word: &str, style: Style) {
        let width = |text: &str| self.faces.width(style.weight, style.size, text);
        let bare = width(word.trim_end());
        let taken = self.lines.last().map_or(0.0, |line| line.width);
        if taken + bare <= self.room {
            return self.put(word, style);
        }
        if bare <= self.room {
            self.lines.push(Line::default());
            return self.put(word, style);
        }
        // Longer than a line: as much as there is room for, rather up to a joint.
        if taken > 0.0 {
            self.lines.push(Line::default());
        }
        let mut rest = word;
        while !rest.is_empty() {
            let mut fits = 0;
            let mut joint = 0;
            let mut wide = 0.0;
            for (place, c) in rest.char_indices() {
                wide += width(c.encode_utf8(&mut [0; 4]));
                if wide > self.room && fits > 0 {
                    break;
                }
                fits = place + c.len_utf8();
                if JOINTS.contains(&c) {
                    joint = fits;
                }
            }
            let cut = if fits < rest.len() && joint * 2 > fits { joint } else { fits };
            let (head, tail) = rest.split_at(cut);
            self.put(head, style);
            rest = tail;
            if !rest.is_empty() {
                self.lines.push(Line::default());
            }
        }
    }

    fn put(&mut self, word: &str, style: Style) {
        let Some(line) = self.lines.last_mut() else { return };
        match line.runs.last_mut() {
            Some(last) if last.style == style => last.text.push_str(word),
            _ => line.runs.push(Run { x: line.width, style, text: word.to_owned() }),
        }
        line.width += self.faces.width(style.weight, style.size, word);
    }
}
