//! `session`, `lease` and `key`.

use countersign_administrator::SystemClock;
use countersign_model::Clock as _;
use serde_json::{Value, json};

use super::answer::{all, cell, detail, done, encoded, query, show};
use super::files::span;
use crate::command_line::{Class, Key, KeyCreate, Lease, Session};
use crate::control::Control;
use crate::terminal::{Terminal, Tone};

pub(super) async fn session(control: &Control, command: Session, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Session::List { subject } => {
            let path = format!("/api/v1/sessions{}", query(&[("subject", subject.map(|s| s.to_string()))]));
            let sessions = all(control, &path, 1000).await?;
            let columns = [
                ("session", "/id"),
                ("subject", "/subject"),
                ("device", "/device"),
                ("address", "/address"),
                ("proven by", "/methods"),
                ("last used", "/last_used"),
                ("open", "/leases"),
            ];
            show(terminal, "sessions", &sessions, &columns)
        }
        Session::Show { id } => detail(terminal, &control.get(&format!("/api/v1/sessions/{id}")).await?),
        Session::Kill { id } => {
            let answer = control.delete(&format!("/api/v1/sessions/{id}")).await?;
            done(terminal, &answer, format!("session {id} has ended, and every connection of it"))
        }
    }
}

pub(super) async fn lease(control: &Control, command: Lease, terminal: &Terminal) -> anyhow::Result<()> {
    let Lease::List { subject } = command;
    let path = format!("/api/v1/leases{}", query(&[("subject", subject.map(|s| s.to_string()))]));
    let leases = all(control, &path, 1000).await?;
    let columns = [
        ("subject", "/subject"),
        ("resource", "/resource"),
        ("action", "/action"),
        ("channel", "/channel"),
        ("request", "/request"),
        ("device", "/device"),
        ("since", "/opened"),
    ];
    show(terminal, "leases", &leases, &columns)
}

pub(super) async fn key(control: &Control, command: Key, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Key::List { subject } => {
            let path = format!("/api/v1/keys{}", query(&[("search", subject.map(|s| s.to_string()))]));
            let keys = all(control, &path, 1000).await?;
            let columns = [
                ("key", "/id"),
                ("subject", "/subject"),
                ("owner", "/owner"),
                ("may", "/scope/classes"),
                ("at", "/scope/resources"),
                ("expires", "/expires"),
                ("last used", "/last_used"),
            ];
            show(terminal, "keys", &keys, &columns)
        }
        Key::Create(options) => create(control, options, terminal).await,
        Key::Revoke { id } => {
            let answer = control.delete(&format!("/api/v1/keys/{}", encoded(&id))).await?;
            done(terminal, &answer, format!("key {id} is revoked, and every connection with it has ended"))
        }
    }
}

async fn create(control: &Control, options: KeyCreate, terminal: &Terminal) -> anyhow::Result<()> {
    let KeyCreate { subject, owner, resources, actions, valid } = options;
    let actions =
        if actions.is_empty() { vec![Class::Read, Class::Write, Class::Administer, Class::Connect] } else { actions };
    let classes: Vec<&str> = actions
        .iter()
        .map(|class| match class {
            Class::Read => "read",
            Class::Write => "write",
            Class::Administer => "administer",
            Class::Connect => "connect",
        })
        .collect();
    let mut body = json!({
        "subject": subject,
        "scope": { "resources": (!resources.is_empty()).then_some(&resources), "classes": classes },
        "expires": SystemClock.now().plus(span(&valid)?),
    });
    let owner = match owner {
        Some(owner) => json!(owner),
        // Who answers for the service answers for its key.
        None => {
            let known = control.get(&format!("/api/v1/subjects/{}", encoded(&subject))).await?;
            known.get("owner").cloned().unwrap_or_default()
        }
    };
    if let Some(body) = body.as_object_mut() {
        body.insert("owner".to_owned(), owner);
    }
    let made = control.post("/api/v1/keys", &body).await?;
    if terminal.json {
        return terminal.json(&made);
    }
    terminal.note(format!(
        "key {} of {subject}, until {}. It is shown this once:",
        cell(&made, "/key/id"),
        cell(&made, "/key/expires")
    ));
    terminal.line(terminal.paint(Tone::Attention, made.pointer("/secret").and_then(Value::as_str).unwrap_or_default()));
    Ok(())
}

/// How many live permissions there are.
pub(crate) async fn count_leases(control: &Control) -> anyhow::Result<usize> {
    Ok(all(control, "/api/v1/leases", 5000).await?.len())
}
