//! Set-up, continuous integration and benches. `cargo xtask ci` is what the README calls the second command and
//! what `.ci/run` runs. Nothing here is part of the product.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod ci;
mod floors;
mod fuzz;
mod run;
mod tidy;
mod tools;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, continuous integration and benches of Countersign")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that has to pass: format, lints, floors, tests, the browser, fuzz targets, licences.
    Ci,
    /// Installs what the tests need beside cargo, or says by name what to install.
    Setup,
    /// The floors between the crates, and that every path in ARCHITECTURE.md exists.
    Tidy,
    /// Runs the benches and writes docs/performance.md.
    Bench {
        /// Only the benches whose name contains this.
        filter: Option<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Ci => ci::run(),
        Task::Setup => tools::set_up(),
        Task::Tidy => tidy::check(),
        Task::Bench { filter } => bench::run(filter.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
