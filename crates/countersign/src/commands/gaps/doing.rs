//! What is done about the gaps of the server's estate: who takes a step on, what a person answers for, and how it went. The server decides what
//! may be said; here it is sent, and its answer shown.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::command_line::{Claim, GapsAssign, GapsAttest, GapsCommand};
use crate::commands::answer::{cell, done, encoded, query};
use crate::commands::estate::open::settled;
use crate::commands::work::Work;
use crate::control::Control;
use crate::terminal::{Table, Terminal, Tone, plain};

const ATTESTATIONS: &str = "/api/v1/estate/attestations";

pub(super) async fn act(control: &Control, command: GapsCommand, terminal: &Terminal) -> anyhow::Result<()> {
    // What was just imported counts, and what was just decided is seen.
    settled(control, &Work::begin(terminal)).await?;
    match command {
        GapsCommand::Assign(options) => assign(control, options, terminal).await,
        GapsCommand::Attest(options) => attest(control, options, terminal).await,
        GapsCommand::Trend { of } => trend(control, &of, terminal).await,
    }
}

async fn assign(control: &Control, options: GapsAssign, terminal: &Terminal) -> anyhow::Result<()> {
    let GapsAssign { step, owner, due, nobody: _ } = options;
    let path = format!("/api/v1/estate/steps/{}/assignment", encoded(&step));
    let Some(owner) = owner else {
        let answer = control.delete(&path).await?;
        return done(terminal, &answer, format!("nobody does {step} any more"));
    };
    let answer = control.put(&path, &json!({ "owner": owner, "due": due })).await?;
    let due = due.map(|due| format!(", until {due}")).unwrap_or_default();
    done(terminal, &answer, format!("{} does {step}{due}", plain(&owner)))
}

async fn attest(control: &Control, options: GapsAttest, terminal: &Terminal) -> anyhow::Result<()> {
    let GapsAttest { control: of, claim, statement, until, take_back: _, by } = options;
    let Some(claim) = claim else {
        let path = format!("{ATTESTATIONS}{}", query(&[("control", Some(of.clone())), ("by", by)]));
        let answer = control.delete(&path).await?;
        return done(terminal, &answer, format!("the word on {of} is taken back"));
    };
    let claim = match claim {
        Claim::InPlace => "in-place",
        Claim::Partial => "partial",
        Claim::NotInPlace => "not-in-place",
    };
    let body = json!({ "control": of, "claim": claim, "statement": statement, "until": until });
    let answer = control.post(ATTESTATIONS, &body).await?;
    let said = |name: &str| cell(&answer, &format!("/{name}"));
    let line = format!("{} attests {of} until {}; entry {} of the ledger", said("by"), said("until"), said("entry"));
    done(terminal, &answer, line)
}

async fn trend(control: &Control, of: &str, terminal: &Terminal) -> anyhow::Result<()> {
    let answer = control.get(&format!("/api/v1/estate/trend{}", query(&[("of", Some(of.to_owned()))]))).await?;
    if terminal.json {
        return terminal.json(&answer);
    }
    let list =
        |pointer: &str| answer.pointer(pointer).and_then(Value::as_array).context("the server's answer is no trend");
    let (kept, closed, damaged) = (list("/snapshots")?, list("/closed")?, list("/damaged")?);
    let points = answer.pointer("/lines/0/points").and_then(Value::as_array);
    let mut table = Table::new("assessments", &["date", of, "reach tier zero", "open steps", "evidence"]);
    for (place, snapshot) in kept.iter().enumerate() {
        let value = points.and_then(|points| points.get(place)?.get(1)).map(figure).unwrap_or_default();
        let at_hand = snapshot.get("evidence_at_hand") == Some(&Value::Bool(true));
        let evidence = if at_hand { "the inventory that is kept" } else { "an earlier inventory" };
        let [date, reach, steps] = ["/as_of", "/reach_tier_zero", "/steps"].map(|pointer| cell(snapshot, pointer));
        table.row([date, value, reach, steps, evidence.to_owned()]);
    }
    terminal.table(&table);
    if !closed.is_empty() {
        terminal.line("");
        terminal.line(terminal.paint(Tone::Strong, "Closed by themselves"));
    }
    for step in closed {
        let said = |name: &str| plain(&cell(step, &format!("/{name}")));
        let owner = step.get("owner").and_then(Value::as_str).map(|owner| format!("; {} had it", plain(owner)));
        let owner = owner.unwrap_or_default();
        terminal.line(format!("  {} on {} {}{owner}", said("title"), said("at"), said("because")));
    }
    for file in damaged {
        terminal.note(format!("{} cannot be read, and is left out", plain(&cell(file, ""))));
    }
    Ok(())
}

/// A number, or the two that a share lies between.
fn figure(value: &Value) -> String {
    match (value.get("at-least"), value.get("at-most")) {
        (Some(least), Some(most)) if least == most => format!("{least} %"),
        (Some(least), Some(most)) => format!("{least} to {most} %"),
        _ => cell(value, ""),
    }
}
