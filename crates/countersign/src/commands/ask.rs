//! `ask`: the policy's answers as tables, CSV or JSON.

use serde_json::{Value, json};

use super::answer::{cell, csv, query};
use super::decision::explained;
use super::files::span;
use super::{Found, Misused};
use crate::command_line::{Ask, Circumstances, Shown, WhatCan, WhoCan, WhoDid, Why};
use crate::control::Control;
use crate::terminal::{Table, Terminal, Tone};

/// What a table shows unless more is asked for.
const TABLE: usize = 100;
/// What the server gives at once.
const PAGE: usize = 10_000;

pub(super) async fn ask(control: &Control, command: Ask, terminal: &Terminal) -> anyhow::Result<()> {
    match command {
        Ask::WhoCan(options) => who_can(control, options, terminal).await,
        Ask::WhatCan(options) => what_can(control, options, terminal).await,
        Ask::Why(options) => why(control, options, terminal).await,
        Ask::WhoDid(options) => who_did(control, options, terminal).await,
        Ask::Matrix(options) => {
            let mut pairs = vec![("action", Some(options.action.to_string()))];
            pairs.extend(stated(&options.circumstances)?);
            matrix(control, pairs, options.csv, terminal).await
        }
    }
}

fn seconds(text: Option<&String>) -> anyhow::Result<Option<String>> {
    text.map(|text| Ok(span(text)?.as_secs().to_string())).transpose()
}

fn word(value: &impl clap::ValueEnum) -> Option<String> {
    value.to_possible_value().map(|value| value.get_name().to_owned())
}

fn stated(of: &Circumstances) -> anyhow::Result<Vec<(&'static str, Option<String>)>> {
    Ok(vec![
        ("sign_in", of.auth.as_ref().and_then(word)),
        ("sign_in_age", seconds(of.auth_age.as_ref())?),
        ("device", of.device_state.as_ref().and_then(word)),
        ("posture_age", seconds(of.posture_age.as_ref())?),
        ("network", of.network.clone()),
        ("encrypted", of.unencrypted.then(|| "false".to_owned())),
        ("at", of.at.map(|at| at.to_string())),
        ("risk", of.risk.map(|risk| risk.to_string())),
        ("method", of.method.clone()),
        ("path", of.path.clone()),
    ])
}

