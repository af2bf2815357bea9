//! `gaps` and `metrics`: how much of Zero Trust is in place, what to do next, and the figures that tell whether it works; of exports,
//! of a saved estate, or of the server's. What no inventory has the server tells, or a file, or it is not assessed. What is done about
//! the gaps of the server's is in `gaps/doing.rs`.

mod doing;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use countersign_assess::{
    Area, Assessment, Figure, Interval, Measured, Metric, Own, Parameters, Since, Snapshot, State, Step, csv, markdown,
    prometheus,
};
use serde_json::json;

use super::Found;
use super::answer;
use super::estate::open::{dates, open, own};
use super::work::Work;
use crate::command_line::{Assessed, Gaps, GapsShown, Metrics, Which};
use crate::control::Control;
use crate::terminal::{Table, Terminal, Tone, plain};

pub(super) async fn gaps(
    control: impl Fn() -> anyhow::Result<Control>,
    options: Gaps,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    match options.command {
        Some(command) => doing::act(&control()?, command, terminal).await,
        None => show(control, options.shown, terminal).await,
    }
}

async fn show(
    control: impl Fn() -> anyhow::Result<Control>,
    options: GapsShown,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    // What is mistaken is said before anything is computed.
    let before = options.before.as_deref().map(kept).transpose()?;
    let mut assessment = assess(control, options.assessed, terminal).await?;
    if let Some(path) = &options.snapshot {
        keep(path, &Snapshot::of(&assessment))?;
    }
    let since = before.map(|before| Snapshot::of(&assessment).since(&before));
    if let Some(area) = &options.area {
        narrow(&mut assessment, area)?;
    }
    let Assessment { gaps, steps, .. } = &assessment;
    if terminal.json {
        terminal.json(&json!({"as-of": assessment.as_of, "gaps": gaps, "steps": steps, "since": since}))?;
    } else if options.csv {
        csv(steps).lines().for_each(|line| terminal.line(line));
    } else if options.markdown {
        markdown(steps).lines().for_each(|line| terminal.line(line));
    } else {
        tell(&assessment, options.top, terminal);
        if let Some(since) = &since {
            tell_since(since, terminal);
        }
    }
    if gaps.controls().all(|control| control.state == State::InPlace) { Ok(()) } else { Err(Found.into()) }
}

pub(super) async fn metrics(
    control: impl Fn() -> anyhow::Result<Control>,
    options: Metrics,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let assessment = assess(control, options.assessed, terminal).await?;
    let metrics = &assessment.metrics;
    if terminal.json {
        return terminal.json(&json!({"as-of": assessment.as_of, "metrics": metrics}));
    }
    if options.prometheus {
        prometheus(metrics).lines().for_each(|line| terminal.line(line));
        return Ok(());
    }
    let headings = ["metric", "of", "at least", "at most", "unit", "not assessed"];
    if options.csv {
        answer::csv(terminal, headings.iter().map(|heading| (*heading).to_owned()));
        rows(metrics).for_each(|row| answer::csv(terminal, row.into_iter()));
        return Ok(());
    }
    if options.markdown {
        terminal.line(format!("| {} |", headings.join(" | ")));
        terminal.line(format!("|{}", "---|".repeat(headings.len())));
        rows(metrics).for_each(|row| terminal.line(format!("| {} |", row.map(|cell| escaped(&cell)).join(" | "))));
        return Ok(());
    }
    let mut table = Table::new("metrics", &["metric", "value", "unit"]);
    for metric in metrics {
        let value = metric.value.map_or_else(|| "–".to_owned(), figure);
        table.row([metric.title.to_owned(), value, metric.unit.to_owned()]);
    }
    terminal.table(&table);
    let without = metrics.iter().filter(|metric| metric.value.is_none()).count();
    terminal.note(format!(
        "as of {}; {without} of {} cannot be told: --json says why",
        assessment.as_of,
        metrics.len()
    ));
    Ok(())
}

async fn assess(
    control: impl Fn() -> anyhow::Result<Control>,
    assessed: Assessed,
    terminal: &Terminal,
) -> anyhow::Result<Assessment> {
    let Assessed { looked, as_of, told } = assessed;
    let by_file = told.as_deref().map(told_by_file).transpose()?;
    let (work, which) = (Work::begin(terminal), Which::from(looked));
    // Whoever tells by a file means what stands in it, and nothing else.
    let by_server = if by_file.is_some() { None } else { own(&which, &control, &work).await? };
    let (as_of, at) = dates(as_of.or(by_server.as_ref().map(|(now, _)| *now)));
    let inventory = open(&which, at, &control, &work, terminal).await?;
    let own = by_file.or(by_server.map(|(_, own)| own)).unwrap_or_default();
    work.run(|| {
        work.doing("building the graph");
        let projection = inventory.project()?;
        work.doing("checking");
        let mut watch = work.computing("following everybody");
        Ok(Assessment::watched(&inventory, &projection, &own, &Parameters::default(), as_of, &mut watch)?)
    })
}

fn told_by_file(path: &Path) -> anyhow::Result<Own> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} does not say what docs/gaps.md describes", path.display()))
}

fn kept(path: &Path) -> anyhow::Result<Snapshot> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Snapshot::from_bytes(&bytes).with_context(|| path.display().to_string())
}

fn keep(path: &Path, snapshot: &Snapshot) -> anyhow::Result<()> {
    fs::write(path, snapshot.to_bytes()?).with_context(|| format!("{} cannot be written", path.display()))
}

