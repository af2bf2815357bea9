//! `break-in`: whoever can write the data directory of a locked-out installation becomes an owner, and the ledger says so.

use std::sync::Arc;

use countersign_administrator::{OWNERS, SystemClock, break_in_offline};
use countersign_model::{Clock as _, SubjectId, SubjectKind};
use countersign_store::SqliteStore;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::files::data_directory;
use crate::command_line::{BreakIn, Global};
use crate::control::{Control, Refused};
use crate::data_directory::DataDirectory;
use crate::system::{control_origin, open_ledger};
use crate::terminal::{Terminal, Tone};
use crate::up;

pub(super) async fn break_in(global: &Global, options: &BreakIn, terminal: &Terminal) -> anyhow::Result<()> {
    if options.subject.kind() != SubjectKind::Human {
        return Err(super::Misused("an owner is a human: write human:NAME".to_owned()).into());
    }
    let directory = DataDirectory::existing(&data_directory(global, terminal)?)?;
    let link = match directory.lock() {
        // Nobody else has it: the store and the ledger are ours.
        Ok(_lock) => {
            let (configuration, _) = up::configuration(global)?;
            let store: Arc<dyn countersign_store::Store> = Arc::new(SqliteStore::open(&directory.store())?);
            let ledger = open_ledger(&directory, &configuration)?;
            let link = break_in_offline(&*store, &ledger, options.subject.name(), SystemClock.now())?;
            ledger.close();
            terminal.note("no server runs: start it (`countersign up`) before the link is opened");
            let origin = control_origin(&configuration);
            json!({"link": format!("{origin}/invite#{}", link.secret.expose()), "expires": link.expires})
        }
        Err(_) => {
            // A server has it: the local operator may do this through the API like any other act.
            let control = Control::local(&directory)?;
            make_owner(&control, &options.subject).await?;
            control.post("/api/v1/invitations", &json!({"subject": options.subject, "hours": 1})).await?
        }
    };
    if terminal.json {
        return terminal.json(&link);
    }
    terminal.note(format!(
        "{} is an owner now, and the ledger says that this was a break-in. This link makes a passkey, once:",
        options.subject
    ));
    terminal.line(terminal.paint(Tone::Attention, link.get("link").and_then(|link| link.as_str()).unwrap_or_default()));
    Ok(())
}

/// Puts the subject into `owners`, and leaves everything else of it as it is.
async fn make_owner(control: &Control, subject: &SubjectId) -> anyhow::Result<()> {
    let path = format!("/api/v1/subjects/{}", super::answer::encoded(subject));
    let known = match control.get(&path).await {
        Ok(known) => known,
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|r| r.status == StatusCode::NOT_FOUND) => Value::Null,
        Err(error) => return Err(error),
    };
    let text = |name: &str| known.get(name).cloned().unwrap_or_default();
    let mut groups: Vec<Value> = known.get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
    if !groups.iter().any(|group| group == OWNERS) {
        groups.push(json!(OWNERS));
    }
    let name = known.get("display_name").cloned().unwrap_or_else(|| json!(subject.name()));
    let body = json!({"display_name": name, "email": text("email"), "state": "active", "groups": groups});
    control.put(&path, &body).await?;
    Ok(())
}
