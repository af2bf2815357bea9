//! The charts: bars of intervals, of parts and of before and after, marks of states, and a trend. What is not known is
//! hatched and never empty: it must not look like nothing, nor like failed.

use super::{Anchor, Drawing, Paint, Shape};
use crate::text::{decimal, share};

/// How a state is drawn: filled, half, empty, hatched. The word stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    Full,
    Half,
    Empty,
    Unknown,
}

/// A sign of the size of a letter.
pub(crate) fn mark(mark: Mark) -> Drawing {
    let mut drawing = Drawing::new(12.0, 12.0);
    drawing.mark(mark, (6.0, 6.0));
    drawing
}

impl Drawing {
    fn mark(&mut self, mark: Mark, at: (f32, f32)) {
        let (x, y) = at;
        match mark {
            Mark::Full => self.shapes.push(Shape::Disc { at, radius: 5.0, paint: Paint::Good }),
            Mark::Half => {
                self.shapes.push(Shape::Ring { at, radius: 4.4, width: 1.2, paint: Paint::Warn });
                let points = (0..=16u8).map(|step| {
                    let angle = std::f32::consts::PI * f32::from(step) / 16.0;
                    (x - 4.4 * angle.sin(), y - 4.4 * angle.cos())
                });
                self.shapes.push(Shape::Area { points: points.collect(), paint: Paint::Warn });
            }
            Mark::Empty => self.shapes.push(Shape::Ring { at, radius: 4.3, width: 1.6, paint: Paint::Bad }),
            Mark::Unknown => {
                self.shapes.push(Shape::Ring { at, radius: 4.4, width: 0.8, paint: Paint::Faint });
                for (from, to) in [((-2.6, 2.6), (2.6, -2.6)), ((-3.6, 0.4), (0.4, -3.6)), ((-0.4, 3.6), (3.6, -0.4))] {
                    self.line((x + from.0, y + from.1), (x + to.0, y + to.1), 1.0, false, Paint::Faint);
                }
            }
        }
    }

    fn interval(&mut self, (left, top): (f32, f32), (width, height): (f32, f32), at_least: f64, at_most: f64) {
        let reach = |percent: f64| (percent.clamp(0.0, 100.0) / 100.0) as f32 * width;
        let (known, possible) = (reach(at_least), reach(at_most.max(at_least)));
        self.rectangle(left, top, width, height, height / 2.0, Paint::Track);
        self.hatched(left + known, top + 1.0, possible - known, height - 2.0, Paint::Faint);
        self.rectangle(left, top, known, height, height / 2.0, tone(at_least));
        // Both ends are marked: a score of nothing to nothing is seen too.
        for end in [known, possible] {
            let x = left + end.clamp(0.75, width - 0.75);
            self.line((x, top), (x, top + height), 1.5, false, Paint::Ink);
        }
    }
}

/// The colour of a part that passed.
fn tone(percent: f64) -> Paint {
    if percent >= 80.0 {
        Paint::Good
    } else if percent >= 40.0 {
        Paint::Warn
    } else {
        Paint::Bad
    }
}

/// A score of 0 to 100 percent as a bar: solid what passed, hatched what is not known.
pub(crate) fn interval(at_least: f64, at_most: f64, width: f32, height: f32) -> Drawing {
    let mut drawing = Drawing::new(width, height);
    drawing.interval((0.0, 0.0), (width, height), at_least, at_most);
    drawing
}

/// One area of the gap map.
#[derive(Clone, Debug)]
pub(crate) struct Gap {
    pub(crate) label: String,
    pub(crate) stage: &'static str,
    pub(crate) at_least: f64,
    pub(crate) at_most: f64,
    /// The score in words.
    pub(crate) score: String,
    /// Of its controls, in their order.
    pub(crate) marks: Vec<Mark>,
}