/// Every item up to what is wanted, and the first page without them.
async fn pages(
    control: &Control,
    path: &str,
    pairs: &[(&'static str, Option<String>)],
    most: usize,
    terminal: &Terminal,
) -> anyhow::Result<(Vec<Value>, Value)> {
    let (mut items, mut about, mut cursor) = (Vec::new(), Value::Null, None);
    loop {
        let limit = most.saturating_sub(items.len()).clamp(1, PAGE);
        let mut pairs = pairs.to_vec();
        pairs.push(("limit", Some(limit.to_string())));
        pairs.push(("cursor", cursor));
        let mut page = control.get(&format!("{path}{}", query(&pairs))).await?;
        let found = page.get_mut("items").map(Value::take);
        items.extend(
            found
                .and_then(|found| if let Value::Array(found) = found { Some(found) } else { None })
                .unwrap_or_default(),
        );
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if about.is_null() {
            about = page;
        }
        if cursor.is_none() || items.len() >= most {
            return Ok((items, about));
        }
        terminal.note(format!("{} of {}", items.len(), cell(&about, "/found")));
    }
}

/// The items with columns, as asked for; and what is to be said about them.
fn show(
    terminal: &Terminal,
    what: &str,
    (items, mut about): (Vec<Value>, Value),
    shown: &Shown,
    columns: &[(&str, &str)],
) -> anyhow::Result<()> {
    let none = items.is_empty();
    if terminal.json {
        if let Some(about) = about.as_object_mut() {
            about.remove("next");
            about.insert("items".to_owned(), Value::Array(items));
        }
        terminal.json(&about)?;
    } else if shown.csv {
        csv(terminal, columns.iter().map(|(heading, _)| (*heading).to_owned()));
        for item in &items {
            csv(terminal, columns.iter().map(|(_, pointer)| suffices(item, pointer)));
        }
    } else {
        let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
        let mut table = Table::new(what, &headings);
        for item in &items {
            table.row(columns.iter().map(|(_, pointer)| suffices(item, pointer)));
        }
        terminal.table(&table);
        let (found, considered) = (cell(&about, "/found"), cell(&about, "/considered"));
        terminal.note(format!("{found} of {considered}"));
        if found != items.len().to_string() {
            terminal.note(format!("the first {} are shown: --limit, --csv or --json shows more", items.len()));
        }
        caveats(terminal, &about);
    }
    // Never left out, whatever form the answer has.
    let unknown: Vec<&str> = each(&about, "unknown").map(text).collect();
    if !unknown.is_empty() {
        terminal.note(format!("not known as of then, and not in the answer: {}", unknown.join(", ")));
    }
    if none { Err(Found.into()) } else { Ok(()) }
}

fn caveats(terminal: &Terminal, about: &Value) {
    for caveat in about.get("caveats").and_then(Value::as_array).into_iter().flatten() {
        terminal.note(format!("note: {}", caveat.as_str().unwrap_or_default()));
    }
}

/// A cell; circumstances in words.
fn suffices(item: &Value, pointer: &str) -> String {
    let each = |name: &'static str| {
        let all = item.get("suffices").and_then(Value::as_array).into_iter().flatten();
        all.filter_map(move |one| one.get(name)).filter_map(Value::as_str)
    };
    match pointer {
        "/suffices" if each("words").next().is_none() => "as stated".to_owned(),
        "/suffices" => each("words").collect::<Vec<_>>().join(" or "),
        "/way" => each("way").next().unwrap_or("standing").to_owned(),
        _ => cell(item, pointer),
    }
}

fn most(shown: &Shown, terminal: &Terminal) -> usize {
    shown.limit.unwrap_or(if shown.csv || terminal.json { usize::MAX } else { TABLE })
}

async fn who_can(control: &Control, options: WhoCan, terminal: &Terminal) -> anyhow::Result<()> {
    let mut pairs = vec![
        ("action", Some(options.action.to_string())),
        ("resource", Some(options.resource.to_string())),
        ("group", options.group.map(|group| group.to_string())),
        ("kind", options.kind),
        ("as_of", options.as_of.map(|at| at.to_string())),
    ];
    pairs.extend(stated(&options.circumstances)?);
    let found = pages(control, "/api/v1/ask/who-can", &pairs, most(&options.shown, terminal), terminal).await?;
    let columns = [("subject", "/subject"), ("name", "/display_name"), ("way", "/way"), ("when", "/suffices")];
    show(terminal, "subjects who can", found, &options.shown, &columns)
}

async fn what_can(control: &Control, options: WhatCan, terminal: &Terminal) -> anyhow::Result<()> {
    let mut pairs = vec![
        ("subject", Some(options.subject.to_string())),
        ("action", options.action.map(|action| action.to_string())),
        ("as_of", options.as_of.map(|at| at.to_string())),
    ];
    pairs.extend(stated(&options.circumstances)?);
    let found = pages(control, "/api/v1/ask/what-can", &pairs, most(&options.shown, terminal), terminal).await?;
    let columns = [
        ("resource", "/resource"),
        ("action", "/action"),
        ("way", "/way"),
        ("when", "/suffices"),
        ("not enforced until", "/not_enforced_until"),
    ];
    show(terminal, "actions that are possible", found, &options.shown, &columns)
}

async fn why(control: &Control, options: Why, terminal: &Terminal) -> anyhow::Result<()> {
    let mut pairs = match options.about.as_slice() {
        [decision] => vec![("decision", Some(decision.clone()))],
        [subject, action, resource] => vec![
            ("subject", Some(subject.clone())),
            ("action", Some(action.clone())),
            ("resource", Some(resource.clone())),
        ],
        _ => return Err(Misused("name a decision, or a subject, an action and a resource".to_owned()).into()),
    };
    pairs.push(("from_device", options.from_device.map(|device| device.to_string())));
    pairs.push(("as_of", options.as_of.map(|at| at.to_string())));
    pairs.extend(stated(&options.circumstances)?);
    let why = control.get(&format!("/api/v1/ask/why{}", query(&pairs))).await?;
    if terminal.json {
        terminal.json(&why)?;
    } else if options.csv {
        listed(&why, terminal);
    } else {
        tell(&why, terminal);
    }
    if why.pointer("/decision/effect").and_then(Value::as_str) == Some("allow") { Ok(()) } else { Err(Found.into()) }
}

/// Every part of an explanation as a line.
fn listed(why: &Value, terminal: &Terminal) {
    // What, and the cells of which list: without a list, of the explanation itself.
    let parts = [
        ("decision", None, ["/decision/effect", "/subject", "/action", "/resource"]),
        ("observed", None, ["/observed/effect", "/observed/because", "", ""]),
        ("note", Some("caveats"), ["itself", "", "", ""]),
        ("policy", Some("sources"), ["/id", "/role", "/owner", "/file"]),
        ("fact", Some("facts"), ["/name", "/value", "/source", "/observed"]),
        ("group", Some("chains"), ["/groups", "/counts_as", "", ""]),
        ("turn", Some("turns"), ["/words", "/kind", "", ""]),
        ("suffices", Some("suffices"), ["/words", "/way", "", ""]),
    ];
    let line = |part: &str, of: &Value, pointers: [&str; 4]| {
        let cells = pointers.map(|pointer| match pointer {
            "" => String::new(),
            "itself" => text(of).to_owned(),
            pointer => cell(of, pointer),
        });
        csv(terminal, [part.to_owned()].into_iter().chain(cells));
    };
    csv(terminal, ["part", "what", "how", "by", "where"].map(str::to_owned).into_iter());
    for (part, list, pointers) in parts {
        match list {
            None if part == "observed" && why.get("observed").is_none_or(Value::is_null) => {}
            None => line(part, why, pointers),
            Some(list) => each(why, list).for_each(|one| line(part, one, pointers)),
        }
    }
}

fn each<'v>(of: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap_or_default()
}

