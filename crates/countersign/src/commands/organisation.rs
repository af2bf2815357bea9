//! `subject`, `group`, `resource` and `apply`: what there is.

use countersign_administrator::SystemClock;
use countersign_model::{Clock as _, Timestamp};
use serde_json::{Map, Value, json};

use super::answer::{all, cell, detail, done, encoded, show};
use super::files::{self, Files};
use super::policy::proofs;
use super::{Mistaken, Misused};
use crate::command_line::{Apply, Group, Resource, ResourceAdd, ResourceObserve, Subject, SubjectAdd};
use crate::configuration::Inventory;
use crate::control::{Control, Refused};
use crate::terminal::{Terminal, Tone};

pub(super) async fn subject(control: &Control, command: Subject, terminal: &Terminal) -> anyhow::Result<()> {
    let at = |id: &countersign_model::SubjectId| format!("/api/v1/subjects/{}", encoded(id));
    match command {
        Subject::List { search } => {
            let path = format!("/api/v1/subjects{}", super::answer::query(&[("search", search)]));
            let columns = [
                ("subject", "/id"),
                ("name", "/display_name"),
                ("groups", "/groups"),
                ("owner", "/owner"),
                ("state", "/state"),
                ("last used", "/last_used"),
            ];
            show(terminal, "subjects", &all(control, &path, 5000).await?, &columns)
        }
        Subject::Show { id } => detail(terminal, &control.get(&at(&id)).await?),
        Subject::Add(options) => add(control, options, terminal).await,
        Subject::Disable { id } => {
            let answer = control.put(&format!("{}/state", at(&id)), &json!({"state": "disabled"})).await?;
            done(terminal, &answer, format!("{id} is disabled; its sessions and connections have ended"))
        }
        Subject::Enable { id } => {
            let answer = control.put(&format!("{}/state", at(&id)), &json!({"state": "active"})).await?;
            done(terminal, &answer, format!("{id} is active"))
        }
        Subject::Risk { id, risk, reason } => {
            let answer = control.put(&format!("{}/risk", at(&id)), &json!({"risk": risk, "reason": reason})).await?;
            done(terminal, &answer, format!("the risk of {id} is {risk}; what does not hold under it has ended"))
        }
        Subject::Remove { id } => {
            let answer = control.delete(&at(&id)).await?;
            done(terminal, &answer, format!("{id} is removed; its sessions and connections have ended"))
        }
        Subject::Invite { id, valid } => {
            let hours = files::hours(&valid)?;
            let answer = control.post("/api/v1/invitations", &json!({"subject": id, "hours": hours})).await?;
            if terminal.json {
                return terminal.json(&answer);
            }
            terminal.note(format!(
                "{id} makes a passkey with this link. It works once, until {}:",
                cell(&answer, "/expires")
            ));
            terminal.line(
                terminal.paint(Tone::Attention, answer.pointer("/link").and_then(Value::as_str).unwrap_or_default()),
            );
            Ok(())
        }
    }
}

async fn add(control: &Control, options: SubjectAdd, terminal: &Terminal) -> anyhow::Result<()> {
    let SubjectAdd { id, name, email, owner, acts_for, groups, no_groups } = options;
    let path = format!("/api/v1/subjects/{}", encoded(&id));
    // What is not said stays as it is.
    let known = match control.get(&path).await {
        Ok(known) => known,
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.status == hyper::StatusCode::NOT_FOUND => Value::Null,
            _ => return Err(error),
        },
    };
    let kept = |name: &str, value: Option<String>| {
        value.map_or_else(|| known.get(name).cloned().unwrap_or_default(), Value::String)
    };
    let mut body = Map::new();
    let display_name = name.or_else(|| known.get("display_name").and_then(Value::as_str).map(str::to_owned));
    body.insert("display_name".to_owned(), Value::String(display_name.unwrap_or_else(|| id.name().to_owned())));
    body.insert("email".to_owned(), kept("email", email));
    body.insert("owner".to_owned(), kept("owner", owner.map(|owner| owner.to_string())));
    body.insert("acts_for".to_owned(), kept("acts_for", acts_for.map(|acts_for| acts_for.to_string())));
    body.insert("state".to_owned(), known.get("state").cloned().unwrap_or_else(|| json!("active")));
    let groups = match groups.is_empty() && !no_groups {
        true => known.get("groups").cloned().unwrap_or_else(|| json!([])),
        false => json!(groups),
    };
    body.insert("groups".to_owned(), groups);
    let answer = control.put(&path, &body).await?;
    let changed = if known.is_null() { "is added" } else { "is changed" };
    let next = match id.kind() {
        countersign_model::SubjectKind::Human => format!("subject invite {id}"),
        _ => format!("key create {id} --valid 30d"),
    };
    done(terminal, &answer, format!("{id} {changed}. Next: `countersign {next}`"))
}

