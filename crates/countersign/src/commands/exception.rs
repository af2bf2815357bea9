//! `exception`: the register, and every act on it.

use countersign_administrator::SystemClock;
use countersign_model::Clock as _;
use serde_json::{Value, json};

use super::Found;
use super::answer::{all, cell, detail, done, encoded, query, show};
use super::files::span;
use crate::command_line::{Class, Exception, ExceptionRequest};
use crate::control::Control;
use crate::terminal::Terminal;

const REGISTER: &str = "/api/v1/exceptions";

pub(super) async fn exception(control: &Control, command: Exception, terminal: &Terminal) -> anyhow::Result<()> {
    let of = |id: &countersign_model::ExceptionId| format!("{REGISTER}/{}", encoded(id));
    match command {
        Exception::List { undocumented: true, .. } => undocumented(control, terminal).await,
        Exception::List { standing, subject, .. } => {
            let path = format!(
                "{REGISTER}{}",
                query(&[("standing", standing), ("subject", subject.map(|subject| subject.to_string()))])
            );
            let exceptions = all(control, &path, 1000).await?;
            let columns = [
                ("exception", "/id"),
                ("standing", "/standing"),
                ("for", "/scope"),
                ("relaxes", "/relaxes"),
                ("owner", "/owner"),
                ("ends", "/expires"),
            ];
            show(terminal, "exceptions", &exceptions, &columns)?;
            if !terminal.json {
                let register = control.get(&format!("{REGISTER}?limit=1")).await?;
                let figure = |name: &str| cell(&register, &format!("/figures/{name}"));
                terminal.note(format!(
                    "{} in force, {} wait for agreement, {} policies can be relaxed",
                    figure("in_force"),
                    figure("requested"),
                    figure("relaxable")
                ));
            }
            Ok(())
        }
        Exception::Show { id } => detail(terminal, &control.get(&of(&id)).await?),
        Exception::Request(options) => request(control, *options, terminal).await,
        Exception::Approve { id } => {
            let answer = control.post(&format!("{}/approve", of(&id)), &json!({})).await?;
            done(terminal, &answer, format!("exception {id} is in force until {}", cell(&answer, "/expires")))
        }
        Exception::Review { id, valid, note } => {
            let body = json!({ "expires": SystemClock.now().plus(span(&valid)?), "note": note });
            let answer = control.post(&format!("{}/review", of(&id)), &body).await?;
            done(terminal, &answer, format!("exception {id} is in force until {}", cell(&answer, "/expires")))
        }
        Exception::End { id, why } => {
            let answer = control.post(&format!("{}/end", of(&id)), &json!({ "why": why })).await?;
            done(terminal, &answer, format!("exception {id} has ended, and what was open under it was decided again"))
        }
        Exception::Probe { id } => {
            let answer = control.post(&format!("{}/probe", of(&id)), &json!({})).await?;
            done(terminal, &answer, format!("{}: {}", cell(&answer, "/result"), cell(&answer, "/saw")))?;
            if cell(&answer, "/result") == "fails" { Err(Found.into()) } else { Ok(()) }
        }
    }
}

async fn undocumented(control: &Control, terminal: &Terminal) -> anyhow::Result<()> {
    let found = control.get(&format!("{REGISTER}/undocumented")).await?;
    let found: &[Value] = found.as_array().map_or(&[], Vec::as_slice);
    show(
        terminal,
        "undocumented",
        found,
        &[("what", "/what"), ("kind", "/kind"), ("why", "/why"), ("ends", "/until")],
    )?;
    if found.is_empty() { Ok(()) } else { Err(Found.into()) }
}

async fn request(control: &Control, options: ExceptionRequest, terminal: &Terminal) -> anyhow::Result<()> {
    let ExceptionRequest {
        relaxes,
        subjects,
        groups,
        resources,
        segments,
        actions,
        owner,
        reason,
        control: instead,
        ..
    } = &options;
    let class = |class: &Class| match class {
        Class::Read => "read",
        Class::Write => "write",
        Class::Administer => "administer",
        Class::Connect => "connect",
    };
    let probe = match (&options.probe_segment, &options.probe_policy, &options.probe_url) {
        (Some(segment), ..) => json!({ "kind": "segment", "segment": segment }),
        (_, Some(policy), _) => json!({ "kind": "policy", "policy": policy }),
        (.., Some(url)) => json!({
            "kind": "http", "url": url, "status": options.probe_status, "private": options.probe_private
        }),
        (None, None, None) => Value::Null,
    };
    let body = json!({
        "owner": owner,
        "reason": reason,
        "relaxes": relaxes,
        "scope": {
            "subjects": subjects, "groups": groups, "resources": resources, "segments": segments,
            "classes": actions.iter().map(class).collect::<Vec<_>>(),
        },
        "control": instead,
        "probe": probe,
        "expires": SystemClock.now().plus(span(&options.valid)?),
    });
    let answer = control.post(REGISTER, &body).await?;
    let line = format!("exception {} is asked for; it counts once another owner agrees", cell(&answer, "/id"));
    done(terminal, &answer, line)
}