fn tell(why: &Value, terminal: &Terminal) {
    let heading = |words: &str| {
        terminal.line("");
        terminal.line(terminal.paint(Tone::Strong, words));
    };
    let mut short = why.get("decision").cloned().unwrap_or_default();
    if let Some(short) = short.as_object_mut() {
        // Told below, with more about each.
        for told in ["policies", "facts"] {
            short.remove(told);
        }
        short.insert("observed".to_owned(), why.get("observed").cloned().unwrap_or_default());
        for (name, pointer) in
            [("subject", "/subject"), ("action", "/action"), ("resource", "/resource"), ("at", "/recorded_at")]
        {
            short.insert(name.to_owned(), why.pointer(pointer).cloned().unwrap_or_default());
        }
        short.insert("circumstances".to_owned(), why.get("circumstances").cloned().unwrap_or_default());
    }
    explained(terminal, &short);
    heading("Policies that decided");
    if each(why, "sources").next().is_none() {
        terminal.line("none: what no policy permits is denied");
    }
    for policy in each(why, "sources") {
        let at = format!("{}:{}", cell(policy, "/file"), cell(policy, "/line"));
        terminal.line(format!(
            "{} {}, of {} ({at})",
            cell(policy, "/role"),
            cell(policy, "/id"),
            cell(policy, "/owner")
        ));
        if cell(policy, "/mode") == "observe" {
            terminal.line(terminal.paint(Tone::Attention, "    in observe mode: it enforces nothing"));
        }
        let source = policy.get("text").map(text).unwrap_or_default();
        for line in source.lines().filter(|line| !line.trim_start().starts_with('@')) {
            terminal.line(terminal.paint(Tone::Quiet, &format!("    {line}")));
        }
    }
    if why.get("same_policies") == Some(&json!(false)) {
        terminal.line("The policies have changed since; this is their text of today.");
    }
    if each(why, "facts").next().is_some() {
        heading("Facts that they looked at");
        let mut table = Table::new("facts", &["fact", "value", "source", "known since"]);
        for fact in each(why, "facts") {
            table.row(["/name", "/value", "/source", "/observed"].map(|pointer| cell(fact, pointer)));
        }
        terminal.table(&table);
    }
    if each(why, "chains").next().is_some() {
        heading("Groups that count here");
        for chain in each(why, "chains") {
            let groups: Vec<&str> = each(chain, "groups").map(text).collect();
            terminal.line(format!(
                "{} → {}  ({})",
                cell(why, "/subject"),
                groups.join(" → "),
                cell(chain, "/counts_as")
            ));
        }
    }
    heading("What would turn it around, each by itself");
    if each(why, "turns").next().is_none() {
        terminal.line("no single change that is known");
    }
    for turn in each(why, "turns") {
        terminal.line(format!("- {}", cell(turn, "/words")));
    }
    heading("The weakest circumstances under which it is allowed");
    if each(why, "suffices").next().is_none() {
        terminal.line("none");
    }
    for one in each(why, "suffices") {
        terminal.line(format!("- {} ({})", cell(one, "/words"), cell(one, "/way")));
    }
    caveats(terminal, why);
}

