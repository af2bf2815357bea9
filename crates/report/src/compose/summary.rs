//! The first page: where we stand, the weakest link, the three next steps, what is not known.

use std::collections::BTreeMap;

use countersign_assess::{Assessment, Outcome, Severity, State};

use super::{steps, tone, words};
use crate::Content;
use crate::document::{Block, Callout, Figure, Section, Text, Tone};
use crate::drawing::interval;
use crate::text::{counted, date, decimal, grouped, share};

pub(super) fn section(content: &Content<'_>) -> Section {
    let assessment = content.assessment;
    let mut blocks = vec![
        Block::Figures(figures(assessment)),
        Block::Text(standing(content)),
        super::gaps::chart(&assessment.gaps),
        weakest(assessment),
    ];
    blocks.push(Block::Heading("The three next steps".to_owned()));
    let first: Vec<_> = assessment.steps.iter().take(3).map(steps::brief).collect();
    if first.is_empty() {
        blocks.push(Block::Text("Nothing that was assessed asks for a step.".into()));
    } else {
        blocks.push(Block::Steps(first));
    }
    blocks.push(Block::Heading("What is not known".to_owned()));
    blocks.push(Block::List(unknown(assessment)));
    Section { id: "summary", title: "Summary".to_owned(), blocks }
}

fn figures(assessment: &Assessment) -> Vec<Figure> {
    let score = assessment.gaps.score;
    let radius = &assessment.radius;
    let (critical, high) = (found(assessment, Severity::Critical), found(assessment, Severity::High));
    vec![
        Figure {
            label: "Score over five areas".to_owned(),
            value: words(score),
            note: "The unknown counted as failed, and as passed.".into(),
            drawing: Some(interval(score.at_least, score.at_most, 150.0, 9.0)),
        },
        Figure {
            label: "Reach tier zero".to_owned(),
            // None that is known is not none that is reached.
            value: if radius.tier_zero == 0 { "not known".to_owned() } else { grouped(radius.reach_tier_zero) },
            note: match radius.tier_zero {
                0 => "Nothing in these sources is known to be of tier zero.".into(),
                _ => Text::new(format!(
                    "identities, {} % of {}; {} belong to it.",
                    decimal(share(radius.reach_tier_zero, radius.identities)),
                    grouped(radius.identities),
                    grouped(radius.tier_zero_members)
                )),
            },
            drawing: None,
        },
        Figure {
            label: "Blast radius".to_owned(),
            value: grouped(radius.radius.median),
            note: Text::new(format!(
                "others by one account, in the median; {} by one in twenty, {} at worst.",
                grouped(radius.radius.p95),
                grouped(radius.radius.max)
            )),
            drawing: None,
        },
        Figure {
            label: "Findings".to_owned(),
            value: grouped(critical.0 + high.0),
            note: Text::new(format!(
                "accounts or keys under {} and {}.",
                counted(critical.1, "critical indicator", "critical indicators"),
                counted(high.1, "high one", "high ones")
            )),
            drawing: None,
        },
    ]
}

/// Findings of a severity, and the indicators that they are under.
fn found(assessment: &Assessment, severity: Severity) -> (u64, u64) {
    let all = assessment.health.indicators.iter();
    all.filter(|checked| checked.severity == severity && checked.outcome == Outcome::Found)
        .fold((0, 0), |(found, indicators), checked| (found + checked.found, indicators + 1))
}

fn standing(content: &Content<'_>) -> Text {
    let assessment = content.assessment;
    let controls = || assessment.gaps.controls();
    let of = |state: State| controls().filter(|control| control.state == state).count() as u64;
    let all = controls().count() as u64;
    let mut text = Text::default().strong("Where we stand. ").plain(format!(
        "Of {}, {} in place, {} partial, {} not in place and {} not assessed.",
        counted(all, "control", "controls"),
        are(of(State::InPlace)),
        are(of(State::Partial)),
        are(of(State::NotInPlace)),
        are(of(State::NotAssessed)),
    ));
    let worst = assessment.health.indicators.iter().find(|checked| checked.outcome == Outcome::Found);
    if let Some(worst) = worst {
        text = text.plain(" The worst finding: ").strong(worst.title.clone()).plain(format!(
            " ({} of {}{}).",
            grouped(worst.found),
            grouped(worst.population),
            if worst.not_assessed > 0 {
                format!(", {} not assessed", grouped(worst.not_assessed))
            } else {
                String::new()
            }
        ));
    }
    if let Some(before) = content.before {
        text = text.plain(" ").plain(super::changes::sentence(assessment, before));
    }
    text
}

fn are(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "is" } else { "are" })
}

fn weakest(assessment: &Assessment) -> Block {
    let areas = assessment.gaps.weakest_first();
    let Some(area) = areas.first() else {
        return Block::Callout(Callout {
            tone: Tone::Plain,
            title: "The weakest link".to_owned(),
            text: vec!["No area was assessed.".into()],
        });
    };
    let mut first = Text::new("At the stage ")
        .strong(area.stage.name())
        .plain(", with a score of ")
        .strong(words(area.score))
        .plain(".");
    if let Some(measured) = area.gating.and_then(|id| assessment.gaps.find(id)) {
        first = first.plain(" What holds it there: ").strong(measured.title.clone()).plain(format!(
            ": {} of {} are as they should be{}.",
            grouped(measured.numerator),
            grouped(measured.population),
            match measured.population.saturating_sub(measured.assessed) {
                0 => String::new(),
                unknown => format!(", of {} it is not known", grouped(unknown)),
            }
        ));
    }
    let mut text = vec![first];
    if let Some(skipped) = assessment.gaps.earliest_skipped {
        text.push(
            Text::new("The earliest step of the right order that does not stand: ")
                .strong(skipped.name())
                .plain(". Whatever comes after it rests on it."),
        );
    }
    Block::Callout(Callout { tone: tone(area.score), title: format!("The weakest link: {}", area.title), text })
}

fn unknown(assessment: &Assessment) -> Vec<Text> {
    let mut list = Vec::new();
    let controls: Vec<_> = assessment.gaps.controls().collect();
    let open = controls.iter().filter(|control| control.state == State::NotAssessed).count() as u64;
    if open > 0 {
        let text = Text::default().strong(format!("{} of {} controls", grouped(open), grouped(controls.len() as u64)));
        list.push(text.plain(" could not be assessed from these sources. They count as possible, not as passed."));
    }
    // One reason often stands behind many indicators: said once, with how much rests on it.
    let mut reasons: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for checked in &assessment.health.indicators {
        for reason in &checked.reasons {
            let (most, indicators) = reasons.entry(reason.why).or_default();
            *most = (*most).max(reason.count);
            *indicators += 1;
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(why, (most, indicators))| (std::cmp::Reverse((*most, *indicators)), *why));
    for (why, (most, indicators)) in reasons.iter().take(3) {
        list.push(Text::default().strong(super::sentence(why)).plain(format!(
            ": up to {} cannot be told, in {}.",
            grouped(*most),
            counted(*indicators, "indicator", "indicators")
        )));
    }
    if let Some(oldest) = assessment.sources.iter().map(|source| source.at).min() {
        list.push(Text::new(format!(
            "The oldest source is of {}. What changed after an export was made is not in it.",
            date(oldest)
        )));
    }
    if assessment.radius.conditional > 0 {
        list.push(Text::new(format!(
            "{} hold under a condition that could not be decided; they were followed, so that the blast radius is an upper bound.",
            counted(assessment.radius.conditional, "way", "ways")
        )));
    }
    if list.is_empty() {
        list.push("Everything that was asked could be told.".into());
    }
    list
}
