//! `health`: the identity health check as a table, one indicator in full, or what a query selects.

use anyhow::{Context as _, bail};
use countersign_assess::{Checked, Evidence, Filter, Finding, HealthCheck, Outcome, Parameters, View, fields};
use countersign_estate::{Inventory, Node};
use countersign_model::Timestamp;
use serde_json::{Value, json};

use super::Found;
use super::answer::csv;
use super::estate::open::{dates, open};
use super::estate::{shown, word};
use super::work::Work;
use crate::command_line::{Health, Which};
use crate::control::Control;
use crate::terminal::{Table, Terminal, Tone, plain};

type Report = countersign_assess::Health;

/// Findings that a person is shown of one indicator.
const TABLE: usize = 50;

/// What each finding is on a line of comma-separated values.
pub(super) const FINDINGS: [&str; 12] =
    ["indicator", "severity", "title", "key", "name", "says", "source", "file", "place", "sha256", "seen", "remedy"];

pub(super) async fn health(
    control: impl Fn() -> anyhow::Result<Control>,
    options: Health,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let Health { looked, as_of, indicator, query, shown } = options;
    let work = Work::begin(terminal);
    let (as_of, at) = dates(as_of);
    let inventory = open(&Which::from(looked), at, control, &work, terminal).await?;
    if let Some(query) = query {
        return selected(&inventory, &query, as_of, &shown, &work, terminal);
    }
    let report = work.run(|| {
        work.doing("building the graph");
        let projection = inventory.project()?;
        work.doing("checking");
        let parameters = Parameters::default();
        let view = View::new(&inventory, &projection, &parameters, as_of);
        Ok(HealthCheck::new(parameters)?.check(&view))
    })?;
    match indicator {
        Some(id) => {
            let one = one(&report, &id)?;
            tell_one(one, &shown, terminal)?;
            ended(std::slice::from_ref(one))
        }
        None => {
            tell(&report, &shown, terminal)?;
            ended(&report.indicators)
        }
    }
}

/// Something wrong was found, or not.
fn ended(indicators: &[Checked]) -> anyhow::Result<()> {
    if indicators.iter().any(|one| one.outcome == Outcome::Found) { Err(Found.into()) } else { Ok(()) }
}

fn one<'r>(report: &'r Report, id: &str) -> anyhow::Result<&'r Checked> {
    report.indicators.iter().find(|one| one.id == id).with_context(|| {
        let ids = report.indicators.iter().map(|one| one.id);
        match crate::configuration::nearest(id, ids.clone()).or_else(|| ids.clone().find(|known| known.contains(id))) {
            Some(near) => format!("{id:?} is no indicator; did you mean {near}?"),
            None => format!("{id:?} is no indicator; there are {}", ids.collect::<Vec<_>>().join(", ")),
        }
    })
}

fn tell(report: &Report, shown: &crate::command_line::Shown, terminal: &Terminal) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(report);
    }
    if shown.csv {
        csv(terminal, FINDINGS.iter().map(|heading| (*heading).to_owned()));
        for one in &report.indicators {
            lines(one).for_each(|line| csv(terminal, line.into_iter()));
        }
        return Ok(());
    }
    if report.sources.is_empty() {
        bail!("the estate is empty: there is nobody to check");
    }
    let mut table = Table::new("findings", &["severity", "indicator", "found", "not known", "of", "id"]);
    let told = |outcome: Outcome| matches!(outcome, Outcome::Found | Outcome::NotAssessed);
    for one in report.indicators.iter().filter(|one| told(one.outcome)) {
        let found = if one.outcome == Outcome::Found { one.found.to_string() } else { "–".to_owned() };
        table.row([
            word(one.severity),
            one.title.clone(),
            found,
            one.not_assessed.to_string(),
            one.population.to_string(),
            one.id.to_owned(),
        ]);
    }
    terminal.table(&table);
    let count = |outcome: Outcome| report.indicators.iter().filter(|one| one.outcome == outcome).count();
    terminal.note(format!(
        "as of {}, from {} sources: {} with findings, {} not assessed whole, {} passed, {} that concern nobody here",
        report.as_of,
        report.sources.len(),
        count(Outcome::Found),
        count(Outcome::NotAssessed),
        count(Outcome::Passed),
        count(Outcome::NotApplicable),
    ));
    terminal.note("--indicator ID has the accounts of one, with evidence and remedy; --csv those of all");
    Ok(())
}

