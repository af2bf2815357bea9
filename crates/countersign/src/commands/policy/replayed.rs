//! What a replay found, as a person reads it on a terminal, and as Markdown for a pull request.

use std::fmt::Write as _;

use countersign_model::Timestamp;
use countersign_replay::{Changes, Part, Report, Tally, Unchanged};
use countersign_web::wire::{ReplayEnding, ReplayLive};

use super::markdown::{Block, Page, code, fold};
use super::replay::Found;
use crate::terminal::{Table, Terminal, Tone};

/// Lines of one list that a person reads through; JSON has all of them.
const LINES: usize = 20;

fn outcomes(report: &Report) -> [(&'static str, &Changes); 3] {
    [
        ("newly denied", &report.newly_denied),
        ("newly challenged", &report.newly_challenged),
        ("newly allowed", &report.newly_allowed),
    ]
}

fn lists(changes: &Changes) -> [(&'static str, &[Part]); 3] {
    [("who", &changes.people), ("resource", &changes.resources), ("policy", &changes.policies)]
}

fn name(part: &Part) -> String {
    match part.how {
        Some(how) => format!("{} {}", part.name, how.words()),
        None => part.name.clone(),
    }
}

fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.to_string())
}

fn examples(tally: &Tally) -> String {
    tally.examples.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// In words, without those of which there is none.
fn were(counts: &Unchanged) -> String {
    let all = [("allowed", counts.allowed), ("challenged", counts.challenged), ("denied", counts.denied)];
    let some: Vec<String> =
        all.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
    some.join(", ")
}

/// What the report covers, and what it says nothing about.
fn covered(report: &Report) -> Vec<String> {
    let covered = &report.covered;
    let mut lines = vec![format!(
        "{} of {} recorded decisions, from {} to {}, decided again under the policies {}",
        covered.replayed,
        covered.decisions,
        instant(covered.first),
        instant(covered.last),
        report.proposed.get(..12).unwrap_or(&report.proposed),
    )];
    if covered.before_policies > 0 {
        lines.push(format!(
            "{} were denied before any policy was asked (no valid credential, no such resource, …): that stays so",
            covered.before_policies
        ));
    }
    if covered.unknown > 0 {
        lines.push(format!(
            "of {} it is unknown: the facts that they were made on are not recorded or not at hand",
            covered.unknown
        ));
    }
    if covered.archived > 0 {
        lines.push(format!(
            "{} older entries are archived and were not read: --archive says where they are",
            covered.archived
        ));
    }
    lines
}

fn unchanged(report: &Report) -> String {
    let counts = &report.unchanged;
    let all = counts.allowed + counts.challenged + counts.denied;
    if all == 0 { "unchanged: none".to_owned() } else { format!("unchanged: {all} ({})", were(counts)) }
}

pub(super) fn tell(found: &Found, terminal: &Terminal) {
    let report = &found.report;
    let mut lines = covered(report).into_iter();
    terminal.line(lines.next().unwrap_or_default());
    lines.for_each(|line| terminal.line(terminal.paint(Tone::Attention, &line)));
    terminal.line(unchanged(report));
    for (what, changes) in outcomes(report) {
        let count = changes.all.count;
        if count == 0 {
            terminal.line(terminal.paint(Tone::Quiet, &format!("{what}: none")));
            continue;
        }
        terminal.line("");
        let tone = if what == "newly allowed" { Tone::Attention } else { Tone::Bad };
        terminal.line(terminal.paint(tone, &format!("{what}: {count} (were {})", were(&changes.were))));
        for (heading, parts) in lists(changes) {
            let mut table = Table::new(heading, &[heading, "count", "first", "last", "decisions"]);
            for part in parts.iter().take(LINES) {
                let Tally { count, first, last, .. } = &part.tally;
                table.row([name(part), count.to_string(), instant(*first), instant(*last), examples(&part.tally)]);
            }
            terminal.table(&table);
            if parts.len() > LINES {
                terminal
                    .line(terminal.paint(Tone::Quiet, &format!("and {} more: --json has all", parts.len() - LINES)));
            }
        }
    }
    if let Some(live) = &found.live {
        tell_live(live, terminal);
    }
}

fn ending(ending: &ReplayEnding) -> String {
    let asked = ending.lease.request.as_deref().unwrap_or(&ending.lease.action);
    format!("{} ({asked})", ending.lease.resource)
}

/// In words: nothing, or how many are cut.
fn cut(live: &ReplayLive) -> String {
    match live.leases - live.kept.min(live.leases) {
        0 => format!("of {} that are open now all stay", live.leases),
        cut => format!("of {} that are open now {cut} would be cut", live.leases),
    }
}

fn tell_live(live: &ReplayLive, terminal: &Terminal) {
    terminal.line("");
    let tone = if live.kept < live.leases { Tone::Bad } else { Tone::Plain };
    terminal.line(terminal.paint(tone, &cut(live)));
    if live.sessions.is_empty() {
        return;
    }
    let headings = ["session", "who", "cut at once", "denied", "challenged", "allowed"];
    let mut table = Table::new("sessions", &headings);
    for it in live.sessions.iter().take(LINES) {
        let ends: Vec<String> = it.ends.iter().map(ending).collect();
        let counts = [it.newly_denied, it.newly_challenged, it.newly_allowed].map(|count| count.to_string());
        let row = [it.session.to_string(), it.subject.to_string(), ends.join(", ")];
        table.row(row.into_iter().chain(counts));
    }
    terminal.table(&table);
    if live.sessions.len() > LINES {
        terminal
            .line(terminal.paint(Tone::Quiet, &format!("and {} more: --json has all", live.sessions.len() - LINES)));
    }
}

/// How a replay is told in Markdown.
pub(super) struct Telling {
    /// People and decisions by their names, or only how many.
    pub(super) names: bool,
    /// Lines of one list.
    pub(super) lines: usize,
}

pub(super) fn markdown(found: &Found) -> String {
    let mut page = Page::default();
    page.section(
        "Replay of recorded decisions",
        usize::MAX / 2,
        &blocks(found, &Telling { names: true, lines: LINES }),
    );
    page.finish().trim_start().to_owned()
}

pub(super) fn blocks(found: &Found, telling: &Telling) -> Vec<Block> {
    let report = &found.report;
    let mut blocks = vec![Block::Text(covered(report).iter().map(|line| format!("{line}.  \n")).collect())];
    let all = report.unchanged.allowed + report.unchanged.challenged + report.unchanged.denied;
    let row = |(what, changes): (&str, &Changes)| {
        let Tally { count, first, last, .. } = &changes.all;
        let (subjects, resources) = (changes.people.len(), changes.resources.len());
        format!("| **{what}** | {count} | {subjects} | {resources} | {} | {} |", instant(*first), instant(*last))
    };
    let rows = outcomes(report).into_iter().map(row).chain([format!("| unchanged | {all} | | | | |")]).collect();
    let head = "| | decisions | subjects | resources | first | last |\n|---|---:|---:|---:|---|---|".to_owned();
    blocks.push(Block::Table { head, rows });
    for (what, changes) in outcomes(report).into_iter().filter(|(_, changes)| changes.all.count > 0) {
        let mut inside = String::new();
        for (heading, parts) in lists(changes) {
            if heading == "who" && !telling.names {
                let _ = write!(inside, "\n{} who asked, not named here.\n", parts.len());
                continue;
            }
            let _ = write!(inside, "\n| {heading} | decisions | first | last | examples |\n|---|---:|---|---|---|\n");
            for part in parts.iter().take(telling.lines) {
                let Tally { count, first, last, examples } = &part.tally;
                let how = part.how.map(|how| format!(" {}", how.words())).unwrap_or_default();
                let examples: Vec<String> = match telling.names {
                    true => examples.iter().map(|id| format!("`{id}`")).collect(),
                    false => Vec::new(),
                };
                let (first, last) = (instant(*first), instant(*last));
                let _ = writeln!(
                    inside,
                    "| {}{how} | {count} | {first} | {last} | {} |",
                    code(&part.name),
                    examples.join(" ")
                );
            }
            if parts.len() > telling.lines {
                let _ = writeln!(inside, "| and {} more | | | | |", parts.len() - telling.lines);
            }
        }
        let summary = format!("{what}: {} (were {})", changes.all.count, were(&changes.were));
        blocks.push(fold(&summary, &inside));
    }
    if let Some(live) = &found.live {
        let sessions = live.sessions.len();
        blocks.push(Block::Text(format!(
            "**Now:** {}; something would be otherwise in {sessions} sessions.\n",
            cut(live)
        )));
    }
    blocks
}
