//! `policy review`: what a change of policies does, as one report for whoever reviews it. Every part is what the command of
//! that name finds; here it is compared with what there was, judged, and told. What is not known objects.

mod changes;
mod git;
mod parts;
mod proven;
mod sides;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use countersign_policy::{PolicySet, Symbols};
use serde_json::{Map, Value, json};

use self::sides::{Files, Side, below};
use super::markdown::{Block, Page, code, fence};
use crate::command_line::{Global, PolicyReview, ReviewFormat};
use crate::commands::answer::count;
use crate::commands::files::by_field;
use crate::commands::{Found, Undone};
use crate::terminal::{Terminal, Tone};

/// By which a pipeline finds the comment that it wrote before.
const MARK: &str = "<!-- countersign policy review -->";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Pass,
    Fail,
    Unknown,
    /// Nobody asked for it.
    LeftOut,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::LeftOut => "left out",
        }
    }

    const fn objects(self) -> bool {
        matches!(self, Self::Fail | Self::Unknown)
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Pass => Tone::Good,
            Self::Fail => Tone::Bad,
            Self::Unknown => Tone::Attention,
            Self::LeftOut => Tone::Quiet,
        }
    }
}

/// One thing that was looked at. `name`, `words` and `title` are ours: foreign text stands in blocks, made safe there.
struct Part {
    name: &'static str,
    verdict: Verdict,
    words: String,
    title: &'static str,
    blocks: Vec<Block>,
    /// Of the page, at most so many bytes.
    most: usize,
    json: Value,
}

/// A side that loaded.
struct Loaded<'a> {
    side: &'a Side,
    /// Of the policies, as seen from its top.
    path: &'a Path,
    files: Files,
    set: PolicySet,
}

/// What there was before.
enum Before<'a> {
    Loaded(Box<Loaded<'a>>),
    /// No policies at all.
    Nothing,
    /// Policies that do not load: nothing can be compared with them.
    Broken,
}

impl Before<'_> {
    const fn set(&self) -> Option<&PolicySet> {
        match self {
            Self::Loaded(loaded) => Some(&loaded.set),
            Self::Nothing | Self::Broken => None,
        }
    }
}

/// What a part needs beside the two sides.
struct With<'a> {
    global: &'a Global,
    options: &'a PolicyReview,
    terminal: &'a Terminal,
}

struct Report {
    base: Side,
    head: Side,
    path: PathBuf,
    parts: Vec<Part>,
}

pub(super) async fn review(global: &Global, options: &PolicyReview, terminal: &Terminal) -> anyhow::Result<()> {
    let with = With { global, options, terminal };
    let report = made(&with).await.context(Undone)?;
    let text = match terminal.json || options.format == ReviewFormat::Json {
        true => serde_json::to_string_pretty(&report.json())?,
        false => report.markdown(),
    };
    match &options.output {
        None => terminal.line(text.trim_end()),
        Some(file) => {
            std::fs::write(file, text)
                .with_context(|| format!("{} cannot be written", file.display()))
                .context(Undone)?;
            for part in &report.parts {
                let word = terminal.paint(part.verdict.tone(), &format!("{:8}", part.verdict.word()));
                terminal.line(format!("{word}  {}: {}", part.name, part.words));
            }
        }
    }
    if report.objects() { Err(Found.into()) } else { Ok(()) }
}

async fn made(with: &With<'_>) -> anyhow::Result<Report> {
    let (base, head) = (Side::find(&with.options.base)?, Side::find(&with.options.head)?);
    let path = place(&base, &head, with.options.path.as_deref())?;
    let (was, is) = (base.read(&path)?, head.read(&path)?);
    if was.policies.is_empty() && is.policies.is_empty() {
        anyhow::bail!("there are no policies in {} of {} nor of {}", path.display(), base.name, head.name);
    }
    let parts = match loaded(&head, &path, is) {
        Ok(after) => judged(with, &before(&base, &path, was), &after).await?,
        Err(stopped) => vec![*stopped],
    };
    Ok(Report { base, head, path, parts })
}

/// Where the policies are. What there was says it where it can: the change must not choose what is looked at.
fn place(base: &Side, head: &Side, path: Option<&str>) -> anyhow::Result<PathBuf> {
    if let Some(path) = path {
        return below(Path::new(path));
    }
    for side in [base, head] {
        for path in ["policies", ""] {
            if !side.read(Path::new(path))?.policies.is_empty() {
                return Ok(PathBuf::from(path));
            }
        }
    }
    anyhow::bail!("there are no policies in {} nor {}: --path says where they are", base.name, head.name)
}

