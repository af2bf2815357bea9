//! Every parser of foreign bytes has a fuzz target in `fuzz/`; this runs each for a few seconds, from its own seeds.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{root, step};
use crate::tools;

/// How long each target runs in continuous integration. A long run is `cargo fuzz run TARGET` by hand.
const SECONDS: u32 = 5;

/// The stable compiler instruments for coverage but not for memory faults; there is no unsafe code of ours to find.
const SANITIZER: [&str; 2] = ["--sanitizer", "none"];

pub(crate) fn build() -> Result<Command> {
    let mut command = tools::cargo_fuzz()?;
    command.arg("build").args(SANITIZER);
    Ok(command)
}

pub(crate) fn run_each() -> Result<()> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut targets: Vec<String> = fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    targets.sort();
    if targets.is_empty() {
        bail!("{} has no fuzz target", folder.display());
    }
    for target in &targets {
        let limit = format!("-max_total_time={SECONDS}");
        step(
            &format!("fuzz {target}"),
            tools::cargo_fuzz()?.arg("run").args(SANITIZER).args([target, "--", &limit, "-verbosity=0"]),
        )?;
    }
    Ok(())
}
