//! Policy files in one form, by Cedar's own formatter. Comments stay; what the policies mean is compared afterwards, by the
//! formatter itself.

use std::path::Path;

use cedar_policy_core::parser::parse_policyset;
use cedar_policy_formatter::{Config, policies_str_to_pretty};

use crate::diagnostics::{Diagnostics, Severity, Source};
use crate::load::nested_too_deep;
use crate::room;

const LINE_WIDTH: usize = 100;
const INDENT: isize = 4;

/// The text of one file, formatted; every mistake where it cannot be read.
pub fn format(path: &Path, text: &str) -> Result<String, Diagnostics> {
    let source = Source::new(path, text);
    if let Some(at) = room::too_deep(text) {
        return Err(Diagnostics { all: vec![nested_too_deep(&source, at)] });
    }
    room::with_room(|| format_measured(&source, text)).unwrap_or_else(|why| {
        Err(Diagnostics { all: vec![source.diagnostic(Severity::Error, why.to_string(), None, None)] })
    })
}

fn format_measured(source: &Source, text: &str) -> Result<String, Diagnostics> {
    if let Err(errors) = parse_policyset(text) {
        return Err(Diagnostics { all: errors.iter().map(|error| source.cedars(Severity::Error, error)).collect() });
    }
    let (head, rest) = head(text);
    if rest.is_empty() {
        return Ok(text.to_owned());
    }
    let config = Config { line_width: LINE_WIDTH, indent_width: INDENT };
    match policies_str_to_pretty(rest, &config) {
        Ok(formatted) => Ok(format!("{head}{formatted}")),
        Err(report) => {
            let message = format!("this file cannot be formatted: {report:#}");
            Err(Diagnostics { all: vec![source.diagnostic(Severity::Error, message, None, None)] })
        }
    }
}

/// The comment that a file begins with, up to the empty line that ends it: Cedar's formatter would drop that line, and the
/// comment would be about the first policy from then on.
fn head(text: &str) -> (&str, &str) {
    let mut end = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim().is_empty() {
            end = at;
        } else if !line.starts_with("//") {
            break;
        }
    }
    match text.split_at_checked(end) {
        Some((head, rest)) if head.starts_with("//") => (head, rest),
        _ => ("", text),
    }
}
