//! `estate`: what is inventoried, from the server or from a saved file. What changes the server's estate is asked of the server;
//! everything else is answered here, from the inventory.

mod files;
mod import;
mod ldap;
mod node;
pub(super) mod open;

use std::collections::BTreeMap;

use anyhow::Context as _;
use countersign_administrator::SystemClock;
use countersign_assess::{Named, Parameters, View};
use countersign_estate::{Basis, Inventory, Kind, Node, Reason, Verdict};
use countersign_model::{Clock as _, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::Found;
use super::answer::{csv, done};
use super::work::Work;
use crate::command_line::{Estate, EstateLink, EstateList, Which};
use crate::control::Control;
use crate::terminal::{Table, Terminal};
use open::{dates, open};

/// Rows of a table where nothing else is said.
const TABLE: usize = 100;

pub(super) async fn estate(
    control: impl Fn() -> anyhow::Result<Control>,
    command: Estate,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let work = Work::begin(terminal);
    let look = async |which: &Which| open(which, dates(None).1, &control, &work, terminal).await;
    match command {
        Estate::Import(options) => import::import(control, &options, &work, terminal).await,
        Estate::List(options) => list(&look(&options.which).await?, &options, &work, terminal),
        Estate::Show { node, which } => node::show(&look(&which).await?, &node, &work, terminal),
        Estate::Changes { since, csv, which } => changes(&look(&which).await?, since, csv, terminal),
        Estate::Skipped { which } => skipped(&look(&which).await?, terminal),
        Estate::Links { proposed, which } => links(&look(&which).await?, proposed, &work, terminal),
        Estate::Link(options) => decide(control, &options, true, &work, terminal).await,
        Estate::Unlink(options) => decide(control, &options, false, &work, terminal).await,
    }
}

/// A word of the inventory, as files have it.
pub(super) fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The systems that say so, each once.
fn sources(inventory: &Inventory, node: &Node) -> Vec<String> {
    let there = node.sightings.iter().filter(|sighting| sighting.span.gone.is_none());
    let mut systems: Vec<String> =
        there.filter_map(|sighting| inventory.part(sighting.part)).map(|part| part.system.to_string()).collect();
    systems.sort();
    systems.dedup();
    systems
}

fn last_seen(node: &Node) -> Option<Timestamp> {
    node.sightings.iter().map(|sighting| sighting.span.last).max()
}

fn list(inventory: &Inventory, options: &EstateList, work: &Work, terminal: &Terminal) -> anyhow::Result<()> {
    let selected = options.query.as_deref().map(|query| work.run(|| select(inventory, query))).transpose()?;
    let kind = options.kind.as_deref().map(kind).transpose()?;
    let search = options.search.as_deref().map(str::to_lowercase);
    let passes = |node: &&Node| {
        let has =
            |search: &String| node.name().to_lowercase().contains(search) || node.key.to_lowercase().contains(search);
        (options.gone || !node.is_gone())
            && kind.is_none_or(|kind| node.kind() == kind)
            && search.as_ref().is_none_or(has)
            && selected.as_ref().is_none_or(|keys| keys.binary_search(&node.key.to_string()).is_ok())
    };
    let mut found: Vec<&Node> = inventory.nodes().iter().filter(passes).collect();
    found.sort_by(|one, other| (one.name(), &one.key).cmp(&(other.name(), &other.key)));
    let row = |node: &Node| {
        json!({
            "name": node.name(), "kind": node.kind(), "key": &*node.key, "sources": sources(inventory, node),
            "last-seen": last_seen(node), "gone": node.is_gone(),
        })
    };
    let most = options.shown.limit.unwrap_or(if options.shown.csv || terminal.json { usize::MAX } else { TABLE });
    let rows: Vec<Value> = found.iter().take(most).map(|node| row(node)).collect();
    let columns =
        [("name", "/name"), ("kind", "/kind"), ("key", "/key"), ("sources", "/sources"), ("last seen", "/last-seen")];
    shown(terminal, "nodes", &rows, &columns, options.shown.csv)?;
    if !terminal.json && !options.shown.csv {
        terminal.note(format!("{} of {}", rows.len(), found.len()));
    }
    if rows.is_empty() { Err(Found.into()) } else { Ok(()) }
}

/// Rows as a table, as comma-separated values or as JSON.
pub(super) fn shown(
    terminal: &Terminal,
    what: &str,
    rows: &[Value],
    columns: &[(&str, &str)],
    as_csv: bool,
) -> anyhow::Result<()> {
    if as_csv {
        csv(terminal, columns.iter().map(|(heading, _)| (*heading).to_owned()));
        for row in rows {
            csv(terminal, columns.iter().map(|(_, pointer)| super::answer::cell(row, pointer)));
        }
        return Ok(());
    }
    super::answer::show(terminal, what, rows, columns)
}

/// The keys that a query selects, sorted.
fn select(inventory: &Inventory, query: &str) -> anyhow::Result<Vec<String>> {
    let (as_of, _) = dates(None);
    let filter = super::health::filter(query)?;
    let projection = inventory.project()?;
    let view = View::new(inventory, &projection, &Parameters::default(), as_of);
    let mut keys: Vec<String> = filter.select(&view, as_of).0.into_iter().map(str::to_owned).collect();
    keys.sort();
    Ok(keys)
}

fn kind(text: &str) -> anyhow::Result<Kind> {
    serde_json::from_value(json!(text)).with_context(|| format!("{text:?} is no kind of node"))
}

/// What came and went after an instant; without one, since the last import but one.
fn changes(inventory: &Inventory, since: Option<Timestamp>, as_csv: bool, terminal: &Terminal) -> anyhow::Result<()> {
    let mut instants: Vec<Timestamp> = inventory.imports().iter().map(|import| import.at).collect();
    instants.dedup();
    let before_last = instants.iter().rev().nth(1).copied().unwrap_or_default();
    let since = since.unwrap_or(before_last);
    let mut rows = Vec::new();
    for node in inventory.nodes() {
        let spans = node.sightings.iter().map(|sighting| (sighting.span.first, sighting.span.gone));
        if let Some((change, at)) = change(spans, node.is_gone(), since) {
            rows.push(
                json!({"at": at, "change": change, "what": word(node.kind()), "name": node.name(), "key": &*node.key}),
            );
        }
    }
    let name = |node: u32| inventory.nodes().get(node as usize).map_or("", Node::name);
    for edge in inventory.edges() {
        let spans = edge.sightings.iter().map(|sighting| (sighting.span.first, sighting.span.gone));
        if let Some((change, at)) = change(spans, edge.is_gone(), since) {
            let sentence = format!("{} {} {}", name(edge.from), word(edge.relation), name(edge.to));
            rows.push(json!({"at": at, "change": change, "what": "edge", "name": sentence, "key": ""}));
        }
    }
    rows.sort_by_key(|row| (row.get("at").map(ToString::to_string), row.get("name").map(ToString::to_string)));
    let columns = [("at", "/at"), ("change", "/change"), ("what", "/what"), ("name", "/name"), ("key", "/key")];
    let most = if as_csv || terminal.json { rows.len() } else { TABLE };
    shown(terminal, "changes", rows.get(..most).unwrap_or(&rows), &columns, as_csv)?;
    if !terminal.json && !as_csv {
        terminal.note(format!("{} changes since {since}", rows.len()));
        if rows.len() > most {
            terminal.note(format!("the first {most} are shown: --csv or --json shows all"));
        }
    }
    Ok(())
}

/// What became of something whose sightings began and ended then.
fn change(
    spans: impl Iterator<Item = (Timestamp, Option<Timestamp>)>,
    is_gone: bool,
    since: Timestamp,
) -> Option<(&'static str, Timestamp)> {
    let (mut first, mut gone) = (None, None);
    for (began, ended) in spans {
        first = Some(first.map_or(began, |first: Timestamp| first.min(began)));
        gone = gone.max(ended);
    }
    match (first, gone.filter(|_| is_gone)) {
        (_, Some(gone)) if gone > since => Some(("gone", gone)),
        (Some(first), None) if first > since => Some(("new", first)),
        _ => None,
    }
}

fn skipped(inventory: &Inventory, terminal: &Terminal) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for import in inventory.imports() {
        for skipped in &import.skipped {
            rows.push(json!({
                "at": import.at, "file": skipped.file, "count": skipped.count, "reason": skipped.reason,
                "first": skipped.first.as_ref().map(ToString::to_string),
            }));
        }
    }
    let columns =
        [("imported", "/at"), ("count", "/count"), ("reason", "/reason"), ("first at", "/first"), ("file", "/file")];
    shown(terminal, "rows left out", &rows, &columns, false)
}

