//! `cargo xtask bench`: every bench prints its figures as Markdown between two markers; this gathers them, with the
//! machine they were measured on, into docs/performance.md.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, root};

/// Package and bench target.
const BENCHES: &[(&str, &str)] = &[
    ("countersign-policy", "decide"),
    ("countersign-policy", "ask"),
    ("countersign-prove", "prove"),
    ("countersign-administrator", "world"),
    ("countersign-administrator", "revoke"),
    ("countersign-ledger", "append"),
    ("countersign-replay", "replay"),
    ("countersign-graph", "reach"),
    ("countersign-report", "assess"),
    ("countersign", "revoke"),
    ("countersign", "gateway"),
    ("countersign", "bridge"),
    ("countersign", "start"),
];

const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    let page = root().join("docs/performance.md");
    let mut text = fs::read_to_string(&page).context("docs/performance.md")?;
    let chosen = BENCHES
        .iter()
        .filter(|(package, name)| filter.is_none_or(|filter| package.contains(filter) || name.contains(filter)));
    let mut ran = 0;
    for (package, name) in chosen {
        eprintln!("── {package} {name}");
        let printed = output(cargo().args(["bench", "--locked", "--package", package, "--bench", name]))?;
        let figures = between(&printed, BEGIN, END)
            .with_context(|| format!("the bench {name} printed no figures between {BEGIN} and {END}"))?;
        text = replaced(&text, &format!("{package} {name}"), figures.trim())?;
        ran += 1;
    }
    if ran == 0 {
        bail!("no bench has {:?} in its name", filter.unwrap_or_default());
    }
    text = replaced(&text, "machine", &machine()?)?;
    fs::write(&page, text)?;
    eprintln!("docs/performance.md has the figures of {ran} benches");
    Ok(())
}

/// The text of the section that a bench owns, exchanged. Sections stand between `<!-- NAME -->` and `<!-- /NAME -->`.
fn replaced(page: &str, name: &str, figures: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let old = between(page, &begin, &end).with_context(|| format!("docs/performance.md has no section {begin}"))?;
    Ok(page.replacen(&format!("{begin}{old}{end}"), &format!("{begin}\n{figures}\n{end}"), 1))
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

fn machine() -> Result<String> {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .unwrap_or_default();
    let compiler = output(std::process::Command::new("rustc").arg("--version"))?;
    let mut text = String::new();
    write!(text, "{model}, {cores} cores, {} GiB, {}", kilobytes / (1024 * 1024), compiler.trim())?;
    Ok(text)
}
