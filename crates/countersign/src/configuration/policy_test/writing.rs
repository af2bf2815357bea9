//! A request as a policy test: the text that `policy_test.rs` reads. What a test file has no words for is left out;
//! whoever keeps the text reads it back first.

use countersign_model::{ActionClass, SubjectKind};
use countersign_policy::{Effect, Guardrail, Trial};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

/// `wanted` is what the test expects.
pub(crate) fn written(name: &str, guardrail: &Guardrail, trial: &Trial, wanted: Effect) -> String {
    let mut document = DocumentMut::new();
    document.insert("version", value(1));
    let mut put = |key: &str, table: Table| {
        let mut tables = ArrayOfTables::new();
        tables.push(table);
        document.insert(key, Item::ArrayOfTables(tables));
    };
    if trial.subject.id.kind() != SubjectKind::Anonymous {
        put("subject", subject(trial));
    }
    put("resource", resource(trial));
    if let Some(device) = &trial.circumstances.device {
        let mut table = Table::new();
        table.insert("id", value(device.id.as_str()));
        table.insert("managed", value(device.managed));
        table.insert("compliant", value(device.compliant));
        table.insert("posture_age", device.posture_age.map_or_else(|| value("never"), seconds));
        put("device", table);
    }
    put("test", test(name, trial, wanted));
    let mut head = String::new();
    let promise: Vec<&str> = guardrail.description.split_whitespace().collect();
    head += &format!("# Found by `countersign policy prove`. {}\n", promise.join(" "));
    if wanted == Effect::Deny {
        head += "# Where the mended policies ask for something in place of denying, this expects \"challenge\".\n";
    }
    format!("{head}{document}")
}

fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> Item {
    value(all.into_iter().map(|one| one.to_string()).collect::<Array>())
}

fn seconds(span: u64) -> Item {
    value(i64::try_from(span).unwrap_or(i64::MAX))
}

fn subject(trial: &Trial) -> Table {
    let mut table = Table::new();
    table.insert("id", value(trial.subject.id.to_string()));
    table.insert("groups", list(&trial.groups));
    for (key, person) in [("owner", &trial.subject.owner), ("acts_for", &trial.subject.acts_for)] {
        if let Some(person) = person {
            table.insert(key, value(person.to_string()));
        }
    }
    table
}

fn resource(trial: &Trial) -> Table {
    let resource = &trial.resource;
    let mut table = Table::new();
    table.insert("id", value(resource.id.as_str()));
    table.insert("kind", value(resource.kind.name()));
    table.insert("tier", value(resource.tier.name()));
    if let Some(segment) = &resource.segment {
        table.insert("segment", value(segment.as_str()));
    }
    if let Some(owner) = &resource.owner {
        table.insert("owner", value(owner.to_string()));
    }
    if let Some(http) = &trial.circumstances.http {
        table.insert("host", value(http.host.as_str()));
    }
    let entitled = &resource.entitled;
    for (key, groups) in
        [("readers", &entitled.readers), ("writers", &entitled.writers), ("administrators", &entitled.administrators)]
    {
        if !groups.is_empty() {
            table.insert(key, list(groups));
        }
    }
    table
}

fn test(name: &str, trial: &Trial, wanted: Effect) -> Table {
    let around = &trial.circumstances;
    let mut table = Table::new();
    table.insert("name", value(name));
    table.insert("subject", value(trial.subject.id.to_string()));
    table.insert("resource", value(trial.resource.id.as_str()));
    // An action of its own makes a plain request; any other has to be written out, and the method says the action.
    let plain = around.http.as_ref().is_none_or(|http| {
        let usual = match trial.action.class {
            ActionClass::Read | ActionClass::Connect => "GET",
            ActionClass::Write | ActionClass::Administer => "POST",
        };
        (http.method.as_str(), http.path.as_str()) == (usual, "/")
    });
    match &around.http {
        Some(http) if !plain => {
            table.insert("request", value(format!("{} {}", http.method, http.path)));
        }
        _ => {
            table.insert("action", value(trial.action.class.name()));
        }
    }
    match &around.authentication {
        Some(proof) => {
            table.insert("authentication", list(proof.methods.iter().map(|method| method.name())));
            table.insert("authentication_age", seconds(proof.age));
        }
        None => {
            table.insert("authentication", value("none"));
        }
    }
    if let Some(device) = &around.device {
        table.insert("device", value(device.id.as_str()));
    }
    table.insert("address", value(around.network.address.to_string()));
    table.insert("zones", list(&around.network.zones));
    table.insert("encrypted", value(around.network.encrypted));
    table.insert("at", value(around.time.now.to_string()));
    table.insert("risk", value(i64::from(around.risk)));
    if let Some(grant) = &around.grant {
        table.insert("grant", value(grant.class.name()));
    }
    if let Some(exception) = &around.exception {
        table.insert("exception", list(&exception.relaxes));
    }
    table.insert("expect", value(wanted.name()));
    table
}
