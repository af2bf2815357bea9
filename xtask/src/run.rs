//! Running other programmes, loudly.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The workspace's own folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What incremental builds keep is larger than what they make, and a whole run uses none of it.
    command.current_dir(root()).env("CARGO_INCREMENTAL", "0");
    command
}

/// Runs one step and fails with its name.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("── {name}");
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{name}: cannot start {command:?}"))?;
    if !status.success() {
        bail!("{name}: {command:?} ended with {status}");
    }
    eprintln!("── {name}: {} s", start.elapsed().as_secs());
    Ok(())
}

/// What a programme prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} printed something other than UTF-8"))
}

/// Whether a programme can be started at all.
pub(crate) fn available(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
