//! Which settings count while it runs, and which from a start only, where one file is put over another.

use toml_edit::{DocumentMut, Item, TableLike};

use super::{Configuration, Mistakes};

/// Tables whose every key counts while it runs.
const LIVE_TABLES: [&str; 4] = ["zones", "posture", "sessions", "decisions"];

type Shown = fn(&Configuration) -> String;

/// What counts from a start only, and how it is shown. `domain` and `control_host` have a meaning for the rest of the
/// file even where they are not written.
const AT_START: [(&str, Shown); 23] = [
    ("organisation", |c| c.organisation.clone()),
    ("node", |c| c.node.clone()),
    ("proofs", |c| c.proofs.name().to_owned()),
    ("listen.http", |c| address(c.listen.http)),
    ("listen.https", |c| address(c.listen.https)),
    ("listen.operations", |c| address(c.listen.operations)),
    ("listen.public_url", |c| c.listen.public_url.clone().unwrap_or_default()),
    ("listen.trusted_proxies", |c| c.listen.trusted_proxies.iter().map(|range| format!("{range} ")).collect()),
    ("bridge.listen", |c| address(c.bridge.map(|bridge| bridge.listen))),
    ("bridge.open", |c| c.bridge.is_some_and(|bridge| bridge.open).to_string()),
    ("bridge.tls", |c| c.bridge.is_some_and(|bridge| bridge.encrypted).to_string()),
    ("tls.certificate", |c| c.tls.as_ref().map(|tls| tls.certificate.display().to_string()).unwrap_or_default()),
    ("tls.key", |c| c.tls.as_ref().map(|tls| tls.key.display().to_string()).unwrap_or_default()),
    ("limits.header_bytes", |c| c.limits.header_bytes.to_string()),
    ("limits.body_bytes", |c| c.limits.body_bytes.to_string()),
    ("limits.header_timeout", |c| format!("{:?}", c.limits.header_timeout)),
    ("limits.idle_timeout", |c| format!("{:?}", c.limits.idle_timeout)),
    ("limits.connect_timeout", |c| format!("{:?}", c.limits.connect_timeout)),
    ("limits.response_timeout", |c| format!("{:?}", c.limits.response_timeout)),
    ("telemetry.otlp", |c| c.otlp.clone().unwrap_or_default()),
    ("provider", |c| format!("{} of them", c.providers.len())),
    (DOMAIN, |c| c.domain.clone()),
    (CONTROL_HOST, |c| c.control_host.clone()),
];

const DOMAIN: &str = "domain";
const CONTROL_HOST: &str = "control_host";

fn address(address: Option<std::net::SocketAddr>) -> String {
    address.map_or_else(|| "off".to_owned(), |address| address.to_string())
}

/// What `text`, meaning `sent`, wants otherwise than the server was started with, and no running server can do.
pub(crate) fn at_start(text: &str, sent: &Configuration, started: &Configuration) -> Vec<String> {
    let Ok(document) = text.parse::<DocumentMut>() else { return Vec::new() };
    let mut waits = Vec::new();
    for (key, shown) in AT_START {
        let (here, there) = (shown(sent), shown(started));
        let written = find(document.as_table(), key).is_some();
        let differs = here != there || (key == "provider" && sent.providers != started.providers);
        if differs && (written || key == DOMAIN || key == CONTROL_HOST) {
            waits.push(format!(
                "{key} counts from a start only: it is {here:?} here and {there:?} on the running server. Change it in the \
                 server's own file and restart, or write here what the server has"
            ));
        }
    }
    waits
}

fn find<'a>(table: &'a dyn TableLike, key: &str) -> Option<&'a Item> {
    match key.split_once('.') {
        Some((outer, inner)) => table.get(outer)?.as_table_like()?.get(inner),
        None => table.get(key),
    }
}

/// The configuration `own` under the settings of `text` that count while it runs. A key that `text` does not write is
/// as `own` has it.
pub(crate) fn over(own: &Configuration, text: &str) -> anyhow::Result<Configuration> {
    let written = match &own.file {
        Some(file) => std::fs::read_to_string(file)?,
        None => "version = 1\n".to_owned(),
    };
    let (mut merged, sent) = (written.parse::<DocumentMut>()?, text.parse::<DocumentMut>()?);
    let mut put = |table: Option<&str>, key: &str, item: &Item| {
        let place: Option<&mut dyn TableLike> = match table {
            Some(table) => merged.entry(table).or_insert_with(toml_edit::table).as_table_like_mut(),
            None => Some(merged.as_table_mut()),
        };
        if let Some(place) = place {
            place.insert(key, item.clone());
        }
    };
    for table in LIVE_TABLES {
        let items = sent.get(table).and_then(Item::as_table_like);
        for (key, item) in items.into_iter().flat_map(TableLike::iter) {
            put(Some(table), key, item);
        }
    }
    if let Some(zone) = sent.get("time_zone") {
        put(None, "time_zone", zone);
    }
    if let Some(limit) = find(sent.as_table(), "limits.requests_in_flight") {
        put(Some("limits"), "requests_in_flight", limit);
    }
    let path = own.file.clone().unwrap_or_else(|| "countersign.toml".into());
    let merged: Result<(Configuration, _), Mistakes> = Configuration::parse(&path, &merged.to_string());
    Ok(merged?.0)
}
