//! `policy matrix`: the access matrix of a directory of policies, written beside them and compared with what was written.

use std::sync::Arc;

use anyhow::Context as _;
use countersign_model::Resource;
use countersign_policy::{Change, Matrix, PolicySet, Symbols};
use serde_json::{Value, json};

use crate::command_line::{Global, PolicyMatrix};
use crate::commands::answer::count;
use crate::commands::{Found, Misused};
use crate::policies;
use crate::terminal::Terminal;

pub(super) fn matrix(global: &Global, options: &PolicyMatrix, terminal: &Terminal) -> anyhow::Result<()> {
    let directory = super::directory(global, &options.policies)?;
    let set = PolicySet::load(policies::read(&directory)?, &Arc::new(Symbols::default()))?;
    let set = if options.as_enforced { set.as_enforced() } else { set };
    let matrix = Matrix::of(&set, &resources(global)?)?;
    let file = options.file.clone().unwrap_or_else(|| directory.join("matrix.txt"));
    let shown = file.display();
    if options.write {
        std::fs::write(&file, matrix.to_string()).with_context(|| format!("{shown} cannot be written"))?;
        if terminal.json {
            return terminal.json(&json!({"file": file, "cells": matrix.len()}));
        }
        terminal.line(format!("wrote {shown}: {} cells", matrix.len()));
        return Ok(());
    }
    let text = std::fs::read_to_string(&file)
        .with_context(|| Misused(format!("{shown} cannot be read: `countersign policy matrix --write` writes it")))?;
    let before: Matrix =
        text.parse().with_context(|| Misused(format!("{shown} is not what `policy matrix --write` writes")))?;
    let changes = matrix.changes(&before);
    if terminal.json {
        let changes: Vec<_> = changes.iter().map(of_change).collect();
        terminal.json(&json!({"file": file, "cells": matrix.len(), "changes": changes}))?;
    } else {
        changes.iter().for_each(|change| terminal.line(change.to_string()));
        match changes.len() {
            0 => terminal.line(format!("no change in {} cells", matrix.len())),
            _ => terminal.note(format!(
                "{} against {shown}. If this is meant: `countersign policy matrix --write`",
                count(changes.len(), "change", "changes")
            )),
        }
    }
    if changes.is_empty() { Ok(()) } else { Err(Found.into()) }
}

/// What policies may name, as far as there is a configuration.
pub(super) fn resources(global: &Global) -> anyhow::Result<Vec<Resource>> {
    let configuration = super::configuration(global)?;
    Ok(configuration.map(|configuration| configuration.inventory.resources).unwrap_or_default())
}

pub(super) fn of_change(change: &Change) -> Value {
    match change {
        Change::New { kind, name } => json!({"change": "new", "kind": kind, "name": name}),
        Change::Gone { kind, name } => json!({"change": "gone", "kind": kind, "name": name}),
        Change::Cell { place, subject, resource, was, is } => json!({
            "change": "cell", "place": place, "subject": subject, "resource": resource, "was": was, "is": is,
        }),
    }
}
