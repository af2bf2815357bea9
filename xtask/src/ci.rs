//! Everything that has to pass, in the order in which a fault is cheapest to find.

use anyhow::Result;

use crate::run::{cargo, step};
use crate::{fuzz, tidy, tools};

pub(crate) fn run() -> Result<()> {
    tools::set_up()?;
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    tidy::check()?;
    step("licences and sources", tools::cargo_deny()?.args(["check", "licenses", "bans", "sources"]))?;
    step("lints", cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    step("fuzz targets", &mut fuzz::build()?)?;
    fuzz::run_each()?;
    // Last, so that the runner's own summary closes the output.
    step("tests", cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]))?;
    eprintln!("everything passed");
    Ok(())
}
