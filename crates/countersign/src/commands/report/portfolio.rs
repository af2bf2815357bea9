//! `report portfolio`: finds the packs of each tenant, one after the other in memory, and shows what became of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use countersign_report::{Portfolio, Standing};

use super::{Form, bounded, write};
use crate::command_line::ReportPortfolio;
use crate::commands::Found;
use crate::commands::estate::open::dates;
use crate::terminal::{Table, Terminal, Tone, plain};

/// A folder with more packs than this is no tenant's.
const MOST: usize = 1000;

pub(super) fn portfolio(options: &ReportPortfolio, terminal: &Terminal) -> anyhow::Result<()> {
    if let Some(out) = &options.out {
        if !matches!(Form::of(out), Ok(Form::Page)) {
            bail!("{}: a portfolio is a page, and ends in .html", out.display());
        }
        if !options.force && out.exists() {
            bail!("{} is there already: choose another name, or say --force to write over it", out.display());
        }
    }
    let (as_of, _) = dates(options.as_of);
    let mut portfolio = Portfolio::new(as_of);
    for path in &options.packs {
        if path.is_dir() {
            let tenant = name(path)?;
            for file in packs(path)? {
                add(&mut portfolio, Some(&tenant), &file);
            }
        } else {
            add(&mut portfolio, None, path);
        }
    }
    let portfolio = portfolio.finished();
    if let Some(out) = &options.out {
        write(out, portfolio.html().as_bytes())?;
    }
    if terminal.json {
        terminal.json(&portfolio)?;
    } else {
        tell(&portfolio, options.out.as_deref(), terminal);
    }
    if portfolio.refused.is_empty() { Ok(()) } else { Err(Found.into()) }
}

/// What a folder is called, `.` and `..` too.
fn name(path: &Path) -> anyhow::Result<String> {
    let whole = path.canonicalize().with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(whole.file_name().map_or_else(|| whole.display().to_string(), |name| name.to_string_lossy().into_owned()))
}

/// The files of a folder that may be packs, in the order of their names.
fn packs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.is_file() && matches!(Form::of(&path), Ok(Form::Evidence)) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{}: no evidence pack (.json) is in it", folder.display());
    }
    if files.len() > MOST {
        bail!("{}: more than {MOST} packs are in it", folder.display());
    }
    files.sort();
    Ok(files)
}

fn add(portfolio: &mut Portfolio, tenant: Option<&str>, path: &Path) {
    let file = path.display().to_string();
    match bounded(path) {
        Ok(bytes) => portfolio.add(tenant, &file, &bytes),
        Err(error) => portfolio.refuse(tenant, &file, vec![format!("{error:#}")]),
    }
}

fn tell(portfolio: &Portfolio, out: Option<&Path>, terminal: &Terminal) {
    if let Some(out) = out {
        terminal.note(format!("written: {}", out.display()));
    } else {
        let mut table = Table::new("tenants", &["tenant", "score", "stage", "before", "top risk", "as of"]);
        portfolio.tenants.iter().for_each(|one| table.row(row(one)));
        terminal.table(&table);
    }
    for one in &portfolio.refused {
        let line = format!("not counted: {}: {}", one.file, one.why.join("; "));
        terminal.note(terminal.paint(Tone::Bad, &plain(&line)));
    }
}

fn row(one: &Standing) -> [String; 6] {
    let risk = one.top_risk.as_ref();
    [
        one.tenant.clone(),
        one.score.to_string(),
        one.stage.name().to_owned(),
        one.earlier.map_or_else(|| "–".to_owned(), |before| before.score.to_string()),
        risk.map_or_else(
            || "nothing found".to_owned(),
            |risk| format!("{} ({}, {})", risk.title, risk.found, risk.severity),
        ),
        one.as_of.to_string(),
    ]
}
