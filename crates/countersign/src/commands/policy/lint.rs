//! `policy lint`: what is allowed in policies and probably not meant, for people, programmes and code hosts.

use std::collections::BTreeSet;

use anyhow::Context as _;
use countersign_administrator::{AUDITORS, ENFORCEMENT_POINTS, LOCAL_OPERATOR, OWNERS, built_in_resources};
use countersign_model::{SubjectKind, Timestamp};
use countersign_policy::{EVERYONE, Finding, KnownNames, Severity};
use serde_json::{Value, json};

use super::annotations::{Annotation, github, gitlab};
use crate::command_line::{Global, LintFormat, PolicyLint};
use crate::commands::{Found, Misused};
use crate::configuration::Configuration;
use crate::policies;
use crate::terminal::{Terminal, Tone};

pub(super) fn lint(global: &Global, options: &PolicyLint, terminal: &Terminal) -> anyhow::Result<()> {
    let as_of = day(options.as_of.as_deref())?;
    let known = names(global)?;
    let files = policies::read(&super::directory(global, &options.policies)?)?;
    let found = countersign_policy::lint(files, as_of, known.as_ref());
    if terminal.json {
        let shown: Vec<_> = found.iter().map(of_finding).collect();
        terminal.json(&json!({"findings": shown}))?;
    } else {
        match options.format {
            LintFormat::Github => found.iter().for_each(|finding| terminal.line(github(&annotation(finding)))),
            LintFormat::Gitlab => terminal.json(&gitlab(found.iter().map(annotation)))?,
            LintFormat::Human => tell(&found, terminal),
        }
    }
    let fatal = |finding: &Finding| finding.severity == Severity::Error || options.deny.is_some();
    if found.iter().any(fatal) { Err(Found.into()) } else { Ok(()) }
}

/// The first instant of the day that reviews are held against: today, where nobody says.
pub(super) fn day(as_of: Option<&str>) -> anyhow::Result<Timestamp> {
    match as_of {
        Some(day) => format!("{day}T00:00:00Z")
            .parse::<Timestamp>()
            .with_context(|| Misused(format!("{day:?} is no date: write such as 2027-01-31"))),
        None => Ok(Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())),
    }
}

pub(super) fn of_finding(finding: &Finding) -> Value {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "file": finding.file, "line": finding.line, "severity": word, "rule": finding.rule,
        "message": finding.message, "help": finding.help,
    })
}

fn annotation(finding: &Finding) -> Annotation<'_> {
    Annotation {
        message: match &finding.help {
            Some(help) => format!("{} ({help})", finding.message),
            None => finding.message.clone(),
        },
        line: finding.line,
        error: finding.severity == Severity::Error,
        title: finding.rule,
        file: &finding.file,
    }
}

fn tell(found: &[Finding], terminal: &Terminal) {
    for finding in found {
        let (tone, word) = match finding.severity {
            Severity::Error => (Tone::Bad, "error"),
            Severity::Warning => (Tone::Attention, "warning"),
        };
        let place = format!("{}:{}", finding.file.display(), finding.line.max(1));
        terminal.line(format!(
            "{place}: {} {}",
            terminal.paint(tone, &format!("{word}[{}]:", finding.rule)),
            finding.message
        ));
        if let Some(help) = &finding.help {
            terminal.line(terminal.paint(Tone::Quiet, &format!("  {help}")));
        }
    }
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
    match found.len() {
        0 => terminal.line("nothing found"),
        _ => terminal.note(format!("{errors} errors, {} warnings", found.len() - errors)),
    }
}

/// Everything that has a name from the start or by the configuration, where there is one.
pub(super) fn names(global: &Global) -> anyhow::Result<Option<KnownNames>> {
    Ok(super::configuration(global)?.as_ref().map(names_of))
}

fn names_of(configuration: &Configuration) -> KnownNames {
    let inventory = &configuration.inventory;
    let mut known = KnownNames::default();
    let mut put = |kind, names: BTreeSet<String>| {
        known.names.insert(kind, names);
    };
    let built_in = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let groups = inventory.groups.iter().map(|group| group.id.to_string());
    put("Group", groups.chain(built_in(&[OWNERS, AUDITORS, ENFORCEMENT_POINTS, EVERYONE])).collect());
    let resources = inventory.resources.iter().map(|resource| resource.id.to_string());
    put("Resource", resources.chain(built_in_resources()).collect());
    put("Segment", inventory.segments.iter().map(|segment| segment.id.to_string()).collect());
    put("Zone", configuration.zones.keys().map(ToString::to_string).chain(built_in(&["loopback"])).collect());
    for (kind, name) in
        [(SubjectKind::Human, "Human"), (SubjectKind::Service, "Service"), (SubjectKind::Agent, "Agent")]
    {
        let ids = inventory.subjects.iter().map(|subject| &subject.id).filter(|id| id.kind() == kind);
        let operator = (kind == SubjectKind::Service).then(|| LOCAL_OPERATOR.to_owned());
        put(name, ids.map(|id| id.name().to_owned()).chain(operator).collect());
    }
    known
}