const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Named => "one source names the other's key",
        Basis::Identifier => "the same identifier",
        Basis::PrincipalName => "the same principal name",
        Basis::EmployeeNumber => "the same number of an employee, in the list of people and in a directory",
        Basis::VerifiedEmail => "the same address, verified by both",
        Basis::Confirmed => "a person said so",
    }
}

fn reason(reason: Reason) -> String {
    match reason {
        Reason::Ambiguous(of) => format!("{}, but not the only ones", basis(of)),
        Reason::Email => "the same address".to_owned(),
        Reason::AccountName => "the same account name".to_owned(),
        Reason::DisplayName => "the same display name".to_owned(),
        Reason::Department => "the same department".to_owned(),
        Reason::Title => "the same title".to_owned(),
    }
}

fn links(inventory: &Inventory, proposed: bool, work: &Work, terminal: &Terminal) -> anyhow::Result<()> {
    let name = |key: &str| inventory.node(key).map_or(key, Node::name).to_owned();
    let rows = work.run(|| {
        work.doing("comparing accounts");
        let mut rows = Vec::new();
        if !proposed {
            rows.extend(inventory.links().into_iter().map(|link| {
                json!({
                    "one": name(&link.one), "other": name(&link.other), "state": "linked", "because": [basis(link.basis)],
                    "one-key": &*link.one, "other-key": &*link.other,
                })
            }));
        }
        rows.extend(inventory.proposals().into_iter().map(|proposal| {
            let because: Vec<String> = proposal.reasons.iter().map(|one| reason(*one)).collect();
            json!({
                "one": name(&proposal.one), "other": name(&proposal.other), "state": format!("proposed, {} of 100", proposal.score),
                "because": because, "one-key": &*proposal.one, "other-key": &*proposal.other, "score": proposal.score,
            })
        }));
        Ok(rows)
    })?;
    let columns = [
        ("one", "/one"),
        ("other", "/other"),
        ("state", "/state"),
        ("because", "/because"),
        ("key", "/one-key"),
        ("other key", "/other-key"),
    ];
    shown(terminal, "links", &rows, &columns, false)
}

