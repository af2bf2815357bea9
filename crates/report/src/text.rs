//! Words and numbers as a report shows them. Whatever comes from a foreign file goes through [`name`] or [`visible`]: what
//! would reorder, hide or break what a reader sees is written as its code point.

use std::fmt::Write as _;

use countersign_model::Timestamp;

/// A name has as many characters at most; more is cut in its middle, with the number of those left out.
const LONGEST: usize = 120;
const HEAD: usize = 80;
const TAIL: usize = 24;

/// Every character that is not seen, or that moves others, as its code point.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hides(c) {
            point(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A character as its code point.
pub(crate) fn point(into: &mut String, c: char) {
    let _ = write!(into, "[U+{:04X}]", u32::from(c));
}

/// A foreign name: visible, and not endless.
pub(crate) fn name(text: &str) -> String {
    let count = text.chars().count();
    if count == 0 {
        return "(no name)".to_owned();
    }
    if count <= LONGEST {
        return visible(text);
    }
    let head: String = text.chars().take(HEAD).collect();
    let tail: String = text.chars().skip(count - TAIL).collect();
    format!("{} […{} characters…] {}", visible(&head), grouped((count - HEAD - TAIL) as u64), visible(&tail))
}

/// Controls, what sets directions, what has no width, tags, separators of lines, and blanks that look like something else. Marks
/// that combine stay: names have them.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}'..='\u{FFFF}' | '\u{E000}'..='\u{F8FF}'
            | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..='\u{10FFFF}')
}

/// 1,234,567
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// One or many of something, with the number.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A value with at most one digit behind the point. Rounding never makes all or nothing of what is not.
pub(crate) fn decimal(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let rounded = (value * 10.0).round() / 10.0;
    let shown = match rounded {
        rounded if rounded >= 100.0 && value < 100.0 => 99.9,
        rounded if rounded <= 0.0 && value > 0.0 => 0.1,
        rounded => rounded,
    };
    if shown.fract() == 0.0 && shown.abs() < 1e15 {
        let whole = grouped(shown.abs() as u64);
        if shown < 0.0 { format!("−{whole}") } else { whole }
    } else if shown.abs() >= 1000.0 {
        grouped(shown.round().abs() as u64)
    } else {
        format!("{shown:.1}").replace('-', "−")
    }
}

/// An interval of percent: one number when both ends are shown the same.
pub(crate) fn percents(at_least: f64, at_most: f64) -> String {
    let (low, high) = (decimal(at_least), decimal(at_most));
    if low == high { format!("{low} %") } else { format!("{low} to {high} %") }
}

/// Part of whole in percent; of nothing, nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// An instant in UTC; outside what a calendar has, the epoch.
fn civil(at: Timestamp) -> jiff::civil::DateTime {
    let instant = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    jiff::tz::TimeZone::UTC.to_datetime(instant)
}

/// 22 November 2026
pub(crate) fn date(at: Timestamp) -> String {
    civil(at).strftime("%-d %B %Y").to_string()
}

/// 2026-11-22 14:03 UTC
pub(crate) fn instant(at: Timestamp) -> String {
    civil(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Year, month, day, hour, minute and second in UTC.
pub(crate) fn parts(at: Timestamp) -> (u16, [u8; 5]) {
    let at = civil(at);
    let part = |part: i8| u8::try_from(part).unwrap_or_default();
    (
        u16::try_from(at.year()).unwrap_or_default(),
        [part(at.month()), part(at.day()), part(at.hour()), part(at.minute()), part(at.second())],
    )
}
