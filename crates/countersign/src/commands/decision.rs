//! `decision`: what was decided, and why; as it happens, too.

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::Found;
use super::answer::{all, cell, done, query, show};
use crate::command_line::{Decision, DecisionList, Explain};
use crate::control::Control;
use crate::terminal::{Table, Terminal, Tone};

const COLUMNS: [(&str, &str); 8] = [
    ("at", "/at"),
    ("effect", "/effect"),
    ("if enforced", "/observed/effect"),
    ("subject", "/subject"),
    ("action", "/action"),
    ("resource", "/resource"),
    ("why", "/cause"),
    ("decision", "/id"),
];

pub(super) async fn decision(control: &Control, command: Decision, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Decision::List(DecisionList { effect, subject, resource, observed, limit }) => {
            let text = |value: Option<String>| value;
            let path = format!(
                "/api/v1/decisions{}",
                query(&[
                    ("effect", text(effect)),
                    ("subject", subject.map(|s| s.to_string())),
                    ("resource", resource.map(|r| r.to_string())),
                    ("observed", observed.then(|| "true".to_owned())),
                ])
            );
            show(terminal, "decisions", &all(control, &path, usize::from(limit)).await?, &COLUMNS)
        }
        Decision::Show { id } => {
            let answer = control.get(&format!("/api/v1/decisions/{id}")).await?;
            if terminal.json {
                return terminal.json(&answer);
            }
            explained(terminal, answer.get("decision").unwrap_or(&Value::Null));
            match answer.get("proof").filter(|proof| !proof.is_null()) {
                Some(proof) => terminal.line(format!(
                    "proof       entry {} of the ledger, under a signed checkpoint",
                    cell(proof, "/index")
                )),
                None => terminal.line("proof       not under a checkpoint yet: ask again in a second"),
            }
            Ok(())
        }
        Decision::Watch => watch(control, terminal).await,
        Decision::Explain(Explain { subject, resource, action, device, address, methods }) => {
            let body = json!({
                "subject": subject, "resource": resource, "action": action, "device": device, "address": address,
                "methods": methods,
            });
            let answer = control.post("/api/v1/explain", &body).await?;
            if terminal.json {
                done(terminal, &answer, "")?;
            } else {
                explained(terminal, &answer);
            }
            if cell(&answer, "/effect") == "allow" { Ok(()) } else { Err(Found.into()) }
        }
    }
}

pub(super) fn explained(terminal: &Terminal, decision: &Value) {
    let effect = cell(decision, "/effect");
    terminal.line(format!(
        "{}  {}",
        terminal.paint(Tone::of(&effect), &effect),
        cell(decision, "/cause").trim_matches('–')
    ));
    for (label, pointer) in [
        ("who", "/subject"),
        ("what", "/action"),
        ("at", "/resource"),
        ("request", "/circumstances/http/path"),
        ("from", "/circumstances/address"),
        ("device", "/circumstances/device/id"),
        ("proven by", "/circumstances/authentication/methods"),
        ("when", "/at"),
    ] {
        if decision.pointer(pointer).is_some_and(|value| !value.is_null()) {
            terminal.line(format!("{label:11} {}", cell(decision, pointer)));
        }
    }
    let each = |name: &str| decision.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for policy in each("policies") {
        terminal.line(format!("policy      {} {}", cell(&policy, "/role"), cell(&policy, "/id")));
    }
    for fault in each("faults") {
        terminal.line(
            terminal
                .paint(Tone::Bad, &format!("fault       {}: {}", cell(&fault, "/policy/id"), cell(&fault, "/message"))),
        );
    }
    observed(terminal, decision);
    let mut facts = Table::new("facts", &["fact", "value"]);
    for fact in each("facts") {
        facts.row([cell(&fact, "/name"), cell(&fact, "/value")]);
    }
    if let Some(remedy) = decision.get("remedy").filter(|remedy| !remedy.is_null()) {
        terminal.line(format!("remedy      {}", remedy_words(remedy)));
    }
    if decision.get("facts").is_some() {
        terminal.line("");
        terminal.table(&facts);
    }
}

/// What would have been decided without observe mode.
fn observed(terminal: &Terminal, decision: &Value) {
    let Some(observed) = decision.get("observed").filter(|observed| !observed.is_null()) else { return };
    let why = match cell(observed, "/because").as_str() {
        "resource" => "the resource is in observe mode",
        _ => "policies are in observe mode",
    };
    let policies = observed.get("policies").and_then(Value::as_array).into_iter().flatten();
    let by: Vec<String> = policies.map(|policy| format!("{} {}", cell(policy, "/role"), cell(policy, "/id"))).collect();
    let by = if by.is_empty() { "no policy permits it".to_owned() } else { by.join(", ") };
    let line = format!("observed    {why}; enforced it would be {}: {by}", cell(observed, "/effect"));
    terminal.line(terminal.paint(Tone::Attention, &line));
    if let Some(remedy) = observed.get("remedy").filter(|remedy| !remedy.is_null()) {
        terminal.line(format!("            then {}", remedy_words(remedy)));
    }
}

/// What would change a decision, in a line.
pub(crate) fn remedy_words(remedy: &Value) -> String {
    let needs = remedy.get("needs").and_then(Value::as_array).into_iter().flatten();
    let needs: Vec<String> = needs
        .map(|need| {
            let name = need.get("need").and_then(Value::as_str).unwrap_or_default().replace('-', " ");
            match need.get("failing").filter(|failing| failing.as_array().is_some_and(|f| !f.is_empty())) {
                Some(_) => format!("{name} (failing: {})", cell(need, "/failing")),
                None => name,
            }
        })
        .collect();
    match remedy.get("advice").and_then(Value::as_str) {
        Some(advice) if needs.is_empty() => advice.to_owned(),
        Some(advice) => format!("{}: {advice}", needs.join(" and ")),
        None => needs.join(" and "),
    }
}

/// One JSON object for each line, as the server sends them.
async fn watch(control: &Control, terminal: &Terminal) -> anyhow::Result<()> {
    let mut body = control.stream("/api/v1/stream").await?.into_body();
    terminal.note("watching; Ctrl-C stops");
    let mut pending = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        pending.extend_from_slice(&data);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let Ok(item) = serde_json::from_slice::<Value>(&line) else { continue };
            if terminal.json {
                terminal.line(item.to_string());
            } else if let Some(decision) = item.get("decision").filter(|decision| !decision.is_null()) {
                let effect = cell(decision, "/effect");
                let observed = match cell(decision, "/observed/effect").as_str() {
                    "–" => String::new(),
                    effect => terminal.paint(Tone::Attention, &format!("  (if enforced: {effect})")),
                };
                terminal.line(format!(
                    "{}  {}  {}  {}  {}{observed}",
                    cell(decision, "/at"),
                    terminal.paint(Tone::of(&effect), &format!("{effect:9}")),
                    cell(decision, "/subject"),
                    cell(decision, "/action"),
                    cell(decision, "/resource"),
                ));
            } else {
                terminal
                    .line(terminal.paint(Tone::Quiet, &format!("{}  {}", cell(&item, "/at"), cell(&item, "/kind"))));
            }
        }
    }
    Ok(())
}