fn again(set: &PolicySet) -> anyhow::Result<PolicySet> {
    Ok(PolicySet::load(set.sources().to_vec(), &Arc::new(Symbols::default()))?)
}

fn before<'a>(side: &'a Side, path: &'a Path, files: Files) -> Before<'a> {
    if files.policies.is_empty() {
        return Before::Nothing;
    }
    match PolicySet::load(files.policies.clone(), &Arc::new(Symbols::default())) {
        Ok(set) => Before::Loaded(Box::new(Loaded { side, path, files, set })),
        Err(_) => Before::Broken,
    }
}

/// Or the one part that there is to tell.
fn loaded<'a>(side: &'a Side, path: &'a Path, files: Files) -> Result<Loaded<'a>, Box<Part>> {
    let stopped = |words: String, blocks, json| {
        let (name, title) = ("policies", "Mistakes");
        Box::new(Part { name, verdict: Verdict::Fail, words, title, blocks, most: 40_000, json })
    };
    if files.policies.is_empty() {
        return Err(stopped("there are no policies, so nothing would be permitted".to_owned(), Vec::new(), json!([])));
    }
    match PolicySet::load(files.policies.clone(), &Arc::new(Symbols::default())) {
        Ok(set) => Ok(Loaded { side, path, files, set }),
        Err(mistakes) => {
            let words = format!(
                "{}: the policies do not load, and nothing else was looked at",
                count(mistakes.len(), "mistake", "mistakes")
            );
            let shown = mistakes.to_string();
            let lines: Vec<&str> = shown.lines().collect();
            let blocks = vec![Block::Text(fence("text", &lines, 36_000))];
            Err(stopped(words, blocks, Value::from(by_field(&mistakes.into()))))
        }
    }
}

async fn judged(with: &With<'_>, before: &Before<'_>, after: &Loaded<'_>) -> anyhow::Result<Vec<Part>> {
    // First what may not be there at all: nobody waits for proofs to hear that it is not.
    let replay = parts::replay(with, before, after).await?;
    let mut parts = vec![
        parts::policies(before, after),
        parts::lint(with, before, after)?,
        parts::tests(with, before, after),
        parts::matrix(with, before, after)?,
    ];
    parts.extend(proven::parts(with, before, after)?);
    parts.push(replay);
    Ok(parts)
}

impl Report {
    fn objects(&self) -> bool {
        self.parts.iter().any(|part| part.verdict.objects())
    }

    fn json(&self) -> Value {
        let side = |side: &Side| json!({"name": side.name, "commit": side.commit()});
        let checks: Vec<Value> = self
            .parts
            .iter()
            .map(|part| json!({"check": part.name, "result": part.verdict.word(), "words": part.words}))
            .collect();
        let found: Map<String, Value> =
            self.parts.iter().map(|part| (part.name.to_owned(), part.json.clone())).collect();
        json!({
            "base": side(&self.base), "head": side(&self.head), "path": self.path, "objects": self.objects(),
            "checks": checks, "found": found,
        })
    }

    fn markdown(&self) -> String {
        let objecting = self.parts.iter().filter(|part| part.verdict.objects()).count();
        let verdict = match objecting {
            0 => "nothing to object".to_owned(),
            count => format!("{count} of {} checks object", self.parts.len()),
        };
        let side = |side: &Side| match side.commit().and_then(|commit| commit.get(..12)) {
            Some(short) if !side.name.starts_with(short) => format!("{} (`{short}`)", code(&side.name)),
            _ => code(&side.name),
        };
        let path = if self.path.as_os_str().is_empty() { ".".into() } else { self.path.to_string_lossy() };
        let mut opening = format!(
            "{MARK}\n## Policy review: {verdict}\n\n{} → {}, policies in {}\n\n| | check | |\n|---|---|---|\n",
            side(&self.base),
            side(&self.head),
            code(&path)
        );
        for Part { name, verdict, words, .. } in &self.parts {
            let word = if verdict.objects() { format!("**{}**", verdict.word()) } else { verdict.word().to_owned() };
            let _ = writeln!(opening, "| {word} | {name} | {words} |");
        }
        let mut page = Page::opening(opening);
        for part in self.parts.iter().filter(|part| !part.blocks.is_empty()) {
            page.section(part.title, part.most, &part.blocks);
        }
        page.finish()
    }
}
