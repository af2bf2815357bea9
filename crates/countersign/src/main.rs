//! The `countersign` command: reads its line, runs it, and ends with a code that means something.

use std::process::ExitCode;

use countersign::command_line;
use countersign::commands;

fn main() -> ExitCode {
    let line = command_line::read();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(commands::run(line)),
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: the runtime does not start: {error}");
            ExitCode::FAILURE
        }
    }
}
