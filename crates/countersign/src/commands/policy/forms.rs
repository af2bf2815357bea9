//! The forms in which continuous integration reads what became of several cases: the Test Anything Protocol and JUnit's
//! reports. What a case is, and what became of it, is the caller's.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

pub(super) struct Case {
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// From 1; 0 where it stands in no file.
    pub(super) line: usize,
    /// In a line, and everything about it, a line each; `None` of what passed.
    pub(super) failure: Option<(String, Vec<String>)>,
}

fn failed<'c>(cases: impl IntoIterator<Item = &'c Case>) -> usize {
    cases.into_iter().filter(|case| case.failure.is_some()).count()
}

/// <https://testanything.org/tap-version-14-specification.html>
pub(super) fn tap(cases: &[Case]) -> String {
    let mut tap = format!("TAP version 14\n1..{}\n", cases.len());
    for (case, number) in cases.iter().zip(1..) {
        let name = one_line(&case.name).replace('\\', "\\\\").replace('#', "\\#");
        let word = if case.failure.is_none() { "ok" } else { "not ok" };
        let _ = writeln!(tap, "{word} {number} - {name}");
        if let Some((_, details)) = &case.failure {
            let place = format!("{}:{}", case.file.display(), case.line);
            let _ = writeln!(tap, "  ---\n  at: {}\n  message:", quoted(&place));
            for line in details {
                let _ = writeln!(tap, "    - {}", quoted(line));
            }
            tap += "  ...\n";
        }
    }
    tap
}

/// A suite for each file.
pub(super) fn junit(cases: &[Case]) -> String {
    let mut files: Vec<&PathBuf> = Vec::new();
    for case in cases {
        if !files.contains(&&case.file) {
            files.push(&case.file);
        }
    }
    let counts = |tests: usize, failed: usize| format!("tests=\"{tests}\" failures=\"{failed}\" errors=\"0\"");
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(xml, "<testsuites {}>", counts(cases.len(), failed(cases)));
    for file in files {
        let of_file = || cases.iter().filter(|case| case.file == *file);
        let name = xml_text(&file.display().to_string());
        let _ = writeln!(xml, "  <testsuite name=\"{name}\" {}>", counts(of_file().count(), failed(of_file())));
        for case in of_file() {
            let (test, line) = (xml_text(&case.name), case.line);
            let _ = write!(xml, "    <testcase classname=\"{name}\" name=\"{test}\" file=\"{name}\" line=\"{line}\"");
            let Some((message, details)) = &case.failure else {
                xml += "/>\n";
                continue;
            };
            let (message, details) = (xml_text(message), xml_text(&details.join("\n")));
            let _ = writeln!(xml, ">\n      <failure message=\"{message}\">{details}</failure>\n    </testcase>");
        }
        xml += "  </testsuite>\n";
    }
    xml + "</testsuites>\n"
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A double-quoted YAML scalar, which JSON's strings are.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// As text or as an attribute. XML has no place for most control characters.
fn xml_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
