//! Steps for other tools: a table for a spreadsheet, and Markdown for an issue tracker. What stands in them came from foreign files and
//! people: a spreadsheet is given no formulas, and a tracker no markup of theirs.

use std::fmt::Write as _;

use super::{BeforeAfter, Step};

/// One row for each step, with a heading.
pub fn csv(steps: &[Step]) -> String {
    let mut text = String::from(
        "id,title,kind,area,control,sequence,count,gain at least,gain at most,reach tier zero before,\
         reach tier zero after,effort,owner,due,waits for,query,remedy\r\n",
    );
    for step in steps {
        let radius = |value: fn(&BeforeAfter) -> u64| {
            step.radius.as_ref().map(|radius| value(radius).to_string()).unwrap_or_default()
        };
        let waits: Vec<&str> = step.waits_for.iter().map(|sequence| sequence.name()).collect();
        let cells = [
            step.id.clone(),
            step.title.clone(),
            word(step.kind),
            step.area.to_owned(),
            step.control.to_owned(),
            step.sequence.name().to_owned(),
            step.count.to_string(),
            step.gain.at_least.to_string(),
            step.gain.at_most.to_string(),
            radius(|radius| radius.before),
            radius(|radius| radius.after),
            step.effort.name().to_owned(),
            step.owner.clone().unwrap_or_default(),
            step.due.map(|due| due.to_string()).unwrap_or_default(),
            waits.join("; "),
            step.query.clone(),
            step.remedy.clone(),
        ];
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// One section for each step, as an issue tracker takes it.
pub fn markdown(steps: &[Step]) -> String {
    let mut text = String::new();
    for (number, step) in (1u32..).zip(steps) {
        let _ = writeln!(text, "## {number}. {}\n", plain(&step.title));
        let _ = writeln!(text, "- **Step**: `{}` ({}, {})", step.id, step.area, step.sequence.name());
        if step.count > 0 {
            let _ = writeln!(text, "- **Count**: {}", step.count);
        }
        let _ = writeln!(text, "- **Gain**: {} to {} points", step.gain.at_least, step.gain.at_most);
        if let Some(radius) = &step.radius {
            let _ = writeln!(
                text,
                "- **Identities that reach tier zero**: {} before, {} after",
                radius.before, radius.after
            );
        }
        let _ = writeln!(text, "- **Effort**: {}", step.effort.name());
        if let Some(owner) = &step.owner {
            let _ = writeln!(text, "- **Owner**: {}", plain(owner));
        }
        if let Some(due) = step.due {
            let _ = writeln!(text, "- **Due**: {due}");
        }
        if !step.waits_for.is_empty() {
            let waits: Vec<&str> = step.waits_for.iter().map(|sequence| sequence.name()).collect();
            let _ = writeln!(text, "- **Waits for**: {}", waits.join(", "));
        }
        let _ = writeln!(text, "\n{}\n\n```\n{}\n```\n", plain(&step.remedy), step.query.replace('`', "'"));
    }
    text
}

fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A cell. What a spreadsheet would take for a formula is told to be text.
pub(crate) fn cell(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    let text = if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text };
    if text.contains([',', '"', '\'', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A line of text without markup, mentions or references.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => plain.push(' '),
            // Directions and what is not seen: a line reads as it is.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '@' => {
                plain.push('\\');
                plain.push(letter);
            }
            letter => plain.push(letter),
        }
    }
    plain
}