async fn who_did(control: &Control, options: WhoDid, terminal: &Terminal) -> anyhow::Result<()> {
    let pairs = [
        ("subject", options.subject.map(|subject| subject.to_string())),
        ("resource", options.resource.map(|resource| resource.to_string())),
        ("action", options.action.map(|action| action.to_string())),
        ("from", options.from.map(|from| from.to_string())),
        ("to", options.to.map(|to| to.to_string())),
    ];
    let done = control.get(&format!("/api/v1/ask/did{}", query(&pairs))).await?;
    let columns = [
        ("subject", "/subject"),
        ("resource", "/resource"),
        ("action", "/action"),
        ("times", "/count"),
        ("not enforced", "/observed"),
        ("first", "/first"),
        ("last", "/last"),
        ("decision", "/decision"),
    ];
    let row = |item: &Value| columns.map(|(_, pointer)| cell(item, pointer));
    if terminal.json {
        terminal.json(&done)?;
    } else if options.csv {
        csv(terminal, columns.iter().map(|(heading, _)| (*heading).to_owned()));
        each(&done, "items").for_each(|item| csv(terminal, row(item).into_iter()));
    } else {
        let mut table = Table::new("accesses", &columns.map(|(heading, _)| heading));
        each(&done, "items").for_each(|item| table.row(row(item)));
        terminal.table(&table);
        for (pointer, words) in
            [("/archived", "entries before this one are archived"), ("/since", "it reaches back to here only")]
        {
            if done.pointer(pointer).is_some_and(|value| !value.is_null()) {
                terminal.note(format!("not complete: {words}: {}", cell(&done, pointer)));
            }
        }
    }
    if each(&done, "items").next().is_some() { Ok(()) } else { Err(Found.into()) }
}

/// Every group and every resource, page by page.
async fn matrix(
    control: &Control,
    pairs: Vec<(&'static str, Option<String>)>,
    as_csv: bool,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let mut resources: Vec<Value> = Vec::new();
    let mut rows: Vec<(Value, Vec<Value>)> = Vec::new();
    let mut resources_after: Option<String> = None;
    loop {
        let mut at = 0;
        let mut groups_after: Option<String> = None;
        let next = loop {
            let mut pairs = pairs.clone();
            pairs.push(("limit", Some("200".to_owned())));
            pairs.push(("resources_after", resources_after.clone()));
            pairs.push(("groups_after", groups_after));
            let page = control.get(&format!("/api/v1/ask/matrix{}", query(&pairs))).await?;
            if at == 0 {
                resources.extend(each(&page, "resources").cloned());
            }
            for row in each(&page, "rows") {
                let can: Vec<Value> = each(row, "can").cloned().collect();
                match rows.get_mut(at) {
                    Some((_, all)) => all.extend(can),
                    None => rows.push((row.clone(), can)),
                }
                at += 1;
            }
            let text = |name: &str| page.get(name).and_then(Value::as_str).map(str::to_owned);
            groups_after = text("next_groups");
            if groups_after.is_none() {
                break text("next_resources");
            }
        };
        resources_after = next;
        if resources_after.is_none() {
            break;
        }
        terminal.note(format!("{} resources", resources.len()));
    }
    let names: Vec<String> = resources.iter().map(|id| text(id).to_owned()).collect();
    if terminal.json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(row, can)| json!({ "of": row.get("of"), "group": row.get("group"), "members": row.get("members"), "can": can }))
            .collect();
        return terminal.json(&json!({ "resources": resources, "rows": rows }));
    }
    let headings: Vec<String> = ["who".to_owned(), "of".to_owned()].into_iter().chain(names).collect();
    let line = |(row, can): &(Value, Vec<Value>)| -> Vec<String> {
        [cell(row, "/of"), cell(row, "/members")].into_iter().chain(can.iter().map(|one| cell(one, ""))).collect()
    };
    if as_csv {
        csv(terminal, headings.into_iter());
        rows.iter().for_each(|row| csv(terminal, line(row).into_iter()));
    } else {
        let mut table = Table::new("groups", &headings.iter().map(String::as_str).collect::<Vec<_>>());
        rows.iter().for_each(|row| table.row(line(row)));
        terminal.table(&table);
    }
    Ok(())
}