pub(super) async fn group(control: &Control, command: Group, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Group::List => {
            let columns =
                [("group", "/id"), ("name", "/display_name"), ("member of", "/member_of"), ("source", "/source")];
            show(terminal, "groups", &all(control, "/api/v1/groups", 5000).await?, &columns)
        }
        Group::Add { id, name, member_of } => {
            let body = json!({"display_name": name.unwrap_or_else(|| id.to_string()), "member_of": member_of});
            let answer = control.put(&format!("/api/v1/groups/{}", encoded(&id)), &body).await?;
            done(terminal, &answer, format!("the group {id} is there"))
        }
        Group::Remove { id } => {
            let answer = control.delete(&format!("/api/v1/groups/{}", encoded(&id))).await?;
            done(terminal, &answer, format!("the group {id} is removed"))
        }
    }
}

pub(super) async fn resource(control: &Control, command: Resource, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Resource::List => {
            let mut resources = all(control, "/api/v1/resources", 5000).await?;
            for resource in &mut resources {
                let hosts: Vec<String> = resource
                    .get("routes")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .map(|route| {
                        format!("{}{}", cell(route, "/host"), cell(route, "/path_prefix").trim_end_matches('/'))
                    })
                    .collect();
                if let Some(resource) = resource.as_object_mut().filter(|_| !terminal.json) {
                    resource.insert("found_at".to_owned(), json!(hosts));
                }
            }
            let columns = [
                ("resource", "/id"),
                ("tier", "/tier"),
                ("found at", "/found_at"),
                ("upstream", "/upstream/url"),
                ("segment", "/segment"),
                ("observe mode until", "/observe_until"),
                ("source", "/source"),
            ];
            show(terminal, "resources", &resources, &columns)
        }
        Resource::Show { id } => detail(terminal, &control.get(&format!("/api/v1/resources/{}", encoded(&id))).await?),
        Resource::Add(options) => {
            let ResourceAdd { id, upstream, hosts, tier, name, readers, writers, administrators } = options;
            let nobody = readers.is_empty() && writers.is_empty() && administrators.is_empty();
            let body = json!({
                "display_name": name.unwrap_or_else(|| id.to_string()),
                "tier": tier,
                "routes": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>(),
                "upstream": {"url": upstream},
                "entitled": {"readers": readers, "writers": writers, "administrators": administrators},
            });
            let answer = control.put(&format!("/api/v1/resources/{}", encoded(&id)), &body).await?;
            if nobody {
                terminal
                    .note("warning: no group is entitled to it: --readers, --writers or --administrators say who is");
            }
            done(terminal, &answer, format!("{id} is protected, at {}", hosts.join(", ")))
        }
        Resource::Observe(ResourceObserve { id, span, until }) => {
            let now = SystemClock.now();
            let until = match (until, span) {
                (Some(until), _) => until,
                (None, span) => now.plus(files::span(&span.unwrap_or_default())?),
            };
            if until <= now {
                let words = format!("observe mode ends at an instant that is still to come, and {until} is not");
                return Err(Misused(words).into());
            }
            let path = format!("/api/v1/resources/{}", encoded(&id));
            let answer = observe(control, &path, control.get(&path).await?, Some(until), terminal).await?;
            let words = format!("{id} is not enforced until {until}: whoever asks is let through, and it is recorded");
            done(terminal, &answer, words)
        }
        Resource::Enforce { id } => {
            let path = format!("/api/v1/resources/{}", encoded(&id));
            let resource = control.get(&path).await?;
            let until =
                resource.get("observe_until").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
            if until.is_none_or(|until| until <= SystemClock.now()) {
                // What is not observed is not touched: putting it would make it the API's own.
                return done(terminal, &resource, format!("{id} is not in observe mode: it is enforced as it is"));
            }
            let answer = observe(control, &path, resource, None, terminal).await?;
            done(terminal, &answer, format!("{id} is enforced; what was only let through is ended"))
        }
        Resource::Decommission { id, plan: _ } => super::review::decommission(control, &id, terminal).await,
        Resource::Remove { id } => {
            let answer = control.delete(&format!("/api/v1/resources/{}", encoded(&id))).await?;
            done(terminal, &answer, format!("{id} is removed; every connection to it has ended"))
        }
    }
}

