//! Findings as the code hosts show them beside a change: workflow commands of GitHub Actions, and GitLab's code quality
//! report.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(super) struct Annotation<'a> {
    pub(super) file: &'a Path,
    /// From 1; 0 for the whole file.
    pub(super) line: usize,
    pub(super) error: bool,
    /// The rule, or the name of a test.
    pub(super) title: &'a str,
    pub(super) message: String,
}

/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
pub(super) fn github(annotation: &Annotation<'_>) -> String {
    // A value must not be able to end its field, or the line.
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{} file={},line={},title={}::{}",
        if annotation.error { "error" } else { "warning" },
        property(&annotation.file.display().to_string()),
        annotation.line.max(1),
        property(annotation.title),
        data(&annotation.message)
    )
}

/// <https://docs.gitlab.com/ci/testing/code_quality/>
pub(super) fn gitlab<'a>(annotations: impl IntoIterator<Item = Annotation<'a>>) -> Value {
    let one = |annotation: Annotation<'a>| {
        let path = annotation.file.display().to_string();
        let path = path.strip_prefix("./").unwrap_or(&path);
        let mut fingerprint = Sha256::new();
        for part in [path, annotation.title, &annotation.message] {
            fingerprint.update(part);
            fingerprint.update([0]);
        }
        let fingerprint = fingerprint.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        json!({
            "description": annotation.message,
            "check_name": annotation.title,
            "fingerprint": fingerprint,
            "severity": if annotation.error { "major" } else { "minor" },
            "location": {"path": path, "lines": {"begin": annotation.line.max(1)}},
        })
    };
    annotations.into_iter().map(one).collect()
}