/// Areas with their intervals, and a mark for each control.
pub(crate) fn gap_map(gaps: &[Gap], width: f32) -> Drawing {
    const ROW: f32 = 29.0;
    const LEFT: f32 = 178.0;
    const PITCH: f32 = 16.0;
    let bar = 180.0;
    let marks = LEFT + bar + 92.0;
    let mut drawing = Drawing::new(width, ROW * gaps.len() as f32 + 26.0);
    for (row, gap) in gaps.iter().enumerate() {
        let top = ROW * row as f32;
        drawing.strong((0.0, top + 11.0), 11.0, Anchor::Start, Paint::Ink, fit(&gap.label));
        drawing.label((0.0, top + 22.0), 9.0, Anchor::Start, Paint::Faint, format!("stage: {}", gap.stage));
        drawing.interval((LEFT, top + 7.0), (bar, 13.0), gap.at_least, gap.at_most);
        drawing.label((LEFT + bar + 8.0, top + 17.0), 10.0, Anchor::Start, Paint::Ink, gap.score.clone());
        let room = (((width - marks) / PITCH) as usize).max(1);
        for (place, mark) in gap.marks.iter().enumerate() {
            // More than fit beside each other go on a second line.
            let (line, column) = (place / room, place % room);
            let lines = gap.marks.len().div_ceil(room);
            let y = top + 13.5 + (line as f32 - (lines as f32 - 1.0) / 2.0) * 13.0;
            drawing.mark(*mark, (marks + 6.0 + column as f32 * PITCH, y));
        }
        drawing.line((0.0, top + ROW - 1.0), (width, top + ROW - 1.0), 0.8, false, Paint::Line);
    }
    let (mut x, y) = (LEFT, drawing.height - 8.0);
    for (mark, word) in [
        (Mark::Full, "in place"),
        (Mark::Half, "partial"),
        (Mark::Empty, "not in place"),
        (Mark::Unknown, "not assessed"),
    ] {
        drawing.mark(mark, (x + 6.0, y - 3.4));
        drawing.label((x + 16.0, y), 9.0, Anchor::Start, Paint::Soft, word);
        x += 40.0 + 5.4 * word.len() as f32;
    }
    drawing
}

/// Found, not assessed and passed, of all.
pub(crate) fn split(found: u64, not_assessed: u64, passed: u64, width: f32, height: f32) -> Drawing {
    let mut drawing = Drawing::new(width, height);
    let all = found.saturating_add(not_assessed).saturating_add(passed);
    drawing.rectangle(0.0, 0.0, width, height, 2.0, Paint::Track);
    let part = |count: u64| {
        let exact = (share(count, all) / 100.0) as f32 * width;
        // Something is never drawn as nothing.
        if count > 0 { exact.max(2.0) } else { 0.0 }
    };
    let found = part(found);
    let unknown = part(not_assessed).min(width - found);
    let passed = if passed > 0 { width - found - unknown } else { 0.0 };
    drawing.rectangle(width - passed, 0.0, passed, height, 2.0, Paint::Good);
    drawing.hatched(found, 1.0, unknown, height - 2.0, Paint::Faint);
    drawing.rectangle(0.0, 0.0, found, height, 2.0, Paint::Bad);
    drawing
}

/// One bar, and where it would come to.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) after: Option<f64>,
    pub(crate) paint: Paint,
}

const LABEL: f32 = 190.0;
const BAR: f32 = 14.0;
const GAP: f32 = 10.0;

