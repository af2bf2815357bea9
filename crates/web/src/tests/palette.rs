//! The colours of the style sheet, light and dark: text has the contrast that WCAG 2.2 asks for at AA (1.4.3, 4.5 to 1),
//! and so have the edges of controls and the focus (1.4.11, 3 to 1). The gateway's own page has the same colours.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../assets/style.css");
const REFUSE: &str = include_str!("../../../gateway/src/http/refuse.css");

type Palette = BTreeMap<String, [u8; 3]>;

/// The variables of the nth `:root` that are plain colours.
fn palette(style: &str, nth: usize) -> Palette {
    let block = style.split(":root").nth(nth + 1).unwrap().split('}').next().unwrap();
    let pairs = block.trim_start().trim_start_matches('{').split(';').filter_map(|line| line.split_once(':'));
    pairs
        .filter_map(|(name, value)| {
            let digits = value.trim().strip_prefix('#')?;
            let digits = if digits.len() == 3 {
                digits.chars().flat_map(|digit| [digit, digit]).collect()
            } else {
                digits.to_owned()
            };
            let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            Some((name.trim().trim_start_matches("--").to_owned(), [part(0), part(2), part(4)]))
        })
        .collect()
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: [u8; 3]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_can_be_told_apart() {
    let text = [
        ("ink", &["ground", "surface", "raised", "sunk", "good-soft", "bad-soft", "warn-soft"][..]),
        ("ink-soft", &["ground", "surface", "sunk"]),
        ("ink-faint", &["ground", "surface", "sunk"]),
        ("accent", &["ground", "surface", "raised", "accent-soft"]),
        ("accent-ink", &["accent"]),
        ("good", &["surface", "good-soft"]),
        ("bad", &["surface", "raised", "bad-soft"]),
        ("warn", &["surface", "warn-soft"]),
        // The words on a button that takes something away.
        ("surface", &["bad"]),
    ];
    let edges = [("edge", &["surface", "ground"][..]), ("focus", &["ground", "surface", "sunk"])];
    for (scheme, colours) in [("light", palette(STYLE, 0)), ("dark", palette(STYLE, 1))] {
        for (least, pairs) in [(4.5, &text[..]), (3.0, &edges)] {
            for (fore, grounds) in pairs {
                for ground in *grounds {
                    let found = contrast(colours[*fore], colours[*ground]);
                    assert!(found >= least, "{scheme}: {fore} on {ground} has {found:.2}, not {least}");
                }
            }
        }
    }
}

#[test]
fn the_page_of_a_refusal_has_the_same_colours() {
    let same = [("ink", "ink"), ("soft", "ink-soft"), ("paper", "ground"), ("card", "surface"), ("line", "line")];
    for scheme in [0, 1] {
        let (ours, theirs) = (palette(STYLE, scheme), palette(REFUSE, scheme));
        for (there, here) in same.into_iter().chain([("accent", "accent")]) {
            assert_eq!(theirs[there], ours[here], "{there}, scheme {scheme}");
        }
    }
}

#[test]
fn there_is_one_style_sheet_and_nothing_inline() {
    let templates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut folders = vec![templates];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for inline in ["style=", "<style", " on", "javascript:"] {
                let attribute = text.match_indices(inline).any(|(at, _)| {
                    inline != " on"
                        || text[at + 3..].chars().take_while(char::is_ascii_lowercase).count() > 2
                            && text[at + 3..].trim_start_matches(|c: char| c.is_ascii_lowercase()).starts_with('=')
                });
                assert!(!attribute, "{}: {inline}", path.display());
            }
        }
    }
    assert!(!STYLE.contains("http:") && !STYLE.contains("https:") && !STYLE.contains("@import"));
}
