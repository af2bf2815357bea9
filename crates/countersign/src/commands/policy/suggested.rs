//! What `policy suggest` proposes, as a person reads it.

use countersign_model::Timestamp;
use countersign_policy::Demand;
use countersign_replay::{Rare, Refusal, Suggestion, UnusedGroup, Used};

use super::suggest::day;
use crate::command_line::PolicySuggest;
use crate::commands::answer::count;
use crate::terminal::{Table, Terminal, Tone};

/// Lines of one list that a person reads through; JSON has all of them.
const LINES: usize = 40;

pub(super) fn tell(found: &Suggestion, options: &PolicySuggest, terminal: &Terminal) {
    let attention = |text: String| terminal.line(terminal.paint(Tone::Attention, &text));
    covered(found)
        .into_iter()
        .enumerate()
        .for_each(|(at, line)| if at == 0 { terminal.line(line) } else { attention(line) });
    used(found, terminal);
    taken(found, terminal);
    unused(found, terminal);
    for (what, refusals) in [
        ("given at the time, and refused by these policies as they are", &found.refused_now),
        ("let through by observe mode, and refused when it ends (a permit cannot help)", &found.still_refused),
    ] {
        refused(what, refusals, terminal);
    }
    proposed(found, options, terminal);
    checked(found, terminal);
}

fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.to_string())
}

/// What it speaks about, and what it says nothing about.
fn covered(found: &Suggestion) -> Vec<String> {
    let (window, counted) = (&found.window, &found.counted);
    let mut lines = vec![format!(
        "{} uses from {} to {}, among {} recorded decisions",
        counted.uses,
        instant(window.first_decision),
        instant(window.last_decision),
        counted.decisions
    )];
    if window.short {
        lines.push(format!(
            "the ledger begins on {}, later than asked for: nothing is taken away for not being used. Leave out --since, or ask for \
             less, to go by what is there",
            instant(window.begins)
        ));
    }
    for (count, what) in [
        (
            counted.unknown,
            "are unknown and were skipped: the facts that they were made on are not recorded or not at hand",
        ),
        (counted.own, "were of Countersign's own pages, which stay as they are"),
        (counted.left_out, "were of what is left out, which stays as it is"),
        (counted.again, "were decisions made again while an access lasted, and count once"),
    ] {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    }
    if window.archived > 0 && window.first_entry <= window.archived {
        lines.push(format!(
            "{} older entries are archived and were not read: --archive says where they are",
            window.archived
        ));
    }
    if !found.members_known {
        lines.push(
            "members of groups are those whom the ledger has seen: whoever asked for nothing is not counted".to_owned(),
        );
    }
    lines
}

fn limited<T>(all: &[T], terminal: &Terminal, what: &str, headings: &[&str], row: impl Fn(&T) -> Vec<String>) {
    let mut table = Table::new(what, headings);
    all.iter().take(LINES).for_each(|one| table.row(row(one)));
    terminal.table(&table);
    if all.len() > LINES {
        terminal.line(terminal.paint(Tone::Quiet, &format!("and {} more: --json has all", all.len() - LINES)));
    }
}

fn heading(text: &str, terminal: &Terminal) {
    terminal.line("");
    terminal.line(terminal.paint(Tone::Strong, text));
}

/// Whom it is proposed for.
fn whom(used: &Used) -> String {
    if used.anybody {
        return format!("any {}", used.kind);
    }
    let groups = used.cover.groups.iter().map(|share| format!("{} ({} of {})", share.group, share.used, share.members));
    let people = used.cover.people.iter().map(ToString::to_string);
    let exact = if used.cover.exact { "" } else { " (not the best choice of groups for certain)" };
    groups.chain(people).collect::<Vec<_>>().join(", ") + exact
}

fn notes(used: &Used) -> String {
    let rare = used.rare.map(|rare| match rare {
        Rare::Seldom => "seldom used",
        Rare::ByOne => "used by one only",
    });
    let permit = used.unpermitted.then_some("a new permit: only observe mode let it through");
    rare.into_iter().chain(permit).collect::<Vec<_>>().join("; ")
}

fn used(found: &Suggestion, terminal: &Terminal) {
    heading("Used, and what would be left", terminal);
    let rows: Vec<_> = found.resources.iter().flat_map(|at| at.used.iter().map(move |used| (at, used))).collect();
    let headings = ["resource", "who", "action", "uses", "by", "last", "for", "asks for", ""];
    limited(&rows, terminal, "uses", &headings, |(at, used)| {
        let demands: Vec<String> = used.demands.iter().map(Demand::words).collect();
        let demands = if demands.is_empty() { "what it asked for".to_owned() } else { demands.join(", ") };
        let numbers = [used.uses.to_string(), used.subjects.to_string(), day(used.last)];
        let before = [at.resource.to_string(), used.kind.to_string(), used.class.name().to_owned()];
        before.into_iter().chain(numbers).chain([whom(used), demands, notes(used)]).collect()
    });
}