/// One line for each piece of evidence, and at least one for each finding.
pub(super) fn lines(one: &Checked) -> impl Iterator<Item = Vec<String>> {
    one.findings.iter().flat_map(move |finding| {
        let line = move |rest: [String; 6]| -> Vec<String> {
            let head =
                [one.id.to_owned(), word(one.severity), one.title.clone(), finding.key.clone(), finding.name.clone()];
            head.into_iter().chain(rest).chain([one.remedy.clone()]).collect()
        };
        let evidence = finding.evidence.iter().map(move |evidence| {
            line([
                evidence.says.clone(),
                evidence.source.clone(),
                evidence.file.clone(),
                evidence.place.clone(),
                evidence.sha256.clone(),
                evidence.seen.to_string(),
            ])
        });
        let none = finding.evidence.is_empty().then(|| line(Default::default()));
        none.into_iter().chain(evidence)
    })
}

/// What each finding is on the one line that it has in a report: what shows it first, and how much more does.
pub(super) const BRIEF: [&str; 9] =
    ["indicator", "severity", "title", "key", "name", "says", "file", "place", "more evidence"];

pub(super) fn brief(one: &Checked) -> impl Iterator<Item = [String; BRIEF.len()]> {
    one.findings.iter().map(|finding| {
        let first = finding.evidence.first();
        let told = |what: fn(&Evidence) -> &String| first.map(what).cloned().unwrap_or_default();
        [
            one.id.to_owned(),
            word(one.severity),
            one.title.clone(),
            finding.key.clone(),
            finding.name.clone(),
            told(|evidence| &evidence.says),
            told(|evidence| &evidence.file),
            told(|evidence| &evidence.place),
            finding.evidence.len().saturating_sub(1).to_string(),
        ]
    })
}

fn tell_one(one: &Checked, shown: &crate::command_line::Shown, terminal: &Terminal) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(one);
    }
    if shown.csv {
        csv(terminal, FINDINGS.iter().map(|heading| (*heading).to_owned()));
        lines(one).for_each(|line| csv(terminal, line.into_iter()));
        return Ok(());
    }
    terminal.line(terminal.paint(Tone::Strong, &one.title));
    terminal.line(&one.meaning);
    terminal.line(format!(
        "{} found, {} passed, {} not assessed, of {}",
        one.found, one.passed, one.not_assessed, one.population
    ));
    for reason in &one.reasons {
        terminal.line(format!("not assessed: {} × {}", reason.count, reason.why));
    }
    terminal.line(format!("what to do: {}", one.remedy));
    terminal.line(format!("query: {}", one.query));
    let most = shown.limit.unwrap_or(TABLE);
    for finding in one.findings.iter().take(most) {
        terminal.line("");
        terminal.line(format!("{} ({})", terminal.paint(Tone::Strong, &plain(&finding.name)), plain(&finding.key)));
        tell_evidence(finding, terminal);
    }
    if one.findings.len() > most {
        terminal
            .note(format!("the first {most} of {} are shown: --limit, --csv or --json shows more", one.findings.len()));
    }
    Ok(())
}

fn tell_evidence(finding: &Finding, terminal: &Terminal) {
    for evidence in &finding.evidence {
        let place = format!("{}, {}", evidence.file, evidence.place);
        terminal.line(format!("  {}  {}", plain(&evidence.says), terminal.paint(Tone::Quiet, &plain(&place))));
    }
}

/// A query as somebody typed it; of a mistaken field the likely one is said.
pub(super) fn filter(query: &str) -> anyhow::Result<Filter> {
    Filter::parse(query).map_err(|fault| {
        let (found, names) = (fault.found.trim_matches('`'), fields().map(|(name, ..)| name));
        let advice = match crate::configuration::nearest(found, names) {
            Some(near) if near != found => format!("; did you mean {near}?"),
            _ => "; docs/health.md has every field".to_owned(),
        };
        anyhow::anyhow!("the query {query:?} cannot be read: {fault}{advice}")
    })
}

fn selected(
    inventory: &Inventory,
    query: &str,
    as_of: Timestamp,
    options: &crate::command_line::Shown,
    work: &Work,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let filter = filter(query)?;
    let (rows, untold) = work.run(|| {
        work.doing("asking");
        let projection = inventory.project()?;
        let view = View::new(inventory, &projection, &Parameters::default(), as_of);
        let (matching, untold) = filter.select(&view, as_of);
        let row = |key: &&str| {
            let node = inventory.node(key);
            json!({"key": key, "name": node.map(Node::name), "kind": node.map(Node::kind)})
        };
        let rows: Vec<Value> = matching.iter().map(row).collect();
        Ok((rows, untold.len()))
    })?;
    let most = options.limit.unwrap_or(if options.csv || terminal.json { usize::MAX } else { 100 });
    let columns = [("name", "/name"), ("kind", "/kind"), ("key", "/key")];
    shown(terminal, "entries that the query selects", rows.get(..most).unwrap_or(&rows), &columns, options.csv)?;
    terminal.note(format!("{} selected; of {untold} it cannot be told", rows.len()));
    if rows.is_empty() { Err(Found.into()) } else { Ok(()) }
}