/// The resource as it is, but for its observe mode.
async fn observe(
    control: &Control,
    path: &str,
    mut resource: Value,
    until: Option<Timestamp>,
    terminal: &Terminal,
) -> anyhow::Result<Value> {
    let configured = cell(&resource, "/source") == "configuration";
    if let Some(body) = resource.as_object_mut() {
        for told in ["id", "kind", "source"] {
            body.remove(told);
        }
        body.insert("observe_until".to_owned(), json!(until));
    }
    if configured {
        terminal.note(
            "note: it comes from the configuration, which counts again when it is next read: say observe_until there",
        );
    }
    control.put(path, &resource).await
}

/// Everything that is wrong is told at once, and before anything is sent; what only the server can know, by the server.
pub(super) async fn apply(
    control: impl FnOnce() -> anyhow::Result<Control>,
    options: &Apply,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let mut files = Files::of_directory(&options.directory)?;
    let (Some(configuration), true) = (&files.configuration, files.mistakes.is_empty()) else {
        if terminal.json {
            terminal.json(&json!({"applied": false, "mistakes": files.mistakes, "warnings": files.warnings}))?;
        } else {
            files.tell(terminal);
            terminal.line(NOTHING);
        }
        return Err(Mistaken.into());
    };
    if options.prove {
        // Refused here, nothing has been sent.
        proofs::demand(&files.policy_directory, &options.proving, terminal)?;
    }
    let mut body = bundle(&configuration.inventory);
    body.insert("policies".to_owned(), json!(files.policies));
    body.insert("settings".to_owned(), json!(files.text));
    body.insert("dry_run".to_owned(), json!(options.dry_run));
    let control = control()?;
    let mut answer = control.post("/api/v1/apply", &body).await?;
    let texts = |name: &str| -> Vec<String> {
        let list = answer.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    files.mistakes = texts("mistakes");
    for warning in texts("warnings") {
        // The policies' warnings are found on both sides.
        if !files.warnings.contains(&warning) {
            files.warnings.push(warning);
        }
    }
    if !terminal.json {
        files.tell(terminal);
        if !files.mistakes.is_empty() {
            terminal.line(NOTHING);
            return Err(Mistaken.into());
        }
        for (name, sign, tone) in
            [("created", "+", Tone::Good), ("changed", "~", Tone::Attention), ("removed", "-", Tone::Bad)]
        {
            for change in texts(name) {
                terminal.line(terminal.paint(tone, &format!("{sign} {change}")));
            }
        }
        let state = if options.dry_run { "this would be done; nothing was changed" } else { "in force now" };
        terminal.line(format!("{state} ({} unchanged)", texts("unchanged").len()));
    } else if let Some(answer_object) = answer.as_object_mut() {
        answer_object.insert("warnings".to_owned(), json!(files.warnings));
        terminal.json(&answer)?;
    }
    if !files.mistakes.is_empty() {
        return Err(Mistaken.into());
    }
    if !options.dry_run {
        proofs::warn_of_unproven(&control, terminal).await;
    }
    Ok(())
}

const NOTHING: &str = "nothing was changed: the directory has mistakes";

/// The inventory in the words of the API.
fn bundle(inventory: &Inventory) -> Map<String, Value> {
    let segments: Map<String, Value> =
        inventory.segments.iter().map(|s| (s.id.to_string(), json!({"display_name": s.display_name}))).collect();
    let groups: Map<String, Value> = inventory
        .groups
        .iter()
        .map(|g| (g.id.to_string(), json!({"display_name": g.display_name, "member_of": g.member_of})))
        .collect();
    let subjects: Map<String, Value> = inventory
        .subjects
        .iter()
        .map(|s| {
            let body = json!({
                "display_name": s.display_name, "email": s.email, "owner": s.owner, "acts_for": s.acts_for,
                "state": s.state, "groups": s.groups,
            });
            (s.id.to_string(), body)
        })
        .collect();
    let resources: Map<String, Value> = inventory
        .resources
        .iter()
        .map(|r| {
            let upstream = match &r.upstream {
                countersign_model::Upstream::Origin { url, ca, preserve_host } => {
                    json!({"url": url, "ca": ca, "preserve_host": preserve_host})
                }
                countersign_model::Upstream::Internal { part } => json!({"part": part}),
            };
            let body = json!({
                "display_name": r.display_name, "tier": r.tier, "segment": r.segment, "owner": r.owner,
                "routes": r.routes, "upstream": upstream, "rules": r.rules, "entitled": r.entitled,
                "observe_until": r.observe_until,
            });
            (r.id.to_string(), body)
        })
        .collect();
    Map::from_iter([
        ("segments".to_owned(), Value::Object(segments)),
        ("groups".to_owned(), Value::Object(groups)),
        ("subjects".to_owned(), Value::Object(subjects)),
        ("resources".to_owned(), Value::Object(resources)),
    ])
}