/// A person's word on two accounts: kept in the saved estate, or told to the server.
async fn decide(
    control: impl Fn() -> anyhow::Result<Control>,
    options: &EstateLink,
    same: bool,
    work: &Work,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let which = open::which(&options.kept);
    let mut inventory = open(&which, dates(None).1, &control, work, terminal).await?;
    let (one, other) = {
        let projection = inventory.project()?;
        let named = Named::new(&inventory, &projection);
        let key = |text: &str| -> anyhow::Result<String> {
            let id = named.find(text)?;
            named.graph().key(id).map(ToString::to_string).context("a node without a key")
        };
        (key(&options.one)?, key(&options.other)?)
    };
    let answer = match &options.kept.estate {
        Some(path) => {
            let by = std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "unnamed".to_owned());
            let at = SystemClock.now();
            inventory.decide_link(Verdict { one: one.as_str().into(), other: other.as_str().into(), same, by, at })?;
            import::keep(&inventory, path)?;
            json!({"one": one, "other": other, "same": same})
        }
        None => {
            let decisions = json!({"decisions": [{"one": one, "other": other, "same": same}]});
            control()?.post("/api/v1/estate/links", &decisions).await?;
            json!({"one": one, "other": other, "same": same})
        }
    };
    let words = if same { "are the same somebody" } else { "are not the same, and are not proposed again" };
    done(terminal, &answer, format!("{} and {} {words}", options.one, options.other))
}

/// How many there are of each kind.
pub(super) fn by_kind(inventory: &Inventory) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for node in inventory.nodes().iter().filter(|node| !node.is_gone() && !node.sightings.is_empty()) {
        *kinds.entry(word(node.kind())).or_insert(0) += 1;
    }
    kinds
}

/// A table of two columns.
pub(super) fn pairs(terminal: &Terminal, rows: impl IntoIterator<Item = (String, String)>) {
    let mut table = Table::new("figures", &["", ""]);
    rows.into_iter().for_each(|(name, value)| table.row([name, value]));
    terminal.table(&table);
}
