//! What to do, in order.

use countersign_assess::{Step, StepKind};

use super::SHOWN;
use crate::document::{Block, Chart, Column, Item, Section, Table, Text};
use crate::drawing::{Bar, Paint, bars};
use crate::text::{counted, date, decimal, grouped, percents};

pub(super) fn section(steps: &[Step]) -> Section {
    let intro = "In the order in which they should be done: what others rest on first, then by what they gain. The gain is counted, by \
                 asking again as if the step were done; so is the effect on who reaches tier zero.";
    let mut blocks = vec![Block::Text(intro.into())];
    blocks.extend(chart(steps));
    let of = |kind: StepKind| steps.iter().enumerate().filter(move |(_, step)| step.kind == kind);
    let mend = table(of(StepKind::Mend), "to mend, the next one first");
    if mend.rows.is_empty() {
        blocks.push(Block::Text("Nothing that was assessed asks for a step.".into()));
    } else {
        blocks.push(Block::Table(mend));
    }
    let assess = table(of(StepKind::Assess), "to find out about: what is right is not known either");
    if !assess.rows.is_empty() {
        let title = format!("What to find out: {}", grouped(assess.rows.len() as u64));
        blocks.push(Block::Folded(title, vec![Block::Table(assess)]));
    }
    let how: Vec<Item> = of(StepKind::Mend).take(SHOWN).map(|(_, step)| how(step)).collect();
    if !how.is_empty() {
        blocks.push(Block::Folded("How each is done".to_owned(), vec![Block::Steps(how)]));
    }
    Section { id: "next-steps", title: "Next steps".to_owned(), blocks }
}

/// With their place in the order of all.
fn table<'s>(steps: impl Iterator<Item = (usize, &'s Step)>, what: &str) -> Table {
    let columns = [
        Column::text("Step", 4.2),
        Column::number("Concerns", 1.1),
        Column::number("Gain", 1.3),
        Column::text("Reach tier zero", 1.4),
        Column::text("Effort", 0.9),
        Column::text("Who, until when", 1.7),
    ];
    let mut table = Table::new("", columns);
    for (place, step) in steps {
        let title = Text::default().strong(format!("{}. ", place + 1)).plain(step.title.clone());
        table.row([
            title.faint(format!(" {}", step.sequence.name())).into(),
            concerns(step).into(),
            gain(step).into(),
            radius(step).unwrap_or_else(|| "–".to_owned()).into(),
            step.effort.name().into(),
            who(step).into(),
        ]);
    }
    table.caption = format!("{} {what}.", counted(table.rows.len() as u64, "step", "steps"));
    table
}

/// As the summary tells it.
pub(super) fn brief(step: &Step) -> Item {
    let mut line = Text::new(format!("concerns {}; gain: {} points of the score", concerns(step), gain(step)));
    if let Some(radius) = radius(step) {
        line = line.plain("; identities that reach tier zero: ").strong(radius);
    }
    line = line.plain(format!("; effort: {}.", step.effort.name()));
    Item { title: step.title.clone().into(), lines: vec![line] }
}

/// What each step does to who reaches tier zero, where it does something.
fn chart(steps: &[Step]) -> Option<Block> {
    const DRAWN: usize = 8;
    let drawn: Vec<Bar> = steps
        .iter()
        .enumerate()
        .filter_map(|(place, step)| {
            let radius = step.radius.as_ref().filter(|radius| radius.after < radius.before)?;
            let label = format!("{}. {}", place + 1, step.title);
            Some(Bar { label, value: radius.before as f64, after: Some(radius.after as f64), paint: Paint::Bad })
        })
        .take(DRAWN)
        .collect();
    let said: Vec<String> = drawn
        .iter()
        .map(|bar| format!("{}: {} to {}", bar.label, decimal(bar.value), bar.after.map_or_else(String::new, decimal)))
        .collect();
    (!drawn.is_empty()).then(|| {
        Block::Chart(Chart {
            title: "Identities that reach tier zero, before and after a step on its own".to_owned(),
            alternative: format!("Before and after each: {}.", said.join("; ")),
            drawing: bars(&drawn, 640.0),
            figures: None,
        })
    })
}

fn how(step: &Step) -> Item {
    let mut lines = vec![Text::new(step.remedy.clone()), Text::new("Whom it concerns: ").code(&step.query)];
    if !step.waits_for.is_empty() {
        let waits: Vec<&str> = step.waits_for.iter().map(|waits| waits.name()).collect();
        lines.push(Text::new(format!("Better after: {}.", waits.join(", "))));
    }
    Item { title: step.title.clone().into(), lines }
}

/// Of what is to be found out about, not even the number may be known.
fn concerns(step: &Step) -> String {
    if step.count == 0 { "–".to_owned() } else { grouped(step.count) }
}

fn gain(step: &Step) -> String {
    let (low, high) = (step.gain.at_least, step.gain.at_most);
    if decimal(low) == decimal(high) { decimal(low) } else { percents(low, high).replace(" %", "") }
}

fn radius(step: &Step) -> Option<String> {
    let radius = step.radius.as_ref()?;
    Some(if radius.before == radius.after {
        format!("{}, unchanged", grouped(radius.before))
    } else {
        format!("{} → {}", grouped(radius.before), grouped(radius.after))
    })
}

fn who(step: &Step) -> Text {
    let mut text = match &step.owner {
        Some(owner) => Text::default().name(owner),
        None => Text::default().faint("nobody yet"),
    };
    if let Some(due) = step.due {
        text = text.plain(format!(", {}", date(due)));
    }
    text
}
