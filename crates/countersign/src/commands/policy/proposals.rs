//! `policy propose`, `proposals`, `approve` and `reject`: policies that take two people.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::command_line::{Global, PolicyDirectory};
use crate::commands::Mistaken;
use crate::commands::answer::{cell, done, encoded, show};
use crate::commands::files::data_directory;
use crate::control::Control;
use crate::policies;
use crate::terminal::{Terminal, Tone};

fn control(global: &Global, terminal: &Terminal) -> anyhow::Result<Control> {
    Control::from_options(global, &data_directory(global, terminal)?)
}

pub(super) async fn propose(
    global: &Global,
    directory: &PolicyDirectory,
    note: &str,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let mut files = BTreeMap::new();
    for file in policies::read(&super::directory(global, directory)?)? {
        files.insert(file.name(), file.text);
    }
    let body = json!({"files": files, "note": note});
    let answer = control(global, terminal)?.post("/api/v1/policy-proposals", &body).await?;
    let texts = |name: &str| -> Vec<String> {
        let all = answer.get(name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mistakes = texts("mistakes");
    if terminal.json {
        terminal.json(&answer)?;
    } else {
        for warning in texts("warnings") {
            terminal.note(format!("{} {warning}", terminal.paint(Tone::Attention, "warning:")));
        }
        mistakes.iter().for_each(|mistake| terminal.note(mistake));
        match answer.get("proposal").filter(|proposal| !proposal.is_null()) {
            Some(proposal) => {
                let (id, until) = (cell(proposal, "/id"), cell(proposal, "/expires"));
                terminal.line(format!(
                    "proposal {id} waits until {until} for somebody else: `countersign policy approve {id}`"
                ));
            }
            None if mistakes.is_empty() => terminal.line("no policy is different from what is in force"),
            None => {}
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Mistaken.into()) }
}

pub(super) async fn list(global: &Global, terminal: &Terminal) -> anyhow::Result<()> {
    let answer = control(global, terminal)?.get("/api/v1/policy-proposals").await?;
    let all = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let columns = [
        ("proposal", "/id"),
        ("by", "/by"),
        ("since", "/at"),
        ("until", "/expires"),
        ("superseded", "/stale"),
        ("why", "/note"),
        ("set", "/hash"),
    ];
    show(terminal, "proposals", &all, &columns)
}

pub(super) async fn approve(global: &Global, id: &str, terminal: &Terminal) -> anyhow::Result<()> {
    let path = format!("/api/v1/policy-proposals/{}/approve", encoded(id));
    let control = control(global, terminal)?;
    let answer = control.post(&path, &json!({})).await?;
    super::proofs::warn_of_unproven(&control, terminal).await;
    done(
        terminal,
        &answer,
        format!("the policies of proposal {id} are in force, and every open connection was decided again"),
    )
}

pub(super) async fn reject(global: &Global, id: &str, terminal: &Terminal) -> anyhow::Result<()> {
    let answer = control(global, terminal)?.delete(&format!("/api/v1/policy-proposals/{}", encoded(id))).await?;
    done(terminal, &answer, format!("proposal {id} is gone"))
}
