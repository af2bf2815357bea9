//! `policy fmt`: policy files in one form, by Cedar's own formatter.

use std::path::PathBuf;

use anyhow::Context as _;
use countersign_policy::SourceFile;
use serde_json::json;

use crate::command_line::{Global, PolicyFmt};
use crate::commands::{Found, Mistaken, Misused};
use crate::policies;
use crate::terminal::{Terminal, Tone};

pub(super) fn format(global: &Global, options: &PolicyFmt, terminal: &Terminal) -> anyhow::Result<()> {
    let files: Vec<SourceFile> = if options.files.is_empty() {
        policies::read(&super::directory(global, &options.policies)?)?
    } else {
        let read = |path: &PathBuf| -> anyhow::Result<SourceFile> {
            let text =
                std::fs::read_to_string(path).with_context(|| Misused(format!("{} cannot be read", path.display())))?;
            Ok(SourceFile { path: path.clone(), text })
        };
        options.files.iter().map(read).collect::<Result<_, _>>()?
    };
    let (mut changed, mut mistakes) = (Vec::new(), Vec::new());
    for file in &files {
        match countersign_policy::format(&file.path, &file.text) {
            Ok(formatted) if formatted == file.text => {}
            Ok(formatted) => changed.push((&file.path, formatted)),
            Err(diagnostics) => mistakes.push(diagnostics.to_string()),
        }
    }
    // All or nothing: a file is written when every file could be read.
    if !options.check && mistakes.is_empty() {
        for (path, formatted) in &changed {
            std::fs::write(path, formatted).with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    if terminal.json {
        let changed: Vec<_> = changed.iter().map(|(path, _)| path).collect();
        terminal.json(&json!({
            "files": files.len(), "changed": changed, "written": !options.check && mistakes.is_empty(),
            "mistakes": mistakes,
        }))?;
    } else {
        mistakes.iter().for_each(|mistake| terminal.note(mistake));
        let what = if options.check { "not formatted" } else { "formatted" };
        for (path, _) in changed.iter().filter(|_| options.check || mistakes.is_empty()) {
            terminal.line(format!("{} {}", terminal.paint(Tone::Attention, what), path.display()));
        }
    }
    match (mistakes.is_empty(), options.check && !changed.is_empty()) {
        (false, _) => Err(Mistaken.into()),
        (true, true) => Err(Found.into()),
        (true, false) => Ok(()),
    }
}