fn narrow(assessment: &mut Assessment, area: &str) -> anyhow::Result<()> {
    let known: Vec<&str> = assessment.gaps.areas.iter().map(|area| area.id).collect();
    if !known.contains(&area) {
        match crate::configuration::nearest(area, known.iter().copied()) {
            Some(near) => bail!("{area:?} is no area; did you mean {near}?"),
            None => bail!("{area:?} is no area; there are {}", known.join(", ")),
        }
    }
    assessment.gaps.areas.retain(|one| one.id == area);
    assessment.steps.retain(|step| step.area == area);
    Ok(())
}

fn tell(assessment: &Assessment, top: usize, terminal: &Terminal) {
    let Assessment { gaps, steps, .. } = assessment;
    for area in gaps.weakest_first() {
        terminal.line(terminal.paint(Tone::Strong, area.title));
        terminal.line(format!("  {}, {}", area.score, stage(area)));
        let mut table = Table::new("controls", &["control", "state", "score", "weakest indicator"]);
        for control in &area.controls {
            let weakest = control.measured.iter().filter(|one| one.state.is_some());
            let weakest = weakest.min_by(|one, other| one.score.at_least.total_cmp(&other.score.at_least));
            let attested = control.attested.as_ref().map(|word| format!("attested by {}", plain(&word.by)));
            let lapsed = control.lapsed.as_ref().map(|word| format!("attested until {}", word.until));
            let why = attested.or(weakest.map(indicator)).or(lapsed).unwrap_or_else(|| "nobody attests it".to_owned());
            table.row([control.title.to_owned(), control.state.name().to_owned(), control.score.to_string(), why]);
        }
        terminal.table(&table);
        terminal.line("");
    }
    terminal.line(terminal.paint(Tone::Strong, "What to do next"));
    for (number, step) in (1..).zip(steps.iter().take(top)) {
        tell_step(number, step, terminal);
    }
    terminal.line("");
    terminal.note(format!("as of {}: the whole is {}", assessment.as_of, gaps.score));
    if let Some(sequence) = gaps.earliest_skipped {
        terminal.note(format!("the earliest step of the right order that does not stand: {}", sequence.name()));
    }
    if steps.len() > top {
        terminal.note(format!("{} more steps: --top N, --csv, --markdown or --json", steps.len() - top));
    }
}

fn tell_step(number: usize, step: &Step, terminal: &Terminal) {
    let count = if step.count > 0 { format!(" ({})", step.count) } else { String::new() };
    let cut = step.radius.as_ref().filter(|radius| radius.after < radius.before);
    let cut = cut.map(|radius| format!("; reach tier zero {} → {}", radius.before, radius.after)).unwrap_or_default();
    let owner = step.owner.as_deref().map(|owner| format!("; {}", plain(owner))).unwrap_or_default();
    let late = if step.overdue { terminal.paint(Tone::Attention, "; overdue") } else { String::new() };
    terminal.line(format!("{number:>3}. {}{count}", step.title));
    terminal.line(format!("     +{}{cut}; effort {}{owner}{late}", gain(step.gain), step.effort.name()));
    terminal.line(format!("     {}", step.remedy));
}

fn tell_since(since: &Since, terminal: &Terminal) {
    terminal.line("");
    terminal.line(terminal.paint(Tone::Strong, &format!("Since {}", since.before)));
    terminal.line(format!("  score {} → {}", since.score.before, since.score.now));
    for moved in &since.controls {
        terminal.line(format!("  {}: {} → {}", plain(&moved.id), moved.before.name(), moved.now.name()));
    }
    for moved in &since.findings {
        terminal.line(format!("  {}: {} → {} found", plain(&moved.id), moved.before, moved.now));
    }
    for (what, steps) in [("closed", &since.closed), ("opened", &since.opened)] {
        for step in steps {
            terminal.line(format!("  {what}: {}", plain(step)));
        }
    }
}

fn stage(area: &Area) -> String {
    match area.gating {
        Some(gating) => format!("{}: held there by {gating}", area.stage.name()),
        None => area.stage.name().to_owned(),
    }
}

fn indicator(measured: &Measured) -> String {
    match measured.population {
        0 => format!("{}: not assessed", measured.title),
        of => format!("{}: {} of {of}, {} assessed", measured.title, measured.numerator, measured.assessed),
    }
}

/// Points of score.
fn gain(gain: Interval) -> String {
    match (format!("{:.1}", gain.at_least), format!("{:.1}", gain.at_most)) {
        (least, most) if least == most => format!("{least} points"),
        (least, most) => format!("{least} to {most} points"),
    }
}

fn figure(figure: Figure) -> String {
    match figure {
        Figure::Number(number) => number.to_string(),
        Figure::Share(share) => share.to_string(),
    }
}

/// One for each metric and each of its parts.
fn rows(metrics: &[Metric]) -> impl Iterator<Item = [String; 6]> {
    metrics.iter().flat_map(|metric| {
        let row = move |of: &str, value: Option<Figure>| {
            let (least, most) = match value {
                Some(Figure::Number(number)) => (number.to_string(), number.to_string()),
                Some(Figure::Share(share)) => (share.at_least.to_string(), share.at_most.to_string()),
                None => (String::new(), String::new()),
            };
            let why = metric.why_not_assessed.unwrap_or_default().to_owned();
            [metric.id.to_owned(), of.to_owned(), least, most, metric.unit.to_owned(), why]
        };
        let parts = metric.by.iter().map(move |(of, value)| row(of, Some(*value)));
        std::iter::once(row("", metric.value)).chain(parts)
    })
}

/// Names of segments come from people.
fn escaped(cell: &str) -> String {
    plain(cell).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
}