fn taken(found: &Suggestion, terminal: &Terminal) {
    let rows: Vec<_> =
        found.resources.iter().flat_map(|at| at.taken.iter().flatten().map(move |taken| (at, taken))).collect();
    let unknown = found.resources.iter().any(|at| !at.policies.is_empty() && at.taken.is_none());
    heading("Would be taken away, from those who could do it as others did", terminal);
    if unknown {
        terminal.line("not counted: there are too many to look at each");
        return;
    }
    limited(
        &rows,
        terminal,
        "access that would be taken away",
        &["resource", "action", "from", "such as"],
        |(at, taken)| {
            let examples: Vec<String> = taken.examples.iter().map(ToString::to_string).collect();
            vec![
                at.resource.to_string(),
                taken.class.name().to_owned(),
                taken.subjects.to_string(),
                examples.join(", "),
            ]
        },
    );
}

fn unused(found: &Suggestion, terminal: &Terminal) {
    heading("Granted and not used by all", terminal);
    let headings = ["resource", "as", "group", "members", "came", "used it", "last came"];
    limited(
        &found.unused_groups,
        terminal,
        "group that a resource names and that did not use it",
        &headings,
        |row: &UnusedGroup| {
            let numbers = [row.members, row.came, row.used].map(|count| count.to_string());
            let before = [row.resource.to_string(), row.right.name().to_owned(), row.group.to_string()];
            before.into_iter().chain(numbers).chain([row.last.map_or_else(|| "never".to_owned(), day)]).collect()
        },
    );
    if !found.unused_permits.is_empty() {
        let names: Vec<String> = found.unused_permits.iter().map(ToString::to_string).collect();
        let mut table = Table::new("permits", &["permits that permitted nothing"]);
        names.iter().take(LINES).for_each(|name| table.row([name]));
        terminal.table(&table);
    }
}

fn refused(what: &str, refusals: &[Refusal], terminal: &Terminal) {
    if refusals.is_empty() {
        return;
    }
    heading(what, terminal);
    limited(refusals, terminal, what, &["resource", "by", "uses", "who", "last"], |refusal| {
        let by = refusal.policy.as_ref().map_or_else(|| "no permit".to_owned(), ToString::to_string);
        let who: Vec<String> = refusal.subjects.iter().take(5).map(ToString::to_string).collect();
        let more = refusal.subjects.len().saturating_sub(5);
        let who = if more > 0 { format!("{} and {more} more", who.join(", ")) } else { who.join(", ") };
        vec![refusal.resource.to_string(), by, refusal.uses.to_string(), who, day(refusal.last)]
    });
}

fn proposed(found: &Suggestion, options: &PolicySuggest, terminal: &Terminal) {
    terminal.line("");
    let Some(written) = &found.written else {
        terminal.line("nothing is proposed: the policies stay as they are");
        return;
    };
    let mode = if options.observe { ", in observe mode" } else { "" };
    let policies = count(usize::try_from(written.policies).unwrap_or(usize::MAX), "policy", "policies");
    match &options.out {
        Some(directory) => terminal.line(format!(
            "{policies} proposed{mode}: {} in {}, beside the policies as they are",
            written.name,
            directory.display()
        )),
        None => {
            let text = format!("The change: {policies}{mode}, a new file {}", written.name);
            terminal.line(terminal.paint(Tone::Strong, &text));
            // A name keeps what it has to itself: Cedar writes nothing that is not plain text.
            written.text.lines().for_each(|line| terminal.line(terminal.paint(Tone::Good, &format!("+{line}"))));
        }
    }
    for finding in &written.findings {
        terminal.line(terminal.paint(Tone::Attention, &format!("lint: {finding}")));
    }
}

fn checked(found: &Suggestion, terminal: &Terminal) {
    let check = &found.check;
    let (tone, words) = match check.lost {
        0 => (Tone::Good, format!("replay: {} decisions, no recorded use is refused", check.replay.covered.replayed)),
        lost => (Tone::Bad, format!("replay: {lost} recorded uses would be refused, which is a fault of Countersign")),
    };
    terminal.line("");
    terminal.line(terminal.paint(tone, &words));
    let (allowed, more) = (&check.replay.newly_allowed.all, &check.enforced);
    if allowed.count > 0 {
        terminal.line(format!("{} decisions that were refused would be allowed", allowed.count));
    }
    if found.counted.let_through > 0 {
        let tone = if more.denied > 0 { Tone::Bad } else { Tone::Good };
        let words = format!(
            "of {} that observe mode let through, when it ends: {} allowed, {} challenged, {} denied",
            found.counted.let_through, more.allowed, more.challenged, more.denied
        );
        terminal.line(terminal.paint(tone, &words));
    }
}