/// Bars below each other, each with its number; with what is left of each afterwards as a second, slimmer bar.
pub(crate) fn bars(bars: &[Bar], width: f32) -> Drawing {
    let pitch = |bar: &Bar| BAR + GAP + if bar.after.is_some() { BAR } else { 0.0 };
    let height: f32 = bars.iter().map(pitch).sum::<f32>();
    let mut drawing = Drawing::new(width, height.max(1.0));
    let most = bars.iter().flat_map(|bar| [Some(bar.value), bar.after]).flatten().fold(0.0, f64::max);
    let room = width - LABEL - 60.0;
    let reach = |value: f64| {
        if most > 0.0 { ((value / most) as f32 * room).max(if value > 0.0 { 2.0 } else { 0.0 }) } else { 0.0 }
    };
    let mut y = GAP / 2.0;
    for bar in bars {
        drawing.label((LABEL - 8.0, y + 10.5), 10.0, Anchor::End, Paint::Ink, fit(&bar.label));
        let mut value = |y: f32, value: f64, paint: Paint, strong: bool| {
            let length = reach(value);
            drawing.rectangle(LABEL, y, length, BAR - 2.0, 2.0, paint);
            let at = (LABEL + length + 6.0, y + 9.8);
            if strong {
                drawing.strong(at, 10.0, Anchor::Start, Paint::Ink, decimal(value));
            } else {
                drawing.label(at, 10.0, Anchor::Start, Paint::Soft, decimal(value));
            }
        };
        value(y, bar.value, bar.paint, true);
        if let Some(after) = bar.after {
            value(y + BAR, after, Paint::Good, false);
        }
        y += pitch(bar);
    }
    drawing.line((LABEL, 0.0), (LABEL, height), 1.0, false, Paint::Line);
    drawing
}

/// A label of a drawing has no second line.
fn fit(label: &str) -> String {
    const MOST: usize = 34;
    if label.chars().count() <= MOST {
        return label.to_owned();
    }
    let mut cut: String = label.chars().take(MOST - 1).collect();
    cut.push('…');
    cut
}

/// One assessment in a trend.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) label: String,
    /// Seconds since any epoch.
    pub(crate) at: i64,
    pub(crate) at_least: f64,
    pub(crate) at_most: f64,
}

/// A score over time, 0 to 100 percent: the band of what is possible, and both its ends. `points` in the order of time.
pub(crate) fn trend(points: &[Point], width: f32, height: f32) -> Drawing {
    let mut drawing = Drawing::new(width, height);
    let (left, right, top, bottom) = (34.0, width - 14.0, 8.0, height - 22.0);
    for percent in [0u8, 25, 50, 75, 100] {
        let y = bottom - (bottom - top) * f32::from(percent) / 100.0;
        drawing.line((left, y), (right, y), 0.8, percent % 50 != 0, Paint::Line);
        drawing.label((left - 6.0, y + 3.2), 9.0, Anchor::End, Paint::Faint, percent.to_string());
    }
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return drawing };
    let span = (last.at - first.at).max(1);
    let inset = 16.0;
    let x = |at: i64| {
        if points.len() == 1 {
            return (left + right) / 2.0;
        }
        left + inset + (right - left - 2.0 * inset) * ((at - first.at) as f64 / span as f64) as f32
    };
    let y = |percent: f64| bottom - (bottom - top) * (percent.clamp(0.0, 100.0) / 100.0) as f32;
    let low: Vec<(f32, f32)> = points.iter().map(|point| (x(point.at), y(point.at_least))).collect();
    let high: Vec<(f32, f32)> = points.iter().map(|point| (x(point.at), y(point.at_most))).collect();
    let band = high.iter().chain(low.iter().rev()).copied().collect();
    drawing.shapes.push(Shape::Area { points: band, paint: Paint::AccentSoft });
    drawing.shapes.push(Shape::Curve { points: high.clone(), width: 1.2, paint: Paint::Faint });
    drawing.shapes.push(Shape::Curve { points: low.clone(), width: 2.4, paint: Paint::Accent });
    let mut free = f32::MIN;
    for (point, (low, high)) in points.iter().zip(low.iter().zip(&high)) {
        drawing.line(*low, *high, 1.0, true, Paint::Faint);
        drawing.shapes.push(Shape::Disc { at: *high, radius: 2.4, paint: Paint::Faint });
        drawing.shapes.push(Shape::Disc { at: *low, radius: 3.6, paint: Paint::Accent });
        // Labels that would lie on each other are left out; the table has them all.
        if low.0 - free >= 62.0 || free == f32::MIN {
            drawing.label((low.0, height - 6.0), 9.0, Anchor::Middle, Paint::Soft, point.label.clone());
            free = low.0;
        }
    }
    drawing
}
