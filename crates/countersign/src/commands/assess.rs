//! `assess`: exports in, a report out, without a server and without sending anything anywhere. Everything is computed before the first
//! file is written, and each file is put into place whole.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use countersign_assess::{Assessment, Checked, Health, Outcome, Own, Parameters};
use countersign_report::{Content, Pack};
use serde_json::json;

use super::answer::csv_line;
use super::estate::open::{dates, of_files};
use super::estate::word;
use super::health;
use super::work::Work;
use crate::command_line::Assess;
use crate::terminal::{Terminal, Tone, plain};

/// How many findings the summary names.
const WORST: usize = 5;
/// How many steps.
const FIRST: usize = 3;
/// Findings of each indicator in `assessment.json`.
const EXAMPLES: usize = 20;

pub(super) async fn assess(options: &Assess, terminal: &Terminal) -> anyhow::Result<()> {
    free(&options.out, options.force)?;
    let work = Work::begin(terminal);
    let (as_of, at) = dates(options.as_of);
    let (assessment, files) = work.run(|| {
        // A mapping is a file like any other.
        let files = [&*options.files, &*options.maps].concat();
        let inventory = of_files(&files, at, &work, terminal)?;
        work.doing("building the graph");
        let projection = inventory.project()?;
        work.doing("checking");
        let (own, parameters) = (Own::default(), Parameters::default());
        let mut watch = work.computing("following everybody");
        let assessment = Assessment::watched(&inventory, &projection, &own, &parameters, as_of, &mut watch)?;
        let mut assessment = assessment.named(options.organisation.clone());
        work.doing("writing the report");
        let content = Content { assessment: &assessment, files: inventory.files(), before: None, trend: &[] };
        let (html, pdf) = (countersign_report::html(&content), countersign_report::pdf(&content)?);
        let (steps, findings) = (countersign_assess::csv(&assessment.steps), findings(&assessment.health));
        let pack = Pack::of(&content)?.to_json();
        // Every row of every indicator stands in the pack, with its hash, and in the table: once more would be megabytes of the same.
        for checked in &mut assessment.health.indicators {
            checked.findings.truncate(EXAMPLES);
        }
        let files = [
            ("report.html", html.into_bytes()),
            ("report.pdf", pdf),
            ("steps.csv", steps.into_bytes()),
            ("findings.csv", findings.into_bytes()),
            ("assessment.json", serde_json::to_vec_pretty(&assessment)?),
            ("evidence.json", pack.into_bytes()),
        ];
        Ok((assessment, files))
    })?;
    let written = write(&options.out, &files)?;
    if terminal.json {
        return terminal.json(&json!({"written": written, "as-of": as_of}));
    }
    tell(&assessment, terminal);
    for path in &written {
        terminal.note(format!("written: {}", path.display()));
    }
    Ok(())
}

/// Refuses to write where something else is.
fn free(out: &Path, force: bool) -> anyhow::Result<()> {
    let mut entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be written to", out.display())),
    };
    if !force && entries.next().is_some() {
        bail!("{} is not empty: choose another directory, or say --force to write over an older report", out.display());
    }
    Ok(())
}

fn findings(health: &Health) -> String {
    let mut text = csv_line(health::BRIEF.iter().map(|heading| (*heading).to_owned()));
    for line in health.indicators.iter().flat_map(health::brief) {
        text += "\r\n";
        text += &csv_line(line.into_iter());
    }
    text + "\r\n"
}

/// Each under its name in one step. A crash leaves some of them of this run and the others of an older one, or not at all; the
/// next run with --force writes them all.
fn write(out: &Path, files: &[(&str, Vec<u8>)]) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = out.join(name);
        let beside = out.join(format!(".{name}.new"));
        let done = fs::File::create(&beside)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &path));
        done.with_context(|| format!("{} cannot be written", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

fn tell(assessment: &Assessment, terminal: &Terminal) {
    let Assessment { health, radius, gaps, .. } = assessment;
    let whose = assessment.organisation.as_deref().map_or_else(|| "The estate".to_owned(), plain);
    terminal.line(format!(
        "{whose} as of {}: {} nodes and {} edges from {}",
        health.as_of,
        radius.nodes,
        radius.edges,
        match health.sources.len() {
            1 => "one source".to_owned(),
            count => format!("{count} sources"),
        }
    ));
    terminal.line(format!(
        "  of 100 points {:.0} for certain, and {:.0} at most: what is not known counts as failed, and as passed",
        gaps.score.at_least, gaps.score.at_most
    ));
    let heading = |words: &str| {
        terminal.line("");
        terminal.line(terminal.paint(Tone::Strong, words));
    };
    let found: Vec<&Checked> = health.indicators.iter().filter(|one| one.outcome == Outcome::Found).collect();
    heading("The worst findings");
    for one in found.iter().take(WORST) {
        let unknown = match one.not_assessed {
            0 => String::new(),
            count => format!(", of {count} it is not known"),
        };
        terminal.line(format!(
            "  {}: {} ({} of {}{unknown})",
            terminal.paint(Tone::Attention, &word(one.severity)),
            one.title,
            one.found,
            one.population
        ));
    }
    if found.is_empty() {
        terminal.line("  none; what could not be assessed is in the report");
    }
    heading("How far an attacker gets");
    terminal.line(match radius.tier_zero {
        // None that is known is not none that is reached.
        0 => "  nothing in these sources is known to be of tier zero, so that who gets there is not known".to_owned(),
        _ => format!(
            "  {} of {} enabled identities get to tier zero; {} of them belong to it",
            radius.reach_tier_zero, radius.identities, radius.tier_zero_members
        ),
    });
    terminal.line(format!(
        "  half of them reach {} others or fewer, 95 of 100 reach {} or fewer, the farthest {}",
        radius.radius.median, radius.radius.p95, radius.radius.max
    ));
    heading("What to do first");
    for step in assessment.steps.iter().take(FIRST) {
        terminal.line(format!("  {}", step.title));
        terminal.line(terminal.paint(Tone::Quiet, &format!("    {}", step.remedy)));
    }
    for step in radius.removals.iter().take(1) {
        let edges: Vec<String> = step.edges.iter().map(|edge| plain(&edge.to_string())).collect();
        terminal.line(format!(
            "  Take away: {}. Then {} identities get to tier zero by rights over others, in place of {}.",
            edges.join(" and "),
            step.after,
            step.before
        ));
    }
}
